//! The daily consolidation: where it stands, stopping it, building it anew, proving it.

use app::ledger::views::{ProjectionView, RebuiltView, SwitchProjection, VerifyView};
use axum::extract::State;

use crate::Gateway;
use crate::http::{Action, Caller, Json, Problem, Reply, Wire};
use crate::routes::resource;

resource![show_projection, switch_projection, rebuild_projection, verify_ledger];

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
/// Entries are accepted and reports are answered meanwhile. It goes on when the client gives up waiting.
#[utoipa::path(post, path = "/v1/ledger/projection/rebuild", tag = "ledger", responses(
    (status = 200, description = "built", body = RebuiltView),
    (status = 503, description = "the store cannot work now", body = Wire, content_type = "application/problem+json"),
))]
async fn rebuild_projection(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::KeepBooks)?;
    let ledger = gateway.app.ledger().clone();
    // A task of its own, so that a client that gives up does not end it.
    let rebuilt = tokio::spawn(async move { ledger.rebuild().await }).await;
    Ok(Reply::ok(&rebuilt.map_err(|error| Problem::internal(&error))??))
}

/// Prove that entries, balances and sealed days agree
#[utoipa::path(get, path = "/v1/ledger/verify", tag = "ledger", responses(
    (status = 200, description = "what was found; `differences` is empty if all agrees", body = VerifyView),
))]
async fn verify_ledger(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    Ok(Reply::ok(&gateway.app.ledger().verify().await?))
}
