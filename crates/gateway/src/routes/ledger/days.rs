//! Closing days.

use app::ledger::views::{ProjectionView, RestatementPage, SealView, SealsView};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Gateway;
use crate::http::{Action, Caller, Cursor, Params, Patience, Problem, Reply, Segment, Wire};
use crate::routes::resource;

resource![list_days, close_day, show_day, list_restatements];

/// List sealed days, newest first
#[utoipa::path(get, path = "/v1/ledger/days", tag = "ledger", responses(
    (status = 200, description = "at most 200", body = SealsView),
))]
async fn list_days(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    Ok(Reply::ok(&gateway.app.ledger().seals().await?))
}

/// Close a day
///
/// Seals every day after the last sealed one up to this one with a SHA-256 that covers the day before. What comes later for a
/// sealed day restates it visibly; the seal stays. What does not end in time goes on behind the answer: then `closing` of the
/// projection says up to which day, and the same request answers the seal once it is there.
#[utoipa::path(post, path = "/v1/ledger/days/{date}/close", tag = "ledger",
    params(("date" = String, Path, description = "the merchant's day", example = "2026-03-01")),
    responses(
        (status = 200, description = "sealed, now or before", body = SealView),
        (status = 202, description = "it is being sealed", body = ProjectionView),
        (status = 409, description = "the day is not over, or the consolidation is stopped", body = Wire, content_type = "application/problem+json"),
        (status = 422, description = "the date cannot be used", body = Wire, content_type = "application/problem+json"),
    ))]
async fn close_day(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(date): Segment<String>,
    patience: Patience,
) -> Result<Reply, Problem> {
    caller.may(Action::KeepBooks)?;
    let ledger = gateway.app.ledger().clone();
    match patience.wait(async move { ledger.close_day(&date).await }).await? {
        Some(sealed) => Ok(Reply::ok(&sealed?)),
        None => Ok(Reply::json(StatusCode::ACCEPTED, &gateway.app.ledger().projection().await?)),
    }
}

/// Show the text that was sealed
///
/// `sha256sum` of it is the hash of the day, which the next day's text holds.
#[utoipa::path(get, path = "/v1/ledger/days/{date}", tag = "ledger",
    params(("date" = String, Path, description = "the merchant's day", example = "2026-03-01")),
    responses(
        (status = 200, description = "the text; `ETag` is its hash", body = String, content_type = "text/plain"),
        (status = 404, description = "the day is not sealed", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_day(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(date): Segment<String>,
) -> Result<Response, Problem> {
    caller.may(Action::ViewLedger)?;
    let (seal, text) = gateway.app.ledger().sealed(&date).await?;
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if let Ok(hash) = HeaderValue::from_str(&format!("\"{}\"", seal.hash)) {
        headers.insert(header::ETAG, hash);
    }
    Ok(response)
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listing {
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List what came late to sealed days, newest first
#[utoipa::path(get, path = "/v1/ledger/restatements", tag = "ledger", params(Listing), responses(
    (status = 200, description = "a page", body = RestatementPage),
    (status = 400, description = "the cursor is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn list_restatements(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    let cursor = Cursor::open(listing.cursor.as_deref())?;
    let page = gateway.app.ledger().restatements(cursor.as_deref()).await?;
    Ok(Reply::ok(&RestatementPage { items: page.items, next: Cursor::seal(page.next) }))
}
