//! The tables, one file each: real columns for whatever is searched, summed or shown; JSON only for the rest.

pub(crate) mod bench;
pub(crate) mod counter;
pub(crate) mod credit_note;
pub(crate) mod delivery;
pub(crate) mod dispute;
pub(crate) mod issuer;
pub(crate) mod key;
pub(crate) mod ledger;
pub(crate) mod mail;
pub(crate) mod order;
pub(crate) mod payment;
pub(crate) mod product;
pub(crate) mod receipt;
pub(crate) mod reconciliation;
pub(crate) mod refund;
pub(crate) mod simulator;
pub(crate) mod sql_views;
pub(crate) mod stock;

use store::{ReadError, Row, Table};

pub(crate) use delivery::DeliveryRecord;
pub(crate) use order::Order;
pub(crate) use payment::Payment;

/// The version of the layout of all tables together.
pub const SCHEMA_VERSION: i64 = 4;

/// Every table of the application and of its simulators. The queue's and the runtime's own are not among them.
#[must_use]
pub fn tables() -> Vec<&'static Table> {
    vec![
        &order::ORDERS,
        &payment::PAYMENTS,
        &dispute::DISPUTES,
        &stock::STOCK,
        &stock::RESERVATIONS,
        &stock::ADJUSTMENTS,
        &delivery::DELIVERIES,
        &receipt::RECEIPTS,
        &refund::REFUNDS,
        &reconciliation::MOVEMENTS,
        &reconciliation::MATCHES,
        &reconciliation::DIFFERENCES,
        &reconciliation::PROGRESS,
        &credit_note::CREDIT_NOTES,
        &issuer::ISSUERS,
        &mail::MAILS,
        &product::PRODUCTS,
        &key::IDEMPOTENCY_KEYS,
        &key::RECEIVED_EVENTS,
        &key::TICKERS,
        &counter::COUNTERS,
        &key::EVENT_CURSORS,
        &key::FAILED_EVENTS,
        &simulator::INTENTS,
        &simulator::REFUNDS,
        &simulator::MOVEMENTS,
        &simulator::PAYOUTS,
        &simulator::KEYS,
        &simulator::CALLED_OFF,
        &ledger::ENTRIES,
        &ledger::KEYS,
        &ledger::PENDING,
        &ledger::ACCOUNTS,
        &ledger::PAGES,
        &ledger::TOTALS,
        &ledger::PROJECTION,
        &ledger::DAYS,
        &ledger::RESTATEMENTS,
        &ledger::IMPORTED,
        &crate::lease::LEASES,
        &bench::ORDERS,
        &bench::STOCK,
        &bench::PAYMENTS,
        &bench::MESSAGES,
        &bench::RECEIPTS,
    ]
}

/// Every view, for people; nothing of ours reads them.
#[must_use]
pub fn views() -> Vec<store::View> {
    ledger::VIEWS.into_iter().chain(sql_views::PAYMENT_VIEWS).collect()
}

/// The error for a row that this program did not write like that.
pub(crate) fn damaged(row: &Row, column: &str) -> ReadError {
    let problem = format!("`{}[{}]` has an unreadable `{column}`", row.table().name, row.key());
    ReadError::Unavailable(problem.into())
}

/// An identifier as text: a prefix and 13 characters.
pub(crate) fn public_id(prefix: &str, id: i64) -> String {
    format!("{prefix}{}", store::id::encode(id))
}

/// The identifier in a text with that prefix.
pub(crate) fn private_id(prefix: &str, text: &str) -> Option<i64> {
    store::id::decode(text.strip_prefix(prefix)?)
}

/// The text of a value that serialises to JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    // Only maps with keys that are no strings cannot be written; there are none in these tables.
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}
