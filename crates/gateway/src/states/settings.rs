//! Logging, tracing and encryption of a state machine: kept and shown; the engine's own logs and traces are set in the
//! server's configuration.

use serde_json::{Map, Value, json};

use super::fault::Fault;
use super::params::Params;

const LOGGING: &str = "loggingConfiguration";
const TRACING: &str = "tracingConfiguration";
const ENCRYPTION: &str = "encryptionConfiguration";

/// The settings that a call gives, each complete with what AWS takes where nothing is said.
pub(super) fn given(params: &Params) -> Result<Map<String, Value>, Fault> {
    let mut out = Map::new();
    if let Some(logging) = params.object(LOGGING) {
        out.insert(LOGGING.into(), complete_logging(logging)?);
    }
    if let Some(tracing) = params.object(TRACING) {
        let enabled = tracing.get("enabled").and_then(Value::as_bool).unwrap_or_default();
        out.insert(TRACING.into(), json!({ "enabled": enabled }));
    }
    if let Some(encryption) = params.object(ENCRYPTION) {
        if encryption.get("type").and_then(Value::as_str) != Some("AWS_OWNED_KEY") {
            let message = "Invalid Encryption Configuration: only AWS_OWNED_KEY is available here";
            return Err(Fault::new("InvalidEncryptionConfiguration", message));
        }
        out.insert(ENCRYPTION.into(), json!({ "type": "AWS_OWNED_KEY" }));
    }
    Ok(out)
}

fn complete_logging(given: &Map<String, Value>) -> Result<Value, Fault> {
    let level = given.get("level").and_then(Value::as_str).unwrap_or("OFF");
    let destinations = given.get("destinations").and_then(Value::as_array).filter(|list| !list.is_empty());
    if level != "OFF" && destinations.is_none_or(|list| list.len() != 1) {
        let message = "Invalid Logging Configuration: Must specify exactly one Log Destination.";
        return Err(Fault::new("InvalidLoggingConfiguration", message));
    }
    let data = given.get("includeExecutionData").and_then(Value::as_bool).unwrap_or_default();
    let mut out = json!({ "level": level, "includeExecutionData": data });
    if let Some(list) = destinations {
        super::set(&mut out, "destinations", list.clone());
    }
    Ok(out)
}

/// The settings of a new state machine.
pub(super) fn complete(params: &Params) -> Result<Value, Fault> {
    let mut out = defaults();
    out.extend(given(params)?);
    Ok(out.into())
}

fn defaults() -> Map<String, Value> {
    let logging = json!({ "level": "OFF", "includeExecutionData": false });
    let mut out = Map::new();
    out.insert(LOGGING.into(), logging);
    out.insert(TRACING.into(), json!({ "enabled": false }));
    out.insert(ENCRYPTION.into(), json!({ "type": "AWS_OWNED_KEY" }));
    out
}

/// Adds the settings to an answer.
pub(super) fn show(settings: &Value, out: &mut Map<String, Value>) {
    out.extend(defaults());
    if let Value::Object(settings) = settings {
        out.extend(settings.clone());
    }
}
