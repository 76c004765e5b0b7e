//! Conditions in headers: `If-Match`, `If-None-Match`, `Idempotency-Key`.

use axum::extract::FromRequestParts;
use axum::http::{HeaderMap, StatusCode, header, request::Parts};

use super::Problem;

/// The longest idempotency key, in characters.
const MAX_KEY: usize = 255;

/// The revision that the request means to change. Without it the answer is 428.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IfMatch(pub(crate) i64);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<IfMatch, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Err(Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "revision-required",
                "send the revision you have seen: `If-Match: \"7\"`, as the `ETag` of the resource says it",
            ));
        };
        let text = value.to_str().unwrap_or_default().trim().trim_matches('"');
        match text.parse() {
            Ok(revision) => Ok(IfMatch(revision)),
            Err(_) => Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "revision-mismatch",
                "`If-Match` is no revision of this resource; read it again and take its `ETag`",
            )),
        }
    }
}

/// The revision that the request means to change, or `*` for whichever it is by then. Without it the answer is 428.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IfMatchOrAny(pub(crate) Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatchOrAny {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<IfMatchOrAny, Problem> {
        if parts.headers.get(header::IF_MATCH).is_some_and(|value| value == "*") {
            return Ok(IfMatchOrAny(None));
        }
        IfMatch::from_request_parts(parts, state).await.map(|IfMatch(revision)| IfMatchOrAny(Some(revision)))
    }
}

/// Whether the client has this version already.
pub(crate) fn if_none_match(headers: &HeaderMap, etag: &str) -> bool {
    let sent = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    sent.is_some_and(|sent| {
        sent.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == "*" || tag == etag)
    })
}

/// The client's own key for the request, at most 255 visible characters.
#[derive(Debug, Clone)]
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<IdempotencyKey, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else {
            return Ok(IdempotencyKey(None));
        };
        match value.to_str() {
            Ok(key) if !key.is_empty() && key.len() <= MAX_KEY => Ok(IdempotencyKey(Some(key.to_owned()))),
            _ => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid-idempotency-key",
                format!("`Idempotency-Key` must have 1 to {MAX_KEY} visible ASCII characters"),
            )),
        }
    }
}
