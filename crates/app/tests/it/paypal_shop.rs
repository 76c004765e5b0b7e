//! A shop whose money goes through PayPal: buyers who approve, late, twice, or never; webhooks that are late, lost, forged.

use std::sync::Arc;

use app::WebhookOutcome;
use domain::payment::CaptureOn;
use serde_json::{Value as Json, json};
use store::memory::MemoryStore;

use crate::contract::paypal_at;
use crate::fake_paypal::{Books, FakePayPal, Funding, headers};
use crate::fake_stripe::Posting;
use crate::shop::{Shop, lunch, settings};

struct World {
    shop: Shop,
    fake: FakePayPal,
}

const BEGIN: &str = "validate-order reserve-stock request-payment";
const FEE: i64 = 5_180 * 399 / 10_000 + 39;

impl World {
    async fn open(capture_on: CaptureOn) -> World {
        let fake = FakePayPal::start().await;
        fake.posting(Posting::Held);
        let mut settings = settings();
        settings.capture_on = capture_on;
        let provider = paypal_at(&fake.url);
        let shop = Shop::with_provider(Arc::new(MemoryStore::new()), settings, None, Some(provider)).await;
        World { shop, fake }
    }

    /// An order that waits for the buyer.
    async fn placed(&self) -> String {
        let mut order = lunch("pix");
        order["payment"] = json!({ "type": "hosted" });
        let id = self.shop.place(order).await;
        self.shop.run(&id, BEGIN).await;
        let view = self.shop.order(&id).await.payment;
        assert_eq!((view.status.as_str(), view.method.as_str()), ("PENDING", "paypal"));
        assert!(view.action_url.unwrap().contains("/checkoutnow?token="));
        id
    }

    fn paypal_order(&self, id: &str) -> String {
        self.fake.act(|books| books.order_of(id).unwrap().id.clone())
    }

    fn approve(&self, id: &str, funding: Funding) {
        let order = self.paypal_order(id);
        self.fake.act(|books| books.approve(&order, funding));
    }

    async fn hear(&self, event: &Json) -> Result<WebhookOutcome, String> {
        let body = event.to_string();
        let sent = headers(&body, store::clock::now_ms());
        let header = move |name: &str| {
            let found = sent.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let heard = self.shop.app.provider_webhook("paypal", &header, body.as_bytes()).await;
        heard.map_err(|error| app::Problem::code(&error).to_owned())
    }

    async fn status(&self, id: &str) -> &'static str {
        self.shop.order(id).await.payment.status.as_str()
    }

    /// An order whose amount was taken.
    async fn paid(&self) -> String {
        let id = self.placed().await;
        self.approve(&id, Funding::Good);
        for event in self.fake.held() {
            self.hear(&event).await.unwrap();
        }
        self.shop.run(&id, "results:ok commit-stock capture-payment").await;
        assert_eq!(self.status(&id).await, "CONFIRMED");
        id
    }

    async fn agrees(&self) {
        let books = self.shop.books().await;
        let account = books.get("assets:provider:paypal").copied().unwrap_or(0);
        assert_eq!(account, self.fake.act(|books| books.balance()), "our account with PayPal is PayPal's balance");
    }
}

#[tokio::test]
async fn an_approval_takes_or_holds_as_the_shop_wants_it() {
    for (capture_on, after) in [(CaptureOn::Acceptance, "CONFIRMED"), (CaptureOn::Dispatch, "AUTHORIZED")] {
        let world = World::open(capture_on).await;
        let id = world.placed().await;
        world.approve(&id, Funding::Good);
        let approved = world.fake.held().pop().unwrap();
        assert_eq!(world.hear(&approved).await, Ok(WebhookOutcome::Applied));
        assert_eq!(world.status(&id).await, after);
        // What followed from it, backwards and twice, changes nothing any more.
        let mut events = world.fake.held();
        events.push(approved);
        events.reverse();
        for event in &events {
            assert_ne!(world.hear(event).await, Ok(WebhookOutcome::Applied));
            assert_eq!(world.hear(event).await, Ok(WebhookOutcome::Duplicate));
        }
        world.shop.run(&id, "results:ok commit-stock capture-payment").await;
        assert_eq!(world.status(&id).await, "CONFIRMED");
        let expected =
            [("assets:provider:paypal", 5_180 - FEE), ("expenses:provider-fees", FEE), ("income:sales", -5_180)];
        assert_eq!(world.shop.books().await, expected.map(|(account, sum)| (account.to_owned(), sum)).into());
        world.agrees().await;
    }
}

#[tokio::test]
async fn an_approval_whose_webhook_never_comes_is_found() {
    for ticker in ["poll-events", "poll-payments"] {
        let world = World::open(CaptureOn::Acceptance).await;
        let id = world.placed().await;
        world.approve(&id, Funding::Good);
        world.fake.held();
        if ticker == "poll-payments" {
            assert!(world.shop.due_now(&id).await, "nobody asks about it");
        }
        world.shop.run(&id, &format!("tick:{ticker} results:ok")).await;
        assert_eq!(world.status(&id).await, "CONFIRMED", "{ticker}");
        world.agrees().await;
    }
}

#[tokio::test]
async fn a_buyer_who_comes_back_does_not_wait_for_the_webhook() {
    let world = World::open(CaptureOn::Acceptance).await;
    let id = world.placed().await;
    world.approve(&id, Funding::Good);
    // Asked a moment ago, it is not asked again.
    let view = world.shop.app.check_payment(&id).await.unwrap();
    assert_eq!(view.status.as_str(), "PENDING");
    assert!(world.shop.due_now(&id).await);
    let before = world.fake.count("GET /v2/checkout/orders/");
    assert_eq!(world.shop.app.check_payment(&id).await.unwrap().status.as_str(), "CONFIRMED");
    assert!(world.fake.count("GET /v2/checkout/orders/") > before);
    world.shop.run(&id, "results:ok").await;
    assert!(matches!(world.shop.app.check_payment("ord_nobody").await, Err(app::PayError::NotFound(_))));
}

#[tokio::test]
async fn a_decline_lets_the_customer_pay_again() {
    let world = World::open(CaptureOn::Acceptance).await;
    let id = world.placed().await;
    world.approve(&id, Funding::Declined);
    let approved = world.fake.held().pop().unwrap();
    assert_eq!(world.hear(&approved).await, Ok(WebhookOutcome::Applied));
    let refused = world.shop.order(&id).await.payment;
    assert_eq!((refused.status.as_str(), refused.failure.unwrap().code.as_str()), ("REJECTED", "instrument_declined"));
    let method = serde_json::from_value(json!({ "type": "hosted" })).unwrap();
    world.shop.run(&id, "results:PaymentRefused refuse-payment await-payment").await;
    world.shop.app.pay(&id, app::commands::PayOrder { method }).await.unwrap();
    world.shop.run(&id, "results:ok request-payment").await;
    world.approve(&id, Funding::Good);
    let approved = world.fake.held().pop().unwrap();
    assert_eq!(world.hear(&approved).await, Ok(WebhookOutcome::Applied));
    world.shop.run(&id, "results:ok").await;
    assert_eq!(world.status(&id).await, "CONFIRMED");
    world.fake.act(|books| assert_eq!(books.orders.len(), 2));
    world.agrees().await;
}

#[tokio::test]
async fn an_order_that_was_called_off_is_not_completed() {
    let world = World::open(CaptureOn::Acceptance).await;
    let id = world.placed().await;
    let order = world.paypal_order(&id);
    let input = json!({ "orderId": id, "outcome": "EXPIRED" });
    world.shop.call("reverse-payment", input).await.unwrap();
    assert_eq!(world.status(&id).await, "EXPIRED");
    world.fake.act(|books| assert!(books.order(&order).unwrap().custom_id.ends_with("/off")));
    // The buyer approves all the same: nothing is taken.
    world.approve(&id, Funding::Good);
    for event in world.fake.held() {
        assert_eq!(world.hear(&event).await, Ok(WebhookOutcome::Ignored));
    }
    world.shop.run(&id, "tick:poll-events").await;
    assert_eq!((world.status(&id).await, world.fake.act(|books| books.balance())), ("EXPIRED", 0));
}

#[tokio::test]
async fn a_hold_that_ends_is_heard_of() {
    let world = World::open(CaptureOn::Dispatch).await;
    let id = world.placed().await;
    world.approve(&id, Funding::Good);
    for event in world.fake.held() {
        world.hear(&event).await.unwrap();
    }
    assert_eq!(world.status(&id).await, "AUTHORIZED");
    let order = world.paypal_order(&id);
    world.fake.act(|books| books.void_hold(&order));
    let ended = world.fake.held().pop().unwrap();
    assert_eq!(world.hear(&ended).await, Ok(WebhookOutcome::Applied));
    assert_eq!(world.status(&id).await, "VOIDED");
}

#[tokio::test]
async fn a_dispute_and_its_end_are_heard_and_reconciled() {
    for (won, status, lost) in [(true, "CONFIRMED", 0), (false, "DISPUTED", 5_180)] {
        let world = World::open(CaptureOn::Acceptance).await;
        let id = world.paid().await;
        let order = world.paypal_order(&id);
        world.fake.held();
        world.fake.act(|books| books.dispute(&order));
        let opened = world.fake.held().pop().unwrap();
        assert_eq!(world.hear(&opened).await, Ok(WebhookOutcome::Applied));
        assert_eq!(world.status(&id).await, "DISPUTED");
        world.fake.act(|books| books.close_dispute(&order, won));
        let closed = world.fake.held().pop().unwrap();
        assert_eq!(world.hear(&closed).await, Ok(WebhookOutcome::Applied));
        assert_eq!(world.status(&id).await, status);
        let books = world.shop.books().await;
        assert_eq!((books["assets:disputes"], books.get("expenses:disputes").copied().unwrap_or(0)), (0, lost));
        world.agrees().await;
        world.shop.app.reconcile_now().await.unwrap();
        let found = world.shop.app.reconciliation(app::commands::ListPage::default()).await.unwrap();
        assert!(found.items.is_empty(), "{:?}", found.items);
    }
}

#[tokio::test]
async fn refunds_withdrawals_and_the_report_agree() {
    let world = World::open(CaptureOn::Dispatch).await;
    let id = world.paid().await;
    let request = json!({ "amount": 1_000, "reason": "item-missing" });
    let request = serde_json::from_value(request).unwrap();
    world.shop.app.request_refund(&id, request, None, None).await.unwrap();
    world.shop.refunds().await;
    assert_eq!(world.status(&id).await, "PARTIALLY_REFUNDED");
    let order = world.paypal_order(&id);
    world.fake.act(|books: &mut Books| {
        let refund = &books.order(&order).unwrap().refunds[0];
        assert_eq!((refund.amount, refund.note.as_str()), (1_000, "faltou um item"));
        books.withdraw();
    });
    for event in world.fake.held() {
        world.hear(&event).await.unwrap();
    }
    world.shop.app.reconcile_now().await.unwrap();
    let found = world.shop.app.reconciliation(app::commands::ListPage::default()).await.unwrap();
    assert!(found.items.is_empty(), "{:?}", found.items);
    let payouts = world.shop.app.payouts(app::commands::ListPage::default()).await.unwrap().items;
    assert_eq!((payouts.len(), payouts[0].amount), (1, 4_180 - FEE));
    world.agrees().await;
    assert_eq!(world.shop.books().await["assets:provider:paypal"], 0);
}

#[tokio::test]
async fn forged_webhooks_change_nothing_and_other_ways_to_pay_are_refused() {
    let world = World::open(CaptureOn::Acceptance).await;
    let id = world.placed().await;
    world.approve(&id, Funding::Good);
    let approved = world.fake.held().pop().unwrap();
    let body = approved.to_string();
    let sent = headers("something else", store::clock::now_ms());
    let header = move |name: &str| {
        let found = sent.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let refused = world.shop.app.provider_webhook("paypal", &header, body.as_bytes()).await.unwrap_err();
    assert_eq!(app::Problem::code(&refused), "invalid-signature");
    assert_eq!(world.status(&id).await, "PENDING");
    for (payment, pointer) in [
        (json!({ "type": "pix" }), "/payment/type"),
        (json!({ "type": "token", "token": "pm_1" }), "/payment/type"),
        (
            json!({ "type": "card", "number": "4242424242424242", "expMonth": 1, "expYear": 2099, "cvc": "123" }),
            "/payment/number",
        ),
    ] {
        let mut order = lunch("pix");
        order["payment"] = payment;
        let command = serde_json::from_value(order).unwrap();
        let refused = world.shop.app.place_order(command, None).await.unwrap_err();
        assert_eq!(app::Problem::pointer(&refused).unwrap(), pointer);
    }
    let checkout = world.shop.app.catalogue().await.unwrap().checkout;
    assert_eq!((checkout.provider.as_str(), checkout.types.join(" ").as_str()), ("paypal", "hosted"));
}
