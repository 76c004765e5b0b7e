//! What comes in: JSON bodies, query parameters, path segments.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::{Context, Problem};

/// A JSON body. It is parsed once into `T`; only a wrong one is parsed again, to find the place.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Json<T>, Problem> {
        require_json(&request)?;
        let bytes = read(request).await?;
        parse(&bytes).map(Json)
    }
}

/// The most bytes of a [`LargeJson`].
const LARGE_BYTES: usize = 8 << 20;
/// How long one may take to arrive.
const LARGE_TIME: Duration = Duration::from_secs(60);

/// A JSON body of many things, larger than others may be.
pub(crate) struct LargeJson<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for LargeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<LargeJson<T>, Problem> {
        require_json(&request)?;
        let bytes = read_up_to(request, LARGE_BYTES, LARGE_TIME).await?;
        parse(&bytes).map(LargeJson)
    }
}

/// The raw bytes of a body, for signatures.
pub(crate) async fn read(request: Request) -> Result<Bytes, Problem> {
    let context = request.extensions().get::<Arc<Context>>();
    let limits = context.map(|context| context.limits).unwrap_or_default();
    read_up_to(request, limits.body_bytes, limits.request_time / 2).await
}

/// The raw bytes of a body with limits of its own.
pub(crate) async fn read_up_to(request: Request, most_bytes: usize, time: Duration) -> Result<Bytes, Problem> {
    match tokio::time::timeout(time, collect(request.into_body(), most_bytes)).await {
        Ok(bytes) => bytes,
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request-timeout", "the body did not arrive in time")),
    }
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            format!("the body has more than {limit} bytes"),
        )),
        Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "bad-request", "the body could not be read to its end")),
    }
}

/// A header's text; empty when it is missing or no text.
pub(crate) fn header_text(request: &Request, name: &str) -> String {
    let value = request.headers().get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

fn require_json(request: &Request) -> Result<(), Problem> {
    match is_json(request.headers()) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "the body must be JSON: send `Content-Type: application/json`",
        )),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json")
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Err(error) => Err(explain(&error)),
        Ok(_) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid-json",
            "there is something after the end of the JSON value",
        )),
    }
}

fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let cause = error.inner();
    match cause.classify() {
        serde_json::error::Category::Data => {
            let text = cause.to_string();
            let detail = text.rsplit_once(" at line ").map_or(text.as_str(), |(before, _)| before);
            let at = pointer(error.path());
            let detail = if is_private(&at) { without_value(detail) } else { detail.to_owned() };
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", detail).at(at)
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "invalid-json", cause.to_string()),
    }
}

/// The parts of bodies that hold cards and personal data: what stands there is not repeated.
const PRIVATE: [&str; 4] = ["/customer", "/payment", "/method", "/delivery"];

fn is_private(pointer: &str) -> bool {
    PRIVATE.iter().any(|part| pointer.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// What serde says about a value, without the value: `invalid type: string "Ana", expected u8` is `expected u8`.
fn without_value(detail: &str) -> String {
    match detail.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None if detail.starts_with("missing field") => detail.to_owned(),
        None => "the value cannot be used here".to_owned(),
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

/// Query parameters.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Params<T>, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Params(value)),
            Err(rejection) => {
                let text = rejection.body_text();
                let detail = text.split_once(": ").map_or(text.as_str(), |(_, after)| after);
                Err(Problem::new(StatusCode::BAD_REQUEST, "invalid-parameter", detail))
            }
        }
    }
}

/// The path's parameters as text.
pub(crate) struct Segment<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Segment<T>, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(value)) => Ok(Segment(value)),
            Err(_) => Err(Problem::not_found("such resource")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[expect(dead_code, reason = "only parsed")]
        quantity: i64,
    }

    #[track_caller]
    fn check(body: &str, code: &str, detail: &str, at: &str) {
        let problem = parse::<std::collections::BTreeMap<String, Vec<Line>>>(body.as_bytes()).unwrap_err();
        let shown = format!("{problem:?}");
        assert!(shown.contains(&format!("code: {code:?}")), "{shown}");
        assert!(shown.contains(detail), "{shown}");
        assert!(
            shown
                .contains(&format!("pointer: {}", if at.is_empty() { "None".into() } else { format!("Some({at:?})") })),
            "{shown}"
        );
    }

    #[test]
    fn a_wrong_field_is_named_by_its_pointer() {
        check(
            r#"{"lines":[{"quantity":1.5}]}"#,
            "invalid-body",
            "floating point `1.5`, expected i64",
            "/lines/0/quantity",
        );
        check(r#"{"a/b":[{"quantity":1,"x":2}]}"#, "invalid-body", "unknown field `x`", "/a~1b/0/x");
        check(r#"{"lines":[{}]}"#, "invalid-body", "missing field `quantity`", "/lines/0");
        check("{", "invalid-json", "EOF while parsing", "");
        check(r#"{"payment":[{"quantity":"4242"}]}"#, "invalid-body", "\"expected i64\"", "/payment/0/quantity");
        check(r#"{"customer":[{}]}"#, "invalid-body", "missing field `quantity`", "/customer/0");
        check(r#"{"customers":[{"quantity":"x"}]}"#, "invalid-body", "string \\\"x\\\"", "/customers/0/quantity");
        check("{} x", "invalid-json", "after the end", "");
    }
}
