//! Stripe's objects as JSON, as far as anybody reads them (<https://docs.stripe.com/api>). The simulator speaks the same.

use std::collections::BTreeMap;

use domain::dispute::DisputeStatus;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Dispute, Event, Intent, IntentStatus, ReceiveError, Refund, RefundStatus, Subject};

/// The longest id of an event.
const MAX_EVENT_ID: usize = 128;

/// An event, `evt_...`. `created` is in seconds since the epoch.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireEvent {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) created: i64,
    #[serde(default)]
    pub(crate) data: WireData,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireData {
    #[serde(default)]
    pub(crate) object: Value,
}

/// A reference: an id, or the object itself if the request expanded it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Expandable<T> {
    Object(Box<T>),
    Id(String),
}

impl<T> Expandable<T> {
    pub(crate) fn object(&self) -> Option<&T> {
        match self {
            Expandable::Object(object) => Some(object),
            Expandable::Id(_) => None,
        }
    }
}

/// A payment intent, `pi_...`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireIntent {
    pub(crate) id: String,
    pub(crate) amount: i64,
    #[serde(default)]
    pub(crate) amount_received: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_payment_error: Option<WireFailure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_action: Option<Value>,
    /// With it the browser goes on with the intent; never in an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) latest_charge: Option<Expandable<WireCharge>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireFailure {
    #[serde(default)]
    pub(crate) code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decline_code: Option<String>,
    #[serde(default)]
    pub(crate) message: Option<String>,
}

/// A charge, `ch_...`: the movement of an intent.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireCharge {
    #[serde(default)]
    pub(crate) amount_refunded: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payment_intent: Option<String>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payment_method_details: Option<WireDetails>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) balance_transaction: Option<Expandable<WireTransaction>>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireDetails {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) card: Option<WireCard>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireCard {
    #[serde(default)]
    pub(crate) brand: Option<String>,
    #[serde(default)]
    pub(crate) last4: Option<String>,
    /// Seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) capture_before: Option<i64>,
}

/// A line of the balance, `txn_...`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireTransaction {
    #[serde(default)]
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) amount: i64,
    #[serde(default)]
    pub(crate) fee: i64,
    #[serde(default)]
    pub(crate) currency: String,
    /// Seconds since the epoch.
    #[serde(default)]
    pub(crate) created: i64,
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reporting_category: String,
    #[serde(default)]
    pub(crate) source: Option<Value>,
}

/// A refund, `re_...`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireRefund {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    /// Absent from old accounts' refunds, which succeed at once.
    #[serde(default)]
    pub(crate) status: Option<String>,
    #[serde(default)]
    pub(crate) payment_intent: Option<String>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failure_reason: Option<String>,
}

/// A dispute, `dp_...`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireDispute {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) payment_intent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) evidence_details: Option<WireEvidence>,
    /// What the dispute moved so far: the amount taken back, and the fee.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) balance_transactions: Vec<WireTransaction>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireEvidence {
    /// Seconds since the epoch.
    #[serde(default)]
    pub(crate) due_by: Option<i64>,
}

/// The metadata under which our order stands.
pub(crate) const ORDER_ID: &str = "order_id";
/// The metadata under which the try of the order stands.
pub(crate) const ATTEMPT: &str = "attempt";
/// The metadata under which our idempotency key stands.
pub(crate) const KEY: &str = "key";
/// The metadata that says that the customer pays in Stripe's form on the page: there another card may follow a refused one.
pub(crate) const HOSTED: &str = "hosted";

impl WireIntent {
    /// The intent as we speak of it.
    pub(crate) fn intent(self) -> Intent {
        let charge = self.latest_charge.as_ref().and_then(Expandable::object);
        let card = charge.and_then(|charge| charge.payment_method_details.as_ref()?.card.as_ref());
        let transaction = charge.and_then(|charge| charge.balance_transaction.as_ref()?.object());
        let hosted = self.metadata.contains_key(HOSTED);
        let status = match self.status.as_str() {
            "requires_capture" => IntentStatus::Held,
            "succeeded" => IntentStatus::Taken,
            "canceled" => IntentStatus::Cancelled,
            // Also the first status of an intent without a card: only with an error it is a refusal. In Stripe's form the
            // customer reads it there, and tries another card.
            "requires_payment_method" if self.last_payment_error.is_some() && !hosted => IntentStatus::Refused,
            _ => IntentStatus::Pending,
        };
        let action = |path: &str| {
            let value = self.next_action.as_ref()?.pointer(path)?.as_str()?;
            Some(value.to_owned())
        };
        Intent {
            order_id: self.metadata.get(ORDER_ID).cloned().unwrap_or_default(),
            attempt: self.metadata.get(ATTEMPT).and_then(|text| text.parse().ok()).unwrap_or(0),
            status,
            amount: self.amount,
            currency: self.currency.to_ascii_uppercase(),
            captured: self.amount_received,
            refunded: charge.map_or(0, |charge| charge.amount_refunded),
            failure: self.last_payment_error.as_ref().map(WireFailure::failure),
            qr: action("/pix_display_qr_code/data"),
            // The form follows it by itself.
            action_url: action("/redirect_to_url/url").filter(|_| !hosted),
            client_secret: self.client_secret.clone().filter(|_| hosted && status == IntentStatus::Pending),
            capture_before: card.and_then(|card| card.capture_before).map(|at| at.saturating_mul(1000)),
            // Of a payment that Stripe settles in another currency the fee is one of that currency.
            fee: transaction.filter(|line| line.currency.eq_ignore_ascii_case(&self.currency)).map(|line| line.fee),
            card: card.and_then(|card| Some(format!("{} {}", card.brand.as_ref()?, card.last4.as_ref()?))),
            id: self.id,
        }
    }
}

impl WireFailure {
    /// The code that says most, and the provider's words.
    pub(crate) fn failure(&self) -> (String, String) {
        let code = self.code.as_deref().unwrap_or("card_declined");
        let telling =
            self.decline_code.as_deref().filter(|decline| code == "card_declined" && *decline != "generic_decline");
        (telling.unwrap_or(code).to_owned(), self.message.clone().unwrap_or_default())
    }
}

impl WireRefund {
    /// The refund as we speak of it.
    pub(crate) fn refund(self) -> Refund {
        let status = match self.status.as_deref() {
            None | Some("succeeded") => RefundStatus::Succeeded,
            Some("failed" | "canceled") => RefundStatus::Failed,
            Some(_) => RefundStatus::Pending,
        };
        Refund {
            id: self.id,
            intent: self.payment_intent.unwrap_or_default(),
            key: self.metadata.get(KEY).cloned(),
            status,
            amount: self.amount,
            currency: self.currency.to_ascii_uppercase(),
            failure: self.failure_reason,
        }
    }
}

impl WireDispute {
    /// The dispute as we speak of it.
    pub(crate) fn dispute(self) -> Dispute {
        let status = match self.status.as_str() {
            // An inquiry that is closed, and a dispute that was prevented, took nothing.
            "won" | "warning_closed" | "prevented" => DisputeStatus::Won,
            "lost" => DisputeStatus::Lost,
            status if status.starts_with("warning_") => DisputeStatus::Inquiry,
            _ => DisputeStatus::Open,
        };
        Dispute {
            id: self.id,
            intent: self.payment_intent.unwrap_or_default(),
            status,
            amount: self.amount,
            currency: self.currency.to_ascii_uppercase(),
            fee: self
                .balance_transactions
                .iter()
                .filter(|line| line.currency.eq_ignore_ascii_case(&self.currency))
                .map(|line| line.fee)
                .sum(),
            reason: self.reason,
            respond_by: self.evidence_details.and_then(|e| e.due_by).map(|at| at.saturating_mul(1000)),
        }
    }
}

impl WireEvent {
    /// The event as we speak of it.
    ///
    /// # Errors
    /// [`ReceiveError::Malformed`].
    pub(crate) fn event(self) -> Result<Event, ReceiveError> {
        if self.id.is_empty() || self.id.len() > MAX_EVENT_ID {
            return Err(ReceiveError::Malformed);
        }
        let object = self.data.object;
        let malformed = |_| ReceiveError::Malformed;
        let subject = match self.kind.as_str() {
            kind if kind.starts_with("payment_intent.") => {
                Subject::Intent(serde_json::from_value::<WireIntent>(object).map_err(malformed)?.intent())
            }
            // Each refund is told of as `refund.*` and, by older versions, as `charge.refund.updated`.
            kind if kind.starts_with("refund.") || kind == "charge.refund.updated" => {
                Subject::Refund(serde_json::from_value::<WireRefund>(object).map_err(malformed)?.refund())
            }
            kind if kind.starts_with("charge.dispute.") => {
                Subject::Dispute(serde_json::from_value::<WireDispute>(object).map_err(malformed)?.dispute())
            }
            _ => Subject::Other,
        };
        Ok(Event { id: self.id, at: self.created.saturating_mul(1000), subject })
    }
}

/// Reads the body of a webhook.
///
/// # Errors
/// [`ReceiveError::Malformed`].
pub(crate) fn read_event(body: &[u8]) -> Result<Event, ReceiveError> {
    let event: WireEvent = serde_json::from_slice(body).map_err(|_| ReceiveError::Malformed)?;
    event.event()
}
