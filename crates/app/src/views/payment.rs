//! Payments and their disputes.

use domain::Currency;
use domain::dispute::DisputeStatus;
use domain::payment::{CaptureOn, PaymentStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Instant;

/// A payment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentView {
    /// `pay_...`
    pub payment_id: String,
    /// Where it stands.
    pub status: PaymentStatus,
    /// `card`, `pix`, or the provider's own way, as `paypal`.
    pub method: String,
    /// Brand and last four digits, for a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// How often the customer has tried.
    pub attempts: i64,
    /// Minor units.
    pub amount: i64,
    /// What was taken.
    pub captured: i64,
    /// What was given back.
    pub refunded: i64,
    /// Of all amounts.
    pub currency: Currency,
    /// Why the last attempt was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The Pix payload ("copia e cola"), also drawn as a QR code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qr: Option<String>,
    /// Where the customer authenticates, or pays, if the provider asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_url: Option<String>,
    /// What the provider's form on the page needs to take the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Until when it must be paid.
    pub expires_at: Instant,
}

/// A payment as the staff sees it: the customer's view, and what stands behind it. Amounts are minor units.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDetail {
    /// `ord_...`
    pub order_id: String,
    /// The ETag.
    pub revision: i64,
    /// What the customer sees.
    #[serde(flatten)]
    pub payment: PaymentView,
    /// Who takes the money, as `stripe`.
    pub provider: String,
    /// The provider's id of the current try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// When the amount is taken.
    pub capture_on: CaptureOn,
    /// Until when a held amount can be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture_before: Option<Instant>,
    /// What the provider keeps, once it has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee: Option<i64>,
    /// Set apart for refunds that are not decided.
    pub refund_pending: i64,
    /// What the customer's bank has taken back.
    pub disputed: i64,
    /// What can still be given back.
    pub left: i64,
    /// What the amount is made of: the lines.
    pub subtotal: i64,
    /// The courier.
    pub delivery_fee: i64,
    /// The service.
    pub service_fee: i64,
    /// For the staff.
    pub tip: i64,
    /// Its disputes; empty in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disputes: Vec<DisputeView>,
}

/// A dispute: the customer's bank asks for the money back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisputeView {
    /// The provider's id.
    pub dispute_id: String,
    /// The order whose payment it is about.
    pub order_id: String,
    /// Where it stands.
    pub status: DisputeStatus,
    /// Minor units.
    pub amount: i64,
    /// What the provider took for it so far, minor units.
    pub fee: i64,
    /// Of the amounts.
    pub currency: Currency,
    /// The customer's reason by the provider's code, as `fraudulent`.
    pub reason: String,
    /// Until when the shop can answer, in the provider's console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub respond_by: Option<Instant>,
    /// When it was heard of.
    pub opened_at: Instant,
}

/// A page of disputes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DisputePage {
    /// Those of a status: the newest first.
    pub items: Vec<DisputeView>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page of payments.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PaymentPage {
    /// Those of the newest orders first.
    pub items: Vec<PaymentDetail>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Why a payment was refused.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Stable: the provider's code, as `card_declined`.
    pub code: String,
    /// For the customer.
    pub message: String,
}
