//! Runs of distributed Maps, and the child executions in them.

use asl::MapRunUpdate;
use asl::map_runs::{Counts, MapRun};
use runtime::{ChildExecution, MapRunView};
use serde_json::{Value, json};

use super::fault::Fault;
use super::{Call, arn, executions, paging, seconds, set};

fn shown(view: &MapRunView) -> Value {
    let mut out = json!({
        "executionArn": view.execution_arn,
        "mapRunArn": view.run.arn,
        "stateMachineArn": view.state_machine_arn,
        "startDate": seconds(view.run.started_ms),
    });
    if let Some(stopped_ms) = view.run.stopped_ms {
        set(&mut out, "stopDate", seconds(stopped_ms));
    }
    out
}

fn counts(counts: Counts) -> Value {
    json!({
        "pending": counts.pending,
        "running": counts.running,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "timedOut": counts.timed_out,
        "aborted": counts.aborted,
        "total": counts.total,
        "resultsWritten": counts.results_written,
        "failuresNotRedrivable": 0,
        "pendingRedrive": 0,
    })
}

/// The cursor of a list of which pages are counted.
pub(super) fn skipped(cursor: Option<String>) -> Result<usize, Fault> {
    cursor.map_or(Ok(0), |cursor| cursor.parse().map_err(|_| Fault::token()))
}

pub(super) async fn list(call: &Call<'_>) -> Result<Value, Fault> {
    let (limit, cursor) = paging::page(&call.params, "map runs")?;
    let skip = skipped(cursor)?;
    let given = call.params.required("executionArn")?;
    let (_, place) = executions::place(call, given).await?;
    let runs = call.engine().map_runs(place.id).await.map_err(|error| Fault::store(&error))?;
    let runs = runs.ok_or_else(|| Fault::execution(given))?;
    call.engine().store().flush().await.map_err(|error| Fault::store(&error.into()))?;
    let page: Vec<Value> = runs.iter().skip(skip).take(limit).map(shown).collect();
    let mut out = json!({ "mapRuns": page });
    let next = skip.saturating_add(limit);
    if next < runs.len() {
        set(&mut out, "nextToken", paging::token("map runs", &next.to_string()));
    }
    Ok(out)
}

async fn find(call: &Call<'_>) -> Result<MapRunView, Fault> {
    let given = call.params.required("mapRunArn")?;
    let found = call.engine().map_run(arn::map_run(given)?).await.map_err(|error| Fault::store(&error))?;
    found.ok_or_else(|| Fault::resource(given))
}

pub(super) async fn describe(call: &Call<'_>) -> Result<Value, Fault> {
    let view = find(call).await?;
    call.engine().store().flush().await.map_err(|error| Fault::store(&error.into()))?;
    let MapRun { limits, .. } = &view.run;
    let mut out = shown(&view);
    if let Value::Object(fields) = &mut out {
        fields.remove("stateMachineArn");
    }
    let more = [
        ("status", view.run.status.name().into()),
        ("maxConcurrency", limits.max_concurrency.into()),
        ("toleratedFailurePercentage", limits.tolerated_percentage.unwrap_or_default().into()),
        ("toleratedFailureCount", whole(limits.tolerated_count.unwrap_or_default())),
        ("itemCounts", counts(view.run.item_counts())),
        ("executionCounts", counts(view.run.execution_counts())),
        ("redriveCount", view.run.redrives.into()),
    ];
    for (field, value) in more {
        set(&mut out, field, value);
    }
    if let Some(redriven_ms) = view.run.redriven_ms {
        set(&mut out, "redriveDate", seconds(redriven_ms));
    }
    Ok(out)
}

/// A count, which the limits hold as a number of any kind.
fn whole(n: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates at the bounds of a count")]
    let n = n.max(0.0) as u64;
    n.into()
}

pub(super) async fn update(call: &Call<'_>) -> Result<Value, Fault> {
    let params = &call.params;
    let view = find(call).await?;
    let count = |name: &str| params.integer(name).and_then(|n| u64::try_from(n).ok());
    #[expect(clippy::cast_precision_loss, reason = "more failures than an f64 counts exactly are never tolerated")]
    let update = MapRunUpdate {
        max_concurrency: count("maxConcurrency"),
        tolerated_percentage: params.get("toleratedFailurePercentage").and_then(Value::as_f64),
        tolerated_count: count("toleratedFailureCount").map(|n| n as f64),
    };
    let changed = call.engine().update_map_run(&view.run.arn, update).await.map_err(|error| Fault::store(&error))?;
    match changed {
        Some(true) => Ok(json!({})),
        Some(false) => Err(Fault::new("ValidationException", "The Map Run is not running, so it cannot be updated")),
        None => Err(Fault::resource(&view.run.arn)),
    }
}

/// What ListExecutions shows of a child.
pub(super) fn child(child: &ChildExecution) -> Value {
    let mut out = json!({
        "executionArn": child.arn,
        "stateMachineArn": child.state_machine_arn,
        "mapRunArn": child.map_run_arn,
        "name": child.name,
        "status": child.status,
        "startDate": seconds(child.started_at),
        "itemCount": child.items,
    });
    if let Some(stopped_at) = child.stopped_at {
        set(&mut out, "stopDate", seconds(stopped_at));
    }
    out
}

/// ListExecutions by the run.
pub(super) async fn executions_of(call: &Call<'_>, limit: usize, cursor: Option<String>) -> Result<Value, Fault> {
    let given = call.params.required("mapRunArn")?;
    let run = find(call).await?.run;
    match call.params.text("redriveFilter") {
        Some(_) if run.redrives > 0 => {
            let message =
                "Child executions are redriven with their parent and not counted one by one; leave redriveFilter out";
            return Err(Fault::new("ValidationException", message));
        }
        Some("REDRIVEN") => return Ok(json!({ "executions": [] })),
        _ => {}
    }
    let (skip, status) = (skipped(cursor)?, call.params.text("statusFilter"));
    let page = call.engine().map_run_executions(arn::map_run(given)?, status, skip, limit).await;
    let (children, next) = page.map_err(|error| Fault::store(&error))?.ok_or_else(|| Fault::resource(given))?;
    call.engine().store().flush().await.map_err(|error| Fault::store(&error.into()))?;
    let mut out = json!({ "executions": children.iter().map(child).collect::<Vec<_>>() });
    if let Some(next) = next {
        set(&mut out, "nextToken", paging::token("executions", &next.to_string()));
    }
    Ok(out)
}
