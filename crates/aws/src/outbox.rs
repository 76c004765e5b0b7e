//! Messages of commits on their way out of the table: flows are started, tasks answered, everything else goes to SQS.
//!
//! What carries them (the stream of the table, or the ticker for those that the stream lost or that were not due) may do so
//! any number of times: an execution has the message's id as its name and is started once, a task is answered once, and the
//! consumer of a queue takes the row. A flow's start and a task's answer end with the deletion of the row.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use store::message::{MESSAGES, START_FLOW, StartFlow, TASK_RESULT, TaskResult};
use store::{Batch, CommitError, Row, Store, Value, id};

use crate::client::{Aws, CallError, Class, Refusal, SQS, STATES};
use crate::delivery::{DEAD, MAX_RECEIVES};

/// The longest delay of a message in SQS, in milliseconds; what is due later waits in the table for the ticker.
pub const MAX_DELAY_MS: i64 = 900_000;
/// The most characters of a cause that Step Functions takes.
const MAX_CAUSE: usize = 32_768;

/// Where messages go, by name.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// Addresses of queues.
    pub queues: BTreeMap<String, String>,
    /// ARNs of state machines.
    pub machines: BTreeMap<String, String>,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Outbox {
    aws: Aws,
    routes: Routes,
    states: String,
    sqs: String,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way, or was before.
    Done,
    /// It is not due within [`MAX_DELAY_MS`]: the ticker sends it.
    Later,
    /// Nobody handles its queue here.
    Nowhere,
}

/// How a queue of SQS stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueState {
    /// About how many messages wait for a consumer.
    pub waiting: u64,
    /// How long SQS hands one message out, in milliseconds: its receives, each with its visibility timeout.
    pub attempts_ms: i64,
}

impl QueueState {
    /// By the attributes of the queue; what they leave out is as SQS has it by default.
    fn of(attributes: &Json) -> QueueState {
        let text = |name: &str| attributes.get(name).and_then(Json::as_str);
        let number = |name: &str| text(name).and_then(|number| number.parse::<i64>().ok());
        let policy: Option<Json> = text("RedrivePolicy").and_then(|policy| serde_json::from_str(policy).ok());
        let receives = policy.as_ref().and_then(|policy| policy.get("maxReceiveCount")).and_then(|count| {
            // SQS gives it back as it was set: a number, or a text.
            count.as_i64().or_else(|| count.as_str()?.parse().ok())
        });
        let receives = receives.unwrap_or_else(|| MAX_RECEIVES.into()).clamp(1, 1_000);
        let visibility_s = number("VisibilityTimeout").unwrap_or(30).clamp(0, 43_200);
        QueueState {
            waiting: number("ApproximateNumberOfMessages").and_then(|n| n.try_into().ok()).unwrap_or(0),
            attempts_ms: visibility_s * receives * 1_000,
        }
    }
}

/// Why a message stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// Try again later.
    #[error("the message cannot be sent now")]
    Again(#[source] store::BoxError),
    /// It is refused as things are, and will be until a person mends them: a queue is gone, a right is missing. Only then try
    /// again.
    #[error("the message is refused: {0}")]
    Refused(#[source] Box<Refusal>),
    /// It will never go: it is to be parked.
    #[error("{0}")]
    Never(String),
}

impl Outbox {
    /// By these routes, at the endpoints of the environment.
    #[must_use]
    pub fn new(aws: Aws, routes: Routes) -> Outbox {
        let (states, sqs) = (aws.endpoint(STATES.name), aws.endpoint(SQS.name));
        Outbox { aws, routes, states, sqs }
    }

    /// Sends the message of a row of [`MESSAGES`], and deletes the row where nobody else does. One that can never go is
    /// parked in the dead-letter queue of its queue.
    ///
    /// # Errors
    /// [`OutboxError::Again`], [`OutboxError::Refused`]; the row stands as it was.
    pub async fn send(&self, store: &dyn Store, row: &Row, now: i64) -> Result<Sent, OutboxError> {
        let queue = row.text("queue").unwrap_or_default();
        let sent = match queue {
            _ if queue.ends_with(DEAD) => return Ok(Sent::Nowhere),
            START_FLOW => self.start(row).await,
            TASK_RESULT => self.answer(row).await,
            _ => return self.enqueue(row, queue, now).await,
        };
        let id = row.key().int().unwrap_or(0);
        let mut batch = Batch::new();
        match sent {
            Ok(()) => drop(batch.delete(&MESSAGES, id)),
            Err(OutboxError::Never(reason)) => {
                tracing::error!(queue, message = id, reason, "a message is dead");
                let set = vec![("queue", Value::from(format!("{queue}{DEAD}"))), ("error", Value::from(reason))];
                batch.update(&MESSAGES, id, set, Some(("queue", queue.into())));
            }
            Err(again) => return Err(again),
        }
        match store.commit(batch).await {
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(Sent::Done),
            Err(error) => Err(OutboxError::Again(error.into())),
        }
    }

    async fn start(&self, row: &Row) -> Result<(), OutboxError> {
        let start: StartFlow = body(row)?;
        let machine = self.routes.machines.get(&start.flow);
        let machine = machine.ok_or_else(|| OutboxError::Never(format!("no state machine runs `{}`", start.flow)))?;
        let name = id::encode(row.key().int().unwrap_or(0));
        let call = json!({ "stateMachineArn": machine, "name": name, "input": start.input.to_string() });
        self.states("StartExecution", &call, &["ExecutionAlreadyExists"]).await
    }

    async fn answer(&self, row: &Row) -> Result<(), OutboxError> {
        let result: TaskResult = body(row)?;
        // Nobody waits any more: the task was answered before, ran out of time, or its execution ended.
        let over = ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"];
        match result.output {
            Some(output) => {
                let call = json!({ "taskToken": result.token, "output": output.to_string() });
                self.states("SendTaskSuccess", &call, &over).await
            }
            None => {
                let cause: String = result.cause.unwrap_or_default().chars().take(MAX_CAUSE).collect();
                let call = json!({ "taskToken": result.token, "error": result.error, "cause": cause });
                self.states("SendTaskFailure", &call, &over).await
            }
        }
    }

    async fn states(&self, operation: &str, call: &Json, done: &[&str]) -> Result<(), OutboxError> {
        match self.aws.call(STATES, &self.states, operation, call).await {
            Ok(_) => Ok(()),
            Err(CallError::Refused(refusal)) if done.contains(&refusal.code.as_str()) => Ok(()),
            Err(CallError::Refused(refusal)) if is_wrong(&refusal.code) => Err(OutboxError::Never(refusal.to_string())),
            Err(error) => Err(unsent(error)),
        }
    }

    async fn enqueue(&self, row: &Row, queue: &str, now: i64) -> Result<Sent, OutboxError> {
        let Some(url) = self.routes.queues.get(queue) else { return Ok(Sent::Nowhere) };
        let id = row.key().int().unwrap_or(0);
        let delay = row.int("visible_at").unwrap_or(0) - now;
        let is_fifo = url.ends_with(".fifo");
        // Queues in order know no delay of a single message.
        if delay > if is_fifo { 0 } else { MAX_DELAY_MS } {
            return Ok(Sent::Later);
        }
        let mut call = json!({ "QueueUrl": url, "MessageBody": json!({ "id": id.to_string() }).to_string() });
        if let Some(call) = call.as_object_mut() {
            if is_fifo {
                let group = row.text("group_id").map_or_else(|| id.to_string(), str::to_owned);
                call.insert("MessageGroupId".into(), group.into());
                let receives = row.int("receives").unwrap_or(0);
                call.insert("MessageDeduplicationId".into(), format!("{id}-{receives}").into());
            } else if delay > 0 {
                // Rounded up: one that comes too early is put off again.
                call.insert("DelaySeconds".into(), ((delay + 999) / 1000).into());
            }
        }
        match self.aws.call(SQS, &self.sqs, "SendMessage", &call).await {
            Ok(_) => Ok(Sent::Done),
            Err(error) => Err(unsent(error)),
        }
    }

    /// How a queue of SQS stands; `None` if nobody handles it here.
    ///
    /// # Errors
    /// SQS does not answer or refuses.
    pub async fn look(&self, queue: &str) -> Result<Option<QueueState>, CallError> {
        let Some(url) = self.routes.queues.get(queue) else { return Ok(None) };
        let names = ["ApproximateNumberOfMessages", "VisibilityTimeout", "RedrivePolicy"];
        let call = json!({ "QueueUrl": url, "AttributeNames": names });
        let answer = self.aws.call(SQS, &self.sqs, "GetQueueAttributes", &call).await?;
        Ok(Some(QueueState::of(answer.get("Attributes").unwrap_or(&Json::Null))))
    }

    /// Hides a message of a queue for that long.
    pub async fn hide(&self, queue: &str, receipt: &str, time_ms: i64) {
        let Some(url) = self.routes.queues.get(queue) else { return };
        let seconds = ((time_ms + 999) / 1000).clamp(0, 43_200);
        let call = json!({ "QueueUrl": url, "ReceiptHandle": receipt, "VisibilityTimeout": seconds });
        if let Err(error) = self.aws.call(SQS, &self.sqs, "ChangeMessageVisibility", &call).await {
            tracing::debug!(queue, %error, "a message comes back earlier than it should");
        }
    }

    /// The flow that a state machine runs.
    #[must_use]
    pub fn flow_of(&self, machine: &str) -> Option<&str> {
        self.routes.machines.iter().find(|(_, arn)| *arn == machine).map(|(flow, _)| flow.as_str())
    }

    /// The queues that have consumers here.
    #[must_use]
    pub fn queues(&self) -> Vec<&str> {
        self.routes.queues.keys().map(String::as_str).collect()
    }
}

fn unsent(error: CallError) -> OutboxError {
    match error {
        CallError::Refused(refusal) if refusal.class() == Class::Final => OutboxError::Refused(refusal.into()),
        other => OutboxError::Again(other.into()),
    }
}

/// Refusals that stay the same however often they are asked for.
fn is_wrong(code: &str) -> bool {
    matches!(
        code,
        "InvalidArn"
            | "InvalidExecutionInput"
            | "InvalidName"
            | "InvalidOutput"
            | "ValidationException"
            | "StateMachineDoesNotExist"
    )
}

fn body<T: serde::de::DeserializeOwned>(row: &Row) -> Result<T, OutboxError> {
    let body = row.text("body").unwrap_or_default();
    serde_json::from_str(body).map_err(|error| OutboxError::Never(format!("the message cannot be read: {error}")))
}
