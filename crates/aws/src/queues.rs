//! What SQS itself gave up: dead-letter queues of an installation, and their messages put back.

use serde_json::{Value as Json, json};

use crate::client::{Aws, CallError, SQS};

/// The most queues of an installation that are looked at.
const MAX_QUEUES: usize = 100;
/// How many messages are moved at once: what SQS allows.
const BATCH: usize = 10;
/// The most messages that one redrive moves.
pub const MAX_MOVED: usize = 100_000;
/// How long SQS waits for messages: without that it asks some of its servers only, and may say that there are none.
const WAIT_SECONDS: u32 = 2;
/// So many empty answers in a row are the end.
const EMPTY_ANSWERS: u32 = 2;
/// For how long a message that is being moved is hidden from others.
const HIDE_SECONDS: u32 = 60;

/// A queue with a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadQueue {
    /// The queue's name, without the installation's.
    pub queue: String,
    /// About how many messages are dead.
    pub dead: u64,
    url: String,
    dead_url: String,
}

/// The queues of an installation that have a dead-letter queue; `stack` stands before their names.
///
/// # Errors
/// [`CallError`].
pub async fn dead_queues(aws: &Aws, stack: &str) -> Result<Vec<DeadQueue>, CallError> {
    let endpoint = aws.endpoint(SQS.name);
    let call = async |operation: &str, body: Json| aws.call(SQS, &endpoint, operation, &body).await;
    let prefix = format!("{stack}-");
    let listed = call("ListQueues", json!({ "QueueNamePrefix": prefix, "MaxResults": MAX_QUEUES })).await?;
    let mut found = Vec::new();
    for url in listed.get("QueueUrls").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str) {
        let attributes = json!({ "QueueUrl": url, "AttributeNames": ["RedrivePolicy"] });
        let attributes = call("GetQueueAttributes", attributes).await?;
        let policy = attributes.pointer("/Attributes/RedrivePolicy").and_then(Json::as_str);
        let policy: Option<Json> = policy.and_then(|text| serde_json::from_str(text).ok());
        let target = policy.as_ref().and_then(|policy| policy.get("deadLetterTargetArn")?.as_str());
        let Some(dead) = target.and_then(|arn| arn.rsplit(':').next()) else { continue };
        let answer = call("GetQueueUrl", json!({ "QueueName": dead })).await?;
        let dead_url = answer.get("QueueUrl").and_then(Json::as_str).unwrap_or_default().to_owned();
        let count = json!({ "QueueUrl": dead_url, "AttributeNames": ["ApproximateNumberOfMessages"] });
        let count = call("GetQueueAttributes", count).await?;
        let count = count.pointer("/Attributes/ApproximateNumberOfMessages").and_then(Json::as_str);
        let name = url.rsplit('/').next().unwrap_or_default();
        found.push(DeadQueue {
            queue: name.strip_prefix(&prefix).unwrap_or(name).trim_end_matches(".fifo").to_owned(),
            dead: count.and_then(|count| count.parse().ok()).unwrap_or(0),
            url: url.to_owned(),
            dead_url,
        });
    }
    Ok(found)
}

/// Puts the dead messages of a queue back into it; answers how many.
///
/// A message is sent before it is deleted, so that none is lost; one may be there twice, which consumers stand.
///
/// # Errors
/// [`CallError`]; what was moved stays so.
pub async fn redrive(aws: &Aws, queue: &DeadQueue) -> Result<usize, CallError> {
    let endpoint = aws.endpoint(SQS.name);
    let call = async |operation: &str, body: Json| aws.call(SQS, &endpoint, operation, &body).await;
    let (mut moved, mut empty) = (0, 0);
    while moved < MAX_MOVED && empty < EMPTY_ANSWERS {
        let receive = json!({
            "QueueUrl": queue.dead_url, "MaxNumberOfMessages": BATCH, "VisibilityTimeout": HIDE_SECONDS,
            "WaitTimeSeconds": WAIT_SECONDS,
            "AttributeNames": ["MessageGroupId", "MessageDeduplicationId"],
        });
        let received = call("ReceiveMessage", receive).await?;
        let messages = received.get("Messages").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        empty = if messages.is_empty() { empty + 1 } else { 0 };
        for message in messages {
            let text = |pointer: &str| message.pointer(pointer).and_then(Json::as_str);
            let mut send = json!({ "QueueUrl": queue.url, "MessageBody": text("/Body") });
            if let Some(send) = send.as_object_mut() {
                for name in ["MessageGroupId", "MessageDeduplicationId"] {
                    let value = text(&format!("/Attributes/{name}"));
                    send.extend(value.map(|value| (name.to_owned(), Json::from(value))));
                }
            }
            call("SendMessage", send).await?;
            call("DeleteMessage", json!({ "QueueUrl": queue.dead_url, "ReceiptHandle": text("/ReceiptHandle") }))
                .await?;
            moved += 1;
        }
    }
    Ok(moved)
}
