//! Payments: another try of the customer, and the provider's webhooks.

use app::WebhookOutcome;
use app::commands::{ListDisputes, ListPayments, PayOrder};
use app::views::{DisputePage, PaymentDetail, PaymentPage, PaymentView};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::dispute::DisputeStatus;
use domain::payment::PaymentStatus;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::orders::Tracking;
use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, Cursor, IfMatchOrAny, Json, Params, Problem, Reply, Segment, Wire, read};

resource![pay_order, check_payment, list_payments, list_disputes, show_payment, capture_payment, receive_webhook];

/// Pay an order again after a refusal
///
/// The outcome comes through the order: follow it.
#[utoipa::path(post, path = "/v1/orders/{id}/payments", tag = "orders", request_body = PayOrder,
    params(("id" = String, Path, description = "`ord_...`"), super::orders::Tracking),
    responses(
        (status = 202, description = "asked for", body = PaymentView),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "it cannot be paid now", body = Wire, content_type = "application/problem+json"),
        (status = 422, description = "a field is wrong", body = Wire, content_type = "application/problem+json"),
    ))]
async fn pay_order(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    Params(tracking): Params<Tracking>,
    Json(command): Json<PayOrder>,
) -> Result<Reply, Problem> {
    tracking.check_for(&gateway, caller, &id, Action::MoveMoney)?;
    let payment = gateway.app.pay(&id, command).await?;
    Ok(Reply::json(StatusCode::ACCEPTED, &payment))
}

/// Ask the provider how a payment stands
///
/// For the customer who comes back from paying elsewhere: the provider's webhook may take a while. Asked again too soon, the
/// answer is what is known.
#[utoipa::path(post, path = "/v1/orders/{id}/payments/check", tag = "orders",
    params(("id" = String, Path, description = "`ord_...`"), super::orders::Tracking),
    responses(
        (status = 200, description = "how it stands", body = PaymentView),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
        (status = 503, description = "the provider does not answer", body = Wire, content_type = "application/problem+json"),
    ))]
async fn check_payment(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(id): Segment<String>,
    Params(tracking): Params<Tracking>,
) -> Result<Reply, Problem> {
    tracking.check(&gateway, caller, &id)?;
    Ok(Reply::json(StatusCode::OK, &gateway.app.check_payment(&id).await?))
}

/// Which payments.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Listing {
    /// Only those in this status.
    status: Option<PaymentStatus>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// List payments, those of the newest orders first
#[utoipa::path(get, path = "/v1/payments", tag = "payments", params(Listing), responses(
    (status = 200, description = "a page", body = PaymentPage),
    (status = 400, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn list_payments(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewOrders)?;
    let Listing { status, cursor, limit } = listing;
    let list = ListPayments { status, cursor: Cursor::open(cursor.as_deref())?, limit };
    let mut page = gateway.app.payments(list).await?;
    page.next = Cursor::seal(page.next);
    Ok(Reply::ok(&page))
}

/// Which disputes.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Disputes {
    /// Only those in this status, the newest first; without it all, in the order of their ids.
    status: Option<DisputeStatus>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// 1 to 200, by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<usize>,
}

/// List disputes
#[utoipa::path(get, path = "/v1/disputes", tag = "payments", params(Disputes), responses(
    (status = 200, description = "a page", body = DisputePage),
    (status = 400, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn list_disputes(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(listing): Params<Disputes>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewOrders)?;
    let Disputes { status, cursor, limit } = listing;
    let list = ListDisputes { status, cursor: Cursor::open(cursor.as_deref())?, limit };
    let mut page = gateway.app.disputes(list).await?;
    page.next = Cursor::seal(page.next);
    Ok(Reply::ok(&page))
}

/// Show an order's payment, with its parts, its fee and its disputes
#[utoipa::path(get, path = "/v1/payments/{order}", tag = "payments",
    params(("order" = String, Path, description = "`ord_...`")),
    responses(
        (status = 200, description = "the payment; `ETag` is its revision", body = PaymentDetail),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_payment(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(order): Segment<String>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewOrders)?;
    let payment = gateway.app.payment(&order).await?;
    Ok(Reply::ok(&payment).revision(payment.revision))
}

/// Take what an order's payment holds, before its flow does
///
/// For shops that take the money when the order leaves, and an order that the shop works on. The flow finds it done.
#[utoipa::path(post, path = "/v1/payments/{order}/capture", tag = "payments",
    params(
        ("order" = String, Path, description = "`ord_...`"),
        ("If-Match" = String, Header, description = "the revision of the payment that was seen, or `*`", example = "\"4\""),
    ),
    responses(
        (status = 200, description = "taken", body = PaymentDetail),
        (status = 404, description = "there is no such order", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "nothing is held, or the provider refuses", body = Wire, content_type = "application/problem+json"),
        (status = 412, description = "the payment changed since it was read", body = Wire, content_type = "application/problem+json"),
        (status = 428, description = "`If-Match` is missing", body = Wire, content_type = "application/problem+json"),
        (status = 503, description = "the provider does not answer", body = Wire, content_type = "application/problem+json"),
    ))]
async fn capture_payment(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(order): Segment<String>,
    IfMatchOrAny(revision): IfMatchOrAny,
) -> Result<Reply, Problem> {
    caller.may(Action::MoveMoney)?;
    let payment = gateway.app.capture_payment(&order, revision).await?;
    Ok(Reply::ok(&payment).revision(payment.revision))
}

/// What a webhook or callback did.
#[derive(Serialize, ToSchema)]
pub(crate) struct Received {
    /// `applied`, `duplicate`, `ignored` or `mismatch`.
    outcome: &'static str,
}

impl From<WebhookOutcome> for Received {
    fn from(outcome: WebhookOutcome) -> Received {
        let outcome = match outcome {
            WebhookOutcome::Applied => "applied",
            WebhookOutcome::Duplicate => "duplicate",
            WebhookOutcome::Ignored => "ignored",
            WebhookOutcome::Mismatch => "mismatch",
        };
        Received { outcome }
    }
}

/// Receive a payment provider's webhook
///
/// The signature covers the raw bytes of the body, in Stripe's scheme. Repeated and late events change nothing.
#[utoipa::path(post, path = "/v1/webhooks/{provider}", tag = "payments",
    request_body(content = serde_json::Value, description = "an event in the provider's own form"),
    params(
        ("provider" = String, Path, description = "`simulator` or `stripe`", example = "simulator"),
        ("Comanda-Signature" = Option<String>, Header, description = "of the simulator: `t=<seconds>,v1=<HMAC-SHA256 in hex>`"),
        ("Stripe-Signature" = Option<String>, Header, description = "of Stripe, in the same form"),
    ),
    responses(
        (status = 200, description = "handled", body = Received),
        (status = 401, description = "the signature is not good", body = Wire, content_type = "application/problem+json"),
        (status = 404, description = "there is no such provider", body = Wire, content_type = "application/problem+json"),
    ))]
async fn receive_webhook(
    State(gateway): State<Gateway>,
    Segment(provider): Segment<String>,
    request: Request,
) -> Result<Reply, Problem> {
    let headers = request.headers().clone();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body = read(request).await?;
    let outcome = gateway.app.provider_webhook(&provider, &header, &body).await?;
    Ok(Reply::ok(&Received::from(outcome)))
}
