//! The daily consolidation stops, is killed with the server and is built anew while entries come in: every valid one is
//! answered 201, and in the end the statements are the sums of what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::start::Server;

const CLIENTS: usize = 6;
const ACCOUNTS: usize = 8;
/// Entries of a batch.
const BATCH: usize = 40;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// Of the merchant: neither UTC nor midnight.
const MERCHANT: &[&str] =
    &["--log", "error", "--set", "merchant.time_zone=America/Sao_Paulo", "--set", "merchant.cut_off=04:00"];

fn chance(seed: usize) -> usize {
    let z = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((z ^ (z >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33) as usize
}

fn account(n: usize) -> String {
    format!("{}:load{n}", ["assets", "income", "expenses", "liabilities"][n % 4])
}

/// What the clients share.
struct Load {
    /// Where the server is; none while it is down.
    url: Mutex<String>,
    ended: AtomicBool,
    /// Acknowledged entries.
    entries: AtomicUsize,
    /// What was acknowledged, by account.
    sums: Mutex<BTreeMap<String, i64>>,
    /// Answers that are not 201.
    refused: Mutex<Vec<String>>,
}

/// The entry of a seed, between two accounts, within the last two hundred days.
fn entry(seed: usize, now_ms: i64) -> (Value, [(String, i64); 2]) {
    let (from, amount) = (chance(seed) % ACCOUNTS, 1 + (chance(seed ^ 0xABCD) % 100_000) as i64);
    let to = (from + 1 + chance(seed ^ 0x1234) % (ACCOUNTS - 1)) % ACCOUNTS;
    let at = now_ms - (chance(seed ^ 0x5678) % (200 * 86_400)) as i64 * 1_000;
    let at = jiff::Timestamp::from_millisecond(at).unwrap().to_string();
    let moved = [(account(to), amount), (account(from), -amount)];
    let lines: Vec<Value> =
        moved.iter().map(|(code, amount)| json!({"account": code, "amount": amount, "currency": "BRL"})).collect();
    (json!({"description": "under load", "effectiveAt": at, "postings": lines}), moved)
}

/// Posts single entries and batches; who gets no answer asks again under the same key.
async fn client(load: Arc<Load>, number: usize, now_ms: i64) {
    let http = reqwest::Client::new();
    for at in 0.. {
        if load.ended.load(Ordering::SeqCst) {
            return;
        }
        let seed = number * 10_000_000 + at * 1_000;
        let count = if chance(seed).is_multiple_of(4) { BATCH } else { 1 };
        let (bodies, moved): (Vec<Value>, Vec<_>) = (0..count).map(|n| entry(seed + n, now_ms)).unzip();
        let (path, body) = match count {
            1 => ("/v1/ledger/entries", bodies[0].clone()),
            _ => ("/v1/ledger/entries:batch", json!({"entries": bodies})),
        };
        loop {
            let url = load.url.lock().clone();
            let request = http.post(format!("{url}{path}")).header("idempotency-key", format!("{number}-{at}"));
            match request.json(&body).send().await {
                Ok(answer) if answer.status() == 201 => break,
                Ok(answer) => {
                    let text = format!("{} {}", answer.status(), answer.text().await.unwrap_or_default());
                    return load.refused.lock().push(text);
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        let mut sums = load.sums.lock();
        for (code, amount) in moved.into_iter().flatten() {
            *sums.entry(code).or_default() += amount;
        }
        load.entries.fetch_add(count, Ordering::SeqCst);
    }
}

/// Waits until so many more entries are acknowledged.
async fn more(load: &Load, entries: usize) {
    let (begin, until) = (Instant::now(), load.entries.load(Ordering::SeqCst) + entries);
    while load.entries.load(Ordering::SeqCst) < until {
        assert!(begin.elapsed() < PATIENCE && load.refused.lock().is_empty(), "{:?}", load.refused.lock());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn projection(server: &Server) -> Value {
    server.get("/v1/ledger/projection").await.json().await.unwrap()
}

async fn switch(server: &Server, running: bool) {
    let request = reqwest::Client::new().put(format!("{}/v1/ledger/projection", server.url));
    assert_eq!(request.json(&json!({"running": running})).send().await.unwrap().status(), 200);
}

/// Kills the server, under way as it is, and starts it again.
fn again(server: Server, load: &Load) -> Server {
    let folder: TempDir = server.signal("-KILL").0;
    let server = Server::on(folder, MERCHANT);
    *load.url.lock() = server.url.clone();
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_accepted_whatever_becomes_of_the_consolidation() {
    let mut server = Server::on(tempfile::tempdir().unwrap(), MERCHANT);
    let http = reqwest::Client::new();
    for n in 0..ACCOUNTS {
        let open = http.post(format!("{}/v1/ledger/accounts", server.url));
        let opened = open.json(&json!({"code": account(n), "name": account(n)})).send().await.unwrap();
        assert!(opened.status().is_success());
    }
    let load = Arc::new(Load {
        url: Mutex::new(server.url.clone()),
        ended: AtomicBool::new(false),
        entries: AtomicUsize::new(0),
        sums: Mutex::default(),
        refused: Mutex::default(),
    });
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        clients.spawn(client(load.clone(), number, now_ms));
    }
    more(&load, 300).await;
    switch(&server, false).await;
    // It counts nothing any more, and refuses nothing.
    let counted = projection(&server).await["entries"].clone();
    more(&load, 1_500).await;
    assert_eq!(projection(&server).await["entries"], counted);
    server = again(server, &load);
    assert_eq!(projection(&server).await["running"], false, "it stays stopped after a crash");
    more(&load, 500).await;
    switch(&server, true).await;
    for round in 0..3 {
        more(&load, 100 + 50 * round).await;
        // It is built anew under load, and killed in the midst of that.
        let rebuild = tokio::spawn(http.post(format!("{}/v1/ledger/projection/rebuild", server.url)).send());
        more(&load, 20 * round).await;
        server = again(server, &load);
        drop(rebuild.await);
    }
    let days = |back: i64| {
        let day = jiff::Timestamp::from_millisecond(now_ms - back * 86_400_000).unwrap();
        day.to_string()[..10].to_owned()
    };
    // Days are closed while entries come for them and for those before.
    for back in [150, 90] {
        let closed = http.post(format!("{}/v1/ledger/days/{}/close", server.url, days(back))).json(&json!({}));
        assert_eq!(closed.send().await.unwrap().status(), 200);
        more(&load, 100).await;
    }
    let rebuilt = http.post(format!("{}/v1/ledger/projection/rebuild", server.url)).send().await.unwrap();
    assert_eq!(rebuilt.status(), 200);
    more(&load, 100).await;
    load.ended.store(true, Ordering::SeqCst);
    while clients.join_next().await.is_some() {}
    assert!(load.refused.lock().is_empty(), "{:?}", load.refused.lock());
    let begin = Instant::now();
    while projection(&server).await["pending"] != 0 {
        assert!(begin.elapsed() < PATIENCE, "it does not catch up: {}", projection(&server).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (entries, sums) = (load.entries.load(Ordering::SeqCst), load.sums.lock().clone());
    for (code, sum) in sums {
        let path = format!("/v1/statements/{code}?currency=BRL&from={}&to={}", days(203), days(-1));
        let statement: Value = server.get(&path).await.json().await.unwrap();
        assert_eq!(statement["period"]["closing"], sum, "{code}");
    }
    let found: Value = server.get("/v1/ledger/verify").await.json().await.unwrap();
    assert_eq!((&found["differences"], &found["entries"]), (&json!([]), &json!(entries)), "{found}");
    eprintln!("{entries} entries");
}
