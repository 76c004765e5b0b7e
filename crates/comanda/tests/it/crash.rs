//! The server is killed at random moments under load. Every acknowledged order must come to its end, once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::start::Server;

/// Clients that order at the same time.
const CLIENTS: usize = 8;
/// How long all orders may take to come to their end after the last crash.
const PATIENCE: Duration = Duration::from_secs(90);
const FINAL: &[&str] = &["COMPLETED", "REJECTED", "CANCELLED", "EXPIRED"];
const FAST: &[&str] = &[
    "--log",
    "error",
    "--set",
    "simulator.webhook=5ms",
    "--set",
    "simulator.pix=20ms",
    "--set",
    "simulator.courier_pick_up=5ms",
    "--set",
    "simulator.courier_delivery=5ms",
    "--set",
    "order.payment_deadline=4s",
];

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A number that looks random, from a seed.
fn chance(seed: usize) -> usize {
    let z = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((z ^ (z >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33) as usize
}

fn order(seed: usize) -> Value {
    let payment = match chance(seed) % 8 {
        0 => json!({"type": "card", "number": "4000000000000002", "expMonth": 12, "expYear": 2034, "cvc": "123"}),
        1 => json!({"type": "pix"}),
        _ => json!({"type": "card", "number": "4242424242424242", "expMonth": 12, "expYear": 2034, "cvc": "123"}),
    };
    json!({
        "customer": {"name": "Ana", "email": "ana@example.com"},
        "lines": [{"sku": "xis-calabresa", "quantity": 1}],
        "payment": payment,
    })
}

/// Orders until the server is gone; answers what was acknowledged.
async fn client(url: String, seed: usize, acknowledged: Arc<Mutex<BTreeSet<String>>>, count: Arc<AtomicUsize>) {
    let http = reqwest::Client::new();
    for at in 0.. {
        let seed = seed * 100_000 + at;
        let request = http.post(format!("{url}/place-order")).header("idempotency-key", format!("key-{seed}"));
        let Ok(answer) = request.json(&order(seed)).send().await else { return };
        let status = answer.status();
        let Ok(placed) = answer.json::<Value>().await else { return };
        if status == 201 {
            acknowledged.lock().await.insert(placed["orderId"].as_str().unwrap().to_owned());
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Takes every order of the kitchen one step further, until the server is gone.
async fn kitchen(url: String) {
    let http = reqwest::Client::new();
    loop {
        let Ok(answer) = http.get(format!("{url}/v1/kitchen/orders")).send().await else { return };
        let Ok(list) = answer.json::<Value>().await else { return };
        for order in list["items"].as_array().cloned().unwrap_or_default() {
            let action = match order["status"].as_str() {
                Some("RECEIVED") => "start",
                Some("IN_PREPARATION") => "ready",
                _ => "handover",
            };
            let path = format!("{url}/v1/kitchen/orders/{}/{action}", order["orderId"].as_str().unwrap());
            let request = http.post(path).header("if-match", format!("\"{}\"", order["revision"]));
            if request.send().await.is_err() {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_crash_loses_or_doubles_an_order() {
    let (rounds, seed) = (number("CRASH_ROUNDS", 4), number("CRASH_SEED", 1));
    eprintln!("CRASH_ROUNDS={rounds} CRASH_SEED={seed}");
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let mut folder = tempfile::tempdir().unwrap();
    for round in 0..rounds {
        let server = Server::on(folder, FAST);
        let count = Arc::new(AtomicUsize::new(0));
        let mut work = JoinSet::new();
        for at in 0..CLIENTS {
            let seed = (seed * 1000 + round) * CLIENTS + at;
            work.spawn(client(server.url.clone(), seed, acknowledged.clone(), count.clone()));
        }
        work.spawn(kitchen(server.url.clone()));
        let enough = 5 + chance(seed * 1000 + round) % 60;
        let begin = Instant::now();
        while count.load(Ordering::SeqCst) < enough {
            assert!(begin.elapsed() < PATIENCE, "round {round}: no order is acknowledged any more");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        folder = server.signal("-KILL").0;
        while work.join_next().await.is_some() {}
    }
    let server = Server::on(folder, FAST);
    let cook = tokio::spawn(kitchen(server.url.clone()));
    let acknowledged = acknowledged.lock().await.clone();
    let begin = Instant::now();
    for id in &acknowledged {
        loop {
            let order: Value = server.get(&format!("/v1/orders/{id}")).await.json().await.unwrap();
            if FINAL.contains(&order["status"].as_str().unwrap_or_default()) {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{id} does not come to its end: {order:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mails: Value = server.get(&format!("/v1/mailbox?order={id}")).await.json().await.unwrap();
        let told: Vec<_> = mails["items"].as_array().unwrap().iter().map(|mail| mail["event"].clone()).collect();
        let distinct: BTreeSet<String> = told.iter().map(Value::to_string).collect();
        assert_eq!(told.len(), distinct.len(), "{id} was told twice: {told:?}");
    }
    cook.abort();
    let (folder, code) = server.signal("-TERM");
    assert_eq!(code, Some(0));
    crate::start::check(folder.path(), &["audit"], 0, "Everything agrees.");
    eprintln!("{} acknowledged orders came to their end", acknowledged.len());
}
