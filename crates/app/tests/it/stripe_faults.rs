//! Stripe's adapter when things go wrong: rate limits, answers of 500, connections that break, slow answers, forgotten keys.

use app::provider::{Authorise, Intent, IntentStatus, PaymentProvider, ProviderError, RefundRequest};
use parking_lot::Mutex;
use std::sync::Arc;

use crate::contract::{Outside, World, card_request};
use crate::fake_stripe::{FakeStripe, Fault, SECRET_KEY, WEBHOOK_SECRET};

fn fake(world: &World) -> &FakeStripe {
    match &world.outside {
        Outside::Fake(fake) => fake,
        _ => panic!("another world"),
    }
}

pub(crate) const FAULTS: [Fault; 5] =
    [Fault::TooMany, Fault::Fails, Fault::FailsAfterwards, Fault::BreaksBefore, Fault::BreaksAfter];

fn good() -> Authorise {
    card_request("pm_card_visa".into())
}

/// A flow's retries: the same request until it is answered.
pub(crate) async fn until_answered<T, F: Future<Output = Result<T, ProviderError>>>(call: impl Fn() -> F) -> T {
    for _ in 0..10 {
        match call().await {
            Err(ProviderError::Unavailable) => {}
            done => return done.ok().unwrap(),
        }
    }
    panic!("never answered");
}

pub(crate) fn pairs() -> impl Iterator<Item = [Fault; 2]> {
    FAULTS.into_iter().flat_map(|first| FAULTS.into_iter().map(move |second| [first, second]))
}

#[tokio::test]
async fn one_hold_whatever_goes_wrong() {
    let check = async |faults: [Fault; 2]| {
        let world = World::fake().await;
        let request = good();
        fake(&world).fail(&faults);
        let asked = until_answered(|| world.provider.authorise(&request)).await;
        assert_eq!(asked.status, IntentStatus::Held, "{faults:?}");
        let found = world.provider.find(&request).await.unwrap().unwrap();
        assert_eq!((&found.id, found.status), (&asked.id, IntentStatus::Held), "{faults:?}");
        fake(&world).act(|books| {
            let held = books.intents.iter().filter(|intent| intent.status == "requires_capture").count();
            assert_eq!(held, 1, "{faults:?}");
        });
    };
    futures::future::join_all(pairs().map(check)).await;
}

#[tokio::test]
async fn one_capture_and_one_void_whatever_goes_wrong() {
    let check = async |faults: [Fault; 2]| {
        let world = World::fake().await;
        let held = world.provider.authorise(&good()).await.unwrap();
        fake(&world).fail(&faults);
        let taken = until_answered(|| world.provider.capture(&held.id, "key/capture/1")).await;
        assert_eq!((taken.status, taken.captured), (IntentStatus::Taken, 5_180), "{faults:?}");
        let held = world.provider.authorise(&good()).await.unwrap();
        fake(&world).fail(&faults);
        let off = until_answered(|| world.provider.void(&held.id, "key/void/1")).await;
        assert_eq!(off.status, IntentStatus::Cancelled, "{faults:?}");
    };
    futures::future::join_all(pairs().map(check)).await;
}

#[tokio::test]
async fn one_refund_whatever_goes_wrong() {
    let check = async |faults: [Fault; 2]| {
        let world = World::fake().await;
        let taken = world.taken("4242424242424242").await;
        let request = RefundRequest {
            key: "ord_1/refund/1".into(),
            intent: taken.id.clone(),
            amount: 1_000,
            note: String::new(),
        };
        fake(&world).fail(&faults);
        until_answered(|| world.provider.refund(&request)).await;
        fake(&world).forget_keys();
        until_answered(|| world.provider.refund(&request)).await;
        let found = world.provider.retrieve(&taken.id).await.unwrap();
        assert_eq!(found.refunded, 1_000, "{faults:?}");
    };
    futures::future::join_all(pairs().map(check)).await;
}

#[tokio::test]
async fn a_slow_answer_is_given_up_and_found_again() {
    let world = World::fake().await;
    let request = good();
    fake(&world).fail(&[Fault::Delay(2_500)]);
    // The client gives up after two seconds, asks again under the same key and gets the saved answer.
    let asked = world.provider.authorise(&request).await.unwrap();
    assert_eq!(asked.status, IntentStatus::Held);
    fake(&world).act(|books| assert_eq!(books.intents.len(), 1));
}

#[tokio::test]
async fn a_request_older_than_its_key_is_found_by_search() {
    let world = World::fake().await;
    let request = good();
    let asked = world.provider.authorise(&request).await.unwrap();
    fake(&world).forget_keys();
    let late = Authorise { expires_at: store::clock::now_ms() - 1, ..request };
    let found: Intent = world.provider.find(&late).await.unwrap().unwrap();
    assert_eq!((found.id, found.status), (asked.id, IntentStatus::Held));
    fake(&world).act(|books| assert_eq!(books.intents.len(), 1));
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_a_wrong_key_too() {
    let stripe = crate::contract::stripe_at("http://127.0.0.1:9");
    assert!(matches!(stripe.retrieve("pi_1").await, Err(ProviderError::Unavailable)));
    let world = World::fake().await;
    let config = app::provider::stripe::StripeConfig {
        secret_key: app::provider::Secret::new("sk_test_other"),
        webhook_secrets: vec![app::provider::Secret::new("whsec_x")],
        publishable_key: None,
        url: fake(&world).url.clone(),
        api_version: "2025-04-30.basil".into(),
        timeout: std::time::Duration::from_secs(1),
    };
    let stripe = app::provider::Stripe::new(&config, store::clock::now_ms).unwrap();
    assert!(matches!(stripe.retrieve("pi_1").await, Err(ProviderError::Unavailable)));
}

/// Keeps what is logged.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        self.0.lock().clone()
    }
}

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().push_str(&format!("{field}={value:?} "));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        attributes.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    let log = Log::default();
    let guard = tracing::subscriber::set_default(log.clone());
    let world = World::fake().await;
    for fault in FAULTS {
        fake(&world).fail(&[fault]);
        drop(world.provider.authorise(&good()).await);
    }
    drop(world.provider.authorise(&card_request("pm_nonsense".into())).await);
    drop(crate::contract::stripe_at("http://127.0.0.1:9").retrieve("pi_1").await);
    drop(guard);
    let logged = log.text();
    assert!(logged.contains("the payment provider"), "nothing was logged at all");
    for secret in [SECRET_KEY, WEBHOOK_SECRET, "pm_nonsense", "pm_card_visa"] {
        assert!(!logged.contains(secret), "{secret} stands in the log");
    }
}
