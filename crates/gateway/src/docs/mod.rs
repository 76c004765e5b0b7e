//! The interface described: `/openapi.json` and a page over it that needs no network.

mod flatten;
mod problems;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

pub(crate) use flatten::flatten;

pub(crate) fn routes<S: Clone + Send + Sync + 'static>(document: String) -> Router<S> {
    let document: &'static str = Box::leak(document.into_boxed_str());
    Router::new()
        .route("/openapi.json", get(move || async move { file("application/json", document) }))
        .route("/docs", get(|| async { file("text/html; charset=utf-8", include_str!("docs.html")) }))
        .route("/docs/docs.css", get(|| async { file("text/css; charset=utf-8", include_str!("docs.css")) }))
        .route("/docs/docs.js", get(|| async { file("text/javascript; charset=utf-8", include_str!("docs.js")) }))
        .route("/problems", get(|| async { problems::page() }))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}
