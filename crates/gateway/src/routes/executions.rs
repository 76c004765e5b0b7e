//! Executions: where one stands, and what has happened in it.

use app::Instant;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::resource;
use crate::Gateway;
use crate::http::{Action, Caller, Problem, Reply, Segment, Wire};

resource![show_execution, show_history];

/// One run of a flow.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Execution {
    /// As the order names it.
    execution_id: String,
    /// Its ARN.
    arn: String,
    /// The flow.
    flow: String,
    /// Its name.
    name: String,
    /// RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED.
    status: String,
    started_at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<Instant>,
    /// What it was given.
    input: Value,
    /// What it gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Value>,
    /// The error's name, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    /// The states that it is at.
    waiting_for: Vec<String>,
}

/// The history of an execution.
#[derive(Serialize, ToSchema)]
struct History {
    /// As the Step Functions API shows them.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Value>,
}

/// `exe_` and 13 characters, or the 13 characters alone.
fn id(text: &str) -> Result<i64, Problem> {
    let bare = text.rsplit('_').next().unwrap_or_default();
    store::id::decode(bare).ok_or_else(|| Problem::not_found("such execution"))
}

/// Show an execution
#[utoipa::path(get, path = "/v1/executions/{id}", tag = "engine",
    params(("id" = String, Path, description = "the `executionId` of an order")),
    responses(
        (status = 200, description = "the execution", body = Execution),
        (status = 404, description = "there is no such execution", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_execution(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(text): Segment<String>,
) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    let found = gateway.engine.describe(id(&text)?).await.map_err(|e| Problem::unavailable(&*e))?;
    let execution = found.ok_or_else(|| Problem::not_found("such execution"))?;
    Ok(Reply::ok(&Execution {
        execution_id: text,
        arn: execution.arn,
        flow: execution.flow,
        name: execution.name,
        status: execution.status,
        started_at: Instant(execution.started_at),
        stopped_at: execution.stopped_at.map(Instant),
        input: execution.input,
        output: execution.output,
        error: execution.error,
        cause: execution.cause,
        waiting_for: execution.waiting_for,
    }))
}

/// Show the history of an execution, as the Step Functions API does
#[utoipa::path(get, path = "/v1/executions/{id}/history", tag = "engine",
    params(("id" = String, Path, description = "the `executionId` of an order")),
    responses(
        (status = 200, description = "its events", body = History),
        (status = 404, description = "there is no such execution", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_history(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(text): Segment<String>,
) -> Result<Reply, Problem> {
    caller.may(Action::Operate)?;
    let found = gateway.engine.history(id(&text)?).await.map_err(|e| Problem::unavailable(&*e))?;
    let events = found.ok_or_else(|| Problem::not_found("such execution"))?;
    Ok(Reply::ok(&History { events: events.iter().map(asl::HistoryEvent::to_value).collect() }))
}
