//! One call of Stripe's API: form in, JSON out, tried again when that is safe.
//!
//! Every POST carries an idempotency key, so a repeated one has one effect and one answer. That holds for answers of 500
//! too: Stripe saves and replays them (<https://docs.stripe.com/api/idempotent_requests>), so a key that answered so is
//! spent, and the caller has to look what became of the object.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{StripeConfig, StripeConfigError};
use crate::provider::ProviderError;
use crate::provider::http::{self, AGENT, Answer, Http, Outcome, Tries};
use crate::provider::objects::{WireFailure, WireIntent};

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
        http::words(self.code(), self.failure.message.as_deref())
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

/// Calls Stripe.
pub(super) struct Client {
    http: Http,
    base: String,
    key: HeaderValue,
    version: HeaderValue,
}

impl Client {
    pub(super) fn new(config: &StripeConfig) -> Result<Client, StripeConfigError> {
        let key = HeaderValue::from_str(&format!("Bearer {}", config.secret_key.as_str()));
        let mut key = key.map_err(|_| StripeConfigError::SecretKey)?;
        key.set_sensitive(true);
        let version = HeaderValue::from_str(&config.api_version).map_err(|_| StripeConfigError::ApiVersion)?;
        let base = config.url.trim_end_matches('/').to_owned();
        Ok(Client { http: Http::new(config.timeout), base, key, version })
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
        let text = http::encode(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut tries = Tries::begin();
        loop {
            match self.try_once(&method, path, &text, key).await {
                Outcome::Done(body) => {
                    return serde_json::from_slice(&body).map_err(|error| {
                        tracing::error!(path, %error, "an answer of the payment provider cannot be read");
                        CallError::Unavailable
                    });
                }
                Outcome::Failed(error) => return Err(error),
                Outcome::Again(wait) if tries.again(wait).await => {}
                Outcome::Again(_) => return Err(CallError::Unavailable),
            }
        }
    }

    async fn try_once(&self, method: &Method, path: &str, fields: &str, key: Option<&str>) -> Outcome<CallError> {
        let request = match self.request(method, path, fields, key) {
            Ok(request) => request,
            Err(error) => {
                tracing::error!(path, %error, "a request to the payment provider cannot be made");
                return Outcome::Failed(CallError::Unavailable);
            }
        };
        match self.http.send(request).await {
            Some(answer) if answer.status.is_success() => Outcome::Done(answer.body),
            Some(answer) => judge(&answer, path),
            // Cut off: for a POST the key brings the same answer again.
            None => Outcome::Again(None),
        }
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        fields: &str,
        key: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let request = Request::builder()
            .method(method)
            .header(AUTHORIZATION, self.key.clone())
            .header("stripe-version", self.version.clone())
            .header(USER_AGENT, AGENT);
        match key {
            Some(key) => request
                .uri(format!("{}{path}", self.base))
                .header("idempotency-key", key)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Full::new(Bytes::from(fields.to_owned()))),
            None => request.uri(format!("{}{path}?{fields}", self.base)).body(Full::default()),
        }
    }
}

/// What an answer that is no success means.
fn judge(answer: &Answer, path: &str) -> Outcome<CallError> {
    let status = answer.status;
    let request_id = answer.header("request-id").unwrap_or_default();
    let refusal = serde_json::from_slice::<Refused>(&answer.body).map(|refused| refused.error).unwrap_or_default();
    let code = refusal.code();
    tracing::warn!(path, status = status.as_u16(), code, request_id, "the payment provider did not do it");
    let again = || Outcome::Again(answer.retry_after());
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
