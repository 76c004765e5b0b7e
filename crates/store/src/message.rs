//! Messages: whatever has to happen after a commit is an item of that commit.
//!
//! A flow to start, a task's result, a mail to send: each is a row of [`MESSAGES`] in a queue. The runtime (embedded) or a
//! stream relay (AWS) delivers it at least once, and its consumer deletes it in the batch of its effects.

use std::borrow::Cow;

use serde::Serialize;

use crate::{Batch, Column, Index, Key, KeyShape, Row, Table, Value, id};

/// The queue messages. `group_id` keeps an order among its messages: the next is delivered once the one before is done.
pub static MESSAGES: Table = Table {
    name: "messages",
    key: KeyShape::Int("id"),
    columns: &[
        Column::text("queue"),
        Column::text("group_id").null(),
        Column::int("visible_at"),
        Column::int("receives"),
        Column::text("body"),
        Column::text("error").null(),
    ],
    indexes: &[Index { name: "by_queue", columns: &["queue", "visible_at"] }],
};

/// The queue of flow starts; the body is a [`StartFlow`].
pub const START_FLOW: &str = "start-flow";
/// The queue of answers to task tokens; the body is a [`TaskResult`].
pub const TASK_RESULT: &str = "task-result";

/// Asks the runtime to start an execution, once: its id is the id of the message.
#[derive(Debug, Clone, Serialize, serde::Deserialize)]
pub struct StartFlow {
    /// The name of the flow.
    pub flow: String,
    /// The name of the execution, at most 80 characters.
    pub name: String,
    /// Its input.
    pub input: serde_json::Value,
    /// The queue that hears of it, in the commit of its end, if it ends otherwise than with success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tell: Option<String>,
}

/// Answers a task token. Exactly one of `output` and `error` is there.
#[derive(Debug, Clone, Serialize, serde::Deserialize)]
pub struct TaskResult {
    /// The token that the task was given.
    pub token: String,
    /// The result of a task that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "there")]
    pub output: Option<serde_json::Value>,
    /// The error name of one that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// A value that is there, null included.
fn there<'d, D: serde::Deserializer<'d>>(value: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde::Deserialize::deserialize(value).map(Some)
}

/// A message to send: an insert into [`MESSAGES`].
#[derive(Debug, Clone)]
pub struct Message {
    /// Time-ordered; see [`id::next`].
    pub id: i64,
    /// The queue.
    pub queue: Cow<'static, str>,
    /// Messages of one group are delivered one after the other, in order of id.
    pub group: Option<String>,
    /// Not before this instant (milliseconds since the epoch); 0 is at once.
    pub visible_at: i64,
    /// JSON text.
    pub body: String,
}

impl Message {
    /// A message to a queue, deliverable at once.
    ///
    /// The body is any value that serialises to JSON; one that cannot (a map with keys that are no strings) becomes null.
    #[must_use]
    pub fn new(queue: impl Into<Cow<'static, str>>, body: &impl Serialize) -> Message {
        let body = serde_json::to_string(body).unwrap_or_else(|_| "null".into());
        Message { id: id::next(), queue: queue.into(), group: None, visible_at: 0, body }
    }

    /// In a group.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Message {
        self.group = Some(group.into());
        self
    }

    /// Deliverable from this instant on (milliseconds since the epoch).
    #[must_use]
    pub fn at(mut self, visible_at: i64) -> Message {
        self.visible_at = visible_at;
        self
    }

    /// Its row.
    #[must_use]
    pub fn row(self) -> Row {
        let values = vec![
            Value::from(self.queue.as_ref()),
            Value::from(self.group),
            Value::Int(self.visible_at),
            Value::Int(0),
            Value::from(self.body),
            Value::Null,
        ];
        Row::new(&MESSAGES, self.id, values)
    }
}

impl Batch {
    /// Sends a message with this batch.
    pub fn send(&mut self, message: Message) -> &mut Batch {
        self.insert(message.row())
    }

    /// Starts a flow with this batch; answers the id of the execution-to-be.
    pub fn start_flow(&mut self, flow: &str, name: &str, input: serde_json::Value) -> i64 {
        let start = StartFlow { flow: flow.into(), name: name.into(), input, tell: None };
        let message = Message::new(START_FLOW, &start);
        let id = message.id;
        self.send(message);
        id
    }

    /// Starts a flow with this batch; answers the id of the execution-to-be. If it ends otherwise than with success, this
    /// queue gets a message in the commit of its end: `executionId`, `executionArn`, `flow`, `name`, `status`, `error`,
    /// `cause` and `stoppedAt` (milliseconds since the epoch).
    pub fn start_flow_telling(&mut self, flow: &str, name: &str, input: serde_json::Value, queue: &str) -> i64 {
        let start = StartFlow { flow: flow.into(), name: name.into(), input, tell: Some(queue.into()) };
        let message = Message::new(START_FLOW, &start);
        let id = message.id;
        self.send(message);
        id
    }

    /// Answers a task token with this batch.
    pub fn task_succeeded(&mut self, token: &str, output: serde_json::Value) -> &mut Batch {
        let result = TaskResult { token: token.into(), output: Some(output), error: None, cause: None };
        self.send(Message::new(TASK_RESULT, &result))
    }

    /// Fails a task by its token with this batch.
    pub fn task_failed(&mut self, token: &str, error: &str, cause: &str) -> &mut Batch {
        let result =
            TaskResult { token: token.into(), output: None, error: Some(error.into()), cause: Some(cause.into()) };
        self.send(Message::new(TASK_RESULT, &result))
    }
}

/// The message's key, for the batch that consumes it.
#[must_use]
pub fn key(id: i64) -> Key {
    Key::Int(id)
}
