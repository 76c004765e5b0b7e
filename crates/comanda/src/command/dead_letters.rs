//! `comanda dead-letters`: the messages that nobody could handle, of a server or of an installation on AWS.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use super::order::encode;
use crate::cli;
use crate::client::Client;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Output;
#[cfg(feature = "aws")]
use crate::serve::cloud;

/// The dead letters of a queue.
#[derive(Debug, Serialize)]
pub(crate) struct Count {
    pub(crate) queue: String,
    /// That a consumer gave up.
    pub(crate) dead: usize,
    /// On AWS, that SQS gave up because its consumer never answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unanswered: Option<u64>,
}

/// A dead letter.
#[derive(Debug, Serialize)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) receives: i64,
    pub(crate) error: String,
}

/// Counts them, shows those of a queue, or puts them back.
pub(crate) async fn run(config: &Config, arguments: &cli::DeadLetters, output: Output) -> Result<(), Failure> {
    match (&arguments.queue, arguments.redrive) {
        (None, _) => {
            let counts = match installation(arguments)? {
                #[cfg(feature = "aws")]
                Some(installation) => installation.dead_letters().await?,
                _ => counts(&client(config, arguments)).await?,
            };
            output.say(&counts, table(&counts))
        }
        (Some(queue), false) => {
            let letters = match installation(arguments)? {
                #[cfg(feature = "aws")]
                Some(installation) => installation.letters(queue).await?,
                _ => letters(&client(config, arguments), queue).await?,
            };
            let text = letters.iter().fold(String::new(), |mut text, letter| {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{} {}", letter.id, letter.error);
                text
            });
            output.say(&letters, if text.is_empty() { "There are none.".into() } else { text })
        }
        (Some(queue), true) => {
            let moved = match installation(arguments)? {
                #[cfg(feature = "aws")]
                Some(installation) => installation.redrive(queue).await?,
                _ => redrive(&client(config, arguments), queue).await?,
            };
            output.say(&json!({ "moved": moved }), format!("{moved} messages are on their way again."))
        }
    }
}

fn client(config: &Config, arguments: &cli::DeadLetters) -> Client {
    Client::new(arguments.at.server.as_deref(), config)
}

#[cfg(feature = "aws")]
fn installation(arguments: &cli::DeadLetters) -> Result<Option<cloud::Installation>, Failure> {
    arguments.at.store.as_deref().map(cloud::Installation::new).transpose()
}

/// A build without AWS knows none.
#[cfg(not(feature = "aws"))]
fn installation(_: &cli::DeadLetters) -> Result<Option<std::convert::Infallible>, Failure> {
    Ok(None)
}

fn table(counts: &[Count]) -> String {
    let mut text = String::new();
    for Count { queue, dead, unanswered } in counts {
        // Writing to a string cannot fail.
        let _ = match unanswered {
            Some(n) if *n > 0 => writeln!(text, "{dead:>8} {queue} (and about {n} that no consumer answered)"),
            _ => writeln!(text, "{dead:>8} {queue}"),
        };
    }
    if text.is_empty() { "There are none.".into() } else { text }
}

async fn counts(client: &Client) -> Result<Vec<Count>, Failure> {
    let queues: Value = client.get("/v1/queues").await?;
    let names = queues.get("items").and_then(Value::as_array).into_iter().flatten();
    let mut counts = Vec::new();
    for queue in names.filter_map(|item| item.get("queue")?.as_str()) {
        let dead = letters(client, queue).await?.len();
        if dead > 0 {
            counts.push(Count { queue: queue.to_owned(), dead, unanswered: None });
        }
    }
    Ok(counts)
}

/// The first page.
async fn letters(client: &Client, queue: &str) -> Result<Vec<Letter>, Failure> {
    let page: Value = client.get(&format!("/v1/queues/{}/dead", encode(queue))).await?;
    let items = page.get("items").and_then(Value::as_array).into_iter().flatten();
    let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let letter = |item: &Value| Letter {
        id: text(item, "id"),
        receives: item.get("receives").and_then(Value::as_i64).unwrap_or(0),
        error: text(item, "error"),
    };
    Ok(items.map(letter).collect())
}

async fn redrive(client: &Client, queue: &str) -> Result<usize, Failure> {
    let path = format!("/v1/queues/{}/redrive", encode(queue));
    let answer: Value = client.post(&path, &json!({}), &[]).await?;
    Ok(answer.get("moved").and_then(Value::as_u64).and_then(|n| n.try_into().ok()).unwrap_or(0))
}
