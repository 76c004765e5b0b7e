//! The provider's payouts, what of its account does not fit our records, and its events that could not be taken.

use app::commands::{ExplainDifference, ListPage};
use app::views::{EventPage, PayoutPage, ReconciliationPage, Unmatched};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, Cursor, Json, Params, Problem, Reply, Segment, Wire};

resource![
    list_payouts,
    show_reconciliation,
    run_reconciliation,
    explain_difference,
    list_events_set_aside,
    retry_event
];

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listing {
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

impl Listing {
    fn open(self) -> Result<ListPage, Problem> {
        Ok(ListPage { cursor: Cursor::open(self.cursor.as_deref())?, limit: self.limit })
    }
}

/// List the provider's payouts, newest first
#[utoipa::path(get, path = "/v1/payouts", tag = "payments", params(Listing), responses(
    (status = 200, description = "a page", body = PayoutPage),
    (status = 400, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn list_payouts(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewOrders)?;
    let mut page = gateway.app.payouts(listing.open()?).await?;
    page.next = Cursor::seal(page.next);
    Ok(Reply::ok(&page))
}

/// Which page of what does not fit.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Differences {
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
    /// Those that a person has settled, instead of those that are open.
    #[serde(default)]
    explained: bool,
}

/// Show how far the reconciliation is, and what does not fit
///
/// Every line of the provider's account is matched to a capture, refund, dispute, fee or payout, and the other way round. What
/// does not fit is listed, oldest first, until it does.
#[utoipa::path(get, path = "/v1/reconciliation", tag = "payments", params(Differences), responses(
    (status = 200, description = "a page of what does not fit", body = ReconciliationPage),
    (status = 400, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn show_reconciliation(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(Differences { cursor, limit, explained }): Params<Differences>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewOrders)?;
    reply(&gateway, Listing { cursor, limit }.open()?, explained).await
}

/// Settle a difference that is right all the same
///
/// With the entry that books it, or with a reason alone. It is kept with who settled it, when and why, and the audit names it
/// no more.
#[utoipa::path(post, path = "/v1/reconciliation/explain", tag = "payments", request_body = ExplainDifference, responses(
    (status = 200, description = "the difference, settled", body = Unmatched),
    (status = 404, description = "it is no open difference", body = Wire, content_type = "application/problem+json"),
    (status = 422, description = "a text or the entry does not do", body = Wire, content_type = "application/problem+json"),
))]
async fn explain_difference(
    State(gateway): State<Gateway>,
    caller: Caller,
    Json(command): Json<ExplainDifference>,
) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    Ok(Reply::ok(&gateway.app.explain_difference(command).await?))
}

/// Read the provider's account now
///
/// It is read every minute anyway.
#[utoipa::path(post, path = "/v1/reconciliation", tag = "payments", responses(
    (status = 200, description = "the first page of what does not fit", body = ReconciliationPage),
    (status = 503, description = "the store cannot be read", body = Wire, content_type = "application/problem+json"),
))]
async fn run_reconciliation(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::MoveMoney)?;
    gateway.app.reconcile_now().await?;
    reply(&gateway, ListPage::default(), false).await
}

/// List the provider's events that could not be taken, however often they were tried
///
/// They hold up no other event. Look at the problem, then have them tried again; a repeated webhook does the same.
#[utoipa::path(get, path = "/v1/provider-events", tag = "payments", params(Listing), responses(
    (status = 200, description = "a page, the last one that failed first", body = EventPage),
    (status = 400, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn list_events_set_aside(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewOrders)?;
    let mut page = gateway.app.events_set_aside(listing.open()?).await?;
    page.next = Cursor::seal(page.next);
    Ok(Reply::ok(&page))
}

/// Have an event of the provider that was set aside tried again
#[utoipa::path(post, path = "/v1/provider-events/{id}/retry", tag = "payments",
    params(("id" = String, Path, description = "the provider's id of the event, as `evt_...`")),
    responses(
        (status = 202, description = "it is tried again with the next pass over the events, within a minute or two"),
        (status = 404, description = "no such event was set aside", body = Wire, content_type = "application/problem+json"),
    ))]
async fn retry_event(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
) -> Result<Reply, Problem> {
    caller.may(Action::MoveMoney)?;
    gateway.app.retry_event(&id).await?;
    Ok(Reply::json(StatusCode::ACCEPTED, &serde_json::json!({})))
}

async fn reply(gateway: &Gateway, list: ListPage, explained: bool) -> Result<Reply, Problem> {
    let mut page = match explained {
        true => gateway.app.explained_differences(list).await?,
        false => gateway.app.reconciliation(list).await?,
    };
    page.next = Cursor::seal(page.next);
    Ok(Reply::ok(&page))
}
