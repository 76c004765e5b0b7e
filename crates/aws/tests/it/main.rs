//! The store against emulators of DynamoDB. See `emulator.rs` for where they come from.

#![expect(clippy::unwrap_used, clippy::print_stderr, clippy::indexing_slicing, reason = "tests")]

mod counts;
mod emulator;
mod faults;
#[cfg(feature = "lambda")]
mod lambda;
mod personal;
mod queues;
mod services;
#[cfg(feature = "lambda")]
mod starts;
mod steps;
mod store_suite;
mod template;
#[cfg(feature = "lambda")]
mod watching;
