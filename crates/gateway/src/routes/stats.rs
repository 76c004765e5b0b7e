//! Counts, and the audit.

use app::views::{AuditReport, Stats};
use axum::extract::State;

use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, Problem, Reply, Wire};

resource![show_stats, audit];

/// Show counts since the server started; cheap
#[utoipa::path(get, path = "/v1/stats", tag = "engine", responses(
    (status = 200, description = "the counts", body = Stats),
))]
async fn show_stats(State(gateway): State<Gateway>) -> Reply {
    Reply::ok(&gateway.app.stats())
}

/// Compare orders, payments, stock and receipts
///
/// Reads the whole store. Exact when nothing moves meanwhile; an order under way may show as a difference.
#[utoipa::path(get, path = "/v1/audit", tag = "engine", responses(
    (status = 200, description = "what was found", body = AuditReport),
    (status = 503, description = "the store cannot be read", body = Wire, content_type = "application/problem+json"),
))]
async fn audit(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    Ok(Reply::ok(&gateway.app.audit().await?))
}
