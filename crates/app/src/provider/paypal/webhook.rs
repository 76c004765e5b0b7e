//! PayPal's webhooks: PayPal itself says whether it sent them
//! (<https://developer.paypal.com/docs/api/webhooks/v1/#verify-webhook-signature_post>).

use serde::Deserialize;
use serde_json::{Map, Value};

use super::PayPal;
use super::client::CallError;
use super::lists::WireEvent;
use super::objects::instant;
use crate::SignatureError;
use crate::provider::{Event, ReceiveError, Webhook};
use crate::signature::TOLERANCE_MS;

/// The headers that the signature is made of, and their names in the question.
const HEADERS: &[(&str, &str)] = &[
    ("paypal-auth-algo", "auth_algo"),
    ("paypal-cert-url", "cert_url"),
    ("paypal-transmission-id", "transmission_id"),
    ("paypal-transmission-sig", "transmission_sig"),
    ("paypal-transmission-time", "transmission_time"),
];
/// The longest value of a header.
const MAX_HEADER: usize = 1_024;

#[derive(Deserialize)]
struct Verdict {
    verification_status: String,
}

impl PayPal {
    /// Reads a webhook that PayPal says it sent. What can be refused without asking is refused first.
    pub(super) async fn verified(&self, webhook: Webhook<'_>) -> Result<Event, ReceiveError> {
        let mut question = Map::from_iter([("webhook_id".to_owned(), Value::from(self.webhook_id.as_str()))]);
        for (header, name) in HEADERS {
            let value = (webhook.header)(header);
            if value.is_empty() || value.len() > MAX_HEADER {
                return Err(SignatureError::Malformed.into());
            }
            question.insert((*name).to_owned(), Value::from(value));
        }
        let sent_at = instant(&(webhook.header)("paypal-transmission-time")).ok_or(SignatureError::Malformed)?;
        if sent_at.abs_diff(webhook.now) > TOLERANCE_MS.unsigned_abs() {
            return Err(SignatureError::Stale.into());
        }
        let event = std::str::from_utf8(webhook.body).map_err(|_| ReceiveError::Malformed)?.trim();
        let read: WireEvent = serde_json::from_str(event).map_err(|_| ReceiveError::Malformed)?;
        let read = read.event().ok_or(ReceiveError::Malformed)?;
        // The signature covers the bytes of the event: they go into the question as they came.
        let question = Value::from(question).to_string();
        let question = question.strip_suffix('}').unwrap_or_default();
        let body = format!("{question},\"webhook_event\":{event}}}");
        let _permit = self.checks.try_acquire().map_err(|_| ReceiveError::Unavailable)?;
        match self.client.ask::<Verdict>("/v1/notifications/verify-webhook-signature", body).await {
            Ok(verdict) if verdict.verification_status == "SUCCESS" => Ok(read),
            Ok(_) | Err(CallError::Refused(_)) => Err(SignatureError::Mismatch.into()),
            Err(CallError::Unavailable) => Err(ReceiveError::Unavailable),
        }
    }
}
