//! Receipts: a link that expires, and the document behind it.

use app::views::ReceiptLink;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::orders::Tracking;
use super::resource;
use crate::Gateway;
use crate::http::{Caller, Params, Problem, Reply, Segment, Wire, if_none_match};

resource![show_receipt, download_receipt];

/// Get a link to an order's receipt
#[utoipa::path(get, path = "/v1/orders/{id}/receipt", tag = "receipts",
    params(("id" = String, Path, description = "`ord_...`"), super::orders::Tracking),
    responses(
        (status = 200, description = "a link, good for a while", body = ReceiptLink),
        (status = 404, description = "there is no receipt (yet)", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_receipt(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    Params(tracking): Params<Tracking>,
) -> Result<Reply, Problem> {
    tracking.check(&gateway, caller, &id)?;
    Ok(Reply::ok(&gateway.app.receipt(&id).await?).header(header::CACHE_CONTROL, "no-store"))
}

/// The proof that a link is ours.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Proof {
    /// From the link.
    pub(crate) expires: i64,
    /// From the link.
    pub(crate) signature: String,
}

/// Download a receipt
#[utoipa::path(get, path = "/v1/receipts/{file}", tag = "receipts",
    params(("file" = String, Path, description = "`rct_....pdf`"), Proof),
    responses(
        (status = 200, description = "the document", content_type = "application/pdf", body = [u8]),
        (status = 401, description = "the link is not one of ours", body = Wire, content_type = "application/problem+json"),
        (status = 410, description = "the link has expired", body = Wire, content_type = "application/problem+json"),
    ))]
async fn download_receipt(
    State(gateway): State<Gateway>,
    Segment(file): Segment<String>,
    Params(proof): Params<Proof>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = file.strip_suffix(".pdf").ok_or_else(|| Problem::not_found("such receipt"))?;
    let receipt = gateway.app.receipt_file(id, proof.expires, &proof.signature).await?;
    let etag = format!("\"{}\"", receipt.sha256);
    if if_none_match(&headers, &etag) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (header::CONTENT_DISPOSITION, format!("inline; filename=\"receipt-{}.pdf\"", receipt.number)),
        (header::CACHE_CONTROL, "private, max-age=300".to_owned()),
        (header::ETAG, etag),
    ];
    Ok((headers, Body::from(receipt.bytes)).into_response())
}
