//! `comanda audit` finds whatever somebody damages behind the server's back, in whichever table, and names it.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::start::{Server, run};

/// How long the orders of the world may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Audits that run side by side.
const LANES: usize = 4;

/// What is damaged, and the difference that must be named, among others that follow from it.
const DAMAGES: &[(&str, &str)] = &[
    ("UPDATE orders SET total = total + 1 WHERE id = (SELECT min(id) FROM orders)", "amount"),
    ("UPDATE orders SET status = 'GONE' WHERE id = (SELECT min(id) FROM orders)", "unreadable-order"),
    ("DELETE FROM orders WHERE id = (SELECT min(id) FROM orders)", "payment-without-order"),
    ("UPDATE payments SET captured = captured - 1 WHERE order_id = (SELECT min(id) FROM orders)", "receipt-amount"),
    ("UPDATE payments SET refunded = refunded + 1 WHERE refunded > 0", "refunds-against-payment"),
    ("UPDATE payments SET tip = tip + 1 WHERE captured > 0", "payment-parts"),
    ("UPDATE payments SET refund_tip = refund_tip + 1 WHERE refunded > 0", "refunded-tip"),
    ("DELETE FROM payments WHERE order_id = (SELECT min(id) FROM orders)", "order-without-payment"),
    ("UPDATE refunds SET amount = amount + 1 WHERE number = 1", "refunds-against-payment"),
    ("UPDATE refunds SET status = 'FAILED' WHERE number = 1", "refunds-against-payment"),
    ("DELETE FROM refunds WHERE number = 1", "refund-missing"),
    (
        "INSERT INTO refunds SELECT order_id, number + 90, status, revision, amount, tip, currency, reason, note, lines, \
         stray, provider, intent, attempt, provider_refund, requested_at, settled_at, halted_at, waiting, ask_at, \
         wait_token, failure, credit_note, execution_id, halted FROM refunds",
        "refund-without-payment",
    ),
    ("UPDATE credit_notes SET amount = amount + 1 WHERE number = 1", "credit-note-amount"),
    ("UPDATE credit_notes SET sha256 = 'x' WHERE number = 1", "credit-note-document"),
    ("DELETE FROM credit_notes WHERE number = 1", "credit-note-number-gap"),
    ("UPDATE refunds SET credit_note = NULL WHERE number = 1", "refund-without-credit-note"),
    ("UPDATE receipts SET total = total + 1 WHERE number = 1", "receipt-amount"),
    ("UPDATE receipts SET sha256 = 'x' WHERE number = 1", "receipt-document"),
    ("DELETE FROM receipts WHERE number = 1", "receipt-number-gap"),
    ("UPDATE receipt_issuers SET name = 'Somebody else'", "receipt-document"),
    ("UPDATE stock SET available = available + 1 WHERE sku = 'guarana'", "stock-balance"),
    ("UPDATE stock SET sold = sold - 1, available = available + 1 WHERE sku = 'guarana'", "sold-stock"),
    ("DELETE FROM stock WHERE sku = 'guarana'", "stock-of-unknown-product"),
    ("UPDATE stock_adjustments SET delta = delta + 1 WHERE sku = 'guarana'", "stock-balance"),
    ("UPDATE reservations SET status = 'HELD'", "reserved-stock"),
    ("UPDATE reservations SET units = '{\"guarana\":99}'", "stock-above-order"),
    ("DELETE FROM reservations WHERE order_id = (SELECT min(id) FROM orders)", "order-without-stock"),
    ("DELETE FROM deliveries", "delivery-against-order"),
    (
        "UPDATE ledger_entries SET body = replace(body, ',-', ',-1') WHERE id = (SELECT min(id) FROM ledger_entries)",
        "unbalanced-entry",
    ),
    ("UPDATE ledger_entries SET body = replace(body, 'income:sales', 'income:delivery')", "ledger-against-record"),
    ("UPDATE ledger_entries SET body = 'x'", "unreadable-entry"),
    ("DELETE FROM ledger_entries WHERE id = (SELECT min(id) FROM ledger_entries)", "not-in-ledger"),
    ("DELETE FROM ledger_keys", "entry-key"),
    ("UPDATE simulator_intents SET captured = captured + 1 WHERE captured > 0", "money-against-provider"),
    ("UPDATE simulator_intents SET refunded = refunded - 1 WHERE refunded > 0", "money-against-provider"),
    ("UPDATE simulator_intents SET order_id = 'ord_0000000000000' WHERE captured > 0", "money-unknown-to-us"),
    ("DELETE FROM simulator_intents", "money-unknown-to-the-provider"),
    ("UPDATE refunds SET halted_at = 1 WHERE number = 1", "refund-halted"),
    ("DELETE FROM mails WHERE kind = 'payment-confirmed'", "confirmation-not-sent"),
    ("DELETE FROM mails WHERE kind = 'refunded'", "refund-not-told"),
    ("INSERT INTO mails SELECT 1, event, kind, status, at, recipient FROM mails", "mail-without-order"),
    ("UPDATE payments SET disputed = disputed - 1 WHERE disputed > 0", "disputed-against-payment"),
    ("UPDATE disputes SET fee = fee + 1", "dispute-against-ledger"),
    ("UPDATE disputes SET amount = amount - 1", "dispute-against-ledger"),
    ("UPDATE disputes SET status = 'LOST'", "dispute-against-ledger"),
    ("DELETE FROM disputes", "disputed-against-payment"),
    ("UPDATE disputes SET order_id = 1", "dispute-without-payment"),
    (
        "INSERT INTO reconciliation_differences VALUES \
         ('simulator/x', 'missing-here', 'x', NULL, 5, 'BRL', 1, NULL, 1, NULL, NULL, NULL)",
        "unreconciled",
    ),
    (
        "INSERT INTO failed_events VALUES ('simulator/evt_1', 'simulator', 'dp_1', 'internal error', 1, 30, 1, NULL, 1)",
        "event-set-aside",
    ),
];

async fn show(server: &Server, id: &str) -> Value {
    server.get(&format!("/v1/orders/{id}")).await.json().await.unwrap()
}

async fn post(server: &Server, path: &str, revision: &Value, body: &Value) -> Value {
    let request = reqwest::Client::new().post(format!("{}{path}", server.url)).json(body);
    let answer = request.header("If-Match", format!("\"{revision}\"")).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

/// Waits until an order stands there.
async fn until(server: &Server, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let order = show(server, id).await;
        if wanted(&order) {
            return order;
        }
        assert!(begin.elapsed() < PATIENCE, "{order}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn place(server: &Server, order: Value) -> String {
    let answer = reqwest::Client::new().post(format!("{}/place-order", server.url)).json(&order).send().await.unwrap();
    let placed: Value = answer.json().await.unwrap();
    placed["orderId"].as_str().unwrap().to_owned()
}

/// One order that is brought, with a tip, refunded twice in part; one that is called off after it was paid; one whose payment is
/// disputed.
async fn world(server: &Server) {
    let card = json!({"type": "card", "number": "4242424242424242", "expMonth": 12, "expYear": 2040, "cvc": "123"});
    let address = json!({"street": "Rua da Praia", "number": "100", "city": "Porto Alegre"});
    let brought = json!({
        "customer": {"name": "Ana", "email": "ana@example.com"},
        "lines": [{"sku": "guarana", "quantity": 3}],
        "payment": card,
        "tip": 300,
        "delivery": {"type": "courier", "address": address},
    });
    let called_off = json!({"lines": [{"sku": "guarana", "quantity": 1}], "payment": card});
    let number = "4000000000000259";
    let disputed = json!({"lines": [{"sku": "guarana", "quantity": 1}],
        "payment": {"type": "card", "number": number, "expMonth": 12, "expYear": 2040, "cvc": "123"}});
    let (first, second) = (place(server, brought).await, place(server, called_off).await);
    let third = place(server, disputed).await;
    for action in ["start", "ready"] {
        let order = until(server, &first, |order| order["actions"].as_array().unwrap().contains(&action.into())).await;
        post(server, &format!("/v1/kitchen/orders/{first}/{action}"), &order["revision"], &json!({})).await;
    }
    let order = until(server, &second, |order| order["status"] == "RECEIVED").await;
    let reason = json!({"reason": "changed my mind"});
    post(server, &format!("/v1/orders/{second}/cancel"), &order["revision"], &reason).await;
    until(server, &first, |order| order["status"] == "COMPLETED").await;
    for body in [
        json!({"amount": 100, "reason": "quality"}),
        json!({"reason": "item-missing", "lines": [{"line": 0, "quantity": 1, "restock": true}]}),
    ] {
        let list: Value = server.get(&format!("/v1/payments/{first}/refunds")).await.json().await.unwrap();
        post(server, &format!("/v1/payments/{first}/refunds"), &list["revision"], &body).await;
        until(server, &first, |order| order["payment"]["status"] == "PARTIALLY_REFUNDED").await;
    }
    let begin = Instant::now();
    loop {
        let notes: Value = server.get("/v1/credit-notes").await.json().await.unwrap();
        if notes["items"].as_array().unwrap().len() == 3 {
            break;
        }
        assert!(begin.elapsed() < PATIENCE, "{notes}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    until(server, &second, |order| order["status"] == "CANCELLED").await;
    until(server, &third, |order| order["payment"]["status"] == "DISPUTED").await;
}

fn audit(folder: &Path) -> (Option<i32>, Value) {
    let output = run(folder, &["--json", "audit", "--data", "data"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let report =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report)
}

/// Damages a copy of the data folder, and audits it.
fn check(origin: &Path, sql: &str, code: &str) -> Result<(), String> {
    let copy = tempfile::tempdir().unwrap();
    let data = copy.path().join("data");
    std::fs::create_dir(&data).unwrap();
    for entry in std::fs::read_dir(origin.join("data")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), data.join(entry.file_name())).unwrap();
        }
    }
    let store = rusqlite::Connection::open(data.join("comanda.db")).unwrap();
    let changed = store.execute(sql, []).map_err(|error| format!("{sql}: {error}"))?;
    drop(store);
    let (exit, report) = audit(copy.path());
    let found: Vec<&str> =
        report["differences"].as_array().unwrap().iter().map(|d| d["code"].as_str().unwrap()).collect();
    match changed > 0 && exit == Some(4) && found.contains(&code) {
        true => Ok(()),
        false => Err(format!("{sql}: {changed} rows, exit code {exit:?}, wanted {code}, found {found:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_names_whatever_is_damaged() {
    let server =
        Server::start(&["--set", "simulator.courier_pick_up=10ms", "--set", "simulator.courier_delivery=10ms"]);
    world(&server).await;
    // While the server runs, through it and beside it.
    let output = server.command(&["--json", "audit"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("\"differences\":[]"), "{text}");
    let (exit, report) = audit(server.folder.path());
    assert_eq!((exit, report["differences"].as_array().unwrap().len()), (Some(0), 0), "{report}");
    assert_eq!((&report["counts"]["refunds"], &report["counts"]["credit-notes"]), (&json!(3), &json!(3)));
    let (folder, _) = server.signal("-TERM");
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some((sql, code)) = DAMAGES.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if let Err(problem) = check(folder.path(), sql, code) {
                        failed.lock().push(problem);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    assert!(failed.is_empty(), "{} of {}: {failed:#?}", failed.len(), DAMAGES.len());
}
