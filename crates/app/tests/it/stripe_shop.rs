//! A shop whose money goes through Stripe: webhooks that come, come twice, late, in disorder, forged, or never.

use std::sync::Arc;

use app::provider::Stripe;
use app::provider::stripe::StripeConfig;
use app::{Problem, WebhookOutcome};
use serde_json::{Value as Json, json};
use store::memory::MemoryStore;

use crate::contract::stripe_config;
use crate::fake_stripe::{FakeStripe, Posting, WEBHOOK_SECRET};
use crate::shop::{Shop, lunch, settings};

struct World {
    shop: Shop,
    fake: FakeStripe,
}

const BEGIN: &str = "validate-order reserve-stock request-payment";

impl World {
    async fn open() -> World {
        World::with(None).await
    }

    /// With that key for Stripe's form on the page.
    async fn with(publishable_key: Option<&str>) -> World {
        let fake = FakeStripe::start().await;
        fake.posting(Posting::Held);
        let config = StripeConfig { publishable_key: publishable_key.map(str::to_owned), ..stripe_config(&fake.url) };
        let provider = Arc::new(Stripe::new(&config, store::clock::now_ms).unwrap());
        let shop = Shop::with_provider(Arc::new(MemoryStore::new()), settings(), None, Some(provider)).await;
        World { shop, fake }
    }

    async fn placed(&self, method: Json) -> String {
        let mut order = lunch("pix");
        order["payment"] = method;
        let id = self.shop.place(order).await;
        self.shop.run(&id, BEGIN).await;
        id
    }

    async fn paid(&self, token: &str) -> String {
        let id = self.placed(json!({ "type": "token", "token": token })).await;
        self.shop.run(&id, "results:ok commit-stock capture-payment").await;
        id
    }

    async fn hear(&self, event: &Json) -> Result<WebhookOutcome, String> {
        self.hear_signed(event, WEBHOOK_SECRET).await
    }

    async fn hear_signed(&self, event: &Json, secret: &str) -> Result<WebhookOutcome, String> {
        let body = event.to_string();
        let signature = app::sign(secret.as_bytes(), body.as_bytes(), store::clock::now_ms());
        let header = move |name: &str| if name == "stripe-signature" { signature.clone() } else { String::new() };
        let heard = self.shop.app.provider_webhook("stripe", &header, body.as_bytes()).await;
        heard.map_err(|error| error.code().to_owned())
    }

    async fn status(&self, id: &str) -> &'static str {
        self.shop.order(id).await.payment.status.as_str()
    }

    fn intent(&self, id: &str) -> String {
        self.fake.act(|books| books.intent_of(id).unwrap().id.clone())
    }
}

#[tokio::test]
async fn a_good_card_is_held_at_once_and_captured() {
    let world = World::open().await;
    let id = world.paid("pm_card_visa").await;
    let order = world.shop.order(&id).await;
    assert_eq!((order.payment.status.as_str(), order.payment.captured), ("CONFIRMED", 5_180));
    let fee = 5_180 * 399 / 10_000 + 39;
    let expected = [("assets:provider:stripe", 5_180 - fee), ("expenses:provider-fees", fee), ("income:sales", -5_180)];
    assert_eq!(world.shop.books().await, expected.map(|(account, sum)| (account.to_owned(), sum)).into());
    // All its webhooks, twice and backwards, change nothing any more.
    let mut events = world.fake.held();
    events.reverse();
    assert_eq!(events.len(), 2);
    for event in &events {
        assert_eq!(world.hear(event).await, Ok(WebhookOutcome::Ignored));
        assert_eq!(world.hear(event).await, Ok(WebhookOutcome::Duplicate));
    }
    assert_eq!(world.status(&id).await, "CONFIRMED");
}

#[tokio::test]
async fn a_decline_lets_the_customer_pay_again() {
    let world = World::open().await;
    let token = "pm_card_visa_chargeDeclinedInsufficientFunds";
    let id = world.placed(json!({ "type": "token", "token": token })).await;
    world.shop.run(&id, "results:PaymentRefused refuse-payment await-payment").await;
    assert_eq!(world.shop.order(&id).await.payment.failure.unwrap().code, "insufficient_funds");
    world.shop.run(&id, "pay:token-pm_card_visa results:ok request-payment results:ok").await;
    assert_eq!(world.status(&id).await, "AUTHORIZED");
    // The decline of the first try comes late.
    for event in world.fake.held() {
        assert_eq!(world.hear(&event).await, Ok(WebhookOutcome::Ignored));
    }
    assert_eq!(world.status(&id).await, "AUTHORIZED");
}

#[tokio::test]
async fn a_customer_authenticates() {
    for (approve, result, status) in [(true, "ok", "AUTHORIZED"), (false, "PaymentRefused", "REJECTED")] {
        let world = World::open().await;
        let id = world.placed(json!({ "type": "token", "token": "pm_card_authenticationRequired" })).await;
        world.shop.run(&id, "results:").await;
        let intent = world.intent(&id);
        assert!(world.shop.order(&id).await.payment.action_url.unwrap().ends_with(&intent));
        world.fake.held();
        world.fake.act(|books| books.authenticate(&intent, approve));
        let event = world.fake.held().pop().unwrap();
        assert_eq!(world.hear_signed(&event, "whsec_guess").await, Err("invalid-signature".into()));
        assert_eq!(world.status(&id).await, "PENDING");
        assert_eq!(world.hear(&event).await, Ok(WebhookOutcome::Applied));
        world.shop.run(&id, &format!("results:{result}")).await;
        assert_eq!(world.status(&id).await, status);
    }
}

#[tokio::test]
async fn a_webhook_that_never_comes_is_polled() {
    let world = World::open().await;
    let id = world.placed(json!({ "type": "pix" })).await;
    assert!(world.shop.order(&id).await.payment.qr.is_some());
    let intent = world.intent(&id);
    world.fake.act(|books| books.pay_pix(&intent));
    world.fake.held();
    world.shop.run(&id, "tick:poll-events results:ok").await;
    assert_eq!(world.status(&id).await, "CONFIRMED");
    world.shop.run(&id, "tick:poll-events results:").await;
    assert_eq!(world.fake.count("GET /v1/events"), 2);
}

#[tokio::test]
async fn a_fee_that_is_not_told_at_once_is_asked_for() {
    let world = World::open().await;
    world.fake.act(|books| books.hides_fees = true);
    let id = world.paid("pm_card_visa").await;
    assert!(!world.shop.books().await.contains_key("expenses:provider-fees"));
    world.fake.act(crate::fake_stripe::Books::tell_fees);
    assert!(world.shop.due_now(&id).await, "nobody asks about it");
    world.shop.run(&id, "tick:poll-payments").await;
    let fee = 5_180 * 399 / 10_000 + 39;
    assert_eq!(world.shop.books().await["expenses:provider-fees"], fee);
    world.shop.run(&id, "tick:poll-payments tick:poll-events").await;
    assert_eq!(world.shop.books().await["expenses:provider-fees"], fee, "posted once");
}

#[tokio::test]
async fn a_hold_that_ends_is_heard_of() {
    let world = World::open().await;
    let id = world.placed(json!({ "type": "token", "token": "pm_card_visa" })).await;
    world.shop.run(&id, "results:ok").await;
    let intent = world.intent(&id);
    world.fake.held();
    world.fake.act(|books| books.expire_hold(&intent));
    let event = world.fake.held().pop().unwrap();
    assert_eq!(world.hear(&event).await, Ok(WebhookOutcome::Applied));
    assert_eq!(world.status(&id).await, "VOIDED");
    world.shop.run(&id, "commit-stock capture-payment!PaymentNotAuthorized").await;
}

#[tokio::test]
async fn a_dispute_and_its_end_are_heard() {
    for (won, status, sum) in [(true, "CONFIRMED", 0), (false, "DISPUTED", 5_180)] {
        let world = World::open().await;
        let id = world.paid("pm_card_createDispute").await;
        let intent = world.intent(&id);
        let opened = world.fake.held();
        // Both tell of the same dispute.
        let about: Vec<&Json> =
            opened.iter().filter(|event| event["type"].as_str().unwrap().contains("dispute")).collect();
        assert_eq!(about.len(), 2);
        assert_eq!(world.hear(about[1]).await, Ok(WebhookOutcome::Applied));
        assert_eq!(world.hear(about[0]).await, Ok(WebhookOutcome::Ignored));
        assert_eq!(world.status(&id).await, "DISPUTED");
        world.fake.act(|books| books.close_dispute(&intent, won));
        let closed = world.fake.held().pop().unwrap();
        assert_eq!(world.hear(&closed).await, Ok(WebhookOutcome::Applied));
        assert_eq!(world.status(&id).await, status);
        let books = world.shop.books().await;
        assert_eq!((books["assets:disputes"], books.get("expenses:disputes").copied().unwrap_or(0)), (0, sum));
        let lines: i64 = world.fake.act(crate::fake_stripe::Books::balance);
        assert_eq!(books["assets:provider:stripe"], lines, "our books say what Stripe's balance says");
    }
}

#[tokio::test]
async fn card_numbers_do_not_reach_stripe() {
    let world = World::open().await;
    let mut order = lunch("4111111111111111");
    order["customer"] = Json::Null;
    let command = serde_json::from_value(order).unwrap();
    let refused = world.shop.app.place_order(command, None).await.unwrap_err();
    assert_eq!((refused.code(), refused.pointer().unwrap().as_str()), ("invalid-card", "/payment/number"));
    assert!(refused.to_string().contains("Stripe.js"));
    assert_eq!(world.fake.count(""), 0);
}

#[tokio::test]
async fn a_customer_pays_in_stripes_form() {
    let world = World::with(Some("pk_test_page")).await;
    let checkout = world.shop.app.catalogue().await.unwrap().checkout;
    assert_eq!(checkout.types.join(" "), "token pix hosted");
    assert_eq!(checkout.form.unwrap().publishable_key, "pk_test_page");
    let id = world.placed(json!({ "type": "hosted" })).await;
    let intent = world.intent(&id);
    let payment = world.shop.order(&id).await.payment;
    assert_eq!((payment.method.as_str(), payment.client_secret), ("card", Some(format!("{intent}_secret_fake"))));
    // Declined in the form, where another card can follow: nothing ends.
    world.fake.act(|books| books.pay_in_form(&intent, false));
    let declined = world.fake.held().pop().unwrap();
    assert_eq!(world.hear(&declined).await, Ok(WebhookOutcome::Ignored));
    assert!(world.shop.due_now(&id).await);
    world.shop.run(&id, "tick:poll-payments results:").await;
    assert_eq!(world.status(&id).await, "PENDING");
    world.fake.act(|books| books.pay_in_form(&intent, true));
    let held = world.fake.held().pop().unwrap();
    assert_eq!(world.hear(&held).await, Ok(WebhookOutcome::Applied));
    world.shop.run(&id, "results:ok commit-stock capture-payment").await;
    let payment = world.shop.order(&id).await.payment;
    assert_eq!(
        (payment.status.as_str(), payment.client_secret, payment.card.as_deref()),
        ("CONFIRMED", None, Some("visa 4242"))
    );
}

#[tokio::test]
async fn without_a_form_nothing_is_hosted() {
    let world = World::open().await;
    let mut order = lunch("pix");
    order["payment"] = json!({ "type": "hosted" });
    let refused = world.shop.app.place_order(serde_json::from_value(order).unwrap(), None).await.unwrap_err();
    assert_eq!(refused.pointer().unwrap(), "/payment/type");
}

#[tokio::test]
async fn a_refund_of_the_dashboard_is_taken_over_also_if_its_webhook_never_comes() {
    let world = World::open().await;
    let id = world.paid("pm_card_visa").await;
    let intent = world.intent(&id);
    world.fake.act(|books| books.refund_by_hand(&intent, 700));
    world.fake.held();
    for _ in 0..2 {
        world.shop.run(&id, "tick:poll-events").await;
        let order = world.shop.order(&id).await;
        assert_eq!((order.needs_attention, order.payment.refunded), (None, 700));
    }
    assert_eq!(world.shop.refunds().await, 1, "its credit note is issued by the flow");
    let books = world.shop.books().await;
    assert_eq!(books["income:refunds"], 700);
    assert_eq!(world.shop.audit().await.differences, []);
    // More than is left is nothing that could be taken over.
    world.fake.act(|books| books.refund_by_hand(&intent, 5_000));
    world.fake.held();
    world.shop.run(&id, "tick:poll-events").await;
    assert!(world.shop.order(&id).await.needs_attention.unwrap_or_default().contains("5000"));
}

#[tokio::test]
async fn a_fee_of_another_currency_is_no_fee_of_ours() {
    let world = World::open().await;
    world.fake.act(|books| books.settles_in = Some("usd"));
    let id = world.paid("pm_card_visa").await;
    assert!(world.shop.due_now(&id).await);
    world.shop.run(&id, "tick:poll-payments").await;
    let books = world.shop.books().await;
    assert_eq!((books.get("expenses:provider-fees"), books["assets:provider:stripe"]), (None, 5_180));
}
