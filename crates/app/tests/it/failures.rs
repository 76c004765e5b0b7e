//! What fails outside: the provider, the carrier of mails, the courier; and what is late.

use std::sync::Arc;

use app::commands::{CancelOrder, ListOrders, ResolveOrder};
use app::{App, Problem, WebhookOutcome, sign};
use domain::order::Party;
use serde_json::json;
use store::memory::MemoryStore;
use store::message::MESSAGES;

use crate::shop::{Carrier, Shop, brought, lunch, settings, sorted};

const GOOD: &str = "4242424242424242";
const HELD: &str = "validate-order reserve-stock request-payment webhook results:ok";
const HOUR: i64 = 3_600_000;

async fn inbox(app: &App) -> usize {
    app.inbox(ListOrders::default()).await.unwrap().items.len()
}

async fn check(number: &str, script: &str, expected: &str) -> (Shop, String) {
    let shop = Shop::open().await;
    let id = shop.place(lunch(number)).await;
    shop.run(&id, &script.replace("HELD", HELD)).await;
    assert_eq!(sorted(&shop.summary(&id).await), sorted(expected), "{script}");
    (shop, id)
}

#[tokio::test]
async fn a_late_payment_is_given_back_after_an_outage() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("pix")).await;
    let late = "validate-order reserve-stock request-payment reverse-payment:EXPIRED release-stock close-order:EXPIRED \
                pix webhook down late";
    shop.run(&id, late).await;
    // The amount is set apart, and the flow of the refund tries again.
    assert_eq!(sorted(&shop.summary(&id).await), sorted("EXPIRED CONFIRMED 300/0/0 received,expired,paid-late"));
    let refunds = shop.app.refunds_of(&id).await.unwrap();
    assert_eq!((refunds.pending, refunds.left), (5180, 0));
    shop.run(&id, "well").await;
    assert_eq!(shop.audit().await.differences, []);
    shop.run(&id, "refund").await;
    assert_eq!(
        sorted(&shop.summary(&id).await),
        sorted("EXPIRED REFUNDED 300/0/0 received,expired,paid-late,refunded")
    );
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn a_hold_that_the_provider_refuses_to_let_go_is_tried_again() {
    let shop = Shop::open().await;
    let id = shop.place(lunch("4000000000100067")).await;
    let script = "validate-order reserve-stock request-payment cancel results:OrderCancelled down \
                  reverse-payment!ProviderUnavailable:CANCELLED settle-later:CANCELLED release-stock \
                  close-order:CANCELLED well webhook";
    shop.run(&id, script).await;
    assert_eq!(sorted(&shop.summary(&id).await), sorted("CANCELLED AUTHORIZED 300/0/0 received,cancelled"));
    // One flow of the undoing, one of the webhook: a hold that came late.
    let input = json!({ "orderId": id, "attempt": 1, "intent": null });
    assert_eq!(shop.call("give-back", input).await, Err("ProviderRefused".into()));
    assert_eq!(shop.call("reopen-order", json!({ "orderId": id })).await, Err("NotReopened".into()));
    let input = json!({ "orderId": id, "outcome": "EXPIRED" });
    assert_eq!(shop.call("reverse-payment", input).await, Err("ProviderRefused".into()));
    assert_eq!(inbox(&shop.app).await, 1);
}

#[tokio::test]
async fn stock_and_order_wait_for_no_provider() {
    let close = "release-stock close-order:CANCELLED";
    let void = "reverse-payment!ProviderUnavailable:CANCELLED settle-later:CANCELLED";
    let paid = format!("{HELD} commit-stock capture-payment send-notification generate-receipt await-preparation");
    for (number, before, undo, during, after) in [
        (GOOD, HELD, void, "AUTHORIZED 300/0/0 received,cancelled", "VOIDED 300/0/0 received,cancelled,released"),
        (
            GOOD,
            paid.as_str(),
            "reverse-payment:CANCELLED",
            "CONFIRMED 300/0/0 received,payment-confirmed,cancelled",
            "REFUNDED 300/0/0 received,payment-confirmed,cancelled,refunded",
        ),
        (
            "pix",
            "validate-order reserve-stock request-payment",
            void,
            "VOIDED 300/0/0 received,cancelled",
            "VOIDED 300/0/0 received,cancelled",
        ),
    ] {
        let script = format!("{before} cancel down {undo} {close}");
        let (shop, id) = check(number, &script, &format!("CANCELLED {during}")).await;
        assert_eq!(inbox(&shop.app).await, usize::from(undo == void));
        shop.results().await;
        shop.late(&id).await;
        shop.run(&id, "well").await;
        shop.late(&id).await;
        assert_eq!(sorted(&shop.summary(&id).await), sorted(&format!("CANCELLED {after}")));
        assert_eq!(shop.audit().await.differences, []);
    }
    // The customer pays the Pix after all.
    let script =
        format!("validate-order reserve-stock request-payment cancel down {void} {close} well pix webhook late");
    check("pix", &script, "CANCELLED REFUNDED 300/0/0 received,cancelled,refunded").await;
}

#[tokio::test]
async fn a_void_counts_only_when_the_payment_is_called_off() {
    for (before, status) in [(HELD, "AUTHORIZED"), ("validate-order reserve-stock request-payment", "PENDING")] {
        let script = format!("{before} cancel voids-nothing reverse-payment!ProviderUnavailable:CANCELLED");
        let (shop, id) = check(GOOD, &script, &format!("PAYMENT_PENDING {status} 298/2/0 received")).await;
        shop.run(&id, "well reverse-payment:CANCELLED release-stock close-order:CANCELLED").await;
        assert_eq!(sorted(&shop.summary(&id).await), sorted("CANCELLED VOIDED 300/0/0 received,cancelled"));
    }
}

#[tokio::test]
async fn an_answer_about_another_amount_is_not_believed() {
    let begin = "validate-order reserve-stock wrong-amount request-payment!PaymentMismatch well";
    let undo = "reverse-payment:REJECTED release-stock close-order:REJECTED";
    check(GOOD, &format!("{begin} {undo}"), "REJECTED VOIDED 300/0/0 received,rejected").await;
}

#[tokio::test]
async fn a_card_that_the_provider_cannot_use_is_a_refused_try() {
    let refused = "validate-order reserve-stock request-payment webhook results:PaymentRefused refuse-payment \
                   await-payment pay:token-pm_unknown results:ok request-payment results:PaymentRefused \
                   refuse-payment await-payment pay:4242424242424242 results:ok request-payment webhook results:ok";
    let mails = "received,payment-refused,payment-refused";
    check("4000000000000002", refused, &format!("PAYMENT_PENDING AUTHORIZED 298/2/0 {mails}")).await;
}

#[tokio::test]
async fn a_cancelled_order_is_confirmed_to_nobody() {
    let script = "HELD commit-stock capture-payment cancel send-notification!OrderCancelled \
                  generate-receipt!OrderCancelled await-preparation!OrderCancelled reverse-payment:CANCELLED \
                  release-stock close-order:CANCELLED";
    let (shop, _) = check(GOOD, script, "CANCELLED REFUNDED 300/0/0 received,refunded,cancelled").await;
    assert_eq!(shop.audit().await.differences, []);
}

#[tokio::test]
async fn an_order_whose_flow_gave_up_can_be_cancelled() {
    let undo = "undo reverse-payment:CANCELLED release-stock close-order:CANCELLED";
    let script = format!("HELD commit-stock halt cancel {undo}");
    let (shop, _) = check(GOOD, &script, "CANCELLED VOIDED 300/0/0 received,cancelled").await;
    assert_eq!(inbox(&shop.app).await, 0);
    // The undoing gave up as well.
    let script = format!("HELD cancel reverse-payment:CANCELLED halt cancel {undo}");
    check(GOOD, &script, "CANCELLED VOIDED 300/0/0 received,cancelled").await;
    // Twice is too late.
    let shop = Shop::open().await;
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, "halt cancel").await;
    let again = CancelOrder { reason: "again".into() };
    let error = shop.app.cancel(&id, again, None, Party::Staff).await.unwrap_err();
    assert_eq!(error.code(), "not-cancellable");
}

#[tokio::test]
async fn a_customer_cancels_until_the_kitchen_begins() {
    let shop = Shop::open().await;
    let id = shop.place(lunch(GOOD)).await;
    let kitchen = format!("{HELD} commit-stock capture-payment send-notification generate-receipt await-preparation");
    shop.run(&id, &kitchen).await;
    let may = async |by| {
        let order = shop.app.order_for(&id, by).await.unwrap();
        order.actions.contains(&domain::order::Action::Cancel)
    };
    assert!(may(Party::Customer).await && may(Party::Staff).await);
    for word in ["start", "ready"] {
        shop.run(&id, word).await;
        assert!(!may(Party::Customer).await && may(Party::Staff).await, "{word}");
        let command = CancelOrder { reason: "too slow".into() };
        let error = shop.app.cancel(&id, command, None, Party::Customer).await.unwrap_err();
        assert_eq!(error.code(), "not-cancellable");
    }
    shop.run(&id, "cancel").await;
}

#[tokio::test]
async fn a_person_resolves_what_needed_attention() {
    let (shop, id) =
        check(GOOD, "validate-order reserve-stock flag-order", "PAYMENT_PENDING PENDING 298/2/0 received").await;
    let revision = shop.order(&id).await.revision;
    let resolve = |note: &str, revision| shop.app.resolve(&id, ResolveOrder { note: note.into() }, revision);
    assert_eq!(resolve(" ", revision).await.unwrap_err().code(), "invalid-note");
    assert_eq!(resolve("called the bank", revision - 1).await.unwrap_err().code(), "stale-revision");
    let order = resolve("called the bank", revision).await.unwrap();
    assert_eq!(order.needs_attention, None);
    assert_eq!(order.timeline.last().unwrap().detail.as_deref(), Some("called the bank"));
    assert_eq!(inbox(&shop.app).await, 0);
    assert_eq!(resolve("again", order.revision).await.unwrap_err().code(), "nothing-to-resolve");
}

#[tokio::test]
async fn a_courier_hears_of_a_cancellation_and_is_heard_after_it() {
    let kitchen = format!(
        "{HELD} commit-stock capture-payment send-notification generate-receipt await-preparation start ready \
         results:ok dispatch-delivery await-delivery cancel results:OrderCancelled"
    );
    let undo = "reverse-payment:CANCELLED release-stock close-order:CANCELLED";
    let shop = Shop::open().await;
    let id = shop.place(brought(GOOD)).await;
    shop.run(&id, &kitchen).await;
    // The message that calls off comes before the report, which is then not posted.
    shop.run(&id, "courier").await;
    assert_eq!(shop.messages("simulator-courier").await, []);
    assert_eq!(inbox(&shop.app).await, 0);
    for (word, report, inboxes) in [("", "cur_1", 1), (undo, "cur_2", 1)] {
        shop.run(&id, word).await;
        let delivery = shop.order(&id).await.delivery.delivery_id.unwrap();
        let body = json!({ "id": report, "deliveryId": delivery, "event": "picked_up" }).to_string();
        let signature = sign(shop.secrets.courier_secret(), body.as_bytes(), store::clock::now_ms());
        let outcome = shop.app.delivery_callback(&signature, body.as_bytes()).await.unwrap();
        assert_eq!(outcome, WebhookOutcome::Ignored);
        assert_eq!(inbox(&shop.app).await, inboxes, "{report}");
        let order = shop.order(&id).await;
        assert!(order.needs_attention.unwrap().contains("`picked_up`"));
        let note = ResolveOrder { note: "called the courier back".into() };
        shop.app.resolve(&id, note, order.revision).await.unwrap();
    }
}

#[tokio::test]
async fn mails_survive_an_outage_of_their_carrier() {
    let carrier = Arc::new(Carrier::default());
    let shop = Shop::build(Arc::new(MemoryStore::new()), settings(), Some(carrier.clone())).await;
    let status = async |id: &str| {
        let list = app::commands::ListMails { order: Some(id.into()), ..app::commands::ListMails::default() };
        let mails = shop.app.mails(list).await.unwrap().items;
        mails.into_iter().map(|mail| mail.status).collect::<Vec<_>>().join(",")
    };
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, "validate-order reserve-stock").await;
    *carrier.broken.lock() = true;
    let begin = store::clock::now_ms();
    for hours in 0..40 {
        assert!(shop.consume_at("mail", begin + hours * HOUR).await.is_empty());
    }
    assert_eq!(status(&id).await, "queued");
    *carrier.broken.lock() = false;
    shop.consume_at("mail", begin + 41 * HOUR).await;
    assert_eq!((status(&id).await.as_str(), carrier.taken.lock().len()), ("sent", 1));
    assert_eq!(shop.messages("mail").await, []);
    // For days: parked, and sent all the same once a person puts it back.
    *carrier.broken.lock() = true;
    let id = shop.place(lunch(GOOD)).await;
    shop.run(&id, "validate-order reserve-stock").await;
    for hours in [0, 47, 49] {
        assert!(shop.consume_at("mail", begin + hours * HOUR).await.is_empty());
    }
    assert_eq!(status(&id).await, "failed");
    assert_eq!(shop.consume_at("mail", begin + 49 * HOUR).await, ["MailNotTaken"]);
    *carrier.broken.lock() = false;
    shop.consume_at("mail", begin + 50 * HOUR).await;
    assert_eq!(status(&id).await, "sent");
}

#[tokio::test]
async fn a_beat_that_was_parked_is_started_anew() {
    let store = Arc::new(MemoryStore::new());
    let shop = Shop::over(store.clone(), settings()).await;
    for (id, _) in shop.messages("tickers").await {
        let mut batch = store::Batch::new();
        batch.update(&MESSAGES, id, vec![("queue", "tickers.dead".into())], None);
        shop.store.commit(batch).await.unwrap();
    }
    let shop = Shop::over(store, settings()).await;
    assert_eq!(shop.messages("tickers").await.len(), 7);
    assert_eq!(shop.drain("tickers", 1).await, 7);
    assert_eq!(shop.messages("tickers").await.len(), 7);
}

#[tokio::test]
async fn a_beat_that_a_crash_cut_off_begins_anew() {
    let shop = Shop::open().await;
    let before = shop.messages("tickers").await;
    for (id, _) in &before {
        // Received for the last time, and the process died.
        let mut batch = store::Batch::new();
        batch.update(&MESSAGES, *id, vec![("receives", 3.into())], None);
        shop.store.commit(batch).await.unwrap();
    }
    let shop = Shop::over_again(&shop).await;
    let after = shop.messages("tickers").await;
    assert_eq!(after.len(), before.len());
    assert!(after.iter().all(|(id, _)| before.iter().all(|(known, _)| known != id)));
    assert_eq!(shop.drain("tickers", 1).await, before.len());
}

#[tokio::test]
async fn one_payment_does_not_hold_up_the_poller() {
    let mut settings = settings();
    settings.poll_after_ms = -1_000;
    let shop = Shop::with(settings).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = shop.place(lunch("4000000000100034")).await;
        shop.run(&id, "validate-order reserve-stock request-payment").await;
        ids.push(id);
    }
    // The books of the first are lost.
    let intents = app::tables().into_iter().find(|table| table.name == "simulator_intents").unwrap();
    let first = shop.store.query(store::Query::table(intents).limit(1)).await.unwrap().rows.remove(0);
    let mut batch = store::Batch::new();
    batch.delete(intents, first.key().clone());
    shop.store.commit(batch).await.unwrap();
    shop.run(&ids[0], "down").await;
    shop.drain("tickers", 1).await;
    assert_eq!(shop.order(&ids[2]).await.payment.status.as_str(), "PENDING");
    shop.run(&ids[0], "well").await;
    shop.drain("tickers", 1).await;
    for (id, status) in ids.iter().zip(["PENDING", "AUTHORIZED", "AUTHORIZED"]) {
        assert_eq!(shop.order(id).await.payment.status.as_str(), status);
    }
}

#[tokio::test]
async fn a_pix_that_was_paid_late_is_found_without_its_webhook() {
    let mut settings = settings();
    settings.poll_after_ms = -1_000;
    let shop = Shop::with(settings).await;
    let id = shop.place(lunch("pix")).await;
    let expired = "validate-order reserve-stock request-payment reverse-payment:EXPIRED release-stock \
                   close-order:EXPIRED";
    shop.run(&id, expired).await;
    assert_eq!(shop.order(&id).await.payment.qr, None, "nothing is left to pay");
    shop.drain("tickers", 1).await;
    shop.run(&id, "pix").await;
    for (message, _) in shop.messages("simulator-webhooks").await {
        shop.delete(message).await;
    }
    shop.drain("tickers", 1).await;
    shop.run(&id, "late").await;
    assert_eq!(
        sorted(&shop.summary(&id).await),
        sorted("EXPIRED REFUNDED 300/0/0 received,expired,paid-late,refunded")
    );
}

#[tokio::test]
async fn a_request_that_arrives_after_its_order_ended_is_called_off() {
    let mut settings = settings();
    settings.poll_after_ms = -1_000;
    let shop = Shop::with(settings).await;
    let id = shop.place(lunch("pix")).await;
    shop.run(&id, "validate-order reserve-stock").await;
    let functions = shop.app.functions();
    let request = functions.iter().find(|f| f.name() == "request-payment").unwrap();
    let call = || app::Call {
        input: json!({ "orderId": id, "taskToken": "lost" }),
        key: "lost".into(),
        attempt: 1,
        now_ms: store::clock::now_ms(),
    };
    shop.run(&id, "down reverse-payment!ProviderUnavailable:EXPIRED well").await;
    let late = request.call(call()).await.unwrap();
    shop.run(&id, "down settle-later:EXPIRED release-stock close-order:EXPIRED well").await;
    assert!(shop.store.commit(late.changes).await.is_err(), "the order ended");
    shop.run(&id, "late").await;
    let intents = app::tables().into_iter().find(|table| table.name == "simulator_intents").unwrap();
    let page = shop.store.query(store::Query::table(intents)).await.unwrap();
    assert_eq!(page.rows[0].text("status"), Some("cancelled"));
    shop.drain("tickers", 1).await;
    assert_eq!(sorted(&shop.summary(&id).await), sorted("EXPIRED EXPIRED 300/0/0 received,expired"));
}

#[tokio::test]
async fn a_hold_that_is_about_to_end_goes_before_a_person() {
    let (shop, id) = check(GOOD, "HELD", "PAYMENT_PENDING AUTHORIZED 298/2/0 received").await;
    assert_eq!(shop.consume_at("tickers", store::clock::now_ms() + 144 * HOUR - 60_000).await, [""; 0]);
    assert_eq!(shop.order(&id).await.needs_attention, None);
    shop.consume_at("tickers", store::clock::now_ms() + 144 * HOUR + 60_000).await;
    assert!(shop.order(&id).await.needs_attention.unwrap().contains("hold"));
}
