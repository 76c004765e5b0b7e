//! The HTTP client of the services: HTTP/1.1, with TLS by rustls and the roots of Mozilla. It follows no redirects.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{HeaderName, HeaderValue};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

type Pool = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// One pool of connections for the process.
static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_LIMIT));
    connector.set_nodelay(true);
    let connector =
        HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(connector);
    Client::builder(TokioExecutor::new()).build(connector)
});

/// A request.
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) reason: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Problem {
    /// It cannot be sent as it is.
    Invalid(String),
    /// Nobody could be reached, or the connection broke.
    Socket(String),
    /// It took too long.
    TimedOut,
    /// The answer is larger than it may be.
    TooLarge,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Invalid(problem) | Problem::Socket(problem) => f.write_str(problem),
            Problem::TimedOut => f.write_str("the request took too long"),
            Problem::TooLarge => f.write_str("the answer is too large"),
        }
    }
}

/// Every source of an error, for people: the innermost says what happened. It names hosts, not contents.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// Sends a request and reads the answer, of at most so many bytes, all within the limit.
pub(super) async fn send(sent: Sent, limit: Duration, most_bytes: usize) -> Result<Reply, Problem> {
    let invalid = |problem: String| Problem::Invalid(problem);
    let mut builder = hyper::Request::builder().method(sent.method.as_str()).uri(&sent.url);
    for (name, value) in &sent.headers {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(format!("`{name}` is no header")))?;
        let value = HeaderValue::from_str(value).map_err(|_| invalid(format!("the value of `{name}` is not valid")))?;
        builder = builder.header(header, value);
    }
    let request = builder.body(Full::new(Bytes::from(sent.body))).map_err(|e| invalid(e.to_string()))?;
    let answering = async {
        let response = POOL.request(request).await.map_err(|e| Problem::Socket(chain(&e)))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, most_bytes).collect().await.map_err(|e| match e
            .downcast_ref::<http_body_util::LengthLimitError>()
        {
            Some(_) => Problem::TooLarge,
            None => Problem::Socket(e.to_string()),
        })?;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(Reply {
            status: head.status.as_u16(),
            reason: head.status.canonical_reason().unwrap_or_default().to_owned(),
            headers: head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
            body: body.to_bytes().to_vec(),
        })
    };
    tokio::time::timeout(limit, answering).await.unwrap_or(Err(Problem::TimedOut))
}

/// A text as a part of a URL (RFC 3986, section 2.3).
pub(super) fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    text.bytes().fold(String::with_capacity(text.len()), |mut out, b| {
        match plain(b) {
            true => out.push(char::from(b)),
            false => out.push_str(&format!("%{b:02X}")),
        }
        out
    })
}
