//! Aliases of versions.

use runtime::{Alias, MachineError};
use serde_json::{Value, json};

use super::arn::{self, Qualifier};
use super::fault::Fault;
use super::params::Params;
use super::{Call, machines, name, paging, seconds, set};

/// Routing to another version than before under the same name.
const DIFFERENT: &str = "Failed to create alias because an alias with the same name and a different routing configuration \
     already exists.";

/// The machine of a routing configuration, its versions and their weights.
struct Routing<'a> {
    machine: &'a str,
    routes: Vec<(i64, i64)>,
}

fn routing(params: &Params) -> Result<Option<Routing<'_>>, Fault> {
    let Some(items) = params.list("routingConfiguration") else { return Ok(None) };
    let pairs: Vec<(&str, i64)> = items
        .iter()
        .filter_map(|item| Some((item.get("stateMachineVersionArn")?.as_str()?, item.get("weight")?.as_i64()?)))
        .collect();
    let arns = || pairs.iter().map(|(arn, _)| *arn).collect::<Vec<_>>().join(", ");
    let refuse = |problem: String| Err(Fault::new("ValidationException", problem));
    let (mut machine, mut routes) = (None, Vec::new());
    for (arn, weight) in &pairs {
        let parsed = arn::machine(arn)?;
        let Qualifier::Version(version) = parsed.qualifier else {
            return refuse(format!(
                "Routing configuration must contain state machine version ARNs. Received: [{}]",
                arns()
            ));
        };
        if *machine.get_or_insert(parsed.name) != parsed.name {
            return refuse(format!(
                "Routing configuration must contain versions of the same state machine. Received: [{}]",
                arns()
            ));
        }
        if routes.iter().any(|(other, _)| *other == version) {
            return refuse(format!(
                "Routing configuration must contain distinct state machine version ARNs. Received: [{}]",
                arns()
            ));
        }
        routes.push((version, *weight));
    }
    if routes.iter().map(|(_, weight)| weight).sum::<i64>() != 100 {
        let weights: Vec<String> = routes.iter().map(|(_, weight)| weight.to_string()).collect();
        return refuse(format!(
            "Sum of routing configuration weights must equal 100. Received: [{}]",
            weights.join(", ")
        ));
    }
    Ok(machine.map(|machine| Routing { machine, routes }))
}

/// The machine and the alias that an ARN names.
fn alias_arn(call: &Call<'_>) -> Result<(String, String, String), Fault> {
    let given = call.params.required("stateMachineAliasArn")?;
    let arn = arn::machine(given)?;
    match arn.qualifier {
        Qualifier::Alias(alias) => Ok((given.to_owned(), arn.name.to_owned(), alias.to_owned())),
        _ => Err(Fault::new("InvalidArn", format!("Invalid Arn: 'Invalid state machine alias ARN: {given}'"))),
    }
}

pub(super) async fn create(call: &Call<'_>) -> Result<Value, Fault> {
    let alias = name::check(call.params.required("name")?)?;
    let missing = || Fault::constraint("null", "routingConfiguration", "Member must not be null");
    let Routing { machine, routes } = routing(&call.params)?.ok_or_else(missing)?;
    let description = call.params.text("description");
    let made = call.engine().create_alias(machine, alias, &routes, description).await.map_err(|error| match error {
        MachineError::AlreadyExists => Fault::new("ConflictException", DIFFERENT),
        MachineError::DoesNotExist => Fault::resource(&call.arn(&format!("stateMachine:{machine}"))),
        error => Fault::of_machine(error, &call.arn(&format!("stateMachine:{machine}"))),
    })?;
    Ok(json!({
        "creationDate": seconds(made.created_at),
        "stateMachineAliasArn": call.arn(&format!("stateMachine:{machine}:{alias}")),
    }))
}

pub(super) async fn update(call: &Call<'_>) -> Result<Value, Fault> {
    let (given, machine, alias) = alias_arn(call)?;
    let routing = routing(&call.params)?;
    let description = call.params.text("description");
    if routing.is_none() && description.is_none() {
        let message = "Either the description or the routing configuration must be specified";
        return Err(Fault::new("ValidationException", message));
    }
    let routes = routing.as_ref().map(|routing| routing.routes.as_slice());
    let changed = call.engine().update_alias(&machine, &alias, routes, description).await;
    let changed = changed.map_err(|error| not_found_or(error, &given))?;
    Ok(json!({ "updateDate": seconds(changed.updated_at) }))
}

fn not_found_or(error: MachineError, arn: &str) -> Fault {
    match error {
        MachineError::DoesNotExist => Fault::resource(arn),
        error => Fault::of_machine(error, arn),
    }
}

pub(super) async fn describe(call: &Call<'_>) -> Result<Value, Fault> {
    let (given, machine, alias) = alias_arn(call)?;
    let machine = machines::find(call, &machine, &given).await.map_err(|_| Fault::resource(&given))?;
    let found = call.engine().alias(&machine, &alias).await.map_err(|error| not_found_or(error, &given))?;
    let found = found.ok_or_else(|| Fault::resource(&given))?;
    let route = |(version, weight): &(i64, i64)| {
        let arn = call.arn(&format!("stateMachine:{}:{version}", machine.name));
        json!({ "stateMachineVersionArn": arn, "weight": weight })
    };
    let mut out = json!({
        "stateMachineAliasArn": call.arn(&format!("stateMachine:{}:{alias}", machine.name)),
        "name": found.name,
        "routingConfiguration": found.routes.iter().map(route).collect::<Vec<_>>(),
        "creationDate": seconds(found.created_at),
        "updateDate": seconds(found.updated_at),
    });
    if let Some(description) = found.description {
        set(&mut out, "description", description);
    }
    Ok(out)
}

pub(super) async fn list(call: &Call<'_>) -> Result<Value, Fault> {
    let (limit, cursor) = paging::page(&call.params, "aliases")?;
    let given = call.params.required("stateMachineArn")?;
    let arn = arn::machine(given)?;
    let machine = machines::find(call, arn.name, given).await?;
    let page = call.engine().aliases(&machine, cursor, limit).await;
    let (aliases, next) = page.map_err(|error| Fault::of_machine(error, given))?;
    let routed = |alias: &&Alias| match arn.qualifier {
        Qualifier::Version(version) => alias.routes.iter().any(|(routed, _)| *routed == version),
        _ => true,
    };
    let item = |alias: &Alias| {
        json!({
            "creationDate": seconds(alias.created_at),
            "stateMachineAliasArn": call.arn(&format!("stateMachine:{}:{}", machine.name, alias.name)),
        })
    };
    let mut out = json!({ "stateMachineAliases": aliases.iter().filter(routed).map(item).collect::<Vec<_>>() });
    if let Some(next) = next {
        set(&mut out, "nextToken", paging::token("aliases", &next));
    }
    Ok(out)
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Value, Fault> {
    let (given, machine, alias) = alias_arn(call)?;
    call.engine().delete_alias(&machine, &alias).await.map_err(|error| not_found_or(error, &given))?;
    Ok(json!({}))
}
