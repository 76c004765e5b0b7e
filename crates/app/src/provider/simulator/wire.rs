//! The simulator's webhooks: Stripe's shape, as far as anybody reads it.

use serde::{Deserialize, Serialize};
use store::message::Message;

use super::{Behaviour, Book};
use crate::SimulatorSettings;
use crate::provider::{Event, Intent, IntentStatus, ProviderError};
use crate::records::public_id;

/// Webhooks to post; the body is the event.
pub const WEBHOOK_QUEUE: &str = "simulator-webhooks";
/// Pix payments that are paid by themselves; the body is a [`PixTimer`].
pub const PIX_QUEUE: &str = "simulator-pix";

/// Says that a Pix is paid now.
#[derive(Debug, Serialize, Deserialize)]
pub struct PixTimer {
    /// `pi_...`
    pub intent: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireEvent {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created: i64,
    data: WireData,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireData {
    object: WireIntent,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireIntent {
    id: String,
    amount: i64,
    #[serde(default)]
    amount_received: i64,
    currency: String,
    status: String,
    metadata: WireMetadata,
    /// Seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    capture_before: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_payment_error: Option<WireFailure>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireMetadata {
    order_id: String,
    attempt: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireFailure {
    code: String,
    message: String,
}

/// The webhooks that follow from the state of an intent.
pub(super) fn webhooks(book: &Book, settings: &SimulatorSettings, now: i64) -> Vec<Message> {
    let (kind, status) = match book.status.as_str() {
        "held" => ("payment_intent.amount_capturable_updated", "requires_capture"),
        "taken" => ("payment_intent.succeeded", "succeeded"),
        "refused" => ("payment_intent.payment_failed", "requires_payment_method"),
        _ => return Vec::new(),
    };
    let delay = settings.webhook_delay_ms;
    let event = event(book, kind, status, now);
    let send = |event: &WireEvent, delay: i64| Message::new(WEBHOOK_QUEUE, event).at(visible_at(now, delay));
    match book.behaviour {
        Behaviour::NoWebhook => Vec::new(),
        Behaviour::LateWebhook => vec![send(&event, settings.late_webhook_ms)],
        Behaviour::DuplicateWebhook => vec![send(&event, delay), send(&event, delay)],
        Behaviour::ReorderedWebhook => {
            let older = self::event(book, "payment_intent.processing", "processing", now - 1000);
            vec![send(&event, delay), send(&older, delay + 500)]
        }
        _ => vec![send(&event, delay)],
    }
}

fn visible_at(now: i64, delay: i64) -> i64 {
    if delay == 0 { 0 } else { now + delay }
}

fn event(book: &Book, kind: &str, status: &str, now: i64) -> WireEvent {
    let intent = book.intent();
    let failure = intent.failure.filter(|_| book.status == "refused");
    WireEvent {
        id: public_id("evt_", store::id::next()),
        kind: kind.into(),
        created: now / 1000,
        data: WireData {
            object: WireIntent {
                id: public_id("pi_", book.id),
                amount: book.amount,
                amount_received: book.captured,
                currency: book.currency.to_ascii_lowercase(),
                status: status.into(),
                metadata: WireMetadata { order_id: book.order_id.clone(), attempt: book.attempt },
                capture_before: intent.capture_before.map(|at| at / 1000),
                last_payment_error: failure.map(|(code, message)| WireFailure { code, message }),
            },
        },
    }
}

/// Reads an event. A kind that we do not follow has no intent.
pub(super) fn read(body: &[u8]) -> Result<Event, ProviderError> {
    #[derive(Deserialize)]
    struct Head {
        id: String,
        #[serde(rename = "type")]
        kind: String,
    }
    let malformed = |_| ProviderError::Invalid("the body is not an event".into());
    let head: Head = serde_json::from_slice(body).map_err(malformed)?;
    if head.id.is_empty() || head.id.len() > 128 {
        return Err(ProviderError::Invalid("the event's id must have 1 to 128 characters".into()));
    }
    if !head.kind.starts_with("payment_intent.") {
        return Ok(Event { id: head.id, intent: None });
    }
    let event: WireEvent = serde_json::from_slice(body).map_err(malformed)?;
    let object = event.data.object;
    let status = match object.status.as_str() {
        "requires_capture" => IntentStatus::Held,
        "succeeded" => IntentStatus::Taken,
        "requires_payment_method" => IntentStatus::Refused,
        "canceled" => IntentStatus::Cancelled,
        _ => IntentStatus::Pending,
    };
    Ok(Event {
        id: event.id,
        intent: Some(Intent {
            id: object.id,
            order_id: object.metadata.order_id,
            attempt: object.metadata.attempt,
            status,
            amount: object.amount,
            currency: object.currency.to_ascii_uppercase(),
            captured: object.amount_received,
            refunded: 0,
            failure: object.last_payment_error.map(|f| (f.code, f.message)),
            qr: None,
            action_url: None,
            capture_before: object.capture_before.map(|at| at.saturating_mul(1000)),
        }),
    })
}
