//! A payment through Stripe under any order of events: faults of every kind, crashes between an effect and its commit, webhooks
//! that come twice, late, backwards or never, customers who authenticate, pay late or dispute, holds that end, cancellations.
//! At every moment the books balance and nothing taken is forgotten; in the end our books say what Stripe's balance says.

use std::sync::Arc;

use app::commands::{CancelOrder, PayOrder};
use app::provider::PaymentProvider;
use domain::order::{OrderStatus, Party};
use domain::payment::PaymentStatus;
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use store::memory::MemoryStore;

use crate::contract::stripe_at;
use crate::fake_stripe::{FakeStripe, Fault, Posting, WEBHOOK_SECRET};
use crate::shop::{Shop, lunch, settings};

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
    Authenticate(bool),
    PayPix,
    HoldEnds,
    Dispute(bool),
    /// The customer pays again after a refusal.
    PayAgain,
    Cancel,
    /// A day passes: Stripe forgets the keys.
    KeysForgotten,
    Restart,
}

const STEPS: [&str; 3] = ["request-payment", "capture-payment", "reverse-payment"];
const FAULTS: [Fault; 5] =
    [Fault::TooMany, Fault::Fails, Fault::FailsAfterwards, Fault::BreaksBefore, Fault::BreaksAfter];
const TOKENS: [&str; 4] =
    ["pm_card_visa", "pm_card_authenticationRequired", "pm_card_visa_chargeDeclined", "pm_card_createDispute"];

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..2usize).prop_map(|at| Event::Step(STEPS[at])),
        2 => (0..STEPS.len()).prop_map(|at| Event::Crash(STEPS[at])),
        2 => proptest::collection::vec((0..FAULTS.len()).prop_map(|at| FAULTS[at]), 1..3).prop_map(Event::Faults),
        4 => (0..8usize, any::<bool>()).prop_map(|(at, again)| Event::Webhook(at, again)),
        2 => any::<bool>().prop_map(|events| Event::Tick(if events { "poll-events" } else { "poll-payments" })),
        1 => any::<bool>().prop_map(Event::Authenticate),
        1 => Just(Event::PayPix),
        1 => Just(Event::HoldEnds),
        1 => any::<bool>().prop_map(Event::Dispute),
        1 => Just(Event::PayAgain),
        1 => Just(Event::Cancel),
        1 => Just(Event::KeysForgotten),
        1 => Just(Event::Restart),
    ]
}

struct World {
    shop: Shop,
    fake: FakeStripe,
    provider: Arc<dyn PaymentProvider>,
    memory: Arc<MemoryStore>,
    id: String,
    /// Webhooks on their way.
    events: Vec<Json>,
    cancelled: bool,
}

impl World {
    async fn open(method: usize) -> World {
        let fake = FakeStripe::start().await;
        fake.posting(Posting::Held);
        let provider: Arc<dyn PaymentProvider> = stripe_at(&fake.url);
        let memory = Arc::new(MemoryStore::new());
        let shop = Shop::with_provider(memory.clone(), World::settings(), None, Some(provider.clone())).await;
        let mut order = lunch("pix");
        if let Some(token) = TOKENS.get(method) {
            order["payment"] = json!({ "type": "token", "token": token });
        }
        let id = shop.place(order).await;
        shop.run(&id, "validate-order reserve-stock").await;
        World { shop, fake, provider, memory, id, events: Vec::new(), cancelled: false }
    }

    fn settings() -> app::Settings {
        let mut settings = settings();
        // Whoever waits is asked about in every beat.
        settings.poll_after_ms = -1_000;
        settings
    }

    fn input(&self) -> Json {
        json!({ "orderId": self.id, "taskToken": "token", "outcome": "CANCELLED", "error": { "Error": "OrderCancelled" } })
    }

    async fn hear(&self, event: &Json) {
        let body = event.to_string();
        let signature = app::sign(WEBHOOK_SECRET.as_bytes(), body.as_bytes(), store::clock::now_ms());
        let header = move |_: &str| signature.clone();
        drop(self.shop.app.provider_webhook("stripe", &header, body.as_bytes()).await);
    }

    /// Lets the customer or the banks act on the newest intent that is in a status.
    fn act(&self, status: &str, action: impl FnOnce(&mut crate::fake_stripe::Books, &str)) {
        self.fake.act(|books| {
            let found = books.intents.iter().rev().find(|intent| intent.status == status);
            if let Some(id) = found.map(|intent| intent.id.clone()) {
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
            Event::Authenticate(approve) => self.act("requires_action", |books, id| {
                if !books.is_pix(id) {
                    books.authenticate(id, *approve);
                }
            }),
            Event::PayPix => self.act("requires_action", |books, id| {
                if books.is_pix(id) {
                    books.pay_pix(id);
                }
            }),
            Event::HoldEnds => self.act("requires_capture", crate::fake_stripe::Books::expire_hold),
            Event::Dispute(won) => self.act("succeeded", |books, id| {
                if books.is_disputed(id) {
                    books.close_dispute(id, *won);
                }
            }),
            Event::PayAgain => {
                let method = serde_json::from_value(json!({ "type": "token", "token": "pm_card_visa" })).unwrap();
                drop(self.shop.app.pay(&self.id, PayOrder { method }).await);
            }
            Event::Cancel => {
                let reason = "changed my mind".into();
                let cancelled = self.shop.app.cancel(&self.id, CancelOrder { reason }, None, Party::Staff).await;
                self.cancelled |= cancelled.is_ok();
            }
            Event::KeysForgotten => self.fake.forget_keys(),
            Event::Restart => {
                let (memory, provider) = (self.memory.clone(), self.provider.clone());
                self.shop = Shop::with_provider(memory, World::settings(), None, Some(provider)).await;
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
        let status = self.status().await;
        assert!(!before.is_taken() || status.is_taken(), "{before:?} -> {status:?}: what was taken is not forgotten");
        let payment = self.shop.order(&self.id).await.payment;
        assert!(payment.captured <= payment.amount && payment.refunded <= payment.captured);
        assert_eq!(payment.captured > 0, status.is_taken(), "{status:?}");
        self.fake.act(|books| {
            for intent in &books.intents {
                assert!(intent.refunded <= 5_180, "{}", intent.id);
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
            // A fee that was not told at once is asked for a minute later.
            self.shop.due_now(&self.id).await;
            self.shop.run(&self.id, "tick:poll-events tick:poll-payments tick:reconcile").await;
            if round > 6 && self.fake.held().is_empty() && self.events.is_empty() {
                return;
            }
        }
    }

    /// Our books against Stripe's.
    async fn agrees(&self) {
        let order = self.shop.order(&self.id).await;
        let books = self.shop.books().await;
        let account = books.get("assets:provider:stripe").copied().unwrap_or(0);
        let (balance, held, kept) = self.fake.act(|books| {
            let held = books.intents.iter().filter(|intent| intent.status == "requires_capture").count();
            let kept: i64 = books.intents.iter().map(|intent| intent.received() - intent.refunded).sum();
            (books.balance(), held, kept)
        });
        let payment = &order.payment;
        assert_eq!(kept, payment.captured - payment.refunded, "what Stripe took and gave back: {payment:?}");
        assert_eq!(account, balance, "our account with Stripe is Stripe's balance: {books:?} {payment:?}");
        assert_eq!(held, 0, "nothing stays held: {payment:?}");
    }
}

fn cases() -> u32 {
    std::env::var("COMANDA_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn our_books_are_stripes_whatever_happens(
        method in 0..=TOKENS.len(),
        events in proptest::collection::vec(event(), 1..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::open(method).await;
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
