//! Findings about a definition in AWS's words, where they are known from recordings; elsewhere in ours.

use asl::{Diagnostic, Severity};
use serde_json::{Value, json};

/// A finding as the API shows it.
pub(super) struct Finding<'a> {
    code: &'static str,
    message: String,
    location: &'a str,
    severity: Severity,
}

const TYPES: &str = "Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map";

impl Finding<'_> {
    pub(super) fn of(diagnostic: &Diagnostic) -> Finding<'_> {
        let pointer = diagnostic.pointer.as_str();
        let code = match diagnostic.code {
            "NOT_JSON" | "NOT_AN_OBJECT" => "INVALID_JSON_DESCRIPTION",
            _ => "SCHEMA_VALIDATION_FAILED",
        };
        let (message, pointer) = match diagnostic.code {
            "BAD_TIMESTAMP" => ("String does not match RFC3339 timestamp".into(), pointer),
            "BAD_QUERY_LANGUAGE" => {
                let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
                (message.into(), pointer.strip_suffix("/QueryLanguage").unwrap_or(pointer))
            }
            "MISSING_FIELD" => match diagnostic.message.split('`').nth(1) {
                Some(field) => (format!("These fields are required: [{field}]"), pointer),
                None => (diagnostic.message.clone(), pointer),
            },
            "NO_BRANCHES" => ("Value cannot be empty".into(), pointer),
            "UNKNOWN_STATE_TYPE" => (format!("The field 'Type' should have one of these values: [{TYPES}]"), pointer),
            _ => (diagnostic.message.clone(), pointer),
        };
        let location = if pointer.is_empty() { "/" } else { pointer };
        Finding { code, message, location, severity: diagnostic.severity }
    }

    /// As an entry of ValidateStateMachineDefinition.
    pub(super) fn to_value(&self) -> Value {
        json!({
            "severity": if self.severity == Severity::Error { "ERROR" } else { "WARNING" },
            "code": self.code,
            "message": self.message,
            "location": self.location,
        })
    }
}

impl std::fmt::Display for Finding<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            "INVALID_JSON_DESCRIPTION" => write!(f, "{}: {}", self.code, self.message),
            code => write!(f, "{code}: {} at {}", self.message, self.location),
        }
    }
}
