//! `sqs:sendMessage`: a message of the same commit. A queue is there once something is sent to it.

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use md5::{Digest, Md5};
use serde_json::{Value, json};
use store::message::Message;
use store::{Batch, id};

use super::{AWS_JSON, Answer, Fault, Request, Service};
use crate::core::Core;
use crate::dispatch::is_own_queue;

/// The longest delay of a message.
const MAX_DELAY_S: i64 = 900;
/// The longest name of a queue.
const MAX_NAME: usize = 80;

pub(super) struct Sqs;

/// The MD5 of a text in hexadecimal digits.
pub(super) fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Whether somebody outside may send to a queue of this name: not to those of the runtime itself.
pub(super) fn is_open(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(allowed) && !is_own_queue(name)
}

#[async_trait]
impl Service for Sqs {
    async fn call(&self, _: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
        let missing = |field: &str| {
            Fault::unmodelled("MissingParameter", format!("The request must contain the parameter {field}."))
        };
        let url = request.text("QueueUrl").ok_or_else(|| missing("QueueUrl"))?;
        let queue = url.rsplit('/').next().unwrap_or_default();
        if !is_open(queue) {
            return Err(Fault::of("QueueDoesNotExistException", "The specified queue does not exist."));
        }
        let body = request.argument("MessageBody").ok_or_else(|| missing("MessageBody"))?;
        if request.argument("MessageAttributes").is_some() {
            let message = "the engine's queues keep no message attributes; put them into MessageBody";
            return Err(Fault::unmodelled("UnsupportedOperation", message));
        }
        let delay = request.argument("DelaySeconds").map_or(Some(0), Value::as_i64);
        let delay = delay.filter(|seconds| (0..=MAX_DELAY_S).contains(seconds)).ok_or_else(|| {
            Fault::unmodelled("InvalidParameterValue", format!("DelaySeconds must be >= 0 and <= {MAX_DELAY_S}."))
        })?;
        let mut message = Message::new(queue.to_owned(), body);
        message.group = request.text("MessageGroupId").map(str::to_owned);
        if delay > 0 {
            message.visible_at = request.now_ms + delay * 1_000;
        }
        let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        let output = json!({"MD5OfMessageBody": md5(text.as_bytes()), "MessageId": id::encode(message.id)});
        let mut changes = Batch::new();
        changes.send(message);
        Ok(Answer { output: request.answered(output, AWS_JSON), changes, child: None })
    }
}
