//! Flows that end without marking what they carried: stopped by hand, out of time.

use app::commands::{CancelOrder, ListOrders};
use domain::order::Party;
use serde_json::{Value as Json, json};
use store::Batch;
use store::message::Message;

use crate::shop::{Shop, lunch, sorted};

const HELD: &str = "validate-order reserve-stock request-payment webhook results:ok";
const QUEUE: &str = "ended-flows";

/// The last start of a flow, as the end that the runtime would tell of it.
async fn end_of(shop: &Shop, flow: &str) -> Json {
    let starts = shop.messages("start-flow").await;
    let (id, start) = starts.iter().rev().find(|(_, start)| start["flow"] == flow).unwrap();
    assert_eq!(start["tell"], QUEUE, "{start}");
    json!({
        "executionId": store::id::encode(*id), "executionArn": "arn:x", "flow": flow, "name": start["name"],
        "status": "ABORTED", "error": null, "cause": "by hand", "stoppedAt": 1,
    })
}

/// Tells of an end, twice: as queues do.
async fn tell(shop: &Shop, end: &Json) {
    for _ in 0..2 {
        let mut batch = Batch::new();
        batch.send(Message::new(QUEUE, end));
        shop.store.commit(batch).await.unwrap();
        assert_eq!(shop.drain(QUEUE, 1).await, 1);
    }
}

async fn cancel(shop: &Shop, id: &str) {
    let command = CancelOrder { reason: "cannot go on".into() };
    shop.app.cancel(id, command, None, Party::Staff).await.unwrap();
}

#[tokio::test]
async fn an_order_whose_flow_was_stopped_can_be_cancelled() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4242424242424242")).await;
    let end = end_of(&shop, "order").await;
    shop.run(&id, HELD).await;
    let before = shop.order(&id).await.revision;
    tell(&shop, &end).await;
    let order = shop.order(&id).await;
    assert_eq!(order.revision, before + 1, "the second message changes nothing");
    let reason = "the flow `order` ended before its work was done (ABORTED): by hand";
    assert_eq!(order.needs_attention.as_deref(), Some(reason));
    assert_eq!(shop.app.inbox(ListOrders::default()).await.unwrap().items.len(), 1);
    cancel(&shop, &id).await;
    // The end of a flow that no longer carries the order says nothing of the one that does.
    let before = shop.order(&id).await.revision;
    tell(&shop, &end).await;
    assert_eq!(shop.order(&id).await.revision, before);
    // The flow that undoes is stopped as well: the order can be cancelled once more.
    let end = end_of(&shop, "undo").await;
    tell(&shop, &end).await;
    assert!(shop.order(&id).await.needs_attention.unwrap().contains("`undo`"));
    cancel(&shop, &id).await;
    shop.run(&id, "undo reverse-payment:CANCELLED release-stock close-order:CANCELLED").await;
    assert_eq!(sorted(&shop.summary(&id).await), sorted("CANCELLED VOIDED 300/0/0 received,cancelled"));
    let before = shop.order(&id).await.revision;
    let end = end_of(&shop, "undo").await;
    tell(&shop, &end).await;
    assert_eq!(shop.order(&id).await.revision, before, "the order has ended");
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn what_its_own_flow_has_marked_stays_as_it_is() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4242424242424242")).await;
    let end = end_of(&shop, "order").await;
    shop.run(&id, &format!("{HELD} halt")).await;
    let before = shop.order(&id).await;
    tell(&shop, &end).await;
    let after = shop.order(&id).await;
    assert_eq!((after.revision, after.needs_attention), (before.revision, before.needs_attention));
}

#[tokio::test]
async fn a_refund_whose_flow_was_stopped_is_tried_again() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4242424242424242")).await;
    shop.run(&id, &format!("{HELD} commit-stock capture-payment send-notification generate-receipt await-preparation"))
        .await;
    let command = serde_json::from_value(json!({ "amount": 100, "reason": "quality" })).unwrap();
    let refund = shop.app.request_refund(&id, command, None, None).await.unwrap().refund;
    let end = end_of(&shop, "refund").await;
    let before = shop.order(&id).await.revision;
    tell(&shop, &end).await;
    let order = shop.order(&id).await;
    assert_eq!(order.revision, before + 1);
    assert!(order.needs_attention.unwrap().contains(&refund.refund_id));
    shop.app.retry_refund(&refund.refund_id, None).await.unwrap();
    let before = shop.order(&id).await.revision;
    tell(&shop, &end).await;
    assert_eq!(shop.order(&id).await.revision, before);
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn an_end_that_cannot_be_read_stays_in_its_queue() {
    let shop = Shop::open().await;
    let mut batch = Batch::new();
    batch.send(Message::new(QUEUE, &json!({ "executionId": "x", "flow": "order", "name": "y", "status": "FAILED" })));
    shop.store.commit(batch).await.unwrap();
    assert_eq!(shop.consume_at(QUEUE, 1).await, ["InvalidMessage"]);
}

#[tokio::test]
async fn a_void_that_was_stopped_goes_before_a_person_who_voids_again() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4242424242424242")).await;
    shop.run(&id, HELD).await;
    shop.run(&id, "cancel reverse-payment:CANCELLED release-stock close-order:CANCELLED").await;
    let intent = shop.intent(&id).await;
    // What was called off already is asked about once more.
    shop.app.void_payment(&id, None, None).await.unwrap();
    let end = end_of(&shop, "void").await;
    tell(&shop, &end).await;
    let order = shop.order(&id).await;
    assert_eq!(order.needs_attention.unwrap(), "the flow `void` ended before its work was done (ABORTED): by hand");
    shop.app.void_payment(&id, Some("sim_earlier"), None).await.unwrap();
    let starts = shop.messages("start-flow").await;
    let (_, start) = starts.iter().rev().find(|(_, start)| start["flow"] == "void").unwrap();
    assert_eq!(start["input"]["attempt"], 0, "{start}");
    assert_eq!(start["input"]["intent"], "sim_earlier");
    let input = |order: &str| json!({ "orderId": order, "attempt": 0, "intent": intent });
    shop.call("give-back", input(&id)).await.unwrap();
    // Nobody gives back what another order was paid with.
    let other = shop.place(lunch("4242424242424242")).await;
    assert_eq!(shop.call("give-back", input(&other)).await.unwrap_err(), "NotOfThisOrder");
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn customers_do_not_read_what_is_written_for_the_staff() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4242424242424242")).await;
    let end = end_of(&shop, "order").await;
    shop.run(&id, HELD).await;
    tell(&shop, &end).await;
    let staff = shop.order(&id).await;
    let theirs = shop.app.order_for(&id, Party::Customer).await.unwrap();
    let reason = staff.needs_attention.unwrap();
    assert!(staff.timeline.iter().any(|entry| entry.detail.as_deref() == Some(reason.as_str())));
    assert!(theirs.timeline.iter().all(|entry| entry.detail.as_deref() != Some(reason.as_str())));
    assert_eq!(theirs.needs_attention.as_deref(), Some("a person looks after this order"));
    assert_eq!(theirs.timeline.last().unwrap().status, staff.status);
}
