//! Tags of state machines and activities.

use std::collections::BTreeMap;

use runtime::{MAX_TAGS, MachineError};
use serde_json::{Value, json};

use super::Call;
use super::arn::{self, Qualifier};
use super::fault::Fault;
use super::params::Params;

/// What has tags.
enum Resource<'a> {
    Machine(&'a str),
    Activity(&'a str),
}

fn resource(given: &str) -> Result<Resource<'_>, Fault> {
    if let Ok(name) = arn::activity(given) {
        return Ok(Resource::Activity(name));
    }
    let machine = arn::machine(given)?;
    match machine.qualifier {
        Qualifier::None => Ok(Resource::Machine(machine.name)),
        _ => Err(Fault::resource(given)),
    }
}

fn refused(error: MachineError, arn: &str) -> Fault {
    match error {
        MachineError::DoesNotExist => Fault::resource(arn),
        MachineError::TooMany(problem) => Fault::new("TooManyTags", problem),
        error => Fault::of_machine(error, arn),
    }
}

/// The tags that a call gives.
pub(super) fn given(params: &Params) -> Result<BTreeMap<String, String>, Fault> {
    let mut tags = BTreeMap::new();
    for tag in params.list("tags").unwrap_or_default() {
        let text = |field: &str| tag.get(field).and_then(Value::as_str).unwrap_or_default();
        let (key, value) = (text("key"), text("value"));
        tags.insert(key.to_owned(), value.to_owned());
    }
    if tags.len() > MAX_TAGS {
        return Err(Fault::new("TooManyTags", format!("a resource has at most {MAX_TAGS} tags")));
    }
    Ok(tags)
}

async fn change(call: &Call<'_>, set: &BTreeMap<String, String>, remove: &[String]) -> Result<Value, Fault> {
    let given = call.params.required("resourceArn")?;
    let changed = match resource(given)? {
        Resource::Machine(name) => call.engine().tag_state_machine(name, set, remove).await,
        Resource::Activity(name) => call.engine().tag_activity(name, set, remove).await,
    };
    changed.map_err(|error| refused(error, given))?;
    Ok(json!({}))
}

pub(super) async fn tag(call: &Call<'_>) -> Result<Value, Fault> {
    change(call, &given(&call.params)?, &[]).await
}

pub(super) async fn untag(call: &Call<'_>) -> Result<Value, Fault> {
    let keys = call.params.list("tagKeys").unwrap_or_default();
    let keys: Vec<String> = keys.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    change(call, &BTreeMap::new(), &keys).await
}

pub(super) async fn list(call: &Call<'_>) -> Result<Value, Fault> {
    let given = call.params.required("resourceArn")?;
    let tags = match resource(given)? {
        Resource::Machine(name) => call.engine().state_machine(name).await.map(|found| found.map(|m| m.tags)),
        Resource::Activity(name) => call.engine().activity(name).await.map(|found| found.map(|a| a.tags)),
    };
    let tags = tags.map_err(|error| refused(error, given))?.ok_or_else(|| Fault::resource(given))?;
    let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    Ok(json!({ "tags": tags }))
}
