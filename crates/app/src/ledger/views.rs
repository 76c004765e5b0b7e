//! What the ledger is asked and what it answers: the bodies of the API. Amounts are minor units; balances are debits less
//! credits.

use std::collections::BTreeMap;

use domain::Currency;
use domain::ledger::{AccountKind, EntryKind, Posting};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Instant;

/// Opens an account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenAccount {
    /// As `expenses:rent`: one of `assets`, `liabilities`, `equity`, `income`, `expenses`, and lower-case segments.
    #[schema(max_length = 100, example = "expenses:rent")]
    pub code: String,
    /// What people read, at most 120 characters.
    #[schema(max_length = 120)]
    pub name: String,
    /// The one currency that it takes; absent for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// Its code.
    pub code: String,
    /// What it is.
    pub kind: AccountKind,
    /// What people read.
    pub name: String,
    /// The one currency that it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Whether it takes no entries any more.
    pub closed: bool,
    /// Whether payments post to it, so that it cannot be closed.
    pub built_in: bool,
    /// Since when it is there.
    pub opened_at: Instant,
    /// Since when it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Instant>,
    /// Grows with every change.
    pub revision: i64,
}

/// The chart of accounts.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChartView {
    /// In the order of codes.
    pub accounts: Vec<AccountView>,
}

/// One side of an entry.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostingLine {
    /// The account's code.
    pub account: String,
    /// Minor units: a debit is above zero, a credit below.
    pub amount: i64,
    /// Absent for the merchant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
}

/// Posts an entry: its postings sum to zero in every currency.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostEntry {
    /// What people read.
    #[schema(max_length = 280)]
    pub description: String,
    /// When it counts; absent for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<Instant>,
    /// 2 to 100.
    #[schema(min_items = 2, max_items = 100)]
    pub postings: Vec<PostingLine>,
    /// Whatever you want to find again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Posts entries, all or none.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostBatch {
    /// 1 to 10,000.
    #[schema(min_items = 1, max_items = 10_000)]
    pub entries: Vec<PostEntry>,
}

/// Undoes an entry.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReverseEntry {
    /// Why.
    #[schema(max_length = 280)]
    pub reason: String,
    /// When the undoing counts; absent for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<Instant>,
}

/// An entry.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryView {
    /// Its id.
    pub id: String,
    /// What made it.
    pub kind: EntryKind,
    /// What people read.
    pub description: String,
    /// When it counts.
    pub effective_at: Instant,
    /// When it was accepted.
    pub recorded_at: Instant,
    /// Its sides.
    pub postings: Vec<Posting>,
    /// What makes it unique.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The key or id of the entry that it undoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverses: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The entry that undoes it; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reversed_by: Option<String>,
    /// Whatever the caller wanted to find again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A page of entries.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntryPage {
    /// Newest first.
    pub items: Vec<EntryView>,
    /// The cursor of the next page. A page that had to look at many other entries may be short or empty and still have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Entries that were posted together.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchView {
    /// The id of the first; the others' follow it in the order of the request.
    pub first: String,
    /// The id of the last.
    pub last: String,
    /// How many.
    pub entries: u64,
    /// When they were accepted.
    pub recorded_at: Instant,
}

/// Where the daily consolidation stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectionView {
    /// Whether it may run; a person can stop it.
    pub running: bool,
    /// Why it does not go on although it may run; entries are accepted all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Everything recorded up to this instant is in the reports.
    pub as_of: Instant,
    /// How far that is behind now.
    pub lag_ms: i64,
    /// Entries in the reports.
    pub entries: i64,
    /// Rows of entries that wait; an entry of its own or some hundreds of a batch are one row.
    pub pending: u64,
    /// Whether even more wait than were counted for this answer.
    pub more_pending: bool,
    /// Grows with every rebuild.
    pub generation: i64,
    /// Whether it is being rebuilt.
    pub rebuilding: bool,
    /// The zone and the cut-off of the days.
    pub calendar: String,
    /// The first sealed day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_sealed: Option<String>,
    /// The last sealed day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sealed: Option<String>,
    /// Its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
    /// The day up to which days are being sealed now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closing: Option<String>,
}

/// What the consolidation shall do.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchProjection {
    /// `false` stops it, also over a restart; entries are accepted all the same.
    pub running: bool,
}

/// A rebuild that is done.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RebuiltView {
    /// Entries that were counted.
    pub entries: i64,
    /// Their postings.
    pub postings: i64,
    /// Accounts, each in a currency.
    pub accounts: u64,
    /// How long it took.
    pub took_ms: i64,
}

/// Balances and movement of a period. Debits and credits are at least 0; balances are debits less credits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PeriodView {
    /// Before it.
    pub opening: i64,
    /// What was debited.
    pub debits: i64,
    /// What was credited.
    pub credits: i64,
    /// After it.
    pub closing: i64,
    /// How many postings.
    pub postings: i64,
}

/// One day of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DayView {
    /// The merchant's day: from the cut-off to the next.
    pub date: String,
    /// Its balances and movement.
    #[serde(flatten)]
    pub balance: PeriodView,
    /// Whether it is sealed.
    pub sealed: bool,
    /// How it differs from what was sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restated: Option<RestatedView>,
}

/// What came to a sealed day or to days before it after it was sealed: now less then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct RestatedView {
    /// Of the opening balance.
    pub opening: i64,
    /// Of the day's debits.
    pub debits: i64,
    /// Of the day's credits.
    pub credits: i64,
    /// Of the closing balance.
    pub closing: i64,
    /// Late postings.
    pub postings: i64,
}

/// The daily statement of an account in one currency.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatementView {
    /// Its code.
    pub account: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: AccountKind,
    /// The currency.
    pub currency: Currency,
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// The whole period.
    pub period: PeriodView,
    /// Every day of it.
    pub days: Vec<DayView>,
    /// Everything recorded up to this instant is in it.
    pub as_of: Instant,
}

/// One account of [`BalancesView`].
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BalanceLine {
    /// Its code.
    pub account: String,
    /// What it is.
    pub kind: AccountKind,
    /// The currency.
    pub currency: Currency,
    /// Balances and movement.
    #[serde(flatten)]
    pub period: PeriodView,
}

/// The balances of all accounts that moved or have one.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BalancesView {
    /// The first day.
    pub from: String,
    /// The last day.
    pub to: String,
    /// In the order of codes and currencies.
    pub accounts: Vec<BalanceLine>,
    /// Everything recorded up to this instant is in it.
    pub as_of: Instant,
}

/// Which of an entry's two times decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BalanceBy {
    /// When it counts.
    #[default]
    Effective,
    /// When it was accepted: what was known then.
    Recorded,
}

/// The balance of an account at an instant.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BalanceView {
    /// Its code.
    pub account: String,
    /// The currency.
    pub currency: Currency,
    /// The instant, itself included.
    pub at: Instant,
    /// By which time.
    pub by: BalanceBy,
    /// Debits less credits.
    pub balance: i64,
    /// Everything recorded up to this instant is in it.
    pub as_of: Instant,
}

/// A sealed day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SealView {
    /// The day.
    pub date: String,
    /// SHA-256 of its text, in hex.
    pub hash: String,
    /// The hash of the day before, which the text holds.
    pub previous: String,
    /// When it was sealed.
    pub sealed_at: Instant,
    /// Accounts in it.
    pub accounts: u64,
}

/// Sealed days.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SealsView {
    /// Newest first, at most 200.
    pub days: Vec<SealView>,
}

/// Entries that came late to sealed days.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestatementView {
    /// The first entry of the row they were recorded in.
    pub entry: String,
    /// The earliest day that they restate.
    pub first_day: String,
    /// The last day that was sealed then: it and all between are restated.
    pub last_sealed: String,
    /// Late postings.
    pub postings: i64,
    /// When they were counted.
    pub at: Instant,
}

/// A page of restatements.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RestatementPage {
    /// Newest first.
    pub items: Vec<RestatementView>,
    /// The cursor of the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What verifying found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerifyView {
    /// Entries that were counted.
    pub entries: i64,
    /// Their postings.
    pub postings: i64,
    /// Accounts, each in a currency.
    pub accounts: u64,
    /// Sealed days.
    pub days: u64,
    /// The last seal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<String>,
    /// What does not agree; empty if all does.
    pub differences: Vec<String>,
    /// How many more there are.
    pub more: u64,
}
