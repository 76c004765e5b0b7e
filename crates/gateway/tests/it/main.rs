//! The interface over a real application and engine on a store in memory.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod document;
mod errors;
mod fuzz;
mod server;
mod start;
mod states;
