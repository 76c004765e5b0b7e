//! The server itself: limits, streams, shutdown, the page, and the way of one order through it.

use std::time::Duration;

use gateway::Limits;
use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::start::{ORDER, Server};

#[tokio::test]
async fn an_order_is_placed_shown_and_replayed() {
    let server = Server::start().await;
    let order = || server.order().header("idempotency-key", "one");
    let first = order().send().await.unwrap();
    assert_eq!(first.status(), 201);
    assert!(!first.headers().contains_key("idempotent-replayed"));
    let location = first.headers()["location"].to_str().unwrap().to_owned();
    let placed: Value = first.json().await.unwrap();
    assert!(placed["engine"]["backlog"].is_u64());
    let again = order().send().await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    let mut first_answer = placed.clone();
    first_answer.as_object_mut().unwrap().remove("engine");
    assert_eq!(again.json::<Value>().await.unwrap(), first_answer);
    let other = server.request(Method::POST, "/v1/orders").header("idempotency-key", "one");
    let body = ORDER.replace("\"quantity\":1", "\"quantity\":2");
    let other = other.header("content-type", "application/json").body(body).send().await.unwrap();
    assert_eq!(other.status(), 422);

    let shown = server.get(&location).await;
    assert_eq!(shown.status(), 200);
    let etag = shown.headers()["etag"].to_str().unwrap().to_owned();
    let view: Value = shown.json().await.unwrap();
    assert_eq!(etag, format!("\"{}\"", view["revision"]));
    let token = placed["trackingToken"].as_str().unwrap();
    assert_eq!(server.get(&format!("{location}?t={token}")).await.status(), 200);
    assert_eq!(server.get(&format!("{location}?t=0{token}")).await.status(), 403);
}

#[tokio::test]
async fn a_tracking_link_is_the_customers() {
    let server = Server::start().await;
    let placed: Value = server.order().send().await.unwrap().json().await.unwrap();
    let (id, token) = (placed["orderId"].as_str().unwrap(), placed["trackingToken"].as_str().unwrap());
    let cancel = |query: &str, revision: &str| {
        let path = format!("/v1/orders/{id}/cancel{query}");
        let request = server.request(Method::POST, &path).header("if-match", revision.to_owned());
        request.header("content-type", "application/json").body(r#"{"reason":"no"}"#).send()
    };
    assert_eq!(cancel("?t=00000000000000000000000000000000", "\"1\"").await.unwrap().status(), 403);
    assert_eq!(cancel(&format!("?t={token}"), "\"1\"").await.unwrap().status(), 200);
    assert_eq!(cancel("", "\"2\"").await.unwrap().status(), 409);
    let resolve = server.request(Method::POST, &format!("/v1/orders/{id}/resolve")).header("if-match", "\"2\"");
    let resolve = resolve.header("content-type", "application/json").body(r#"{"note":"done"}"#).send().await.unwrap();
    assert_eq!(resolve.json::<Value>().await.unwrap()["code"], "nothing-to-resolve");
}

#[tokio::test]
async fn a_stream_begins_with_the_order_and_ends_with_the_server() {
    let server = Server::start().await;
    let placed: Value = server.order().send().await.unwrap().json().await.unwrap();
    let id = placed["orderId"].as_str().unwrap();
    let mut stream = server.get(&format!("/v1/orders/{id}/events")).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let first = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(first.starts_with("id: "), "{first}");
    assert!(first.contains("event: order\ndata: {\"orderId\":\""), "{first}");
    let all = server.get("/v1/events").await;
    assert_eq!(all.status(), 200);
    server.stop().await;
    assert!(stream.chunk().await.unwrap().is_none());
}

#[tokio::test]
async fn streams_have_a_limit() {
    let server = Server::with(Limits { streams: 1, ..Limits::default() }).await;
    let first = server.get("/v1/events").await;
    assert_eq!(first.status(), 200);
    let second = server.get("/v1/events").await;
    assert_eq!(second.status(), 503);
    assert!(second.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let server = Server::with(Limits { request_time: Duration::from_millis(200), ..Limits::default() }).await;
    let head = "POST /place-order HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    let answer = raw(&server, head).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn what_is_begun_is_finished_before_the_server_stops() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let (head, tail) = ORDER.split_at(20);
    let start = format!(
        "POST /place-order HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{head}",
        ORDER.len()
    );
    stream.write_all(start.as_bytes()).await.unwrap();
    // Another request on another connection shows that the first one has arrived.
    assert_eq!(server.get("/healthz").await.status(), 200);
    let stopping = tokio::spawn(server.stop());
    tokio::task::yield_now().await;
    stream.write_all(tail.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    stopping.await.unwrap();
}

#[tokio::test]
async fn the_page_and_its_views_are_served_with_a_policy() {
    let server = Server::start().await;
    for path in ["/", "/kitchen", "/mailbox", "/orders/ord_x"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"), "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
    }
    assert_eq!(server.get("/orders.php").await.status(), 404);
}

/// Sends bytes and reads until the server closes or falls silent after its answer.
async fn raw(server: &Server, bytes: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 4096];
    let read = stream.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..read]).into_owned()
}
