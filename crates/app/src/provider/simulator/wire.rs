//! The simulator's webhooks: Stripe's objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::message::Message;

use super::Behaviour;
use super::books::{Book, RefundBook};
use crate::SimulatorSettings;
use crate::provider::objects::{
    ATTEMPT, Expandable, KEY, ORDER_ID, WireCard, WireCharge, WireData, WireDetails, WireDispute, WireEvent,
    WireEvidence, WireFailure, WireIntent, WireRefund, WireTransaction,
};
use crate::records::public_id;

/// Webhooks to post; the body is the event.
pub const WEBHOOK_QUEUE: &str = "simulator-webhooks";
/// What happens by itself after a while; the body is a [`Timer`].
pub const TIMER_QUEUE: &str = "simulator-timers";

/// How long the shop has to answer a dispute.
const DISPUTE_MS: i64 = 7 * 86_400_000;

/// What happens by itself after a while.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Timer {
    /// The customer pays a Pix.
    PayPix {
        /// `pi_...`
        intent: String,
    },
    /// A pending refund reaches the customer, or does not.
    EndRefund {
        /// `re_...`
        refund: String,
    },
    /// The customer's bank disputes a payment.
    Dispute {
        /// `pi_...`
        intent: String,
    },
}

impl Timer {
    /// The message that brings it.
    pub(super) fn message(&self, at: i64) -> Message {
        Message::new(TIMER_QUEUE, self).at(at)
    }
}

/// The webhooks that follow from the state of an intent.
pub(super) fn webhooks(book: &Book, settings: &SimulatorSettings, now: i64) -> Vec<Message> {
    let (kind, status) = match book.status.as_str() {
        "held" => ("payment_intent.amount_capturable_updated", "requires_capture"),
        "taken" => ("payment_intent.succeeded", "succeeded"),
        "refused" => ("payment_intent.payment_failed", "requires_payment_method"),
        "cancelled" => ("payment_intent.canceled", "canceled"),
        _ => return Vec::new(),
    };
    let delay = settings.webhook_delay_ms;
    let event = event(kind, json!(intent(book, status)), now);
    let send = |event: &WireEvent, delay: i64| Message::new(WEBHOOK_QUEUE, event).at(visible_at(now, delay));
    match book.behaviour {
        Behaviour::NoWebhook => Vec::new(),
        Behaviour::LateWebhook => vec![send(&event, settings.late_webhook_ms)],
        Behaviour::DuplicateWebhook => vec![send(&event, delay), send(&event, delay)],
        Behaviour::ReorderedWebhook => {
            let older = self::event("payment_intent.processing", json!(intent(book, "processing")), now - 1000);
            vec![send(&event, delay), send(&older, delay + 500)]
        }
        _ => vec![send(&event, delay)],
    }
}

/// The webhook about a refund.
pub(super) fn refund_webhook(refund: &RefundBook, book: &Book, settings: &SimulatorSettings, now: i64) -> Message {
    let kind = if refund.status == "failed" { "refund.failed" } else { "refund.updated" };
    let said = refund.refund(book);
    let object = WireRefund {
        id: said.id,
        amount: refund.amount,
        currency: book.currency.to_ascii_lowercase(),
        status: Some(refund.status.clone()),
        payment_intent: Some(said.intent),
        metadata: BTreeMap::from([(KEY.into(), refund.key.clone())]),
        failure_reason: said.failure,
    };
    Message::new(WEBHOOK_QUEUE, &event(kind, json!(object), now)).at(visible_at(now, settings.webhook_delay_ms))
}

/// The webhook about the dispute of an intent.
pub(super) fn dispute_webhook(book: &Book, fee: i64, settings: &SimulatorSettings, now: i64) -> Option<Message> {
    let status = book.dispute.clone()?;
    let kind = match status.as_str() {
        "won" | "lost" => "charge.dispute.closed",
        _ => "charge.dispute.created",
    };
    let currency = book.currency.to_ascii_lowercase();
    let taken = WireTransaction { amount: -book.captured, fee, currency, ..WireTransaction::default() };
    let object = WireDispute {
        id: book.dispute_id(),
        amount: book.captured,
        currency: book.currency.to_ascii_lowercase(),
        status,
        reason: "fraudulent".into(),
        payment_intent: Some(book.public_id()),
        evidence_details: Some(WireEvidence { due_by: Some((now + DISPUTE_MS) / 1000) }),
        balance_transactions: vec![taken],
    };
    let event = event(kind, json!(object), now);
    Some(Message::new(WEBHOOK_QUEUE, &event).at(visible_at(now, settings.webhook_delay_ms)))
}

fn visible_at(now: i64, delay: i64) -> i64 {
    if delay == 0 { 0 } else { now + delay }
}

fn event(kind: &str, object: serde_json::Value, now: i64) -> WireEvent {
    let id = public_id("evt_", store::id::next());
    WireEvent { id, kind: kind.into(), created: now / 1000, data: WireData { object } }
}

fn intent(book: &Book, status: &str) -> WireIntent {
    let intent = book.intent();
    let failure = intent.failure.filter(|_| book.status == "refused");
    let transaction = intent.fee.map(|fee| {
        let currency = book.currency.to_ascii_lowercase();
        let transaction = WireTransaction { amount: book.captured, fee, currency, ..WireTransaction::default() };
        Expandable::Object(Box::new(transaction))
    });
    let capture_before = intent.capture_before.map(|at| at / 1000);
    WireIntent {
        id: book.public_id(),
        amount: book.amount,
        amount_received: book.captured,
        currency: book.currency.to_ascii_lowercase(),
        status: status.into(),
        metadata: BTreeMap::from([
            (ORDER_ID.into(), book.order_id.clone()),
            (ATTEMPT.into(), book.attempt.to_string()),
        ]),
        last_payment_error: failure.map(|(code, message)| WireFailure {
            code: Some(code),
            decline_code: None,
            message: Some(message),
        }),
        next_action: None,
        client_secret: None,
        latest_charge: (capture_before.is_some() || transaction.is_some()).then(|| {
            Expandable::Object(Box::new(WireCharge {
                payment_method_details: Some(WireDetails {
                    card: Some(WireCard { capture_before, ..WireCard::default() }),
                }),
                balance_transaction: transaction,
                ..WireCharge::default()
            }))
        }),
    }
}
