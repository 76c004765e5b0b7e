//! The binary as a user runs it.

mod configuration;
mod server;
mod start;
