//! Counts, and the audit.

use app::views::{AuditReport, Stats};
use axum::extract::State;
use axum::response::Response;

use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, Opening, Problem, Reply, Reporter, Wire, events};

resource![show_stats, audit, follow_audit];

/// Show counts since the server started; cheap
#[utoipa::path(get, path = "/v1/stats", tag = "engine", responses(
    (status = 200, description = "the counts", body = Stats),
))]
async fn show_stats(State(gateway): State<Gateway>) -> Reply {
    Reply::ok(&gateway.app.stats())
}

/// Prove that orders, payments, refunds, the ledger, stock, receipts, credit notes and the provider's books agree
///
/// Reads the whole store in one snapshot, so what moves meanwhile is no difference.
#[utoipa::path(get, path = "/v1/audit", tag = "engine", responses(
    (status = 200, description = "what was found", body = AuditReport),
    (status = 503, description = "the store cannot be read", body = Wire, content_type = "application/problem+json"),
))]
async fn audit(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    Ok(Reply::ok(&gateway.app.audit().await?))
}

/// Prove that everything agrees, and follow how far that is
///
/// Server-sent events named `audit`: `progress` with what is read and how much of all is done (0 to 1), and at the end the
/// `report` of `/v1/audit`, or the `problem` that stopped it. For stores that take longer to read than a request may last.
#[utoipa::path(get, path = "/v1/audit/events", tag = "engine", responses(
    (status = 200, description = "a stream", content_type = "text/event-stream", body = String),
))]
async fn follow_audit(State(gateway): State<Gateway>, caller: Caller, opening: Opening) -> Result<Response, Problem> {
    caller.may(Action::Operate)?;
    Ok(events(opening, |sink| async move {
        let reporter = Reporter::new("audit", sink);
        let report = gateway.app.audit_with(&|progress| reporter.progress(progress)).await;
        reporter.end(report);
    }))
}
