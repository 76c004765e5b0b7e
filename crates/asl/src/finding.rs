//! Findings about a definition as AWS words them: by code, text and place, where they are known from recordings and
//! reports of what `ValidateStateMachineDefinition` answered; elsewhere in our own words.

use std::fmt;

use crate::diagnostic::{Diagnostic, Severity};

const SCHEMA: &str = "SCHEMA_VALIDATION_FAILED";
const TYPES: &str = "Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map";

/// A finding as the Step Functions API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// AWS's code, such as `SCHEMA_VALIDATION_FAILED`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where, such as `/States/Decide/Choices[0]/Next`; AWS leaves it out for what is true of the whole graph.
    pub location: Option<String>,
    /// Whether the definition can run all the same.
    pub severity: Severity,
}

impl fmt::Display for Finding {
    /// As it stands in the message of `InvalidDefinition`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            "INVALID_JSON_DESCRIPTION" => write!(f, "{}: {}", self.code, self.message),
            code => write!(f, "{code}: {} at {}", self.message, self.location.as_deref().unwrap_or("null")),
        }
    }
}

impl Diagnostic {
    /// The finding in AWS's words.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let (here, around) = (self.pointer.as_str(), parent(&self.pointer));
        let field = last(here);
        let first = self.quoted(0).unwrap_or_default();
        let schema = |message: String, pointer: &str| (SCHEMA, message, Some(place(pointer)));
        let (code, message, location) = match self.code {
            "NOT_JSON" | "NOT_AN_OBJECT" => {
                let (_, problem) = self.message.split_once("is not JSON: ").unwrap_or(("", &self.message));
                ("INVALID_JSON_DESCRIPTION", problem.to_owned(), Some(place(here)))
            }
            "BAD_TIMESTAMP" => schema("String does not match RFC3339 timestamp".into(), here),
            "NO_BRANCHES" | "NO_RULES" => schema("Value cannot be empty".into(), here),
            "UNKNOWN_STATE_TYPE" => {
                schema(format!("The field 'Type' should have one of these values: [{TYPES}]"), here)
            }
            "BAD_QUERY_LANGUAGE" => {
                schema("'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine".into(), here)
            }
            "MISSING_FIELD" if here.is_empty() => schema(format!("These fields are required: [{first}]"), here),
            "MISSING_FIELD" => schema(format!("The field '{first}' is required but was missing"), here),
            "UNKNOWN_FIELD" => schema(format!("Field '{field}' is not supported"), around),
            "WRONG_QUERY_LANGUAGE" => {
                let (ours, theirs) = match self.message.contains("belongs to JSONata") {
                    true => ("JSONPath", "JSONata"),
                    false => ("JSONata", "JSONPath"),
                };
                schema(
                    format!(
                        "The QueryLanguage is set to '{ours}', but field '{field}' is only supported for the '{theirs}' \
                         QueryLanguage"
                    ),
                    around,
                )
            }
            "CONFLICTING_FIELDS" => {
                let other = self.quoted(1).unwrap_or_default();
                schema(format!("There should only be one of the following fields: [{other}, {first}]"), around)
            }
            "TOO_SMALL" => schema(format!("Minimum value is {}", self.quoted(1).unwrap_or_default()), here),
            "TOO_LARGE" => schema(format!("Maximum value is {}", self.quoted(1).unwrap_or_default()), here),
            "BAD_PATH" if field.ends_with(".$") => schema(
                format!(
                    "The value for the field '{field}' must be a valid JSONPath or a valid intrinsic function call"
                ),
                around,
            ),
            "NOT_A_REFERENCE" => schema("Value is not a Reference Path".into(), here),
            // What AWS does not know either; of other services our own message says what there is.
            "UNSUPPORTED_RESOURCE" if is_of_known_service(first) => schema(
                format!(
                    "The resource provided {first} is not recognized. The value is not a valid resource ARN, or the \
                     resource is not available in this region."
                ),
                here,
            ),
            "MISSING_TRANSITION_TARGET" => (self.code, format!("Missing 'Next' target: {first}"), Some(place(here))),
            "UNREACHABLE_STATE" => {
                let message = format!("State \"{first}\" is not reachable.");
                ("MISSING_TRANSITION_TARGET", message, Some(place(here)))
            }
            "NO_TERMINAL_STATE" => ("MISSING_END_STATE", "Workflow has no terminal state".into(), None),
            "DUPLICATE_STATE_NAME" => (self.code, self.message.clone(), Some(place(here))),
            "BAD_LABEL" => ("INVALID_LABEL_NAME", self.message.clone(), Some(place(here))),
            "TOO_DEEP" => ("TOO_DEEPLY_NESTED", self.message.clone(), Some(place(here))),
            "BAD_EXPRESSION" if self.message.contains(crate::formula::TOP_LEVEL) => (
                "UNSUPPORTED_JSONATA_EXPRESSION",
                format!("Reference to '{first}' at the top level is not supported."),
                Some(place(here)),
            ),
            "BAD_EXPRESSION" => {
                let (_, problem) = self.message.split_once("is not JSONata: ").unwrap_or(("", &self.message));
                let problem =
                    problem.split_once(": ").filter(|(code, _)| is_code(code)).map_or(problem, |(_, text)| text);
                ("INVALID_JSONATA_EXPRESSION", problem.to_owned(), Some(place(here)))
            }
            _ => schema(self.message.clone(), here),
        };
        Finding { code, message, location, severity: self.severity }
    }

    /// The n-th part of the message that stands in backticks.
    fn quoted(&self, n: usize) -> Option<&str> {
        self.message.split('`').nth(2 * n + 1)
    }
}

/// Whether this is a code of JSONata, such as `S0207`.
fn is_code(text: &str) -> bool {
    text.len() == 5 && text.bytes().skip(1).all(|b| b.is_ascii_digit())
}

/// Whether a resource is of a service that flows can use.
fn is_of_known_service(resource: &str) -> bool {
    let service = resource.split(':').nth(5).unwrap_or_default();
    resource.starts_with("arn:aws:states:::")
        && ["lambda", "sqs", "sns", "dynamodb", "states", "http", "events"].contains(&service)
}

fn parent(pointer: &str) -> &str {
    pointer.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn last(pointer: &str) -> String {
    pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~")
}

/// A JSON pointer as AWS writes it: positions in brackets.
fn place(pointer: &str) -> String {
    if pointer.is_empty() {
        return "/".into();
    }
    let mut out = String::with_capacity(pointer.len() + 4);
    let mut before = "";
    for token in pointer.split('/').skip(1) {
        if before != "States" && !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(&format!("[{token}]"));
        } else {
            out.push('/');
            out.push_str(&token.replace("~1", "/").replace("~0", "~"));
        }
        before = token;
    }
    out
}
