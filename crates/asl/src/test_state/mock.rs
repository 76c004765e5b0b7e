//! The mock of a test: what it may be, and whether it has the shape of the service's answer.

use serde_json::{Map, Value};

use super::{Refused, invalid, json_field};
use crate::definition::{Kind, State};
use crate::resource::Resource;

/// The shapes of the answers of the resources that a task may call, by the end of the resource's ARN. A name that ends
/// with `!` is required, `*` is any name, and `@` refers to a shape of that name.
const ANSWERS: &str = include_str!("answers.json");
/// The deepest answer that is looked at.
const MAX_DEPTH: usize = 64;

/// What a task answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Mock {
    /// This is its result.
    Result(Value),
    /// It fails like this: error and cause, and both may be missing.
    Error(Option<String>, Option<String>),
}

impl Mock {
    /// The mock in a request.
    pub(super) fn of(request: &Value) -> Result<Option<Mock>, Refused> {
        let mock = &request["mock"];
        let text = |field: &str| mock.get("errorOutput")?.get(field)?.as_str().map(str::to_owned);
        match (mock.get("result").is_some(), mock.get("errorOutput").is_some()) {
            (true, true) => invalid("A test mock should have only one of the following fields: [result, errorOutput]."),
            (true, false) => match json_field(mock, "result") {
                Ok(result) => Ok(result.map(Mock::Result)),
                Err(_) => invalid("Mocked result must be a valid JSON."),
            },
            (false, true) => Ok(Some(Mock::Error(text("error"), text("cause")))),
            (false, false) => Ok(None),
        }
    }
}

/// Checks what the request mocks against the state that is tested.
pub(super) fn check(request: &Value, state: &State, mock: Option<&Mock>) -> Result<(), Refused> {
    let configuration = &request["stateConfiguration"];
    let Some(mock) = mock else {
        if configuration.get("mapIterationFailureCount").is_some() {
            return invalid("TestState does not support MapIterationFailureCount when a mock is not specified.");
        }
        return match state.kind {
            Kind::Task(_) if request["roleArn"].as_str().is_none() => {
                invalid("RoleArn must be specified when testing a Task state")
            }
            Kind::Map(_) | Kind::Parallel(_) => {
                invalid(format!("State type '{}' is not supported when a mock is not specified", state.kind.name()))
            }
            _ => Ok(()),
        };
    };
    if request["revealSecrets"] == true {
        return invalid("TestState does not support RevealSecrets when a mock is specified.");
    }
    if state.kind.outcomes().is_none() {
        return invalid(format!("State type '{}' is not supported when a mock is specified", state.kind.name()));
    }
    let Mock::Result(result) = mock else { return Ok(()) };
    match &state.kind {
        Kind::Map(map) if map.writer.as_ref().is_some_and(|writer| writer.resource.is_some()) => {
            if result.is_object() {
                Ok(())
            } else {
                invalid("Mocked result must be a JSON object.")
            }
        }
        Kind::Map(_) | Kind::Parallel(_) if !result.is_array() => invalid("Mocked result must be an array."),
        Kind::Task(task) => {
            let mode = request.pointer("/mock/fieldValidationMode").and_then(Value::as_str);
            check_shape(&task.resource, result, mode)
        }
        _ => Ok(()),
    }
}

/// Compares a result with the shape of the service's answer: all of it, or in the mode PRESENT only what is there.
fn check_shape(resource: &Resource, result: &Value, mode: Option<&str>) -> Result<(), Refused> {
    if mode == Some("NONE") || resource.waits_for_token() {
        return Ok(());
    }
    let shapes = Shapes { all: serde_json::from_str(ANSWERS).unwrap_or_default(), strict: mode != Some("PRESENT") };
    let name = resource.raw.splitn(6, ':').nth(5).unwrap_or_default();
    let Some(shape) = shapes.all.get(name.strip_suffix(":2").unwrap_or(name)) else { return Ok(()) };
    match shapes.mismatch(shape, "", result, MAX_DEPTH) {
        Some(problem) => invalid(format!("Mock result schema validation error: {problem}")),
        None => Ok(()),
    }
}

struct Shapes {
    all: Map<String, Value>,
    strict: bool,
}

impl Shapes {
    /// What is wrong with a value of the field of that name.
    fn mismatch(&self, shape: &Value, field: &str, value: &Value, depth: usize) -> Option<String> {
        let wrong = |kind: &str| Some(format!("Field '{field}' must be {kind}"));
        match (shape, value) {
            _ if depth == 0 => None,
            (_, Value::Null) if !field.is_empty() => None,
            (Value::String(word), _) => match word.as_str() {
                "string" if !value.is_string() => wrong("a string"),
                "number" if !value.is_number() => wrong("a number"),
                "boolean" if !value.is_boolean() => wrong("a boolean"),
                "string" | "number" | "boolean" => None,
                name => self.mismatch(self.all.get(name)?, field, value, depth - 1),
            },
            (Value::Array(items), Value::Array(values)) => {
                let shape = items.first()?;
                values.iter().find_map(|value| self.mismatch(shape, field, value, depth - 1))
            }
            (Value::Array(_), _) => wrong("an array"),
            (Value::Object(shape), Value::Object(fields)) => self.fields(shape, fields, depth),
            (Value::Object(_), _) => wrong("an object"),
            _ => None,
        }
    }

    fn fields(&self, shape: &Map<String, Value>, fields: &Map<String, Value>, depth: usize) -> Option<String> {
        for (name, shape) in shape {
            if name == "*" {
                return fields.iter().find_map(|(name, value)| self.mismatch(shape, name, value, depth - 1));
            }
            let (name, required) = name.strip_suffix('!').map_or((name.as_str(), false), |name| (name, true));
            let problem = match fields.get(name) {
                Some(value) => self.mismatch(shape, name, value, depth - 1),
                None if required && self.strict => Some(format!("Required field '{name}' is missing")),
                None => None,
            };
            if problem.is_some() {
                return problem;
            }
        }
        None
    }
}
