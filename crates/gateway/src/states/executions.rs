//! Executions.

use asl::{HistoryEvent, jackson};
use runtime::{ChildExecution, Description, Filter, MachineKind, Place, StateMachine, Target};
use serde_json::{Value, json};

use super::arn::{self, Qualifier};
use super::fault::Fault;
use super::params::Params;
use super::{Call, machines, map_runs, name, paging, seconds, set};

/// The most bytes of an input or output.
const DATA: usize = 262_144;
/// How long after its end an execution can be redriven.
const REDRIVE_MS: i64 = 14 * 24 * 3_600_000;
/// Express executions are billed for at least this memory, in steps of this time; so AWS shows them.
const BILLED_MB: i64 = 64;
const BILLED_STEP_MS: i64 = 100;

async fn target(call: &Call<'_>) -> Result<(String, Target), Fault> {
    let given = call.params.required("stateMachineArn")?;
    let arn = arn::machine(given)?;
    let machine = machines::find(call, arn.name, given).await?;
    let (version, alias) = match arn.qualifier {
        Qualifier::None => (None, None),
        Qualifier::Version(version) => (Some(version), None),
        Qualifier::Alias(alias) => (None, Some(alias)),
    };
    let target = call.engine().target(machine, version, alias).await;
    Ok((given.to_owned(), target.map_err(|error| Fault::of_machine(error, given))?))
}

fn given_input(params: &Params) -> Result<Value, Fault> {
    let text = params.text("input").unwrap_or("{}");
    let invalid = |problem: &str| {
        Fault::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{problem}'"))
    };
    if text.trim().is_empty() {
        return Err(invalid("Invalid execution input."));
    }
    if text.len() > DATA {
        return Err(invalid("The input has more than 262144 bytes in UTF-8."));
    }
    jackson::parse(text).map_err(|problem| invalid(&problem))
}

fn given_name(params: &Params) -> Result<Option<&str>, Fault> {
    params.text("name").map(name::check).transpose()
}

/// As long as the engine is not too far behind.
fn admit(call: &Call<'_>) -> Result<(), Fault> {
    match call.engine().at_work() < call.gateway.options.backlog {
        true => Ok(()),
        false => Err(Fault::new("ThrottlingException", "Rate exceeded")),
    }
}

pub(super) async fn start(call: &Call<'_>) -> Result<Value, Fault> {
    let (_, target) = target(call).await?;
    let name = given_name(&call.params)?;
    let input = given_input(&call.params)?;
    admit(call)?;
    let started = match target.machine.kind {
        MachineKind::Standard => call.engine().start_execution(&target, name, input).await?,
        MachineKind::Express => {
            call.engine().start_express(&target, name, input).await.map_err(|error| Fault::store(&error))?
        }
    };
    Ok(json!({ "executionArn": started.arn, "startDate": seconds(started.started_at) }))
}

pub(super) async fn start_sync(call: &Call<'_>) -> Result<Value, Fault> {
    let (_, target) = target(call).await?;
    let name = given_name(&call.params)?;
    let input = given_input(&call.params)?;
    let data = call.params.text("includedData") != Some("METADATA_ONLY");
    if target.machine.kind == MachineKind::Standard {
        return Err(Fault::not_for_express());
    }
    admit(call)?;
    let text = input.to_string();
    let run = call.engine().run_express(&target, name, input).await.map_err(|error| Fault::store(&error))?;
    let billed_ms = ((run.stopped_at - run.started_at) / BILLED_STEP_MS + 1) * BILLED_STEP_MS;
    let mut out = json!({
        "executionArn": run.arn,
        "stateMachineArn": call.arn(&format!("stateMachine:{}", target.machine.name)),
        "name": run.name,
        "startDate": seconds(run.started_at),
        "stopDate": seconds(run.stopped_at),
        "status": run.status,
        "inputDetails": { "included": data },
        "outputDetails": { "included": data },
        "billingDetails": { "billedMemoryUsedInMB": BILLED_MB, "billedDurationInMilliseconds": billed_ms },
    });
    let output = run.output.map(|output| output.to_string());
    show_texts(&mut out, data, Some(text), output, run.error, run.cause);
    if let Some(header) = call.params.text("traceHeader") {
        set(&mut out, "traceHeader", header);
    }
    Ok(out)
}

/// The machine and the place of a Standard execution.
pub(super) async fn place(call: &Call<'_>, given: &str) -> Result<(StateMachine, Place), Fault> {
    let arn = arn::execution(given)?;
    if arn.express {
        return Err(Fault::not_for_express());
    }
    if arn.label.is_some() {
        return Err(Fault::execution(given));
    }
    let machine = machines::find(call, arn.machine, given).await.map_err(|_| Fault::execution(given))?;
    let place = call.engine().find_execution(&machine, arn.name).await.map_err(|error| Fault::store(&error))?;
    Ok((machine, place.ok_or_else(|| Fault::execution(given))?))
}

/// A child execution of a distributed Map with its history, if the ARN is of one. What is shown is durable.
pub(super) async fn child(call: &Call<'_>, given: &str) -> Result<Option<(ChildExecution, Vec<HistoryEvent>)>, Fault> {
    let arn = arn::execution(given)?;
    if arn.label.is_none() {
        return Ok(None);
    }
    let found = call.engine().child_execution(given).await.map_err(|error| Fault::store(&error))?;
    let found = found.ok_or_else(|| Fault::execution(given))?;
    if found.0.express {
        return Err(Fault::not_for_express());
    }
    call.engine().store().flush().await.map_err(|error| Fault::store(&error.into()))?;
    Ok(Some(found))
}

/// Refuses to change a child on its own.
fn only_with_its_parent(given: &str, code: &'static str) -> Result<(), Fault> {
    match arn::execution(given)?.label {
        None => Ok(()),
        Some(_) => {
            Err(Fault::new(code, "A child execution of a Map Run is stopped and redriven with its parent execution"))
        }
    }
}

/// A Standard execution as the engine describes it. What is shown is durable.
pub(super) async fn found(call: &Call<'_>, given: &str) -> Result<(StateMachine, Place, Description), Fault> {
    let (machine, place) = place(call, given).await?;
    let description = call.engine().describe(place.id).await.map_err(|error| Fault::store(&error))?;
    let description = description.ok_or_else(|| Fault::execution(given))?;
    call.engine().store().flush().await.map_err(|error| Fault::store(&error.into()))?;
    Ok((machine, place, description))
}

pub(super) async fn describe(call: &Call<'_>) -> Result<Value, Fault> {
    let given = call.params.required("executionArn")?;
    let data = call.params.text("includedData") != Some("METADATA_ONLY");
    if let Some((child, _)) = child(call, given).await? {
        return Ok(describe_child(child, data));
    }
    let (machine, place, execution) = found(call, given).await?;
    let status = execution.status.as_str();
    let mut out = json!({
        "executionArn": execution.arn,
        "stateMachineArn": call.arn(&format!("stateMachine:{}", machine.name)),
        "name": execution.name,
        "status": status,
        "startDate": seconds(execution.started_at),
        "inputDetails": { "included": data },
        "redriveCount": execution.redrives,
        "redriveStatus": "REDRIVABLE",
    });
    if let Some(reason) = not_redrivable(&execution) {
        set(&mut out, "redriveStatus", "NOT_REDRIVABLE");
        set(&mut out, "redriveStatusReason", reason);
    }
    if let Some(redriven_at) = execution.redriven_at {
        set(&mut out, "redriveDate", seconds(redriven_at));
    }
    qualify(call, &machine, &place, &mut out);
    if let Some(stopped_at) = execution.stopped_at {
        set(&mut out, "stopDate", seconds(stopped_at));
    }
    if execution.output.is_some() {
        set(&mut out, "outputDetails", json!({ "included": data }));
    }
    let input = Some(execution.input.to_string());
    let output = execution.output.map(|output| output.to_string());
    show_texts(&mut out, data, input, output, execution.error, execution.cause);
    Ok(out)
}

fn describe_child(child: ChildExecution, data: bool) -> Value {
    let mut out = map_runs::child(&child);
    if let Value::Object(fields) = &mut out {
        fields.remove("itemCount");
    }
    set(&mut out, "redriveCount", 0);
    set(&mut out, "redriveStatus", "NOT_REDRIVABLE");
    set(&mut out, "redriveStatusReason", "A child execution of a Map Run is redriven with its parent execution");
    set(&mut out, "inputDetails", json!({ "included": data }));
    if child.output.is_some() {
        set(&mut out, "outputDetails", json!({ "included": data }));
    }
    let (input, output) = (Some(child.input.to_string()), child.output.map(|output| output.to_string()));
    show_texts(&mut out, data, input, output, child.error, child.cause);
    out
}

/// Adds input, output, error and cause to an answer.
fn show_texts(
    out: &mut Value,
    data: bool,
    input: Option<String>,
    output: Option<String>,
    error: Option<String>,
    cause: Option<String>,
) {
    let texts = [("input", input, data), ("output", output, data), ("error", error, true), ("cause", cause, true)];
    for (field, text, shown) in texts {
        if let Some(text) = text.filter(|_| shown) {
            set(out, field, text);
        }
    }
}

/// Adds the version and the alias by which an execution was started.
fn qualify(call: &Call<'_>, machine: &StateMachine, place: &Place, out: &mut Value) {
    if let Some(version) = place.version {
        set(out, "stateMachineVersionArn", call.arn(&format!("stateMachine:{}:{version}", machine.name)));
    }
    if let Some(alias) = &place.alias {
        set(out, "stateMachineAliasArn", call.arn(&format!("stateMachine:{}:{alias}", machine.name)));
    }
}

pub(super) async fn stop(call: &Call<'_>) -> Result<Value, Fault> {
    let given = call.params.required("executionArn")?;
    let error = call.params.text("error").map(str::to_owned);
    let cause = call.params.text("cause").map(str::to_owned);
    only_with_its_parent(given, "ValidationException")?;
    let (_, place) = place(call, given).await?;
    let stopped = call.engine().stop_execution(place.id, error, cause).await.map_err(|error| Fault::store(&error))?;
    let stopped = stopped.ok_or_else(|| Fault::execution(given))?;
    Ok(json!({ "stopDate": seconds(stopped) }))
}

/// Why an execution cannot be redriven, if so.
fn not_redrivable(execution: &Description) -> Option<String> {
    let status = execution.status.as_str();
    let open = execution.stopped_at.is_some_and(|at| store::clock::now_ms() - at < REDRIVE_MS);
    match status {
        "RUNNING" | "SUCCEEDED" => Some(format!("Execution is {status} and cannot be redriven")),
        _ if !open => Some("Execution exceeds the redrivable period of 14 days".into()),
        _ if !execution.redrivable => Some("Execution has nothing that can be redriven".into()),
        _ => None,
    }
}

pub(super) async fn redrive(call: &Call<'_>) -> Result<Value, Fault> {
    let given = call.params.required("executionArn")?;
    only_with_its_parent(given, "ExecutionNotRedrivable")?;
    let (_, place, execution) = found(call, given).await?;
    let token = call.params.text("clientToken");
    if let Some(token) = token {
        let done = call.engine().redriven_with(place.id, token).await.map_err(|error| Fault::store(&error))?;
        if let Some(redriven) = done {
            return Ok(json!({ "redriveDate": seconds(redriven) }));
        }
    }
    let refuse = |reason: String| Fault::new("ExecutionNotRedrivable", reason);
    if let Some(reason) = not_redrivable(&execution) {
        return Err(refuse(reason));
    }
    let redriven = call
        .engine()
        .redrive_execution(place.id, token.map(str::to_owned))
        .await
        .map_err(|error| Fault::store(&error))?;
    let redriven = redriven.ok_or_else(|| refuse("Execution is RUNNING and cannot be redriven".into()))?;
    Ok(json!({ "redriveDate": seconds(redriven) }))
}

pub(super) async fn list(call: &Call<'_>) -> Result<Value, Fault> {
    let params = &call.params;
    let (limit, cursor) = paging::page(params, "executions")?;
    let status = params.text("statusFilter").map(str::to_owned);
    let refuse = |message: &str| Err(Fault::new("ValidationException", message));
    match (params.has("mapRunArn"), params.has("stateMachineArn")) {
        (true, false) => return map_runs::executions_of(call, limit, cursor).await,
        (false, true) if params.has("redriveFilter") => {
            return refuse("redriveFilter is only supported together with mapRunArn");
        }
        (false, true) => {}
        _ => return refuse("Exactly one of stateMachineArn and mapRunArn must be specified"),
    }
    let given = params.required("stateMachineArn")?;
    let arn = arn::machine(given)?;
    let machine = machines::find(call, arn.name, given).await?;
    if machine.kind == MachineKind::Express {
        return Err(Fault::not_for_express());
    }
    let mut filter = Filter { status, ..Filter::default() };
    match arn.qualifier {
        Qualifier::None => {}
        Qualifier::Version(version) => filter.version = Some(version),
        Qualifier::Alias(alias) => filter.alias = Some(alias.to_owned()),
    }
    let page = call.engine().executions(&machine, &filter, cursor, limit).await;
    let (executions, next) = page.map_err(|error| Fault::store(&error))?;
    call.engine().store().flush().await.map_err(|error| Fault::store(&error.into()))?;
    let items = executions.iter().map(|execution| {
        let mut item = json!({
            "executionArn": call.arn(&format!("execution:{}:{}", machine.name, execution.name)),
            "stateMachineArn": call.arn(&format!("stateMachine:{}", machine.name)),
            "name": execution.name,
            "status": execution.status,
            "startDate": seconds(execution.started_at),
            "redriveCount": execution.redrives,
        });
        if let Some(redriven_at) = execution.redriven_at {
            set(&mut item, "redriveDate", seconds(redriven_at));
        }
        if let Some(stopped_at) = execution.stopped_at {
            set(&mut item, "stopDate", seconds(stopped_at));
        }
        qualify(call, &machine, &execution.place, &mut item);
        item
    });
    let mut out = json!({ "executions": items.collect::<Vec<_>>() });
    if let Some(next) = next {
        set(&mut out, "nextToken", paging::token("executions", &next));
    }
    Ok(out)
}
