//! Refunds through the interface of a real server.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::start::Server;

const REFUNDS: usize = 200;

/// Two hundred people give the same money back at once: exactly what was captured goes back, and everything agrees.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_refunds_at_once_give_back_what_was_captured() {
    let server = Arc::new(Server::start(&[]));
    let placed = server.command(&["--json", "order", "place", "guarana=3"]);
    let placed: Value = serde_json::from_slice(&placed.stdout).unwrap();
    let id = placed["orderId"].as_str().unwrap().to_owned();
    let path = format!("/v1/payments/{id}/refunds");
    let list = async || -> Value { server.get(&path).await.json().await.unwrap() };
    let captured = loop {
        let captured = list().await["captured"].as_i64().unwrap();
        if captured > 0 {
            break captured;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let http = reqwest::Client::new();
    let url = format!("{}{path}", server.url);
    let tasks: Vec<_> = (0..REFUNDS)
        .map(|n| {
            let (http, url) = (http.clone(), url.clone());
            tokio::spawn(async move {
                loop {
                    let request =
                        http.post(&url).header("If-Match", "*").header("Idempotency-Key", format!("refund {n}"));
                    let answer = request.json(&json!({"amount": 37, "reason": "quality"})).send().await.unwrap();
                    match answer.status().as_u16() {
                        201 => return true,
                        409 => return false,
                        503 => tokio::task::yield_now().await,
                        other => panic!("{other}: {}", answer.text().await.unwrap()),
                    }
                }
            })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        granted += i64::from(task.await.unwrap());
    }
    assert_eq!(granted, captured / 37);
    // While one is under way, the payment's revision moves on and the command line asks to look again.
    while list().await["pending"] != 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // The rest, in the words of the command line; nothing is left after it.
    let rest = server.command(&["payment", "refund", &id, "--reason", "quality"]);
    assert_eq!(rest.status.code(), Some(i32::from(captured % 37 == 0) * 4), "{rest:?}");
    let more = server.command(&["payment", "refund", &id, "--amount", "1"]);
    assert_eq!(more.status.code(), Some(4), "{more:?}");
    loop {
        let list = list().await;
        let notes = list["items"].as_array().unwrap().iter().filter(|refund| refund["creditNote"].is_i64()).count();
        if list["pending"] == 0 && notes == list["items"].as_array().unwrap().len() {
            assert_eq!((list["refunded"].as_i64(), list["left"].as_i64()), (Some(captured), Some(0)), "{list}");
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    for command in ["audit", "payment reconcile", "payment payouts", "payment refunds"] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let output = server.command(&arguments);
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
    }
}
