//! Refunds: what is set apart, what goes back, and what it leaves behind.

use std::sync::Arc;

use app::commands::{ListPage, ListRefunds, RequestRefund};
use app::{LatePaymentPolicy, Problem, RefundError};
use domain::refund::RefundStatus;
use serde_json::{Value as Json, json};
use store::Batch;

use crate::shop::{Shop, brought, lunch, settings, sorted};

const GOOD: &str = "4242424242424242";
const PAID: &str = "validate-order reserve-stock request-payment webhook results:ok commit-stock capture-payment \
                    send-notification generate-receipt await-preparation";

async fn paid(shop: &Shop, order: Json) -> String {
    let id = shop.place(order).await;
    shop.run(&id, PAID).await;
    id
}

fn command(body: Json) -> RequestRefund {
    serde_json::from_value(body).unwrap()
}

async fn ask(shop: &Shop, id: &str, body: Json) -> Result<String, RefundError> {
    shop.app.request_refund(id, command(body), None, None).await.map(|asked| asked.refund.refund_id)
}

#[tokio::test]
async fn refunds_in_part_leave_rows_entries_and_credit_notes() {
    let shop = Shop::open().await;
    let mut order = lunch(GOOD);
    order["tip"] = 500.into();
    let id = paid(&shop, order).await;
    let first = ask(&shop, &id, json!({ "amount": 1000, "reason": "quality", "note": "cold" })).await.unwrap();
    let waiting = shop.app.refunds_of(&id).await.unwrap();
    assert_eq!((waiting.pending, waiting.refunded, waiting.left), (1000, 0, 4680));
    assert_eq!(shop.refunds().await, 1);
    assert!(shop.summary(&id).await.starts_with("RECEIVED PARTIALLY_REFUNDED"));
    let second = ask(&shop, &id, json!({ "reason": "requested-by-customer" })).await.unwrap();
    assert_eq!(shop.refunds().await, 1);
    let list = shop.app.refunds_of(&id).await.unwrap();
    assert_eq!((list.pending, list.refunded, list.left), (0, 5680, 0));
    let notes: Vec<_> = list.items.iter().map(|r| (r.refund_id.clone(), r.amount, r.credit_note)).collect();
    assert_eq!(notes, [(first.clone(), 1000, Some(1)), (second.clone(), 4680, Some(2))]);
    // What the sale paid goes back first, the tip last.
    let books = shop.books().await;
    assert_eq!((books["income:refunds"], books["liabilities:tips"]), (5180, 0));
    assert_eq!(books["assets:provider:simulator"] + books["expenses:provider-fees"], 0);
    assert!(shop.summary(&id).await.ends_with("payment-confirmed,refunded,refunded"));
    let mail = shop.app.mail(&format!("mail_{}-25", &id[4..])).await.unwrap();
    assert!(mail.text.contains("10,00") && !mail.text.contains("56,80"), "{}", mail.text);
    // The documents.
    let link = shop.app.credit_note(&first).await.unwrap();
    assert_eq!((link.number, link.receipt), (1, Some(1)));
    let query = link.url.split_once('?').unwrap().1;
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap().to_owned();
    let document = format!("crn_{}", &first[4..]);
    let expires = value("expires=").parse().unwrap();
    let file = shop.app.credit_note_file(&document, expires, &value("signature=")).await.unwrap();
    assert!(file.bytes.starts_with(b"%PDF-") && file.sha256 == link.sha256);
    let forged = shop.app.credit_note_file(&document, expires + 1, &value("signature=")).await;
    assert_eq!(forged.unwrap_err().code(), "invalid-link");
    let again = Shop::over_again(&shop).await;
    let made_again = again.app.credit_note_file(&document, expires, &value("signature=")).await.unwrap();
    assert_eq!(made_again.bytes, file.bytes, "made again, byte for byte");
    let page = shop.app.credit_notes(ListPage::default()).await.unwrap();
    assert_eq!(page.items.iter().map(|note| note.number).collect::<Vec<_>>(), [2, 1]);
    let all = shop.app.refunds(ListRefunds { status: Some(RefundStatus::Succeeded), ..ListRefunds::default() }).await;
    assert_eq!(all.unwrap().items.len(), 2);
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn what_cannot_be_refunded_is_refused_with_a_reason() {
    let shop = Shop::open().await;
    let id = paid(&shop, lunch(GOOD)).await;
    let unpaid = shop.place(lunch(GOOD)).await;
    for (order, body, code) in [
        (id.as_str(), json!({ "amount": 5181, "reason": "quality" }), "refund-above-cap"),
        (&id, json!({ "amount": 0, "reason": "quality" }), "invalid-amount"),
        (&id, json!({ "amount": -1, "reason": "quality" }), "invalid-amount"),
        (&id, json!({ "reason": "other", "note": "\u{7}" }), "invalid-note"),
        (&id, json!({ "reason": "quality", "lines": [{ "line": 1, "quantity": 1 }] }), "invalid-refund-lines"),
        (&id, json!({ "reason": "quality", "lines": [{ "line": 0, "quantity": 3 }] }), "invalid-refund-lines"),
        (&unpaid, json!({ "reason": "quality" }), "not-refundable"),
        ("ord_0000000000000", json!({ "reason": "quality" }), "not-found"),
        ("nonsense", json!({ "reason": "quality" }), "not-found"),
    ] {
        let error = ask(&shop, order, body.clone()).await.unwrap_err();
        assert_eq!(error.code(), code, "{body}");
    }
    let stale = shop.app.request_refund(&id, command(json!({ "reason": "quality" })), None, Some(1)).await;
    assert_eq!(stale.unwrap_err().code(), "stale-revision");
    assert_eq!(shop.app.refunds_of(&id).await.unwrap().items.len(), 0);
    // Nothing is held of what was taken, and an order under way is cancelled, not voided.
    assert_eq!(shop.app.void_payment(&id, None, None).await.unwrap_err().code(), "order-in-progress");
}

#[tokio::test]
async fn the_same_key_refunds_once() {
    let shop = Shop::open().await;
    let id = paid(&shop, lunch(GOOD)).await;
    let body = command(json!({ "amount": 700, "reason": "duplicate" }));
    let first = shop.app.request_refund(&id, body.clone(), Some("k"), None).await.unwrap();
    let again = shop.app.request_refund(&id, body, Some("k"), Some(1)).await.unwrap();
    assert_eq!((first.replayed, again.replayed), (false, true));
    assert_eq!(first.refund.refund_id, again.refund.refund_id);
    let other = command(json!({ "amount": 701, "reason": "duplicate" }));
    let other = shop.app.request_refund(&id, other, Some("k"), None).await;
    assert_eq!(other.unwrap_err().code(), "idempotency-key-reused");
    assert_eq!(shop.app.refunds_of(&id).await.unwrap().pending, 700);
}

#[tokio::test]
async fn units_go_back_to_the_shelf_once() {
    let shop = Shop::open().await;
    let id = paid(&shop, lunch(GOOD)).await;
    let line = |restock: bool| json!({ "reason": "item-missing", "lines": [{ "line": 0, "quantity": 1, "restock": restock }] });
    ask(&shop, &id, line(true)).await.unwrap();
    shop.refunds().await;
    assert_eq!(
        sorted(&shop.summary(&id).await),
        sorted("RECEIVED PARTIALLY_REFUNDED 299/0/1 received,payment-confirmed,refunded")
    );
    ask(&shop, &id, line(false)).await.unwrap();
    let error = ask(&shop, &id, line(false)).await.unwrap_err();
    assert!(matches!(error, RefundError::Lines(_)), "{error:?}");
    shop.refunds().await;
    // Called off: only what the order still holds goes back.
    shop.run(&id, "cancel reverse-payment:CANCELLED release-stock close-order:CANCELLED").await;
    assert!(shop.summary(&id).await.starts_with("CANCELLED REFUNDED 300/0/0"));
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn a_refund_that_fails_frees_its_amount_and_is_tried_again() {
    let shop = Shop::open().await;
    // Pending at the provider, then back: the card's bank is gone.
    let id = paid(&shop, lunch("4000000000005126")).await;
    let refund = ask(&shop, &id, json!({ "amount": 1000, "reason": "quality" })).await.unwrap();
    shop.refunds().await;
    let pending = shop.app.refund(&refund).await.unwrap();
    assert_eq!((pending.status, pending.provider_refund.is_some()), (RefundStatus::Pending, true));
    assert_eq!(shop.app.refunds_of(&id).await.unwrap().left, 4180);
    shop.run(&id, "timer webhook").await;
    let failed = shop.app.refund(&refund).await.unwrap();
    assert_eq!((failed.status, failed.attempt), (RefundStatus::Failed, 1));
    assert_eq!(shop.app.refunds_of(&id).await.unwrap().left, 5180);
    assert!(shop.order(&id).await.needs_attention.unwrap().contains(&refund));
    let again = shop.app.retry_refund(&refund, Some(failed.revision)).await.unwrap();
    assert_eq!((again.status, again.attempt), (RefundStatus::Pending, 2));
    assert_eq!(shop.app.retry_refund(&refund, None).await.unwrap_err().code(), "not-failed");
    assert_eq!(shop.app.refunds_of(&id).await.unwrap().pending, 1000);
    // A refusal for good.
    let id = paid(&shop, lunch("4000000000100067")).await;
    let refund = ask(&shop, &id, json!({ "reason": "quality" })).await.unwrap();
    shop.refunds().await;
    let failed = shop.app.refund(&refund).await.unwrap();
    assert_eq!((failed.status, failed.failure.is_some()), (RefundStatus::Failed, true));
    assert_eq!(shop.app.refunds_of(&id).await.unwrap().left, 5180);
}

#[tokio::test]
async fn a_pending_refund_is_found_without_its_webhook() {
    let mut settings = settings();
    settings.poll_after_ms = -1_000;
    let shop = Shop::with(settings).await;
    let id = paid(&shop, lunch("4000000000007726")).await;
    let refund = ask(&shop, &id, json!({ "amount": 1000, "reason": "quality" })).await.unwrap();
    shop.refunds().await;
    shop.run(&id, "timer").await;
    for (message, _) in shop.messages("simulator-webhooks").await {
        shop.delete(message).await;
    }
    shop.drain("tickers", 1).await;
    assert_eq!(shop.app.refund(&refund).await.unwrap().status, RefundStatus::Succeeded);
    assert_eq!(shop.app.refunds_of(&id).await.unwrap().refunded, 1000);
}

#[tokio::test]
async fn money_of_an_earlier_try_goes_back_with_a_row_of_its_own() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("pix")).await;
    // The bank has a Pix that was never to be paid: its try is over when the money comes.
    shop.run(&id, "validate-order reserve-stock request-payment").await;
    let intent = shop.intent(&id).await;
    shop.set("payments", vec![("status", "REJECTED".into()), ("waiting", store::Value::Null)]).await;
    shop.run(&id, &format!("await-payment pay:{GOOD} results:ok request-payment")).await;
    shop.app.simulate_pix(&intent).await.unwrap();
    shop.run(&id, "webhook late").await;
    let refunds = shop.app.refunds_of(&id).await.unwrap();
    let stray: Vec<_> = refunds.items.iter().map(|r| (r.status, r.amount, r.credit_note)).collect();
    assert_eq!(stray, [(RefundStatus::Succeeded, 5180, Some(1))]);
    assert_eq!((refunds.refunded, refunds.pending), (0, 0), "the payment itself gives nothing back");
    assert_eq!(shop.books().await["liabilities:unapplied-payments"], 0);
    // Once more changes nothing.
    assert_eq!(shop.call("give-back", json!({ "orderId": id, "attempt": 1, "intent": intent })).await, Ok(json!({})));
    assert_eq!(shop.refunds().await, 0);
}

#[tokio::test]
async fn late_money_takes_its_order_up_again() {
    let mut settings = settings();
    settings.late_payment.policy = LatePaymentPolicy::ReserveAgain;
    let shop = Shop::with(settings).await;
    let expired =
        "validate-order reserve-stock request-payment reverse-payment:EXPIRED release-stock close-order:EXPIRED";
    for (order, before) in [(lunch("pix"), "298/2/0"), (brought("pix"), "296/2/2")] {
        let id = shop.place(order).await;
        shop.run(&id, &format!("{expired} pix webhook late")).await;
        let summary = shop.summary(&id).await;
        assert_eq!(sorted(&summary), sorted(&format!("PAYMENT_PENDING CONFIRMED {before} received,expired,reopened")));
        // The order's flow anew.
        shop.run(&id, "validate-order reserve-stock request-payment results:ok commit-stock capture-payment").await;
        shop.run(&id, "send-notification generate-receipt await-preparation").await;
        assert_eq!(shop.order(&id).await.status.as_str(), "RECEIVED");
        assert_eq!(shop.audit().await.differences, []);
    }
    // Somebody else has the goods by now.
    let id = shop.place(lunch("pix")).await;
    shop.run(&id, expired).await;
    shop.set_stock("xis-salada", 1).await;
    shop.run(&id, "pix webhook").await;
    assert_eq!(shop.call("reopen-order", json!({ "orderId": id })).await, Err("OutOfStock".into()));
    shop.run(&id, "late").await;
    assert!(shop.summary(&id).await.starts_with("EXPIRED REFUNDED"));
    shop.set_stock("xis-salada", 300).await;
    // The money came while the end was being written: it waits for the end.
    let id = shop.place(lunch("pix")).await;
    shop.run(&id, "validate-order").await;
    assert_eq!(shop.call("reopen-order", json!({ "orderId": id })).await, Err("OrderClosing".into()));
}

/// Two hundred at once: exactly what was captured goes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_refunds_at_once_give_back_what_was_captured() {
    let shop = Arc::new(Shop::open().await);
    let id = paid(&shop, lunch(GOOD)).await;
    let tasks = (0..200).map(|n| {
        let (shop, id) = (shop.clone(), id.clone());
        tokio::spawn(async move {
            let body = command(json!({ "amount": 100, "reason": "quality" }));
            let key = format!("refund-{n}");
            loop {
                match shop.app.request_refund(&id, body.clone(), Some(&key), None).await {
                    Ok(_) => return true,
                    Err(RefundError::Cap(_)) => return false,
                    // Too many at the same row: the client tries again.
                    Err(RefundError::Store(_)) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    let mut granted = 0;
    for task in tasks.collect::<Vec<_>>() {
        granted += usize::from(task.await.unwrap());
    }
    assert_eq!(granted, 51, "of 51.80, a hundred at a time");
    ask(&shop, &id, json!({ "reason": "quality" })).await.unwrap();
    assert_eq!(shop.app.refunds_of(&id).await.unwrap().left, 0);
    while shop.refunds().await > 0 {}
    let list = shop.app.refunds_of(&id).await.unwrap();
    assert_eq!((list.captured, list.refunded, list.pending, list.items.len()), (5180, 5180, 0, 52));
    let mut notes: Vec<_> = list.items.iter().map(|refund| refund.credit_note.unwrap()).collect();
    notes.sort_unstable();
    assert_eq!(notes, (1..=52).collect::<Vec<_>>());
    assert_eq!(shop.audit().await.differences, []);
}

/// What the queue of ended flows is told when the last flow of a refund was stopped.
async fn stop_flow(shop: &Shop) {
    let starts = shop.messages("start-flow").await;
    let (id, start) = starts.iter().rev().find(|(_, start)| start["flow"] == "refund").unwrap();
    let end = json!({
        "executionId": store::id::encode(*id), "flow": "refund", "name": start["name"], "status": "ABORTED",
        "error": null, "cause": "by hand",
    });
    shop.delete(*id).await;
    let mut batch = Batch::new();
    batch.send(store::message::Message::new("ended-flows", &end));
    shop.store.commit(batch).await.unwrap();
    shop.drain("ended-flows", 1).await;
}

async fn codes(shop: &Shop) -> Vec<String> {
    shop.audit().await.differences.into_iter().map(|difference| difference.code).collect()
}

/// The input of a step of a refund's flow.
fn step(id: &str, refund: &str) -> Json {
    json!({ "orderId": id, "refundId": refund, "taskToken": format!("token-{refund}") })
}

#[tokio::test]
async fn money_that_went_although_its_flow_was_stopped_is_found() {
    let mut settings = settings();
    settings.poll_after_ms = -1_000;
    for went in [true, false] {
        let shop = Shop::with(settings.clone()).await;
        let id = paid(&shop, lunch(GOOD)).await;
        let other = ask(&shop, &id, json!({ "amount": 500, "reason": "quality" })).await.unwrap();
        shop.refunds().await;
        let refund = ask(&shop, &id, json!({ "amount": 1000, "reason": "quality" })).await.unwrap();
        if went {
            // The provider did it, and the process ended before that could be written down.
            shop.call_and_crash("request-refund", step(&id, &refund)).await;
        }
        for (message, _) in shop.messages("simulator-webhooks").await {
            shop.delete(message).await;
        }
        stop_flow(&shop).await;
        let halted = shop.app.refund(&refund).await.unwrap();
        assert_eq!((halted.status, halted.halted), (RefundStatus::Pending, true));
        assert!(shop.order(&id).await.needs_attention.unwrap().contains(&refund));
        assert_eq!(codes(&shop).await, ["refund-halted"]);
        let listed = ListRefunds { halted: true, ..ListRefunds::default() };
        let listed = shop.app.refunds(listed).await.unwrap().items;
        assert_eq!(listed.iter().map(|refund| &refund.refund_id).collect::<Vec<_>>(), [&refund]);
        // Without a webhook the poller finds it; what never went is not asked for again behind a person's back.
        shop.run(&id, "tick:poll-refunds").await;
        let found = shop.app.refund(&refund).await.unwrap();
        let status = if went { RefundStatus::Succeeded } else { RefundStatus::Pending };
        assert_eq!((found.status, found.halted), (status, !went));
        assert_eq!(shop.simulator_intent(&id).await.refunded, if went { 1500 } else { 500 });
        if !went {
            shop.app.retry_refund(&refund, None).await.unwrap();
        }
        assert_eq!(shop.refunds().await, 1, "another flow finishes it");
        let done = shop.app.refund(&refund).await.unwrap();
        assert_eq!((done.status, done.credit_note, done.halted), (RefundStatus::Succeeded, Some(2), false));
        assert_eq!(shop.app.refund(&other).await.unwrap().credit_note, Some(1));
        assert!(shop.summary(&id).await.ends_with("payment-confirmed,refunded,refunded"));
        assert_eq!(shop.simulator_intent(&id).await.refunded, 1500);
        assert_eq!(shop.audit().await.differences, []);
    }
}

#[tokio::test]
async fn a_refund_that_succeeds_after_its_flow_gave_up_gets_its_credit_note() {
    let shop = Shop::open().await;
    let id = paid(&shop, lunch("4000000000007726")).await;
    let refund = ask(&shop, &id, json!({ "amount": 1000, "reason": "quality" })).await.unwrap();
    shop.refunds().await;
    let mut input = step(&id, &refund);
    input["halted"] = true.into();
    shop.call("flag-refund", input).await.unwrap();
    assert!(shop.app.refund(&refund).await.unwrap().halted);
    shop.run(&id, "timer webhook").await;
    assert_eq!(shop.app.refund(&refund).await.unwrap().status, RefundStatus::Succeeded);
    assert_eq!(shop.refunds().await, 1, "a flow of its own follows");
    let done = shop.app.refund(&refund).await.unwrap();
    assert_eq!((done.credit_note, done.halted), (Some(1), false));
    assert!(shop.summary(&id).await.ends_with("payment-confirmed,refunded"));
    shop.finish_refunds().await;
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn a_flow_that_stops_after_the_money_went_is_flagged_and_tried_again() {
    let shop = Shop::open().await;
    let id = paid(&shop, lunch(GOOD)).await;
    for (steps, done) in [(["request-refund", ""], 0), (["request-refund", "issue-credit-note"], 1)] {
        let refund = ask(&shop, &id, json!({ "amount": 1000, "reason": "quality" })).await.unwrap();
        for name in steps.into_iter().filter(|name| !name.is_empty()) {
            shop.call(name, step(&id, &refund)).await.unwrap();
        }
        stop_flow(&shop).await;
        let halted = shop.app.refund(&refund).await.unwrap();
        assert_eq!((halted.status, halted.halted), (RefundStatus::Succeeded, true), "{done}");
        assert!(codes(&shop).await.contains(&"refund-halted".to_owned()));
        let again = shop.app.retry_refund(&refund, None).await.unwrap();
        assert_eq!((again.status, again.halted, again.attempt), (RefundStatus::Succeeded, false, 1));
        assert_eq!(shop.refunds().await, 1);
        assert_eq!(shop.app.retry_refund(&refund, None).await.unwrap_err().code(), "not-failed", "it is done");
        assert_eq!(shop.audit().await.differences, []);
    }
    assert_eq!(shop.simulator_intent(&id).await.refunded, 2000);
}

#[tokio::test]
async fn a_refund_that_comes_back_has_no_note_and_restocks_once() {
    let shop = Shop::open().await;
    let id = paid(&shop, lunch("4000000000005126")).await;
    let back = json!({ "reason": "item-missing", "lines": [{ "line": 0, "quantity": 1, "restock": true }] });
    let refund = ask(&shop, &id, back).await.unwrap();
    shop.refunds().await;
    // The bank takes it, and returns it a moment later.
    let news = |status: &str, n: u8| {
        let key = format!("{id}/refund/1/1");
        let intent = shop.intent(&id);
        let status = status.to_owned();
        let provider_refund = shop.app.refund(&refund);
        async move {
            json!({
                "id": format!("evt_refund_{n}"), "type": "refund.updated", "created": 1_760_000_000,
                "data": { "object": {
                    "id": provider_refund.await.unwrap().provider_refund, "amount": 2590, "currency": "brl",
                    "status": status, "payment_intent": intent.await, "metadata": { "key": key },
                } },
            })
        }
    };
    crate::webhooks::post(&shop, &news("succeeded", 1).await).await.unwrap();
    assert!(shop.summary(&id).await.starts_with("RECEIVED PARTIALLY_REFUNDED 299/0/1"));
    crate::webhooks::post(&shop, &news("failed", 2).await).await.unwrap();
    assert_eq!(shop.app.refund(&refund).await.unwrap().status, RefundStatus::Failed);
    // Its flow comes to its note too late: there is nothing to certify, and nothing to tell.
    for name in ["issue-credit-note", "tell-refund"] {
        assert_eq!(shop.call(name, step(&id, &refund)).await, Err("RefundFailed".into()));
    }
    assert_eq!(shop.app.credit_notes(ListPage::default()).await.unwrap().items.len(), 0);
    assert!(shop.summary(&id).await.ends_with("299/0/1 received,payment-confirmed"));
    // Tried again it goes, and the goods, which are back, do not come back once more.
    for (message, _) in shop.messages("task-result").await {
        shop.delete(message).await;
    }
    shop.app.retry_refund(&refund, None).await.unwrap();
    shop.refunds().await;
    let found = shop.app.refund(&refund).await.unwrap();
    let mut event = news("succeeded", 3).await;
    event["data"]["object"]["metadata"]["key"] = format!("{id}/refund/1/2").into();
    event["data"]["object"]["id"] = found.provider_refund.into();
    crate::webhooks::post(&shop, &event).await.unwrap();
    shop.finish_refunds().await;
    let done = shop.app.refund(&refund).await.unwrap();
    assert_eq!((done.status, done.attempt, done.credit_note), (RefundStatus::Succeeded, 2, Some(1)));
    assert!(shop.summary(&id).await.ends_with("299/0/1 received,payment-confirmed,refunded"));
}

#[tokio::test]
async fn one_refund_that_the_provider_is_silent_about_holds_up_no_other() {
    let mut settings = settings();
    settings.poll_after_ms = -1_000;
    let shop = Shop::with(settings).await;
    let mut refunds = Vec::new();
    for _ in 0..3 {
        let id = paid(&shop, lunch("4000000000007726")).await;
        refunds.push(ask(&shop, &id, json!({ "amount": 1000, "reason": "quality" })).await.unwrap());
        shop.refunds().await;
        shop.run(&id, "timer").await;
        for (message, _) in shop.messages("simulator-webhooks").await {
            shop.delete(message).await;
        }
    }
    let silent = shop.app.refund(&refunds[0]).await.unwrap().provider_refund.unwrap();
    shop.provider.silent.lock().insert(silent);
    shop.run("", "tick:poll-refunds").await;
    let mut found = Vec::new();
    for refund in &refunds {
        found.push(shop.app.refund(refund).await.unwrap().status);
    }
    assert_eq!(found, [RefundStatus::Pending, RefundStatus::Succeeded, RefundStatus::Succeeded]);
}

#[tokio::test]
async fn another_amount_than_the_payments_is_not_undone_by_itself() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("pix")).await;
    shop.run(&id, "validate-order reserve-stock request-payment pix").await;
    // The customer paid in the moment in which the order is called off, and the provider says another amount.
    shop.set("simulator_intents", vec![("captured", 5000.into())]).await;
    shop.run(&id, "cancel").await;
    let input = json!({ "orderId": id, "outcome": "CANCELLED" });
    assert_eq!(shop.call("reverse-payment", input).await, Err("AmountMismatch".into()));
    assert_eq!(shop.app.refunds_of(&id).await.unwrap().items.len(), 0);
    assert_eq!(shop.books().await.len(), 0);
}

#[tokio::test]
async fn customers_hear_of_late_money_and_of_holds_that_are_let_go() {
    let shop = Shop::open().await;
    let expired =
        "validate-order reserve-stock request-payment reverse-payment:EXPIRED release-stock close-order:EXPIRED";
    let id = shop.place(lunch("pix")).await;
    shop.run(&id, &format!("{expired} pix webhook late")).await;
    assert_eq!(
        sorted(&shop.summary(&id).await),
        sorted("EXPIRED REFUNDED 300/0/0 received,expired,paid-late,refunded")
    );
    // The provider cannot be reached when an order is called off: its hold is let go by a flow with more patience.
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, "validate-order reserve-stock request-payment webhook results:ok commit-stock cancel").await;
    shop.run(&id, "down reverse-payment!ProviderUnavailable settle-later release-stock close-order:CANCELLED").await;
    let told = shop.summary(&id).await;
    assert_eq!(sorted(&told), sorted("CANCELLED AUTHORIZED 300/0/0 received,cancelled"));
    shop.run(&id, "well").await;
    // Cut off after the provider was asked: what it says then is not what it said before.
    let (_, start) = shop.messages("start-flow").await.pop().unwrap();
    let mut input = start["input"].clone();
    input["input"] = start["input"].clone();
    shop.call_and_crash("give-back", input).await;
    assert_eq!(shop.simulator_intent(&id).await.status, app::provider::IntentStatus::Cancelled);
    shop.run(&id, "late").await;
    assert_eq!(sorted(&shop.summary(&id).await), sorted("CANCELLED VOIDED 300/0/0 received,cancelled,released"));
    let mail =
        shop.app.mails(app::commands::ListMails { order: Some(id.clone()), ..Default::default() }).await.unwrap();
    let mail = mail.items.iter().find(|mail| mail.event.as_str() == "released").unwrap();
    let text = shop.app.mail(&mail.mail_id).await.unwrap().text;
    assert!(text.contains("Liberamos") && text.contains("51,80"), "{text}");
    assert_eq!(shop.audit().await.differences, []);
}
