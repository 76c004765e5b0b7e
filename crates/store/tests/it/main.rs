//! The adapters against the suite, and what only the embedded one has: files, upgrades, crashes.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests, and the child that one of them starts")]

mod sqlite;

use std::sync::Arc;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    store::conformance::check_all(Arc::new(store::memory::MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_crashing_store_conforms_until_it_crashes() {
    use store::crash::{CrashPoint, CrashStore, Survives};
    use store::{Batch, Row, Store, Value};
    store::conformance::check_all(CrashStore::new(Vec::new(), None).await.unwrap()).await;

    let insert = |n: i64| {
        let mut batch = Batch::new();
        batch.insert(Row::new(&store::conformance::LINES, (n, 0), vec![Value::from("tea"), Value::Int(1)]));
        batch
    };
    let crashing = CrashStore::new(Vec::new(), Some(CrashPoint::Before(2))).await.unwrap();
    crashing.commit(insert(0)).await.unwrap().durable().await.unwrap();
    crashing.commit(insert(1)).await.unwrap();
    let last = crashing.clone();
    let never = tokio::spawn(async move { last.commit(insert(2)).await });
    crashing.crashed().await;
    let survivors = crashing.survivors(Survives::Durable).await.len();
    assert!((1..=2).contains(&survivors), "{survivors}");
    assert_eq!(crashing.survivors(Survives::Everything).await.len(), 2);
    assert!(!never.is_finished());
    never.abort();
}
