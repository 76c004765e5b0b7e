//! A message handed to its consumer by SQS: its effects happen exactly once, however often SQS delivers it.
//!
//! The row of the message is the truth, what SQS carries is only its id: a row that is gone was handled. The consumer's changes
//! commit with the deletion of the row. A message that fails is delivered again by SQS after a while; after
//! [`MAX_RECEIVES`] it is moved to the dead-letter queue in the store, where a person sees it and puts it back.

use app::{Consumer, Delivery, FunctionError};
use store::message::{self, MESSAGES};
use store::{Batch, CommitError, Row, Store, Value};

use crate::step::pause;

/// A message is dead after this many receives, as on the embedded engine.
pub const MAX_RECEIVES: u32 = 3;
/// What a queue's name is followed by in the name of its dead-letter queue.
pub const DEAD: &str = ".dead";
/// How often a consumer decides again because its changes conflict with another writer's.
const MAX_DECISIONS: u32 = 20;
/// The most characters kept of why a message failed.
const MAX_REASON: usize = 1_000;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is handled, or was before.
    Done,
    /// It is not due yet, in milliseconds from now: hand it out again then.
    Early(i64),
    /// It failed: hand it out again.
    Again,
    /// It is dead.
    Dead,
}

/// Hands a message to its consumer. `deliveries` counts how often SQS delivered it, this time included.
///
/// # Errors
/// The store cannot be used now: hand it out again.
pub async fn deliver(
    store: &dyn Store,
    consumer: &dyn Consumer,
    id: i64,
    deliveries: u32,
    now: fn() -> i64,
) -> Result<Outcome, FunctionError> {
    let unavailable = |error: &dyn std::error::Error| FunctionError::new("StoreUnavailable", error.to_string());
    let row = store.get(&MESSAGES, &id.into()).await.map_err(|error| unavailable(&error))?;
    let Some(row) = row.filter(|row| row.text("queue") == Some(consumer.queue())) else {
        return Ok(Outcome::Done);
    };
    let early = row.int("visible_at").unwrap_or(0) - now();
    if early > 0 {
        return Ok(Outcome::Early(early));
    }
    let receives = receives(&row).saturating_add(deliveries);
    if deliveries > MAX_RECEIVES {
        // It was delivered so often and never came back: it may have ended the process each time.
        let failure = FunctionError::new("NeverAnswered", "its last receive was never answered");
        return bury(store, &row, receives, &failure).await;
    }
    match handle(store, consumer, &row, receives, now).await {
        Ok(()) => Ok(Outcome::Done),
        Err(error) if error.error == "StoreUnavailable" && deliveries < MAX_RECEIVES => Err(error),
        Err(failure) => {
            tracing::warn!(queue = consumer.queue(), message = id, receives, error = failure.error, "a message failed");
            match deliveries >= MAX_RECEIVES {
                true => bury(store, &row, receives, &failure).await,
                false => Ok(Outcome::Again),
            }
        }
    }
}

fn receives(row: &Row) -> u32 {
    row.int("receives").and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

async fn handle(
    store: &dyn Store,
    consumer: &dyn Consumer,
    row: &Row,
    receives: u32,
    now: fn() -> i64,
) -> Result<(), FunctionError> {
    let id = row.key().int().unwrap_or(0);
    let body = row.text("body").and_then(|text| serde_json::from_str(text).ok());
    let body: serde_json::Value = body.ok_or_else(|| FunctionError::new("InvalidMessage", "the body is no JSON"))?;
    for decision in 0..MAX_DECISIONS {
        let delivery = Delivery { id, body: body.clone(), receives, now_ms: now() };
        let mut changes = consumer.consume(delivery).await?;
        // Invariant: of two that handle it at once one takes the row, and only its changes take effect.
        changes.take(&MESSAGES, id, "queue", consumer.queue());
        match store.commit(changes).await {
            Ok(receipt) => {
                let durable = receipt.durable().await;
                return durable.map_err(|error| FunctionError::new("StoreUnavailable", error.to_string()));
            }
            Err(CommitError::Conflict { table, key }) if table == MESSAGES.name && key == message::key(id) => {
                return Ok(());
            }
            Err(CommitError::Conflict { .. } | CommitError::BelowFloor { .. }) => pause(decision).await,
            Err(error @ CommitError::Invalid(_)) => {
                return Err(FunctionError::new("InvalidChanges", error.to_string()));
            }
            Err(error @ CommitError::Unavailable(_)) => {
                return Err(FunctionError::new("StoreUnavailable", error.to_string()));
            }
        }
    }
    Err(FunctionError::new("Conflict", "its changes conflicted with other writers every time"))
}

/// Moves a message to the dead-letter queue of its queue, with the reason.
async fn bury(store: &dyn Store, row: &Row, receives: u32, failure: &FunctionError) -> Result<Outcome, FunctionError> {
    let queue = row.text("queue").unwrap_or_default();
    let id = row.key().int().unwrap_or(0);
    tracing::error!(queue, message = id, error = failure.error, "a message is dead");
    let reason: String = failure.to_string().chars().take(MAX_REASON).collect();
    let mut batch = Batch::new();
    let set = vec![
        ("queue", Value::from(format!("{queue}{DEAD}"))),
        ("error", Value::from(reason)),
        ("receives", Value::Int(receives.into())),
    ];
    batch.update(&MESSAGES, id, set, Some(("queue", Value::from(queue))));
    match store.commit(batch).await {
        // Somebody else handled or moved it: then it is theirs.
        Ok(_) | Err(CommitError::Conflict { .. }) => Ok(Outcome::Dead),
        Err(error) => Err(FunctionError::new("StoreUnavailable", error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use serde_json::json;
    use store::memory::MemoryStore;
    use store::message::Message;

    use super::*;

    /// Sends a message on for each one it gets; fails for a body that says so.
    struct PassOn;

    #[async_trait]
    impl Consumer for PassOn {
        fn queue(&self) -> &'static str {
            "in"
        }

        async fn consume(&self, message: Delivery) -> Result<Batch, FunctionError> {
            if message.body == json!("poison") {
                return Err(FunctionError::new("Poison", "as it says"));
            }
            let mut batch = Batch::new();
            batch.send(Message::new("out", &message.body));
            Ok(batch)
        }
    }

    async fn sent(message: Message) -> (MemoryStore, i64) {
        let (store, id, mut batch) = (MemoryStore::new(), message.id, Batch::new());
        batch.send(message);
        store.commit(batch).await.unwrap();
        (store, id)
    }

    async fn count(store: &MemoryStore, queue: &str) -> usize {
        store.query(store::Query::index(&MESSAGES, "by_queue", queue)).await.unwrap().rows.len()
    }

    #[tokio::test]
    async fn a_message_that_is_delivered_twice_takes_effect_once() {
        let (store, id) = sent(Message::new("in", &json!(1))).await;
        for _ in 0..2 {
            assert_eq!(deliver(&store, &PassOn, id, 1, || 0).await, Ok(Outcome::Done));
        }
        assert_eq!((count(&store, "in").await, count(&store, "out").await), (0, 1));
    }

    #[tokio::test]
    async fn one_that_always_fails_is_dead_after_three_receives() {
        let (store, id) = sent(Message::new("in", &json!("poison"))).await;
        let deliver = async |n| deliver(&store, &PassOn, id, n, || 0).await.unwrap();
        assert_eq!(
            [deliver(1).await, deliver(2).await, deliver(3).await],
            [Outcome::Again, Outcome::Again, Outcome::Dead]
        );
        assert_eq!((count(&store, "in").await, count(&store, "in.dead").await), (0, 1));
        let row = store.get(&MESSAGES, &id.into()).await.unwrap().unwrap();
        assert_eq!(row.text("error"), Some("Poison: as it says"));
    }

    #[tokio::test]
    async fn one_that_ended_the_process_three_times_is_dead_without_a_fourth() {
        let (store, id) = sent(Message::new("in", &json!(1))).await;
        assert_eq!(deliver(&store, &PassOn, id, 4, || 0).await, Ok(Outcome::Dead));
        assert_eq!(count(&store, "out").await, 0);
    }

    #[tokio::test]
    async fn one_that_is_not_due_waits() {
        let (store, id) = sent(Message::new("in", &json!(1)).at(50)).await;
        assert_eq!(deliver(&store, &PassOn, id, 1, || 20).await, Ok(Outcome::Early(30)));
        assert_eq!(count(&store, "out").await, 0);
    }
}
