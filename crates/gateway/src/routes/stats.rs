//! Counts, and the audit.

use app::Progress;
use app::views::{AuditReport, Stats};
use axum::extract::State;
use axum::response::Response;
use parking_lot::Mutex;
use serde::Serialize;

use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, Event, Gone, Opening, Problem, Reply, Sink, Wire, events};

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

/// What an audit tells on the way.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Told<'a> {
    Progress { what: &'a str, part: f64 },
    Report(&'a AuditReport),
    Problem { detail: String },
}

/// How much of the work is done between two events of an audit.
const STEP: f64 = 0.01;

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
        let told = Mutex::new(-STEP);
        let progress = |progress: Progress| {
            let mut told = told.lock();
            if progress.part - *told >= STEP {
                *told = progress.part;
                // A client that is gone is noticed at the end.
                drop(tell(&sink, &Told::Progress { what: progress.what, part: progress.part }));
            }
        };
        let report = gateway.app.audit_with(&progress).await;
        let end = match &report {
            Ok(report) => Told::Report(report),
            Err(error) => Told::Problem { detail: error.to_string() },
        };
        drop(tell(&sink, &end));
    }))
}

fn tell(sink: &Sink, told: &Told<'_>) -> Result<(), Gone> {
    // It is made of texts and numbers: it can be written.
    let data = serde_json::to_vec(told).unwrap_or_default().into();
    sink.send(Event { id: None, name: "audit", data }.encode())
}
