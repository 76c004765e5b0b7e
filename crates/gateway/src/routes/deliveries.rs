//! Deliveries: what couriers call back.

use app::commands::CourierCallback;
use axum::extract::{Request, State};

use super::payments::Received;
use super::resource;
use crate::Gateway;
use crate::http::{Problem, Reply, Wire, header_text, read};

resource![receive_callback];

/// Receive a courier's callback
///
/// The signature covers the raw bytes of the body, in Stripe's scheme. Each `id` counts once.
#[utoipa::path(post, path = "/v1/delivery/callbacks", tag = "delivery", request_body = CourierCallback,
    params(("Courier-Signature" = String, Header, description = "`t=<seconds>,v1=<HMAC-SHA256 in hex>`")),
    responses(
        (status = 200, description = "handled", body = Received),
        (status = 401, description = "the signature is not good", body = Wire, content_type = "application/problem+json"),
        (status = 404, description = "there is no such delivery", body = Wire, content_type = "application/problem+json"),
    ))]
async fn receive_callback(State(gateway): State<Gateway>, request: Request) -> Result<Reply, Problem> {
    let signature = header_text(&request, "courier-signature");
    let body = read(request).await?;
    let outcome = gateway.app.delivery_callback(&signature, &body).await?;
    Ok(Reply::ok(&Received::from(outcome)))
}
