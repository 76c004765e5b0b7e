//! When the money is taken: before the kitchen begins, before the order leaves, or before its hold ends.

use domain::payment::CaptureOn;

use crate::shop::{Shop, brought, lunch, settings};

const HOUR: i64 = 3_600_000;
const GOOD: &str = "4242424242424242";
const HELD: &str = "validate-order reserve-stock request-payment webhook results:ok commit-stock send-notification \
                    await-preparation";

async fn shop() -> Shop {
    let mut settings = settings();
    settings.capture_on = CaptureOn::Dispatch;
    Shop::with(settings).await
}

async fn stands(shop: &Shop, id: &str) -> String {
    let order = shop.order(id).await;
    format!("{} {} {}", order.status.as_str(), order.payment.status.as_str(), order.payment.captured)
}

#[tokio::test]
async fn the_money_is_taken_before_the_order_leaves() {
    let shop = shop().await;
    let id = shop.place(brought(GOOD)).await;
    let validated = shop.call("validate-order", serde_json::json!({ "orderId": id })).await.unwrap();
    assert_eq!(validated["captureOnDispatch"], true);
    shop.run(&id, HELD).await;
    assert_eq!(stands(&shop, &id).await, "RECEIVED AUTHORIZED 0");
    shop.run(&id, "start ready results:ok").await;
    assert_eq!(stands(&shop, &id).await, "READY AUTHORIZED 0");
    let audit = shop.audit().await;
    assert_eq!(audit.differences, []);
    shop.run(&id, "capture-payment generate-receipt dispatch-delivery await-delivery courier courier results:ok").await;
    shop.run(&id, "complete-order").await;
    assert_eq!(stands(&shop, &id).await, "COMPLETED CONFIRMED 5980");
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn a_pix_is_taken_at_once_all_the_same() {
    let shop = shop().await;
    let id = shop.place(lunch("pix")).await;
    let validated = shop.call("validate-order", serde_json::json!({ "orderId": id })).await.unwrap();
    assert_eq!(validated["captureOnDispatch"], false);
}

#[tokio::test]
async fn what_is_held_is_called_off_with_the_order() {
    let shop = shop().await;
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, HELD).await;
    shop.run(&id, "cancel results:OrderCancelled reverse-payment:CANCELLED release-stock close-order:CANCELLED").await;
    assert_eq!(stands(&shop, &id).await, "CANCELLED VOIDED 0");
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn an_accepted_order_does_not_lose_its_hold() {
    let shop = shop().await;
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, HELD).await;
    let now = store::clock::now_ms();
    // The hold lasts seven days.
    shop.consume_at("tickers", now + 143 * HOUR).await;
    assert_eq!(shop.order(&id).await.needs_attention, None);
    shop.consume_at("tickers", now + 145 * HOUR).await;
    assert!(shop.order(&id).await.needs_attention.unwrap().contains("hold"));
    assert_eq!(stands(&shop, &id).await, "RECEIVED AUTHORIZED 0");
    shop.consume_at("tickers", now + 163 * HOUR).await;
    assert_eq!(stands(&shop, &id).await, "RECEIVED CONFIRMED 5180");
    // The flow comes to it later and finds it done.
    shop.run(&id, "start ready results:ok capture-payment generate-receipt").await;
    assert_eq!(stands(&shop, &id).await, "READY CONFIRMED 5180");
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn a_hold_that_cannot_be_taken_goes_before_a_person() {
    let shop = shop().await;
    let id = shop.place(lunch("4000000000100059")).await;
    shop.run(&id, HELD).await;
    shop.consume_at("tickers", store::clock::now_ms() + 163 * HOUR).await;
    assert!(shop.order(&id).await.needs_attention.unwrap().contains("cannot be taken"));
    shop.run(&id, "start ready results:ok capture-payment!ProviderRefused").await;
}
