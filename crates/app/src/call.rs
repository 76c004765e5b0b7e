//! How a runtime calls the functions and consumers.

use async_trait::async_trait;
use serde_json::Value;
use store::Batch;

/// One call of a function by a flow.
#[derive(Debug, Clone)]
pub struct Call {
    /// What the flow gives it.
    pub input: Value,
    /// Deterministic: the same for every attempt of the same step, at most 255 characters.
    pub key: String,
    /// From 1.
    pub attempt: u32,
    /// The time of the call, in milliseconds since the epoch.
    pub now_ms: i64,
}

/// What a function answers.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Its result for the flow.
    pub output: Value,
    /// The changes that commit with the flow's own record.
    pub changes: Batch,
}

/// Why a function failed, in the States Language's terms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {cause}")]
pub struct FunctionError {
    /// A name for Retry and Catch.
    pub error: String,
    /// For people. No personal data.
    pub cause: String,
}

impl FunctionError {
    /// An error of that name.
    #[must_use]
    pub fn new(error: &str, cause: impl Into<String>) -> FunctionError {
        FunctionError { error: error.into(), cause: cause.into() }
    }
}

/// A step of a flow. It reads by key only and answers with its changes, so it may be called again at any time.
#[async_trait]
pub trait Function: Send + Sync {
    /// Its name in the flow's resources, as `validate-order`.
    fn name(&self) -> &'static str;

    /// Whether it calls something outside the process, so that all it builds on must be durable before it runs.
    fn reaches_out(&self) -> bool {
        false
    }

    /// Loads and decides.
    ///
    /// # Errors
    /// A named error for the flow's Retry and Catch; nothing changes.
    async fn call(&self, call: Call) -> Result<Answer, FunctionError>;
}

/// A message handed to a consumer.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message.
    pub id: i64,
    /// What it says.
    pub body: Value,
    /// How often it was handed out, this time included.
    pub receives: u32,
    /// The time of the delivery, in milliseconds since the epoch.
    pub now_ms: i64,
}

/// A consumer of one queue. Its changes commit together with the deletion of the message.
#[async_trait]
pub trait Consumer: Send + Sync {
    /// The queue.
    fn queue(&self) -> &'static str;

    /// Whether it calls something outside the process.
    fn reaches_out(&self) -> bool {
        false
    }

    /// How many messages it takes at once.
    fn concurrency(&self) -> usize {
        8
    }

    /// Loads and decides.
    ///
    /// # Errors
    /// The message is handed out again after a while, and parked after three times.
    async fn consume(&self, message: Delivery) -> Result<Batch, FunctionError>;
}
