//! The provider's account: payouts, what does not fit, events that could not be taken.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Instant;

/// An event of the provider that could not be taken, however often it was tried.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSetAside {
    /// The provider's id of the event.
    pub event_id: String,
    /// The provider's name.
    pub provider: String,
    /// The provider's id of the payment, refund or dispute that it tells of.
    pub about: String,
    /// What went wrong the last time.
    pub problem: String,
    /// When it happened.
    pub at: Instant,
    /// How often it was tried.
    pub tries: i64,
    /// When it was tried last.
    pub failed_at: Instant,
}

/// A page of events that were set aside.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// Newest first.
    pub items: Vec<EventSetAside>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A payout of the provider to the shop's bank account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PayoutView {
    /// The provider's id.
    pub payout_id: String,
    /// The provider's name.
    pub provider: String,
    /// Minor units.
    pub amount: i64,
    /// What the provider took for it.
    pub fee: i64,
    /// ISO 4217.
    pub currency: String,
    /// When.
    pub at: Instant,
}

/// A page of payouts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PayoutPage {
    /// Newest first.
    pub items: Vec<PayoutView>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A line of the provider's account, or a record of ours, that does not fit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unmatched {
    /// The line, `PROVIDER/ID`, or our record.
    pub id: String,
    /// `missing-here`, `missing-at-provider`, `amount-differs`, `currency-differs`, `fee-unexpected`, `unknown-kind` or
    /// `payout-differs`.
    pub reason: String,
    /// What it is about, as `refund/rfd_.../1`.
    pub subject: String,
    /// What we say, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ours: Option<i64>,
    /// What the provider says, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<i64>,
    /// ISO 4217, as the provider says it.
    pub currency: String,
    /// Since when it is known.
    pub found_at: Instant,
    /// How a person settled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// How a person settled what does not fit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Why it is right all the same.
    pub reason: String,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: Instant,
    /// The entry that books it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
}

/// What does not fit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationPage {
    /// The provider's name.
    pub provider: String,
    /// When its account was last read to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Instant>,
    /// Oldest first; empty when everything fits.
    pub items: Vec<Unmatched>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
