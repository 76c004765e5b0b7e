//! The binary as a user runs it.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod configuration;
mod server;
mod start;
