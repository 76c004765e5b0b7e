//! The application over the store in memory, its functions called step by step, without a runtime.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod audits;
mod captures;
mod contract;
mod disputes;
mod ended_flows;
mod events;
mod failures;
#[allow(dead_code, reason = "shared with the tests of the binary, which use the rest")]
mod fake_paypal;
#[allow(dead_code, reason = "shared with the tests of the binary, which use the rest")]
mod fake_stripe;
mod flows;
mod ledger;
mod orders;
mod payouts;
mod paypal_faults;
mod paypal_random;
mod paypal_shop;
mod placing;
mod properties;
mod receipts;
mod reconciliation;
mod refunds;
mod shop;
mod stripe_faults;
mod stripe_random;
mod stripe_shop;
mod webhooks;
