//! States: what they have in common, and Pass, Task, Wait, Succeed and Fail.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Names, Parser, shared};
use crate::definition::{Fail, Kind, Next, Pass, QueryLanguage, ResultPath, Selector, State, Task, Text, Wait};
use crate::diagnostic::{child, hint};
use crate::limits;
use crate::resource::{self, Resource, Service};

const TYPES: [&str; 8] = ["Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map"];
const COMMON: [&str; 3] = ["Type", "Comment", "QueryLanguage"];
const DATA: [&str; 2] = ["InputPath", "OutputPath"];
const ONWARD: [&str; 3] = ["Next", "End", "Assign"];
/// What lambda:invoke is given; Step Functions refuses a definition with anything else ("Call AWS Lambda with Step Functions",
/// supported parameters).
const LAMBDA_INVOKE: [&str; 5] = ["ClientContext", "FunctionName", "InvocationType", "Payload", "Qualifier"];
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

/// The fields that a type has in JSONata.
fn own_jsonata_fields(kind: &str) -> (&'static [&'static [&'static str]], &'static [&'static str]) {
    match kind {
        "Pass" => (&[&COMMON, &ONWARD], &["Output"]),
        "Task" => (
            &[&COMMON, &ONWARD],
            &["Output", "Arguments", "Retry", "Catch", "Resource", "TimeoutSeconds", "HeartbeatSeconds", "Credentials"],
        ),
        "Choice" => (&[&COMMON], &["Choices", "Default", "Assign", "Output"]),
        "Wait" => (&[&COMMON, &ONWARD], &["Seconds", "Timestamp", "Output"]),
        "Succeed" => (&[&COMMON], &["Output"]),
        "Fail" => (&[&COMMON], &["Error", "Cause"]),
        "Parallel" => (&[&COMMON, &ONWARD], &["Output", "Arguments", "Retry", "Catch", "Branches"]),
        _ => (
            &[&COMMON, &ONWARD],
            &[
                "Output",
                "Retry",
                "Catch",
                "Items",
                "ItemProcessor",
                "ItemSelector",
                "MaxConcurrency",
                "ToleratedFailureCount",
                "ToleratedFailurePercentage",
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
        let language = self.query_language(map, pointer);
        // The states inside have their own.
        let around = (self.language, std::mem::replace(&mut self.state_at, pointer.to_owned()));
        self.language = language;
        let state = self.state_in(language, kind, name, map, pointer, names, depth);
        (self.language, self.state_at) = around;
        state
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different fact about one state")]
    fn state_in(
        &mut self,
        language: QueryLanguage,
        kind: &str,
        name: &str,
        map: &Map<String, Value>,
        pointer: &str,
        names: &Names<'_>,
        depth: usize,
    ) -> Option<State> {
        let jsonata = language == QueryLanguage::Jsonata;
        let (groups, own) = if jsonata { own_jsonata_fields(kind) } else { own_fields(kind) };
        let known: Vec<&str> = groups.iter().copied().flatten().chain(own).copied().collect();
        let mut fields = Fields::new(self, map, pointer);
        fields.only(&known, &format!("a {kind} state"));
        let comment = fields.comment();
        let (input_path, output_path, output) = match jsonata {
            true => (Selector::Whole, Selector::Whole, fields.template("Output")),
            false => (fields.selector("InputPath"), fields.selector("OutputPath"), None),
        };
        let assign = fields.assign();
        let next = self.next(map, pointer, kind, names);
        let mut fields = Fields::new(self, map, pointer);
        let kind = match kind {
            "Pass" if jsonata => {
                Some(Kind::Pass(Box::new(Pass { result: None, parameters: None, result_path: ResultPath::Whole })))
            }
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
            output,
            language,
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
        let parameters = fields.template(if fields.is_jsonata() { "Arguments" } else { "Parameters" });
        let credentials = fields.template("Credentials");
        if let Some(Value::Object(given)) = map.get("Credentials")
            && !given.contains_key("RoleArn")
            && !given.contains_key("RoleArn.$")
        {
            let at = fields.at("Credentials");
            fields.parser.error(&at, "MISSING_FIELD", "`RoleArn` is missing; it names the role to assume");
        }
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
        fields.invocation(map, &resource);
        if resource.waits_for_token() && !reads_token(map) {
            let (field, cure) = match fields.is_jsonata() {
                true => ("Arguments", r#""TaskToken": "{% $states.context.Task.Token %}""#),
                false => ("Parameters", r#""TaskToken.$": "$$.Task.Token""#),
            };
            let at = fields.at(field);
            fields.parser.warning(
                &at,
                "TOKEN_NOT_PASSED",
                format!("nothing passes the task token on, so nobody can report the result; add `{cure}`"),
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
        if fields.is_jsonata() {
            return fields.formula_wait();
        }
        let wait = match fields.one_of(&["Seconds", "SecondsPath", "Timestamp", "TimestampPath"]) {
            Some("Seconds") => Wait::Seconds(fields.whole_number("Seconds", 0, limits::SECONDS)?),
            Some("SecondsPath") => Wait::SecondsPath(fields.query("SecondsPath")?),
            Some("Timestamp") => Wait::Timestamp(fields.timestamp("Timestamp")?),
            Some(_) => Wait::TimestampPath(fields.query("TimestampPath")?),
            None => {
                fields.missing("Seconds", "or `SecondsPath`, `Timestamp` or `TimestampPath` says how long to wait");
                return None;
            }
        };
        Some(Kind::Wait(Box::new(wait)))
    }
}

impl Fields<'_, '_> {
    /// Refuses arguments of lambda:invoke that Step Functions does not know.
    fn invocation(&mut self, map: &Map<String, Value>, resource: &Resource) {
        let given = if self.is_jsonata() { "Arguments" } else { "Parameters" };
        let is_invoke = matches!(&resource.kind, resource::Kind::Service(called) if called.service == Service::Lambda && !called.sdk);
        let Some(Value::Object(arguments)) = map.get(given).filter(|_| is_invoke) else { return };
        let is_known = |name: &str| LAMBDA_INVOKE.contains(&name.strip_suffix(".$").unwrap_or(name));
        for name in arguments.keys().filter(|name| !is_known(name)) {
            let known = LAMBDA_INVOKE.join(", ");
            let message = format!(
                "`{name}` is no field of lambda:invoke, which knows {known}; what the function is given goes into `Payload`"
            );
            let at = child(&self.at(given), name);
            self.parser.error(&at, "UNKNOWN_FIELD", message);
        }
    }

    fn formula_wait(&mut self) -> Option<Kind> {
        let wait = match self.one_of(&["Seconds", "Timestamp"]) {
            Some("Seconds") if self.is_formula("Seconds") => Wait::SecondsFormula(self.formula("Seconds")?),
            Some("Seconds") => Wait::Seconds(self.whole_number("Seconds", 0, limits::SECONDS)?),
            Some(_) if self.is_formula("Timestamp") => Wait::TimestampFormula(self.formula("Timestamp")?),
            Some(_) => Wait::Timestamp(self.timestamp("Timestamp")?),
            None => {
                self.missing("Seconds", "or `Timestamp` says how long to wait");
                return None;
            }
        };
        Some(Kind::Wait(Box::new(wait)))
    }

    fn timestamp(&mut self, field: &str) -> Option<i128> {
        let text = self.string(field)?;
        let instant = crate::time::parse(text);
        if instant.is_none() {
            let at = self.at(field);
            let message = format!("`{text}` is not an RFC 3339 time such as `2030-01-31T12:00:00Z`");
            self.parser.error(&at, "BAD_TIMESTAMP", message);
        }
        instant
    }
}

fn fail(mut fields: Fields<'_, '_>) -> Fail {
    let mut text = |field: &str| {
        if fields.is_formula(field) {
            return fields.formula(field).map(Text::Formula);
        }
        let path = format!("{field}Path");
        fields.one_of(&[field, &path]);
        match fields.get(&path).filter(|_| !fields.is_jsonata()) {
            Some(_) => fields.expression(&path).map(Text::Computed),
            None => fields.string(field).map(|text| Text::Fixed(text.into())),
        }
    };
    Fail { error: text("Error"), cause: text("Cause") }
}

/// Whether any parameter can hold the task token.
fn reads_token(map: &Map<String, Value>) -> bool {
    let holds = |field: &str, text: &str| map.get(field).is_some_and(|value| value.to_string().contains(text));
    holds("Parameters", "$$") || holds("Arguments", "$states")
}
