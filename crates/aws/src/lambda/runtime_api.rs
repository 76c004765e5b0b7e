//! The Lambda runtime API (version 2018-06-01): the next invocation, its answer or its error.
//!
//! Why not the `lambda_runtime` crate: these are three requests to a local address, and errors here carry the names that Retry
//! and Catch match.

use app::FunctionError;
use serde_json::{Value as Json, json};

use super::SetupError;

/// The API of this process.
pub(super) struct RuntimeApi {
    http: reqwest::Client,
    base: String,
}

/// One invocation.
pub(super) struct Invocation {
    id: String,
    pub(super) event: Json,
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
        let id = answer.headers().get("lambda-runtime-aws-request-id").and_then(|id| id.to_str().ok());
        let id = id.ok_or(SetupError::Missing("the id of the invocation"))?.to_owned();
        let event = answer.bytes().await.map_err(SetupError::Runtime)?;
        Ok(Invocation { id, event: serde_json::from_slice(&event).unwrap_or(Json::Null) })
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
        let body = told("SetupFailed", &error.to_string());
        let request = self.http.post(format!("{}/init/error", self.base)).body(body);
        if let Err(error) = request.header("lambda-runtime-function-error-type", "SetupFailed").send().await {
            tracing::error!(%error, "the start failed, and could not be told of");
        }
    }
}

fn told(error: &str, cause: &str) -> String {
    json!({ "errorType": error, "errorMessage": cause, "stackTrace": [] }).to_string()
}
