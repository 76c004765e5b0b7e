//! The application over the store in memory, its functions called step by step, without a runtime.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod audits;
mod disputes;
mod failures;
mod flows;
mod ledger;
mod orders;
mod placing;
mod receipts;
mod refunds;
mod shop;
mod webhooks;
