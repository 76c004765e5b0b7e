//! The runtime against the memory store, the embedded one, and one that crashes at every commit in turn.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod api;
mod crash;
mod crash_services;
mod flows;
mod map_runs;
mod operations;
mod queues;
mod services;
mod simulation;
mod world;
