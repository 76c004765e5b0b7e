//! Functions: of this process, or behind an endpoint that speaks the Lambda Invoke API.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::wire::{self, Reply, Sent};
use super::{Answer, Fault, Request, Service};
use crate::core::Core;
use crate::task::{Failure, TaskCall};

/// The largest payload and the largest answer of a function: those of Lambda.
const MAX_PAYLOAD_BYTES: usize = 6 << 20;

pub(super) struct Lambda;

/// The function's name in `FunctionName`: a name, a partial or a whole ARN, with a version or without.
fn plain_name(name: &str) -> &str {
    let name = name.split_once(":function:").or_else(|| name.split_once("function:")).map_or(name, |(_, rest)| rest);
    name.split(':').next().unwrap_or(name)
}

impl Request {
    fn function(&self) -> Option<&str> {
        self.name.as_deref().or_else(|| self.text("FunctionName").map(plain_name))
    }

    /// What the function is given: all arguments where its bare ARN is called.
    fn payload(&self) -> Value {
        match self.name {
            Some(_) => self.arguments.clone(),
            None => self.arguments.get("Payload").cloned().unwrap_or_else(|| json!({})),
        }
    }
}

#[async_trait]
impl Service for Lambda {
    fn reaches_out(&self, core: &Core, request: &Request) -> bool {
        let own = request.function().and_then(|name| core.functions.get(name));
        own.is_none_or(|handler| handler.reaches_out())
    }

    async fn call(&self, core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
        let name = request.function().ok_or_else(|| {
            let message = "1 validation error detected: Value null at 'functionName' failed to satisfy constraint: Member \
                           must not be null";
            Fault::unmodelled("ValidationException", message)
        })?;
        let (mut answer, status) = match core.functions.get(name) {
            Some(handler) => {
                let (key, attempt) = (request.key.clone(), request.start.attempt);
                let call = TaskCall { input: request.payload(), key, attempt, now_ms: request.now_ms };
                (Answer::from(handler.call(call).await?), 200)
            }
            None => {
                let (output, status) = invoke(core, request, name).await?;
                (Answer::of(output), status)
            }
        };
        if request.name.is_some() {
            return Ok(answer);
        }
        let event = request.text("InvocationType") == Some("Event");
        answer.output = match (event, request.integration.sdk) {
            (true, _) => json!({"Payload": "", "StatusCode": 202}),
            (false, false) => json!({"ExecutedVersion": "$LATEST", "Payload": answer.output, "StatusCode": status}),
            // The SDK gives the bytes of the answer.
            (false, true) => {
                json!({"ExecutedVersion": "$LATEST", "Payload": answer.output.to_string(), "StatusCode": status})
            }
        };
        Ok(answer)
    }
}

fn unknown(core: &Core, name: &str) -> Fault {
    let (region, account) = (&core.config.region, &core.config.account);
    let message = format!("Function not found: arn:aws:lambda:{region}:{account}:function:{name}:$LATEST");
    let code = "ResourceNotFoundException";
    Fault::Service { exception: Some(code), code, status: 404, message }
}

/// Calls a function over HTTP (`POST /2015-03-31/functions/NAME/invocations`, "Invoke" in the Lambda API reference).
async fn invoke(core: &Core, request: &Request, name: &str) -> Result<(Value, u16), Fault> {
    let Some((endpoint, limit)) = core.services.resources.functions.place(name) else {
        return Err(unknown(core, name));
    };
    let payload = request.payload().to_string();
    if payload.len() > MAX_PAYLOAD_BYTES {
        let message =
            format!("Request must be smaller than {MAX_PAYLOAD_BYTES} bytes for the InvokeFunction operation");
        let exception = Some("RequestTooLargeException");
        return Err(Fault::Service { exception, code: "RequestEntityTooLargeException", status: 413, message });
    }
    let kind = request.text("InvocationType").unwrap_or("RequestResponse").to_owned();
    let url = format!("{}/2015-03-31/functions/{}/invocations", endpoint.trim_end_matches('/'), wire::escaped(name));
    let headers =
        vec![("content-type".to_owned(), "application/json".to_owned()), ("x-amz-invocation-type".to_owned(), kind)];
    let sent = Sent { method: "POST".into(), url, headers, body: payload.into_bytes() };
    let reply = wire::send(sent, limit, MAX_PAYLOAD_BYTES).await.map_err(|problem| match problem {
        wire::Problem::TooLarge => Failure::new(
            "Function.ResponseSizeTooLarge",
            format!("Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes)."),
        ),
        wire::Problem::TimedOut => {
            Failure::new("Sandbox.Timedout", format!("Task timed out after {}.00 seconds", limit.as_secs()))
        }
        other => Failure::new("Lambda.SdkClientException", format!("Unable to execute HTTP request: {other}")),
    })?;
    answered(core, name, &reply)
}

fn answered(core: &Core, name: &str, reply: &Reply) -> Result<(Value, u16), Fault> {
    let text = String::from_utf8_lossy(&reply.body);
    if !(200..300).contains(&reply.status) {
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let message = ["Message", "message", "errorMessage"].iter().find_map(|field| body.get(field)?.as_str());
        let message = message.map_or_else(|| text.chars().take(1_000).collect(), str::to_owned);
        let exception = match reply.status {
            404 => return Err(unknown(core, name)),
            413 => "RequestTooLargeException",
            429 => "TooManyRequestsException",
            500.. => "ServiceException",
            _ => "InvalidRequestContentException",
        };
        return Err(Fault::Service { exception: Some(exception), code: exception, status: reply.status, message });
    }
    if reply.header("x-amz-function-error").is_some() {
        let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let error = body.get("errorType").and_then(Value::as_str).filter(|error| !error.is_empty());
        return Err(Failure::new(error.unwrap_or("Lambda.Unknown"), text).into());
    }
    if reply.body.is_empty() {
        return Ok((Value::Null, reply.status));
    }
    let output = serde_json::from_slice(&reply.body).map_err(|e| {
        Failure::new("Lambda.Unknown", format!("the function `{name}` answered with something that is not JSON: {e}"))
    })?;
    Ok((output, reply.status))
}
