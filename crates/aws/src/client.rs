//! Signed JSON calls to the services of AWS, tried again as each answer allows.

use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, HeaderValue};
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::HttpRequest;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use store::BoxError;
use tracing::Instrument as _;

use crate::credentials::{self, CredentialError};
use crate::trace;

/// How often a request is tried.
pub const MAX_TRIES: u32 = 8;
/// How long all tries of a request may take together.
const LONGEST: Duration = Duration::from_secs(15);
/// How long one try may take.
const TRY_TIMEOUT: Duration = Duration::from_secs(6);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The first pause; each is a random part of twice the one before.
const FIRST_PAUSE_MS: u64 = 25;
const LONGEST_PAUSE_MS: u64 = 1_000;

/// A service that speaks AWS JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Its name in signatures, in its host, and in `AWS_ENDPOINT_URL_<NAME>`.
    pub name: &'static str,
    /// What stands before the operation in `X-Amz-Target`.
    pub target: &'static str,
    /// The version of AWS JSON.
    pub version: &'static str,
}

/// DynamoDB.
pub const DYNAMODB: Service = Service { name: "dynamodb", target: "DynamoDB_20120810", version: "1.0" };

/// SQS.
pub const SQS: Service = Service { name: "sqs", target: "AmazonSQS", version: "1.0" };
/// Step Functions.
pub const STATES: Service = Service { name: "states", target: "AWSStepFunctions", version: "1.0" };
/// Secrets Manager.
pub const SECRETS: Service = Service { name: "secretsmanager", target: "secretsmanager", version: "1.1" };

/// A request to a service, before it is signed.
#[derive(Debug, Clone)]
pub struct Request {
    /// The service's name in signatures.
    pub service: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// The address.
    pub url: String,
    /// Headers besides those of the signature.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// What a service refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{service} answered {status} {code}: {message}")]
pub struct Refusal {
    /// The service.
    pub service: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The name of the error, without its namespace.
    pub code: String,
    /// Its message.
    pub message: String,
    /// The whole answer.
    pub body: Json,
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The service refused it.
    #[error(transparent)]
    Refused(Refusal),
    /// No answer came, and none of the tries is known to have had no effect.
    #[error("{service} does not answer")]
    Unanswered {
        /// The service.
        service: &'static str,
        /// The last try's failure.
        #[source]
        source: BoxError,
    },
    /// There are no credentials.
    #[error("there are no AWS credentials")]
    Credentials(#[source] object_store::Error),
}

impl CallError {
    /// Its name, for traces: nothing of the request.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            CallError::Refused(refusal) => &refusal.code,
            CallError::Unanswered { .. } => "Unanswered",
            CallError::Credentials(_) => "NoCredentials",
        }
    }
}

/// What to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Too much at once: try again.
    Throttled,
    /// Another transaction is at work on the item: try again.
    Busy,
    /// The service failed, and may have done it all the same: try again.
    Failed,
    /// It is meant so: do not try again.
    Final,
}

impl Refusal {
    /// What kind of refusal it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self.code.as_str() {
            "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "RequestThrottled"
            | "ProvisionedThroughputExceededException"
            | "LimitExceededException"
            | "SlowDown" => Class::Throttled,
            "TransactionConflictException" | "TransactionInProgressException" => Class::Busy,
            "TransactionCanceledException" => self.cancelled(),
            _ if self.status >= 500 => Class::Failed,
            _ if self.status == 429 => Class::Throttled,
            _ => Class::Final,
        }
    }

    /// The cancellation reasons of a transaction: the code of each of its writes, `None` for one that had no part in it.
    #[must_use]
    pub fn reasons(&self) -> Vec<(&str, Option<&Json>)> {
        let reasons = self.body.get("CancellationReasons").and_then(Json::as_array);
        reasons
            .into_iter()
            .flatten()
            .map(|reason| (reason.get("Code").and_then(Json::as_str).unwrap_or("None"), reason.get("Item")))
            .collect()
    }

    /// A broken condition outweighs all else: it is judged against what is there.
    fn cancelled(&self) -> Class {
        let reasons = self.reasons();
        let has = |codes: &[&str]| reasons.iter().any(|(code, _)| codes.contains(code));
        let waits = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
        if reasons.iter().any(|(code, _)| *code != "None" && !waits.contains(code)) {
            Class::Final
        } else if has(&["TransactionConflict"]) {
            Class::Busy
        } else if has(&["ThrottlingError", "ProvisionedThroughputExceeded"]) {
            Class::Throttled
        } else {
            Class::Final
        }
    }
}

/// The way to AWS. Made once for a process; cheap to clone.
#[derive(Clone)]
pub struct Aws {
    http: reqwest::Client,
    credentials: AwsCredentialProvider,
    region: String,
    /// Where all services are, whatever the environment says.
    everything: Option<String>,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Aws({})", self.region)
    }
}

/// Why AWS cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No region is named.
    #[error("no AWS region is set; set AWS_REGION, for example to `sa-east-1`")]
    Region,
    /// See [`CredentialError`].
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// The HTTP client cannot be made.
    #[error("the HTTPS client cannot be made: {0}")]
    Client(#[source] reqwest::Error),
}

impl Aws {
    /// By the environment: region, credentials, and endpoints of emulators.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn from_environment() -> Result<Aws, SetupError> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).ok_or(SetupError::Region)?;
        install_tls();
        let credentials = credentials::provider(&region)?;
        Aws::new(region, credentials)
    }

    /// In that region, with these credentials.
    ///
    /// # Errors
    /// [`SetupError::Client`].
    pub fn new(region: String, credentials: AwsCredentialProvider) -> Result<Aws, SetupError> {
        install_tls();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TRY_TIMEOUT)
            .tcp_nodelay(true)
            .build()
            .map_err(SetupError::Client)?;
        Ok(Aws { http, credentials, region, everything: None })
    }

    /// With all services at one address, an emulator's.
    #[must_use]
    pub fn at(self, url: &str) -> Aws {
        Aws { everything: Some(url.trim_end_matches('/').to_owned()), ..self }
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The credentials.
    #[must_use]
    pub fn credentials(&self) -> &AwsCredentialProvider {
        &self.credentials
    }

    /// Where a service is: `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, or its address in the region.
    #[must_use]
    pub fn endpoint(&self, service: &str) -> String {
        if let Some(url) = &self.everything {
            return url.clone();
        }
        let own = format!("AWS_ENDPOINT_URL_{}", service.to_uppercase());
        let named = std::env::var(own).or_else(|_| std::env::var("AWS_ENDPOINT_URL"));
        if let Some(url) = named.ok().filter(|url| !url.is_empty()) {
            return url.trim_end_matches('/').to_owned();
        }
        let domain = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{service}.{}.{domain}", self.region)
    }

    /// Calls an operation of a service that speaks AWS JSON, and tries again as long as the answers allow.
    ///
    /// # Errors
    /// [`CallError`] of the last try.
    pub async fn call(
        &self,
        service: Service,
        endpoint: &str,
        operation: &str,
        body: &Json,
    ) -> Result<Json, CallError> {
        let headers = vec![
            ("x-amz-target", format!("{}.{operation}", service.target)),
            (CONTENT_TYPE.as_str(), format!("application/x-amz-json-{}", service.version)),
        ];
        let body = body.to_string();
        self.send(&Request { service: service.name, method: "POST", url: endpoint.to_owned(), headers, body }).await
    }

    /// Sends a request, and tries again as long as the answers allow.
    ///
    /// # Errors
    /// [`CallError`] of the last try.
    pub async fn send(&self, request: &Request) -> Result<Json, CallError> {
        let target = request.headers.iter().find(|(name, _)| *name == "x-amz-target").map(|(_, value)| value.as_str());
        let method = target.and_then(|target| target.rsplit('.').next()).unwrap_or(request.method);
        let span = tracing::info_span!(
            target: "aws", "request", rpc.system = "aws-api", rpc.service = request.service, rpc.method = method,
            tries = tracing::field::Empty, error = tracing::field::Empty,
        );
        self.send_until(request).instrument(span).await
    }

    async fn send_until(&self, request: &Request) -> Result<Json, CallError> {
        let begin = Instant::now();
        let mut tries = 1;
        loop {
            let result = self.try_once(request).await;
            let class = match &result {
                Ok(_) | Err(CallError::Credentials(_)) => return result,
                Err(CallError::Refused(refusal)) => refusal.class(),
                Err(CallError::Unanswered { .. }) => Class::Failed,
            };
            if class == Class::Final || tries >= MAX_TRIES || begin.elapsed() >= LONGEST {
                let span = tracing::Span::current();
                span.record("tries", tries);
                if let Err(error) = &result {
                    span.record("error", error.code());
                }
                return result;
            }
            if let Err(error) = &result {
                tracing::debug!(tries, ?class, %error, "trying again");
            }
            tokio::time::sleep(pause(tries)).await;
            tries += 1;
        }
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn send_once(&self, request: &Request) -> Result<Json, CallError> {
        self.try_once(request).await
    }

    /// Signs a request, sends it once, and reads its answer. An answer in XML is a text.
    async fn try_once(&self, request: &Request) -> Result<Json, CallError> {
        let Request { service, method, url, headers, body } = request;
        let unanswered = |source: BoxError| CallError::Unanswered { service, source };
        let mut builder = http::Request::builder().method(*method).uri(url);
        for (name, value) in headers {
            builder = builder.header(*name, value);
        }
        let mut signed: HttpRequest = builder.body(body.clone().into()).map_err(|error| unanswered(error.into()))?;
        let credential = self.credentials.get_credential().await.map_err(CallError::Credentials)?;
        let digest = Sha256::digest(body.as_bytes());
        AwsAuthorizer::new(&credential, service, &self.region)
            .try_authorize(&mut signed, Some(&digest))
            .map_err(CallError::Credentials)?;
        let (mut parts, _) = signed.into_parts();
        // Not signed: whoever passes it on may change it.
        if let Some(trace) = trace::header().and_then(|header| header.parse().ok()) {
            parts.headers.insert(trace::HEADER, trace);
        }
        let sent = self.http.request(parts.method, url).headers(parts.headers).body(body.clone()).send().await;
        let answer = sent.map_err(|error| unanswered(error.without_url().into()))?;
        let status = answer.status().as_u16();
        let code = answer.headers().get("x-amzn-errortype").map(HeaderValue::as_bytes).map(<[u8]>::to_vec);
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_xml = kind.contains("xml");
        let bytes = answer.bytes().await.map_err(|error| unanswered(error.without_url().into()))?;
        let parsed = match bytes.is_empty() {
            true => Ok(Json::Null),
            false if is_xml => Ok(Json::from(String::from_utf8_lossy(&bytes))),
            false => serde_json::from_slice::<Json>(&bytes),
        };
        if (200..300).contains(&status) {
            return parsed.map_err(|error| unanswered(error.into()));
        }
        let body = parsed.unwrap_or(Json::Null);
        Err(CallError::Refused(refusal(service, status, code.as_deref(), body)))
    }
}

fn refusal(service: &'static str, status: u16, header: Option<&[u8]>, body: Json) -> Refusal {
    // `<Error><Code>…</Code><Message>…</Message></Error>` of the services that speak XML.
    let element = |name: &str| {
        let (_, rest) = body.as_str()?.split_once(&format!("<{name}>"))?;
        rest.split_once('<').map(|(text, _)| text.to_owned())
    };
    let text = |names: &[&str]| {
        names.iter().find_map(|name| body.get(name).and_then(Json::as_str).map(str::to_owned).or_else(|| element(name)))
    };
    let header = header.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let code = text(&["__type", "code", "Code"]).or(header).unwrap_or_default();
    // `namespace#Name:address` in its longest form.
    let code = code.rsplit('#').next().and_then(|code| code.split(':').next()).unwrap_or_default().to_owned();
    let message = text(&["message", "Message"]).unwrap_or_default();
    Refusal { service, status, code, message, body }
}

/// Says which cryptography HTTPS uses, for the whole process: without it no HTTP client can be made in a build with AWS.
pub fn install_tls() {
    // An error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A random part of a pause that doubles.
fn pause(tries: u32) -> Duration {
    let most = FIRST_PAUSE_MS.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE_MS);
    Duration::from_millis(random() % (most + 1))
}

/// A random number; the clock's if the system has none.
fn random() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => store::clock::now_ms().unsigned_abs(),
    }
}

/// A token for a commit: 32 hexadecimal digits, never used twice.
#[must_use]
pub fn token() -> String {
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(status: u16, code: &str, reasons: &[&str], class: Class) {
        let reasons: Vec<Json> = reasons.iter().map(|code| json!({ "Code": code })).collect();
        let body =
            json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "CancellationReasons": reasons });
        assert_eq!(refusal("dynamodb", status, None, body).class(), class);
    }

    #[test]
    fn refusals_are_told_apart() {
        check(400, "ConditionalCheckFailedException", &[], Class::Final);
        check(400, "ValidationException", &[], Class::Final);
        check(400, "ProvisionedThroughputExceededException", &[], Class::Throttled);
        check(500, "InternalServerError", &[], Class::Failed);
        check(503, "", &[], Class::Failed);
        let cancelled = |reasons, class| check(400, "TransactionCanceledException", reasons, class);
        cancelled(&["None", "TransactionConflict"], Class::Busy);
        cancelled(&["ThrottlingError", "None"], Class::Throttled);
        cancelled(&["TransactionConflict", "ConditionalCheckFailed"], Class::Final);
        cancelled(&["ValidationError"], Class::Final);
    }

    #[test]
    fn names_of_errors_lose_their_namespace() {
        let header = refusal("sqs", 400, Some(b"QueueDoesNotExist:http://x/"), Json::Null);
        assert_eq!(header.code, "QueueDoesNotExist");
        let xml = "<ErrorResponse><Error><Code>NotFound</Code><Message>no topic</Message></Error></ErrorResponse>";
        let xml = refusal("sns", 404, None, xml.into());
        assert_eq!((xml.code.as_str(), xml.message.as_str()), ("NotFound", "no topic"));
    }
}
