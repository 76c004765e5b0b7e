//! `comanda execution`: executions of flows, by the Step Functions API: of a server, or of an installation on AWS.

use std::fmt::Write;

use serde_json::{Value, json};

use super::order::encode;
use crate::cli;
use crate::client::Client;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;
#[cfg(feature = "aws")]
use crate::serve::cloud::Installation;

/// The most state machines that are looked at.
const MAX_MACHINES: usize = 1_000;
/// The most pages of a history: 25,000 events.
const MAX_PAGES: usize = 25;
const PAGE: usize = 1_000;
/// The keys of an execution that people are told, in this order.
const SHOWN: [&str; 6] = ["startDate", "stopDate", "input", "output", "error", "cause"];

/// Who answers.
enum States {
    Server(Client),
    #[cfg(feature = "aws")]
    Aws(Box<Installation>),
}

pub(crate) async fn run(config: &Config, command: cli::Execution, output: Output) -> Result<(), Failure> {
    match command {
        cli::Execution::List { flow, status, limit, at } => {
            let states = States::of(config, &at)?;
            let found = list(&states, flow.as_deref(), status.as_deref(), limit).await?;
            let text = found.iter().fold(String::new(), |text, execution| text + &line(execution) + "\n");
            output.say(&found, if text.is_empty() { "There are none.".into() } else { text })
        }
        cli::Execution::Show { id, at } => {
            let found = find(&States::of(config, &at)?, &id).await?;
            output.say(&found, describe(&found))
        }
        cli::Execution::History { id, at } => {
            let states = States::of(config, &at)?;
            let events = history(&states, arn(&find(&states, &id).await?)).await?;
            let text = events.iter().fold(String::new(), |text, event| text + &event_line(event) + "\n");
            output.say(&events, text)
        }
        cli::Execution::Stop { id, error, cause, at } => {
            let states = States::of(config, &at)?;
            let found = find(&states, &id).await?;
            let call = json!({ "executionArn": arn(&found), "error": error, "cause": cause });
            let answer = states.call("StopExecution", &call).await?;
            output.say(&answer, format!("{id} is stopped. If it carried an order, that order stands in the inbox."))
        }
        cli::Execution::Redrive { id, at } => {
            let states = States::of(config, &at)?;
            let found = find(&states, &id).await?;
            // The same request twice is one redrive.
            let times = found.get("redriveCount").and_then(Value::as_u64).unwrap_or(0);
            let call = json!({ "executionArn": arn(&found), "clientToken": format!("comanda-{id}-{times}") });
            let answer = states.call("RedriveExecution", &call).await?;
            output.say(&answer, format!("{id} goes on from the state that failed."))
        }
    }
}

impl States {
    #[cfg(feature = "aws")]
    fn of(config: &Config, at: &cli::At) -> Result<States, Failure> {
        match &at.store {
            Some(store) => Ok(States::Aws(Box::new(Installation::new(store)?))),
            None => Ok(States::Server(Client::new(at.server.as_deref(), config))),
        }
    }

    #[cfg(not(feature = "aws"))]
    fn of(config: &Config, at: &cli::At) -> Result<States, Failure> {
        Ok(States::Server(Client::new(at.server.as_deref(), config)))
    }

    async fn call(&self, operation: &str, body: &Value) -> Result<Value, Failure> {
        match self {
            States::Server(client) => client.states(operation, body).await,
            #[cfg(feature = "aws")]
            States::Aws(installation) => installation.states(operation, body).await,
        }
    }

    fn prefix(&self) -> String {
        match self {
            States::Server(_) => String::new(),
            #[cfg(feature = "aws")]
            States::Aws(installation) => installation.prefix(),
        }
    }

    /// The name of the execution that an order names as its `executionId`, or that carries this order.
    async fn name_of(&self, id: &str) -> Result<String, Failure> {
        match self {
            // The server names the execution after the order, and knows it by its id, too.
            States::Server(client) => match client.get::<Value>(&format!("/v1/executions/{}", encode(id))).await {
                Ok(found) => Ok(text(&found, "name").to_owned()),
                Err(failure) if failure.kind == Kind::NotFound => Ok(id.to_owned()),
                Err(failure) => Err(failure),
            },
            #[cfg(feature = "aws")]
            States::Aws(installation) => installation.execution_name(id).await,
        }
    }

    /// The flows: name and ARN of the state machine.
    async fn machines(&self) -> Result<Vec<(String, String)>, Failure> {
        let answer = self.call("ListStateMachines", &json!({ "maxResults": MAX_MACHINES })).await?;
        let prefix = self.prefix();
        let machine = |machine: &Value| {
            let flow = text(machine, "name").strip_prefix(&prefix)?.to_owned();
            // Express executions are not listed.
            (text(machine, "type") != "EXPRESS").then(|| (flow, text(machine, "stateMachineArn").to_owned()))
        };
        let machines: Vec<_> = items(&answer, "stateMachines").filter_map(machine).collect();
        match machines.is_empty() {
            true => Err(Failure::new(Kind::NotFound, format!("there is no state machine named `{prefix}…`"))),
            false => Ok(machines),
        }
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn items<'v>(answer: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    answer.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn arn(execution: &Value) -> &str {
    text(execution, "executionArn")
}

/// The newest first, over all flows or one.
async fn list(states: &States, flow: Option<&str>, status: Option<&str>, limit: u32) -> Result<Vec<Value>, Failure> {
    let machines = states.machines().await?;
    if let Some(flow) = flow.filter(|flow| !machines.iter().any(|(name, _)| name == flow)) {
        let names: Vec<&str> = machines.iter().map(|(name, _)| name.as_str()).collect();
        return Err(Failure::new(Kind::NotFound, format!("there is no flow `{flow}`; there are {}", names.join(", "))));
    }
    let mut found = Vec::new();
    for (name, arn) in machines.iter().filter(|(name, _)| flow.is_none_or(|flow| flow == name)) {
        let mut call = json!({ "stateMachineArn": arn, "maxResults": limit });
        if let (Some(status), Some(call)) = (status, call.as_object_mut()) {
            call.insert("statusFilter".into(), status.into());
        }
        let answer = states.call("ListExecutions", &call).await?;
        found.extend(items(&answer, "executions").map(|execution| {
            let mut execution = execution.clone();
            if let Some(execution) = execution.as_object_mut() {
                execution.insert("flow".into(), name.as_str().into());
            }
            execution
        }));
    }
    let began = |execution: &Value| execution.get("startDate").and_then(Value::as_f64).unwrap_or(0.0);
    found.sort_by(|a, b| began(b).total_cmp(&began(a)));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// By its ARN, by its name in whichever flow it is, or by the order that it carries.
async fn find(states: &States, id: &str) -> Result<Value, Failure> {
    if id.starts_with("arn:") {
        return states.call("DescribeExecution", &json!({ "executionArn": id })).await;
    }
    let name = states.name_of(id).await?;
    for (_, machine) in states.machines().await? {
        let arn = format!("{}:{name}", machine.replacen(":stateMachine:", ":execution:", 1));
        match states.call("DescribeExecution", &json!({ "executionArn": arn })).await {
            Err(failure) if failure.kind == Kind::NotFound => {}
            other => return other,
        }
    }
    Err(Failure::new(Kind::NotFound, format!("no flow has an execution `{id}`")))
}

async fn history(states: &States, arn: &str) -> Result<Vec<Value>, Failure> {
    let mut events = Vec::new();
    let mut call = json!({ "executionArn": arn, "maxResults": PAGE });
    for _ in 0..MAX_PAGES {
        let answer = states.call("GetExecutionHistory", &call).await?;
        events.extend(items(&answer, "events").cloned());
        match (answer.get("nextToken"), call.as_object_mut()) {
            (Some(next), Some(call)) if next.is_string() => drop(call.insert("nextToken".into(), next.clone())),
            _ => break,
        }
    }
    Ok(events)
}

/// Seconds since the epoch as people read them.
#[expect(clippy::cast_possible_truncation, reason = "milliseconds of this age fit")]
fn instant(seconds: &Value) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond((seconds.as_f64()? * 1_000.0) as i64).ok()?;
    Some(at.to_string())
}

fn line(execution: &Value) -> String {
    let began = execution.get("startDate").and_then(instant).unwrap_or_default();
    format!("{}  {:<10} {:<14} {began}", text(execution, "name"), text(execution, "status"), text(execution, "flow"))
}

fn describe(execution: &Value) -> String {
    let mut told = format!("{}  {}\n{}", text(execution, "name"), text(execution, "status"), arn(execution));
    for key in SHOWN {
        let value = execution.get(key).filter(|value| !value.is_null());
        let shown = value.map(|value| match value {
            Value::String(text) => text.clone(),
            number => instant(number).unwrap_or_default(),
        });
        if let Some(shown) = shown {
            // Writing to a string cannot fail.
            let _ = write!(told, "\n  {key:<10} {shown}");
        }
    }
    told
}

fn event_line(event: &Value) -> String {
    let at = event.get("timestamp").and_then(instant).unwrap_or_default();
    let id = event.get("id").and_then(Value::as_i64).unwrap_or(0);
    let details = event.as_object().into_iter().flatten().find(|(key, _)| key.ends_with("EventDetails"));
    let name = details.map_or("", |(_, details)| match text(details, "name") {
        "" => text(details, "error"),
        name => name,
    });
    format!("{id:>5}  {at}  {:<32} {name}", text(event, "type"))
}
