//! Refunds.

use domain::Currency;
use domain::refund::{RefundLine, RefundReason, RefundStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Instant;

/// A refund.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundView {
    /// `rfd_...`
    pub refund_id: String,
    /// `ord_...`
    pub order_id: String,
    /// Where it stands.
    pub status: RefundStatus,
    /// Grows with every change.
    pub revision: i64,
    /// Minor units.
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
    /// Why.
    pub reason: RefundReason,
    /// More about it, for the staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Which units of which lines; empty for a refund of an amount only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<RefundLine>,
    /// Which try with the provider, from 1.
    pub attempt: i64,
    /// The provider's own id, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_refund: Option<String>,
    /// When it was asked for.
    pub requested_at: Instant,
    /// When the provider decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Instant>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Whether its flow has given up, so that a person has to try again.
    pub halted: bool,
    /// The number of its credit note, once it is issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_note: Option<i64>,
}

/// The refunds of one payment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundList {
    /// Oldest first.
    pub items: Vec<RefundView>,
    /// Of the payment, for If-Match.
    pub revision: i64,
    /// What was taken, in minor units.
    pub captured: i64,
    /// What went back.
    pub refunded: i64,
    /// What is set apart for refunds that are not decided.
    pub pending: i64,
    /// What can still be given back.
    pub left: i64,
}

/// A page of refunds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RefundPage {
    /// Those of the newest orders first, or with a status the newest first.
    pub items: Vec<RefundView>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
