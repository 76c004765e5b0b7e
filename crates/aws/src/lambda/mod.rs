//! The Lambda functions: one binary, whose handler's name says which of them it is.

mod absent;
mod api;
mod ended;
mod environment;
mod identity;
mod metrics;
mod news;
mod queue;
mod relay;
mod runtime_api;
mod sender;
mod spans;
mod ticker;

use std::sync::Arc;

use app::{Consumer, Function, FunctionError};
use serde_json::{Value as Json, json};
use tracing::Instrument as _;

pub use environment::{Environment, SetupError};
pub use spans::{Spans, recorder};

use api::Api;
use runtime_api::{Invocation, RuntimeApi};

use crate::trace;

/// What a handler's name chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The HTTP interface.
    Api,
    /// A function of a flow, as `validate-order`.
    Function(String),
    /// The changes of the table.
    Relay,
    /// The consumer of a queue.
    Queue(String),
    /// Periodic work.
    Ticker,
    /// Makes what the functions need to begin with; `{"sample": true}` also fills an empty catalogue with the sample.
    Seed,
}

impl Entry {
    /// By the name of the handler: `api`, `fn.ValidateOrder`, `relay`, `queue.mail`, `ticker`, `seed`.
    #[must_use]
    pub fn of(handler: &str) -> Option<Entry> {
        Some(match handler.split_once('.') {
            None if handler == "api" => Entry::Api,
            None if handler == "relay" => Entry::Relay,
            None if handler == "ticker" => Entry::Ticker,
            None if handler == "seed" => Entry::Seed,
            Some(("fn", name)) if !name.is_empty() => Entry::Function(kebab(name)),
            Some(("queue", name)) if !name.is_empty() => Entry::Queue(name.to_owned()),
            _ => return None,
        })
    }
}

/// `ValidateOrder` -> `validate-order`.
fn kebab(name: &str) -> String {
    name.chars().enumerate().fold(String::new(), |mut text, (at, letter)| {
        if at > 0 && letter.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
        text
    })
}

/// What an entry works with, made once for a process.
enum Handler {
    Api(Box<Api>),
    Function(Arc<dyn Function>),
    Relay,
    Queue(Arc<dyn Consumer>),
    Ticker,
    Seed,
}

/// Runs an entry until Lambda ends the process.
///
/// # Errors
/// What it needs is missing; Lambda shows it. What could not be read at the start is asked for again with the next invocation,
/// whose error has a name that flows try again.
pub async fn run(entry: Entry) -> Result<(), SetupError> {
    let runtime = RuntimeApi::from_environment()?;
    let mut ready = match prepare(&entry).await {
        Ok(ready) => Some(ready),
        Err(error) if error.may_pass() => {
            tracing::warn!(%error, "the start failed; the first invocation tries again");
            None
        }
        Err(error) => {
            runtime.fail_start(&error).await;
            return Err(error);
        }
    };
    loop {
        let invocation = runtime.next().await?;
        trace::begin(invocation.trace.clone());
        let (environment, handler) = match &ready {
            Some(ready) => ready,
            None => match prepare(&entry).await {
                Ok(made) => ready.insert(made),
                Err(error) => {
                    let failed = FunctionError::new(error.name(), error.to_string());
                    runtime.answer(&invocation, Err(failed)).await?;
                    continue;
                }
            },
        };
        if let Some(exporter) = &environment.exporter {
            exporter.begin(invocation.trace.as_ref());
        }
        let span = tracing::info_span!(
            target: "aws", "invocation", faas.invocation_id = invocation.id(), error = tracing::field::Empty
        );
        let answer = async {
            let answer = handle(handler, environment, &invocation).await;
            if let Err(error) = &answer {
                tracing::Span::current().record("error", error.error.as_str());
            }
            answer
        };
        let answer = answer.instrument(span).await;
        runtime.answer(&invocation, answer).await?;
        if let Some(exporter) = &environment.exporter {
            exporter.end(invocation.trace.as_ref()).await;
        }
    }
}

/// What an entry needs, asked for anew.
async fn prepare(entry: &Entry) -> Result<(Environment, Handler), SetupError> {
    let environment = Environment::from_variables().await?;
    let handler = handler(entry, &environment)?;
    Ok((environment, handler))
}

fn handler(entry: &Entry, environment: &Environment) -> Result<Handler, SetupError> {
    let app = &environment.app;
    Ok(match entry {
        Entry::Api => Handler::Api(Box::new(Api::new(environment))),
        Entry::Relay => Handler::Relay,
        Entry::Ticker => Handler::Ticker,
        Entry::Seed => Handler::Seed,
        Entry::Function(name) => {
            let function = app.functions().into_iter().find(|function| function.name() == name);
            Handler::Function(function.ok_or_else(|| SetupError::Unknown(format!("function `{name}`")))?)
        }
        Entry::Queue(name) => {
            let consumer = app.consumers().into_iter().find(|consumer| consumer.queue() == name);
            Handler::Queue(consumer.ok_or_else(|| SetupError::Unknown(format!("consumer of `{name}`")))?)
        }
    })
}

async fn handle(handler: &Handler, environment: &Environment, invocation: &Invocation) -> Result<Json, FunctionError> {
    let event = &invocation.event;
    match handler {
        Handler::Api(api) => Ok(api.answer(event).await),
        Handler::Function(function) => {
            let store = environment.app.store();
            crate::step::run(&*store, &**function, event.clone(), store::clock::now_ms).await
        }
        Handler::Relay => Ok(relay::deliver(environment, event).await),
        Handler::Queue(consumer) => Ok(queue::consume(environment, &**consumer, event).await),
        Handler::Ticker => ticker::tick(environment, event, invocation.time_left()).await,
        // Opening the application has made what every store begins with, so that no function has to.
        Handler::Seed if event.get("sample") != Some(&Json::Bool(true)) => Ok(json!({ "products": 0 })),
        Handler::Seed => {
            let seeded = environment.app.seed_catalogue().await;
            let products = seeded.map_err(|error| FunctionError::new("SeedFailed", error.to_string()))?;
            Ok(json!({ "products": products }))
        }
    }
}

/// What SQS and the streams are told of those that failed: they hand these out again.
fn failures(identifiers: Vec<String>) -> Json {
    let items: Vec<Json> = identifiers.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": items })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_have_names() {
        assert_eq!(Entry::of("api"), Some(Entry::Api));
        assert_eq!(Entry::of("fn.ValidateOrder"), Some(Entry::Function("validate-order".into())));
        assert_eq!(Entry::of("queue.late-payments"), Some(Entry::Queue("late-payments".into())));
        for unknown in ["", "fn", "fn.", "queue.", "main"] {
            assert_eq!(Entry::of(unknown), None, "{unknown}");
        }
    }
}
