//! Refunds and voids: asked for by the staff, carried by flows.

use app::commands::{ListRefunds, RequestRefund};
use app::views::{CreditNoteLink, RefundList, RefundPage, RefundView};
use axum::extract::State;
use axum::http::{StatusCode, header};
use domain::order::Party;
use domain::refund::RefundStatus;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::orders::Tracking;
use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, Cursor, IdempotencyKey, IfMatchOrAny, Json, Params, Problem, Reply, Segment, Wire};

resource![
    request_refund,
    list_refunds_of_payment,
    void_payment,
    list_refunds,
    show_refund,
    retry_refund,
    show_credit_note
];

/// Refund an order's payment
///
/// Sets the amount apart at once, so that refunds can never exceed what was captured, whoever asks at the same time. The
/// provider, the credit note and the customer's mail follow: look at the refund. Without an amount, what the lines cost;
/// without lines, all that is left.
#[utoipa::path(post, path = "/v1/payments/{order}/refunds", tag = "payments", request_body = RequestRefund,
    params(
        ("order" = String, Path, description = "`ord_...`"),
        ("If-Match" = String, Header, description = "the revision of the payment that was seen, or `*`", example = "\"4\""),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters"),
    ),
    responses(
        (status = 201, description = "set apart; its flow is started", body = RefundView),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "nothing was taken, or more was asked for than is left", body = Wire, content_type = "application/problem+json"),
        (status = 412, description = "the payment changed since it was read", body = Wire, content_type = "application/problem+json"),
        (status = 422, description = "a field is wrong", body = Wire, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = Wire, content_type = "application/problem+json"),
    ))]
async fn request_refund(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(order): Segment<String>,
    key: IdempotencyKey,
    IfMatchOrAny(revision): IfMatchOrAny,
    Json(command): Json<RequestRefund>,
) -> Result<Reply, Problem> {
    caller.may(Action::MoveMoney)?;
    let asked = gateway.app.request_refund(&order, command, key.0.as_deref(), revision).await?;
    let location = format!("/v1/refunds/{}", asked.refund.refund_id);
    Ok(Reply::json(StatusCode::CREATED, &asked.refund).header(header::LOCATION, &location).replayed(asked.replayed))
}

/// List the refunds of an order's payment, oldest first
///
/// With what is left to give back; the `ETag` is the revision of the payment. The customer sees them with the tracking link.
#[utoipa::path(get, path = "/v1/payments/{order}/refunds", tag = "payments",
    params(("order" = String, Path, description = "`ord_...`"), Tracking),
    responses(
        (status = 200, description = "all of them", body = RefundList),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
    ))]
async fn list_refunds_of_payment(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(order): Segment<String>,
    Params(tracking): Params<Tracking>,
) -> Result<Reply, Problem> {
    let by = tracking.check(&gateway, caller, &order)?;
    let mut list = gateway.app.refunds_of(&order).await?;
    if by == Party::Customer {
        // What the staff noted and what the provider answered is theirs.
        for refund in &mut list.items {
            (refund.note, refund.failure, refund.provider_refund) = (None, None, None);
        }
    }
    Ok(Reply::ok(&list).revision(list.revision))
}

/// That a void is under way.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Voiding {
    /// `ord_...`
    order_id: String,
}

/// Which payment.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct VoidWhat {
    /// The provider's payment, if it is one of an earlier try that the order does not count with.
    intent: Option<String>,
}

/// Call off what a payment holds
///
/// For an order that is over, or whose flow has given up: the hold of a payment that should not be there. What was called off
/// before is asked about once more. An order that is carried out is cancelled, which undoes its payment.
#[utoipa::path(post, path = "/v1/payments/{order}/void", tag = "payments",
    params(
        ("order" = String, Path, description = "`ord_...`"),
        ("If-Match" = String, Header, description = "the revision of the payment that was seen, or `*`", example = "\"4\""),
        VoidWhat,
    ),
    responses(
        (status = 202, description = "asked for; look at the payment", body = Voiding),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "the money was taken, or the order is carried out", body = Wire, content_type = "application/problem+json"),
        (status = 412, description = "the payment changed since it was read", body = Wire, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = Wire, content_type = "application/problem+json"),
    ))]
async fn void_payment(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(order): Segment<String>,
    Params(what): Params<VoidWhat>,
    IfMatchOrAny(revision): IfMatchOrAny,
) -> Result<Reply, Problem> {
    caller.may(Action::MoveMoney)?;
    gateway.app.void_payment(&order, what.intent.as_deref(), revision).await?;
    Ok(Reply::json(StatusCode::ACCEPTED, &Voiding { order_id: order }))
}

/// Which refunds.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listing {
    /// Only those in this status.
    status: Option<RefundStatus>,
    /// Only those that are not done and that no flow carries on: a person tries them again.
    #[serde(default)]
    halted: bool,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// List refunds, newest first
#[utoipa::path(get, path = "/v1/refunds", tag = "payments", params(Listing), responses(
    (status = 200, description = "a page", body = RefundPage),
    (status = 400, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn list_refunds(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewOrders)?;
    let Listing { status, halted, cursor, limit } = listing;
    let list = ListRefunds { status, halted, cursor: Cursor::open(cursor.as_deref())?, limit };
    let mut page = gateway.app.refunds(list).await?;
    page.next = Cursor::seal(page.next);
    Ok(Reply::ok(&page))
}

/// Show a refund
#[utoipa::path(get, path = "/v1/refunds/{id}", tag = "payments",
    params(("id" = String, Path, description = "`rfd_...`")),
    responses(
        (status = 200, description = "the refund", body = RefundView),
        (status = 404, description = "there is no such refund", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_refund(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewOrders)?;
    let refund = gateway.app.refund(&id).await?;
    Ok(Reply::ok(&refund).revision(refund.revision))
}

/// Try a refund again that failed, or whose flow gave up before it was done
#[utoipa::path(post, path = "/v1/refunds/{id}/retry", tag = "payments",
    params(
        ("id" = String, Path, description = "`rfd_...`"),
        ("If-Match" = String, Header, description = "the revision of the refund that was seen, or `*`", example = "\"2\""),
    ),
    responses(
        (status = 200, description = "set apart again; its flow is started", body = RefundView),
        (status = 404, description = "there is no such refund", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "it is under way, it went, or the amount is not left", body = Wire, content_type = "application/problem+json"),
        (status = 412, description = "it changed since it was read", body = Wire, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = Wire, content_type = "application/problem+json"),
    ))]
async fn retry_refund(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    IfMatchOrAny(revision): IfMatchOrAny,
) -> Result<Reply, Problem> {
    caller.may(Action::MoveMoney)?;
    let refund = gateway.app.retry_refund(&id, revision).await?;
    Ok(Reply::ok(&refund).revision(refund.revision))
}

/// Get a link to the credit note of a refund
#[utoipa::path(get, path = "/v1/orders/{id}/refunds/{refund}/credit-note", tag = "receipts",
    params(
        ("id" = String, Path, description = "`ord_...`"),
        ("refund" = String, Path, description = "`rfd_...`"),
        Tracking,
    ),
    responses(
        (status = 200, description = "a link, good for a while", body = CreditNoteLink),
        (status = 404, description = "there is no credit note (yet)", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_credit_note(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment((id, refund)): Segment<(String, String)>,
    Params(tracking): Params<Tracking>,
) -> Result<Reply, Problem> {
    tracking.check(&gateway, caller, &id)?;
    let of_this_order = refund.strip_prefix("rfd_").and_then(|rest| rest.split_once('-')).map(|(order, _)| order);
    if of_this_order != id.strip_prefix("ord_") {
        return Err(Problem::not_found("such refund of the order"));
    }
    Ok(Reply::ok(&gateway.app.credit_note(&refund).await?).header(header::CACHE_CONTROL, "no-store"))
}
