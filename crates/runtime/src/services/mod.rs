//! What tasks call: one handler for each service, found by the task's resource.
//!
//! A handler answers with an output and with changes, which commit together with the journal's record of the result: so
//! whatever a service keeps in the store (messages, items of tables, child executions) happens exactly once. What acts
//! outside the store happens at least once, after everything that it builds on is durable.

mod activity;
mod events;
mod executions;
mod fault;
mod functions;
mod http;
mod items;
mod objects;
mod pattern;
mod queues;
mod resources;
mod tables;
mod topics;
mod wire;

use std::sync::Arc;

use asl::resource::{Integration, Kind, Service as Name};
use asl::{ExecutionInfo, TaskStart, Work};
use async_trait::async_trait;
use object_store::ObjectStore;
use serde_json::{Value, json};
use store::{Batch, clock};

use crate::core::Core;
use crate::machines::uuid;
use crate::task::{Failure, TaskAnswer};

pub(crate) use executions::{Ended, OnEnd, START_EXECUTION, STOP_EXECUTION, StartExecution, StopExecution};
pub(crate) use fault::Fault;
pub(crate) use items::MAX_ITEMS_BYTES;
pub use resources::{
    Authorization, Bus, Connection, FunctionEndpoint, Functions, KeyAttribute, Resources, Rule, Secret, Subscription,
    TableSchema, Topic,
};
pub(crate) use tables::{TABLE_ITEMS, USER_TABLES};

/// A service: what its resources do.
#[async_trait]
pub(crate) trait Service: Send + Sync {
    /// Whether the call acts outside the store. All that it builds on is durable before it is made.
    fn reaches_out(&self, _: &Core, _: &Request) -> bool {
        false
    }

    /// Makes a call. Made again when its changes conflict with another writer's, and after a crash before its record was
    /// durable.
    async fn call(&self, core: &Arc<Core>, request: &Request) -> Result<Answer, Fault>;
}

/// A call of a service.
#[derive(Debug)]
pub(crate) struct Request {
    /// What is called; for functions and activities by their ARN, the service's nearest one.
    pub(crate) integration: &'static Integration,
    /// The name in the ARN of a function or activity.
    pub(crate) name: Option<String>,
    /// What it is called with.
    pub(crate) arguments: Value,
    /// The id of the execution.
    pub(crate) execution: i64,
    /// The ARNs of the execution and of its state machine.
    pub(crate) arns: [String; 2],
    /// The execution's name and the step's path in it, the same for every attempt: an idempotency key.
    pub(crate) key: String,
    /// The attempt of the task.
    pub(crate) start: Attempt,
    /// Milliseconds since the epoch.
    pub(crate) now_ms: i64,
}

/// Which task a call is for.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) task: asl::TaskId,
    pub(crate) attempt: u32,
    pub(crate) pattern: asl::resource::Pattern,
    pub(crate) work: Work,
}

/// What a service answers.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The result of the task, or what its request was answered with.
    pub(crate) output: Value,
    /// Applied in the same commit as the journal's record.
    pub(crate) changes: Batch,
    /// The execution that it starts, and whose end the task waits for.
    pub(crate) child: Option<i64>,
}

/// Sets a field of an object.
fn put(object: &mut Value, field: &str, value: impl Into<Value>) {
    if let Value::Object(fields) = object {
        fields.insert(field.to_owned(), value.into());
    }
}

impl Answer {
    fn of(output: Value) -> Answer {
        Answer { output, ..Answer::default() }
    }
}

impl From<TaskAnswer> for Answer {
    fn from(answer: TaskAnswer) -> Answer {
        Answer { output: answer.output, changes: answer.changes, child: None }
    }
}

impl Request {
    fn argument(&self, field: &str) -> Option<&Value> {
        self.arguments.get(field).filter(|value| !value.is_null())
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.argument(field).and_then(Value::as_str)
    }

    /// A text that must be there.
    fn required(&self, field: &str) -> Result<&str, Fault> {
        self.text(field).ok_or_else(|| Fault::argument(self.integration, format!("`{field}` must be a string")))
    }

    /// An output with what the optimised integrations add to it: how the HTTP answer of the service would look.
    fn answered(&self, mut output: Value, content_type: &str) -> Value {
        if self.integration.sdk {
            return output;
        }
        let (id, length) = (uuid(), output.to_string().len().to_string());
        let headers = [("Content-Length", length.as_str()), ("Content-Type", content_type), ("x-amzn-RequestId", &id)];
        let all: serde_json::Map<String, Value> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), json!([value]))).collect();
        let first: serde_json::Map<String, Value> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        if let Value::Object(output) = &mut output {
            let http = json!({"AllHttpHeaders": all, "HttpHeaders": first, "HttpStatusCode": 200});
            output.insert("SdkHttpMetadata".into(), http);
            output.insert("SdkResponseMetadata".into(), json!({"RequestId": id}));
        }
        output
    }
}

/// JSON of the 1.0 protocol, which most services speak.
const AWS_JSON: &str = "application/x-amz-json-1.0";

/// The services, and what they need.
pub(crate) struct Services {
    pub(crate) resources: Resources,
    pub(crate) objects: Option<Arc<dyn ObjectStore>>,
    http: http::HttpTasks,
}

impl Services {
    pub(crate) fn new(resources: Resources, objects: Option<Arc<dyn ObjectStore>>) -> Services {
        Services { resources, objects, http: http::HttpTasks::default() }
    }

    fn of(&self, service: Name) -> &dyn Service {
        match service {
            Name::Lambda => &functions::Lambda,
            Name::Sqs => &queues::Sqs,
            Name::Sns => &topics::Sns,
            Name::DynamoDb => &tables::DynamoDb,
            Name::StepFunctions => &executions::StepFunctions,
            Name::Http => &self.http,
            Name::EventBridge => &events::EventBridge,
            Name::S3 => &objects::S3,
        }
    }
}

/// A task ready to be run.
pub(crate) struct Call {
    request: Request,
    reaches_out: bool,
}

impl Request {
    fn handler<'c>(&self, core: &'c Core) -> &'c dyn Service {
        match (&self.start.work, &self.name) {
            (Work::ReadItems(_) | Work::WriteResults(_), _) => &items::Items,
            (Work::Call, Some(_)) if self.integration.service == Name::StepFunctions => &activity::Activities,
            _ => core.services.of(self.integration.service),
        }
    }
}

impl Call {
    /// Whether it acts outside the store.
    pub(crate) fn reaches_out(&self) -> bool {
        self.reaches_out
    }

    pub(crate) async fn run(self, core: &Arc<Core>) -> Result<Answer, Failure> {
        let answered = self.request.handler(core).call(core, &self.request).await;
        answered.map_err(|fault| fault.failure(self.request.integration))
    }
}

impl Core {
    /// What runs this task; `key` is what the idempotency keys of the execution's steps begin with.
    ///
    /// # Errors
    /// The failure that the flow sees if nothing can.
    pub(crate) fn call_of(&self, id: i64, key: &str, info: &ExecutionInfo, start: &TaskStart) -> Result<Call, Failure> {
        let nearest = |prefix, action| {
            let unknown = || Failure::new("States.Runtime", format!("`{}` cannot be called", start.resource.raw));
            Integration::find(prefix, action).ok_or_else(unknown)
        };
        let (integration, name) = match &start.resource.kind {
            Kind::Function { name } => (nearest("lambda", "invoke")?, Some(name.clone())),
            Kind::Activity { name } => (nearest("states", "startExecution")?, Some(name.clone())),
            Kind::Service(integration) => (*integration, None),
        };
        let request = Request {
            integration,
            name,
            arguments: start.arguments.clone(),
            execution: id,
            arns: [info.id.clone(), info.state_machine_id.clone()],
            key: format!("{key}/{}", start.path),
            start: Attempt {
                task: start.task,
                attempt: start.attempt,
                pattern: start.resource.pattern,
                work: start.work.clone(),
            },
            now_ms: clock::now_ms(),
        };
        let reaches_out = request.handler(self).reaches_out(self, &request);
        Ok(Call { request, reaches_out })
    }
}
