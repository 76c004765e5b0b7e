//! The Step Functions API: JSON 1.0 at `POST /`, the operation told by `X-Amz-Target`.
//!
//! Names, shapes and messages are those of AWS (the API reference of Step Functions, and recorded answers), so that the
//! AWS CLI, the SDKs and boto3 work against it unchanged.

mod activities;
mod aliases;
mod arn;
mod executions;
mod fault;
mod history;
mod machines;
mod map_runs;
mod model;
mod name;
mod paging;
mod params;
mod references;
mod settings;
mod signature;
mod tags;
mod tasks;
mod trial;
mod versions;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::Gateway;
use crate::http::{self, Action, Caller, Context, read_up_to};
use fault::Fault;
use params::Params;
use signature::{Claim, Head};

pub use signature::AccessKeys;

/// The header that names the operation.
const TARGET: &str = "x-amz-target";
/// What every operation's name begins with.
const SERVICE: &str = "AWSStepFunctions.";
/// The largest body: a definition of 1 MiB, escaped once more, and room for the rest.
const BODY_BYTES: usize = 3 << 20;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Operations that wait: how long the server lets them.
const WAITING: &[(&str, Duration)] = &[
    ("GetActivityTask", Duration::from_secs(70)),
    ("StartSyncExecution", Duration::from_secs(310)),
    ("TestState", Duration::from_secs(310)),
];

/// One call of an operation.
struct Call<'a> {
    gateway: &'a Gateway,
    params: Params,
    context: Option<Arc<Context>>,
}

impl Call<'_> {
    fn engine(&self) -> &runtime::Runtime {
        &self.gateway.engine
    }

    /// The ARN of a thing of ours, such as `stateMachine:order`.
    fn arn(&self, rest: &str) -> String {
        let config = self.engine().config();
        format!("arn:aws:states:{}:{}:{rest}", config.region, config.account)
    }
}

/// The longest that a request may take, if it is one of an operation that waits.
pub(crate) fn patience(headers: &HeaderMap) -> Option<Duration> {
    let operation = operation(headers)?;
    WAITING.iter().find(|(name, _)| *name == operation).map(|(_, time)| *time)
}

fn operation(headers: &HeaderMap) -> Option<&str> {
    headers.get(TARGET)?.to_str().ok()?.strip_prefix(SERVICE)
}

/// Answers any operation.
pub(crate) async fn answer(State(gateway): State<Gateway>, caller: Caller, request: Request) -> Response {
    if !request.headers().contains_key(TARGET) {
        return http::page(State(gateway), request).await;
    }
    let (parts, body) = request.into_parts();
    let head = Head { method: &parts.method, uri: &parts.uri, headers: &parts.headers };
    let keys = &*gateway.access_keys;
    // Whoever signs with one of the server's keys may; without keys the rules of all other routes count.
    let claim = match keys.is_empty() {
        true if caller.may(Action::Operate).is_err() => Err(Fault::new("AccessDeniedException", "sign in first")),
        true => Ok(None),
        false => Claim::of(&head).map(Some),
    };
    let claim = match claim {
        Ok(claim) => claim,
        Err(fault) => return written(Err(fault)),
    };
    let context = parts.extensions.get::<Arc<Context>>().cloned();
    let operation = operation(&parts.headers).map(str::to_owned);
    let Some(operation) = operation.filter(|operation| model::knows(operation)) else {
        return written(Err(Fault::new("UnknownOperationException", "")));
    };
    let body = match read_up_to(Request::new(body), BODY_BYTES, BODY_TIME).await {
        Ok(body) => body,
        Err(problem) => return written(Err(Fault::unreadable(&problem))),
    };
    let now_s = store::clock::now_ms().div_euclid(1000);
    if let Some(Err(fault)) = claim.map(|claim| claim.verify(&head, &body, keys, now_s)) {
        return written(Err(fault));
    }
    let params = match Params::parse(&operation, &body) {
        Ok(params) => params,
        Err(fault) => return written(Err(fault)),
    };
    let call = Call { gateway: &gateway, params, context };
    written(dispatch(&operation, &call).await)
}

async fn dispatch(operation: &str, call: &Call<'_>) -> Result<Value, Fault> {
    match operation {
        "CreateStateMachine" => machines::create(call).await,
        "UpdateStateMachine" => machines::update(call).await,
        "DescribeStateMachine" => machines::describe(call).await,
        "DescribeStateMachineForExecution" => machines::describe_for_execution(call).await,
        "DeleteStateMachine" => machines::delete(call).await,
        "ListStateMachines" => machines::list(call).await,
        "ValidateStateMachineDefinition" => machines::validate(call),
        "PublishStateMachineVersion" => versions::publish(call).await,
        "ListStateMachineVersions" => versions::list(call).await,
        "DeleteStateMachineVersion" => versions::delete(call).await,
        "CreateStateMachineAlias" => aliases::create(call).await,
        "UpdateStateMachineAlias" => aliases::update(call).await,
        "DescribeStateMachineAlias" => aliases::describe(call).await,
        "ListStateMachineAliases" => aliases::list(call).await,
        "DeleteStateMachineAlias" => aliases::delete(call).await,
        "StartExecution" => executions::start(call).await,
        "StartSyncExecution" => executions::start_sync(call).await,
        "DescribeExecution" => executions::describe(call).await,
        "StopExecution" => executions::stop(call).await,
        "RedriveExecution" => executions::redrive(call).await,
        "ListExecutions" => executions::list(call).await,
        "GetExecutionHistory" => history::get(call).await,
        "ListMapRuns" => map_runs::list(call).await,
        "DescribeMapRun" => map_runs::describe(call).await,
        "UpdateMapRun" => map_runs::update(call).await,
        "TestState" => trial::test(call).await,
        "SendTaskSuccess" => tasks::succeed(call).await,
        "SendTaskFailure" => tasks::fail(call).await,
        "SendTaskHeartbeat" => tasks::beat(call).await,
        "CreateActivity" => activities::create(call).await,
        "DescribeActivity" => activities::describe(call).await,
        "ListActivities" => activities::list(call).await,
        "DeleteActivity" => activities::delete(call).await,
        "GetActivityTask" => activities::get_task(call).await,
        "TagResource" => tags::tag(call).await,
        "UntagResource" => tags::untag(call).await,
        "ListTagsForResource" => tags::list(call).await,
        _ => Err(Fault::new("UnknownOperationException", "")),
    }
}

/// An answer in JSON 1.0, with an id by which the log and the client can speak of it.
fn written(result: Result<Value, Fault>) -> Response {
    let (status, value) = match result {
        Ok(value) => (StatusCode::OK, value),
        Err(fault) => (fault.status, fault.to_value()),
    };
    let mut response = (status, Bytes::from(value.to_string())).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&store::id::encode(store::id::next())) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

/// An instant as the API writes it: seconds since the epoch.
fn seconds(ms: i64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit an f64 exactly")]
    let seconds = ms as f64 / 1000.0;
    Value::from(seconds)
}

/// Sets a field of an answer, which is an object.
fn set(out: &mut Value, field: &str, value: impl Into<Value>) {
    if let Value::Object(fields) = out {
        fields.insert(field.to_owned(), value.into());
    }
}
