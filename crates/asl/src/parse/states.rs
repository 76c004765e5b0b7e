//! States: what they have in common, and Pass, Task, Wait, Succeed and Fail.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Names, Parser, shared};
use crate::definition::{Fail, Kind, Next, Pass, State, Task, Text, Wait};
use crate::diagnostic::{child, hint};
use crate::limits;
use crate::resource::Resource;

const TYPES: [&str; 8] = ["Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map"];
const COMMON: [&str; 3] = ["Type", "Comment", "QueryLanguage"];
const DATA: [&str; 2] = ["InputPath", "OutputPath"];
const ONWARD: [&str; 3] = ["Next", "End", "Assign"];
const RESULT: [&str; 5] = ["ResultPath", "ResultSelector", "Parameters", "Retry", "Catch"];

/// The fields that a type has beside the common ones.
fn own_fields(kind: &str) -> (&'static [&'static [&'static str]], &'static [&'static str]) {
    match kind {
        "Pass" => (&[&COMMON, &DATA, &ONWARD], &["Result", "ResultPath", "Parameters"]),
        "Task" => (
            &[&COMMON, &DATA, &ONWARD, &RESULT],
            &[
                "Resource",
                "TimeoutSeconds",
                "TimeoutSecondsPath",
                "HeartbeatSeconds",
                "HeartbeatSecondsPath",
                "Credentials",
            ],
        ),
        "Choice" => (&[&COMMON, &DATA], &["Choices", "Default", "Assign"]),
        "Wait" => (&[&COMMON, &DATA, &ONWARD], &["Seconds", "SecondsPath", "Timestamp", "TimestampPath"]),
        "Succeed" => (&[&COMMON, &DATA], &[]),
        "Fail" => (&[&COMMON], &["Error", "ErrorPath", "Cause", "CausePath"]),
        "Parallel" => (&[&COMMON, &DATA, &ONWARD, &RESULT], &["Branches"]),
        _ => (
            &[&COMMON, &DATA, &ONWARD, &RESULT],
            &[
                "ItemProcessor",
                "Iterator",
                "ItemsPath",
                "ItemSelector",
                "MaxConcurrency",
                "MaxConcurrencyPath",
                "ToleratedFailureCount",
                "ToleratedFailureCountPath",
                "ToleratedFailurePercentage",
                "ToleratedFailurePercentagePath",
                "ItemReader",
                "ItemBatcher",
                "ResultWriter",
                "Label",
            ],
        ),
    }
}

impl Parser {
    /// Parses one state; `None` once its type or shape is unknown.
    pub(super) fn state(
        &mut self,
        name: &str,
        value: &Value,
        pointer: &str,
        names: &Names<'_>,
        depth: usize,
    ) -> Option<State> {
        let Value::Object(map) = value else {
            self.error(pointer, "WRONG_TYPE", "a state must be an object");
            return None;
        };
        let kind = self.kind(map, pointer)?;
        match map.get("QueryLanguage").map(Value::as_str) {
            None | Some(Some("JSONPath")) => {}
            Some(Some("JSONata")) => {
                self.jsonata(&child(pointer, "QueryLanguage"));
                return None;
            }
            Some(_) => self.error(&child(pointer, "QueryLanguage"), "UNKNOWN_QUERY_LANGUAGE", "write `JSONPath`"),
        }
        let (groups, own) = own_fields(kind);
        let known: Vec<&str> = groups.iter().copied().flatten().chain(own).copied().collect();
        let mut fields = Fields::new(self, map, pointer);
        fields.only(&known, &format!("a {kind} state"));
        let comment = fields.comment();
        let input_path = fields.selector("InputPath");
        let output_path = fields.selector("OutputPath");
        let assign = fields.assign();
        let next = self.next(map, pointer, kind, names);
        let mut fields = Fields::new(self, map, pointer);
        let kind = match kind {
            "Pass" => Some(Kind::Pass(Box::new(Pass {
                result: map.get("Result").cloned(),
                parameters: fields.template("Parameters"),
                result_path: fields.result_path(),
            }))),
            "Task" => self.task(map, pointer, names),
            "Choice" => self.choice(map, pointer, names),
            "Wait" => self.wait(map, pointer),
            "Succeed" => Some(Kind::Succeed),
            "Fail" => Some(Kind::Fail(Box::new(fail(fields)))),
            "Parallel" => self.parallel(map, pointer, names, depth),
            _ => self.map_state(map, pointer, names, depth),
        }?;
        Some(State {
            name: shared(name),
            pointer: pointer.into(),
            comment,
            input_path,
            output_path,
            assign,
            next: next?,
            kind,
        })
    }

    fn kind<'v>(&mut self, map: &'v Map<String, Value>, pointer: &str) -> Option<&'v str> {
        let Some(kind) = map.get("Type") else {
            let message = format!("`Type` is missing; it is one of {}", TYPES.join(", "));
            self.error(pointer, "MISSING_FIELD", message);
            return None;
        };
        match kind.as_str() {
            Some(kind) if TYPES.contains(&kind) => Some(kind),
            _ => {
                let hint = hint(kind.as_str().unwrap_or_default(), TYPES);
                let message = format!("{kind} is not a type of state{hint}; there are {}", TYPES.join(", "));
                self.error(&child(pointer, "Type"), "UNKNOWN_STATE_TYPE", message);
                None
            }
        }
    }

    fn next(&mut self, map: &Map<String, Value>, pointer: &str, kind: &str, names: &Names<'_>) -> Option<Next> {
        if matches!(kind, "Choice" | "Succeed" | "Fail") {
            return Some(Next::End);
        }
        let mut fields = Fields::new(self, map, pointer);
        let (next, end) = (fields.string("Next"), fields.boolean("End"));
        match (next, end) {
            (Some(_), Some(true)) => {
                self.error(
                    &child(pointer, "End"),
                    "CONFLICTING_FIELDS",
                    "`End` and `Next` exclude each other; keep one",
                );
                None
            }
            (Some(next), _) => self.target(names, next, &child(pointer, "Next")).map(Next::State),
            (None, Some(true)) => Some(Next::End),
            (None, _) => {
                if !map.contains_key("Next") {
                    self.error(
                        pointer,
                        "MISSING_NEXT",
                        "nothing follows this state; add `Next` with a state's name, or `\"End\": true`",
                    );
                }
                None
            }
        }
    }

    fn task(&mut self, map: &Map<String, Value>, pointer: &str, names: &Names<'_>) -> Option<Kind> {
        let outcomes = self.outcomes(map, pointer, names);
        let mut fields = Fields::new(self, map, pointer);
        let parameters = fields.template("Parameters");
        let credentials = fields.template("Credentials");
        let timeout = fields.seconds("TimeoutSeconds", 1, limits::SECONDS);
        let heartbeat = fields.seconds("HeartbeatSeconds", 1, limits::SECONDS);
        if let (Some(timeout), Some(heartbeat)) =
            (map.get("TimeoutSeconds").and_then(Value::as_u64), map.get("HeartbeatSeconds").and_then(Value::as_u64))
            && heartbeat >= timeout
        {
            let at = fields.at("HeartbeatSeconds");
            fields.parser.error(&at, "BAD_HEARTBEAT", "`HeartbeatSeconds` must be smaller than `TimeoutSeconds`");
        }
        if map.get("Resource").is_none() {
            fields.missing("Resource", "names what the task calls");
        }
        let raw = fields.string("Resource")?;
        let resource = match Resource::parse(raw) {
            Ok(resource) => resource,
            Err(message) => {
                let at = fields.at("Resource");
                fields.parser.error(&at, "UNSUPPORTED_RESOURCE", message);
                return None;
            }
        };
        if resource.waits_for_token() && !reads_token(map) {
            let at = fields.at("Parameters");
            fields.parser.warning(
                &at,
                "TOKEN_NOT_PASSED",
                "nothing passes the task token on, so nobody can report the result; add `\"TaskToken.$\": \"$$.Task.Token\"`",
            );
        }
        Some(Kind::Task(Box::new(Task {
            resource: Arc::new(resource),
            parameters,
            credentials,
            timeout,
            heartbeat,
            outcomes,
        })))
    }

    fn wait(&mut self, map: &Map<String, Value>, pointer: &str) -> Option<Kind> {
        let mut fields = Fields::new(self, map, pointer);
        let wait = match fields.one_of(&["Seconds", "SecondsPath", "Timestamp", "TimestampPath"]) {
            Some("Seconds") => Wait::Seconds(fields.whole_number("Seconds", 0, limits::SECONDS)?),
            Some("SecondsPath") => Wait::SecondsPath(fields.query("SecondsPath")?),
            Some("Timestamp") => {
                let text = fields.string("Timestamp")?;
                match crate::time::parse(text) {
                    Some(instant) => Wait::Timestamp(instant),
                    None => {
                        let at = fields.at("Timestamp");
                        let message = format!("`{text}` is not an RFC 3339 time such as `2030-01-31T12:00:00Z`");
                        fields.parser.error(&at, "BAD_TIMESTAMP", message);
                        return None;
                    }
                }
            }
            Some(_) => Wait::TimestampPath(fields.query("TimestampPath")?),
            None => {
                fields.missing("Seconds", "or `SecondsPath`, `Timestamp` or `TimestampPath` says how long to wait");
                return None;
            }
        };
        Some(Kind::Wait(Box::new(wait)))
    }
}

fn fail(mut fields: Fields<'_, '_>) -> Fail {
    let mut text = |field: &str| {
        let path = format!("{field}Path");
        fields.one_of(&[field, &path]);
        match fields.get(&path) {
            Some(_) => fields.expression(&path).map(Text::Computed),
            None => fields.string(field).map(|text| Text::Fixed(text.into())),
        }
    };
    Fail { error: text("Error"), cause: text("Cause") }
}

/// Whether any parameter can hold the task token.
fn reads_token(map: &Map<String, Value>) -> bool {
    map.get("Parameters").is_some_and(|parameters| parameters.to_string().contains("$$"))
}
