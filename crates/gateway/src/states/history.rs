//! The history of an execution.

use asl::HistoryEvent;
use serde_json::{Value, json};

use super::fault::Fault;
use super::{Call, executions, paging, set};

/// Fields of details that hold data of the execution.
const DATA: [&str; 4] = ["input", "output", "parameters", "assignedVariables"];

pub(super) async fn get(call: &Call<'_>) -> Result<Value, Fault> {
    let params = &call.params;
    let (limit, cursor) = paging::page(params, "history")?;
    let given = params.required("executionArn")?;
    let reverse = params.flag("reverseOrder");
    let data = !params.has("includeExecutionData") || params.flag("includeExecutionData");
    let from = match cursor {
        None => 0,
        Some(cursor) => cursor.parse::<usize>().map_err(|_| Fault::token())?,
    };
    let mut events = events(call, given).await?;
    if reverse {
        events.reverse();
    }
    let page: Vec<Value> = events
        .iter()
        .skip(from)
        .take(limit)
        .map(|event| {
            let mut event = event.to_value();
            if !data {
                withhold(&mut event);
            }
            event
        })
        .collect();
    let mut out = json!({ "events": page });
    let next = from.saturating_add(limit);
    if next < events.len() {
        set(&mut out, "nextToken", paging::token("history", &next.to_string()));
    }
    Ok(out)
}

async fn events(call: &Call<'_>, given: &str) -> Result<Vec<HistoryEvent>, Fault> {
    if let Some((_, events)) = executions::child(call, given).await? {
        return Ok(events);
    }
    let (_, place) = executions::place(call, given).await?;
    let events = call.engine().history(place.id).await.map_err(|error| Fault::store(&error))?;
    call.engine().store().flush().await.map_err(|error| Fault::store(&error.into()))?;
    events.ok_or_else(|| Fault::execution(given))
}

/// Takes the data out of the details of an event.
fn withhold(event: &mut Value) {
    let Value::Object(fields) = event else { return };
    for (name, details) in fields.iter_mut() {
        if name.ends_with("EventDetails")
            && let Value::Object(details) = details
        {
            details.retain(|field, _| !DATA.contains(&field.as_str()));
        }
    }
}
