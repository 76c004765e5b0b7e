//! Webhooks and callbacks: forged, altered, repeated, in disorder, about the wrong amount.

use app::{Problem, WebhookOutcome, sign};
use serde_json::{Value as Json, json};

use crate::shop::{Shop, brought, lunch};

const GOOD: &str = "4242424242424242";

async fn requested(shop: &Shop) -> (String, Json) {
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, "validate-order reserve-stock request-payment").await;
    let mut messages = shop.messages("simulator-webhooks").await;
    let (_, event) = messages.pop().unwrap();
    (id, event)
}

pub(crate) async fn post(shop: &Shop, event: &Json) -> Result<WebhookOutcome, String> {
    let body = event.to_string();
    let signature = sign(shop.secrets.webhook_secret(), body.as_bytes(), store::clock::now_ms());
    let posted = shop.app.provider_webhook("simulator", &|_: &str| signature.clone(), body.as_bytes()).await;
    posted.map_err(|error| error.code().to_owned())
}

#[tokio::test]
async fn an_event_counts_once() {
    let shop = Shop::open().await;
    let (id, event) = requested(&shop).await;
    assert_eq!(post(&shop, &event).await, Ok(WebhookOutcome::Applied));
    assert_eq!(post(&shop, &event).await, Ok(WebhookOutcome::Duplicate));
    let mut again = event.clone();
    again["id"] = "evt_another".into();
    assert_eq!(post(&shop, &again).await, Ok(WebhookOutcome::Ignored));
    let mut older = event.clone();
    older["id"] = "evt_older".into();
    older["data"]["object"]["status"] = "processing".into();
    assert_eq!(post(&shop, &older).await, Ok(WebhookOutcome::Ignored));
    let mut refused = event.clone();
    refused["id"] = "evt_refused".into();
    refused["data"]["object"]["status"] = "requires_payment_method".into();
    assert_eq!(post(&shop, &refused).await, Ok(WebhookOutcome::Ignored));
    shop.run(&id, "results:ok").await;
}

#[tokio::test]
async fn many_copies_at_once_count_once() {
    let shop = Shop::open().await;
    let (id, event) = requested(&shop).await;
    let posts = futures::future::join_all((0..20).map(|_| post(&shop, &event))).await;
    let applied = posts.iter().filter(|outcome| **outcome == Ok(WebhookOutcome::Applied)).count();
    assert_eq!(applied, 1);
    shop.run(&id, "results:ok").await;
}

#[tokio::test]
async fn what_does_not_match_our_record_is_not_believed() {
    let shop = Shop::open().await;
    for (pointer, value) in [
        ("/data/object/amount", json!(1)),
        ("/data/object/currency", json!("usd")),
        ("/data/object/metadata/order_id", json!("ord_0000000000000")),
        ("/data/object/metadata/order_id", json!("nonsense")),
    ] {
        let (id, mut event) = requested(&shop).await;
        *event.pointer_mut(pointer).unwrap() = value;
        assert_eq!(post(&shop, &event).await, Ok(WebhookOutcome::Mismatch), "{pointer}");
        shop.run(&id, "results:").await;
        let order = shop.order(&id).await;
        assert_eq!(order.payment.status.as_str(), "PENDING");
        assert_eq!(order.needs_attention.is_some(), !pointer.ends_with("order_id"));
    }
}

#[tokio::test]
async fn an_earlier_try_that_succeeds_late_is_given_back() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4000000000000002")).await;
    let begin = "validate-order reserve-stock request-payment webhook results:PaymentRefused refuse-payment \
                 await-payment pay:4242424242424242 results:ok request-payment";
    shop.run(&id, begin).await;
    let (_, event) = shop.messages("simulator-webhooks").await.pop().unwrap();
    let mut first = event.clone();
    first["id"] = "evt_first".into();
    first["data"]["object"]["metadata"]["attempt"] = "1".into();
    assert_eq!(post(&shop, &first).await, Ok(WebhookOutcome::Applied));
    assert_eq!(shop.late(&id).await, 1);
    shop.run(&id, "results: webhook results:ok").await;
}

#[tokio::test]
async fn forged_and_malformed_ones_are_refused() {
    let shop = Shop::open().await;
    let (id, event) = requested(&shop).await;
    let body = event.to_string();
    let now = store::clock::now_ms();
    let secret = shop.secrets.webhook_secret();
    let good = sign(secret, body.as_bytes(), now);
    for (provider, signature, body, code) in [
        ("simulator", sign(b"guess", body.as_bytes(), now), body.clone(), "invalid-signature"),
        ("simulator", good.clone(), body.replace("requires_capture", "succeeded"), "invalid-signature"),
        ("simulator", sign(secret, body.as_bytes(), now - 301_000), body.clone(), "stale-signature"),
        ("simulator", String::new(), body.clone(), "malformed-signature"),
        ("nobody", good.clone(), body.clone(), "not-found"),
        ("simulator", sign(secret, b"{", now), "{".into(), "invalid-body"),
        ("simulator", sign(secret, b"[]", now), "[]".into(), "invalid-body"),
    ] {
        let error =
            shop.app.provider_webhook(provider, &|_: &str| signature.clone(), body.as_bytes()).await.unwrap_err();
        assert_eq!(error.code(), code);
    }
    assert_eq!(shop.order(&id).await.payment.status.as_str(), "PENDING");
    let other = json!({ "id": "evt_1", "type": "customer.created" });
    assert_eq!(post(&shop, &other).await, Ok(WebhookOutcome::Ignored));
}

#[tokio::test]
async fn the_couriers_reports_count_once_and_forward_only() {
    let shop = Shop::open().await;
    let id = shop.place(brought(GOOD)).await;
    let begin = "validate-order reserve-stock request-payment webhook results:ok commit-stock capture-payment \
                 generate-receipt await-preparation start ready results:ok dispatch-delivery await-delivery";
    shop.run(&id, begin).await;
    let delivery = shop.order(&id).await.delivery.delivery_id.unwrap();
    let shop = &shop;
    let report = |event: &str, report: &str| {
        let body = json!({ "id": report, "deliveryId": delivery, "event": event }).to_string();
        async move {
            let secret = shop.secrets.courier_secret();
            let signature = sign(secret, body.as_bytes(), store::clock::now_ms());
            shop.app.delivery_callback(&signature, body.as_bytes()).await.unwrap()
        }
    };
    assert_eq!(report("delivered", "cur_2").await, WebhookOutcome::Applied);
    assert_eq!(report("delivered", "cur_2").await, WebhookOutcome::Duplicate);
    assert_eq!(report("picked_up", "cur_1").await, WebhookOutcome::Ignored);
    shop.run(&id, "results:ok complete-order").await;
    let expected = "COMPLETED CONFIRMED 298/0/2 received,in-preparation,ready,out-for-delivery,delivered";
    assert_eq!(shop.summary(&id).await, expected);
    let error = shop.app.delivery_callback("t=1,v1=00", b"{}").await.unwrap_err();
    assert_eq!(error.code(), "invalid-signature");
}
