//! The Lambda runtime API (version 2018-06-01): the next invocation, its answer or its error.
//!
//! Why not the `lambda_runtime` crate: these are three requests to a local address, and errors here carry the names that Retry
//! and Catch match.

use std::time::Duration;

use app::FunctionError;
use serde_json::{Value as Json, json};

use super::SetupError;
use crate::trace::Trace;

/// The API of this process.
pub(super) struct RuntimeApi {
    http: reqwest::Client,
    base: String,
}

/// How long an invocation may take if Lambda does not say.
const UNTOLD: Duration = Duration::from_secs(30);

/// One invocation.
pub(super) struct Invocation {
    id: String,
    deadline_ms: Option<i64>,
    pub(super) trace: Option<Trace>,
    pub(super) event: Json,
}

impl Invocation {
    /// What is left of its time: Lambda ends the process after that.
    pub(super) fn time_left(&self) -> Duration {
        let Some(deadline) = self.deadline_ms else { return UNTOLD };
        Duration::from_millis(u64::try_from(deadline - store::clock::now_ms()).unwrap_or(0))
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

impl RuntimeApi {
    /// Where Lambda says it is.
    pub(super) fn from_environment() -> Result<RuntimeApi, SetupError> {
        crate::client::install_tls();
        let host =
            std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(|_| SetupError::Missing("AWS_LAMBDA_RUNTIME_API"))?;
        // No time limit: the next invocation may be hours away.
        let http = reqwest::Client::builder().build().map_err(SetupError::Runtime)?;
        Ok(RuntimeApi { http, base: format!("http://{host}/2018-06-01/runtime") })
    }

    pub(super) async fn next(&self) -> Result<Invocation, SetupError> {
        let answer = self.http.get(format!("{}/invocation/next", self.base)).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status).map_err(SetupError::Runtime)?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let id = header("lambda-runtime-aws-request-id");
        let id = id.ok_or(SetupError::Missing("the id of the invocation"))?.to_owned();
        let deadline_ms = header("lambda-runtime-deadline-ms").and_then(|text| text.parse().ok());
        let trace = header("lambda-runtime-trace-id").and_then(Trace::of);
        let event = answer.bytes().await.map_err(SetupError::Runtime)?;
        Ok(Invocation { id, deadline_ms, trace, event: serde_json::from_slice(&event).unwrap_or(Json::Null) })
    }

    pub(super) async fn answer(
        &self,
        invocation: &Invocation,
        answer: Result<Json, FunctionError>,
    ) -> Result<(), SetupError> {
        let url = format!("{}/invocation/{}", self.base, invocation.id);
        let request = match answer {
            Ok(output) => self.http.post(format!("{url}/response")).body(output.to_string()),
            Err(error) => {
                tracing::warn!(error = error.error, cause = error.cause, "the function failed");
                let request = self.http.post(format!("{url}/error"));
                request
                    .header("lambda-runtime-function-error-type", &error.error)
                    .body(told(&error.error, &error.cause))
            }
        };
        // An answer that is refused (too large, too late) concerns this invocation only.
        let answered = request.send().await.map_err(SetupError::Runtime)?;
        if !answered.status().is_success() {
            tracing::error!(status = answered.status().as_u16(), "the answer was not taken");
        }
        Ok(())
    }

    pub(super) async fn fail_start(&self, error: &SetupError) {
        let body = told(error.name(), &error.to_string());
        let request = self.http.post(format!("{}/init/error", self.base)).body(body);
        if let Err(error) = request.header("lambda-runtime-function-error-type", error.name()).send().await {
            tracing::error!(%error, "the start failed, and could not be told of");
        }
    }
}

fn told(error: &str, cause: &str) -> String {
    json!({ "errorType": error, "errorMessage": cause, "stackTrace": [] }).to_string()
}
