//! The binary as a user runs it.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod audit;
mod commit_points;
mod configuration;
mod crash;
mod executions;
#[path = "../../../app/tests/it/fake_paypal/mod.rs"]
#[allow(dead_code, reason = "shared with the tests of the application, which use the rest")]
mod fake_paypal;
#[path = "../../../app/tests/it/fake_stripe/mod.rs"]
#[allow(dead_code, reason = "shared with the tests of the application, which use the rest")]
mod fake_stripe;
mod flow;
mod hardship;
mod in_process;
mod ledger;
mod money;
mod orders;
mod payments;
mod payouts;
mod paypal;
mod refunds;
mod server;
mod start;
mod stripe;
