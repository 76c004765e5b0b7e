//! The page: files embedded at build time.

use app::provider::HostedForm;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::server::POLICY;
use super::{Problem, if_none_match};
use crate::Gateway;

struct File {
    path: &'static str,
    kind: &'static str,
    etag: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
}

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Paths that the page's own router knows; they are all the one HTML file.
const VIEWS: &[&str] = &["/cart", "/orders", "/kitchen", "/mailbox"];
/// Vite puts a digest into the names of these, so they never change.
const IMMUTABLE: &str = "/assets/";

const ABSENT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Comanda</title>
<h1>Comanda is running</h1>
<p>This binary was built without the page. Build it with <code>make web</code>, then build the binary again;
<code>make run</code> does both.</p>
<p>The interface is described at <a href=/docs>/docs</a>.</p></html>";

/// The policy of a page on which a payment provider shows its form.
pub(crate) fn policy_with(form: &HostedForm) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{POLICY}; {}", form.policy)).ok()
}

/// The page and its files; what is none of them is a problem.
pub(crate) async fn page(State(gateway): State<Gateway>, request: Request) -> Response {
    let readable = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path();
    let path = if path == "/" || is_view(path) { "/index.html" } else { path };
    match FILES.iter().find(|file| file.path == path) {
        Some(file) if readable => {
            let mut response = file.answer(request.headers());
            if let (Some(policy), "/index.html") = (&gateway.page_policy, path) {
                response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy.clone());
            }
            response
        }
        None if readable && path == "/index.html" => {
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], ABSENT).into_response()
        }
        _ => Problem::not_found("such resource; /docs lists all").into_response(),
    }
}

fn is_view(path: &str) -> bool {
    let inside = |view: &str| path.strip_prefix(view).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    VIEWS.iter().any(|view| inside(view))
}

impl File {
    fn answer(&self, headers: &HeaderMap) -> Response {
        let cache = match self.path.starts_with(IMMUTABLE) {
            true => "public, max-age=31536000, immutable",
            false => "no-cache",
        };
        let mut response = if if_none_match(headers, self.etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
            let zipped = self.gzip.filter(|_| accepted.is_some_and(|a| a.contains("gzip")));
            let mut response = Response::new(Body::from(Bytes::from_static(zipped.unwrap_or(self.plain))));
            if zipped.is_some() {
                let gzip = HeaderValue::from_static("gzip");
                response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
            }
            response
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(header::ETAG, HeaderValue::from_static(self.etag));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        response
    }
}
