//! The audit: each way in which the records can disagree is found, and named.

use serde_json::json;
use store::{Batch, Row, Value};

use crate::shop::{Shop, lunch};

const GOOD: &str = "4242424242424242";
const PAID: &str = "validate-order reserve-stock request-payment webhook results:ok commit-stock capture-payment \
                    send-notification generate-receipt await-preparation";
const CLOSED: &str = "validate-order reserve-stock request-payment webhook results:ok cancel reverse-payment:CANCELLED \
                      release-stock close-order:CANCELLED";
const EXPIRED: &str = "validate-order reserve-stock request-payment reverse-payment:EXPIRED release-stock \
                       close-order:EXPIRED";

/// Sets columns of the only row of a table.
async fn set(shop: &Shop, table: &str, set: Vec<(&'static str, Value)>) {
    let table = app::tables().into_iter().find(|t| t.name == table).unwrap();
    let row = shop.store.query(store::Query::table(table).limit(1)).await.unwrap().rows.remove(0);
    let mut batch = Batch::new();
    batch.update(table, row.key().clone(), set, None);
    shop.store.commit(batch).await.unwrap();
}

/// Puts another try of the order into the provider's books.
async fn another_try(shop: &Shop, status: &str, captured: i64, refunded: i64) {
    let table = app::tables().into_iter().find(|t| t.name == "simulator_intents").unwrap();
    let row = shop.store.query(store::Query::table(table).limit(1)).await.unwrap().rows.remove(0);
    let set = [("status", status.into()), ("captured", captured.into()), ("refunded", refunded.into())];
    let mut batch = Batch::new();
    batch.insert(Row::new(table, store::id::next(), row.with(&set).values().to_vec()));
    shop.store.commit(batch).await.unwrap();
}

/// Spoils the records of an order after a script; the audit names exactly these codes.
async fn check(script: &str, spoil: impl AsyncFn(&Shop), codes: &str) {
    let shop = Shop::open().await;
    let number = if script == EXPIRED { "pix" } else { GOOD };
    let id = shop.place(lunch(number)).await;
    shop.run(&id, script).await;
    let report = shop.audit().await;
    assert!(report.differences.is_empty() && report.books_compared, "{report:?}");
    spoil(&shop).await;
    for flagged in [false, true] {
        let report = shop.audit().await;
        let found: Vec<&str> = report.differences.iter().map(|difference| difference.code.as_str()).collect();
        assert_eq!(found.join(" "), codes, "flagged: {flagged}, {:?}", report.differences);
        // A person who looks is no reason to look away.
        shop.call("flag-order", json!({ "orderId": id })).await.unwrap();
    }
}

#[tokio::test]
async fn money_is_compared_over_all_tries() {
    check(PAID, async |shop| another_try(shop, "taken", 5180, 0).await, "money-of-another-try").await;
    check(PAID, async |shop| another_try(shop, "taken", 5180, 5180).await, "").await;
    check(PAID, async |shop| another_try(shop, "refused", 0, 0).await, "").await;
    check(CLOSED, async |shop| another_try(shop, "taken", 5180, 180).await, "money-of-another-try").await;
    check(CLOSED, async |shop| another_try(shop, "held", 0, 0).await, "money-of-another-try").await;
    check(EXPIRED, async |shop| another_try(shop, "taken", 5180, 0).await, "money-of-another-try").await;
    let captured = |n: i64| vec![("captured", n.into())];
    let twice = async |shop: &Shop| set(shop, "simulator_intents", captured(10_360)).await;
    check(PAID, twice, "money-against-provider").await;
    let held = async |shop: &Shop| set(shop, "simulator_intents", vec![("status", "held".into())]).await;
    check(CLOSED, held, "hold-kept").await;
    let unknown = async |shop: &Shop| {
        let table = app::tables().into_iter().find(|t| t.name == "simulator_intents").unwrap();
        let row = shop.store.query(store::Query::table(table).limit(1)).await.unwrap().rows.remove(0);
        let mut batch = Batch::new();
        batch.delete(table, row.key().clone());
        shop.store.commit(batch).await.unwrap();
    };
    check(PAID, unknown, "money-unknown-to-the-provider").await;
    let stranger = async |shop: &Shop| {
        let taken = vec![("order_id", "ord_0000000000000".into()), ("captured", 5180.into())];
        set(shop, "simulator_intents", taken).await;
    };
    check(CLOSED, stranger, "money-unknown-to-us").await;
}

#[tokio::test]
async fn what_ended_is_settled() {
    let payment = async |shop: &Shop, status: &str| set(shop, "payments", vec![("status", status.into())]).await;
    check(CLOSED, async |shop| payment(shop, "AUTHORIZED").await, "money-kept").await;
    check(CLOSED, async |shop| payment(shop, "PENDING").await, "money-kept").await;
    check(EXPIRED, async |shop| payment(shop, "REJECTED").await, "money-kept").await;
    check(PAID, async |shop| payment(shop, "REFUNDED").await, "payment-status").await;
    let order = async |shop: &Shop, status: &str| {
        set(shop, "orders", vec![("status", status.into()), ("open", Value::Null)]).await;
    };
    check(PAID, async |shop| order(shop, "REJECTED").await, "money-kept stock-against-order").await;
    check(PAID, async |shop| order(shop, "CANCELLED").await, "money-kept stock-against-order").await;
    check(
        CLOSED,
        async |shop| order(shop, "COMPLETED").await,
        "served-without-payment paid-without-receipt confirmation-not-sent stock-against-order",
    )
    .await;
}

#[tokio::test]
async fn stock_is_not_held_for_ever() {
    let long_ago = async |shop: &Shop| {
        let at = store::clock::now_ms() - 2 * 3_600_000;
        set(shop, "reservations", vec![("expires_at", at.into())]).await;
    };
    check("validate-order reserve-stock", long_ago, "stock-held-too-long").await;
    check(PAID, long_ago, "").await;
}
