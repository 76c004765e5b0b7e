//! Plays a case: the flow in virtual time, its tasks answered as the case says.

use std::collections::BTreeSet;
use std::sync::Arc;

use asl::rehearsal::{Rehearsal, Rehearsed};
use asl::{Definition, Event, ExecutionInfo, TaskStart};
use serde_json::{Map, Value, json};

use super::cases::{ANY, Answer, Case, Mocks};
use super::script::Script;

/// 2026-01-01T12:00:00Z: when a case starts that says nothing else.
const START_MS: i64 = 1_767_268_800_000;
/// The state that sets the variables of a case.
const PREPARE: &str = "(the variables of the case)";

/// How a case went.
pub(crate) struct Played {
    pub(crate) done: Rehearsed,
    /// The names of the states that were entered, in order.
    pub(crate) path: Vec<String>,
    /// What made it impossible to go on as the case says.
    pub(crate) problems: Vec<String>,
}

/// Plays a case of a valid flow, given with its placeholders filled in.
///
/// # Errors
/// The case does not fit the flow.
pub(crate) fn play(flow: &str, name: &str, case: &Case, common: &Mocks) -> Result<Played, String> {
    let definition = definition(flow, case)?;
    let known: BTreeSet<&str> = definition.all_states().map(|state| state.name()).collect();
    for state in common.keys().chain(case.mocks.keys()) {
        let own = state.rsplit('/').next().unwrap_or(state);
        if own != ANY && !known.contains(own) && case.start_at.is_none() {
            return Err(format!("`mocks.{state}`: the flow has no state `{own}`"));
        }
    }
    let info = info(name, case);
    let later = case.stop_after.map(|seconds| (ms(seconds), Event::Stopped { error: None, cause: None }));
    let start_ms = case.context.start_time.map_or(START_MS, |time| time.as_millisecond());
    let rehearsal = Rehearsal {
        definition: Arc::new(definition),
        info,
        input: case.input.clone(),
        start_ms,
        later: later.into_iter().collect(),
    };
    let mut script = Script::new([case.mocks.clone(), common.clone()]);
    let mut problems = Vec::new();
    let done = rehearsal.run(&mut |start, _| match script.next(&start.path) {
        Ok(answer) => events(start, &answer),
        Err(problem) => {
            problems.push(format!("{problem}; it is called with {}", start.arguments));
            Vec::new()
        }
    });
    let entered = done.turns.iter().filter(|(_, turn)| *turn == asl::Turn::Entered).map(|(state, _)| state.to_string());
    let path = entered.filter(|state| state != PREPARE).collect();
    Ok(Played { path, done, problems })
}

fn info(name: &str, case: &Case) -> ExecutionInfo {
    let machine = case.context.state_machine.as_deref().unwrap_or("flow");
    let name = case.context.name.as_deref().unwrap_or(name);
    ExecutionInfo {
        id: format!("arn:aws:states:us-east-1:000000000000:execution:{machine}:{name}"),
        name: name.into(),
        role_arn: "arn:aws:iam::000000000000:role/comanda".into(),
        state_machine_id: format!("arn:aws:states:us-east-1:000000000000:stateMachine:{machine}"),
        state_machine_name: machine.into(),
        seed: case.seed,
        ..ExecutionInfo::default()
    }
}

/// The flow as the case begins it.
fn definition(flow: &str, case: &Case) -> Result<Definition, String> {
    let parse = |text: &str| {
        Definition::parse(text).map_err(|findings| {
            let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
            findings.join("; ")
        })
    };
    if case.start_at.is_none() && case.variables.is_empty() {
        return parse(flow);
    }
    let mut flow: Value = serde_json::from_str(flow).map_err(|e| e.to_string())?;
    if let Some(start) = &case.start_at {
        begin_at(&mut flow, start)?;
    }
    if !case.variables.is_empty() {
        let start = flow.get("StartAt").cloned().unwrap_or_default();
        let prepare = json!({"Type": "Pass", "Assign": case.variables, "Next": start});
        if let Some(states) = flow.get_mut("States").and_then(Value::as_object_mut) {
            states.insert(PREPARE.into(), prepare);
        }
        begin(&mut flow, PREPARE);
    }
    parse(&flow.to_string())
}

/// Makes the flow begin at a state, and takes out what cannot be reached from there.
fn begin_at(flow: &mut Value, start: &str) -> Result<(), String> {
    let Some(Value::Object(states)) = flow.get_mut("States") else { return Err("the flow has no states".into()) };
    if !states.contains_key(start) {
        return Err(format!("`startAt`: the flow has no state `{start}` outside of its branches"));
    }
    let mut reached = BTreeSet::from([start.to_owned()]);
    let mut open = vec![start.to_owned()];
    while let Some(state) = open.pop() {
        let followers = states.get(&state).map(followers).unwrap_or_default();
        open.extend(followers.into_iter().filter(|next| reached.insert(next.clone())));
    }
    let kept: Map<String, Value> =
        std::mem::take(states).into_iter().filter(|(state, _)| reached.contains(state)).collect();
    *states = kept;
    begin(flow, start);
    Ok(())
}

fn begin(flow: &mut Value, start: &str) {
    if let Some(flow) = flow.as_object_mut() {
        flow.insert("StartAt".into(), start.into());
    }
}

fn followers(state: &Value) -> Vec<String> {
    let lists = ["Choices", "Catch"].into_iter().filter_map(|field| state[field].as_array()).flatten();
    let next = |value: &Value, field: &str| value[field].as_str().map(str::to_owned);
    let own = [next(state, "Next"), next(state, "Default")];
    lists.map(|one| next(one, "Next")).chain(own).flatten().collect()
}

fn events(start: &TaskStart, answer: &Answer) -> Vec<(i64, Event)> {
    let task = start.task;
    let beats = answer.heartbeats.iter().map(|seconds| (ms(*seconds), Event::TaskHeartbeat { task }));
    let mut events: Vec<(i64, Event)> = beats.collect();
    let wrapped = |payload: &Value| json!({"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200});
    let event = match (&answer.result, &answer.payload) {
        (Some(result), _) => Event::TaskSucceeded { task, output: result.clone() },
        (None, Some(payload)) => Event::TaskSucceeded { task, output: wrapped(payload) },
        (None, None) if answer.never => return events,
        (None, None) if answer.timed_out => Event::TaskTimedOut { task },
        (None, None) => Event::TaskFailed { task, error: answer.error.clone(), cause: answer.cause.clone() },
    };
    events.push((ms(answer.after), event));
    events
}

/// Seconds, at most a year, in milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "a year in milliseconds fits")]
fn ms(seconds: f64) -> i64 {
    (seconds.clamp(0.0, super::cases::MOST_SECONDS) * 1000.0).round() as i64
}
