//! Entries: post, undo, look.

use app::ledger::ListEntries;
use app::ledger::views::{BatchView, EntryPage, EntryView, PostBatch, PostEntry, ReverseEntry};
use axum::extract::State;
use axum::http::{StatusCode, header};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Gateway;
use crate::http::{Action, Caller, Cursor, IdempotencyKey, Json, LargeJson, Params, Problem, Reply, Segment, Wire};
use crate::routes::resource;

resource![post_entry, list_entries, show_entry, reverse_entry, post_entries];

/// Post an entry
///
/// Its postings sum to zero in every currency; a debit is above zero, a credit below. Answers once it is durable. With an
/// `Idempotency-Key`, the same request answers the first entry for good, and another body under that key is refused.
#[utoipa::path(post, path = "/v1/ledger/entries", tag = "ledger", request_body = PostEntry,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    responses(
        (status = 201, description = "posted; `Location` is the entry", body = EntryView),
        (status = 422, description = "it does not balance, an account is unknown or closed, or a field is wrong", body = Wire, content_type = "application/problem+json"),
    ))]
async fn post_entry(
    State(gateway): State<Gateway>,
    caller: Caller,
    key: IdempotencyKey,
    Json(command): Json<PostEntry>,
) -> Result<Reply, Problem> {
    caller.may(Action::KeepBooks)?;
    let accepted = gateway.app.ledger().post(command, key.0.as_deref()).await?;
    let location = format!("/v1/ledger/entries/{}", accepted.answer.id);
    let reply = Reply::json(StatusCode::CREATED, &accepted.answer).header(header::LOCATION, &location);
    Ok(reply.replayed(accepted.replayed))
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listing {
    /// Only those that touch this account.
    account: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// List entries, the last recorded first
#[utoipa::path(get, path = "/v1/ledger/entries", tag = "ledger", params(Listing), responses(
    (status = 200, description = "a page", body = EntryPage),
    (status = 400, description = "a parameter cannot be read", body = Wire, content_type = "application/problem+json"),
    (status = 422, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn list_entries(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    let cursor = Cursor::open(listing.cursor.as_deref())?;
    let command = ListEntries { account: listing.account, cursor, limit: listing.limit };
    let page = gateway.app.ledger().list(&command).await?;
    Ok(Reply::ok(&EntryPage { items: page.items, next: Cursor::seal(page.next) }))
}

/// Show an entry
#[utoipa::path(get, path = "/v1/ledger/entries/{id}", tag = "ledger",
    params(("id" = String, Path, description = "the entry")),
    responses(
        (status = 200, description = "the entry", body = EntryView),
        (status = 404, description = "there is no such entry", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_entry(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    Ok(Reply::ok(&gateway.app.ledger().show(&id).await?))
}

/// Undo an entry
///
/// Posts the same postings with their signs turned, linked to the entry, at most once. The same request again answers the
/// first undoing.
#[utoipa::path(post, path = "/v1/ledger/entries/{id}/reverse", tag = "ledger", request_body = ReverseEntry,
    params(("id" = String, Path, description = "the entry")),
    responses(
        (status = 201, description = "the entry that undoes it", body = EntryView),
        (status = 404, description = "there is no such entry", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "it is undone already", body = Wire, content_type = "application/problem+json"),
        (status = 422, description = "a field is wrong", body = Wire, content_type = "application/problem+json"),
    ))]
async fn reverse_entry(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    Json(command): Json<ReverseEntry>,
) -> Result<Reply, Problem> {
    caller.may(Action::KeepBooks)?;
    let accepted = gateway.app.ledger().reverse(&id, command).await?;
    let location = format!("/v1/ledger/entries/{}", accepted.answer.id);
    let reply = Reply::json(StatusCode::CREATED, &accepted.answer).header(header::LOCATION, &location);
    Ok(reply.replayed(accepted.replayed))
}

/// Post up to 10,000 entries, all or none
///
/// With an `Idempotency-Key` for the whole batch.
#[utoipa::path(post, path = "/v1/ledger/entries:batch", tag = "ledger", request_body = PostBatch,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters")),
    responses(
        (status = 201, description = "posted", body = BatchView),
        (status = 422, description = "an entry is wrong; `pointer` says which", body = Wire, content_type = "application/problem+json"),
    ))]
async fn post_entries(
    State(gateway): State<Gateway>,
    caller: Caller,
    key: IdempotencyKey,
    LargeJson(command): LargeJson<PostBatch>,
) -> Result<Reply, Problem> {
    caller.may(Action::KeepBooks)?;
    let accepted = gateway.app.ledger().post_batch(command, key.0.as_deref()).await?;
    Ok(Reply::json(StatusCode::CREATED, &accepted.answer).replayed(accepted.replayed))
}
