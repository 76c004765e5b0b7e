//! Activities.

use std::time::Duration;

use runtime::{Activity, MachineError};
use serde_json::{Value, json};

use super::fault::Fault;
use super::{Call, arn, name, paging, seconds, set, tags};

/// How long a worker waits for a task.
const POLL: Duration = Duration::from_secs(60);

fn missing(arn: &str) -> Fault {
    Fault::new("ActivityDoesNotExist", format!("Activity Does Not Exist: '{arn}'"))
}

fn refused(error: MachineError) -> Fault {
    Fault::of_machine(error, "")
}

pub(super) async fn create(call: &Call<'_>) -> Result<Value, Fault> {
    let name = name::check(call.params.required("name")?)?;
    let made = call.engine().create_activity(name, &tags::given(&call.params)?).await.map_err(refused)?;
    Ok(json!({ "activityArn": call.arn(&format!("activity:{name}")), "creationDate": seconds(made.created_at) }))
}

async fn find(call: &Call<'_>) -> Result<Activity, Fault> {
    let given = call.params.required("activityArn")?;
    let found = call.engine().activity(arn::activity(given)?).await.map_err(refused)?;
    found.ok_or_else(|| missing(given))
}

fn show(call: &Call<'_>, activity: &Activity) -> Value {
    json!({
        "activityArn": call.arn(&format!("activity:{}", activity.name)),
        "name": activity.name,
        "creationDate": seconds(activity.created_at),
    })
}

pub(super) async fn describe(call: &Call<'_>) -> Result<Value, Fault> {
    let mut out = show(call, &find(call).await?);
    set(&mut out, "encryptionConfiguration", json!({ "type": "AWS_OWNED_KEY" }));
    Ok(out)
}

pub(super) async fn list(call: &Call<'_>) -> Result<Value, Fault> {
    let (limit, cursor) = paging::page(&call.params, "activities")?;
    let (activities, next) = call.engine().activities(cursor, limit).await.map_err(refused)?;
    let mut out = json!({ "activities": activities.iter().map(|a| show(call, a)).collect::<Vec<_>>() });
    if let Some(next) = next {
        set(&mut out, "nextToken", paging::token("activities", &next));
    }
    Ok(out)
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Value, Fault> {
    let name = arn::activity(call.params.required("activityArn")?)?;
    call.engine().delete_activity(name).await.map_err(refused)?;
    Ok(json!({}))
}

pub(super) async fn get_task(call: &Call<'_>) -> Result<Value, Fault> {
    let worker = call.params.text("workerName");
    let activity = find(call).await?;
    let fetched = call.engine().fetch_task(&activity.name, worker, POLL);
    let closing = async {
        match &call.context {
            Some(context) => context.closing().await,
            None => std::future::pending().await,
        }
    };
    let task = tokio::select! {
        task = fetched => task.map_err(|error| Fault::store(&error))?,
        () = closing => None,
    };
    Ok(match task {
        Some(task) => json!({ "taskToken": task.token, "input": task.input.to_string() }),
        None => json!({}),
    })
}
