//! `events:putEvents`: a message to the queue of each rule that an event matches, in the same commit.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use store::Batch;
use store::message::Message;

use super::{Answer, Fault, Request, Service, pattern};
use crate::core::Core;
use crate::machines::uuid;
use crate::task::Failure;

/// The most entries of one call.
const MAX_ENTRIES: usize = 10;
/// The bus that events go to if they name none.
const DEFAULT_BUS: &str = "default";

pub(super) struct EventBridge;

/// The code and message of an entry that was refused.
type Refused = (&'static str, String);

#[async_trait]
impl Service for EventBridge {
    async fn call(&self, core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
        let entries = request.argument("Entries").and_then(Value::as_array);
        let entries = entries.filter(|entries| (1..=MAX_ENTRIES).contains(&entries.len())).ok_or_else(|| {
            let message = format!("'entries' must be a list with length between 1 and {MAX_ENTRIES}");
            Fault::unmodelled("ValidationException", message)
        })?;
        let mut changes = Batch::new();
        let mut failed = 0;
        let mut answers = Vec::new();
        for entry in entries {
            let id = uuid();
            answers.push(match put(core, request, entry, &id, &mut changes) {
                Ok(()) => json!({"EventId": id}),
                Err((code, message)) => {
                    failed += 1;
                    json!({"ErrorCode": code, "ErrorMessage": message})
                }
            });
        }
        let output = json!({"Entries": answers, "FailedEntryCount": failed});
        if failed > 0 && !request.integration.sdk {
            return Err(Failure::new("EventBridge.FailedEntry", output.to_string()).into());
        }
        Ok(Answer { output, changes, child: None })
    }
}

fn put(core: &Core, request: &Request, entry: &Value, id: &str, changes: &mut Batch) -> Result<(), Refused> {
    let invalid = |field: &str| {
        ("InvalidArgument", format!("Parameter {field} is not valid. Reason: {field} is a required argument."))
    };
    let text = |field: &str| entry.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    let source = text("Source").ok_or_else(|| invalid("Source"))?;
    let kind = text("DetailType").ok_or_else(|| invalid("DetailType"))?;
    let detail = match entry.get("Detail") {
        None | Some(Value::Null) => return Err(invalid("Detail")),
        Some(Value::String(text)) => serde_json::from_str(text).ok().filter(Value::is_object),
        Some(other) => Some(other.clone()).filter(Value::is_object),
    };
    let detail = detail.ok_or_else(|| ("MalformedDetail", "Detail is malformed.".to_owned()))?;
    let bus = text("EventBusName").unwrap_or(DEFAULT_BUS);
    let bus = bus.rsplit('/').next().unwrap_or(bus);
    let rules = match core.services.resources.buses.get(bus) {
        Some(bus) => bus.rules.values().collect(),
        None if bus == DEFAULT_BUS => Vec::new(),
        None => return Err(("ResourceNotFoundException", format!("Event bus {bus} does not exist."))),
    };
    let mut resources: Vec<Value> = entry.get("Resources").and_then(Value::as_array).cloned().unwrap_or_default();
    if !request.integration.sdk {
        resources.extend(request.arns.iter().map(|arn| Value::from(arn.as_str())));
    }
    let time = text("Time").map_or_else(|| asl::timestamp(request.now_ms), str::to_owned);
    let event = json!({
        "version": "0", "id": id, "detail-type": kind, "source": source, "account": core.config.account,
        "time": time, "region": core.config.region, "resources": resources, "detail": detail,
    });
    for rule in rules.into_iter().filter(|rule| pattern::matches(&rule.pattern, &event)) {
        changes.send(Message::new(rule.queue.clone(), &event));
    }
    Ok(())
}
