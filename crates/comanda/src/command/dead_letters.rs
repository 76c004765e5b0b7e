//! `comanda dead-letters`: the messages that an installation on AWS could not handle.

use std::collections::BTreeMap;
use std::fmt::Write;

use runtime::{Builder, DEAD, MAX_MESSAGES, Runtime};
use serde_json::{Value, json};
use store::message::MESSAGES;
use store::{Query, Store};

use crate::cli;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::serve::cloud;

/// How many messages are looked through for the names of queues.
const MAX_LOOKED: usize = 20_000;

/// Counts them, shows those of a queue, or puts them back: the relay of the installation then sends them on their way.
pub(crate) async fn run(arguments: &cli::DeadLetters, output: Output) -> Result<(), Failure> {
    let store = cloud::store(&arguments.store)?;
    let Some(queue) = &arguments.queue else {
        let counts = counts(&*store).await?;
        let text = counts.iter().fold(String::new(), |mut text, (queue, count)| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{count:>8} {queue}");
            text
        });
        return output.say(&counts, if text.is_empty() { "There are none.".into() } else { text });
    };
    // An engine that is never started, for its view of queues.
    let engine = Builder::new(store, [0; 32], runtime::Config::default()).build();
    match arguments.redrive {
        true => redrive(&engine, queue, output).await,
        false => show(&engine, queue, output).await,
    }
}

/// With the causes: that there is no such table, or no right to read it, is in the last of them.
fn unavailable(error: &dyn std::error::Error) -> Failure {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let text: Vec<String> = causes.map(ToString::to_string).collect();
    Failure::new(Kind::Unavailable, format!("DynamoDB: {}", text.join(": ")))
}

/// How many dead letters each queue has.
async fn counts(store: &dyn Store) -> Result<BTreeMap<String, usize>, Failure> {
    let (mut counts, mut after, mut looked) = (BTreeMap::new(), None, 0);
    while looked < MAX_LOOKED {
        let query = Query::table(&MESSAGES).limit(store::MAX_PAGE).after(after);
        let page = store.query(query).await.map_err(|error| unavailable(&error))?;
        looked += page.rows.len();
        for queue in page.rows.iter().filter_map(|row| row.text("queue")?.strip_suffix(DEAD)) {
            *counts.entry(queue.to_owned()).or_default() += 1;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(counts)
}

async fn show(engine: &Runtime, queue: &str, output: Output) -> Result<(), Failure> {
    let dead = engine.messages(&format!("{queue}{DEAD}"), None, MAX_MESSAGES).await;
    let dead = dead.map_err(|error| unavailable(&*error))?;
    let items: Vec<Value> = dead
        .items
        .iter()
        .map(|message| json!({ "id": store::id::encode(message.id), "receives": message.receives, "error": message.error }))
        .collect();
    let text = dead.items.iter().fold(String::new(), |mut text, message| {
        let why = message.error.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{} {why}", store::id::encode(message.id));
        text
    });
    output.say(&items, if text.is_empty() { "There are none.".into() } else { text })
}

async fn redrive(engine: &Runtime, queue: &str, output: Output) -> Result<(), Failure> {
    let moved = engine.redrive(queue).await.map_err(|error| unavailable(&*error))?;
    output.say(&json!({ "moved": moved }), format!("{moved} messages are on their way again."))
}
