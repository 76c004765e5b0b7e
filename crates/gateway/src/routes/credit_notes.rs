//! Credit notes: the list, and the documents behind their links.

use app::commands::ListPage;
use app::views::CreditNotePage;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::receipts::Proof;
use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, Cursor, Params, Problem, Reply, Segment, Wire, if_none_match};

resource![list_credit_notes, download_credit_note];

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

/// List credit notes, newest first
#[utoipa::path(get, path = "/v1/credit-notes", tag = "receipts", params(Listing), responses(
    (status = 200, description = "a page", body = CreditNotePage),
    (status = 400, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn list_credit_notes(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewOrders)?;
    let list = ListPage { cursor: Cursor::open(listing.cursor.as_deref())?, limit: listing.limit };
    let mut page = gateway.app.credit_notes(list).await?;
    page.next = Cursor::seal(page.next);
    Ok(Reply::ok(&page))
}

/// Download a credit note
#[utoipa::path(get, path = "/v1/credit-notes/{file}", tag = "receipts",
    params(("file" = String, Path, description = "`crn_....pdf`"), Proof),
    responses(
        (status = 200, description = "the document", content_type = "application/pdf", body = [u8]),
        (status = 401, description = "the link is not one of ours", body = Wire, content_type = "application/problem+json"),
        (status = 410, description = "the link has expired", body = Wire, content_type = "application/problem+json"),
    ))]
async fn download_credit_note(
    State(gateway): State<Gateway>,
    Segment(file): Segment<String>,
    Params(proof): Params<Proof>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = file.strip_suffix(".pdf").ok_or_else(|| Problem::not_found("such credit note"))?;
    let note = gateway.app.credit_note_file(id, proof.expires, &proof.signature).await?;
    let etag = format!("\"{}\"", note.sha256);
    if if_none_match(&headers, &etag) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (header::CONTENT_DISPOSITION, format!("inline; filename=\"credit-note-{}.pdf\"", note.number)),
        (header::CACHE_CONTROL, "private, max-age=300".to_owned()),
        (header::ETAG, etag),
    ];
    Ok((headers, Body::from(note.bytes)).into_response())
}
