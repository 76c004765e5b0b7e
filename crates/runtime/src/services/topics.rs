//! `sns:publish`: a message to each subscribed queue, in the same commit.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use store::Batch;
use store::message::Message;

use super::{Answer, Fault, Request, Service};
use crate::core::Core;
use crate::machines::uuid;

/// The largest message.
const MAX_MESSAGE_BYTES: usize = 262_144;

pub(super) struct Sns;

/// What a queue gets of a message that has one text for each protocol.
fn for_queues(message: &str) -> Result<String, Fault> {
    let invalid = |why: &str| Fault::of("InvalidParameterException", format!("Invalid parameter: Message {why}"));
    let texts: Map<String, Value> = serde_json::from_str(message).map_err(|_| invalid("Structure - JSON expected"))?;
    let text = texts.get("sqs").or_else(|| texts.get("default")).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| invalid("Structure - No default entry in JSON message body"))
}

#[async_trait]
impl Service for Sns {
    async fn call(&self, core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
        let invalid = |what: &str| Fault::of("InvalidParameterException", format!("Invalid parameter: {what}"));
        let arn = request.text("TopicArn").or_else(|| request.text("TargetArn"));
        let arn = arn.ok_or_else(|| invalid("TopicArn or TargetArn Reason: no value for required parameter"))?;
        let name = arn.rsplit(':').next().unwrap_or_default();
        let Some(topic) = core.services.resources.topics.get(name) else {
            let message = "Topic does not exist".to_owned();
            return Err(Fault::Service {
                exception: Some("NotFoundException"),
                code: "NotFound",
                status: 404,
                message,
            });
        };
        let message = match request.argument("Message") {
            None => return Err(invalid("Empty message")),
            Some(Value::String(text)) if text.is_empty() => return Err(invalid("Empty message")),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        if message.len() > MAX_MESSAGE_BYTES {
            return Err(invalid("Message too long"));
        }
        // What is no text stays what it is, as in `sqs:sendMessage`.
        let (message, raw) = match request.text("MessageStructure") {
            Some("json") => {
                let text = for_queues(&message)?;
                (text.clone(), Value::String(text))
            }
            _ => (message, request.arguments.get("Message").cloned().unwrap_or_default()),
        };
        let id = uuid();
        let mut changes = Batch::new();
        for subscription in &topic.subscriptions {
            let body = match subscription.raw {
                true => raw.clone(),
                false => notification(request, &id, arn, &message),
            };
            let mut sent = Message::new(subscription.queue.clone(), &body);
            sent.group = request.text("MessageGroupId").map(str::to_owned);
            changes.send(sent);
        }
        Ok(Answer { output: request.answered(json!({"MessageId": id}), "text/xml"), changes, child: None })
    }
}

/// The message around the message, as SNS sends it to queues; there is no signature.
fn notification(request: &Request, id: &str, arn: &str, message: &str) -> Value {
    let mut body = json!({
        "Type": "Notification", "MessageId": id, "TopicArn": arn, "Message": message,
        "Timestamp": asl::timestamp(request.now_ms),
    });
    if let Some(subject) = request.text("Subject") {
        super::put(&mut body, "Subject", subject);
    }
    if let Some(Value::Object(given)) = request.argument("MessageAttributes") {
        let attribute = |value: &Value| {
            let text = value.get("StringValue").or_else(|| value.get("BinaryValue"));
            json!({"Type": value.get("DataType"), "Value": text})
        };
        let attributes: Map<String, Value> =
            given.iter().map(|(name, value)| (name.clone(), attribute(value))).collect();
        super::put(&mut body, "MessageAttributes", attributes);
    }
    body
}
