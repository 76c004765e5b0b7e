//! One call of Stripe's API: form in, JSON out, tried again when that is safe.
//!
//! Every POST carries an idempotency key, so a repeated one has one effect and one answer. That holds for answers of 500
//! too: Stripe saves and replays them (<https://docs.stripe.com/api/idempotent_requests>), so a key that answered so is
//! spent, and the caller has to look what became of the object.

use std::fmt::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use store::BoxError;

use super::{StripeConfig, StripeConfigError};
use crate::provider::ProviderError;
use crate::provider::objects::{WireFailure, WireIntent};

/// How often one call is tried. The flow and the queues behind it try for days.
const MAX_TRIES: u32 = 4;
/// How long to wait before the first repetition; twice as long before each other.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest that Stripe's `Retry-After` is obeyed within a call.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a call goes on being tried.
const BUDGET: Duration = Duration::from_secs(20);
/// How much of an answer is read: a page of a hundred objects is some hundreds of kilobytes.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// The fields of a request.
pub(super) type Fields = Vec<(String, String)>;

/// Makes fields out of pairs.
pub(super) fn fields<const N: usize>(pairs: [(&str, &str); N]) -> Fields {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Stripe's answer to a request that it did not carry out.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(flatten)]
    pub(super) failure: WireFailure,
    #[serde(default)]
    pub(super) param: Option<String>,
    /// The payment that was refused.
    #[serde(default)]
    pub(super) payment_intent: Option<Box<WireIntent>>,
}

#[derive(Deserialize)]
struct Refused {
    error: Refusal,
}

/// Why a call brought no object.
#[derive(Debug)]
pub(super) enum CallError {
    /// Nobody answered, or not for good. What became of the request is not known.
    Unavailable,
    /// The idempotency key is spent on an answer of 500: what became of the request has to be looked up.
    Spent,
    /// Stripe will not do it.
    Refused(Box<Refusal>),
}

impl Refusal {
    pub(super) fn code(&self) -> &str {
        self.failure.code.as_deref().unwrap_or_default()
    }

    /// Whether the object is not in the state that the request needs, or another request used the key: look at it.
    pub(super) fn is_about_state(&self) -> bool {
        const CODES: &[&str] = &[
            "payment_intent_unexpected_state",
            "charge_already_captured",
            "charge_already_refunded",
            "intent_invalid_state",
        ];
        CODES.contains(&self.code()) || self.kind == "idempotency_error"
    }

    /// For people. Codes and Stripe's own words, cut; cards and keys do not stand in them.
    pub(super) fn words(&self) -> String {
        let message = self.failure.message.as_deref().unwrap_or("no reason given");
        let text = match self.code() {
            "" => message.to_owned(),
            code => format!("{code}: {message}"),
        };
        text.chars().filter(|c| !c.is_control()).take(200).collect()
    }
}

impl From<CallError> for ProviderError {
    fn from(error: CallError) -> ProviderError {
        match error {
            CallError::Unavailable | CallError::Spent => ProviderError::Unavailable,
            CallError::Refused(refusal) => ProviderError::Invalid(refusal.words()),
        }
    }
}

/// What one try of a call brought.
enum Outcome {
    Done(Bytes),
    Again(Option<Duration>),
    Failed(CallError),
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Calls Stripe. Connections stay open.
pub(super) struct Client {
    http: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    key: HeaderValue,
    version: HeaderValue,
    timeout: Duration,
}

impl Client {
    pub(super) fn new(config: &StripeConfig) -> Result<Client, StripeConfigError> {
        let key = HeaderValue::from_str(&format!("Bearer {}", config.secret_key.as_str()));
        let mut key = key.map_err(|_| StripeConfigError::SecretKey)?;
        key.set_sensitive(true);
        let version = HeaderValue::from_str(&config.api_version).map_err(|_| StripeConfigError::ApiVersion)?;
        // Without encryption only to this machine: the configuration was checked.
        let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        let base = config.url.trim_end_matches('/').to_owned();
        Ok(Client { http, base, key, version, timeout: config.timeout })
    }

    /// Asks for an object.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, query: &Fields) -> Result<T, CallError> {
        self.call(Method::GET, path, query, None).await
    }

    /// Changes something, once per key.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, form: &Fields, key: &str) -> Result<T, CallError> {
        self.call(Method::POST, path, form, Some(key)).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        fields: &Fields,
        key: Option<&str>,
    ) -> Result<T, CallError> {
        let begin = Instant::now();
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=MAX_TRIES {
            let wait = match self.try_once(&method, path, fields, key).await {
                Outcome::Done(body) => {
                    return serde_json::from_slice(&body).map_err(|error| {
                        tracing::error!(path, %error, "an answer of the payment provider cannot be read");
                        CallError::Unavailable
                    });
                }
                Outcome::Failed(error) => return Err(error),
                Outcome::Again(wait) => wait.unwrap_or(pause).min(LONGEST_PAUSE),
            };
            if attempt == MAX_TRIES || begin.elapsed() + wait > BUDGET {
                break;
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
        Err(CallError::Unavailable)
    }

    async fn try_once(&self, method: &Method, path: &str, fields: &Fields, key: Option<&str>) -> Outcome {
        let answer = match tokio::time::timeout(self.timeout, self.send(method, path, fields, key)).await {
            Ok(Ok(answer)) => answer,
            // Cut off: for a POST the key brings the same answer again.
            Ok(Err(error)) => {
                tracing::warn!(path, error = &*error, "the payment provider cannot be reached");
                return Outcome::Again(None);
            }
            Err(_) => {
                tracing::warn!(path, "the payment provider did not answer in time");
                return Outcome::Again(None);
            }
        };
        if answer.status.is_success() { Outcome::Done(answer.body) } else { judge(&answer, path) }
    }

    async fn send(&self, method: &Method, path: &str, fields: &Fields, key: Option<&str>) -> Result<Answer, BoxError> {
        let text = encode(fields);
        let request = Request::builder()
            .method(method)
            .header(AUTHORIZATION, self.key.clone())
            .header("stripe-version", self.version.clone())
            .header(USER_AGENT, concat!("comanda/", env!("CARGO_PKG_VERSION")));
        let request = match key {
            Some(key) => request
                .uri(format!("{}{path}", self.base))
                .header("idempotency-key", key)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Full::new(Bytes::from(text)))?,
            None => request.uri(format!("{}{path}?{text}", self.base)).body(Full::default())?,
        };
        let (head, body) = self.http.request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// The fields as a form or a query.
fn encode(fields: &Fields) -> String {
    let mut text = String::new();
    let escape = |part: &str, text: &mut String| {
        for byte in part.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
                // Writing to a string cannot fail.
                other => drop(write!(text, "%{other:02X}")),
            }
        }
    };
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        escape(name, &mut text);
        text.push('=');
        escape(value, &mut text);
    }
    text
}

/// What an answer that is no success means.
fn judge(answer: &Answer, path: &str) -> Outcome {
    let status = answer.status;
    let request_id = answer.header("request-id").unwrap_or_default();
    let refusal = serde_json::from_slice::<Refused>(&answer.body).map(|refused| refused.error).unwrap_or_default();
    let code = refusal.code();
    tracing::warn!(path, status = status.as_u16(), code, request_id, "the payment provider did not do it");
    let again = || {
        let seconds = answer.header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
        Outcome::Again(seconds.map(Duration::from_secs))
    };
    let replayed = answer.header("idempotent-replayed") == Some("true");
    match (status, answer.header("stripe-should-retry")) {
        (status, _) if status.is_server_error() && replayed => Outcome::Failed(CallError::Spent),
        (_, Some("true")) => again(),
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::FAILED_DEPENDENCY, _) => again(),
        // Another request with this key is being carried out.
        (StatusCode::CONFLICT, _) => again(),
        (status, Some("false")) if status.is_server_error() => Outcome::Failed(CallError::Unavailable),
        (status, _) if status.is_server_error() => again(),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
            tracing::error!(
                path,
                request_id,
                "Stripe refuses the secret key: set `stripe.secret_key` to one that may do this"
            );
            Outcome::Failed(CallError::Unavailable)
        }
        _ => Outcome::Failed(CallError::Refused(Box::new(refusal))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_escaped() {
        let text = encode(&fields([("metadata[key]", "a/1&b=é"), ("limit", "100")]));
        assert_eq!(text, "metadata%5Bkey%5D=a%2F1%26b%3D%C3%A9&limit=100");
    }
}
