//! What a function is given by its environment: `COMANDA_*` variables, secrets, and the application over DynamoDB.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app::provider::paypal::{PAYPAL_URL, PayPal, PayPalConfig};
use app::provider::stripe::{STRIPE_URL, STRIPE_VERSION, Stripe, StripeConfig};
use app::provider::{PaymentProvider, Secret};
use app::{App, Ports, Secrets, Settings};
use domain::Currency;
use domain::receipt::Merchant;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;
use store::{OpenError, Schema, Store};

use super::absent::Absent;
use super::news::Topic;
use super::sender::Sender;
use super::spans::Exporter;
use crate::client::{Aws, CallError, SECRETS};
use crate::documents::Documents;
use crate::keys::{DATA_KEYS, KMS, Keyring};
use crate::layout::{Expiry, LayoutError};
use crate::mail::SesMailer;
use crate::outbox::{Outbox, Routes};
use crate::{DynamoStore, step};

/// Who takes the money. Without it nothing starts: the simulator must never stand in by mistake.
const PAYMENT_PROVIDER: &str = "COMANDA_PAYMENT_PROVIDER";
/// How many milliseconds a day has.
const DAY_MS: i64 = 86_400_000;

/// How long one request to the payment provider may take: shorter than any function that makes one.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A variable, or a part of an answer.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A variable that cannot be read.
    #[error("`{0}` cannot be read: {1}")]
    Malformed(&'static str, String),
    /// The handler names something that there is not.
    #[error("there is no {0}; the handler's name and this program do not belong together")]
    Unknown(String),
    /// The runtime API of Lambda.
    #[error("the runtime API does not answer: {0}")]
    Runtime(#[source] reqwest::Error),
    /// See [`crate::client::SetupError`].
    #[error(transparent)]
    Aws(#[from] crate::client::SetupError),
    /// The secrets.
    #[error("the secret cannot be read: {0}")]
    Secret(#[source] Box<CallError>),
    /// The tables.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The application.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl SetupError {
    /// Whether it may pass: what has to be read could not be. To a flow it is [`SetupError::name`] like that of any other call.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, SetupError::Runtime(_) | SetupError::Aws(_) | SetupError::Secret(_) | SetupError::Open(_))
    }

    /// What flows know it by. `StoreUnavailable` is tried again by every Retry; what no repetition mends must not be taken for
    /// it.
    pub(super) fn name(&self) -> &'static str {
        if self.may_pass() { "StoreUnavailable" } else { "SetupFailed" }
    }
}

/// What all entries share.
pub struct Environment {
    pub(super) app: App,
    /// Below what the application sees of its store.
    pub(super) store: Arc<dyn Store>,
    pub(super) outbox: Outbox,
    /// Where changes of orders are told of.
    pub(super) topic: Option<Topic>,
    /// Where spans go.
    pub(super) exporter: Option<Exporter>,
    /// For task tokens of an engine that never runs here.
    pub(super) token_key: [u8; 32],
    /// The dimension of the figures.
    pub(super) stage: String,
    pub(super) namespace: String,
}

#[derive(Deserialize)]
struct Master {
    key: String,
}

/// The secret of the payment provider, as deploy/parts/keys.yaml writes it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Provider {
    /// Stripe's secret key; the secret of PayPal's app.
    api_key: String,
    /// What Stripe signs webhooks with; the id of PayPal's webhook.
    webhook_secret: String,
    /// What everybody may see: Stripe's publishable key, PayPal's client id.
    client_id: String,
}

impl Provider {
    fn stripe(&self) -> Result<Stripe, SetupError> {
        let config = StripeConfig {
            secret_key: Secret::new(&self.api_key),
            webhook_secrets: vec![Secret::new(&self.webhook_secret)],
            publishable_key: Some(self.client_id.clone()).filter(|key| !key.is_empty()),
            url: STRIPE_URL.into(),
            api_version: STRIPE_VERSION.into(),
            timeout: PROVIDER_TIMEOUT,
        };
        Stripe::new(&config, store::clock::now_ms).map_err(unusable_keys)
    }

    fn paypal(&self) -> Result<PayPal, SetupError> {
        let config = PayPalConfig {
            client_id: Secret::new(&self.client_id),
            client_secret: Secret::new(&self.api_key),
            webhook_id: self.webhook_secret.clone(),
            url: PAYPAL_URL.into(),
            timeout: PROVIDER_TIMEOUT,
        };
        PayPal::new(&config, store::clock::now_ms).map_err(unusable_keys)
    }
}

fn unusable_keys(error: impl std::fmt::Display) -> SetupError {
    SetupError::Malformed("COMANDA_PROVIDER_SECRETS", error.to_string())
}

/// The payment provider of that name; `None` for the simulator. The same name in all functions, for records and accounts
/// carry it; but only those that are given its keys can call it.
fn payment_provider(name: &str, keys: Option<&Provider>) -> Result<Option<Arc<dyn PaymentProvider>>, SetupError> {
    Ok(match (name, keys) {
        ("simulator", _) => None,
        ("stripe", Some(keys)) => Some(Arc::new(keys.stripe()?)),
        ("stripe", None) => Some(Arc::new(Absent("stripe"))),
        ("paypal", Some(keys)) => Some(Arc::new(keys.paypal()?)),
        ("paypal", None) => Some(Arc::new(Absent("paypal"))),
        (other, _) => {
            let problem = format!("`{other}` is unknown; there are simulator, stripe and paypal");
            return Err(SetupError::Malformed(PAYMENT_PROVIDER, problem));
        }
    })
}

impl Environment {
    /// Reads the variables and the secrets, and opens the application.
    ///
    /// # Errors
    /// [`SetupError`].
    pub async fn from_variables() -> Result<Environment, SetupError> {
        let aws = Aws::from_environment()?;
        let master: Master = secret(&aws, &required("COMANDA_SECRETS")?).await?;
        let master = parse_key(&master.key).ok_or_else(|| {
            SetupError::Malformed("COMANDA_SECRETS", "the key must be 64 hexadecimal digits".to_owned())
        })?;
        let mut secrets = Secrets::new(&derive(&master, "comanda/application/1"));
        let keys: Option<Provider> = match variable("COMANDA_PROVIDER_SECRETS") {
            Some(id) => Some(secret(&aws, &id).await?),
            None => None,
        };
        if let Some(keys) = keys.as_ref().filter(|keys| !keys.webhook_secret.is_empty()) {
            secrets = secrets.with_webhook_secret(&keys.webhook_secret);
        }
        let settings = settings()?;
        let expiries = expiries(settings.keep_keys_days);
        let table = required("COMANDA_TABLE")?;
        let store = DynamoStore::new(aws.clone(), &table, &schema()?, expiries)?;
        let store: Arc<dyn Store> = match variable("COMANDA_KMS_KEY") {
            Some(key) => {
                let keyring = Keyring::new(aws.clone(), aws.endpoint(KMS.name), &key, &table, store::clock::now_ms);
                Arc::new(store.with_keys(keyring))
            }
            None => Arc::new(store),
        };
        let documents = Documents::new(&aws, &required("COMANDA_BUCKET")?)
            .map_err(|error| SetupError::Malformed("COMANDA_BUCKET", error.to_string()))?;
        let mut ports = Ports::embedded(store.clone(), documents.objects(), &secrets, &settings);
        ports.links = Some(Arc::new(documents));
        ports.sender = Arc::new(Sender::new().map_err(crate::client::SetupError::Client)?);
        if let Some(provider) = payment_provider(&required(PAYMENT_PROVIDER)?, keys.as_ref())? {
            ports.provider = provider;
            ports.simulator = None;
        }
        if !settings.mail_from.is_empty() {
            ports.mailer = Some(Arc::new(SesMailer::new(aws.clone(), variable("COMANDA_MAIL_CONFIGURATION"))));
        }
        let public_url = settings.public_url.clone();
        let app = App::open(ports, secrets, settings).await?;
        if !public_url.is_empty() {
            app.set_callback_base(&public_url);
        }
        let routes = Routes { queues: map("COMANDA_QUEUES")?, machines: map("COMANDA_STATE_MACHINES")? };
        let stage = variable("COMANDA_STAGE").unwrap_or_else(|| "test".into());
        Ok(Environment {
            app,
            store,
            topic: variable("COMANDA_EVENTS_TOPIC").map(|arn| Topic::new(aws.clone(), &arn)),
            exporter: Exporter::from_variables(aws.clone(), &stage),
            outbox: Outbox::new(aws, routes),
            token_key: derive(&master, "comanda/task-tokens/1"),
            stage,
            namespace: variable("COMANDA_METRICS_NAMESPACE").unwrap_or_else(|| "Comanda".into()),
        })
    }
}

/// The tables of this deployment: the embedded engine's are there too, and stay empty.
fn schema() -> Result<Schema, SetupError> {
    let own: [&'static store::Table; 2] = [&step::STEPS, &DATA_KEYS];
    let tables = app::tables().into_iter().chain(runtime::tables()).chain(own).collect();
    Schema::new(app::SCHEMA_VERSION, tables).map_err(|error| SetupError::Malformed("the tables", error.to_string()))
}

/// What DynamoDB forgets: a day later than the application would.
pub(crate) fn expiries(keep_keys_days: i64) -> Vec<Expiry> {
    let day = |table| Expiry { table, column: "day", unit_ms: DAY_MS, keep_ms: (keep_keys_days.max(1) + 2) * DAY_MS };
    vec![day("idempotency_keys"), day("received_events"), step::EXPIRY]
}

fn settings() -> Result<Settings, SetupError> {
    let defaults = Settings::default();
    let text = |name: &str, default: String| variable(name).unwrap_or(default);
    let currency = match variable("COMANDA_MERCHANT_CURRENCY") {
        Some(code) => {
            Currency::from_code(&code).ok_or_else(|| SetupError::Malformed("COMANDA_MERCHANT_CURRENCY", code))?
        }
        None => defaults.currency,
    };
    Ok(Settings {
        merchant: Merchant {
            name: text("COMANDA_MERCHANT_NAME", defaults.merchant.name),
            tax_id: text("COMANDA_MERCHANT_TAX_ID", defaults.merchant.tax_id),
            address: text("COMANDA_MERCHANT_ADDRESS", defaults.merchant.address),
        },
        time_zone: text("COMANDA_MERCHANT_TIME_ZONE", defaults.time_zone),
        currency,
        public_url: text("COMANDA_PUBLIC_URL", String::new()).trim_end_matches('/').to_owned(),
        mail_from: text("COMANDA_MAIL_FROM", String::new()),
        shared: true,
        ..Settings::default()
    })
}

pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn required(name: &'static str) -> Result<String, SetupError> {
    variable(name).ok_or(SetupError::Missing(name))
}

fn map(name: &'static str) -> Result<BTreeMap<String, String>, SetupError> {
    let text = variable(name).unwrap_or_else(|| "{}".into());
    serde_json::from_str(&text).map_err(|error| SetupError::Malformed(name, error.to_string()))
}

/// The JSON of a secret.
async fn secret<T: serde::de::DeserializeOwned>(aws: &Aws, id: &str) -> Result<T, SetupError> {
    let call = json!({ "SecretId": id });
    let answer = aws.call(SECRETS, &aws.endpoint(SECRETS.name), "GetSecretValue", &call).await;
    let answer = answer.map_err(|error| SetupError::Secret(Box::new(error)))?;
    let text = answer.get("SecretString").and_then(serde_json::Value::as_str).unwrap_or_default();
    // The parser's words could repeat a part of the secret.
    serde_json::from_str(text)
        .map_err(|_| SetupError::Malformed("the secret", "it is no JSON of the right shape".into()))
}

/// The key for a purpose, as the embedded server derives it: HKDF-Expand (RFC 5869) of one block, with the label as info.
fn derive(master: &[u8], label: &str) -> [u8; 32] {
    // HMAC fills a key up to its block with zeros (RFC 2104, section 2).
    let mut block = [0; 64];
    block.iter_mut().zip(master).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(label.as_bytes());
    mac.update(&[1]);
    mac.finalize().into_bytes().into()
}

fn parse_key(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    digits.chunks_exact(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_never_replaced_by_another() {
        let keys = |key: &str| Provider {
            api_key: key.into(),
            webhook_secret: "whsec_0123456789".into(),
            client_id: "pk_test_0123456789".into(),
        };
        let name = |name: &str, keys: Option<&Provider>| {
            payment_provider(name, keys).map(|provider| provider.map(|provider| provider.name())).map_err(|_| ())
        };
        assert_eq!(name("simulator", None), Ok(None));
        for (provider, key) in [("stripe", "sk_test_0123456789"), ("paypal", "0123456789")] {
            assert_eq!(name(provider, Some(&keys(key))), Ok(Some(provider)));
            assert_eq!(name(provider, None), Ok(Some(provider)), "a function without the right still starts");
            assert_eq!(name(provider, Some(&keys(""))), Err(()), "an empty key is no key");
        }
        assert_eq!(name("other", Some(&keys("x"))), Err(()));
    }

    #[tokio::test]
    async fn a_function_without_keys_calls_nobody() {
        let provider = payment_provider("stripe", None).unwrap().unwrap();
        assert_eq!(provider.capture("pi_1", "key").await, Err(app::provider::ProviderError::Unavailable));
    }
}
