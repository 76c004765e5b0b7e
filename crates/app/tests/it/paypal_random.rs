//! A payment through PayPal under any order of events: faults of every kind, crashes between an effect and its commit, buyers
//! who approve early, late, or with something that is declined, webhooks that come twice, late, backwards or never, holds that
//! end, cancellations. At every moment the books balance and nothing taken is forgotten; in the end our books say what PayPal's
//! balance says, and nothing stays held.

use std::sync::Arc;

use app::commands::{CancelOrder, PayOrder};
use app::provider::PaymentProvider;
use domain::order::{OrderStatus, Party};
use domain::payment::{CaptureOn, PaymentStatus};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use store::memory::MemoryStore;

use crate::contract::paypal_at;
use crate::fake_paypal::{FakePayPal, Funding, headers};
use crate::fake_stripe::{Fault, Posting};
use crate::shop::{Shop, lunch, settings};
use crate::stripe_faults::FAULTS;

/// What can happen next.
#[derive(Debug, Clone)]
enum Event {
    /// The flow's step.
    Step(&'static str),
    /// The flow's step, and the process dies before it is committed.
    Crash(&'static str),
    /// What goes wrong with the next requests.
    Faults(Vec<Fault>),
    /// One of the webhooks that are on their way comes, by its place; it may come again.
    Webhook(usize, bool),
    /// The poller's beat.
    Tick(&'static str),
    /// The buyer comes back to the page.
    Check,
    /// The buyer approves, with something good or with something that is declined.
    Approve(bool),
    HoldEnds,
    /// The buyer pays again after a refusal.
    PayAgain,
    Cancel,
    KeysForgotten,
    TokensEnd,
    Restart,
}

const STEPS: [&str; 3] = ["request-payment", "capture-payment", "reverse-payment"];

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..2usize).prop_map(|at| Event::Step(STEPS[at])),
        2 => (0..STEPS.len()).prop_map(|at| Event::Crash(STEPS[at])),
        2 => proptest::collection::vec((0..FAULTS.len()).prop_map(|at| FAULTS[at]), 1..3).prop_map(Event::Faults),
        4 => (0..8usize, any::<bool>()).prop_map(|(at, again)| Event::Webhook(at, again)),
        2 => any::<bool>().prop_map(|events| Event::Tick(if events { "poll-events" } else { "poll-payments" })),
        1 => Just(Event::Check),
        3 => prop_oneof![3 => Just(true), 1 => Just(false)].prop_map(Event::Approve),
        1 => Just(Event::HoldEnds),
        1 => Just(Event::PayAgain),
        1 => Just(Event::Cancel),
        1 => Just(Event::KeysForgotten),
        1 => Just(Event::TokensEnd),
        1 => Just(Event::Restart),
    ]
}

struct World {
    shop: Shop,
    fake: FakePayPal,
    provider: Arc<dyn PaymentProvider>,
    memory: Arc<MemoryStore>,
    capture_on: CaptureOn,
    id: String,
    /// Webhooks on their way.
    events: Vec<Json>,
    cancelled: bool,
}

impl World {
    async fn open(capture_on: CaptureOn) -> World {
        let fake = FakePayPal::start().await;
        fake.posting(Posting::Held);
        let provider: Arc<dyn PaymentProvider> = paypal_at(&fake.url);
        let memory = Arc::new(MemoryStore::new());
        let settings = World::settings(capture_on);
        let shop = Shop::with_provider(memory.clone(), settings, None, Some(provider.clone())).await;
        let mut order = lunch("pix");
        order["payment"] = json!({ "type": "hosted" });
        let id = shop.place(order).await;
        shop.run(&id, "validate-order reserve-stock").await;
        World { shop, fake, provider, memory, capture_on, id, events: Vec::new(), cancelled: false }
    }

    fn settings(capture_on: CaptureOn) -> app::Settings {
        let mut settings = settings();
        // Whoever waits is asked about in every beat.
        settings.poll_after_ms = -1_000;
        settings.capture_on = capture_on;
        settings
    }

    fn input(&self) -> Json {
        json!({ "orderId": self.id, "taskToken": "token", "outcome": "CANCELLED", "error": { "Error": "OrderCancelled" } })
    }

    async fn hear(&self, event: &Json) {
        let body = event.to_string();
        let sent = headers(&body, store::clock::now_ms());
        let header = move |name: &str| {
            let found = sent.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        drop(self.shop.app.provider_webhook("paypal", &header, body.as_bytes()).await);
    }

    /// Lets the buyer or PayPal act on the newest order that is in a status.
    fn act(&self, status: &str, action: impl FnOnce(&mut crate::fake_paypal::Books, &str)) {
        self.fake.act(|books| {
            let found = books.orders.iter().rev().find(|order| order.status == status);
            if let Some(id) = found.map(|order| order.id.clone()) {
                action(books, &id);
            }
        });
    }

    async fn happen(&mut self, event: &Event) {
        match event {
            // Before the order is called off the flow does not undo it.
            Event::Step("reverse-payment") | Event::Crash("reverse-payment") if !self.cancelled => {}
            Event::Step(step) => drop(self.shop.call(step, self.input()).await),
            Event::Crash(step) => self.shop.call_and_crash(step, self.input()).await,
            Event::Faults(faults) => self.fake.fail(faults),
            Event::Webhook(at, again) => {
                if *at < self.events.len() {
                    let event = self.events.remove(*at);
                    self.hear(&event).await;
                    if *again {
                        self.events.push(event);
                    }
                }
            }
            Event::Tick(ticker) => self.shop.act(&self.id, &format!("tick:{ticker}")).await,
            Event::Check => drop(self.shop.app.check_payment(&self.id).await),
            Event::Approve(good) => self.act("PAYER_ACTION_REQUIRED", |books, id| {
                books.approve(id, if *good { Funding::Good } else { Funding::Declined });
            }),
            Event::HoldEnds => self.act("COMPLETED", |books, id| {
                let order = books.order(id).unwrap();
                if order.capture.is_none() && order.authorization.as_ref().is_some_and(|hold| hold.1 == "CREATED") {
                    books.void_hold(id);
                }
            }),
            Event::PayAgain => {
                let method = serde_json::from_value(json!({ "type": "hosted" })).unwrap();
                drop(self.shop.app.pay(&self.id, PayOrder { method }).await);
            }
            Event::Cancel => {
                let reason = "changed my mind".into();
                let cancelled = self.shop.app.cancel(&self.id, CancelOrder { reason }, None, Party::Staff).await;
                self.cancelled |= cancelled.is_ok();
            }
            Event::KeysForgotten => self.fake.forget_keys(),
            Event::TokensEnd => self.fake.end_tokens(),
            Event::Restart => {
                let (memory, provider) = (self.memory.clone(), self.provider.clone());
                let settings = World::settings(self.capture_on);
                self.shop = Shop::with_provider(memory, settings, None, Some(provider)).await;
            }
        }
        self.events.extend(self.fake.held());
    }

    async fn status(&self) -> PaymentStatus {
        self.shop.order(&self.id).await.payment.status
    }

    /// What must hold at every moment. Answers where the payment stands.
    async fn check(&self, before: PaymentStatus) -> PaymentStatus {
        assert_eq!(self.shop.books().await.values().sum::<i64>(), 0, "the books balance");
        let payment = self.shop.order(&self.id).await.payment;
        let status = payment.status;
        assert!(!before.is_taken() || status.is_taken(), "{before:?} -> {status:?}: what was taken is not forgotten");
        assert!(payment.captured <= payment.amount && payment.refunded <= payment.captured);
        assert_eq!(payment.captured > 0, status.is_taken(), "{status:?}");
        self.fake.act(|books| {
            for order in &books.orders {
                assert!(order.refunds.iter().map(|refund| refund.amount).sum::<i64>() <= 5_180, "{}", order.id);
            }
        });
        status
    }

    /// The provider works again, all news comes, and the flow comes to its end.
    async fn settle(&mut self) {
        self.fake.fail(&[]);
        for round in 0..12 {
            self.events.extend(self.fake.held());
            for event in std::mem::take(&mut self.events) {
                self.hear(&event).await;
            }
            let order = self.shop.order(&self.id).await;
            let paid = order.payment.status;
            if self.cancelled || !(paid.is_taken() || paid == PaymentStatus::Authorized) {
                let outcome = if self.cancelled { "CANCELLED" } else { "EXPIRED" };
                if !order.status.is_final() {
                    let mut input = self.input();
                    input["outcome"] = outcome.into();
                    self.shop.call("reverse-payment", input.clone()).await.unwrap();
                    self.shop.call("release-stock", input.clone()).await.unwrap();
                    self.shop.call("close-order", input).await.unwrap();
                }
            } else if paid == PaymentStatus::Authorized && order.status == OrderStatus::PaymentPending {
                drop(self.shop.call("capture-payment", self.input()).await);
            }
            self.shop.late(&self.id).await;
            self.shop.refunds().await;
            self.shop.due_now(&self.id).await;
            self.shop.run(&self.id, "tick:poll-events tick:poll-payments").await;
            if round > 6 && self.fake.held().is_empty() && self.events.is_empty() {
                return;
            }
        }
    }

    /// Our books against PayPal's.
    async fn agrees(&self) {
        let payment = self.shop.order(&self.id).await.payment;
        let books = self.shop.books().await;
        let account = books.get("assets:provider:paypal").copied().unwrap_or(0);
        let (balance, held) = self.fake.act(|books| {
            let holds = books.orders.iter().filter_map(|order| order.authorization.as_ref());
            (books.balance(), holds.filter(|hold| hold.1 == "CREATED").count())
        });
        assert_eq!(account, balance, "our account with PayPal is PayPal's balance: {books:?} {payment:?}");
        assert_eq!(held, 0, "nothing stays held: {payment:?}");
        self.shop.app.reconcile_now().await.unwrap();
        let found = self.shop.app.reconciliation(app::commands::ListPage::default()).await.unwrap();
        assert!(found.items.is_empty(), "{:?}", found.items);
    }
}

fn cases() -> u32 {
    std::env::var("COMANDA_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn our_books_are_paypals_whatever_happens(
        at_once in any::<bool>(),
        events in proptest::collection::vec(event(), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::open(if at_once { CaptureOn::Acceptance } else { CaptureOn::Dispatch }).await;
            let mut status = world.status().await;
            for event in &events {
                world.happen(event).await;
                status = world.check(status).await;
            }
            world.settle().await;
            world.check(status).await;
            world.agrees().await;
        });
    }
}
