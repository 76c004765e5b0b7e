//! The language from outside: definitions and events in, commands and histories out.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a helper of a test may fail it"
)]

mod conformance;
mod fuzz;
mod maps;
mod paths;
mod simulator;
mod steps;
mod test_state;
mod validation;
