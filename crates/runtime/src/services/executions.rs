//! `states:startExecution` and what else flows do with executions.
//!
//! A child execution begins in the commit of the record that its parent has submitted it; a message of that commit wakes
//! it. Its row says what happens when it ends: the message that answers the parent's task is in the commit of its last
//! record. So neither is lost and neither happens twice, whatever crashes.

use std::sync::Arc;

use asl::resource::Pattern;
use asl::{ExecutionInfo, Outcome};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::message::{Message, TASK_RESULT, TaskResult};
use store::{Batch, Key};

use super::{AWS_JSON, Answer, Fault, Request, Service};
use crate::core::Core;
use crate::execution::status;
use crate::machines::{MachineError, MachineKind, uuid};
use crate::starts::Target;
use crate::tables::EXECUTIONS;

/// The queue of executions that were committed and are to be set to work; the body is a [`StartExecution`].
pub(crate) const START_EXECUTION: &str = "start-execution";
/// The queue of executions to stop; the body is a [`StopExecution`].
pub(crate) const STOP_EXECUTION: &str = "stop-execution";
/// The longest name of an execution.
const MAX_NAME: usize = 80;

/// See [`START_EXECUTION`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StartExecution {
    pub(crate) execution: i64,
}

/// See [`STOP_EXECUTION`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StopExecution {
    pub(crate) execution: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<String>,
}

impl StopExecution {
    /// The message that stops the child of an execution that no longer waits for it.
    pub(crate) fn of_child(execution: i64) -> Message {
        let cause = Some("The parent execution no longer waits for this execution.".to_owned());
        Message::new(STOP_EXECUTION, &StopExecution { execution, error: None, cause })
    }
}

/// What happens in the commit in which an execution ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(crate) enum OnEnd {
    /// The task that waits for it is answered; `json`: its input and output are not texts.
    Answer { token: String, json: bool },
    /// Unless it succeeded, this queue is told.
    Tell { queue: String },
}

/// What an execution was when it ended.
pub(crate) struct Ended<'e> {
    pub(crate) id: i64,
    pub(crate) info: &'e ExecutionInfo,
    pub(crate) input: &'e Value,
    pub(crate) outcome: &'e Outcome,
    pub(crate) started_at: i64,
    pub(crate) stopped_at: i64,
    pub(crate) redrivable: bool,
}

impl OnEnd {
    /// What to send, if anything.
    pub(crate) fn message(&self, ended: &Ended<'_>) -> Option<Message> {
        let succeeded = matches!(ended.outcome, Outcome::Succeeded { .. });
        match self {
            OnEnd::Tell { .. } if succeeded => None,
            OnEnd::Tell { queue } => {
                let (error, cause) = failure(ended.outcome);
                let body = json!({
                    "executionId": store::id::encode(ended.id), "executionArn": ended.info.id,
                    "flow": ended.info.state_machine_name, "name": ended.info.name,
                    "status": status(Some(ended.outcome)), "error": error, "cause": cause, "stoppedAt": ended.stopped_at,
                });
                Some(Message::new(queue.clone(), &body))
            }
            OnEnd::Answer { token, json } => {
                let described = described(ended, *json);
                let result = match succeeded {
                    true => TaskResult { token: token.clone(), output: Some(described), error: None, cause: None },
                    false => TaskResult {
                        token: token.clone(),
                        output: None,
                        error: Some("States.TaskFailed".into()),
                        cause: Some(described.to_string()),
                    },
                };
                Some(Message::new(TASK_RESULT, &result))
            }
        }
    }
}

fn failure(outcome: &Outcome) -> (Option<&str>, Option<&str>) {
    match outcome {
        Outcome::Succeeded { .. } => (None, None),
        Outcome::Failed { error, cause } | Outcome::TimedOut { error, cause } | Outcome::Aborted { error, cause } => {
            (error.as_deref(), cause.as_deref())
        }
    }
}

/// The execution as `DescribeExecution` answers it, in the words of the optimised integration.
fn described(ended: &Ended<'_>, json: bool) -> Value {
    let data = |value: &Value| if json { value.clone() } else { value.to_string().into() };
    let (error, cause) = failure(ended.outcome);
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    if let Some(cause) = cause {
        put("Cause", cause.into());
    }
    if let Some(error) = error {
        put("Error", error.into());
    }
    put("ExecutionArn", ended.info.id.as_str().into());
    put("Input", data(ended.input));
    put("InputDetails", json!({"Included": true}));
    put("Name", ended.info.name.as_str().into());
    if let Outcome::Succeeded { output } = ended.outcome {
        put("Output", data(output));
        put("OutputDetails", json!({"Included": true}));
    }
    let status = status(Some(ended.outcome));
    put("RedriveCount", ended.info.redrive_count.into());
    put("RedriveStatus", if ended.redrivable { "REDRIVABLE" } else { "NOT_REDRIVABLE" }.into());
    if !ended.redrivable {
        put("RedriveStatusReason", format!("Execution is {status} and cannot be redriven").into());
    }
    put("StartDate", ended.started_at.into());
    put("StateMachineArn", ended.info.state_machine_id.as_str().into());
    put("Status", status.into());
    put("StopDate", ended.stopped_at.into());
    Value::Object(out)
}

pub(super) struct StepFunctions;

#[async_trait]
impl Service for StepFunctions {
    fn reaches_out(&self, _: &Core, request: &Request) -> bool {
        // It commits by itself, step by step.
        request.integration.action == "startSyncExecution"
    }

    async fn call(&self, core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
        match request.integration.action {
            "startExecution" => start(core, request).await,
            "startSyncExecution" => start_sync(core, request).await,
            "stopExecution" => stop(core, request).await,
            action => report(core, request, action).await,
        }
    }
}

fn machine_fault(error: MachineError, arn: &str) -> Fault {
    match error {
        MachineError::DoesNotExist => unknown_machine(arn),
        MachineError::Deleting => Fault::Service {
            exception: Some("StateMachineDeletingException"),
            code: "StateMachineDeleting",
            status: 400,
            message: format!("State Machine Is Being Deleted: '{arn}'"),
        },
        other => Fault::Named(crate::task::Failure::new("StoreUnavailable", other.to_string())),
    }
}

fn unknown_machine(arn: &str) -> Fault {
    Fault::Service {
        exception: Some("StateMachineDoesNotExistException"),
        code: "StateMachineDoesNotExist",
        status: 400,
        message: format!("State Machine Does Not Exist: '{arn}'"),
    }
}

async fn target(core: &Arc<Core>, request: &Request) -> Result<(Target, String), Fault> {
    let arn = request.required("StateMachineArn")?;
    let invalid = || Fault::Service {
        exception: Some("InvalidArnException"),
        code: "InvalidArn",
        status: 400,
        message: format!("Invalid Arn: '{arn}'"),
    };
    let rest = arn.split_once(":stateMachine:").map(|(_, rest)| rest).ok_or_else(invalid)?;
    let (name, qualifier) = rest.split_once(':').map_or((rest, None), |(name, qualifier)| (name, Some(qualifier)));
    let machine = core.machine(name).await?.ok_or_else(|| unknown_machine(arn))?;
    let version = qualifier.and_then(|text| text.parse::<i64>().ok());
    let alias = qualifier.filter(|_| version.is_none());
    let target = core.target(machine, version, alias).await.map_err(|error| machine_fault(error, arn))?;
    Ok((target, arn.to_owned()))
}

/// `Input`: a text of JSON, or for the optimised integration also JSON itself.
fn input(request: &Request) -> Result<Value, Fault> {
    match request.argument("Input") {
        None => Ok(json!({})),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|e| Fault::Service {
            exception: Some("InvalidExecutionInputException"),
            code: "InvalidExecutionInput",
            status: 400,
            message: format!("Invalid State Machine Execution Input: '{e}'"),
        }),
        Some(other) => Ok(other.clone()),
    }
}

fn name(request: &Request) -> Result<Option<&str>, Fault> {
    let Some(name) = request.text("Name") else { return Ok(None) };
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && !"<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    match (1..=MAX_NAME).contains(&name.chars().count()) && name.chars().all(allowed) {
        true => Ok(Some(name)),
        false => Err(Fault::Service {
            exception: Some("InvalidNameException"),
            code: "InvalidName",
            status: 400,
            message: format!("Invalid Name: '{name}'"),
        }),
    }
}

/// Instants in answers: seconds since 1970 where the optimised integration gives them, a text where the SDK does.
fn instant(request: &Request, at_ms: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit an f64 exactly")]
    match request.integration.sdk {
        true => asl::timestamp(at_ms).into(),
        false => json!(at_ms as f64 / 1_000.0),
    }
}

async fn start(core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
    let (target, arn) = target(core, request).await?;
    let (name, input) = (name(request)?, input(request)?);
    let json = request.start.pattern == Pattern::Sync2;
    let awaited = json || request.start.pattern == Pattern::Sync;
    if target.machine.kind == MachineKind::Express {
        if awaited {
            return Err(unsupported(&arn));
        }
        let (message, arn) = core.express_message(&target, name, input);
        let mut changes = Batch::new();
        changes.send(message);
        let output = json!({"ExecutionArn": arn, "StartDate": instant(request, request.now_ms)});
        return Ok(Answer { output: request.answered(output, AWS_JSON), changes, child: None });
    }
    let token = || core.tokens.mint(request.execution, request.start.task);
    let on_end = awaited.then(|| OnEnd::Answer { token: token(), json });
    let name = name.map_or_else(uuid, str::to_owned);
    let begun = core.begin_start(&target, &name, &input, on_end).await.map_err(store_fault)?;
    let (output, changes, child) = match begun {
        Ok(start) => {
            let mut changes = start.batch;
            changes.send(Message::new(START_EXECUTION, &StartExecution { execution: start.id }));
            (
                json!({"ExecutionArn": start.arn, "StartDate": instant(request, start.started_at)}),
                changes,
                Some(start.id),
            )
        }
        // To start again what runs with the same input is no error; but who waits for an end must have begun it.
        Err(running) if !awaited && running.same => (
            json!({"ExecutionArn": running.arn, "StartDate": instant(request, running.started_at)}),
            Batch::new(),
            None,
        ),
        Err(other) => {
            return Err(Fault::Service {
                exception: Some("ExecutionAlreadyExistsException"),
                code: "ExecutionAlreadyExists",
                status: 400,
                message: format!("Execution Already Exists: '{}'", other.arn),
            });
        }
    };
    Ok(Answer { output: request.answered(output, AWS_JSON), changes, child: child.filter(|_| awaited) })
}

fn unsupported(arn: &str) -> Fault {
    Fault::Service {
        exception: Some("StateMachineTypeNotSupportedException"),
        code: "StateMachineTypeNotSupported",
        status: 400,
        message: format!("This operation is not supported by this type of state machine: '{arn}'"),
    }
}

fn store_fault(error: store::BoxError) -> Fault {
    Fault::Named(crate::task::Failure::new("StoreUnavailable", error.to_string()))
}

async fn start_sync(core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
    let (target, arn) = target(core, request).await?;
    if target.machine.kind != MachineKind::Express {
        return Err(unsupported(&arn));
    }
    let input = input(request)?;
    let run = core.run_express(&target, name(request)?, input.clone()).await.map_err(store_fault)?;
    let mut output = json!({
        "ExecutionArn": run.arn, "Input": input.to_string(), "InputDetails": {"Included": true}, "Name": run.name,
        "StartDate": instant(request, run.started_at), "StateMachineArn": arn, "Status": run.status,
        "StopDate": instant(request, run.stopped_at),
    });
    if let Some(given) = run.output {
        super::put(&mut output, "Output", given.to_string());
        super::put(&mut output, "OutputDetails", json!({"Included": true}));
    }
    if let Some(error) = run.error {
        super::put(&mut output, "Error", error);
    }
    if let Some(cause) = run.cause {
        super::put(&mut output, "Cause", cause);
    }
    Ok(Answer::of(output))
}

async fn stop(core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
    let arn = request.required("ExecutionArn")?;
    let unknown = || Fault::Service {
        exception: Some("ExecutionDoesNotExistException"),
        code: "ExecutionDoesNotExist",
        status: 400,
        message: format!("Execution Does Not Exist: '{arn}'"),
    };
    let place = arn.split_once(":execution:").and_then(|(_, rest)| rest.split_once(':'));
    let (machine, name) = place.ok_or_else(unknown)?;
    let machine = core.machine(machine).await?.ok_or_else(unknown)?;
    let place = core.find_execution(&machine, name).await.map_err(store_fault)?.ok_or_else(unknown)?;
    let text = |field: &str| request.text(field).map(str::to_owned);
    let stop = StopExecution { execution: place.id, error: text("Error"), cause: text("Cause") };
    let mut changes = Batch::new();
    changes.send(Message::new(STOP_EXECUTION, &stop));
    Ok(Answer { output: json!({"StopDate": instant(request, request.now_ms)}), changes, child: None })
}

/// Answers a task token, by a message of the same commit: whoever waits for it may be this execution itself.
async fn report(core: &Arc<Core>, request: &Request, action: &str) -> Result<Answer, Fault> {
    let token = request.required("TaskToken")?;
    let invalid = || Fault::of("InvalidTokenException", "Invalid Token: 'Invalid token'");
    let (execution, _) = core.tokens.open(token).ok_or_else(invalid)?;
    if core.store.get(&EXECUTIONS, &Key::Int(execution)).await?.is_none() {
        return Err(invalid());
    }
    let mut result = TaskResult { token: token.to_owned(), output: None, error: None, cause: None };
    match action {
        "sendTaskSuccess" => {
            let output = request.argument("Output").cloned().unwrap_or_default();
            let parsed = match output.as_str() {
                Some(text) => serde_json::from_str(text).ok(),
                None => Some(output),
            };
            let wrong = || Fault::of("InvalidOutputException", "Invalid Output: 'SerializationException'");
            result.output = Some(parsed.ok_or_else(wrong)?);
        }
        _ => {
            result.error = request.text("Error").map(str::to_owned);
            result.cause = request.text("Cause").map(str::to_owned);
        }
    }
    let mut changes = Batch::new();
    changes.send(Message::new(TASK_RESULT, &result));
    Ok(Answer { output: json!({}), changes, child: None })
}
