//! Counts, and what an audit finds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Counts since start.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// Orders placed.
    pub placed: u64,
    /// Orders paid and handed to the kitchen.
    pub confirmed: u64,
    /// Orders with the customer.
    pub completed: u64,
    /// Orders that could not be accepted.
    pub rejected: u64,
    /// Orders called off.
    pub cancelled: u64,
    /// Orders not paid in time.
    pub expired: u64,
}

/// What an audit found.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditReport {
    /// How many of each kind were read.
    pub counts: BTreeMap<String, u64>,
    /// Orders that are not final.
    pub open: u64,
    /// Orders that wait for a person.
    pub needs_attention: u64,
    /// What was taken, given back and kept, in minor units.
    pub money: AuditMoney,
    /// Whether the provider has books that ours were compared with.
    pub books_compared: bool,
    /// At most 1,000; empty when everything agrees.
    pub differences: Vec<Difference>,
    /// Whether differences were left out.
    pub more: bool,
    /// What may still come right by itself; at most 1,000.
    #[serde(default)]
    pub warnings: Vec<Difference>,
}

/// The sums of an audit, in minor units.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditMoney {
    /// Taken from customers.
    pub captured: i64,
    /// Given back.
    pub refunded: i64,
    /// The same, as the provider's own books say.
    pub provider_captured: i64,
    /// The same, as the provider's own books say.
    pub provider_refunded: i64,
}

/// Two records that disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Stable, as `paid-without-receipt`.
    pub code: String,
    /// The order, product or receipt.
    pub subject: String,
    /// Both sides.
    pub detail: String,
}
