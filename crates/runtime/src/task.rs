//! What the runtime calls: functions of flows, and consumers of queues.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use serde_json::Value;
use store::Batch;

/// One call of a function.
#[derive(Debug, Clone)]
pub struct TaskCall {
    /// What the state passes to it.
    pub input: Value,
    /// The execution's name and the step's path in it, the same for every attempt: an idempotency key.
    pub key: String,
    /// 0 for the first attempt, one more for every retry.
    pub attempt: u32,
    /// Milliseconds since the epoch.
    pub now_ms: i64,
}

/// What a function answers: its output, and the changes that commit with the record of it.
#[derive(Debug, Default)]
pub struct TaskAnswer {
    /// The result of the task.
    pub output: Value,
    /// Applied in the same commit as the journal's record, so exactly once.
    pub changes: Batch,
}

/// How a task or a message failed: what Retry and Catch match by name, and what a person reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct Failure {
    /// The error's name, at most 256 characters.
    pub error: String,
    /// Why, at most 32,768 characters.
    pub cause: String,
}

impl Failure {
    /// A failure of that name and cause.
    #[must_use]
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Failure {
        Failure { error: error.into(), cause: cause.into() }
    }
}

/// A function that tasks call by name.
#[async_trait]
pub trait TaskHandler: Send + Sync {
    /// Whether it acts outside the process. All that it builds on is durable before it is called.
    fn reaches_out(&self) -> bool;

    /// Does the task. Called again when its changes conflict with another writer's, and after a crash before its record
    /// was durable.
    ///
    /// # Errors
    /// The [`Failure`] that the flow sees.
    async fn call(&self, call: TaskCall) -> Result<TaskAnswer, Failure>;
}

/// A message as its consumer sees it.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its id, the same at every delivery.
    pub id: i64,
    /// Its body.
    pub body: Value,
    /// How often it was received, this time included.
    pub receives: u32,
    /// Milliseconds since the epoch.
    pub now_ms: i64,
}

/// A consumer of one queue.
#[async_trait]
pub trait QueueHandler: Send + Sync {
    /// Whether it acts outside the process. All that it builds on is durable before it is called.
    fn reaches_out(&self) -> bool;

    /// How many messages it takes at once.
    fn concurrency(&self) -> usize;

    /// How long it may take for one.
    fn limit(&self) -> Duration {
        Duration::from_secs(60)
    }

    /// Handles a message; the changes commit together with its deletion.
    ///
    /// # Errors
    /// The message comes again after a pause; after [`crate::MAX_RECEIVES`] it is dead.
    async fn handle(&self, message: Received) -> Result<Batch, Failure>;
}

/// Runs what somebody else wrote: a panic in it is a failure like any other, and the process goes on.
pub(crate) async fn caught<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => Err(Failure::new("Panic", "the function panicked; the log tells where")),
    }
}
