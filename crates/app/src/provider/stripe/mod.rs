//! Stripe: PaymentIntents with manual capture (<https://docs.stripe.com/api>).
//!
//! An intent is made first and confirmed after that. Making it holds nothing, so the same POST under the same key answers
//! at any time which intent a request whose answer was lost has made, without ever taking a customer's money: either it is
//! the one, or a new one that nobody confirms. Stripe's search by metadata alone could not tell, as it lags behind.

mod client;
mod lists;
mod token;

use std::time::Duration;

use async_trait::async_trait;

use super::http::is_safe;
use super::objects::{ATTEMPT, HOSTED, KEY, ORDER_ID, WireIntent, WireRefund, read_event};
use super::{
    Authorise, Card, Checkout, Event, Hosted, HostedForm, Intent, IntentStatus, Method, Movement, Movements, Page,
    PaymentProvider, ProviderError, ReceiveError, Refund, RefundRequest, Secret, Token, Webhook,
};
use crate::{SignatureError, signature};
use client::{CallError, Client, Fields, fields};
use lists::List;

/// Where Stripe is.
pub const STRIPE_URL: &str = "https://api.stripe.com";
/// The version of its API that this adapter was written for.
pub const STRIPE_VERSION: &str = "2025-04-30.basil";

/// Where the script is that shows Stripe's form; Stripe wants it loaded from there
/// (<https://docs.stripe.com/js/including>).
pub const SCRIPT: &str = "https://js.stripe.com/v3/";
/// What that script has to be allowed (<https://docs.stripe.com/security/guide#content-security-policy>).
const POLICY: &str = "script-src 'self' https://js.stripe.com https://*.js.stripe.com; \
                      frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com; \
                      connect-src 'self' https://api.stripe.com";

/// What has to be asked for to know the fee and the card.
const EXPAND: (&str, &str) = ("expand[]", "latest_charge.balance_transaction");
/// How many keys in a row may be spent on answers of 500.
const MAX_GENERATIONS: u32 = 3;

/// A key, and those that follow it when it is spent.
fn generations(key: &str) -> impl Iterator<Item = String> {
    (1..=MAX_GENERATIONS).map(move |generation| match generation {
        1 => key.to_owned(),
        _ => format!("{key}/{generation}"),
    })
}

/// How to reach Stripe, and as whom.
#[derive(Debug, Clone)]
pub struct StripeConfig {
    /// `sk_live_...`, `sk_test_...`, or a restricted key, `rk_...`.
    pub secret_key: Secret,
    /// What webhooks are signed with, `whsec_...`; several while one replaces another.
    pub webhook_secrets: Vec<Secret>,
    /// `pk_...`, with which the page shows Stripe's form; `None`: it shows none.
    pub publishable_key: Option<String>,
    /// Without a slash at its end; [`STRIPE_URL`] except for tests.
    pub url: String,
    /// As `2025-04-30.basil`.
    pub api_version: String,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Why Stripe cannot be used with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StripeConfigError {
    /// Empty, or none of Stripe's.
    #[error("the secret key must be one of Stripe's, `sk_...` or `rk_...`")]
    SecretKey,
    /// None, or an empty one.
    #[error("there must be a webhook secret, `whsec_...`; Stripe shows it with the endpoint")]
    WebhookSecret,
    /// None of Stripe's, or not of the mode of the secret key.
    #[error("the publishable key must be `pk_test_...` or `pk_live_...`, of the same mode as the secret key")]
    PublishableKey,
    /// Not `https://`, and not this machine.
    #[error("the address must begin with `https://`, or with `http://127.0.0.1` for a test")]
    Url,
    /// No date.
    #[error("the API version must read like `{STRIPE_VERSION}`")]
    ApiVersion,
}

impl StripeConfig {
    fn is_test(&self) -> bool {
        self.secret_key.as_str().contains("_test_")
    }

    fn check(&self) -> Result<(), StripeConfigError> {
        let key = self.secret_key.as_str();
        if !["sk_", "rk_"].iter().any(|prefix| key.starts_with(prefix)) || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(StripeConfigError::SecretKey);
        }
        if self.webhook_secrets.is_empty() || self.webhook_secrets.iter().any(|secret| secret.as_str().is_empty()) {
            return Err(StripeConfigError::WebhookSecret);
        }
        let is_test = self.is_test();
        let published = |key: &String| {
            let prefix = if is_test { "pk_test_" } else { "pk_live_" };
            key.starts_with(prefix) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        if self.publishable_key.as_ref().is_some_and(|key| !published(key)) {
            return Err(StripeConfigError::PublishableKey);
        }
        if !is_safe(&self.url) {
            return Err(StripeConfigError::Url);
        }
        if !self.api_version.starts_with("20") {
            return Err(StripeConfigError::ApiVersion);
        }
        Ok(())
    }
}

/// The payment provider Stripe.
pub struct Stripe {
    client: Client,
    webhook_secrets: Vec<Secret>,
    is_test: bool,
    publishable_key: Option<String>,
    clock: fn() -> i64,
}

impl Stripe {
    /// Stripe by that configuration. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`StripeConfigError`].
    pub fn new(config: &StripeConfig, clock: fn() -> i64) -> Result<Stripe, StripeConfigError> {
        config.check()?;
        Ok(Stripe {
            client: Client::new(config)?,
            webhook_secrets: config.webhook_secrets.clone(),
            is_test: config.is_test(),
            publishable_key: config.publishable_key.clone(),
            clock,
        })
    }

    /// Makes the intent of a request, or finds the one it made.
    async fn create(&self, request: &Authorise) -> Result<WireIntent, CallOrCard> {
        let mut form = fields([
            ("amount", &request.amount.to_string()),
            ("currency", &request.currency.to_ascii_lowercase()),
            (&format!("metadata[{ORDER_ID}]"), &request.order_id),
            (&format!("metadata[{ATTEMPT}]"), &request.attempt.to_string()),
            (&format!("metadata[{KEY}]"), &request.key),
        ]);
        match &request.method {
            Method::Card { token } => {
                form.extend(fields([("capture_method", "manual"), ("payment_method_types[]", "card")]));
                form.extend(token::fields(token).map_err(CallOrCard::Card)?);
            }
            // Cards, and the wallets that carry cards: only what can be held is taken later.
            Method::Hosted => form.extend(fields([
                ("capture_method", "manual"),
                ("payment_method_types[]", "card"),
                (&format!("metadata[{HOSTED}]"), "1"),
            ])),
            // A Pix is taken the moment it is paid.
            Method::Pix => form.extend(fields([
                ("payment_method_types[]", "pix"),
                ("payment_method_data[type]", "pix"),
                ("payment_method_options[pix][expires_at]", &(request.expires_at / 1000).to_string()),
            ])),
        }
        for key in generations(&request.key) {
            match self.client.post("/v1/payment_intents", &form, &key).await {
                // Whatever that key made, nobody confirms it.
                Err(CallError::Spent) => {}
                done => return done.map_err(CallOrCard::Call),
            }
        }
        Err(CallOrCard::Call(CallError::Unavailable))
    }

    async fn confirm(&self, intent: &str, request: &Authorise) -> Result<Intent, ProviderError> {
        let mut form = fields([EXPAND]);
        form.extend(request.return_url.clone().map(|url| ("return_url".to_owned(), url)));
        let path = format!("/v1/payment_intents/{intent}/confirm");
        for key in generations(&format!("{}/confirm", request.key)) {
            match self.client.post::<WireIntent>(&path, &form, &key).await {
                Ok(intent) => return Ok(intent.intent()),
                Err(CallError::Spent) => {
                    let found = self.retrieve(intent).await?;
                    let waits = found.action_url.is_some() || found.qr.is_some();
                    if found.status != IntentStatus::Pending || waits {
                        return Ok(found);
                    }
                }
                // Confirmed before: its state tells.
                Err(CallError::Refused(refusal)) if refusal.is_about_state() => return self.retrieve(intent).await,
                Err(CallError::Refused(mut refusal)) => match refusal.payment_intent.take() {
                    // A decline is no error but a status of the intent.
                    Some(declined) if refusal.kind == "card_error" => return Ok(declined.intent()),
                    _ => return Err(card_or_invalid(*refusal)),
                },
                Err(error) => return Err(error.into()),
            }
        }
        Err(ProviderError::Unavailable)
    }

    /// Moves an intent on by a call that its state allows once: a repeated one cannot have a second effect, so whatever is
    /// not clear is looked up.
    async fn advance(&self, intent: &str, verb: &str, key: &str) -> Result<Intent, ProviderError> {
        let path = format!("/v1/payment_intents/{}/{verb}", segment(intent)?);
        for key in generations(key) {
            let refusal = match self.client.post::<WireIntent>(&path, &fields([EXPAND]), &key).await {
                Ok(intent) => return Ok(intent.intent()),
                Err(CallError::Spent) => None,
                Err(CallError::Refused(refusal)) if refusal.is_about_state() => Some(refusal),
                Err(error) => return Err(error.into()),
            };
            let found = self.retrieve(intent).await?;
            let open = matches!(found.status, IntentStatus::Pending | IntentStatus::Held);
            match refusal {
                _ if !open => return Ok(found),
                Some(refusal) => return Err(ProviderError::Invalid(refusal.words())),
                None => {}
            }
        }
        Err(ProviderError::Unavailable)
    }

    /// The intent with that key in its metadata. Stripe's search lags up to a minute, and more in an outage.
    async fn search(&self, key: &str) -> Result<Option<Intent>, ProviderError> {
        let query = fields([
            ("query", &format!("metadata['{KEY}']:'{}'", key.replace(['\\', '\''], ""))),
            ("expand[]", "data.latest_charge.balance_transaction"),
        ]);
        match self.client.get::<List<WireIntent>>("/v1/payment_intents/search", &query).await {
            Ok(list) => Ok(list.data.into_iter().next().map(WireIntent::intent)),
            // Some countries have no search.
            Err(CallError::Refused(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The refund that a request made, however long ago.
    async fn refunded_before(&self, request: &RefundRequest) -> Result<Option<Refund>, ProviderError> {
        let mut after: Option<String> = None;
        loop {
            let mut query = fields([("payment_intent", &request.intent), ("limit", "100")]);
            query.extend(after.take().map(|after| ("starting_after".to_owned(), after)));
            let list: List<WireRefund> = self.client.get("/v1/refunds", &query).await?;
            let page = list.page(|refund| &refund.id, WireRefund::refund);
            if let Some(found) = page.items.into_iter().find(|refund| refund.key.as_ref() == Some(&request.key)) {
                if found.amount != request.amount {
                    return Err(ProviderError::Invalid("the idempotency key was used for another refund".into()));
                }
                return Ok(Some(found));
            }
            after = page.next;
            if after.is_none() {
                return Ok(None);
            }
        }
    }
}

/// Why an intent could not be made.
enum CallOrCard {
    Call(CallError),
    Card(ProviderError),
}

/// An id of Stripe's as a part of a path.
fn segment(id: &str) -> Result<&str, ProviderError> {
    let good = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if good { Ok(id) } else { Err(ProviderError::Invalid("that is no id of Stripe's".into())) }
}

/// A card that cannot be used is the customer's matter; everything else is ours.
fn card_or_invalid(refusal: client::Refusal) -> ProviderError {
    let about_card = refusal.param.as_deref().is_some_and(|param| param.starts_with("payment_method"));
    if about_card || refusal.kind == "card_error" {
        return ProviderError::Card {
            field: "token",
            problem: "The card cannot be used. Enter it again, or another one.",
        };
    }
    ProviderError::Invalid(refusal.words())
}

#[async_trait]
impl PaymentProvider for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn checkout(&self) -> Checkout {
        let form = self.publishable_key.clone();
        let form = form.map(|key| HostedForm { script: SCRIPT.into(), publishable_key: key, policy: POLICY });
        // A test key takes the numbers of Stripe's test cards.
        let card = self.is_test && form.is_none();
        Checkout { card, token: true, pix: true, hosted: form.map(|form| Hosted { method: "card", form: Some(form) }) }
    }

    async fn tokenise(&self, card: Card) -> Result<Token, ProviderError> {
        token::of_card(&card, self.is_test)
    }

    async fn authorise(&self, request: &Authorise) -> Result<Intent, ProviderError> {
        let made = match self.create(request).await {
            Ok(made) => made,
            Err(CallOrCard::Card(error)) => return Err(error),
            Err(CallOrCard::Call(CallError::Refused(refusal))) => return Err(card_or_invalid(*refusal)),
            Err(CallOrCard::Call(error)) => return Err(error.into()),
        };
        let id = segment(&made.id)?.to_owned();
        match request.method {
            // The customer's browser confirms it, in Stripe's form.
            Method::Hosted => Ok(made.intent()),
            Method::Card { .. } | Method::Pix => self.confirm(&id, request).await,
        }
    }

    async fn find(&self, request: &Authorise) -> Result<Option<Intent>, ProviderError> {
        // Stripe forgets keys after a day. By then its search knows.
        if (self.clock)() > request.expires_at
            && let Some(found) = self.search(&request.key).await?
        {
            return Ok(Some(found));
        }
        match self.create(request).await {
            // A replayed answer shows the intent as it was when it was made.
            Ok(made) => self.retrieve(&made.id).await.map(Some),
            Err(CallOrCard::Call(CallError::Refused(_)) | CallOrCard::Card(_)) => Ok(None),
            Err(CallOrCard::Call(error)) => Err(error.into()),
        }
    }

    async fn retrieve(&self, intent: &str) -> Result<Intent, ProviderError> {
        let path = format!("/v1/payment_intents/{}", segment(intent)?);
        Ok(self.client.get::<WireIntent>(&path, &fields([EXPAND])).await?.intent())
    }

    async fn capture(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        let after = self.advance(intent, "capture", key).await?;
        match after.status {
            IntentStatus::Taken => Ok(after),
            IntentStatus::Held => Err(ProviderError::Unavailable),
            _ => Err(ProviderError::Invalid("the hold is over; nothing can be captured".into())),
        }
    }

    async fn void(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        self.advance(intent, "cancel", key).await
    }

    async fn refund(&self, request: &RefundRequest) -> Result<Refund, ProviderError> {
        let form = fields([
            ("payment_intent", segment(&request.intent)?),
            ("amount", &request.amount.to_string()),
            (&format!("metadata[{KEY}]"), &request.key),
        ]);
        // Invariant: a refund is looked for before each request under a key that may be new to Stripe, so that neither a key
        // that it forgot (after a day) nor one that is spent makes a second refund.
        for key in generations(&request.key) {
            if let Some(refund) = self.refunded_before(request).await? {
                return Ok(refund);
            }
            match self.client.post::<WireRefund>("/v1/refunds", &form, &key).await {
                Ok(refund) => return Ok(refund.refund()),
                Err(CallError::Spent) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ProviderError::Unavailable)
    }

    async fn retrieve_refund(&self, refund: &str) -> Result<Refund, ProviderError> {
        let path = format!("/v1/refunds/{}", segment(refund)?);
        Ok(self.client.get::<WireRefund>(&path, &Fields::new()).await?.refund())
    }

    async fn receive(&self, webhook: Webhook<'_>) -> Result<Event, ReceiveError> {
        let header = (webhook.header)("stripe-signature");
        let mut outcome = Err(SignatureError::Mismatch);
        for secret in &self.webhook_secrets {
            match signature::verify(secret.as_str().as_bytes(), &header, webhook.body, webhook.now) {
                Err(SignatureError::Mismatch) => {}
                known => outcome = known,
            }
        }
        outcome?;
        read_event(webhook.body)
    }

    async fn events(&self, since: i64, after: Option<String>) -> Result<Option<Page<Event>>, ProviderError> {
        self.list_events(since, after).await.map(Some)
    }

    async fn books(&self, after: Option<String>) -> Result<Option<Page<Intent>>, ProviderError> {
        self.list_intents(after).await.map(Some)
    }

    async fn movements(&self, which: &Movements, after: Option<String>) -> Result<Page<Movement>, ProviderError> {
        self.list_movements(which, after).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> StripeConfig {
        StripeConfig {
            secret_key: Secret::new("sk_test_51SECRET"),
            webhook_secrets: vec![Secret::new(" whsec_SECRET\n")],
            publishable_key: None,
            url: STRIPE_URL.into(),
            api_version: STRIPE_VERSION.into(),
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?} {:?}", config(), config().secret_key);
        assert!(!shown.contains("SECRET"), "{shown}");
        let key = StripeConfig { secret_key: Secret::new("pk_test_SECRET"), ..config() };
        let error = Stripe::new(&key, || 0).err().unwrap();
        assert!(!format!("{error} {error:?}").contains("SECRET"));
    }

    #[test]
    fn a_configuration_that_cannot_work_is_refused() {
        #[track_caller]
        fn check(config: StripeConfig, expected: Option<StripeConfigError>) {
            assert_eq!(Stripe::new(&config, || 0).err(), expected);
        }
        check(config(), None);
        check(StripeConfig { url: "http://127.0.0.1:1".into(), ..config() }, None);
        for url in ["http://example.com", "http://127.0.0.1.example.com", "ftp://localhost", ""] {
            check(StripeConfig { url: url.into(), ..config() }, Some(StripeConfigError::Url));
        }
        check(StripeConfig { secret_key: Secret::new(""), ..config() }, Some(StripeConfigError::SecretKey));
        check(StripeConfig { secret_key: Secret::new("sk_a\nb"), ..config() }, Some(StripeConfigError::SecretKey));
        check(StripeConfig { webhook_secrets: Vec::new(), ..config() }, Some(StripeConfigError::WebhookSecret));
        check(
            StripeConfig { webhook_secrets: vec![Secret::new("")], ..config() },
            Some(StripeConfigError::WebhookSecret),
        );
        check(StripeConfig { publishable_key: Some("pk_test_51abc".into()), ..config() }, None);
        for key in ["", "sk_test_51abc", "pk_live_51abc", "pk_test_<script>"] {
            let config = StripeConfig { publishable_key: Some(key.into()), ..config() };
            check(config, Some(StripeConfigError::PublishableKey));
        }
        check(StripeConfig { api_version: "latest".into(), ..config() }, Some(StripeConfigError::ApiVersion));
    }
}
