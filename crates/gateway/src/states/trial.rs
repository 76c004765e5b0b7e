//! TestState: one state on its own, with or without a mock of its result.
//!
//! The state becomes the first of a flow in which every state that it names is an end. A mocked fork becomes a task, so
//! that the mock is its result.

use std::sync::Arc;

use asl::{Definition, Details, ExecutionInfo, HistoryEvent, Outcome, Severity};
use runtime::{Answer, Trial, Tried};
use serde_json::{Map, Value, json};

use super::fault::Fault;
use super::inspection::Subject;
use super::params::Params;
use super::{Call, input, set};

/// The name of a state that is given without a flow around it.
pub(super) const NAME: &str = "StateName";
/// What stands for a resource whose result is mocked.
const MOCKED: &str = "arn:aws:states:::lambda:invoke";
/// Fields of forks that a task does not have.
const OF_FORKS: &[&str] = &[
    "Branches",
    "ItemBatcher",
    "ItemProcessor",
    "ItemReader",
    "ItemSelector",
    "Items",
    "ItemsPath",
    "Iterator",
    "Label",
    "MaxConcurrency",
    "MaxConcurrencyPath",
    "ResultWriter",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
    "Parameters",
    "Arguments",
];
const THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";

fn refuse(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}

/// A state's name and fields, and the language around it.
type Found = (String, Map<String, Value>, Option<Value>);

/// The state to test.
fn state_of(params: &Params) -> Result<Found, Fault> {
    let text = params.required("definition")?;
    let unreadable = |problem: &str| {
        Fault::new(
            "InvalidDefinition",
            format!("Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: {problem}'"),
        )
    };
    let definition = serde_json::from_str::<Value>(text).map_err(|e| unreadable(&e.to_string()))?;
    let language = definition.get("QueryLanguage").cloned();
    let name = params.bounded("stateName", 80)?.filter(|name| !name.is_empty());
    let Some(name) = name else {
        let state = definition.as_object().cloned().ok_or_else(|| unreadable("a state is a JSON object"))?;
        return Ok((NAME.into(), state, None));
    };
    let found = find(&definition, name);
    let found = found.ok_or_else(|| refuse(format!("State '{name}' not found in the state machine definition")))?;
    Ok((name.to_owned(), found.clone(), language))
}

/// A state by its name, also inside of forks.
fn find<'a>(scope: &'a Value, name: &str) -> Option<&'a Map<String, Value>> {
    let states = scope.get("States")?.as_object()?;
    if let Some(state) = states.get(name) {
        return state.as_object();
    }
    states.values().find_map(|state| {
        let branches = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
        branches.chain(state.get("ItemProcessor")).chain(state.get("Iterator")).find_map(|inner| find(inner, name))
    })
}

/// The names of the states that may follow.
fn followers(state: &Map<String, Value>) -> Vec<&str> {
    let lists = ["Choices", "Catch"].into_iter().filter_map(|field| state.get(field)?.as_array()).flatten();
    let own = [state.get("Next"), state.get("Default")].into_iter().flatten();
    own.chain(lists.filter_map(|item| item.get("Next"))).filter_map(Value::as_str).collect()
}

/// A flow that begins with the state, after a state that prepares what it sees, if there is something to prepare.
fn flow_around(
    name: &str,
    state: &Map<String, Value>,
    language: Option<&Value>,
    before: Option<Map<String, Value>>,
) -> Value {
    let mut states = Map::new();
    let mut state = state.clone();
    let mut language = language.cloned();
    let mut start = name.to_owned();
    if let Some(mut before) = before {
        // Literals are literals in JSONPath only.
        let own = state.get("QueryLanguage").cloned().or(language.take());
        state.insert("QueryLanguage".into(), own.unwrap_or_else(|| "JSONPath".into()));
        start = format!("before {name}").chars().take(80).collect();
        before.insert("Type".into(), "Pass".into());
        before.insert("Next".into(), name.into());
        states.insert(start.clone(), before.into());
    }
    for follower in followers(&state) {
        states.insert(follower.to_owned(), json!({ "Type": "Succeed" }));
    }
    states.insert(name.to_owned(), state.into());
    let mut flow = json!({ "StartAt": start, "States": states });
    if let Some(language) = language {
        set(&mut flow, "QueryLanguage", language);
    }
    flow
}

/// The mock that a call gives, checked against the type of the state.
fn mock(params: &Params, state: &Map<String, Value>, kind: &str) -> Result<Answer, Fault> {
    let Some(mock) = params.object("mock")? else { return Ok(Answer::Call) };
    let (result, error) = (mock.get("result"), mock.get("errorOutput"));
    if result.is_some() && error.is_some() {
        return Err(refuse("A test mock should have only one of the following fields: [result, errorOutput]."));
    }
    if params.flag("revealSecrets")? {
        return Err(refuse("TestState does not support RevealSecrets when a mock is specified."));
    }
    if !matches!(kind, "Task" | "Map" | "Parallel") {
        return Err(refuse(format!("State type '{kind}' is not supported when a mock is specified")));
    }
    if let Some(error) = error {
        let text = |field: &str| error.get(field).and_then(Value::as_str).map(str::to_owned);
        return Ok(Answer::Error(text("error"), text("cause")));
    }
    let text = result.and_then(Value::as_str).unwrap_or("{}");
    let value = input::parse(text).map_err(|_| refuse("Mocked result must be a valid JSON."))?;
    match (kind, state.contains_key("ResultWriter")) {
        ("Map", true) if !value.is_object() => Err(refuse("Mocked result must be a JSON object.")),
        ("Map", false) | ("Parallel", _) if !value.is_array() => Err(refuse("Mocked result must be an array.")),
        _ => Ok(Answer::Result(value)),
    }
}

/// More failed items than a Map tolerates are its failure.
fn exceeds(state: &Map<String, Value>, failures: i64, answer: &Answer) -> bool {
    let number = |field: &str| state.get(field).and_then(Value::as_f64);
    let items = match answer {
        Answer::Result(Value::Array(items)) => items.len(),
        _ => 0,
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of items are small")]
    let (failures, items) = (failures as f64, items as f64);
    match (number("ToleratedFailureCount"), number("ToleratedFailurePercentage")) {
        (None, None) => failures > 0.0,
        (count, percentage) => {
            count.is_some_and(|count| failures > count)
                || percentage.is_some_and(|percentage| items > 0.0 && failures * 100.0 / items > percentage)
        }
    }
}

pub(super) async fn test(call: &Call<'_>) -> Result<Value, Fault> {
    let params = &call.params;
    let (name, mut state, language) = state_of(params)?;
    let kind = state.get("Type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let level = params.word("inspectionLevel", &["INFO", "DEBUG", "TRACE"])?.unwrap_or("INFO");
    let given = params.bounded("input", 262_144)?.unwrap_or("{}");
    let parsed = input::parse(given);
    let parsed = parsed.map_err(|problem| {
        Fault::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{problem}'"))
    })?;
    context(params)?;
    let mut answer = mock(params, &state, &kind)?;
    let original = state.clone();
    let mocked = !matches!(answer, Answer::Call);
    if kind == "Task" && !mocked && !params.has("roleArn") {
        return Err(refuse("RoleArn must be specified when testing a Task state"));
    }
    let configuration = params.object("stateConfiguration")?;
    let configured = |field: &str| configuration.and_then(|map| map.get(field)).and_then(Value::as_i64);
    if let Some(failures) = configured("mapIterationFailureCount") {
        if !mocked {
            return Err(refuse("TestState does not support MapIterationFailureCount when a mock is not specified."));
        }
        if exceeds(&state, failures, &answer) {
            let cause = "The specified tolerated failure threshold was exceeded";
            answer = Answer::Error(Some(THRESHOLD.into()), Some(cause.into()));
        }
    }
    // The state as it was given has to be valid; what runs may be a mocked one.
    let whole = flow_around(&name, &state, language.as_ref(), None);
    if let Err(findings) = Definition::parse(&whole.to_string()) {
        let errors = findings.into_iter().filter(|f| f.severity == Severity::Error);
        let errors: Vec<_> = errors.filter(|f| !(mocked && f.code == "UNSUPPORTED_RESOURCE")).collect();
        if !errors.is_empty() {
            return Err(Fault::definition(&errors));
        }
    }
    if mocked {
        let token = state.get("Resource").and_then(Value::as_str).is_some_and(|r| r.ends_with(".waitForTaskToken"));
        state.retain(|field, _| kind == "Task" || !OF_FORKS.contains(&field.as_str()));
        state.insert("Type".into(), "Task".into());
        state
            .insert("Resource".into(), if token { format!("{MOCKED}.waitForTaskToken") } else { MOCKED.into() }.into());
    }
    let retries = configured("retrierRetryCount").and_then(|n| u32::try_from(n).ok()).unwrap_or_default().min(100);
    let tried = run(call, &name, &state, language.as_ref(), parsed.clone(), answer.clone(), retries).await?;
    let mut out = answer_of(&name, &tried);
    if level != "INFO" {
        let own = original.get("QueryLanguage").or(language.as_ref()).and_then(Value::as_str);
        let result = match &answer {
            Answer::Result(result) => Some(result),
            _ => None,
        };
        let subject = Subject {
            state: &original,
            mocked: &state,
            jsonata: own == Some("JSONata"),
            input: &parsed,
            result,
            answer: &answer,
        };
        let data = subject.inspect(call, given, &tried, &out).await;
        set(&mut out, "inspectionData", data);
    }
    Ok(out)
}

/// Tries a state with the variables and the context object that the call gives.
pub(super) async fn run(
    call: &Call<'_>,
    name: &str,
    state: &Map<String, Value>,
    language: Option<&Value>,
    mut input: Value,
    answer: Answer,
    retries: u32,
) -> Result<Tried, Fault> {
    let mut before = Map::new();
    let variables = call.params.text("variables")?.and_then(|text| serde_json::from_str::<Value>(text).ok());
    if let Some(variables) = variables.filter(|value| value.as_object().is_some_and(|map| !map.is_empty())) {
        before.insert("Assign".into(), variables);
    }
    let context = context(&call.params)?;
    if let Some(of_execution) = context.pointer("/Execution/Input") {
        before.insert("Result".into(), std::mem::replace(&mut input, of_execution.clone()));
    }
    let flow = flow_around(name, state, language, (!before.is_empty()).then_some(before));
    let definition = Definition::parse(&flow.to_string()).map_err(|findings| Fault::definition(&findings))?;
    let info = info(call, &context)?;
    Ok(call.engine().try_state(Trial { definition: Arc::new(definition), info, input, answer, retries }).await)
}

/// What the call says about the context object.
fn context(params: &Params) -> Result<Value, Fault> {
    let context = params.text("context")?.map(serde_json::from_str::<Value>).transpose();
    let context = context.map_err(|e| refuse(format!("Invalid Context object provided: {e}")))?;
    context.as_ref().map(check_context).transpose()?;
    Ok(context.unwrap_or_default())
}

/// The output with which the state was left.
pub(super) fn output_of<'a>(state: &str, events: &'a [HistoryEvent]) -> Option<&'a str> {
    events.iter().find_map(|event| match &event.details {
        Details::StateExited { name, output, .. } if **name == *state => Some(output.as_str()),
        _ => None,
    })
}

/// Checks what a call says about the context object, of which only a part can be given.
fn check_context(context: &Value) -> Result<(), Fault> {
    let refuse = |problem: String| Err(refuse(format!("Invalid Context object provided: {problem}")));
    let Value::Object(fields) = context else { return refuse("it must be a JSON object".into()) };
    for (field, value) in fields {
        match field.as_str() {
            "Execution" | "State" | "StateMachine" | "Task" => {}
            "Map" => return refuse("'Map' field is not supported when mocking a Context object".into()),
            other => return refuse(format!("Field '{other}' is not allowed")),
        }
        for (name, value) in value.as_object().into_iter().flatten() {
            let free = matches!(name.as_str(), "Input" | "RetryCount" | "RedriveCount");
            if !free && !value.is_string() {
                return refuse(format!("{field}.{name} must be a string"));
            }
        }
    }
    Ok(())
}

/// What the context object shows: what the call gives, and else what AWS makes up.
fn info(call: &Call<'_>, context: &Value) -> Result<ExecutionInfo, Fault> {
    let id = store::id::encode(store::id::next());
    let machine = format!("test-{id}");
    let text =
        |pointer: &str, usual: String| context.pointer(pointer).and_then(Value::as_str).map_or(usual, str::to_owned);
    let role = call.params.text("roleArn")?.unwrap_or_default().to_owned();
    Ok(ExecutionInfo {
        id: text("/Execution/Id", call.arn(&format!("express:{machine}:{id}:{id}"))),
        name: text("/Execution/Name", id),
        role_arn: text("/Execution/RoleArn", role),
        state_machine_id: text("/StateMachine/Id", call.arn(&format!("stateMachine:{machine}"))),
        state_machine_name: text("/StateMachine/Name", machine),
        ..ExecutionInfo::default()
    })
}

fn answer_of(name: &str, tried: &Tried) -> Value {
    let events = tried.events.as_slice();
    let exited =
        events.iter().position(|event| matches!(&event.details, Details::StateExited { name: n, .. } if **n == *name));
    let failure = events.iter().take(exited.unwrap_or(events.len())).rev().find_map(failure_of);
    let mut out = json!({});
    let (status, failure) = match (exited.and_then(|at| events.get(at)).map(|event| &event.details), &tried.outcome) {
        (Some(Details::StateExited { output, .. }), _) => {
            set(&mut out, "output", output.as_str());
            let next = events.iter().skip(exited.unwrap_or_default()).find_map(|event| match &event.details {
                Details::StateEntered { name, .. } => Some(name.to_string()),
                _ => None,
            });
            if let Some(next) = next {
                set(&mut out, "nextState", next);
            }
            if failure.is_some() { ("CAUGHT_ERROR", failure) } else { ("SUCCEEDED", None) }
        }
        (_, Some(Outcome::Succeeded { output })) => {
            set(&mut out, "output", output.to_string());
            ("SUCCEEDED", None)
        }
        (
            _,
            Some(
                Outcome::Failed { error, cause }
                | Outcome::TimedOut { error, cause }
                | Outcome::Aborted { error, cause },
            ),
        ) => ("FAILED", Some((error.clone(), cause.clone()))),
        (_, None) => ("RETRIABLE", failure),
    };
    set(&mut out, "status", status);
    let (error, cause) = failure.unwrap_or_default();
    for (field, text) in [("error", error), ("cause", cause)] {
        if let Some(text) = text {
            set(&mut out, field, text);
        }
    }
    out
}

/// The error and the cause of an event that tells of a failure.
fn failure_of(event: &HistoryEvent) -> Option<(Option<String>, Option<String>)> {
    match &event.details {
        Details::TaskFailed { error, cause, .. } => Some((error.clone(), cause.clone())),
        _ => None,
    }
}
