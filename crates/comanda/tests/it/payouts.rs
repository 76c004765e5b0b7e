//! The simulator pays out by its schedule, across a crash.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::start::Server;

const PATIENCE: Duration = Duration::from_secs(60);
const FLAGS: [&str; 4] = ["--set", "simulator.payouts=1s", "--set", "simulator.webhook=10ms"];

/// Places an order and answers what of it reaches the shop.
async fn paid(server: &Server) -> i64 {
    let placed = server.command(&["--json", "order", "place", "guarana=3"]);
    let placed: Value = serde_json::from_slice(&placed.stdout).unwrap();
    let path = format!("/v1/payments/{}", placed["orderId"].as_str().unwrap());
    let begin = Instant::now();
    loop {
        let payment: Value = server.get(&path).await.json().await.unwrap();
        if let (Some(captured @ 1..), Some(fee)) = (payment["captured"].as_i64(), payment["fee"].as_i64()) {
            return captured - fee;
        }
        assert!(begin.elapsed() < PATIENCE, "{payment}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The payouts as soon as they sum up to that: their ids.
async fn sums_up(server: &Server, wanted: i64) -> Vec<String> {
    let begin = Instant::now();
    loop {
        let run = reqwest::Client::new().post(format!("{}/v1/reconciliation", server.url));
        assert!(run.send().await.unwrap().status().is_success());
        let page: Value = server.get("/v1/payouts?limit=200").await.json().await.unwrap();
        let payouts = page["items"].as_array().unwrap();
        let sum: i64 = payouts.iter().map(|payout| payout["amount"].as_i64().unwrap()).sum();
        assert!(sum <= wanted, "more was paid out than came in: {page}");
        if sum == wanted {
            return payouts.iter().map(|payout| payout["payoutId"].as_str().unwrap().to_owned()).collect();
        }
        assert!(begin.elapsed() < PATIENCE, "{wanted}: {page}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn what_came_in_is_paid_out_once_across_a_crash() {
    let server = Server::start(&FLAGS);
    let first = paid(&server).await + paid(&server).await;
    let before = sums_up(&server, first).await;
    // The next payouts fall into the crash, or come after it.
    let second = paid(&server).await;
    let (folder, _) = server.signal("-KILL");
    let server = Server::on(folder, &FLAGS);
    let third = paid(&server).await;
    let total = first + second + third;
    let after = sums_up(&server, total).await;
    assert_eq!(after.iter().collect::<BTreeSet<_>>().len(), after.len());
    assert!(before.iter().all(|payout| after.contains(payout)) && after.len() > before.len());
    // The ledger moved it to the bank; nothing is left with the provider, and everything fits.
    for (account, balance) in [("assets:payouts-in-transit", total), ("assets:provider:simulator", 0)] {
        let begin = Instant::now();
        loop {
            let shown: Value =
                server.get(&format!("/v1/ledger/accounts/{account}/balance")).await.json().await.unwrap();
            if shown["balance"] == json!(balance) {
                break;
            }
            // The consolidation may be some milliseconds behind.
            assert!(begin.elapsed() < PATIENCE, "{shown}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let reconciliation: Value = server.get("/v1/reconciliation").await.json().await.unwrap();
    assert_eq!(reconciliation["items"], json!([]));
    let audit: Value = server.get("/v1/audit").await.json().await.unwrap();
    assert_eq!(audit["differences"], json!([]), "{audit}");
}
