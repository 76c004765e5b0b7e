//! What AWS's model of the API says about requests (`model.json`, written by `scripts/states_model.py`): every call is
//! checked against it before its operation runs, and what breaks it is answered as AWS does.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::fault::Fault;

/// Fields of the requests by operation.
static MODEL: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("model.json")).unwrap_or_default());
/// The most problems that one answer tells.
const MAX_PROBLEMS: usize = 10;
/// The most characters of a value that a message repeats.
const MAX_SHOWN: usize = 4_096;

/// Whether there is an operation of this name.
pub(super) fn knows(operation: &str) -> bool {
    MODEL.contains_key(operation)
}

/// Checks the parameters of a call.
///
/// # Errors
/// `SerializationException` for a value of another type, `ValidationException` for everything else.
pub(super) fn check(operation: &str, params: &Map<String, Value>) -> Result<(), Fault> {
    let Some(fields) = MODEL.get(operation).and_then(Value::as_object) else { return Ok(()) };
    let mut problems = Vec::new();
    structure(fields, params, "", &mut problems)?;
    if problems.is_empty() {
        return Ok(());
    }
    let count = match problems.len() {
        1 => "1 validation error".to_owned(),
        n => format!("{n} validation errors"),
    };
    Err(Fault::new("ValidationException", format!("{count} detected: {}", problems.join("; "))))
}

fn structure(
    fields: &Map<String, Value>,
    given: &Map<String, Value>,
    at: &str,
    problems: &mut Vec<String>,
) -> Result<(), Fault> {
    for (name, shape) in fields {
        let place = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match given.get(name).filter(|value| !value.is_null()) {
            Some(value) => self::value(shape, value, &place, problems)?,
            None if shape.get("required").is_some() => {
                note(shape, &Value::Null, &place, "Member must not be null", problems);
            }
            None => {}
        }
    }
    Ok(())
}

fn value(shape: &Value, given: &Value, at: &str, problems: &mut Vec<String>) -> Result<(), Fault> {
    let kind = shape.get("type").and_then(Value::as_str).unwrap_or_default();
    let bound = |name: &str| shape.get(name).and_then(Value::as_f64);
    let mut wrong = |rule: String| note(shape, given, at, &rule, problems);
    match (kind, given) {
        ("string", Value::String(text)) => {
            length(text.chars().count(), &bound, &mut wrong);
            let words: Vec<&str> =
                shape.get("words").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            if !words.is_empty() && !words.contains(&text.as_str()) {
                wrong(format!("Member must satisfy enum value set: [{}]", words.join(", ")));
            }
            if let Some(pattern) = shape.get("pattern").and_then(Value::as_str)
                && !matches(pattern, text)
            {
                wrong(format!("Member must satisfy regular expression pattern: {pattern}"));
            }
        }
        ("integer" | "float", Value::Number(number)) if kind == "float" || number.as_i64().is_some() => {
            let number = number.as_f64().unwrap_or_default();
            if let Some(most) = bound("max").filter(|most| number > *most) {
                wrong(format!("Member must have value less than or equal to {most}"));
            }
            if let Some(least) = bound("min").filter(|least| number < *least) {
                wrong(format!("Member must have value greater than or equal to {least}"));
            }
        }
        ("boolean", Value::Bool(_)) => {}
        ("list", Value::Array(items)) => {
            length(items.len(), &bound, &mut wrong);
            for (n, item) in items.iter().enumerate() {
                self::value(
                    shape.get("of").unwrap_or(&Value::Null),
                    item,
                    &format!("{at}.{}.member", n + 1),
                    problems,
                )?;
            }
        }
        ("structure", Value::Object(given)) => {
            if let Some(fields) = shape.get("fields").and_then(Value::as_object) {
                structure(fields, given, at, problems)?;
            }
        }
        _ => return Err(misfit(given, kind)),
    }
    Ok(())
}

fn length(length: usize, bound: &dyn Fn(&str) -> Option<f64>, wrong: &mut dyn FnMut(String)) {
    #[expect(clippy::cast_precision_loss, reason = "a body has fewer characters than an f64 counts exactly")]
    let length = length as f64;
    if let Some(most) = bound("max").filter(|most| length > *most) {
        wrong(format!("Member must have length less than or equal to {most}"));
    }
    if let Some(least) = bound("min").filter(|least| length < *least) {
        wrong(format!("Member must have length greater than or equal to {least}"));
    }
}

/// Whether a text has the form of one of the model's three patterns.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "[!-~]+" => !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()),
        r"\p{ASCII}*" => text.is_ascii(),
        r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$" => {
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
                && text.bytes().any(|b| !b.is_ascii_digit())
        }
        _ => true,
    }
}

fn note(shape: &Value, given: &Value, at: &str, rule: &str, problems: &mut Vec<String>) {
    if problems.len() >= MAX_PROBLEMS {
        return;
    }
    let value = match (shape.get("sensitive"), given) {
        (Some(_), _) => String::new(),
        (None, Value::Null) => " null".into(),
        (None, given) => format!(" '{}'", shown(shape, given)),
    };
    problems.push(format!("Value{value} at '{at}' failed to satisfy constraint: {rule}"));
}

/// A value as Java prints it.
fn shown(shape: &Value, given: &Value) -> String {
    let text = match given {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let of = shape.get("of").unwrap_or(&Value::Null);
            let items: Vec<String> = items.iter().map(|item| shown(of, item)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let name = shape.get("name").and_then(Value::as_str).unwrap_or_default();
            let of = |field: &str| shape.get("fields").and_then(|fields| fields.get(field)).unwrap_or(&Value::Null);
            let fields: Vec<String> =
                fields.iter().map(|(field, value)| format!("{field}={}", shown(of(field), value))).collect();
            format!("{name}({})", fields.join(", "))
        }
        other => other.to_string(),
    };
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

/// A value of another type than the model's.
fn misfit(value: &Value, wanted: &str) -> Fault {
    let wanted = match wanted {
        "string" => "a String",
        "boolean" => "a Boolean",
        "integer" => "an Integer",
        "float" => "a Float",
        "list" => "a List",
        _ => "a Structure",
    };
    let found = match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => return Fault::new("SerializationException", "Unexpected list element found"),
        Value::Object(_) => {
            return Fault::new("SerializationException", "Start of structure or map found where not expected.");
        }
    };
    Fault::new("SerializationException", format!("{found} cannot be converted to {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(operation: &str, params: Value, want: &str) {
        let got = match super::check(operation, params.as_object().unwrap()) {
            Ok(()) => String::new(),
            Err(fault) => format!("{}: {}", fault.code, fault.message),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn every_operation_has_its_fields() {
        assert_eq!(MODEL.len(), 37);
        check("NoSuchOperation", json!({}), "");
        check("ListStateMachines", json!({"maxResults": 0, "nextToken": null, "unknown": [1]}), "");
    }

    #[test]
    fn what_breaks_the_model_is_told() {
        let one = "ValidationException: 1 validation error detected: Value";
        check(
            "ListExecutions",
            json!({"maxResults": 1001}),
            &format!(
                "{one} '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"
            ),
        );
        check(
            "ListExecutions",
            json!({"statusFilter": "succeeded"}),
            &format!(
                "{one} 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: \
                 [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"
            ),
        );
        check(
            "StopExecution",
            json!({"executionArn": null}),
            &format!("{one} null at 'executionArn' failed to satisfy constraint: Member must not be null"),
        );
        check(
            "SendTaskSuccess",
            json!({"taskToken": "", "output": "x".repeat(262_145)}),
            "ValidationException: 2 validation errors detected: Value at 'taskToken' failed to satisfy constraint: Member \
             must have length greater than or equal to 1; Value at 'output' failed to satisfy constraint: Member must have \
             length less than or equal to 262144",
        );
        check(
            "CreateStateMachineAlias",
            json!({"name": "17", "routingConfiguration": [{"stateMachineVersionArn": "a", "weight": 101}]}),
            "ValidationException: 2 validation errors detected: Value '17' at 'name' failed to satisfy constraint: Member \
             must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$; Value '101' at \
             'routingConfiguration.1.member.weight' failed to satisfy constraint: Member must have value less than or equal \
             to 100",
        );
        check(
            "CreateStateMachineAlias",
            json!({"name": "a", "routingConfiguration": (0..3).map(|n| json!({"stateMachineVersionArn": "m", "weight": n})).collect::<Vec<_>>()}),
            &format!(
                "{one} '[RoutingConfigurationListItem(stateMachineVersionArn=m, weight=0), \
                 RoutingConfigurationListItem(stateMachineVersionArn=m, weight=1), \
                 RoutingConfigurationListItem(stateMachineVersionArn=m, weight=2)]' at 'routingConfiguration' failed to \
                 satisfy constraint: Member must have length less than or equal to 2"
            ),
        );
    }

    #[test]
    fn values_of_other_types_are_refused() {
        let check =
            |params: Value, want: &str| check("StartExecution", params, &format!("SerializationException: {want}"));
        check(json!({"stateMachineArn": 1}), "NUMBER_VALUE cannot be converted to a String");
        check(json!({"stateMachineArn": "a", "input": {}}), "Start of structure or map found where not expected.");
        check(json!({"stateMachineArn": ["a"]}), "Unexpected list element found");
    }
}
