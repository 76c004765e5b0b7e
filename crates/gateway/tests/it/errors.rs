//! Every error is a problem with a stable code.

use reqwest::Method;
use serde_json::Value;

use crate::start::{ORDER, Server};

/// Sends a request and compares status, code and pointer of the problem.
async fn check(server: &Server, request: reqwest::RequestBuilder, status: u16, code: &str, pointer: &str) {
    let answer = request.send().await.unwrap();
    let got = answer.status().as_u16();
    let headers = answer.headers().clone();
    let text = answer.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    assert_eq!(headers["content-type"], "application/problem+json", "{text}");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let problem: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["code"], code, "{text}");
    assert_eq!(problem["status"], status, "{text}");
    assert_eq!(problem["type"], format!("/problems#{code}"));
    assert_eq!(problem.get("pointer").and_then(Value::as_str).unwrap_or(""), pointer, "{text}");
    if status == 405 {
        assert!(headers.contains_key("allow"));
    }
    assert_eq!(server.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn requests_that_no_route_understands() {
    let server = Server::start().await;
    let request = |method, path: &str| server.request(method, path);
    check(&server, request(Method::GET, "/v1/nothing"), 404, "not-found", "").await;
    check(&server, request(Method::POST, "/"), 404, "not-found", "").await;
    check(&server, request(Method::DELETE, "/place-order"), 405, "method-not-allowed", "").await;
    check(&server, request(Method::GET, "/v1/orders?limit=many"), 400, "invalid-parameter", "").await;
    check(&server, request(Method::GET, "/v1/orders?cursor=%21"), 400, "invalid-cursor", "").await;
    check(&server, request(Method::GET, "/v1/orders/ord_nothing"), 404, "not-found", "").await;
    check(&server, request(Method::GET, "/v1/executions/x"), 404, "not-found", "").await;
}

#[tokio::test]
async fn bodies_that_are_wrong() {
    let server = Server::start().await;
    let post = |body: &str| {
        server.request(Method::POST, "/place-order").header("content-type", "application/json").body(body.to_owned())
    };
    check(&server, post("{"), 400, "invalid-json", "").await;
    check(&server, post(&format!("{ORDER} x")), 400, "invalid-json", "").await;
    check(&server, post("{}"), 422, "invalid-body", "").await;
    check(
        &server,
        post(&ORDER.replace("\"quantity\":1", "\"quantity\":1.0")),
        422,
        "invalid-body",
        "/lines/0/quantity",
    )
    .await;
    check(&server, post(&ORDER.replace("\"quantity\":1", "\"quantity\":1,\"x\":1")), 422, "invalid-body", "/lines/0/x")
        .await;
    check(&server, post(&ORDER.replace("\"lines\"", "\"tip\":1.5,\"lines\"")), 422, "invalid-body", "/tip").await;
    // What is private is not repeated.
    for (was, is, pointer) in [
        ("\"cvc\":\"123\"", "\"cvc\":777", "/payment"),
        ("\"email\":\"ana@example.com\"", "\"email\":777", "/customer/email"),
        ("\"expMonth\":12", "\"expMonth\":777", "/payment"),
    ] {
        let body = ORDER.replace(was, is);
        check(&server, post(&body), 422, "invalid-body", pointer).await;
        let text = post(&body).send().await.unwrap().text().await.unwrap();
        assert!(!text.contains("777") && text.contains("expected"), "{text}");
    }
    let plain = server.request(Method::POST, "/place-order").body(ORDER);
    check(&server, plain, 415, "unsupported-media-type", "").await;
    let large = post(&" ".repeat(300 * 1024));
    check(&server, large, 413, "body-too-large", "").await;
}

#[tokio::test]
async fn conditions_that_are_missing_or_stale() {
    let server = Server::start().await;
    let start = |condition: Option<&str>| {
        let request = server.request(Method::POST, "/v1/kitchen/orders/ord_0000000000000/start");
        match condition {
            Some(condition) => request.header("if-match", condition),
            None => request,
        }
    };
    check(&server, start(None), 428, "revision-required", "").await;
    check(&server, start(Some("\"old\"")), 412, "revision-mismatch", "").await;
    check(&server, start(Some("\"1\"")), 404, "not-found", "").await;
    let key = "k".repeat(256);
    let order = server.order().header("idempotency-key", key);
    check(&server, order, 400, "invalid-idempotency-key", "").await;
}

#[tokio::test]
async fn requests_of_other_sites_change_nothing() {
    let server = Server::start().await;
    let order = server.order().header("sec-fetch-site", "cross-site");
    check(&server, order, 403, "cross-site", "").await;
    assert_eq!(server.order().header("sec-fetch-site", "same-origin").send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn signatures_that_are_not_good() {
    let server = Server::start().await;
    let webhook = |provider: &str| server.request(Method::POST, &format!("/v1/webhooks/{provider}")).body("{}");
    check(&server, webhook("simulator"), 401, "malformed-signature", "").await;
    let forged = webhook("simulator").header("comanda-signature", "t=1,v1=00");
    check(&server, forged, 401, "invalid-signature", "").await;
    check(&server, webhook("nobody"), 404, "not-found", "").await;
    let callback = server.request(Method::POST, "/v1/delivery/callbacks").body("{}");
    check(&server, callback, 401, "malformed-signature", "").await;
}
