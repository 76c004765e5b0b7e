//! TestState: one state on its own, with its result mocked, and a look at every step between input and output.

mod mock;

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::data;
use crate::definition::{
    Catcher, Definition, Fail, Items, Kind, MapState, Next, QueryLanguage, ResultPath, Retrier, Seconds, Selector,
    State, Text, Tolerance,
};
use crate::environment::{Environment, Facts};
use crate::error::{EXCEED_TOLERATED_FAILURE_THRESHOLD, Failure, NO_CHOICE_MATCHED};
use crate::event::ExecutionInfo;
use crate::resource::Resource;
use crate::template::Template;
use crate::variables::Variables;
pub use mock::Mock;

/// The name of a state that is given without one.
const UNNAMED: &str = "StateName";

/// Why a request cannot be answered: AWS's code and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// `ValidationException` or `InvalidDefinition`.
    pub code: &'static str,
    /// AWS's text.
    pub message: String,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq)]
pub enum Tested {
    /// The response, without the inspection data if none was asked for.
    Done(Value),
    /// Nothing is mocked: the host calls this resource with these arguments and tests again with its answer.
    Call {
        /// What to call.
        resource: String,
        /// What to call it with.
        arguments: Value,
    },
}

/// Answers a request of `TestState`, given as its JSON; `called` is what the resource of [`Tested::Call`] has answered.
///
/// # Errors
/// What is wrong with the request, in AWS's words.
pub fn test_state(request: &Value, called: Option<Mock>, info: &ExecutionInfo, now_ms: i64) -> Result<Tested, Refused> {
    let mock = Mock::of(request)?;
    let (definition, name) = definition_of(request, mock.is_some())?;
    let Some(state) = definition.scopes.iter().flat_map(|scope| &scope.states).find(|state| *state.name == *name)
    else {
        return invalid(format!("State '{name}' not found in definition"));
    };
    mock::check(request, state, mock.as_ref())?;
    let mock = mock.or(called);
    let input = json_field(request, "input")?.unwrap_or_else(|| json!({}));
    let variables = json_field(request, "variables")?;
    let variables = match variables {
        None => Map::new(),
        Some(Value::Object(values)) => values,
        Some(_) => return invalid("The value of 'variables' is not a JSON object"),
    };
    let mut assigned = Variables::default();
    assigned.assign(variables.clone());
    let configuration = &request["stateConfiguration"];
    let retries = configuration["retrierRetryCount"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    let context = match json_field(request, "context")? {
        Some(context) => check_context(context)?,
        None => context_of(info, &input, state, retries, now_ms),
    };
    let facts = Facts {
        info,
        started_ms: now_ms,
        execution_input: None,
        state_name: &state.name,
        entered_ms: now_ms,
        now_ms,
        retry_count: Some(retries),
        task_token: None,
        item: None,
        given: Some(&context),
    };
    let draws = Cell::new(0);
    let env = Environment {
        input: &input,
        result: None,
        error_output: None,
        variables: &assigned,
        facts: &facts,
        draws: &draws,
    };
    let failures = configuration["mapIterationFailureCount"].as_u64();
    let read = json_field(configuration, "mapItemReaderData")?;
    let seen = Map::new();
    let mut test = Test { definition: &definition, state, seen, mock, retries, failures, read, variables };
    test.see("input", &input);
    let mut answer = match test.run(&env) {
        Ok(Run::Done(answer)) => answer,
        Ok(Run::Call(resource, arguments)) => return Ok(Tested::Call { resource, arguments }),
        Err(failure) => test.failed(failure, &env),
    };
    if !test.variables.is_empty() {
        let variables = Value::Object(std::mem::take(&mut test.variables));
        test.see("variables", &variables);
    }
    if request["inspectionLevel"].as_str().is_some_and(|level| level != "INFO") {
        answer.insert("inspectionData".into(), Value::Object(test.seen));
    }
    Ok(Tested::Done(Value::Object(answer)))
}

fn invalid<T>(message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { code: "ValidationException", message: message.into() })
}

/// A field whose text is JSON.
fn json_field(request: &Value, field: &str) -> Result<Option<Value>, Refused> {
    match request[field].as_str() {
        None => Ok(None),
        Some(text) => match serde_json::from_str(text) {
            Ok(value) => Ok(Some(value)),
            Err(e) => invalid(format!("The value of '{field}' is not JSON: {e}")),
        },
    }
}

/// The definition and the name of the state to test; what the state leads to is made up if it stands alone.
///
/// What is mocked is not called, so that it may be any resource.
fn definition_of(request: &Value, mocked: bool) -> Result<(Definition, String), Refused> {
    let text = request["definition"].as_str().unwrap_or_default();
    let mut given: Value = serde_json::from_str(text).map_err(|e| Refused {
        code: "InvalidDefinition",
        message: format!(
            "Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: {}'",
            crate::jackson::problem(text, &e)
        ),
    })?;
    let name = request["stateName"].as_str().unwrap_or(UNNAMED).to_owned();
    let whole = given.get("States").is_some();
    if mocked {
        let state = if whole { given.get_mut("States").and_then(|all| all.get_mut(&name)) } else { Some(&mut given) };
        state.map(replace_unknown_resource);
    }
    let text = if whole {
        given.to_string()
    } else {
        let mut targets = BTreeSet::new();
        follow(&given, &mut targets);
        let mut states = Map::new();
        states.insert(name.clone(), given);
        for target in targets {
            states.entry(target).or_insert_with(|| json!({ "Type": "Succeed" }));
        }
        json!({ "StartAt": name, "States": states }).to_string()
    };
    match Definition::parse(&text) {
        Ok(definition) => Ok((definition, name)),
        Err(found) => {
            let first = found.iter().find(|d| d.severity == crate::Severity::Error).map(crate::Diagnostic::finding);
            let shown = first.map(|finding| finding.to_string()).unwrap_or_default();
            let message = format!("Invalid State Machine Definition: '{shown}'");
            Err(Refused { code: "InvalidDefinition", message })
        }
    }
}

fn replace_unknown_resource(state: &mut Value) {
    let Some(Value::String(resource)) = state.get_mut("Resource") else { return };
    if resource.starts_with("arn:aws") && Resource::parse(resource).is_err() {
        let pattern = if resource.ends_with(".waitForTaskToken") { ".waitForTaskToken" } else { "" };
        *resource = format!("arn:aws:states:::aws-sdk:lambda:invoke{pattern}");
    }
}

/// Checks a context object that is given, of which only a part can be.
fn check_context(context: Value) -> Result<Value, Refused> {
    let refuse = |problem: &str| invalid(format!("Invalid Context object provided: {problem}"));
    let Value::Object(fields) = &context else { return refuse("it must be a JSON object") };
    for (field, value) in fields {
        match field.as_str() {
            "Execution" | "State" | "StateMachine" | "Task" => {}
            "Map" => return refuse("'Map' field is not supported when mocking a Context object"),
            other => return refuse(&format!("Field '{other}' is not allowed")),
        }
        for (name, value) in value.as_object().into_iter().flatten() {
            let free = matches!(name.as_str(), "Input" | "RetryCount" | "RedriveCount");
            if !free && !value.is_string() {
                return refuse(&format!("{field}.{name} must be a string"));
            }
        }
    }
    Ok(context)
}

/// The names of the states that a state leads to.
fn follow(state: &Value, targets: &mut BTreeSet<String>) {
    let mut add = |value: &Value| targets.extend(value.as_str().map(str::to_owned));
    add(&state["Next"]);
    add(&state["Default"]);
    for list in ["Choices", "Catch"] {
        state[list].as_array().into_iter().flatten().for_each(|entry| add(&entry["Next"]));
    }
}

fn context_of(info: &ExecutionInfo, input: &Value, state: &State, retries: u32, now_ms: i64) -> Value {
    let now = crate::time::format(now_ms);
    let mut context = json!({
        "Execution": {
            "Id": info.id, "Input": input, "Name": info.name, "RoleArn": info.role_arn, "StartTime": now,
        },
        "StateMachine": { "Id": info.state_machine_id, "Name": info.state_machine_name },
        "State": { "Name": &*state.name, "EnteredTime": now },
    });
    if state.kind.outcomes().is_some()
        && let Some(Value::Object(own)) = context.get_mut("State")
    {
        own.insert("RetryCount".into(), retries.into());
    }
    context
}

/// One test under way.
struct Test<'a> {
    definition: &'a Definition,
    state: &'a State,
    /// The inspection data.
    seen: Map<String, Value>,
    mock: Option<Mock>,
    retries: u32,
    /// So many items of a Map have failed.
    failures: Option<u64>,
    /// What the item reader of a Map read.
    read: Option<Value>,
    /// The variables after the state.
    variables: Map<String, Value>,
}

enum Run {
    Done(Map<String, Value>),
    Call(String, Value),
}

type Answer = Map<String, Value>;

impl Test<'_> {
    fn see(&mut self, step: &str, value: &Value) {
        self.seen.insert(step.into(), data::text(value).into());
    }

    fn is_jsonata(&self) -> bool {
        self.state.language == QueryLanguage::Jsonata
    }

    fn run(&mut self, env: &Environment<'_>) -> Result<Run, Failure> {
        let state = self.state;
        let input = crate::machine::select(&state.input_path, env)?.into_owned();
        let sees_input = !matches!(&state.kind, Kind::Pass(pass) if pass.result.is_some());
        if !self.is_jsonata() && sees_input && !matches!(state.kind, Kind::Fail(_)) {
            self.see("afterInputPath", &input);
        }
        let inner = env.with_input(&input);
        match &state.kind {
            Kind::Pass(pass) => {
                let result = match (&pass.result, &pass.parameters) {
                    (Some(result), _) => {
                        self.see("result", result);
                        result.clone()
                    }
                    (None, parameters) => {
                        let given = parameters.as_ref().map(|template| template.evaluate(&inner)).transpose()?;
                        let given = given.unwrap_or_else(|| input.clone());
                        if !self.is_jsonata() {
                            self.see("afterParameters", &given);
                        }
                        given
                    }
                };
                self.conclude(result, None, &pass.result_path, env)
            }
            Kind::Succeed => {
                self.leave(input.clone(), state.output.as_ref(), state.assign.as_ref(), None, env, state.next)
            }
            Kind::Wait(wait) => {
                crate::machine::wait_until(wait, &Selector::Whole, &inner, env.facts.now_ms)?;
                self.leave(input.clone(), state.output.as_ref(), state.assign.as_ref(), None, env, state.next)
            }
            Kind::Choice(choice) => {
                for rule in &choice.rules {
                    if rule.condition.holds(&inner)? {
                        let (output, assign) = (rule.output.as_ref(), rule.assign.as_ref());
                        return self.leave(input.clone(), output, assign, None, env, Next::State(rule.next));
                    }
                }
                let Some(next) = choice.default else {
                    let cause = "Failed to transition out of the state. The state does not point to a next state.";
                    return Err(Failure::of(NO_CHOICE_MATCHED, cause.into()));
                };
                self.leave(input.clone(), state.output.as_ref(), state.assign.as_ref(), None, env, Next::State(next))
            }
            Kind::Fail(fail) => Err(fail_of(fail, env)?),
            Kind::Task(task) => {
                let arguments = task.parameters.as_ref().map(|template| template.evaluate(&inner)).transpose()?;
                let arguments = arguments.unwrap_or_else(|| input.clone());
                self.see(if self.is_jsonata() { "afterArguments" } else { "afterParameters" }, &arguments);
                match self.mock.take() {
                    None => Ok(Run::Call(task.resource.raw.clone(), arguments)),
                    Some(Mock::Error(error, cause)) => Err(Failure::new(error, cause)),
                    Some(Mock::Result(result)) => {
                        self.see("result", &result);
                        let outcomes = &task.outcomes;
                        self.conclude(result, outcomes.result_selector.as_ref(), &outcomes.result_path, env)
                    }
                }
            }
            Kind::Parallel(parallel) => {
                if let Some(template) = &parallel.parameters {
                    let given = template.evaluate(&inner)?;
                    if !self.is_jsonata() {
                        self.see("afterParameters", &given);
                    }
                }
                self.mocked(&parallel.outcomes, env)
            }
            Kind::Map(map) => {
                self.map(map, &inner)?;
                self.mocked(&map.outcomes, env)
            }
        }
    }

    fn mocked(&mut self, outcomes: &crate::definition::Outcomes, env: &Environment<'_>) -> Result<Run, Failure> {
        match self.mock.take() {
            None => Err(Failure::runtime("nothing is mocked".into())),
            Some(Mock::Error(error, cause)) => Err(Failure::new(error, cause)),
            Some(Mock::Result(result)) => {
                self.conclude(result, outcomes.result_selector.as_ref(), &outcomes.result_path, env)
            }
        }
    }

    fn map(&mut self, map: &MapState, env: &Environment<'_>) -> Result<(), Failure> {
        let items = match &self.read {
            Some(items) => items.clone(),
            None if map.reader.is_some() => json!([]),
            None => items_of(map, env)?,
        };
        if !self.is_jsonata() && map.reader.is_none() {
            self.see("afterItemsPath", &items);
        }
        let length = match &items {
            Value::Array(items) => items.len(),
            other if self.is_jsonata() => {
                return Err(Failure::of(
                    crate::error::QUERY_EVALUATION_ERROR,
                    format!("Map state input must be an array but was: {other}"),
                ));
            }
            _ => {
                self.seen.remove("afterItemsPath");
                let text = map.items_path.as_ref().map_or("$", |query| query.path_text());
                return Err(Failure::of(
                    crate::error::RUNTIME,
                    format!("Reference path \"{text}\" must point to array."),
                ));
            }
        };
        if let (Some(template), Value::Array(items)) = (&map.item_selector, &items) {
            let mut selected = Vec::with_capacity(items.len());
            for (index, value) in items.iter().enumerate() {
                let mut context = env.facts.given.cloned().unwrap_or_default();
                if let Value::Object(parts) = &mut context {
                    parts.insert("Map".into(), json!({ "Item": { "Index": index, "Value": value } }));
                }
                let facts = Facts { given: Some(&context), ..*env.facts };
                selected.push(template.evaluate(&Environment { facts: &facts, ..*env })?);
            }
            self.see("afterItemSelector", &Value::Array(selected));
        }
        let concurrency = match &map.max_concurrency {
            None => 0,
            Some(Seconds::Fixed(n)) => *n,
            Some(Seconds::Formula(formula)) => formula.evaluate_as(env, "number", crate::machine::whole)?,
            Some(Seconds::Path(query)) => query.find(env).ok().and_then(|value| value.as_u64()).unwrap_or(0),
        };
        self.seen.insert("maxConcurrency".into(), concurrency.into());
        let mut tolerated = 0.0f64;
        for (name, tolerance) in
            [("toleratedFailureCount", &map.tolerated_count), ("toleratedFailurePercentage", &map.tolerated_percentage)]
        {
            let n = match tolerance {
                None => continue,
                Some(Tolerance::Fixed(n)) => *n,
                Some(Tolerance::Formula(formula)) => formula.evaluate_as(env, "number", Value::as_f64)?,
                Some(Tolerance::Path(query)) => query.find(env).ok().and_then(|value| value.as_f64()).unwrap_or(0.0),
            };
            self.seen.insert(name.into(), crate::jsonata::number(n));
            #[expect(clippy::cast_precision_loss, reason = "a Map has far fewer items than an f64 counts exactly")]
            let share = if name == "toleratedFailureCount" { n } else { n / 100.0 * length as f64 };
            tolerated = tolerated.max(share);
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of failed items")]
        let exceeded = self.failures.is_some_and(|failures| failures as f64 > tolerated);
        if exceeded && matches!(self.mock, Some(Mock::Result(_))) {
            let cause = "The specified tolerated failure threshold was exceeded";
            return Err(Failure::of(EXCEED_TOLERATED_FAILURE_THRESHOLD, cause.into()));
        }
        Ok(())
    }

    /// A result on its way to the output.
    fn conclude(
        &mut self,
        result: Value,
        selector: Option<&Template>,
        result_path: &ResultPath,
        env: &Environment<'_>,
    ) -> Result<Run, Failure> {
        let state = self.state;
        if self.is_jsonata() {
            let is_result = state.kind.outcomes().is_some();
            let shown = if is_result { Some(&result) } else { None };
            return self.leave(result.clone(), state.output.as_ref(), state.assign.as_ref(), shown, env, state.next);
        }
        let selected = match selector {
            Some(template) => template.evaluate(&env.with_input(&result))?,
            None => result,
        };
        self.see("afterResultSelector", &selected);
        self.assign(state.assign.as_ref(), &env.with_input(&selected))?;
        let output = match result_path {
            ResultPath::Whole => selected,
            ResultPath::Discard => env.input.clone(),
            ResultPath::At(steps, text) => {
                let mut output = env.input.clone();
                data::put(&mut output, steps, selected).map_err(|_| {
                    let cause = format!("Unable to apply ReferencePath {text} to input {}", env.input);
                    Failure::of(crate::error::RESULT_PATH_MATCH_FAILURE, cause)
                })?;
                output
            }
        };
        self.see("afterResultPath", &output);
        self.leave(output, None, None, None, env, state.next)
    }

    fn leave(
        &mut self,
        data: Value,
        output: Option<&Template>,
        assign: Option<&Template>,
        result: Option<&Value>,
        env: &Environment<'_>,
        next: Next,
    ) -> Result<Run, Failure> {
        let with_result = match result {
            Some(result) => env.with_result(result),
            None => env.with_input(env.input),
        };
        match result {
            Some(_) => self.assign(assign, &with_result)?,
            None => self.assign(assign, &env.with_input(&data))?,
        }
        let output = match output {
            Some(template) => template.evaluate(&with_result)?,
            None => data,
        };
        let output = match &self.state.output_path {
            Selector::Whole => output,
            selector => crate::machine::select(selector, &env.with_input(&output))?.into_owned(),
        };
        crate::machine::within_limits(&output, None, &self.state.name)?;
        let mut answer = Answer::new();
        answer.insert("output".into(), data::text(&output).into());
        answer.insert("status".into(), "SUCCEEDED".into());
        self.next(next, &mut answer);
        Ok(Run::Done(answer))
    }

    /// Sets variables; what `Assign` says is evaluated with the variables as they were.
    fn assign(&mut self, template: Option<&Template>, env: &Environment<'_>) -> Result<(), Failure> {
        let Some(template) = template else { return Ok(()) };
        let assigned = template.evaluate(env)?;
        crate::machine::check_assigned(env.variables, Some(&assigned), &self.state.name)?;
        if let Value::Object(values) = assigned {
            self.variables.extend(values);
        }
        Ok(())
    }

    fn next(&self, next: Next, answer: &mut Answer) {
        let scope = self
            .definition
            .scopes
            .iter()
            .position(|scope| scope.states.iter().any(|state| std::ptr::eq(state, self.state)));
        if let (Next::State(next), Some(scope)) = (next, scope)
            && let Some(next) = self.definition.state(scope, next)
        {
            answer.insert("nextState".into(), (&*next.name).into());
        }
    }

    /// The state has failed: it can be retried, is caught, or has failed for good.
    fn failed(&mut self, failure: Failure, env: &Environment<'_>) -> Answer {
        let mut answer = Answer::new();
        answer.insert("error".into(), failure.error.as_deref().into());
        answer.insert("cause".into(), failure.cause.as_deref().into());
        answer.retain(|_, text| !text.is_null());
        let outcomes = self.state.kind.outcomes();
        let names = |errors: &[String]| errors.iter().any(|name| failure.matches(name));
        let retriers: &[Retrier] = outcomes.map_or(&[], |outcomes| &outcomes.retry);
        if let Some((index, retrier)) = retriers.iter().enumerate().find(|(_, retrier)| names(&retrier.errors))
            && self.retries < retrier.max_attempts
        {
            let seconds = crate::machine::delay_ms(retrier, self.retries) / 1000;
            let details = json!({ "retryBackoffIntervalSeconds": seconds, "retryIndex": index });
            self.seen.insert("errorDetails".into(), details);
            answer.insert("status".into(), "RETRIABLE".into());
            return answer;
        }
        let catchers: &[Catcher] = outcomes.map_or(&[], |outcomes| &outcomes.catch);
        if let Some((index, catcher)) = catchers.iter().enumerate().find(|(_, catcher)| names(&catcher.errors)) {
            self.seen.insert("errorDetails".into(), json!({ "catchIndex": index }));
            let error = json!({ "Error": failure.error, "Cause": failure.cause });
            let assigned = match self.is_jsonata() {
                true => self.assign(catcher.assign.as_ref(), &env.with_error(&error)),
                false => self.assign(catcher.assign.as_ref(), &env.with_input(&error)),
            };
            match assigned.and_then(|()| caught(catcher, error, env)) {
                Ok(output) => {
                    answer.insert("output".into(), data::text(&output).into());
                    answer.insert("status".into(), "CAUGHT_ERROR".into());
                    self.next(Next::State(catcher.next), &mut answer);
                    return answer;
                }
                Err(failure) => {
                    answer.insert("error".into(), failure.error.as_deref().into());
                    answer.insert("cause".into(), failure.cause.as_deref().into());
                }
            }
        }
        answer.insert("status".into(), "FAILED".into());
        answer
    }
}

fn caught(catcher: &Catcher, error: Value, env: &Environment<'_>) -> Result<Value, Failure> {
    if let Some(template) = &catcher.output {
        return template.evaluate(&env.with_error(&error));
    }
    match &catcher.result_path {
        ResultPath::Whole => Ok(error),
        ResultPath::Discard => Ok(env.input.clone()),
        ResultPath::At(steps, text) => {
            let mut output = env.input.clone();
            data::put(&mut output, steps, error).map_err(|_| {
                let cause = format!("Unable to apply ReferencePath {text} to input {}", env.input);
                Failure::of(crate::error::RESULT_PATH_MATCH_FAILURE, cause)
            })?;
            Ok(output)
        }
    }
}

fn items_of(map: &MapState, env: &Environment<'_>) -> Result<Value, Failure> {
    match &map.items {
        Some(Items::Formula(formula)) => {
            formula.evaluate_as(env, "array", |value| value.is_array().then(|| value.clone()))
        }
        Some(Items::Template(template)) => template.evaluate(env),
        None => match &map.items_path {
            None => Ok(env.input.clone()),
            Some(query) => match query.find(env) {
                Ok(found) => Ok(found.into_owned()),
                Err(error) => Err(crate::machine::invalid_path(query, &error)),
            },
        },
    }
}

fn fail_of(fail: &Fail, env: &Environment<'_>) -> Result<Failure, Failure> {
    let text = |text: Option<&Text>, field: &str| crate::machine::text(text, field, env);
    Ok(Failure::new(text(fail.error.as_ref(), "ErrorPath")?, text(fail.cause.as_ref(), "CausePath")?))
}
