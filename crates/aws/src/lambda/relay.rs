//! The changes of the table: new messages, and those that a person put back, go on their way; what becomes of orders is
//! published.

use futures::StreamExt as _;
use serde_json::Value as Json;
use store::Row;
use store::message::MESSAGES;

use super::news::{OrderNews, Topic};
use super::{Environment, failures};
use crate::delivery::DEAD;
use crate::item;
use crate::layout::{PK, table_name};
use crate::outbox::OutboxError;
use crate::seal::Keys;

/// How many messages are sent at once.
const CONCURRENCY: usize = 16;

/// A message that could not be sent for so long, in milliseconds, is left to the ticker, and news are given up: those behind
/// them in the stream wait no longer.
const PATIENCE_MS: i64 = 120_000;

/// Sends the messages in an event of the stream; answers which records failed. The stream hands these out again with all that
/// follow them, which does no harm.
///
/// Invariant: a record is done with only when its message is on its way, or its row stands where the ticker finds it.
pub(super) async fn deliver(environment: &Environment, event: &Json) -> Json {
    let records = event.get("Records").and_then(Json::as_array);
    let messages = records.into_iter().flatten().filter_map(message);
    let failed = futures::stream::iter(messages).map(|(sequence, row)| async move {
        let now = store::clock::now_ms();
        let error = environment.outbox.send(&*environment.store, &row, now).await.err()?;
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let message = row.key().int().unwrap_or(0);
        let late = now - row.int("visible_at").unwrap_or(0).max(store::id::time_ms(message)) > PATIENCE_MS;
        if late || matches!(error, OutboxError::Refused(_)) {
            tracing::error!(message, %error, source, "a message is left to the ticker");
            return None;
        }
        tracing::warn!(message, %error, source, "a message stays for now");
        Some(sequence)
    });
    let mut failed: Vec<String> = failed.buffered(CONCURRENCY).filter_map(async |failed| failed).collect().await;
    if let Some(topic) = &environment.topic {
        failed.extend(tell(topic, event).await);
    }
    failures(failed)
}

/// Publishes what became of orders; answers which records failed.
async fn tell(topic: &Topic, event: &Json) -> Vec<String> {
    let records = event.get("Records").and_then(Json::as_array).into_iter().flatten();
    let news = records.filter_map(|record| {
        let change = record.get("dynamodb")?;
        Some((change, OrderNews::of(change)?))
    });
    let told = futures::stream::iter(news).map(|(change, news)| async move {
        let error = topic.publish(&news).await.err()?;
        let since_s = change.get("ApproximateCreationDateTime").and_then(Json::as_f64);
        let late =
            since_s.is_some_and(|since_s| store::clock::now_ms() as f64 - since_s * 1_000.0 > PATIENCE_MS as f64);
        if late {
            // The flows and mails of all other orders must not wait until a person has mended the topic.
            tracing::error!(%error, "news of an order are lost");
            return None;
        }
        tracing::warn!(%error, "news of an order stay for now");
        Some(sequence(change))
    });
    told.buffered(CONCURRENCY).filter_map(async |failed| failed).collect().await
}

fn sequence(change: &Json) -> String {
    change.get("SequenceNumber").and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// The message of a record, if it is one to be sent: it is new, or it has left a dead-letter queue.
fn message(record: &Json) -> Option<(String, Row)> {
    let change = record.get("dynamodb")?;
    let image = change.get("NewImage")?;
    let pk = image.get(PK).and_then(|pk| pk.get("S")).and_then(Json::as_str).unwrap_or_default();
    if table_name(pk) != MESSAGES.name {
        return None;
    }
    let row = match item::to_row(&MESSAGES, image, &Keys::default()) {
        Ok(row) => row,
        Err(problem) => {
            // Nothing can send it, now or later; the alarm on logged errors calls a person.
            tracing::error!(sequence = sequence(change), problem, "a message in the table is damaged");
            return None;
        }
    };
    let is_dead = |queue: Option<&str>| queue.is_some_and(|queue| queue.ends_with(DEAD));
    let due = match record.get("eventName").and_then(Json::as_str) {
        Some("INSERT") => true,
        Some("MODIFY") => is_dead(change.pointer("/OldImage/queue/S").and_then(Json::as_str)),
        _ => false,
    };
    (due && !is_dead(row.text("queue"))).then(|| (sequence(change), row))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use store::message::Message;

    use super::*;

    fn record(event: &str, queue: &'static str, before: Option<&str>) -> Json {
        let image = item::of_row(&Message::new(queue, &1).row(), &[]).unwrap();
        let before = before.map(|queue| json!({ "queue": { "S": queue } }));
        json!({ "eventName": event, "dynamodb": { "NewImage": image, "OldImage": before, "SequenceNumber": "7" } })
    }

    #[test]
    fn new_and_redriven_messages_are_sent() {
        for (record, sent) in [
            (record("INSERT", "mail", None), true),
            (record("MODIFY", "mail", Some("mail.dead")), true),
            (record("MODIFY", "mail", Some("mail")), false),
            (record("MODIFY", "mail.dead", Some("mail")), false),
            (record("INSERT", "mail.dead", None), false),
            (json!({ "eventName": "REMOVE", "dynamodb": {} }), false),
        ] {
            assert_eq!(message(&record).is_some(), sent, "{record}");
        }
    }
}
