//! Published versions of state machines.

use serde_json::{Value, json};

use super::arn::{self, Qualifier};
use super::fault::Fault;
use super::{Call, machines, paging, seconds, set};

pub(super) async fn publish(call: &Call<'_>) -> Result<Value, Fault> {
    let given = call.params.required("stateMachineArn")?;
    let arn = arn::machine(given)?;
    if arn.qualifier != Qualifier::None {
        return Err(Fault::machine(given));
    }
    let revision = call.params.text("revisionId");
    let description = call.params.text("description").filter(|text| !text.is_empty());
    let version = call.engine().publish_version(arn.name, revision, description).await;
    let version = version.map_err(|error| Fault::of_machine(error, given))?;
    Ok(json!({
        "creationDate": seconds(version.created_at),
        "stateMachineVersionArn": call.arn(&format!("stateMachine:{}:{}", arn.name, version.version)),
    }))
}

pub(super) async fn list(call: &Call<'_>) -> Result<Value, Fault> {
    let (limit, cursor) = paging::page(&call.params, "versions")?;
    let given = call.params.required("stateMachineArn")?;
    let arn = arn::machine(given)?;
    let machine = machines::find(call, arn.name, given).await?;
    let page = call.engine().versions(&machine, cursor, limit).await;
    let (versions, next) = page.map_err(|error| Fault::of_machine(error, given))?;
    let item = |version: &runtime::Version| {
        json!({
            "creationDate": seconds(version.created_at),
            "stateMachineVersionArn": call.arn(&format!("stateMachine:{}:{}", arn.name, version.version)),
        })
    };
    let mut out = json!({ "stateMachineVersions": versions.iter().map(item).collect::<Vec<_>>() });
    if let Some(next) = next {
        set(&mut out, "nextToken", paging::token("versions", &next));
    }
    Ok(out)
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Value, Fault> {
    let given = call.params.required("stateMachineVersionArn")?;
    let arn = arn::machine(given)?;
    let Qualifier::Version(version) = arn.qualifier else {
        let message = format!("Invalid State Machine Version ARN: '{given}'");
        return Err(Fault::new("ValidationException", message));
    };
    call.engine().delete_version(arn.name, version).await.or_else(|error| match error {
        runtime::MachineError::DoesNotExist => Ok(()),
        error => Err(Fault::of_machine(error, given)),
    })?;
    Ok(json!({}))
}
