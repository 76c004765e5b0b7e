//! `http:invoke`: a request to an HTTP endpoint of others, with the authorization of a connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use super::resources::{Authorization, Connection};
use super::wire::{self, Problem, Reply, Sent, escaped};
use super::{Answer, Fault, Request, Service};
use crate::core::Core;
use crate::task::Failure;

/// How long a request may take, as on AWS.
const LIMIT: Duration = Duration::from_secs(60);
/// The largest answer that is read; the limit of a result, 262,144 bytes, is the language's to judge.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// A token is fetched anew so long before it expires.
const TOKEN_MARGIN: Duration = Duration::from_secs(30);
/// How long a token is used if it does not say.
const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// See the module.
#[derive(Default)]
pub(super) struct HttpTasks {
    /// Tokens of connections, and until when they are used.
    tokens: Mutex<HashMap<String, (String, Instant)>>,
}

fn socket(problem: &Problem) -> Fault {
    Failure::new("States.Http.Socket", problem.to_string()).into()
}

#[async_trait]
impl Service for HttpTasks {
    fn reaches_out(&self, _: &Core, _: &Request) -> bool {
        true
    }

    async fn call(&self, core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
        let (name, connection) = connection(core, request)?;
        let mut sent = prepare(request)?;
        check_target(request, connection, &sent.url)?;
        self.authorize(name, connection, &mut sent).await?;
        let reply = wire::send(sent, LIMIT, MAX_ANSWER_BYTES).await.map_err(|problem| match problem {
            Problem::TooLarge => Fault::Named(Failure::new(
                "States.DataLimitExceeded",
                "The state/task 'http' returned a result with a size exceeding the maximum number of bytes service limit.",
            )),
            Problem::Invalid(problem) => Fault::argument(request.integration, problem),
            other => socket(&other),
        })?;
        if reply.status == 401 {
            // A token may have been taken back: the next attempt fetches another.
            self.tokens.lock().remove(name);
        }
        if !(200..300).contains(&reply.status) {
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            let cause = if text.is_empty() { reply.reason.clone() } else { text };
            return Err(Failure::new(format!("States.Http.StatusCode.{}", reply.status), cause).into());
        }
        Ok(Answer::of(output(&reply)))
    }
}

/// The connection that `Authentication.ConnectionArn` (`arn:...:connection/NAME/...`) names.
fn connection<'c>(core: &'c Core, request: &Request) -> Result<(&'c str, &'c Connection), Fault> {
    let arn = request.argument("Authentication").and_then(|given| given.get("ConnectionArn")).and_then(Value::as_str);
    let arn = arn
        .ok_or_else(|| Fault::argument(request.integration, "`Authentication.ConnectionArn` must name a connection"))?;
    let name = arn.split_once("connection/").map_or(arn, |(_, rest)| rest.split('/').next().unwrap_or(rest));
    let known = core.services.resources.connections.get_key_value(name);
    known.map(|(name, connection)| (name.as_str(), connection)).ok_or_else(|| {
        let cause = format!("there is no connection `{name}`; declare it as `[connections.{name}]`");
        Failure::new("Events.ConnectionResource.NotFound", cause).into()
    })
}

/// A secret goes only where it may: over TLS or to this machine, and to the hosts that the connection names.
fn check_target(request: &Request, connection: &Connection, url: &str) -> Result<(), Fault> {
    let bad = |problem: String| Fault::argument(request.integration, problem);
    let uri: Uri = url.parse().map_err(|_| bad("`ApiEndpoint` is no URL".to_owned()))?;
    let host = uri.host().ok_or_else(|| bad("`ApiEndpoint` names no host".to_owned()))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let loopback = bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if loopback || connection.insecure => {}
        _ => return Err(bad("`ApiEndpoint` must begin with https://".to_owned())),
    }
    if !connection.hosts.is_empty() && !connection.hosts.iter().any(|known| known.eq_ignore_ascii_case(bare)) {
        return Err(bad(format!("the connection may not be used for `{bare}`")));
    }
    Ok(())
}

/// Headers that are not the flow's to set ("HTTP task" in AWS's guide).
const RESERVED_HEADERS: [&str; 9] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "expect",
    "te",
    "trailer",
    "upgrade",
    "proxy-authorization",
];

fn prepare(request: &Request) -> Result<Sent, Fault> {
    let bad = |problem: String| Fault::argument(request.integration, problem);
    let method = request.required("Method")?.to_ascii_uppercase();
    let known = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"];
    if !known.contains(&method.as_str()) {
        return Err(bad(format!("`Method` must be one of {}", known.join(", "))));
    }
    let mut url = request.required("ApiEndpoint")?.to_owned();
    let query = pairs(request.argument("QueryParameters"), "QueryParameters", &bad)?;
    for (name, value) in query {
        let joint = if url.contains('?') { '&' } else { '?' };
        url.push_str(&format!("{joint}{}={}", escaped(&name), escaped(&value)));
    }
    let mut headers = pairs(request.argument("Headers"), "Headers", &bad)?;
    if let Some((name, _)) = headers.iter().find(|(name, _)| RESERVED_HEADERS.contains(&&*name.to_ascii_lowercase())) {
        return Err(bad(format!("the header `{name}` cannot be set")));
    }
    let has = |headers: &[(String, String)], wanted: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(wanted));
    if !has(&headers, "user-agent") {
        headers.push(("user-agent".into(), "comanda".into()));
    }
    let encoding = request.argument("Transform").and_then(|given| given.get("RequestBodyEncoding"));
    let body = match (request.argument("RequestBody"), encoding.and_then(Value::as_str)) {
        (None, _) => Vec::new(),
        (Some(body), Some("URL_ENCODED")) => {
            if !has(&headers, "content-type") {
                headers.push(("content-type".into(), "application/x-www-form-urlencoded".into()));
            }
            let format =
                request.argument("Transform").and_then(|given| given.pointer("/RequestEncodingOptions/ArrayFormat"));
            form(body, format.and_then(Value::as_str).unwrap_or("INDICES"), &bad)?.into_bytes()
        }
        (Some(body), None | Some("NONE")) => {
            if !has(&headers, "content-type") {
                headers.push(("content-type".into(), "application/json".into()));
            }
            body.as_str().map_or_else(|| body.to_string(), str::to_owned).into_bytes()
        }
        (_, Some(other)) => return Err(bad(format!("`{other}` is no encoding; there are NONE and URL_ENCODED"))),
    };
    Ok(Sent { method, url, headers, body })
}

/// A value in a header or URL.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// An object of values, or of lists of values.
fn pairs(given: Option<&Value>, field: &str, bad: &dyn Fn(String) -> Fault) -> Result<Vec<(String, String)>, Fault> {
    let Some(given) = given else { return Ok(Vec::new()) };
    let wrong = || bad(format!("`{field}` must be an object of strings, or of lists of them"));
    let mut out = Vec::new();
    for (name, value) in given.as_object().ok_or_else(wrong)? {
        match value {
            Value::Array(items) => {
                for item in items {
                    out.push((name.clone(), plain(item).ok_or_else(wrong)?));
                }
            }
            value => out.push((name.clone(), plain(value).ok_or_else(wrong)?)),
        }
    }
    Ok(out)
}

/// A body as a form: what is nested is named `outer[inner]`.
fn form(body: &Value, arrays: &str, bad: &dyn Fn(String) -> Fault) -> Result<String, Fault> {
    let fields = body.as_object().ok_or_else(|| bad("a `RequestBody` to be URL_ENCODED must be an object".into()))?;
    if !["INDICES", "REPEAT", "COMMAS", "BRACKETS"].contains(&arrays) {
        return Err(bad(format!("`{arrays}` is no array format; there are INDICES, REPEAT, COMMAS and BRACKETS")));
    }
    let mut out = Vec::new();
    for (name, value) in fields {
        flatten(name, value, arrays, &mut out);
    }
    let pairs: Vec<String> = out.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    Ok(pairs.join("&"))
}

fn flatten(name: &str, value: &Value, arrays: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::Null => out.push((name.to_owned(), String::new())),
        Value::Object(fields) => {
            fields.iter().for_each(|(inner, value)| flatten(&format!("{name}[{inner}]"), value, arrays, out));
        }
        Value::Array(items) if arrays == "COMMAS" => {
            let texts: Vec<String> = items.iter().map(|item| plain(item).unwrap_or_else(|| item.to_string())).collect();
            out.push((name.to_owned(), texts.join(",")));
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let name = match arrays {
                    "INDICES" => format!("{name}[{at}]"),
                    "BRACKETS" => format!("{name}[]"),
                    _ => name.to_owned(),
                };
                flatten(&name, item, arrays, out);
            }
        }
        other => out.push((name.to_owned(), plain(other).unwrap_or_default())),
    }
}

fn output(reply: &Reply) -> Value {
    let mut headers: Map<String, Value> = Map::new();
    for (name, value) in &reply.headers {
        let values = headers.entry(name.clone()).or_insert_with(|| json!([]));
        if let Value::Array(values) = values {
            values.push(value.as_str().into());
        }
    }
    let is_json = reply.header("content-type").is_some_and(|kind| kind.contains("json"));
    let parsed: Option<Value> = is_json.then(|| serde_json::from_slice(&reply.body).ok()).flatten();
    let body = parsed.unwrap_or_else(|| match std::str::from_utf8(&reply.body) {
        Ok(text) => text.into(),
        Err(_) => STANDARD.encode(&reply.body).into(),
    });
    json!({"Headers": headers, "ResponseBody": body, "StatusCode": reply.status, "StatusText": reply.reason})
}

impl HttpTasks {
    async fn authorize(&self, name: &str, connection: &Connection, sent: &mut Sent) -> Result<(), Fault> {
        let (header, value) = match &connection.authorization {
            Authorization::None => return Ok(()),
            Authorization::ApiKey { header, value } => (header.to_ascii_lowercase(), value.expose().to_owned()),
            Authorization::Basic { username, password } => {
                let credentials = STANDARD.encode(format!("{username}:{}", password.expose()));
                ("authorization".to_owned(), format!("Basic {credentials}"))
            }
            Authorization::Oauth { .. } => {
                ("authorization".to_owned(), format!("Bearer {}", self.token(name, &connection.authorization).await?))
            }
        };
        // The connection's word is the last one.
        sent.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&header));
        sent.headers.push((header, value));
        Ok(())
    }

    async fn token(&self, name: &str, authorization: &Authorization) -> Result<String, Fault> {
        let known = self.tokens.lock().get(name).filter(|(_, until)| *until > Instant::now()).cloned();
        if let Some((token, _)) = known {
            return Ok(token);
        }
        let Authorization::Oauth { token_url, client_id, client_secret, scope } = authorization else {
            return Ok(String::new());
        };
        let mut body = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            escaped(client_id),
            escaped(client_secret.expose())
        );
        if let Some(scope) = scope {
            body.push_str(&format!("&scope={}", escaped(scope)));
        }
        let kind = "application/x-www-form-urlencoded";
        let headers = vec![("content-type".into(), kind.into()), ("accept".into(), "application/json".into())];
        let sent = Sent { method: "POST".into(), url: token_url.clone(), headers, body: body.into_bytes() };
        let refused = |cause: String| Fault::from(Failure::new("Events.ConnectionResource.AuthorizationFailed", cause));
        let reply = wire::send(sent, LIMIT, MAX_ANSWER_BYTES).await.map_err(|problem| socket(&problem))?;
        if reply.status != 200 {
            return Err(refused(format!("the token endpoint of connection `{name}` answered {}", reply.status)));
        }
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let token = answer.get("access_token").and_then(Value::as_str).map(str::to_owned);
        let token = token.ok_or_else(|| refused(format!("the token endpoint of connection `{name}` gave no token")))?;
        let life = answer.get("expires_in").and_then(Value::as_u64).map_or(TOKEN_LIFE, Duration::from_secs);
        let until = Instant::now() + life.saturating_sub(TOKEN_MARGIN);
        self.tokens.lock().insert(name.to_owned(), (token.clone(), until));
        Ok(token)
    }
}
