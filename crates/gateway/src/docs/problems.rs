//! `/problems`: what the codes of error answers mean; the `type` of each answer points here.

use axum::response::Html;

use crate::http::CATALOGUE;

pub(crate) fn page() -> Html<String> {
    let entry = |(code, title): &(&str, &str)| format!("<dt id=\"{code}\"><code>{code}</code></dt><dd>{title}</dd>\n");
    let entries: String = CATALOGUE.iter().map(entry).collect();
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Comanda: problems</title>\
         <link rel=stylesheet href=/docs/docs.css><h1>Problems</h1>\
         <p>Error answers are <code>application/problem+json</code> (RFC 9457); programs look at <code>code</code>.</p>\
         <dl>\n{entries}</dl></html>"
    ))
}
