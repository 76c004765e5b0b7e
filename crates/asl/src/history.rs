//! The history of an execution, in the shape of AWS's `GetExecutionHistory`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::map_runs::MapRunEvent;
use crate::resource::{Kind, Resource};

/// Takes the events of a history as they arise.
pub trait HistorySink {
    /// Whether events are wanted at all; if not, none is made and no data copied.
    fn wants(&self) -> bool;
    /// Takes the next event.
    fn push(&mut self, event: HistoryEvent);
    /// Takes what happens in the runs of distributed Maps, whose children have histories of their own.
    fn map_run(&mut self, _: MapRunEvent) {}
    /// Hears which way a state went, also in items whose history is not part of this one.
    fn turned(&mut self, _state: &Arc<str>, _turn: Turn) {}
}

/// Which way a state goes; what a test of a flow wants to have seen all of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Turn {
    /// It is entered.
    Entered,
    /// The rule of a Choice, counted from 0, holds.
    Rule(usize),
    /// No rule of a Choice holds, and it goes to its default.
    Default,
    /// The retrier, counted from 0, tries it again.
    Retrier(usize),
    /// The catcher, counted from 0, catches its failure.
    Catcher(usize),
}

/// Wants no history.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHistory;

impl HistorySink for NoHistory {
    fn wants(&self) -> bool {
        false
    }

    fn push(&mut self, _: HistoryEvent) {}
}

impl HistorySink for Vec<HistoryEvent> {
    fn wants(&self) -> bool {
        true
    }

    fn push(&mut self, event: HistoryEvent) {
        Vec::push(self, event);
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEvent {
    /// Counts from 1.
    pub id: u64,
    /// The event that led to this one; 0 for the first two.
    pub previous_id: u64,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// AWS's name of the type, such as `PassStateEntered`.
    pub kind: &'static str,
    /// What the event is about.
    pub details: Details,
}

/// What an event is about. Data are texts of compact JSON, as in AWS's answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Details {
    /// Types without details, such as `MapStateSucceeded`.
    None,
    /// `ExecutionStarted`.
    ExecutionStarted {
        /// The input.
        input: String,
        /// The role's ARN.
        role_arn: String,
    },
    /// `ExecutionSucceeded`.
    ExecutionSucceeded {
        /// The output.
        output: String,
    },
    /// `ExecutionFailed`, `ExecutionTimedOut`, `ExecutionAborted`.
    ExecutionEnded {
        /// The error name.
        error: Option<String>,
        /// The cause.
        cause: Option<String>,
    },
    /// `...StateEntered`.
    StateEntered {
        /// The state.
        name: Arc<str>,
        /// Its input.
        input: String,
    },
    /// `...StateExited`.
    StateExited {
        /// The state.
        name: Arc<str>,
        /// Its output.
        output: String,
        /// The variables that it assigned, each a text of JSON.
        assigned: Vec<(String, String)>,
    },
    /// `TaskScheduled`, `LambdaFunctionScheduled`, `ActivityScheduled`.
    TaskScheduled {
        /// What is called.
        resource: Arc<Resource>,
        /// What it is called with.
        arguments: String,
        /// The region of the execution.
        region: String,
        /// `TimeoutSeconds`, if given.
        timeout_s: Option<u64>,
        /// `HeartbeatSeconds`, if given.
        heartbeat_s: Option<u64>,
        /// The role named in `Credentials`.
        credentials: Option<Value>,
    },
    /// `TaskStarted`, `LambdaFunctionStarted`, `ActivityStarted`.
    TaskStarted {
        /// What is called.
        resource: Arc<Resource>,
        /// The name that a worker of an activity gave.
        worker: Option<String>,
    },
    /// `TaskSubmitted`.
    TaskSubmitted {
        /// What is called.
        resource: Arc<Resource>,
        /// The answer to the request.
        output: String,
    },
    /// `TaskSucceeded`, `LambdaFunctionSucceeded`, `ActivitySucceeded`.
    TaskSucceeded {
        /// What was called.
        resource: Arc<Resource>,
        /// The result.
        output: String,
    },
    /// `TaskFailed`, `TaskTimedOut`, and those of functions and activities.
    TaskFailed {
        /// What was called.
        resource: Arc<Resource>,
        /// The error name.
        error: Option<String>,
        /// The cause.
        cause: Option<String>,
    },
    /// `ExecutionRedriven`, `MapRunRedriven`.
    Redriven {
        /// How often, this time included.
        count: u32,
        /// The ARN of a map run.
        map_run: Option<String>,
    },
    /// `EvaluationFailed`.
    EvaluationFailed {
        /// The state.
        state: Arc<str>,
        /// The error name.
        error: Option<String>,
        /// The cause.
        cause: Option<String>,
        /// The field that was computed, such as `Output/total`.
        location: Option<String>,
    },
    /// `MapStateStarted`.
    MapStarted {
        /// How many items there are.
        length: usize,
    },
    /// `MapIterationStarted`, `...Succeeded`, `...Failed`, `...Aborted`.
    MapIteration {
        /// The Map state.
        name: Arc<str>,
        /// The item, from 0.
        index: usize,
    },
    /// `MapRunStarted`.
    MapRunStarted {
        /// The map run's ARN.
        arn: String,
    },
    /// `MapRunFailed`.
    MapRunFailed {
        /// The error name.
        error: Option<String>,
        /// The cause.
        cause: Option<String>,
    },
}

impl HistoryEvent {
    /// The event as `GetExecutionHistory` shows it; the timestamp is in seconds since 1970.
    pub fn to_value(&self) -> Value {
        let mut out = Map::new();
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit an f64 exactly")]
        let seconds = self.at_ms as f64 / 1000.0;
        out.insert("timestamp".into(), crate::data::number(seconds));
        out.insert("type".into(), self.kind.into());
        out.insert("id".into(), self.id.into());
        out.insert("previousEventId".into(), self.previous_id.into());
        if let Some((name, details)) = self.details.to_value(self.kind) {
            out.insert(name, details);
        }
        Value::Object(out)
    }
}

fn whole() -> Value {
    json!({ "truncated": false })
}

/// The event type in lower camel case with this ending, such as `mapIterationStartedEventDetails`.
fn field_of(kind: &str) -> String {
    let mut chars = kind.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).chain("EventDetails".chars()).collect()
}

fn with_failure(mut map: Map<String, Value>, error: &Option<String>, cause: &Option<String>) -> Map<String, Value> {
    if let Some(cause) = cause {
        map.insert("cause".into(), cause.as_str().into());
    }
    if let Some(error) = error {
        map.insert("error".into(), error.as_str().into());
    }
    map
}

/// `resource` and `resourceType`, which only service integrations show.
fn integration(resource: &Resource) -> Map<String, Value> {
    let mut map = Map::new();
    if !matches!(resource.kind, Kind::Function { .. } | Kind::Activity { .. }) {
        map.insert("resource".into(), resource.resource_action().into());
        map.insert("resourceType".into(), resource.resource_type().into());
    }
    map
}

impl Details {
    fn to_value(&self, kind: &str) -> Option<(String, Value)> {
        let mut map = Map::new();
        let name = match self {
            Details::None => return None,
            Details::ExecutionStarted { input, role_arn } => {
                map.insert("input".into(), input.as_str().into());
                map.insert("inputDetails".into(), whole());
                map.insert("roleArn".into(), role_arn.as_str().into());
                field_of(kind)
            }
            Details::ExecutionSucceeded { output } => {
                map.insert("output".into(), output.as_str().into());
                map.insert("outputDetails".into(), whole());
                field_of(kind)
            }
            Details::ExecutionEnded { error, cause } | Details::MapRunFailed { error, cause } => {
                map = with_failure(map, error, cause);
                field_of(kind)
            }
            Details::StateEntered { name, input } => {
                map.insert("name".into(), (&**name).into());
                map.insert("input".into(), input.as_str().into());
                map.insert("inputDetails".into(), whole());
                "stateEnteredEventDetails".into()
            }
            Details::StateExited { name, output, assigned } => {
                map.insert("name".into(), (&**name).into());
                map.insert("output".into(), output.as_str().into());
                map.insert("outputDetails".into(), whole());
                if !assigned.is_empty() {
                    let variables: Map<String, Value> =
                        assigned.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect();
                    map.insert("assignedVariables".into(), variables.into());
                    map.insert("assignedVariablesDetails".into(), whole());
                }
                "stateExitedEventDetails".into()
            }
            Details::TaskScheduled { resource, arguments, region, timeout_s, heartbeat_s, credentials } => {
                match resource.kind {
                    Kind::Function { .. } | Kind::Activity { .. } => {
                        map.insert("resource".into(), resource.raw.as_str().into());
                        map.insert("input".into(), arguments.as_str().into());
                        map.insert("inputDetails".into(), whole());
                    }
                    _ => {
                        map = integration(resource);
                        map.insert("region".into(), region.as_str().into());
                        map.insert("parameters".into(), arguments.as_str().into());
                    }
                }
                if let Some(timeout_s) = timeout_s {
                    map.insert("timeoutInSeconds".into(), (*timeout_s).into());
                }
                if let Some(heartbeat_s) = heartbeat_s {
                    map.insert("heartbeatInSeconds".into(), (*heartbeat_s).into());
                }
                if let Some(role) = credentials.as_ref().and_then(|c| c.get("RoleArn")) {
                    map.insert("taskCredentials".into(), json!({ "roleArn": role }));
                }
                field_of(kind)
            }
            Details::TaskStarted { resource, worker } => match resource.kind {
                Kind::Function { .. } => return None,
                Kind::Activity { .. } => {
                    if let Some(worker) = worker {
                        map.insert("workerName".into(), worker.as_str().into());
                    }
                    field_of(kind)
                }
                _ => {
                    map = integration(resource);
                    field_of(kind)
                }
            },
            Details::TaskSubmitted { resource, output } | Details::TaskSucceeded { resource, output } => {
                map = integration(resource);
                map.insert("output".into(), output.as_str().into());
                map.insert("outputDetails".into(), whole());
                field_of(kind)
            }
            Details::TaskFailed { resource, error, cause } => {
                map = with_failure(integration(resource), error, cause);
                field_of(kind)
            }
            Details::Redriven { count, map_run } => {
                if let Some(arn) = map_run {
                    map.insert("mapRunArn".into(), arn.as_str().into());
                }
                map.insert("redriveCount".into(), (*count).into());
                field_of(kind)
            }
            Details::EvaluationFailed { state, error, cause, location } => {
                map = with_failure(map, error, cause);
                if let Some(location) = location {
                    map.insert("location".into(), location.as_str().into());
                }
                map.insert("state".into(), (&**state).into());
                field_of(kind)
            }
            Details::MapStarted { length } => {
                map.insert("length".into(), (*length).into());
                field_of(kind)
            }
            Details::MapIteration { name, index } => {
                map.insert("name".into(), (&**name).into());
                map.insert("index".into(), (*index).into());
                field_of(kind)
            }
            Details::MapRunStarted { arn } => {
                map.insert("mapRunArn".into(), arn.as_str().into());
                field_of(kind)
            }
        };
        Some((name, Value::Object(map)))
    }
}

/// The names of the events of a task, which differ for functions, activities and integrations.
pub(crate) struct TaskKinds {
    pub(crate) scheduled: &'static str,
    pub(crate) started: &'static str,
    pub(crate) succeeded: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) timed_out: &'static str,
}

impl TaskKinds {
    pub(crate) fn of(resource: &Resource) -> &'static TaskKinds {
        match resource.kind {
            Kind::Function { .. } => &TaskKinds {
                scheduled: "LambdaFunctionScheduled",
                started: "LambdaFunctionStarted",
                succeeded: "LambdaFunctionSucceeded",
                failed: "LambdaFunctionFailed",
                timed_out: "LambdaFunctionTimedOut",
            },
            Kind::Activity { .. } => &TaskKinds {
                scheduled: "ActivityScheduled",
                started: "ActivityStarted",
                succeeded: "ActivitySucceeded",
                failed: "ActivityFailed",
                timed_out: "ActivityTimedOut",
            },
            _ => &TaskKinds {
                scheduled: "TaskScheduled",
                started: "TaskStarted",
                succeeded: "TaskSucceeded",
                failed: "TaskFailed",
                timed_out: "TaskTimedOut",
            },
        }
    }
}
