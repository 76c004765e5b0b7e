//! The HTTP interface behind API Gateway: events of its format 2.0 become requests for the same router.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::{Gateway, Group, Options, SignedIn};
use http_body_util::BodyExt as _;
use runtime::Builder;
use serde_json::{Map, Value as Json, json};
use tower::ServiceExt as _;

use super::Environment;
use super::identity::Identity;

/// The largest answer that Lambda takes, encoded, in bytes; half a megabyte less than its limit.
const MAX_ANSWER_BYTES: usize = (6 << 20) - (512 << 10);

/// The router.
pub(super) struct Api {
    router: Router,
    identity: Option<Identity>,
}

impl Api {
    pub(super) fn new(environment: &Environment) -> Api {
        let app = environment.app.clone();
        // The engine is there for its views of queues and messages; it is never started.
        let engine = Builder::new(environment.store.clone(), environment.token_key, runtime::Config::default());
        let engine = Arc::new(engine.through(app.store()).build());
        let options = Options { version: env!("CARGO_PKG_VERSION"), backlog: usize::MAX, bench: false, states: false };
        Api { router: gateway::router(Gateway::new(app, engine, options)), identity: Identity::from_variables() }
    }

    pub(super) async fn answer(&self, event: &Json) -> Json {
        let groups = match event.pointer("/requestContext/authorizer/jwt/claims") {
            Some(claims) => groups(claims),
            None => self.unchecked(event).await.map(|claims| groups(&claims)).unwrap_or_default(),
        };
        let Some(request) = request(event, groups) else {
            return json!({ "statusCode": 400, "body": "the event is none of API Gateway's format 2.0" });
        };
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        fitting(reply(parts.status, &parts.headers, &body))
    }

    /// The claims of a token that API Gateway had no reason to check.
    async fn unchecked(&self, event: &Json) -> Option<Json> {
        // Names of headers come in lower case.
        let header = event.pointer("/headers/authorization")?.as_str()?;
        let token = header.strip_prefix("Bearer ").or_else(|| header.strip_prefix("bearer "))?;
        self.identity.as_ref()?.claims(token.trim(), store::clock::now_ms()).await
    }
}

/// The answer, or that it is larger than Lambda takes. As it is sent: base64 and the escapes of JSON lengthen it.
fn fitting(answer: Json) -> Json {
    match answer.to_string().len() > MAX_ANSWER_BYTES {
        true => json!({ "statusCode": 500, "body": "the answer is larger than Lambda takes; ask for less" }),
        false => answer,
    }
}

/// A path as a part of an address: API Gateway hands it over decoded.
///
/// What may stand in a path stays (RFC 3986, section 3.3, `pchar` and `/`). A `%` cannot be an escape any more.
fn encoded(path: &str) -> String {
    path.bytes().fold(String::with_capacity(path.len()), |mut text, byte| {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' => text.push(char::from(byte)),
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' => text.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
        text
    })
}

fn request(event: &Json, groups: Vec<Group>) -> Option<Request<Body>> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Json::as_str);
    let path = text("/rawPath")?;
    // A stage with a name stands before the path.
    let stage = text("/requestContext/stage").filter(|stage| *stage != "$default");
    let path = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage)).unwrap_or(path);
    let path = encoded(path);
    let query = text("/rawQueryString").filter(|query| !query.is_empty());
    let uri = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    let uri = if uri.starts_with('/') { uri } else { format!("/{uri}") };
    let mut request = Request::builder().method(text("/requestContext/http/method")?).uri(uri);
    for (name, value) in event.get("headers").and_then(Json::as_object).into_iter().flatten() {
        request = request.header(name, value.as_str()?);
    }
    let cookies = event.get("cookies").and_then(Json::as_array);
    for cookie in cookies.into_iter().flatten().filter_map(Json::as_str) {
        request = request.header(header::COOKIE, cookie);
    }
    let body = text("/body").unwrap_or_default();
    let body = match event.get("isBase64Encoded").and_then(Json::as_bool) {
        Some(true) => STANDARD.decode(body).ok()?,
        _ => body.as_bytes().to_vec(),
    };
    let mut request = request.body(Body::from(body)).ok()?;
    request.extensions_mut().insert(SignedIn { groups });
    Some(request)
}

/// The groups of the staff that claims name: a list, which API Gateway writes as `[a b]`.
fn groups(claims: &Json) -> Vec<Group> {
    match claims.get("cognito:groups") {
        Some(Json::Array(groups)) => groups.iter().filter_map(Json::as_str).filter_map(Group::of).collect(),
        Some(Json::String(text)) => {
            let groups = text.trim_start_matches('[').trim_end_matches(']');
            groups.split([' ', ',']).filter_map(Group::of).collect()
        }
        _ => Vec::new(),
    }
}

fn reply(status: StatusCode, headers: &HeaderMap, body: &Bytes) -> Json {
    let mut answer = Map::new();
    answer.insert("statusCode".into(), status.as_u16().into());
    let mut named: Map<String, Json> = Map::new();
    let mut cookies = Vec::new();
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        if name == header::SET_COOKIE {
            cookies.push(Json::from(value));
            continue;
        }
        let joined = match named.get(name.as_str()).and_then(Json::as_str) {
            Some(before) => format!("{before}, {value}"),
            None => value.to_owned(),
        };
        named.insert(name.as_str().to_owned(), joined.into());
    }
    answer.insert("headers".into(), named.into());
    if !cookies.is_empty() {
        answer.insert("cookies".into(), cookies.into());
    }
    match std::str::from_utf8(body) {
        Ok(text) if !headers.contains_key(header::CONTENT_ENCODING) => {
            answer.insert("body".into(), text.into());
            answer.insert("isBase64Encoded".into(), false.into());
        }
        _ => {
            answer.insert("body".into(), STANDARD.encode(body).into());
            answer.insert("isBase64Encoded".into(), true.into());
        }
    }
    answer.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Json {
        json!({
            "version": "2.0", "rawPath": "/prod/v1/orders", "rawQueryString": "limit=2&a=b%20c",
            "headers": { "content-type": "application/json" }, "cookies": ["a=1", "b=2"],
            "requestContext": { "stage": "prod", "http": { "method": "POST" } },
            "body": "eyJ4IjoxfQ==", "isBase64Encoded": true
        })
    }

    #[tokio::test]
    async fn an_event_is_a_request() {
        let request = request(&event(), vec![Group::Courier]).unwrap();
        assert_eq!(
            (request.method().as_str(), request.uri().to_string().as_str()),
            ("POST", "/v1/orders?limit=2&a=b%20c")
        );
        assert_eq!(request.headers().get_all("cookie").iter().count(), 2);
        assert_eq!(request.extensions().get::<SignedIn>().unwrap().groups, [Group::Courier]);
        let body = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b"{\"x\":1}");
    }

    #[test]
    fn members_of_staff_have_groups() {
        for (claimed, found) in [
            (json!("[customer]"), vec![]),
            (json!(""), vec![]),
            (json!("[customer kitchen]"), vec![Group::Kitchen]),
            (json!("operator"), vec![Group::Operator]),
            (json!("[finance, courier]"), vec![Group::Finance, Group::Courier]),
            (json!(["customer", "admin"]), vec![Group::Admin]),
            (json!(["customer"]), vec![]),
            (json!(null), vec![]),
        ] {
            assert_eq!(groups(&json!({ "cognito:groups": claimed })), found, "{claimed}");
        }
        assert_eq!(groups(&json!({})), []);
    }

    #[test]
    fn a_decoded_path_is_encoded_again() {
        let mut event = event();
        event["rawPath"] = "/prod/v1/queues/açaí 100%/dead".into();
        let request = request(&event, Vec::new()).unwrap();
        assert_eq!(request.uri().path(), "/v1/queues/a%C3%A7a%C3%AD%20100%25/dead");
        assert_eq!(encoded("/v1/orders/ord_1:x@y;z"), "/v1/orders/ord_1:x@y;z");
    }

    #[test]
    fn an_answer_is_measured_as_it_is_sent() {
        let answer = |letter: &str| reply(StatusCode::OK, &HeaderMap::new(), &letter.repeat(4 << 20).into());
        assert_eq!(fitting(answer("a"))["statusCode"], 200);
        // Two bytes each, once they are escaped.
        assert_eq!(fitting(answer("\""))["statusCode"], 500);
    }

    #[test]
    fn bytes_travel_as_base64() {
        let reply = |body: &'static [u8]| reply(StatusCode::OK, &HeaderMap::new(), &Bytes::from_static(body));
        assert_eq!(reply(b"text")["body"], "text");
        assert_eq!(reply(b"\xff\xfe")["isBase64Encoded"], true);
    }
}
