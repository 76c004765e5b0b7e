//! Whole orders, as scripts: each word is a function, a webhook or a person's action.

use crate::shop::{Shop, brought, lunch, settings, sorted};

const PAID: &str = "validate-order reserve-stock request-payment webhook results:ok commit-stock capture-payment \
                    send-notification generate-receipt";

async fn check_order(order: serde_json::Value, script: &str, expected: &str) -> (Shop, String) {
    let shop = Shop::open().await;
    let id = shop.place(order).await;
    shop.run(&id, script).await;
    assert_eq!(sorted(&shop.summary(&id).await), sorted(expected), "{script}");
    let report = shop.audit().await;
    assert_eq!(report.differences, [], "{script}");
    (shop, id)
}

async fn check(number: &str, script: &str, expected: &str) {
    let script = script.replace("PAID", PAID);
    check_order(lunch(number), &script, expected).await;
}

const GOOD: &str = "4242424242424242";
const DECLINED: &str = "4000000000000002";

#[tokio::test]
async fn a_good_order_reaches_the_customer() {
    check(
        GOOD,
        "PAID await-preparation start ready results:ok await-handover handover results:ok complete-order",
        "COMPLETED CONFIRMED 298/0/2 received,payment-confirmed,in-preparation,ready,delivered",
    )
    .await;
    // The customer was faster than the flow.
    check(
        GOOD,
        "PAID await-preparation start ready handover results:ok await-handover results:ok complete-order",
        "COMPLETED CONFIRMED 298/0/2 received,payment-confirmed,in-preparation,ready,delivered",
    )
    .await;
}

#[tokio::test]
async fn a_courier_brings_the_order() {
    let kitchen = format!("{PAID} await-preparation start ready results:ok dispatch-delivery");
    let mails = "received,payment-confirmed,in-preparation,ready,out-for-delivery,delivered";
    for script in [
        "await-delivery courier courier results:ok complete-order",
        // The courier was faster than the flow.
        "courier courier await-delivery results:ok complete-order",
    ] {
        let script = format!("{kitchen} {script}");
        let expected = format!("COMPLETED CONFIRMED 298/0/2 {mails}");
        check_order(brought(GOOD), &script, &expected).await;
    }
}

#[tokio::test]
async fn every_kind_of_webhook_ends_well() {
    for number in ["4000000000100018", "4000000000100026", "4000000000100042", "5555555555554444"] {
        check(number, "PAID await-preparation", "RECEIVED CONFIRMED 298/0/2 received,payment-confirmed").await;
    }
    // A step that runs again finds what it did before.
    check(
        GOOD,
        "validate-order validate-order reserve-stock reserve-stock request-payment request-payment webhook results:ok \
         request-payment results:ok commit-stock commit-stock capture-payment capture-payment send-notification \
         send-notification generate-receipt generate-receipt",
        "PAYMENT_PENDING CONFIRMED 298/0/2 received,payment-confirmed",
    )
    .await;
}

#[tokio::test]
async fn a_refused_payment_can_be_tried_again() {
    check(
        DECLINED,
        "validate-order reserve-stock request-payment webhook results:PaymentRefused refuse-payment await-payment \
         pay:4242424242424242 results:ok request-payment webhook results:ok commit-stock capture-payment",
        "PAYMENT_PENDING CONFIRMED 298/0/2 received,payment-refused",
    )
    .await;
    // The customer was faster than the flow.
    check(
        DECLINED,
        "validate-order reserve-stock request-payment webhook results:PaymentRefused pay:4000000000009995 \
         refuse-payment await-payment results:ok request-payment webhook results:PaymentRefused refuse-payment",
        "PAYMENT_PENDING REJECTED 298/2/0 received,payment-refused,payment-refused",
    )
    .await;
    check(
        DECLINED,
        "validate-order reserve-stock request-payment webhook results:PaymentRefused request-payment!PaymentRefused \
         refuse-payment await-payment reverse-payment:EXPIRED release-stock close-order:EXPIRED",
        "EXPIRED EXPIRED 300/0/0 received,payment-refused,expired",
    )
    .await;
}

#[tokio::test]
async fn the_bank_asks_the_customer() {
    for number in ["4000002500003155", "4000000000003220"] {
        let begin = "validate-order reserve-stock request-payment";
        check(number, &format!("{begin} bank:yes webhook results:ok"), "PAYMENT_PENDING AUTHORIZED 298/2/0 received")
            .await;
        check(
            number,
            &format!("{begin} bank:no webhook results:PaymentRefused"),
            "PAYMENT_PENDING REJECTED 298/2/0 received,payment-refused",
        )
        .await;
    }
}

#[tokio::test]
async fn pix_is_paid_in_time_or_given_back() {
    check(
        "pix",
        "validate-order reserve-stock request-payment pix webhook results:ok commit-stock capture-payment \
         send-notification generate-receipt await-preparation",
        "RECEIVED CONFIRMED 298/0/2 received,payment-confirmed",
    )
    .await;
    // Paid after the order expired.
    check(
        "pix",
        "validate-order reserve-stock request-payment reverse-payment:EXPIRED release-stock close-order:EXPIRED pix \
         webhook late",
        "EXPIRED REFUNDED 300/0/0 received,expired,paid-late,refunded",
    )
    .await;
    // Paid in the moment of expiry: the provider knew before we did.
    check(
        "pix",
        "validate-order reserve-stock request-payment pix reverse-payment:EXPIRED release-stock close-order:EXPIRED \
         webhook late",
        "EXPIRED REFUNDED 300/0/0 received,expired,paid-late,refunded",
    )
    .await;
}

#[tokio::test]
async fn cancelling_undoes_in_reverse_at_every_point() {
    let undo = "reverse-payment:CANCELLED release-stock close-order:CANCELLED";
    for (before, after) in [
        ("cancel validate-order!OrderCancelled", "VOIDED 300/0/0 cancelled"),
        ("validate-order cancel reserve-stock!OrderCancelled", "VOIDED 300/0/0 cancelled"),
        ("validate-order reserve-stock cancel request-payment!OrderCancelled", "VOIDED 300/0/0 received,cancelled"),
        (
            "validate-order reserve-stock request-payment cancel results:OrderCancelled",
            "VOIDED 300/0/0 received,cancelled",
        ),
        (
            "validate-order reserve-stock request-payment webhook results:ok cancel commit-stock!OrderCancelled",
            "VOIDED 300/0/0 received,cancelled",
        ),
        (
            "validate-order reserve-stock request-payment webhook results:ok commit-stock cancel \
             capture-payment!OrderCancelled",
            "VOIDED 300/0/0 received,cancelled",
        ),
        (
            "PAID cancel await-preparation!OrderCancelled",
            "REFUNDED 300/0/0 received,payment-confirmed,refunded,cancelled",
        ),
        (
            "PAID await-preparation cancel results:OrderCancelled",
            "REFUNDED 300/0/0 received,payment-confirmed,refunded,cancelled",
        ),
        // Once the kitchen has begun the money goes back, the food does not.
        (
            "PAID await-preparation start cancel results:OrderCancelled",
            "REFUNDED 298/0/2 received,payment-confirmed,in-preparation,refunded,cancelled",
        ),
        (
            "PAID await-preparation start ready results:ok await-handover cancel results:OrderCancelled",
            "REFUNDED 298/0/2 received,payment-confirmed,in-preparation,ready,refunded,cancelled",
        ),
    ] {
        let expected = format!("CANCELLED {after}");
        check(GOOD, &format!("{before} {undo}"), &expected).await;
        // Undoing twice is undoing once.
        check(GOOD, &format!("{before} {undo} {undo}"), &expected).await;
    }
    // The courier comes too late.
    let (shop, id) = check_order(
        brought(GOOD),
        &format!(
            "{PAID} await-preparation start ready results:ok dispatch-delivery await-delivery cancel \
             results:OrderCancelled {undo} courier results:"
        ),
        "CANCELLED REFUNDED 298/0/2 received,payment-confirmed,in-preparation,ready,refunded,cancelled",
    )
    .await;
    assert_eq!(shop.order(&id).await.delivery.status.as_str(), "CANCELLED");
    // The refusal came, the customer gave up.
    check(
        DECLINED,
        &format!(
            "validate-order reserve-stock request-payment webhook results:PaymentRefused refuse-payment await-payment \
             cancel results:OrderCancelled {undo}"
        ),
        "CANCELLED VOIDED 300/0/0 received,payment-refused,cancelled",
    )
    .await;
    // The news of the hold came after it was let go with the order: nobody takes the order up again for it.
    check(
        GOOD,
        &format!("validate-order reserve-stock request-payment cancel results:OrderCancelled {undo} webhook"),
        "CANCELLED VOIDED 300/0/0 received,cancelled",
    )
    .await;
}

#[tokio::test]
async fn a_hold_whose_answer_was_lost_is_found_and_undone() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4000000000100034")).await;
    shop.run(&id, "validate-order reserve-stock").await;
    let functions = shop.app.functions();
    let request = functions.iter().find(|f| f.name() == "request-payment").unwrap();
    let call = app::Call {
        input: serde_json::json!({ "orderId": id, "taskToken": "lost" }),
        key: "lost".into(),
        attempt: 1,
        now_ms: store::clock::now_ms(),
    };
    // The provider holds the amount, but the changes are never committed.
    drop(request.call(call).await.unwrap());
    shop.run(&id, "cancel reverse-payment:CANCELLED release-stock close-order:CANCELLED").await;
    let intents = app::tables().into_iter().find(|table| table.name == "simulator_intents").unwrap();
    let page = shop.store.query(store::Query::table(intents)).await.unwrap();
    assert_eq!(page.rows[0].text("status"), Some("cancelled"));
}

#[tokio::test]
async fn what_cannot_be_undone_goes_before_a_person() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4000000000100067")).await;
    let paid = "validate-order reserve-stock request-payment webhook results:ok cancel";
    shop.run(&id, paid).await;
    shop.run(&id, "reverse-payment!ProviderRefused:CANCELLED flag-order:CANCELLED").await;
    let order = shop.order(&id).await;
    assert_eq!(order.needs_attention.as_deref(), Some("the flow could not go on: Test: a test"));
    let inbox = shop.app.inbox(app::commands::ListOrders::default()).await.unwrap();
    assert_eq!(inbox.items.len(), 1);
    // A capture that the bank refuses is undone.
    check(
        "4000000000100059",
        "validate-order reserve-stock request-payment webhook results:ok commit-stock \
         capture-payment!ProviderRefused reverse-payment:REJECTED release-stock close-order:REJECTED",
        "REJECTED VOIDED 300/0/0 received,rejected",
    )
    .await;
}

#[tokio::test]
async fn the_poller_finds_what_no_webhook_brought() {
    let mut settings = settings();
    settings.poll_after_ms = -1_000;
    let shop = Shop::with(settings).await;
    let id = shop.place(lunch("4000000000100034")).await;
    shop.run(&id, "validate-order reserve-stock request-payment results:").await;
    assert!(shop.messages("simulator-webhooks").await.is_empty());
    assert_eq!(shop.drain("tickers", 1).await, 7);
    shop.run(&id, "results:ok commit-stock capture-payment").await;
    assert_eq!(shop.summary(&id).await, "PAYMENT_PENDING CONFIRMED 298/0/2 received");
    assert_eq!(shop.messages("tickers").await.len(), 7, "the tickers go on");
}

#[tokio::test]
async fn an_order_that_is_not_paid_in_time_expires() {
    let mut settings = settings();
    settings.payment_window_ms = -1;
    let shop = Shop::with(settings).await;
    let id = shop.place(lunch(GOOD)).await;
    let script = "validate-order reserve-stock request-payment!PaymentExpired reverse-payment:EXPIRED release-stock \
                  close-order:EXPIRED";
    shop.run(&id, script).await;
    assert_eq!(shop.summary(&id).await, "EXPIRED EXPIRED 300/0/0 received,expired");
    assert_eq!(shop.app.stats().expired, 1);
}

#[tokio::test]
async fn one_unit_is_sold_once() {
    let shop = Shop::open().await;
    let left = app::commands::AdjustStock { delta: -297, reason: "inventory".into() };
    shop.app.adjust_stock("xis-salada", left, None).await.unwrap();
    let mut orders = Vec::new();
    for _ in 0..10 {
        orders.push(shop.place(lunch(GOOD)).await);
    }
    let reserved = orders.iter().map(|id| shop.call("reserve-stock", serde_json::json!({ "orderId": id })));
    let reserved = futures::future::join_all(reserved).await;
    assert_eq!(reserved.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(reserved.iter().filter(|outcome| outcome.as_ref().is_err_and(|e| e == "OutOfStock")).count(), 9);
    for (id, outcome) in orders.iter().zip(&reserved) {
        if outcome.is_err() {
            shop.run(id, "reverse-payment:REJECTED release-stock close-order:REJECTED").await;
        }
    }
    assert_eq!(shop.audit().await.differences, []);
    assert_eq!(shop.app.stats().rejected, 9);
}

#[tokio::test]
async fn the_kitchen_sees_its_orders_and_each_revision_counts() {
    let shop = Shop::open().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = shop.place(lunch(GOOD)).await;
        shop.run(&id, &format!("{PAID} await-preparation")).await;
        ids.push(id);
    }
    shop.run(&ids[1], "start").await;
    shop.run(&ids[2], "start ready").await;
    let list = shop.app.kitchen().await.unwrap().items;
    let seen: Vec<&str> = list.iter().map(|order| order.order_id.as_str()).collect();
    assert_eq!(seen, [&ids[2], &ids[1], &ids[0]]);
    let revision = shop.order(&ids[0]).await.revision;
    let (first, second) =
        futures::future::join(shop.app.kitchen_start(&ids[0], revision), shop.app.kitchen_start(&ids[0], revision))
            .await;
    assert!(first.is_ok() != second.is_ok());
    let late = shop.app.kitchen_start(&ids[0], shop.order(&ids[0]).await.revision).await.unwrap_err();
    assert_eq!(app::Problem::code(&late), "illegal-transition");
}
