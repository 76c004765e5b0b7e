//! The adapters against the suite, and what only the embedded one has: files, upgrades, crashes.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests, and the child that one of them starts")]

mod sqlite;

use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    store::conformance::check_all(Arc::new(store::memory::MemoryStore::new())).await;
}
