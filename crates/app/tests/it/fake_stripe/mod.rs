//! A Stripe of our own, over HTTP, built from Stripe's published behaviour: intents with manual capture, test cards,
//! idempotency with replays and mismatches, 3-D Secure, Pix, refunds that are pending or fail, disputes, balance
//! transactions, events, signed webhooks; and what goes wrong: 429, 500, connections that break, delays.

mod books;
mod requests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

pub(crate) use books::Books;

/// The key that this account takes.
pub(crate) const SECRET_KEY: &str = "sk_test_SecretOfTheFake";
/// What its webhooks are signed with.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_SecretOfTheFake";

/// What goes wrong with the next request that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 429 with `Retry-After: 0`.
    TooMany,
    /// It is not carried out, and answered with 500; that answer is saved for its key.
    Fails,
    /// It is carried out, and answered with 500; that answer is saved for its key.
    FailsAfterwards,
    /// The connection breaks before it is carried out.
    BreaksBefore,
    /// It is carried out, and the connection breaks.
    BreaksAfter,
    /// It is carried out, and answered after this many milliseconds.
    Delay(u64),
}

/// What becomes of webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Posting {
    /// Posted at once, and again until they are answered with success.
    Once,
    /// Each is posted twice.
    Twice,
    /// Kept until they are posted by hand, with [`FakeStripe::held`].
    Held,
    /// They never come.
    Lost,
}

/// An answer that is saved for its idempotency key.
#[derive(Clone)]
struct Saved {
    request: String,
    status: u16,
    body: String,
}

#[derive(Default)]
struct Inner {
    books: Mutex<Books>,
    saved: Mutex<HashMap<String, Saved>>,
    faults: Mutex<Vec<Fault>>,
    held: Mutex<Vec<Json>>,
    posting: Mutex<Option<Posting>>,
    target: Mutex<Option<String>>,
    /// Method and path of every request so far.
    seen: Mutex<Vec<String>>,
}

/// The server. Stops when it is dropped.
pub(crate) struct FakeStripe {
    inner: Arc<Inner>,
    pub(crate) url: String,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for FakeStripe {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl FakeStripe {
    pub(crate) async fn start() -> FakeStripe {
        let inner = Arc::new(Inner::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        inner.books.lock().url.clone_from(&url);
        let router = Router::new().fallback(handle).with_state(inner.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        FakeStripe { inner, url, serving }
    }

    /// Where webhooks go.
    pub(crate) fn post_to(&self, url: &str, posting: Posting) {
        *self.inner.target.lock() = Some(url.to_owned());
        *self.inner.posting.lock() = Some(posting);
    }

    pub(crate) fn posting(&self, posting: Posting) {
        *self.inner.posting.lock() = Some(posting);
    }

    /// The webhooks that were kept back, oldest first. Taken once.
    pub(crate) fn held(&self) -> Vec<Json> {
        std::mem::take(&mut *self.inner.held.lock())
    }

    /// Posts a webhook, signed at that time with that secret; answers the status.
    pub(crate) async fn post(&self, event: &Json, secret: &str, at_ms: i64) -> u16 {
        let target = self.inner.target.lock().clone().unwrap();
        post(&target, event, secret, at_ms).await.unwrap_or(0)
    }

    /// What goes wrong with the next requests that change something, in order.
    pub(crate) fn fail(&self, faults: &[Fault]) {
        *self.inner.faults.lock() = faults.to_vec();
    }

    /// Forgets all idempotency keys, as after a day.
    pub(crate) fn forget_keys(&self) {
        self.inner.saved.lock().clear();
    }

    /// How many requests had that beginning, as `POST /v1/refunds`.
    pub(crate) fn count(&self, begin: &str) -> usize {
        self.inner.seen.lock().iter().filter(|request| request.starts_with(begin)).count()
    }

    /// Looks at the books, or lets the customer and the banks act; the webhooks of what happened go out.
    pub(crate) fn act<T>(&self, action: impl FnOnce(&mut Books) -> T) -> T {
        let mut books = self.inner.books.lock();
        let before = books.events.len();
        let done = action(&mut books);
        announce(&self.inner, books.events.get(before..).unwrap_or_default());
        done
    }
}

/// Sends the webhooks of new events.
fn announce(inner: &Arc<Inner>, events: &[Json]) {
    let posting = *inner.posting.lock();
    let target = inner.target.lock().clone();
    for event in events {
        match (posting, &target) {
            (Some(Posting::Held), _) => inner.held.lock().push(event.clone()),
            (Some(posting @ (Posting::Once | Posting::Twice)), Some(target)) => {
                let times = if posting == Posting::Twice { 2 } else { 1 };
                for _ in 0..times {
                    tokio::spawn(post_until_taken(target.clone(), event.clone()));
                }
            }
            _ => {}
        }
    }
}

async fn post_until_taken(target: String, event: Json) {
    for _ in 0..100 {
        let at = store::clock::now_ms();
        if post(&target, &event, WEBHOOK_SECRET, at).await.is_some_and(|status| status < 300) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn post(target: &str, event: &Json, secret: &str, at_ms: i64) -> Option<u16> {
    let body = event.to_string();
    let signature = app::sign(secret.as_bytes(), body.as_bytes(), at_ms);
    let request = reqwest::Client::new().post(target).header("stripe-signature", signature);
    let answer = request.header("content-type", "application/json").body(body).send().await.ok()?;
    Some(answer.status().as_u16())
}

async fn handle(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    inner.seen.lock().push(format!("{method} {uri}"));
    if header("authorization") != format!("Bearer {SECRET_KEY}") {
        return refuse(401, "invalid_request_error", "", "Invalid API Key provided");
    }
    let text = if method == Method::POST {
        String::from_utf8(body.to_vec()).unwrap()
    } else {
        uri.query().unwrap_or_default().into()
    };
    let parsed = reqwest::Url::parse(&format!("http://fake/?{text}")).unwrap();
    let fields: Vec<(String, String)> =
        parsed.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    if method == Method::GET {
        let (status, body) = requests::get(&inner.books.lock(), uri.path(), &fields);
        return answer(status, body.to_string(), &[]);
    }
    change(&inner, uri.path(), &fields, &header("idempotency-key")).await
}

/// A request that changes something: faults, idempotency, effect.
async fn change(inner: &Arc<Inner>, path: &str, fields: &[(String, String)], key: &str) -> Response<Body> {
    let fault = {
        let mut faults = inner.faults.lock();
        if faults.is_empty() { None } else { Some(faults.remove(0)) }
    };
    match fault {
        Some(Fault::TooMany) => {
            let body = json!({ "error": { "type": "rate_limit_error", "code": "rate_limit", "message": "Too many requests" } });
            return answer(429, body.to_string(), &[("retry-after", "0")]);
        }
        Some(Fault::BreaksBefore) => return broken(),
        _ => {}
    }
    let request = format!("{path} {fields:?}");
    if let Some(saved) = inner.saved.lock().get(key).cloned() {
        if saved.request != request {
            let words =
                "Keys for idempotent requests can only be used with the same parameters they were first used with.";
            return refuse(400, "idempotency_error", "", words);
        }
        return answer(saved.status, saved.body, &[("idempotent-replayed", "true")]);
    }
    let (status, body) = if fault == Some(Fault::Fails) {
        (500, json!({ "error": { "type": "api_error", "message": "An unknown error occurred" } }))
    } else {
        let mut books = inner.books.lock();
        let before = books.events.len();
        let done = requests::post(&mut books, path, fields);
        announce(inner, books.events.get(before..).unwrap_or_default());
        done
    };
    let (status, body) = match fault {
        Some(Fault::FailsAfterwards) => {
            (500, json!({ "error": { "type": "api_error", "message": "An unknown error occurred" } }))
        }
        _ => (status, body),
    };
    // What does not pass validation is not saved.
    if !key.is_empty() && status != 400 && status != 404 {
        let saved = Saved { request, status, body: body.to_string() };
        inner.saved.lock().insert(key.to_owned(), saved);
    }
    match fault {
        Some(Fault::BreaksAfter) => return broken(),
        Some(Fault::Delay(ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
        _ => {}
    }
    answer(status, body.to_string(), &[])
}

fn answer(status: u16, body: String, headers: &[(&str, &str)]) -> Response<Body> {
    let mut response =
        Response::builder().status(status).header("request-id", "req_fake").header("content-type", "application/json");
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body)).unwrap()
}

fn refuse(status: u16, kind: &str, code: &str, message: &str) -> Response<Body> {
    let body = json!({ "error": { "type": kind, "code": code, "message": message } });
    answer(status, body.to_string(), &[])
}

/// An answer whose connection breaks before its end.
fn broken() -> Response<Body> {
    let parts = futures::stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("broken"))]);
    Response::builder().status(200).header("content-length", "1000").body(Body::from_stream(parts)).unwrap()
}
