//! Payments: another try of the customer, and the provider's webhooks.

use app::WebhookOutcome;
use app::commands::PayOrder;
use app::views::PaymentView;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::orders::Tracking;
use super::resource;
use crate::Gateway;
use crate::http::{Caller, Json, Params, Problem, Reply, Segment, Wire, read};

resource![pay_order, receive_webhook];

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
    tracking.check(&gateway, caller, &id)?;
    let payment = gateway.app.pay(&id, command).await?;
    Ok(Reply::json(StatusCode::ACCEPTED, &payment))
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
        ("provider" = String, Path, description = "`simulator`", example = "simulator"),
        ("Comanda-Signature" = String, Header, description = "`t=<seconds>,v1=<HMAC-SHA256 in hex>`"),
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
