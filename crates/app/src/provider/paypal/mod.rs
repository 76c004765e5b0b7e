//! PayPal: Orders v2 (<https://developer.paypal.com/docs/api/orders/v2/>).
//!
//! An order is made, the customer approves it on PayPal's page, and only then a call of ours holds or takes the amount. So
//! an order that nobody completes never costs the customer anything, approved or not. PayPal has no call that ends such an
//! order: one that we call off says so in its reference, and is not completed any more.

mod amount;
mod client;
mod lists;
mod objects;
mod webhook;

use std::time::Duration;

use async_trait::async_trait;
use domain::payment::CaptureOn;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::http::is_safe;
use super::{
    Authorise, Card, Checkout, Event, Hosted, Intent, IntentStatus, Method, Movement, Movements, Page, PaymentProvider,
    ProviderError, ReceiveError, Refund, RefundRequest, Secret, Subject, Token, Webhook,
};
use amount::WireMoney;
use client::{CallError, Client};
use objects::{WireOrder, WirePayment, WireRefund, code, reference};

/// Where PayPal is.
pub const PAYPAL_URL: &str = "https://api-m.paypal.com";

/// How often a call is decided anew because the order turned out to stand elsewhere.
const MAX_ROUNDS: usize = 3;
/// The longest note to a customer that PayPal takes.
const MAX_NOTE: usize = 255;
/// How many webhooks are verified at once: each costs a question to PayPal, and anybody can post one.
const MAX_CHECKS: usize = 16;

/// How to reach PayPal, and as whom.
#[derive(Debug, Clone)]
pub struct PayPalConfig {
    /// The client id of the app.
    pub client_id: Secret,
    /// Its secret.
    pub client_secret: Secret,
    /// The id of the webhook, by which PayPal verifies what it sent.
    pub webhook_id: String,
    /// Without a slash at its end; [`PAYPAL_URL`], or the sandbox's.
    pub url: String,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Why PayPal cannot be used with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayPalConfigError {
    /// One is empty, or has characters that neither has.
    #[error("there must be the client id and the secret of an app")]
    Credentials,
    /// None.
    #[error("there must be the id of the webhook; PayPal shows it with the app")]
    WebhookId,
    /// Not `https://`, and not this machine.
    #[error("the address must begin with `https://`, or with `http://127.0.0.1` for a test")]
    Url,
}

impl PayPalConfig {
    fn check(&self) -> Result<(), PayPalConfigError> {
        let good = |secret: &Secret| {
            let text = secret.as_str();
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b':')
        };
        if !good(&self.client_id) || !good(&self.client_secret) {
            return Err(PayPalConfigError::Credentials);
        }
        if segment(&self.webhook_id).is_err() {
            return Err(PayPalConfigError::WebhookId);
        }
        if is_safe(&self.url) { Ok(()) } else { Err(PayPalConfigError::Url) }
    }
}

/// The payment provider PayPal.
pub struct PayPal {
    client: Client,
    webhook_id: String,
    checks: Semaphore,
    clock: fn() -> i64,
}

/// An id of PayPal's as a part of a path.
fn segment(id: &str) -> Result<&str, ProviderError> {
    let good = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if good { Ok(id) } else { Err(ProviderError::Invalid("that is no id of PayPal's".into())) }
}

impl PayPal {
    /// PayPal by that configuration. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`PayPalConfigError`].
    pub fn new(config: &PayPalConfig, clock: fn() -> i64) -> Result<PayPal, PayPalConfigError> {
        config.check()?;
        let client = Client::new(config)?;
        Ok(PayPal { client, webhook_id: config.webhook_id.clone(), checks: Semaphore::new(MAX_CHECKS), clock })
    }

    async fn order(&self, id: &str) -> Result<WireOrder, CallError> {
        self.client.get(&format!("/v2/checkout/orders/{id}")).await
    }

    /// Makes the order of a request, or finds the one it made.
    async fn create(&self, request: &Authorise) -> Result<Intent, ProviderError> {
        if request.method != Method::Hosted {
            return Err(ProviderError::Card {
                field: "type",
                problem: "this shop is paid with PayPal, on PayPal's page: send `{\"type\": \"hosted\"}`",
            });
        }
        let intent = match request.capture_on {
            CaptureOn::Acceptance => "CAPTURE",
            CaptureOn::Dispatch => "AUTHORIZE",
        };
        let mut experience = json!({ "user_action": "PAY_NOW", "shipping_preference": "NO_SHIPPING" });
        if let (Some(url), Some(fields)) = (&request.return_url, experience.as_object_mut()) {
            fields.insert("return_url".into(), url.as_str().into());
            fields.insert("cancel_url".into(), url.as_str().into());
        }
        let body = json!({
            "intent": intent,
            "purchase_units": [{
                "custom_id": reference(&request.order_id, request.attempt, false),
                "amount": WireMoney::of(request.amount, &request.currency)?,
            }],
            "payment_source": { "paypal": { "experience_context": experience } },
        });
        let made: WireOrder = self.client.post("/v2/checkout/orders", &body, &request.key).await?;
        let intent = made.intent();
        if (intent.amount, &intent.currency) != (request.amount, &request.currency) {
            return Err(ProviderError::Invalid("the idempotency key was used for another order".into()));
        }
        Ok(intent)
    }

    /// Marks an order that nothing was moved for as called off; `false` if it stands elsewhere by now.
    async fn call_off(&self, order: &WireOrder) -> Result<bool, ProviderError> {
        let Intent { order_id, attempt, .. } = order.intent();
        let patch = json!([{
            "op": "replace",
            "path": "/purchase_units/@reference_id=='default'/custom_id",
            "value": reference(&order_id, attempt, true),
        }]);
        match self.client.patch(&format!("/v2/checkout/orders/{}", segment(&order.id)?), &patch).await {
            Ok(()) => Ok(true),
            Err(CallError::Refused(refusal)) if refusal.is_about_state() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes what an order holds: the capture, or `None` if the order stands elsewhere by now.
    async fn take(&self, order: &WireOrder, key: &str) -> Result<Option<WirePayment>, ProviderError> {
        let Some(hold) = order.authorization() else { return Ok(None) };
        let path = format!("/v2/payments/authorizations/{}/capture", segment(&hold.id)?);
        let body = json!({ "amount": hold.amount(), "final_capture": true });
        match self.client.post::<WirePayment>(&path, &body, key).await {
            Ok(capture) if capture.is_taken() => Ok(Some(capture)),
            Ok(capture) if capture.is_pending() => {
                tracing::warn!(reason = capture.reason(), "PayPal looks at a capture before it gives the money");
                Err(ProviderError::Unavailable)
            }
            Ok(capture) => Err(ProviderError::Invalid(format!("PayPal declined to capture: {}", capture.reason()))),
            Err(CallError::Refused(refusal)) if refusal.is_about_state() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// An order that PayPal has forgotten: nobody can pay it any more.
fn forgotten(id: &str) -> Intent {
    WireOrder { id: id.to_owned(), status: "VOIDED".into(), ..WireOrder::default() }.intent()
}

#[async_trait]
impl PaymentProvider for PayPal {
    fn name(&self) -> &'static str {
        "paypal"
    }

    fn checkout(&self) -> Checkout {
        let hosted = Some(Hosted { method: "paypal", form: None });
        Checkout { card: false, token: false, pix: false, hosted }
    }

    async fn tokenise(&self, _card: Card) -> Result<Token, ProviderError> {
        Err(ProviderError::Card {
            field: "number",
            problem: "this shop takes no card numbers: it is paid with PayPal, send `{\"type\": \"hosted\"}`",
        })
    }

    async fn authorise(&self, request: &Authorise) -> Result<Intent, ProviderError> {
        self.create(request).await
    }

    async fn complete(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        let order = self.order(segment(intent)?).await?;
        let found = order.intent();
        if found.status != IntentStatus::Approved {
            return Ok(found);
        }
        let verb = if order.intent == "CAPTURE" { "capture" } else { "authorize" };
        match self.client.post::<WireOrder>(&format!("/v2/checkout/orders/{intent}/{verb}"), &json!({}), key).await {
            Ok(done) => {
                let done = done.intent();
                // What the answer leaves out does not change by completing it.
                Ok(Intent { order_id: found.order_id, attempt: found.attempt, amount: found.amount, ..done })
            }
            Err(CallError::Refused(refusal)) if refusal.is_about_state() => self.retrieve(intent).await,
            Err(CallError::Refused(refusal)) if !refusal.is_missing() => {
                let failure = Some((code(refusal.issue()), refusal.message().unwrap_or_default().to_owned()));
                Ok(Intent { status: IntentStatus::Refused, failure, ..found })
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn find(&self, request: &Authorise) -> Result<Option<Intent>, ProviderError> {
        match self.create(request).await {
            // A replayed answer may show the order as it was when it was made.
            Ok(made) => self.retrieve(&made.id).await.map(Some),
            Err(ProviderError::Card { .. } | ProviderError::Invalid(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn retrieve(&self, intent: &str) -> Result<Intent, ProviderError> {
        Ok(self.order(segment(intent)?).await?.intent())
    }

    async fn capture(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        for _ in 0..MAX_ROUNDS {
            let order = self.order(segment(intent)?).await?;
            match order.intent().status {
                IntentStatus::Taken => return Ok(order.intent()),
                IntentStatus::Held => {
                    if let Some(capture) = self.take(&order, key).await? {
                        return Ok(order.with_capture(capture).intent());
                    }
                }
                _ => return Err(ProviderError::Invalid("the hold is over; nothing can be captured".into())),
            }
        }
        Err(ProviderError::Invalid("the hold cannot be captured any more".into()))
    }

    async fn void(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        for _ in 0..MAX_ROUNDS {
            let order = match self.order(segment(intent)?).await {
                Ok(order) => order,
                // PayPal forgets orders that nobody approves in time.
                Err(CallError::Refused(refusal)) if refusal.is_missing() => return Ok(forgotten(intent)),
                Err(error) => return Err(error.into()),
            };
            let found = order.intent();
            let cancelled = Intent { status: IntentStatus::Cancelled, action_url: None, ..found.clone() };
            match (found.status, order.authorization(), order.captures().next()) {
                (IntentStatus::Held | IntentStatus::Pending, Some(hold), None) => {
                    let path = format!("/v2/payments/authorizations/{}/void", segment(&hold.id)?);
                    match self.client.post::<Value>(&path, &json!({}), key).await {
                        Ok(_) => return Ok(cancelled),
                        Err(CallError::Refused(refusal)) if refusal.is_about_state() => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                (IntentStatus::Pending | IntentStatus::Approved, None, None) => {
                    if self.call_off(&order).await? {
                        return Ok(cancelled);
                    }
                }
                _ => return Ok(found),
            }
        }
        Err(ProviderError::Unavailable)
    }

    async fn refund(&self, request: &RefundRequest) -> Result<Refund, ProviderError> {
        let order = self.order(segment(&request.intent)?).await?;
        // Invariant: a refund is looked for before it is asked for, so that a key that PayPal forgot makes no second one.
        let known = order.refunds().map(|refund| refund.refund(&request.intent));
        if let Some(known) = known.into_iter().find(|refund| refund.key.as_ref() == Some(&request.key)) {
            if known.amount != request.amount {
                return Err(ProviderError::Invalid("the idempotency key was used for another refund".into()));
            }
            return Ok(known);
        }
        let Some(capture) = order.captures().find(|capture| capture.is_taken()) else {
            return Err(ProviderError::Invalid("nothing was captured that could go back".into()));
        };
        let mut body = json!({
            "amount": WireMoney::of(request.amount, &order.intent().currency)?,
            "custom_id": request.key,
        });
        if let (false, Some(fields)) = (request.note.is_empty(), body.as_object_mut()) {
            fields.insert("note_to_payer".into(), request.note.chars().take(MAX_NOTE).collect::<String>().into());
        }
        let path = format!("/v2/payments/captures/{}/refund", segment(&capture.id)?);
        let made: WireRefund = self.client.post(&path, &body, &request.key).await?;
        let made = made.refund(&request.intent);
        if made.amount != request.amount {
            return Err(ProviderError::Invalid("the idempotency key was used for another refund".into()));
        }
        Ok(Refund { key: Some(request.key.clone()), ..made })
    }

    async fn retrieve_refund(&self, refund: &str) -> Result<Refund, ProviderError> {
        match self.named(&format!("refunds/{}", segment(refund)?)).await? {
            Subject::Refund(refund) => Ok(refund),
            _ => Err(ProviderError::Invalid("that is no refund of an order".into())),
        }
    }

    async fn receive(&self, webhook: Webhook<'_>) -> Result<Event, ReceiveError> {
        self.verified(webhook).await
    }

    async fn events(&self, since: i64, after: Option<String>) -> Result<Option<Page<Event>>, ProviderError> {
        self.list_events(since, after).await.map(Some)
    }

    async fn look_up(&self, name: &str) -> Result<Subject, ProviderError> {
        self.named(name).await
    }

    /// PayPal has no list of orders.
    async fn books(&self, _after: Option<String>) -> Result<Option<Page<Intent>>, ProviderError> {
        Ok(None)
    }

    async fn movements(&self, which: &Movements, after: Option<String>) -> Result<Page<Movement>, ProviderError> {
        self.list_movements(which, after).await
    }

    async fn trace(&self, line: Movement) -> Result<Movement, ProviderError> {
        self.traced(line).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> PayPalConfig {
        PayPalConfig {
            client_id: Secret::new("AClientIdSECRET"),
            client_secret: Secret::new(" EClientSECRET\n"),
            webhook_id: "8PT597110X687430LKGECATA".into(),
            url: PAYPAL_URL.into(),
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_configuration_that_cannot_work_is_refused() {
        #[track_caller]
        fn check(config: PayPalConfig, expected: Option<PayPalConfigError>) {
            assert!(!format!("{config:?}").contains("SECRET"));
            assert_eq!(PayPal::new(&config, || 0).err(), expected);
        }
        check(config(), None);
        check(PayPalConfig { client_id: Secret::new(""), ..config() }, Some(PayPalConfigError::Credentials));
        check(PayPalConfig { client_secret: Secret::new("a\nb"), ..config() }, Some(PayPalConfigError::Credentials));
        check(PayPalConfig { client_id: Secret::new("a:b"), ..config() }, Some(PayPalConfigError::Credentials));
        check(PayPalConfig { webhook_id: String::new(), ..config() }, Some(PayPalConfigError::WebhookId));
        check(PayPalConfig { url: "http://example.com".into(), ..config() }, Some(PayPalConfigError::Url));
    }
}
