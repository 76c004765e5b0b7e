//! PayPal's objects as JSON, as far as anybody reads them (<https://developer.paypal.com/docs/api/orders/v2/>).

use domain::dispute::DisputeStatus;
use serde::Deserialize;
use serde_json::Value;

use super::amount::WireMoney;
use crate::provider::{Dispute, Intent, IntentStatus, Refund, RefundStatus};

/// How long PayPal keeps the funds of a hold for sure, in milliseconds: the honor period. It lets a hold be taken for weeks
/// after that, but no longer promises that the money is there.
const HONOR_MS: i64 = 3 * 86_400_000;
/// What the reference of an order that was called off ends with.
const OFF: &str = "off";

/// An order, `5O190127TN364715T`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireOrder {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) intent: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) purchase_units: Vec<WireUnit>,
    #[serde(default)]
    pub(super) links: Vec<WireLink>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct WireUnit {
    #[serde(default)]
    amount: Option<WireMoney>,
    #[serde(default)]
    custom_id: String,
    #[serde(default)]
    payments: WirePayments,
}

/// What an order moved.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WirePayments {
    #[serde(default)]
    authorizations: Vec<WirePayment>,
    #[serde(default)]
    captures: Vec<WirePayment>,
    #[serde(default)]
    refunds: Vec<WireRefund>,
}

/// An authorization or a capture.
#[derive(Debug, Default, Clone, Deserialize)]
pub(super) struct WirePayment {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    status_details: Option<WireDetails>,
    #[serde(default)]
    amount: WireMoney,
    #[serde(default)]
    custom_id: String,
    #[serde(default)]
    create_time: String,
    #[serde(default)]
    expiration_time: String,
    #[serde(default)]
    seller_receivable_breakdown: Option<WireBreakdown>,
    #[serde(default)]
    supplementary_data: Value,
}

#[derive(Debug, Default, Clone, Deserialize)]
struct WireDetails {
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Default, Clone, Deserialize)]
struct WireBreakdown {
    #[serde(default)]
    paypal_fee: Option<WireMoney>,
}

#[derive(Debug, Default, Clone, Deserialize)]
pub(super) struct WireLink {
    #[serde(default)]
    href: String,
    #[serde(default)]
    rel: String,
}

/// A refund of a capture.
#[derive(Debug, Default, Clone, Deserialize)]
pub(super) struct WireRefund {
    #[serde(default)]
    id: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    status_details: Option<WireDetails>,
    #[serde(default)]
    amount: WireMoney,
    #[serde(default)]
    custom_id: Option<String>,
    #[serde(default)]
    links: Vec<WireLink>,
}

/// A dispute, `PP-D-4012`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireDispute {
    #[serde(default)]
    pub(super) dispute_id: String,
    #[serde(default)]
    disputed_transactions: Vec<WireTransaction>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    dispute_amount: WireMoney,
    #[serde(default)]
    dispute_life_cycle_stage: String,
    #[serde(default)]
    dispute_outcome: Option<WireOutcome>,
    #[serde(default)]
    seller_response_due_date: String,
}

#[derive(Debug, Default, Deserialize)]
struct WireTransaction {
    #[serde(default)]
    seller_transaction_id: String,
}

#[derive(Debug, Default, Deserialize)]
struct WireOutcome {
    #[serde(default)]
    outcome_code: String,
}

/// Our reference in an order: our order, which try of it, and whether we called it off.
pub(super) fn reference(order_id: &str, attempt: i64, off: bool) -> String {
    if off { format!("{order_id}/{attempt}/{OFF}") } else { format!("{order_id}/{attempt}") }
}

/// A time of PayPal's in milliseconds since the epoch.
pub(super) fn instant(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond())
}

/// A name of PayPal's as a code of ours, as `instrument_declined`.
pub(super) fn code(name: &str) -> String {
    name.to_ascii_lowercase()
}

impl WireOrder {
    pub(super) fn custom_id(&self) -> &str {
        let unit = self.purchase_units.first();
        let own = unit.map(|unit| unit.custom_id.as_str()).filter(|id| !id.is_empty());
        // The answer to a capture may have it there only.
        let inner = || {
            let payments = unit.map(|unit| &unit.payments)?;
            payments.captures.iter().chain(&payments.authorizations).map(|payment| payment.custom_id.as_str()).next()
        };
        own.or_else(inner).unwrap_or_default()
    }

    fn payments(&self) -> impl Iterator<Item = &WirePayments> {
        self.purchase_units.iter().map(|unit| &unit.payments)
    }

    pub(super) fn captures(&self) -> impl Iterator<Item = &WirePayment> {
        self.payments().flat_map(|payments| &payments.captures)
    }

    /// The hold that can be taken or called off; of several, the last.
    pub(super) fn authorization(&self) -> Option<&WirePayment> {
        self.payments().flat_map(|payments| &payments.authorizations).last()
    }

    pub(super) fn refunds(&self) -> impl Iterator<Item = &WireRefund> {
        self.payments().flat_map(|payments| &payments.refunds)
    }

    /// Puts a capture into the order, whose own view of it may be older.
    pub(super) fn with_capture(mut self, capture: WirePayment) -> WireOrder {
        if let Some(unit) = self.purchase_units.first_mut() {
            unit.payments.captures.retain(|known| known.id != capture.id);
            unit.payments.captures.push(capture);
        }
        self
    }

    /// Where it stands, and why if it was refused.
    fn status(&self) -> (IntentStatus, Option<String>) {
        if self.captures().any(WirePayment::is_taken) {
            return (IntentStatus::Taken, None);
        }
        if self.captures().any(WirePayment::is_pending) {
            return (IntentStatus::Pending, None);
        }
        match (self.authorization(), self.captures().last()) {
            (Some(hold), _) => hold.hold_status(),
            (None, Some(capture)) => (IntentStatus::Refused, Some(capture.reason())),
            (None, None) => match self.status.as_str() {
                _ if self.custom_id().ends_with(&format!("/{OFF}")) => (IntentStatus::Cancelled, None),
                "VOIDED" => (IntentStatus::Cancelled, None),
                "APPROVED" => (IntentStatus::Approved, None),
                _ => (IntentStatus::Pending, None),
            },
        }
    }

    /// The order as we speak of a payment.
    pub(super) fn intent(&self) -> Intent {
        let (status, refusal) = self.status();
        let hold = self.authorization();
        let amount = self.purchase_units.first().and_then(|unit| unit.amount.as_ref());
        let amount = amount.or_else(|| self.captures().chain(hold).map(|payment| &payment.amount).next());
        let taken: Vec<&WirePayment> = self.captures().filter(|capture| capture.is_taken()).collect();
        let captured = taken.iter().filter_map(|capture| capture.amount.minor()).sum();
        // A hold that is shown as taken, while its capture is not shown yet.
        let captured = match (status, captured) {
            (IntentStatus::Taken, 0) => hold.and_then(|hold| hold.amount.minor()).unwrap_or(0),
            (_, captured) => captured,
        };
        let fee = taken.iter().map(|capture| capture.fee()).sum::<Option<i64>>().filter(|_| !taken.is_empty());
        let open = matches!(self.status.as_str(), "CREATED" | "PAYER_ACTION_REQUIRED");
        let action = self.links.iter().find(|link| matches!(link.rel.as_str(), "payer-action" | "approve"));
        let mut parts = self.custom_id().split('/');
        Intent {
            id: self.id.clone(),
            order_id: parts.next().unwrap_or_default().to_owned(),
            attempt: parts.next().and_then(|text| text.parse().ok()).unwrap_or(0),
            status,
            amount: amount.and_then(WireMoney::minor).unwrap_or(0),
            currency: amount.map(|amount| amount.currency_code.clone()).unwrap_or_default(),
            captured,
            refunded: self.refunds().filter(|refund| refund.is_good()).filter_map(|r| r.amount.minor()).sum(),
            failure: refusal.map(|reason| (code(&reason), String::new())),
            qr: None,
            action_url: action.filter(|_| status == IntentStatus::Pending && open).map(|link| link.href.clone()),
            client_secret: None,
            capture_before: hold.filter(|_| status == IntentStatus::Held).and_then(WirePayment::honored_until),
            fee,
            card: None,
        }
    }
}

impl WirePayment {
    /// Whether the capture brought money, whatever went back since.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self.status.as_str(), "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED")
    }

    pub(super) fn is_pending(&self) -> bool {
        self.status == "PENDING"
    }

    /// Why it is as it is.
    pub(super) fn reason(&self) -> String {
        let reason = self.status_details.as_ref().map(|details| details.reason.as_str());
        reason.filter(|reason| !reason.is_empty()).unwrap_or(&self.status).to_owned()
    }

    fn hold_status(&self) -> (IntentStatus, Option<String>) {
        match self.status.as_str() {
            "CREATED" | "PARTIALLY_CAPTURED" => (IntentStatus::Held, None),
            "CAPTURED" => (IntentStatus::Taken, None),
            "VOIDED" | "EXPIRED" => (IntentStatus::Cancelled, None),
            "DENIED" => (IntentStatus::Refused, Some(self.reason())),
            _ => (IntentStatus::Pending, None),
        }
    }

    fn fee(&self) -> Option<i64> {
        self.seller_receivable_breakdown.as_ref()?.paypal_fee.as_ref()?.minor()
    }

    /// Until when the money is there for sure, in milliseconds since the epoch.
    fn honored_until(&self) -> Option<i64> {
        let honored = instant(&self.create_time).map(|at| at + HONOR_MS);
        honored.into_iter().chain(instant(&self.expiration_time)).min()
    }

    pub(super) fn amount(&self) -> &WireMoney {
        &self.amount
    }

    /// The order that it is a part of.
    pub(super) fn order_id(&self) -> Option<&str> {
        self.supplementary_data.pointer("/related_ids/order_id")?.as_str()
    }
}

impl WireRefund {
    /// Whether the money left, or is about to.
    fn is_good(&self) -> bool {
        matches!(self.status.as_str(), "COMPLETED" | "PENDING")
    }

    /// The capture that it gives back.
    pub(super) fn capture_id(&self) -> Option<&str> {
        let up = self.links.iter().find(|link| link.rel == "up")?;
        up.href.rsplit('/').next().filter(|id| !id.is_empty())
    }

    /// The refund of a payment as we speak of it.
    pub(super) fn refund(&self, intent: &str) -> Refund {
        let status = match self.status.as_str() {
            "COMPLETED" => RefundStatus::Succeeded,
            "FAILED" | "CANCELLED" => RefundStatus::Failed,
            _ => RefundStatus::Pending,
        };
        let reason = self.status_details.as_ref().map(|details| details.reason.as_str());
        let reason = reason.filter(|reason| !reason.is_empty()).unwrap_or(&self.status);
        Refund {
            id: self.id.clone(),
            intent: intent.to_owned(),
            key: self.custom_id.clone().filter(|key| !key.is_empty()),
            status,
            amount: self.amount.minor().unwrap_or(0).abs(),
            currency: self.amount.currency_code.clone(),
            failure: (status == RefundStatus::Failed).then(|| code(reason)),
        }
    }
}

impl WireDispute {
    /// The capture that is disputed.
    pub(super) fn capture_id(&self) -> Option<&str> {
        let id = self.disputed_transactions.first().map(|transaction| transaction.seller_transaction_id.as_str());
        id.filter(|id| !id.is_empty())
    }

    /// The dispute of a payment as we speak of it. PayPal's fees for it are lines of the account.
    pub(super) fn dispute(&self, intent: &str) -> Dispute {
        let outcome = self.dispute_outcome.as_ref().map(|outcome| outcome.outcome_code.as_str()).unwrap_or_default();
        let status = match (self.status.as_str(), outcome) {
            ("RESOLVED", "RESOLVED_BUYER_FAVOUR" | "ACCEPTED") => DisputeStatus::Lost,
            // PayPal pays the customer itself, the customer lets it be, or the shop was right.
            ("RESOLVED", _) => DisputeStatus::Won,
            // Between buyer and seller; nothing was decided, and no bank asks.
            _ if self.dispute_life_cycle_stage == "INQUIRY" => DisputeStatus::Inquiry,
            _ => DisputeStatus::Open,
        };
        Dispute {
            id: self.dispute_id.clone(),
            intent: intent.to_owned(),
            status,
            amount: self.dispute_amount.minor().unwrap_or(0),
            currency: self.dispute_amount.currency_code.clone(),
            fee: 0,
            reason: code(&self.reason),
            respond_by: instant(&self.seller_response_due_date),
        }
    }
}
