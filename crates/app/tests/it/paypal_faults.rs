//! PayPal's adapter when things go wrong: rate limits, answers of 500, connections that break, tokens that end, webhooks that
//! PayPal did not send.

use app::SignatureError;
use app::provider::{
    Authorise, IntentStatus, PaymentProvider, ProviderError, ReceiveError, RefundRequest, Subject, Webhook,
};
use domain::payment::CaptureOn;
use store::clock::now_ms;

use crate::contract::{Outside, World, hosted_request, paypal_at};
use crate::fake_paypal::{CLIENT_SECRET, FakePayPal, Funding, headers};
use crate::fake_stripe::Fault;
use crate::stripe_faults::{FAULTS, Log, pairs, until_answered};

fn fake(world: &World) -> &FakePayPal {
    match &world.outside {
        Outside::PayPal(fake) => fake,
        _ => panic!("another world"),
    }
}

#[tokio::test]
async fn one_hold_whatever_goes_wrong() {
    let check = async |faults: [Fault; 2]| {
        let world = World::paypal().await;
        let request = hosted_request();
        fake(&world).fail(&faults);
        let asked = until_answered(|| world.provider.authorise(&request)).await;
        fake(&world).act(|books| books.approve(&asked.id, Funding::Good));
        fake(&world).fail(&faults);
        let held = until_answered(|| world.provider.complete(&asked.id, "key/complete/1")).await;
        assert_eq!((held.status, &held.order_id), (IntentStatus::Held, &request.order_id), "{faults:?}");
        fake(&world).fail(&faults);
        let taken = until_answered(|| world.provider.capture(&asked.id, "key/capture/1")).await;
        assert_eq!((taken.status, taken.captured), (IntentStatus::Taken, 5_180), "{faults:?}");
        fake(&world).act(|books| assert_eq!(books.orders.len(), 1, "{faults:?}"));
        let lines = fake(&world).act(|books| books.balance());
        assert_eq!(lines, 5_180 - taken.fee.unwrap(), "{faults:?}: taken once");
    };
    futures::future::join_all(pairs().map(check)).await;
}

#[tokio::test]
async fn one_refund_and_one_void_whatever_goes_wrong() {
    let check = async |faults: [Fault; 2]| {
        let world = World::paypal().await;
        let taken = world.taken("4242424242424242").await;
        let request = RefundRequest {
            key: "ord_1/refund/1".into(),
            intent: taken.id.clone(),
            amount: 1_000,
            note: "sorry".into(),
        };
        fake(&world).fail(&faults);
        until_answered(|| world.provider.refund(&request)).await;
        fake(&world).forget_keys();
        until_answered(|| world.provider.refund(&request)).await;
        let refunds = fake(&world).act(|books| books.order(&taken.id).unwrap().refunds.clone());
        assert_eq!((refunds.len(), refunds[0].note.as_str()), (1, "sorry"), "{faults:?}");
        let held = world.held("4242424242424242").await;
        fake(&world).fail(&faults);
        let off = until_answered(|| world.provider.void(&held.id, "key/void/1")).await;
        assert_eq!(off.status, IntentStatus::Cancelled, "{faults:?}");
    };
    futures::future::join_all(pairs().map(check)).await;
}

#[tokio::test]
async fn a_token_is_kept_until_it_ends() {
    let world = World::paypal().await;
    let tokens = || fake(&world).count("POST /v1/oauth2/token");
    let request = hosted_request();
    for _ in 0..3 {
        world.provider.authorise(&request).await.unwrap();
    }
    assert_eq!(tokens(), 1);
    // PayPal takes it no longer: another is asked for, once, and the call goes on.
    fake(&world).end_tokens();
    world.provider.authorise(&request).await.unwrap();
    assert_eq!(tokens(), 2);
    // One that ends within the margin is not used a second time.
    fake(&world).end_tokens();
    fake(&world).tokens_last(60);
    world.provider.authorise(&request).await.unwrap();
    world.provider.authorise(&request).await.unwrap();
    assert_eq!(tokens(), 4);
}

#[tokio::test]
async fn many_calls_ask_for_one_token() {
    let world = World::paypal().await;
    let calls = (0..20).map(|_| world.provider.retrieve("5O0000000000000AA"));
    for answer in futures::future::join_all(calls).await {
        assert!(matches!(answer, Err(ProviderError::Invalid(_))), "{answer:?}");
    }
    assert_eq!(fake(&world).count("POST /v1/oauth2/token"), 1);
}

#[tokio::test]
async fn what_was_taken_or_held_by_another_request_is_seen() {
    let world = World::paypal().await;
    let request = Authorise { capture_on: CaptureOn::Acceptance, ..hosted_request() };
    let asked = world.provider.authorise(&request).await.unwrap();
    fake(&world).act(|books| books.approve(&asked.id, Funding::Good));
    let taken = world.provider.complete(&asked.id, "a").await.unwrap();
    // ORDER_ALREADY_CAPTURED under another request id.
    let again = world.provider.complete(&asked.id, "b").await.unwrap();
    assert_eq!((taken.status, again.status, again.captured), (IntentStatus::Taken, IntentStatus::Taken, 5_180));
    let captured = world.provider.capture(&asked.id, "c").await.unwrap();
    assert_eq!((captured.captured, captured.fee), (5_180, taken.fee));
    let off = world.provider.void(&asked.id, "d").await.unwrap();
    assert_eq!(off.status, IntentStatus::Taken);
    assert_eq!(fake(&world).act(|books| books.balance()), 5_180 - taken.fee.unwrap());
}

#[tokio::test]
async fn a_hold_can_be_taken_while_it_is_honored() {
    let world = World::paypal().await;
    let held = world.held("4242424242424242").await;
    let left = held.capture_before.unwrap() - now_ms();
    let days = 86_400_000;
    assert!((3 * days - 60_000..=3 * days).contains(&left), "{left}");
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_wrong_credentials_too() {
    let paypal = paypal_at("http://127.0.0.1:9");
    assert!(matches!(paypal.retrieve("5O1").await, Err(ProviderError::Unavailable)));
    let world = World::paypal().await;
    let config = app::provider::paypal::PayPalConfig {
        client_id: app::provider::Secret::new("somebody"),
        client_secret: app::provider::Secret::new("else"),
        webhook_id: "8PT".into(),
        url: fake(&world).url.clone(),
        timeout: std::time::Duration::from_secs(1),
    };
    let paypal = app::provider::PayPal::new(&config, now_ms).unwrap();
    assert!(matches!(paypal.retrieve("5O1").await, Err(ProviderError::Unavailable)));
}

#[tokio::test]
async fn only_what_paypal_sent_is_believed() {
    let world = World::paypal().await;
    let now = now_ms();
    // The order of the fields and the blanks are part of what is signed.
    let body = r#"{"id":"WH-1", "event_type":"CHECKOUT.ORDER.APPROVED","create_time":"2026-01-02T03:04:05Z","resource":{"id":"5O1"}}"#;
    let check = async |sent: Vec<(&'static str, String)>, body: &str, expected: Result<Subject, ReceiveError>| {
        let header = |name: &str| {
            let found = sent.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let received = world.provider.receive(Webhook { header: &header, body: body.as_bytes(), now }).await;
        assert_eq!(received.map(|event| event.subject), expected);
    };
    check(headers(body, now), body, Ok(Subject::Named("orders/5O1".into()))).await;
    let asked = || fake(&world).count("POST /v1/notifications/verify-webhook-signature");
    assert_eq!(asked(), 1);
    let other = body.replace("5O1", "5O2");
    check(headers(body, now), &other, Err(SignatureError::Mismatch.into())).await;
    assert_eq!(asked(), 2);
    // Neither of these is worth a question.
    check(headers(body, now - 301_000), body, Err(SignatureError::Stale.into())).await;
    check(Vec::new(), body, Err(SignatureError::Malformed.into())).await;
    check(headers("{", now), "{", Err(ReceiveError::Malformed)).await;
    check(headers("[]", now), "[]", Err(ReceiveError::Malformed)).await;
    assert_eq!(asked(), 2);
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    let log = Log::default();
    let guard = tracing::subscriber::set_default(log.clone());
    let world = World::paypal().await;
    for fault in FAULTS {
        fake(&world).fail(&[fault]);
        drop(world.provider.authorise(&hosted_request()).await);
    }
    fake(&world).end_tokens();
    drop(world.provider.authorise(&hosted_request()).await);
    drop(paypal_at("http://127.0.0.1:9").retrieve("5O1").await);
    drop(guard);
    let logged = log.text();
    assert!(logged.contains("the payment provider"), "nothing was logged at all");
    for secret in [CLIENT_SECRET, "A21AAToken", "QUNsaWVud"] {
        assert!(!logged.contains(secret), "{secret} stands in the log");
    }
}
