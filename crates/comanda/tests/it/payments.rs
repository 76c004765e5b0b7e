//! Payments on the command line, and in the views that the sqlite3 shell reads.

use std::time::{Duration, Instant};

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::start::Server;

const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer is good.
async fn until(server: &Server, path: &str, good: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let answer: Value = server.get(path).await.json().await.unwrap();
        if good(&answer) {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "{path}: {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs a command that has to succeed, and gives what it says.
#[track_caller]
fn says(server: &Server, arguments: &[&str]) -> String {
    let output = server.command(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The only row of a query.
#[track_caller]
fn row(store: &Connection, sql: &str) -> Vec<Sql> {
    let mut statement = store.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect()).unwrap();
    let mut rows: Vec<Vec<Sql>> = rows.map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
    rows.remove(0)
}

fn text(text: &str) -> Sql {
    Sql::Text(text.into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_amount_is_shown_captured_and_read_in_sql() {
    let server = Server::start(&["--set", "payment.capture=dispatch"]);
    assert_eq!(says(&server, &["payment", "list"]).trim(), "No payments.");
    let placed: Value = serde_json::from_str(&says(&server, &["--json", "order", "place", "guarana=3"])).unwrap();
    let (id, number) = (placed["orderId"].as_str().unwrap(), placed["number"].as_i64().unwrap());
    until(&server, &format!("/v1/orders/{id}"), |order| order["status"] == "RECEIVED").await;
    // A list reads what is durable, a moment after an order by its id shows it.
    until(&server, "/v1/payments?status=AUTHORIZED", |page| page["items"][0]["orderId"] == id).await;

    let listed = says(&server, &["payment", "list", "--status", "AUTHORIZED"]);
    assert!(listed.contains(id) && listed.lines().count() == 1, "{listed}");
    assert_eq!(says(&server, &["payment", "list", "--status", "CONFIRMED"]).trim(), "No payments.");
    let held = says(&server, &["payment", "show", id]);
    assert!(held.contains("held until 20") && !held.contains("taken"), "{held}");
    let taken = says(&server, &["payment", "capture", id]);
    assert!(taken.contains("CONFIRMED") && taken.contains("can still go back"), "{taken}");
    for (arguments, says) in
        [(["payment", "capture", id], "CONFIRMED"), (["payment", "show", "ord_0000000000000"], "ord_0000000000000")]
    {
        let output = server.command(&arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(says), "{arguments:?}: {output:?}");
    }

    let refund = says(
        &server,
        &["--json", "payment", "refund", id, "--amount", "37", "--idempotency-key", "r1", "--reason", "quality"],
    );
    let refund: Value = serde_json::from_str(&refund).unwrap();
    let refund = refund["refundId"].as_str().unwrap();
    let path = format!("/v1/payments/{id}/refunds");
    until(&server, &path, |list| list["items"][0]["creditNote"] == 1).await;
    says(&server, &["payment", "reconcile"]);
    let shown: Value = serde_json::from_str(&says(&server, &["--json", "payment", "show", id])).unwrap();
    the_views_agree(&server, &shown, number, refund);
}

/// What the sqlite3 shell reads beside the running server is what the API shows.
fn the_views_agree(server: &Server, shown: &Value, number: i64, refund: &str) {
    let path = server.folder.path().join("data").join("comanda.db");
    let store = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let field = |name: &str| text(shown[name].as_str().unwrap());
    let amount = |name: &str| Sql::Integer(shown[name].as_i64().unwrap());
    let (id, number) = (field("orderId"), Sql::Integer(number));
    assert_eq!(
        row(
            &store,
            "SELECT order_id, order_number, payment_id, status, card, amount, subtotal, captured, refunded, left, fee, \
             currency, expires_at, capture_on FROM payment_overview"
        ),
        [
            id.clone(),
            number.clone(),
            field("paymentId"),
            text("PARTIALLY_REFUNDED"),
            field("card"),
            amount("amount"),
            amount("subtotal"),
            amount("captured"),
            Sql::Integer(37),
            amount("left"),
            amount("fee"),
            field("currency"),
            field("expiresAt"),
            text("dispatch"),
        ]
    );
    assert_eq!(
        row(&store, "SELECT refund_id, order_id, status, amount, reason, stray, credit_note FROM refund_overview"),
        [
            text(refund),
            id.clone(),
            text("SUCCEEDED"),
            Sql::Integer(37),
            text("quality"),
            Sql::Integer(0),
            Sql::Integer(1)
        ]
    );
    let note =
        "SELECT number, credit_note_id, refund_id, order_id, order_number, amount, reason FROM credit_note_overview";
    let note_id = text(&refund.replace("rfd_", "crn_"));
    let expected = [Sql::Integer(1), note_id, text(refund), id.clone(), number, Sql::Integer(37), text("quality")];
    assert_eq!(row(&store, note), expected);
    let line = "SELECT kind, amount, order_id, reference IS NOT NULL FROM provider_account WHERE kind = 'refund'";
    assert_eq!(row(&store, line), [text("refund"), Sql::Integer(-37), id, Sql::Integer(1)]);
    assert_eq!(row(&store, "SELECT count(*), sum(theirs) FROM reconciliation_unmatched"), [Sql::Integer(0), Sql::Null]);
    // The simulator has paid nothing out: a line as it writes one, in a copy of the store.
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join("copy.db");
    store.execute("VACUUM INTO ?1", [path.to_str().unwrap()]).unwrap();
    let copied = Connection::open(path).unwrap();
    let line = "INSERT INTO provider_movements (id, provider, kind, amount, fee, currency, source, at, recorded_at) \
                VALUES ('simulator/txn_1', 'simulator', 'payout', -500, 0, 'BRL', 'po_1', 1704067200250, 1704067200250)";
    copied.execute(line, []).unwrap();
    let payout = "SELECT payout_id, amount, paid_at FROM payouts";
    assert_eq!(row(&copied, payout), [text("po_1"), Sql::Integer(500), text("2024-01-01T00:00:00.250Z")]);
}
