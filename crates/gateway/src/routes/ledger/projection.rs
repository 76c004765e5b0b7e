//! The daily consolidation: where it stands, stopping it, building it anew, proving it.

use app::ledger::views::{ProjectionView, RebuiltView, SwitchProjection, VerifyView};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::Gateway;
use crate::http::{Action, Caller, Json, Opening, Patience, Problem, Reply, Reporter, Wire, events};
use crate::routes::resource;

resource![show_projection, switch_projection, rebuild_projection, verify_ledger, follow_verification];

/// Show where the daily consolidation stands
#[utoipa::path(get, path = "/v1/ledger/projection", tag = "ledger", responses(
    (status = 200, description = "its mark and its lag", body = ProjectionView),
))]
async fn show_projection(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    Ok(Reply::ok(&gateway.app.ledger().projection().await?))
}

/// Stop the daily consolidation, or let it go on
///
/// Entries are accepted either way; a stopped one catches up later.
#[utoipa::path(put, path = "/v1/ledger/projection", tag = "ledger", request_body = SwitchProjection, responses(
    (status = 200, description = "as it is now", body = ProjectionView),
))]
async fn switch_projection(
    State(gateway): State<Gateway>,
    caller: Caller,
    Json(command): Json<SwitchProjection>,
) -> Result<Reply, Problem> {
    caller.may(Action::KeepBooks)?;
    Ok(Reply::ok(&gateway.app.ledger().set_stopped(!command.running).await?))
}

/// Build the daily consolidation anew from the entries
///
/// Entries are accepted and reports are answered meanwhile. What does not end in time goes on behind the answer: then
/// `rebuilding` of the projection is true until it is done.
#[utoipa::path(post, path = "/v1/ledger/projection/rebuild", tag = "ledger", responses(
    (status = 200, description = "built", body = RebuiltView),
    (status = 202, description = "it is being built", body = ProjectionView),
    (status = 503, description = "the store cannot work now", body = Wire, content_type = "application/problem+json"),
))]
async fn rebuild_projection(
    State(gateway): State<Gateway>,
    caller: Caller,
    patience: Patience,
) -> Result<Reply, Problem> {
    caller.may(Action::KeepBooks)?;
    let ledger = gateway.app.ledger().clone();
    match patience.wait(async move { ledger.rebuild().await }).await? {
        Some(rebuilt) => Ok(Reply::ok(&rebuilt?)),
        None => Ok(Reply::json(StatusCode::ACCEPTED, &gateway.app.ledger().projection().await?)),
    }
}

/// Prove that entries, balances and sealed days agree
///
/// For ledgers that can be read within the time of a request; larger ones have `/v1/ledger/verify/events`.
#[utoipa::path(get, path = "/v1/ledger/verify", tag = "ledger", responses(
    (status = 200, description = "what was found; `differences` is empty if all agrees", body = VerifyView),
))]
async fn verify_ledger(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    Ok(Reply::ok(&gateway.app.ledger().verify().await?))
}

/// Prove that entries, balances and sealed days agree, and follow how far that is
///
/// Server-sent events named `verify`: `progress` with what is read and how much of all is done (0 to 1), and at the end the
/// `report` of `/v1/ledger/verify`, or the `problem` that stopped it.
#[utoipa::path(get, path = "/v1/ledger/verify/events", tag = "ledger", responses(
    (status = 200, description = "a stream", content_type = "text/event-stream", body = String),
))]
async fn follow_verification(
    State(gateway): State<Gateway>,
    caller: Caller,
    opening: Opening,
) -> Result<Response, Problem> {
    caller.may(Action::ViewLedger)?;
    Ok(events(opening, |sink| async move {
        let reporter = Reporter::new("verify", sink);
        let report = gateway.app.ledger().verify_with(&|progress| reporter.progress(progress)).await;
        reporter.end(report);
    }))
}
