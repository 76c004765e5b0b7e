//! State machines.

use asl::{Finding, Severity};
use runtime::{MachineKind, MachineUpdate, NewMachine, Revision, StateMachine};
use serde_json::{Map, Value, json};

use super::arn::{self, Qualifier};
use super::fault::Fault;
use super::params::Params;
use super::{Call, executions, name, paging, references, seconds, set, settings, tags};

/// Findings of a validation that asks for no number.
const FINDINGS: usize = 100;

fn kind(params: &Params) -> MachineKind {
    match params.text("type") {
        Some("EXPRESS") => MachineKind::Express,
        _ => MachineKind::Standard,
    }
}

fn role(role: &str) -> Result<String, Fault> {
    match role.starts_with("arn:") {
        true => Ok(role.to_owned()),
        false => Err(Fault::new("InvalidArn", format!("Invalid Role Arn: '{role}'"))),
    }
}

/// The description of a version, which only a published one can have.
fn version_description(params: &Params) -> Result<Option<&str>, Fault> {
    let description = params.text("versionDescription").filter(|text| !text.is_empty());
    match description.is_some() && !params.flag("publish") {
        true => Err(Fault::new("ValidationException", "Version description can only be set when publish is true")),
        false => Ok(description),
    }
}

pub(super) async fn create(call: &Call<'_>) -> Result<Value, Fault> {
    let params = &call.params;
    let machine = params.required("name")?;
    params.required("definition")?;
    let new = NewMachine {
        name: name::check(machine)?.to_owned(),
        definition: params.text("definition").unwrap_or_default().to_owned(),
        role_arn: {
            params.required("roleArn")?;
            role(params.text("roleArn").unwrap_or_default())?
        },
        kind: kind(params),
        settings: settings::complete(params)?,
        tags: tags::given(params)?,
    };
    let description = version_description(params)?;
    let arn = call.arn(&format!("stateMachine:{machine}"));
    let refused = |error| Fault::of_machine(error, &arn);
    let made = call.engine().create_state_machine(&new).await.map_err(refused)?;
    let mut out = json!({ "creationDate": seconds(made.created_at), "stateMachineArn": arn });
    if params.flag("publish") {
        let version = call.engine().publish_version(machine, None, description).await;
        let version = version.map_err(|error| Fault::of_machine(error, &arn))?;
        set(&mut out, "stateMachineVersionArn", format!("{arn}:{}", version.version));
    }
    Ok(out)
}

pub(super) async fn update(call: &Call<'_>) -> Result<Value, Fault> {
    let params = &call.params;
    let arn = params.required("stateMachineArn")?;
    let machine = arn::machine(arn)?;
    let settings = settings::given(params)?;
    let update = MachineUpdate {
        definition: params.text("definition").map(str::to_owned),
        role_arn: params.text("roleArn").map(role).transpose()?,
        settings,
    };
    if update.definition.is_none() && update.role_arn.is_none() && update.settings.is_empty() {
        let message = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be \
             specified";
        return Err(Fault::new("MissingRequiredParameter", message));
    }
    if machine.qualifier != Qualifier::None {
        return Err(Fault::machine(arn));
    }
    let description = version_description(params)?;
    let refused = |error| Fault::of_machine(error, arn);
    let (changed, revision) = call.engine().update_state_machine(machine.name, &update).await.map_err(refused)?;
    let mut out = json!({ "updateDate": seconds(changed.updated_at) });
    if let Some(revision_id) = revision.revision_id {
        set(&mut out, "revisionId", revision_id);
    }
    if params.flag("publish") {
        let version = call.engine().publish_version(machine.name, None, description).await;
        let version = version.map_err(|error| Fault::of_machine(error, arn))?;
        set(
            &mut out,
            "stateMachineVersionArn",
            call.arn(&format!("stateMachine:{}:{}", machine.name, version.version)),
        );
    }
    Ok(out)
}

/// The machine of that name; unless it exists, the fault names this ARN.
pub(super) async fn find(call: &Call<'_>, machine: &str, arn: &str) -> Result<StateMachine, Fault> {
    let found = call.engine().state_machine(machine).await.map_err(|error| Fault::of_machine(error, arn))?;
    found.ok_or_else(|| Fault::machine(arn))
}

pub(super) async fn revision(call: &Call<'_>, flow_id: i64, arn: &str) -> Result<Revision, Fault> {
    let found = call.engine().revision(flow_id).await.map_err(|error| Fault::of_machine(error, arn))?;
    found.ok_or_else(|| Fault::machine(arn))
}

fn show(revision: &Revision, without_definition: bool) -> Map<String, Value> {
    let mut out = Map::new();
    if !without_definition {
        out.insert("definition".into(), (&*revision.definition).into());
    }
    out.insert("roleArn".into(), revision.role_arn.as_str().into());
    if let Some(revision_id) = &revision.revision_id {
        out.insert("revisionId".into(), revision_id.as_str().into());
    }
    settings::show(&revision.settings, &mut out);
    let references = references::of(&revision.definition);
    if !references.is_empty() {
        out.insert("variableReferences".into(), references.into());
    }
    out
}

fn metadata_only(params: &Params) -> bool {
    params.text("includedData") == Some("METADATA_ONLY")
}

pub(super) async fn describe(call: &Call<'_>) -> Result<Value, Fault> {
    let given = call.params.required("stateMachineArn")?;
    let arn = arn::machine(given)?;
    let machine = find(call, arn.name, given).await?;
    let base = call.arn(&format!("stateMachine:{}", machine.name));
    let (flow_id, created_at, shown, description) = match arn.qualifier {
        Qualifier::None => (machine.flow_id, machine.created_at, base, None),
        Qualifier::Alias(_) => return Err(Fault::machine(given)),
        Qualifier::Version(number) => {
            let version = call.engine().version(&machine, number).await;
            let version = version.map_err(|e| Fault::of_machine(e, given))?.ok_or_else(|| Fault::machine(given))?;
            (version.flow_id, version.created_at, format!("{base}:{number}"), version.description)
        }
    };
    let mut out = show(&revision(call, flow_id, given).await?, metadata_only(&call.params));
    out.insert("stateMachineArn".into(), shown.into());
    out.insert("name".into(), machine.name.into());
    out.insert("status".into(), if machine.deleting { "DELETING" } else { "ACTIVE" }.into());
    out.insert("type".into(), machine.kind.name().into());
    out.insert("creationDate".into(), seconds(created_at));
    if let Some(description) = description {
        out.insert("description".into(), description.into());
    }
    Ok(out.into())
}

pub(super) async fn describe_for_execution(call: &Call<'_>) -> Result<Value, Fault> {
    let given = call.params.required("executionArn")?;
    let child = executions::child(call, given).await?.map(|(child, _)| child);
    let parent = match &child {
        Some(child) => {
            let run = call.engine().map_run(&child.map_run_arn).await.map_err(|error| Fault::store(&error))?;
            run.ok_or_else(|| Fault::execution(given))?.execution_arn
        }
        None => given.to_owned(),
    };
    let (machine, _, description) = executions::found(call, &parent).await?;
    let revision = revision(call, description.flow_id, given).await?;
    let mut out = show(&revision, metadata_only(&call.params));
    out.insert("stateMachineArn".into(), call.arn(&format!("stateMachine:{}", machine.name)).into());
    out.insert("name".into(), machine.name.into());
    out.insert("updateDate".into(), seconds(revision.created_at));
    if let Some(child) = child {
        let label = arn::machine(&child.state_machine_arn)?.label.unwrap_or_default();
        out.insert("label".into(), label.into());
        out.insert("mapRunArn".into(), child.map_run_arn.into());
        out.insert("stateMachineArn".into(), child.state_machine_arn.as_str().into());
    }
    Ok(out.into())
}

pub(super) async fn delete(call: &Call<'_>) -> Result<Value, Fault> {
    let given = call.params.required("stateMachineArn")?;
    let arn = arn::machine(given)?;
    if arn.qualifier != Qualifier::None {
        return Err(Fault::machine(given));
    }
    call.engine().delete_state_machine(arn.name).await.map_err(|error| Fault::of_machine(error, given))?;
    Ok(json!({}))
}

pub(super) async fn list(call: &Call<'_>) -> Result<Value, Fault> {
    let (limit, cursor) = paging::page(&call.params, "machines")?;
    let page = call.engine().state_machines(cursor, limit).await;
    let (machines, next) = page.map_err(|error| Fault::of_machine(error, ""))?;
    let item = |machine: &StateMachine| {
        json!({
            "stateMachineArn": call.arn(&format!("stateMachine:{}", machine.name)),
            "name": machine.name,
            "type": machine.kind.name(),
            "creationDate": seconds(machine.created_at),
        })
    };
    let mut out = json!({ "stateMachines": machines.iter().map(item).collect::<Vec<_>>() });
    if let Some(next) = next {
        set(&mut out, "nextToken", paging::token("machines", &next));
    }
    Ok(out)
}

fn show_finding(finding: &Finding) -> Value {
    let mut out = json!({
        "severity": if finding.severity == Severity::Error { "ERROR" } else { "WARNING" },
        "code": finding.code,
        "message": finding.message,
    });
    if let Some(location) = &finding.location {
        set(&mut out, "location", location.as_str());
    }
    out
}

pub(super) fn validate(call: &Call<'_>) -> Result<Value, Fault> {
    let params = &call.params;
    params.required("definition")?;
    let definition = params.text("definition").unwrap_or_default();
    let warnings = params.text("severity") == Some("WARNING");
    let most = params.integer("maxResults").filter(|most| *most > 0);
    let most = most.and_then(|most| usize::try_from(most).ok()).map_or(FINDINGS, |most| most.min(FINDINGS));
    let (result, findings) = match runtime::check_definition(definition, kind(params)) {
        Ok(definition) => ("OK", definition.warnings().to_vec()),
        Err(findings) => ("FAIL", findings),
    };
    let wanted: Vec<Value> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error || warnings)
        .map(|finding| show_finding(&finding.finding()))
        .collect();
    let truncated = wanted.len() > most;
    let shown: Vec<Value> = wanted.into_iter().take(most).collect();
    Ok(json!({ "result": result, "diagnostics": shown, "truncated": truncated }))
}
