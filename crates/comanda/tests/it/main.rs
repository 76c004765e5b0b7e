//! The binary as a user runs it.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]

mod audit;
mod commit_points;
mod configuration;
mod crash;
mod flow;
mod hardship;
mod orders;
mod server;
mod start;
