//! One call of PayPal's API: JSON in, JSON out, with an access token that is kept while it is good, tried again when that
//! is safe.
//!
//! Every POST that changes something carries a `PayPal-Request-Id`: repeated, it answers with the latest state of what the
//! first one did (<https://developer.paypal.com/reference/guidelines/idempotency>).

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{PayPalConfig, PayPalConfigError};
use crate::provider::ProviderError;
use crate::provider::http::{self, AGENT, Answer, Http, Outcome, Tries};

/// How long before its end an access token is not used any more.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// PayPal's answer to a request that it did not carry out
/// (<https://developer.paypal.com/api/rest/responses/#error-responses>).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Debug, Default, Deserialize)]
struct Detail {
    #[serde(default)]
    issue: String,
    #[serde(default)]
    description: Option<String>,
}

impl Refusal {
    /// The code that says most, as `INSTRUMENT_DECLINED`.
    pub(super) fn issue(&self) -> &str {
        let issue = self.details.first().map(|detail| detail.issue.as_str());
        issue.filter(|issue| !issue.is_empty()).unwrap_or(&self.name)
    }

    pub(super) fn message(&self) -> Option<&str> {
        let detail = self.details.first().and_then(|detail| detail.description.as_deref());
        detail.or(self.message.as_deref())
    }

    /// Whether there is no such thing.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.name.as_str(), "RESOURCE_NOT_FOUND" | "INVALID_RESOURCE_ID")
            || matches!(self.issue(), "INVALID_RESOURCE_ID")
    }

    /// Whether the object is not in the state that the request needs: look at it.
    pub(super) fn is_about_state(&self) -> bool {
        const ISSUES: &[&str] = &[
            "ORDER_ALREADY_AUTHORIZED",
            "ORDER_ALREADY_CAPTURED",
            "ORDER_ALREADY_COMPLETED",
            "ORDER_COMPLETED_OR_VOIDED",
            "ORDER_NOT_APPROVED",
            "AUTHORIZATION_ALREADY_CAPTURED",
            "AUTHORIZATION_VOIDED",
            "AUTHORIZATION_EXPIRED",
            "CANNOT_BE_VOIDED",
            "PREVIOUSLY_CAPTURED",
            "PREVIOUSLY_VOIDED",
        ];
        ISSUES.contains(&self.issue())
    }

    /// For people: codes and PayPal's own words, cut.
    pub(super) fn words(&self) -> String {
        http::words(self.issue(), self.message())
    }
}

/// Why a call brought no object.
#[derive(Debug)]
pub(super) enum CallError {
    /// Nobody answered, or not for good. What became of the request is not known.
    Unavailable,
    /// PayPal will not do it.
    Refused(Box<Refusal>),
}

impl From<CallError> for ProviderError {
    fn from(error: CallError) -> ProviderError {
        match error {
            CallError::Unavailable => ProviderError::Unavailable,
            CallError::Refused(refusal) => ProviderError::Invalid(refusal.words()),
        }
    }
}

/// The answer to a request for a token.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// Seconds.
    #[serde(default)]
    expires_in: u64,
}

struct Bearer {
    header: HeaderValue,
    until: Instant,
}

/// Calls PayPal.
pub(super) struct Client {
    http: Http,
    base: String,
    credentials: HeaderValue,
    /// Locked while a token is asked for, so that one is.
    bearer: Mutex<Option<Bearer>>,
}

/// What is sent.
struct Sent<'c> {
    method: Method,
    /// Path and query.
    path: &'c str,
    body: Option<Bytes>,
    key: Option<&'c str>,
}

impl Client {
    pub(super) fn new(config: &PayPalConfig) -> Result<Client, PayPalConfigError> {
        let pair = format!("{}:{}", config.client_id.as_str(), config.client_secret.as_str());
        let credentials = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair)));
        let mut credentials = credentials.map_err(|_| PayPalConfigError::Credentials)?;
        credentials.set_sensitive(true);
        let base = config.url.trim_end_matches('/').to_owned();
        Ok(Client { http: Http::new(config.timeout), base, credentials, bearer: Mutex::new(None) })
    }

    /// Asks for an object.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        let body = self.call(Sent { method: Method::GET, path, body: None, key: None }).await?;
        read(path, &body)
    }

    /// Changes something, once per key.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value, key: &str) -> Result<T, CallError> {
        let body = Some(Bytes::from(body.to_string()));
        let body = self.call(Sent { method: Method::POST, path, body, key: Some(key) }).await?;
        // An empty answer says no more than that it was done.
        read(path, if body.is_empty() { b"{}" } else { &body })
    }

    /// Asks a question whose body is JSON already.
    pub(super) async fn ask<T: DeserializeOwned>(&self, path: &str, body: String) -> Result<T, CallError> {
        let body = Some(Bytes::from(body));
        let body = self.call(Sent { method: Method::POST, path, body, key: None }).await?;
        read(path, &body)
    }

    /// Changes fields of an object; repeated, it changes them to the same.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Result<(), CallError> {
        let body = Some(Bytes::from(body.to_string()));
        self.call(Sent { method: Method::PATCH, path, body, key: None }).await.map(drop)
    }

    async fn call(&self, sent: Sent<'_>) -> Result<Bytes, CallError> {
        let mut tries = Tries::begin();
        loop {
            match self.try_once(&sent).await {
                Outcome::Done(body) => return Ok(body),
                Outcome::Failed(error) => return Err(error),
                Outcome::Again(wait) if tries.again(wait).await => {}
                Outcome::Again(_) => return Err(CallError::Unavailable),
            }
        }
    }

    async fn try_once(&self, sent: &Sent<'_>) -> Outcome<CallError> {
        let bearer = match self.bearer().await {
            Ok(bearer) => bearer,
            Err(outcome) => return outcome,
        };
        let request = Request::builder()
            .method(&sent.method)
            .uri(format!("{}{}", self.base, sent.path))
            .header(AUTHORIZATION, bearer.clone())
            .header(ACCEPT, "application/json")
            .header("prefer", "return=representation")
            .header(USER_AGENT, AGENT);
        let request = match sent.key {
            Some(key) => request.header("paypal-request-id", key),
            None => request,
        };
        let request = match &sent.body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(Full::new(body.clone())),
            None => request.body(Full::default()),
        };
        let Ok(request) = request else {
            tracing::error!(path = sent.path, "a request to the payment provider cannot be made");
            return Outcome::Failed(CallError::Unavailable);
        };
        match self.http.send(request).await {
            Some(answer) if answer.status.is_success() => Outcome::Done(answer.body),
            Some(answer) if answer.status == StatusCode::UNAUTHORIZED => {
                self.forget(&bearer).await;
                Outcome::Again(Some(Duration::ZERO))
            }
            Some(answer) => judge(&answer, sent.path),
            // Cut off: the key brings the latest state of what was done.
            None => Outcome::Again(None),
        }
    }

    /// A token that is good for a while yet.
    async fn bearer(&self) -> Result<HeaderValue, Outcome<CallError>> {
        let mut kept = self.bearer.lock().await;
        if let Some(bearer) = kept.as_ref().filter(|bearer| Instant::now() < bearer.until) {
            return Ok(bearer.header.clone());
        }
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/v1/oauth2/token", self.base))
            .header(AUTHORIZATION, self.credentials.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(USER_AGENT, AGENT)
            .body(Full::new(Bytes::from_static(b"grant_type=client_credentials")));
        let request = request.map_err(|_| Outcome::Failed(CallError::Unavailable))?;
        let answer = self.http.send(request).await.ok_or(Outcome::Again(None))?;
        match answer.status {
            status if status.is_success() => {}
            StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => {
                tracing::error!("PayPal refuses the credentials: set `paypal.client_id` and `paypal.client_secret`");
                return Err(Outcome::Failed(CallError::Unavailable));
            }
            _ => return Err(Outcome::Again(answer.retry_after())),
        }
        let granted: Option<Granted> = serde_json::from_slice(&answer.body).ok();
        let header = granted.as_ref().and_then(|g| HeaderValue::from_str(&format!("Bearer {}", g.access_token)).ok());
        let (Some(granted), Some(mut header)) = (granted, header) else {
            tracing::error!("PayPal's access token cannot be read");
            return Err(Outcome::Failed(CallError::Unavailable));
        };
        header.set_sensitive(true);
        let good_for = Duration::from_secs(granted.expires_in).saturating_sub(TOKEN_MARGIN);
        *kept = Some(Bearer { header: header.clone(), until: Instant::now() + good_for });
        Ok(header)
    }

    /// A token that PayPal does not take any more is not used again.
    async fn forget(&self, header: &HeaderValue) {
        let mut kept = self.bearer.lock().await;
        if kept.as_ref().is_some_and(|bearer| bearer.header == *header) {
            *kept = None;
        }
    }
}

fn read<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, CallError> {
    serde_json::from_slice(body).map_err(|error| {
        let path = path.split('?').next().unwrap_or_default();
        tracing::error!(path, %error, "an answer of the payment provider cannot be read");
        CallError::Unavailable
    })
}

/// What an answer that is no success means.
fn judge(answer: &Answer, path: &str) -> Outcome<CallError> {
    let path = path.split('?').next().unwrap_or_default();
    let debug_id = answer.header("paypal-debug-id").unwrap_or_default();
    let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    let issue = refusal.issue();
    tracing::warn!(path, status = answer.status.as_u16(), issue, debug_id, "the payment provider did not do it");
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Outcome::Again(answer.retry_after()),
        // Another request about this object is being carried out.
        StatusCode::CONFLICT => Outcome::Again(None),
        _ if issue == "PREVIOUS_REQUEST_IN_PROGRESS" => Outcome::Again(None),
        status if status.is_server_error() => Outcome::Again(answer.retry_after()),
        StatusCode::FORBIDDEN => {
            tracing::error!(
                path,
                debug_id,
                "PayPal does not let this app do that: give it the feature (docs/payments.md)"
            );
            Outcome::Failed(CallError::Unavailable)
        }
        _ => Outcome::Failed(CallError::Refused(Box::new(refusal))),
    }
}
