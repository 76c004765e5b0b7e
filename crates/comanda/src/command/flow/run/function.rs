//! The functions of `comanda flow run`: answered by a script, or by somebody else over HTTP.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use runtime::{Runtime, TaskAnswer, TaskCall, TaskHandler, Tokens};
use serde_json::Value;
use store::Batch;

use super::super::test::cases::Answer;
use super::super::test::script::Script;
use crate::failure::{Failure, Kind};

/// How long a function may take to answer over HTTP: as long as a Lambda function.
const HTTP_LIMIT: Duration = Duration::from_secs(900);

type Fails = runtime::Failure;

/// What all mocked functions share.
pub(super) struct Stage {
    script: Mutex<Script>,
    tokens: Tokens,
    /// The states whose tasks wait for their token.
    waiting: BTreeSet<String>,
    runtime: OnceLock<Weak<Runtime>>,
}

impl Stage {
    pub(super) fn new(script: Mutex<Script>, key: [u8; 32], waiting: BTreeSet<String>) -> Arc<Stage> {
        Arc::new(Stage { script, tokens: Tokens::new(&key), waiting, runtime: OnceLock::new() })
    }

    pub(super) fn attach(&self, runtime: &Arc<Runtime>) {
        // Attached once, where the runtime is built.
        let _ = self.runtime.set(Arc::downgrade(runtime));
    }

    pub(super) fn knows(&self, state: &str) -> bool {
        self.script.lock().knows(state)
    }

    /// The task token somewhere in the input of a task.
    fn token(&self, input: &Value) -> Option<String> {
        match input {
            Value::String(text) => self.tokens.open(text).map(|_| text.clone()),
            Value::Array(items) => items.iter().find_map(|item| self.token(item)),
            Value::Object(fields) => fields.values().find_map(|field| self.token(field)),
            _ => None,
        }
    }

    /// Reports by token what the script says, when it says so.
    fn report(&self, token: String, answer: Answer) {
        let runtime = self.runtime.get().cloned().unwrap_or_default();
        tokio::spawn(async move {
            let Some(result) = outcome(answer).await else { return };
            if let Some(runtime) = runtime.upgrade() {
                // A store in memory takes it; an execution that has ended does not want it.
                let _ = runtime.answer_task(&token, result).await;
            }
        });
    }
}

/// What becomes of a call in the end; `None` if nobody ever answers.
async fn outcome(answer: Answer) -> Option<Result<Value, Fails>> {
    tokio::time::sleep(Duration::from_secs_f64(answer.after)).await;
    match (answer.result, answer.payload) {
        (Some(value), _) | (None, Some(value)) => Some(Ok(value)),
        (None, None) if answer.never => None,
        (None, None) if answer.timed_out => Some(Err(Fails::new("States.Timeout", ""))),
        (None, None) => Some(Err(Fails::new(answer.error.unwrap_or_default(), answer.cause.unwrap_or_default()))),
    }
}

/// A function that the script answers.
pub(super) struct Mocked(pub(super) Arc<Stage>);

#[async_trait]
impl TaskHandler for Mocked {
    fn reaches_out(&self) -> bool {
        false
    }

    async fn call(&self, call: TaskCall) -> Result<TaskAnswer, Fails> {
        // The key is the execution's name and the task's path.
        let path = call.key.split_once('/').map_or(call.key.as_str(), |(_, path)| path);
        let answer = self.0.script.lock().next(path).map_err(|problem| Fails::new("NoMock", problem))?;
        let state = path.rsplit('/').next().unwrap_or(path);
        let waits = self.0.waiting.contains(state);
        match self.0.token(&call.input).filter(|_| waits) {
            Some(token) => {
                self.0.report(token, answer);
                Ok(TaskAnswer::default())
            }
            None if waits => Err(Fails::new("NoMock", "the task token is not in its input, so nobody could answer it")),
            None => match outcome(answer).await {
                Some(result) => Ok(TaskAnswer { output: unwrapped(result?), changes: Batch::new() }),
                None => std::future::pending().await,
            },
        }
    }
}

/// The engine wraps what a function called by `lambda:invoke` answers; a mock may have done so.
fn unwrapped(mut result: Value) -> Value {
    let is_wrapped = result.get("Payload").is_some() && result.get("StatusCode").is_some();
    match result.get_mut("Payload").filter(|_| is_wrapped) {
        Some(payload) => payload.take(),
        None => result,
    }
}

/// A function at an address.
pub(super) struct Address {
    client: reqwest::Client,
    url: reqwest::Url,
}

impl Address {
    /// # Errors
    /// The address is none.
    pub(super) fn new(url: &str) -> Result<Address, Failure> {
        let wrong = |e: String| Failure::new(Kind::Usage, format!("`{url}` is no address of a function: {e}"));
        let parsed: reqwest::Url = url.parse().map_err(|e| wrong(format!("{e}")))?;
        let client = reqwest::Client::builder().timeout(HTTP_LIMIT).build().map_err(|e| wrong(e.to_string()))?;
        Ok(Address { client, url: parsed })
    }
}

#[async_trait]
impl TaskHandler for Address {
    fn reaches_out(&self) -> bool {
        true
    }

    async fn call(&self, call: TaskCall) -> Result<TaskAnswer, Fails> {
        let unknown = |e: reqwest::Error| Fails::new("Lambda.Unknown", e.without_url().to_string());
        let response = self.client.post(self.url.clone()).json(&call.input).send().await.map_err(unknown)?;
        let failed = response.headers().contains_key("x-amz-function-error") || response.status().is_client_error();
        let failed = failed || response.status().is_server_error();
        let status = response.status();
        let body = response.bytes().await.map_err(unknown)?;
        let body: Result<Value, _> = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
        match (body, failed) {
            (Ok(output), false) => Ok(TaskAnswer { output, changes: Batch::new() }),
            (Err(e), false) => Err(Fails::new("Lambda.Unknown", format!("the answer is not JSON: {e}"))),
            (body, true) => {
                let body = body.unwrap_or_default();
                let text = |field: &str| body.get(field).and_then(Value::as_str).map(str::to_owned);
                let error = text("errorType").unwrap_or_else(|| "Lambda.Unknown".into());
                Err(Fails::new(error, text("errorMessage").unwrap_or_else(|| format!("it answered {status}"))))
            }
        }
    }
}
