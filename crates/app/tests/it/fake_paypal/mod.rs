//! A PayPal of our own, over HTTP, built from PayPal's published behaviour: access tokens that end, Orders v2 with buyers who
//! approve, authorizations, captures, refunds, `PayPal-Request-Id`, webhooks that it verifies itself, their list, disputes,
//! the transactions report; and what goes wrong: 429, 500, connections that break.

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

use crate::fake_stripe::{Fault, Posting};
pub(crate) use books::{Books, Funding};

/// The app that this account knows.
pub(crate) const CLIENT_ID: &str = "AClientOfTheFake";
/// Its secret.
pub(crate) const CLIENT_SECRET: &str = "ESecretOfTheFake";
/// The webhook's id.
pub(crate) const WEBHOOK_ID: &str = "8PT597110X687430LKGECATA";

#[derive(Default)]
struct Inner {
    books: Mutex<Books>,
    /// What a request id did: the kind and id of the object.
    saved: Mutex<HashMap<String, (u16, Json)>>,
    faults: Mutex<Vec<Fault>>,
    held: Mutex<Vec<Json>>,
    posting: Mutex<Option<Posting>>,
    target: Mutex<Option<String>>,
    /// Method and path of every request so far.
    seen: Mutex<Vec<String>>,
    tokens: Mutex<Vec<String>>,
    /// How long tokens are good, in seconds.
    token_life: Mutex<u64>,
}

/// The server. Stops when it is dropped.
pub(crate) struct FakePayPal {
    inner: Arc<Inner>,
    pub(crate) url: String,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for FakePayPal {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl FakePayPal {
    pub(crate) async fn start() -> FakePayPal {
        let inner = Arc::new(Inner { token_life: Mutex::new(32_400), ..Inner::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        inner.books.lock().url.clone_from(&url);
        let router = Router::new().fallback(handle).with_state(inner.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        FakePayPal { inner, url, serving }
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

    /// What goes wrong with the next requests that change something, in order.
    pub(crate) fn fail(&self, faults: &[Fault]) {
        *self.inner.faults.lock() = faults.to_vec();
    }

    /// Forgets all request ids.
    pub(crate) fn forget_keys(&self) {
        self.inner.saved.lock().clear();
    }

    /// Takes no token that it gave out.
    pub(crate) fn end_tokens(&self) {
        self.inner.tokens.lock().clear();
    }

    /// How long the next tokens are good, in seconds.
    pub(crate) fn tokens_last(&self, seconds: u64) {
        *self.inner.token_life.lock() = seconds;
    }

    /// How many requests had that beginning, as `POST /v2/checkout`.
    pub(crate) fn count(&self, begin: &str) -> usize {
        self.inner.seen.lock().iter().filter(|request| request.starts_with(begin)).count()
    }

    /// Looks at the books, or lets the buyer and the banks act; the webhooks of what happened go out.
    pub(crate) fn act<T>(&self, action: impl FnOnce(&mut Books) -> T) -> T {
        let mut books = self.inner.books.lock();
        let before = books.events.len();
        let done = action(&mut books);
        announce(&self.inner, books.events.get(before..).unwrap_or_default());
        done
    }
}

/// The headers of a webhook that was sent at that time.
pub(crate) fn headers(body: &str, at_ms: i64) -> Vec<(&'static str, String)> {
    let time = books::time(at_ms);
    let id = format!("transmission-{}", body.len());
    let signature = signature(&id, &time, body);
    vec![
        ("paypal-auth-algo", "SHA256withRSA".into()),
        ("paypal-cert-url", "https://api.paypal.com/v1/notifications/certs/CERT-1".into()),
        ("paypal-transmission-id", id),
        ("paypal-transmission-sig", signature),
        ("paypal-transmission-time", time),
    ]
}

/// Stands for PayPal's signature, which nobody but PayPal can judge.
fn signature(id: &str, time: &str, body: &str) -> String {
    app::sign(b"the private key of the fake", format!("{id}|{time}|{WEBHOOK_ID}|{body}").as_bytes(), 0)
}

fn announce(inner: &Arc<Inner>, events: &[Json]) {
    let posting = *inner.posting.lock();
    let target = inner.target.lock().clone();
    for event in events {
        match (posting, &target) {
            (Some(Posting::Held), _) => inner.held.lock().push(event.clone()),
            (Some(posting @ (Posting::Once | Posting::Twice)), Some(target)) => {
                let times = if posting == Posting::Twice { 2 } else { 1 };
                for _ in 0..times {
                    tokio::spawn(post_until_taken(target.clone(), event.to_string()));
                }
            }
            _ => {}
        }
    }
}

async fn post_until_taken(target: String, body: String) {
    for _ in 0..100 {
        let mut request = reqwest::Client::new().post(&target).header("content-type", "application/json");
        for (name, value) in headers(&body, store::clock::now_ms()) {
            request = request.header(name, value);
        }
        if request.body(body.clone()).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
    let body = String::from_utf8(body.to_vec()).unwrap();
    if uri.path() == "/v1/oauth2/token" {
        return token(&inner, &header("authorization"), &body);
    }
    let bearer = header("authorization").strip_prefix("Bearer ").unwrap_or_default().to_owned();
    if !inner.tokens.lock().contains(&bearer) {
        let body = json!({ "name": "AUTHENTICATION_FAILURE", "message": "Authentication failed", "debug_id": "d" });
        return answer(401, &body);
    }
    if uri.path() == "/v1/notifications/verify-webhook-signature" {
        return answer(200, &json!({ "verification_status": verify(&body) }));
    }
    if method == Method::GET {
        let (status, body) = requests::get(&inner.books.lock(), uri.path(), uri.query().unwrap_or_default());
        return answer(status, &body);
    }
    change(&inner, &method, uri.path(), &body, &header("paypal-request-id")).await
}

fn token(inner: &Inner, authorization: &str, body: &str) -> Response<Body> {
    // "AClientOfTheFake:ESecretOfTheFake" in base64.
    let good = "Basic QUNsaWVudE9mVGhlRmFrZTpFU2VjcmV0T2ZUaGVGYWtl";
    if authorization != good || body != "grant_type=client_credentials" {
        return answer(401, &json!({ "error": "invalid_client", "error_description": "Client Authentication failed" }));
    }
    let mut tokens = inner.tokens.lock();
    let token = format!("A21AAToken{}", tokens.len() + inner.seen.lock().len());
    tokens.push(token.clone());
    let life = *inner.token_life.lock();
    answer(200, &json!({ "access_token": token, "token_type": "Bearer", "expires_in": life, "scope": "" }))
}

/// Whether the question is about what was sent, to the byte.
fn verify(question: &str) -> &'static str {
    let read: Json = serde_json::from_str(question).unwrap();
    let text = |name: &str| read[name].as_str().unwrap_or_default();
    let event = question.split_once("\"webhook_event\":").map(|(_, event)| event).unwrap_or_default();
    let event = event.strip_suffix('}').unwrap_or_default();
    let good = signature(text("transmission_id"), text("transmission_time"), event);
    let good = good == text("transmission_sig") && text("webhook_id") == WEBHOOK_ID;
    if good { "SUCCESS" } else { "FAILURE" }
}

/// A request that changes something: faults, request ids, effect.
async fn change(inner: &Arc<Inner>, method: &Method, path: &str, body: &str, key: &str) -> Response<Body> {
    let fault = {
        let mut faults = inner.faults.lock();
        if faults.is_empty() { None } else { Some(faults.remove(0)) }
    };
    let internal =
        json!({ "name": "INTERNAL_SERVER_ERROR", "message": "An internal server error occurred.", "debug_id": "d" });
    match fault {
        Some(Fault::TooMany) => {
            return answer(429, &json!({ "name": "RATE_LIMIT_REACHED", "message": "Too many requests." }));
        }
        Some(Fault::Fails) => return answer(500, &internal),
        Some(Fault::BreaksBefore) => return broken(),
        _ => {}
    }
    let saved_key = format!("{path} {key}");
    let saved = inner.saved.lock().get(&saved_key).cloned();
    let (status, done) = match saved {
        // The latest state of what the request did.
        Some((status, done)) if !key.is_empty() => (status, inner.books.lock().latest(&done)),
        _ => {
            let mut books = inner.books.lock();
            let before = books.events.len();
            let sent: Json = serde_json::from_str(body).unwrap_or_default();
            let done = requests::change(&mut books, method, path, &sent);
            announce(inner, books.events.get(before..).unwrap_or_default());
            done
        }
    };
    if !key.is_empty() && status < 300 {
        inner.saved.lock().insert(saved_key, (status, done.clone()));
    }
    match fault {
        Some(Fault::FailsAfterwards) => return answer(500, &internal),
        Some(Fault::BreaksAfter) => return broken(),
        Some(Fault::Delay(ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
        _ => {}
    }
    answer(status, &done)
}

fn answer(status: u16, body: &Json) -> Response<Body> {
    let response = Response::builder().status(status).header("paypal-debug-id", "d-fake");
    let body = if status == 204 { String::new() } else { body.to_string() };
    response.header("content-type", "application/json").body(Body::from(body)).unwrap()
}

/// An answer whose connection breaks before its end.
fn broken() -> Response<Body> {
    let parts = futures::stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("broken"))]);
    Response::builder().status(200).header("content-length", "1000").body(Body::from_stream(parts)).unwrap()
}
