//! HTTP as the client of a provider's API: connections that stay open, answers that have a limit, calls that are tried again.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{HeaderMap, RETRY_AFTER};
use hyper::{Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use store::BoxError;

/// How often one call is tried. The flow and the queues behind it try for days.
const MAX_TRIES: u32 = 4;
/// How long to wait before the first repetition; twice as long before each other.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest that a provider's `Retry-After` is obeyed within a call.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a call goes on being tried.
const BUDGET: Duration = Duration::from_secs(20);
/// How much of an answer is read: a page of some hundred objects is some hundreds of kilobytes.
const MAX_ANSWER_BYTES: usize = 8 << 20;

/// How a provider's API names us.
pub(super) const AGENT: &str = concat!("comanda/", env!("CARGO_PKG_VERSION"));

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the provider asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.header(RETRY_AFTER.as_str()).and_then(|text| text.parse().ok());
        seconds.map(Duration::from_secs)
    }
}

/// What one try of a call brought.
pub(super) enum Outcome<E> {
    /// An answer of success.
    Done(Bytes),
    /// The same again, after that time or after a pause of ours.
    Again(Option<Duration>),
    /// Another try brings nothing else.
    Failed(E),
}

/// Sends requests. Connections stay open.
pub(super) struct Http {
    client: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl Http {
    /// Each request may take that long.
    pub(super) fn new(timeout: Duration) -> Http {
        // Without encryption only to this machine: the configuration was checked.
        let connector = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Http { client, timeout }
    }

    /// The answer to a request; `None` if there was none, and then nobody knows what became of it.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Option<Answer> {
        let path = request.uri().path().to_owned();
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                tracing::warn!(path, error = &*error, "the payment provider cannot be reached");
                None
            }
            Err(_) => {
                tracing::warn!(path, "the payment provider did not answer in time");
                None
            }
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, BoxError> {
        let (head, body) = self.client.request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// How often, how long and at which pace one call is tried.
pub(super) struct Tries {
    begin: Instant,
    pause: Duration,
    done: u32,
}

impl Tries {
    pub(super) fn begin() -> Tries {
        Tries { begin: Instant::now(), pause: FIRST_PAUSE, done: 0 }
    }

    /// Waits before another try, for that time or at a pace of our own; `false` if it was tried enough.
    pub(super) async fn again(&mut self, wait: Option<Duration>) -> bool {
        self.done += 1;
        let wait = wait.unwrap_or(self.pause).min(LONGEST_PAUSE);
        if self.done == MAX_TRIES || self.begin.elapsed() + wait > BUDGET {
            return false;
        }
        tokio::time::sleep(wait).await;
        self.pause *= 2;
        true
    }
}

/// Whether an address may be called: encrypted, or one of this machine.
pub(super) fn is_safe(url: &str) -> bool {
    let rest = url.strip_prefix("http://").unwrap_or_default();
    let hosts = ["127.0.0.1", "localhost", "[::1]"];
    let after = hosts.iter().find_map(|host| rest.strip_prefix(host));
    url.starts_with("https://") || after.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
}

/// A text with everything escaped that is not unreserved (RFC 3986, section 2.3).
pub(super) fn escape(part: &str, text: &mut String) {
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
            // Writing to a string cannot fail.
            other => drop(std::fmt::Write::write_fmt(text, format_args!("%{other:02X}"))),
        }
    }
}

/// Pairs as a form or a query.
pub(super) fn encode<'f>(fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> String {
    let mut text = String::new();
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

/// An answer of the provider in words for people: its code and message, cut.
pub(super) fn words(code: &str, message: Option<&str>) -> String {
    let message = message.unwrap_or("no reason given");
    let text = match code {
        "" => message.to_owned(),
        code => format!("{code}: {message}"),
    };
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_escaped() {
        let text = encode([("metadata[key]", "a/1&b=é"), ("limit", "100")]);
        assert_eq!(text, "metadata%5Bkey%5D=a%2F1%26b%3D%C3%A9&limit=100");
    }

    #[test]
    fn only_this_machine_is_called_without_encryption() {
        for url in ["https://api.example.com", "http://127.0.0.1:1", "http://localhost", "http://[::1]/x"] {
            assert!(is_safe(url), "{url}");
        }
        for url in ["http://example.com", "http://127.0.0.1.example.com", "ftp://localhost", ""] {
            assert!(!is_safe(url), "{url}");
        }
    }
}
