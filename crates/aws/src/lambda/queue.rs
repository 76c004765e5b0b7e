//! Messages from SQS to the consumer of their queue.

use app::Consumer;
use futures::StreamExt as _;
use serde_json::Value as Json;

use super::{Environment, ended, failures};
use crate::delivery::{Outcome, deliver};

/// Handles the messages of an event; answers which are to come again. Those of a queue in order come one after the other, and
/// none of its messages overtakes one that failed.
pub(super) async fn consume(environment: &Environment, consumer: &dyn Consumer, event: &Json) -> Json {
    let records: Vec<&Json> = event.get("Records").and_then(Json::as_array).into_iter().flatten().collect();
    let is_fifo = records.iter().any(|record| record.pointer("/attributes/MessageGroupId").is_some());
    if is_fifo {
        let mut failed = Vec::new();
        for record in records {
            if !failed.is_empty() || !one(environment, consumer, record).await {
                failed.extend(identifier(record));
            }
        }
        return failures(failed);
    }
    let handled = futures::stream::iter(records).map(|record| async move {
        let done = one(environment, consumer, record).await;
        (!done).then(|| identifier(record)).flatten()
    });
    failures(handled.buffered(consumer.concurrency().max(1)).filter_map(async |failed| failed).collect().await)
}

fn identifier(record: &Json) -> Option<String> {
    record.get("messageId").and_then(Json::as_str).map(str::to_owned)
}

/// Handles one message; whether it is done with.
async fn one(environment: &Environment, consumer: &dyn Consumer, record: &Json) -> bool {
    let text = |pointer: &str| record.pointer(pointer).and_then(Json::as_str);
    let body: Option<Json> = text("/body").and_then(|body| serde_json::from_str(body).ok());
    let id = body.as_ref().and_then(|body| body.get("id")?.as_str()?.parse().ok());
    let deliveries = text("/attributes/ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1);
    if let Some(event) = body.as_ref().filter(|body| ended::is_event(body)) {
        let told = ended::tell(environment, consumer.queue(), event).await;
        return told.inspect_err(|error| tracing::error!(%error, "the end of a flow cannot be told")).is_ok();
    }
    let Some(id) = id else {
        // After its last receive SQS moves it to the dead-letter queue, where the alarm sees it.
        tracing::error!(queue = consumer.queue(), "a message of SQS is none of ours");
        return false;
    };
    match deliver(&*environment.app.store(), consumer, id, deliveries, store::clock::now_ms).await {
        Ok(Outcome::Done | Outcome::Dead) => true,
        Ok(Outcome::Early(time_ms)) => {
            if let Some(receipt) = text("/receiptHandle") {
                environment.outbox.hide(consumer.queue(), receipt, time_ms).await;
            }
            false
        }
        Ok(Outcome::Again) => false,
        Err(error) => {
            tracing::warn!(queue = consumer.queue(), message = id, %error, "a message comes again");
            false
        }
    }
}
