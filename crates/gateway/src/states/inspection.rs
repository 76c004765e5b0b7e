//! What TestState shows of the way of the data through a state: each stage is tried as a Pass state that goes so far.

use runtime::Tried;
use serde_json::{Map, Value, json};

use super::trial::{NAME, output_of, run};
use super::{Call, set};

/// A state that was tried.
pub(super) struct Subject<'a> {
    /// As it was given.
    pub(super) state: &'a Map<String, Value>,
    /// As it ran, with mocks.
    pub(super) mocked: &'a Map<String, Value>,
    pub(super) jsonata: bool,
    pub(super) input: &'a Value,
    /// The result, as far as the caller gave it.
    pub(super) result: Option<&'a Value>,
    pub(super) answer: &'a runtime::Answer,
}

/// The error that the state met.
fn catch_index(state: &Map<String, Value>, field: &str, error: &str) -> Option<usize> {
    let entries = state.get(field)?.as_array()?;
    entries.iter().position(|entry| {
        let names = entry.get("ErrorEquals").and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).any(|name| {
            name == error || name == "States.ALL" || name == "States.TaskFailed" && error != "States.Timeout"
        })
    })
}

impl Subject<'_> {
    /// The output of a Pass state with some fields of the state.
    async fn stage(&self, call: &Call<'_>, fields: &[(&str, &str)], input: &Value) -> Option<Value> {
        let mut pass = Map::new();
        pass.insert("Type".into(), "Pass".into());
        pass.insert("End".into(), true.into());
        for (from, to) in fields {
            if let Some(value) = self.state.get(*from) {
                pass.insert((*to).into(), value.clone());
            }
        }
        self.output(call, pass, input, &runtime::Answer::Call).await
    }

    async fn output(
        &self,
        call: &Call<'_>,
        state: Map<String, Value>,
        input: &Value,
        answer: &runtime::Answer,
    ) -> Option<Value> {
        let tried = run(call, NAME, &state, None, input.clone(), answer.clone(), 0).await.ok()?;
        serde_json::from_str(output_of(NAME, &tried.events)?).ok()
    }

    /// The stages of a try that ended with this status.
    pub(super) async fn inspect(&self, call: &Call<'_>, given: &str, tried: &Tried, out: &Value) -> Value {
        let mut data = json!({ "input": given });
        let field = |name: &str| out.get(name).and_then(Value::as_str);
        let kind = self.state.get("Type").and_then(Value::as_str).unwrap_or_default();
        if kind == "Map" {
            let number = |name: &str| self.state.get(name).filter(|value| value.is_number()).cloned();
            set(&mut data, "maxConcurrency", number("MaxConcurrency").unwrap_or_else(|| 0.into()));
            if let Some(count) = number("ToleratedFailureCount") {
                set(&mut data, "toleratedFailureCount", count);
            }
        }
        let error = field("error").unwrap_or_default();
        match field("status") {
            Some("CAUGHT_ERROR") => {
                if let Some(at) = catch_index(self.state, "Catch", error) {
                    set(&mut data, "errorDetails", json!({ "catchIndex": at }));
                }
            }
            Some("RETRIABLE") => {
                if let Some(at) = catch_index(self.state, "Retry", error) {
                    let details = json!({ "retryIndex": at });
                    set(&mut data, "errorDetails", details);
                }
            }
            _ => {}
        }
        if self.jsonata {
            if let Some(arguments) = tried.arguments.as_ref().filter(|_| kind == "Task") {
                set(&mut data, "afterArguments", arguments.to_string());
            }
            return data;
        }
        let succeeded = field("status") == Some("SUCCEEDED");
        self.paths(call, kind, tried.arguments.as_ref(), succeeded, &mut data).await;
        data
    }

    async fn paths(&self, call: &Call<'_>, kind: &str, arguments: Option<&Value>, succeeded: bool, data: &mut Value) {
        let mut show = |name: &str, value: &Value| set(data, name, value.to_string());
        let literal = self.state.get("Result").filter(|_| kind == "Pass");
        let mut result = self.result.cloned().or_else(|| literal.cloned());
        if literal.is_none() {
            let Some(input) = self.stage(call, &[("InputPath", "InputPath")], self.input).await else { return };
            show("afterInputPath", &input);
            match kind {
                "Task" => match arguments {
                    Some(arguments) => show("afterParameters", arguments),
                    None => return,
                },
                "Pass" => {
                    let stages = [("InputPath", "InputPath"), ("Parameters", "Parameters")];
                    result = self.stage(call, &stages, self.input).await;
                    let Some(parameters) = &result else { return };
                    show("afterParameters", parameters);
                }
                "Map" => {
                    if let Some(items) = self.stage(call, &[("ItemsPath", "InputPath")], &input).await {
                        show("afterItemsPath", &items);
                    }
                    return;
                }
                _ => return,
            }
        }
        let Some(result) = result.filter(|_| succeeded) else { return };
        if literal.is_some() || kind == "Task" {
            show("result", &result);
        }
        let selected = self.stage(call, &[("ResultSelector", "Parameters")], &result).await.unwrap_or(result);
        show("afterResultSelector", &selected);
        let mut whole = self.mocked.clone();
        whole.remove("OutputPath");
        if let Some(output) = self.output(call, whole, self.input, self.answer).await {
            show("afterResultPath", &output);
        }
    }
}
