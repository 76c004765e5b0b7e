//! Queues: order within a group, receives, dead letters, delays, more messages than memory takes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use store::memory::MemoryStore;
use store::message::Message;
use store::sqlite::SqliteStore;
use store::{Batch, Store, clock};
use tempfile::TempDir;

use crate::world::{Outside, counter, schema, start, until};

async fn send(store: &dyn Store, message: Message) -> i64 {
    let (id, mut batch) = (message.id, Batch::new());
    batch.send(message);
    store.commit(batch).await.unwrap().durable().await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_message_is_dead_after_three_receives_and_can_be_redriven() {
    let outside = Arc::new(Outside::default());
    let runtime = start(Arc::new(MemoryStore::new()), outside.clone(), &[]).await;
    let store = runtime.store();
    let poison = send(&*store, Message::new("work", &json!({"counter": "p", "poison": true})).group("g")).await;
    send(&*store, Message::new("work", &json!({"counter": "behind"})).group("g")).await;
    send(&*store, Message::new("work", &json!({"counter": "beside"})).group("h")).await;
    until("the other group", async || (counter(&*store, "beside").await == 1).then_some(())).await;
    assert_eq!(counter(&*store, "behind").await, 0, "the poison blocks its own group only");
    let dead = until("the dead letter", async || {
        let dead = runtime.messages("work.dead", None, 10).await.unwrap();
        dead.items.into_iter().next()
    });
    let dead = dead.await;
    assert_eq!((dead.id, dead.receives), (poison, 3));
    assert_eq!(dead.error.as_deref(), Some("Poison: it cannot be handled"));
    assert_eq!(outside.calls.lock()[&format!("p/{poison}")], 3);
    until("the message behind", async || (counter(&*store, "behind").await == 1).then_some(())).await;
    assert_eq!(runtime.redrive("work").await.unwrap(), 1);
    until("the fourth receive", async || (outside.calls.lock()[&format!("p/{poison}")] == 4).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_keeps_its_order_over_a_restart_and_redrives_at_once_move_once() {
    let store = Arc::new(MemoryStore::new());
    let mut poison = Message::new("work", &json!({"counter": "p", "poison": true})).group("g").row();
    // It failed once already, and comes again in a moment; the one behind it has waited all the time.
    poison = poison.with(&[("visible_at", (clock::now_ms() + 300).into()), ("receives", 1.into())]);
    let mut batch = Batch::new();
    batch.insert(poison);
    batch.send(Message::new("work", &json!({"counter": "behind"})).group("g"));
    store.commit(batch).await.unwrap();
    let runtime = Arc::new(start(store.clone(), Arc::new(Outside::default()), &[]).await);
    let dead = async || runtime.messages("work.dead", None, 10).await.unwrap().items.len();
    until("the dead letter", async || {
        let (behind, dead) = (counter(&*store, "behind").await, dead().await);
        assert!(behind == 0 || dead == 1, "the second message overtook the first");
        (dead == 1).then_some(())
    })
    .await;
    let moved = futures::future::join_all((0..4).map(|_| runtime.redrive("work"))).await;
    assert_eq!(moved.into_iter().map(Result::unwrap).sum::<usize>(), 1);
    until("its return", async || (dead().await == 1).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delayed_message_waits_for_its_time() {
    let runtime = start(Arc::new(MemoryStore::new()), Arc::new(Outside::default()), &[]).await;
    let store = runtime.store();
    let due = clock::now_ms() + 300;
    send(&*store, Message::new("work", &json!({"counter": "late"})).at(due)).await;
    send(&*store, Message::new("work", &json!({"counter": "much later"})).at(due + 3_600_000)).await;
    until("the message", async || (counter(&*store, "late").await == 1).then_some(())).await;
    assert!(clock::now_ms() >= due);
    assert_eq!(counter(&*store, "much later").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_without_a_consumer_is_received_from() {
    let runtime = start(Arc::new(MemoryStore::new()), Arc::new(Outside::default()), &[]).await;
    let store = runtime.store();
    let first = send(&*store, Message::new("outbound", &json!({"n": 1})).group("g")).await;
    let second = send(&*store, Message::new("outbound", &json!({"n": 2})).group("g")).await;
    let receive = async || runtime.receive("outbound", 10, Duration::from_millis(200)).await.unwrap();
    let got = until("the first", async || receive().await.into_iter().next()).await;
    assert_eq!((got.id, got.receives), (first, 1));
    assert!(receive().await.is_empty(), "hidden, and the second waits behind it");
    let again = until("its return", async || receive().await.into_iter().next()).await;
    assert_eq!((again.id, again.receives), (first, 2));
    runtime.delete_message(first).await.unwrap();
    let next = until("the second", async || receive().await.into_iter().next()).await;
    assert_eq!(next.id, second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_in_the_store_is_handled_after_a_restart_once_each() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("comanda.db"), &schema()).unwrap());
    for n in 0..2_500 {
        let mut batch = Batch::new();
        let message = Message::new("work", &json!({"counter": "all"}));
        let at = if n % 5 == 0 { clock::now_ms() + 200 } else { 0 };
        batch.send(message.group(format!("g{}", n % 7)).at(at));
        store.commit(batch).await.unwrap();
    }
    let runtime = start(store, Arc::new(Outside::default()), &[]).await;
    let store = runtime.store();
    until("all", async || (counter(&*store, "all").await == 2_500).then_some(())).await;
    until("no message", async || {
        store.flush().await.unwrap();
        runtime.messages("work", None, 1).await.unwrap().items.is_empty().then_some(())
    })
    .await;
    assert_eq!(counter(&*store, "all").await, 2_500);
}
