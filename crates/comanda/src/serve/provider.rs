//! The payment provider of a configuration.

use std::path::Path;
use std::sync::Arc;

use app::provider::paypal::{PayPal, PayPalConfig};
use app::provider::stripe::{Stripe, StripeConfig};
use app::provider::{PaymentProvider, Secret};

use crate::config::{self, Config};
use crate::failure::{Failure, Kind};

/// Who takes the money; `None` for the simulator.
pub(super) fn real(config: &Config) -> Result<Option<Arc<dyn PaymentProvider>>, Failure> {
    match config.payment.provider.as_str() {
        "stripe" => Ok(Some(stripe(&config.stripe)?)),
        "paypal" => Ok(Some(paypal(&config.paypal)?)),
        _ => Ok(None),
    }
}

/// PayPal. Its secret comes from the configuration or from a file, which does not show up in a process list.
fn paypal(config: &config::PayPal) -> Result<Arc<PayPal>, Failure> {
    let client_secret = secret("paypal.client_secret", &config.client_secret, &config.client_secret_file)?;
    let config = PayPalConfig {
        client_id: Secret::new(&config.client_id),
        client_secret: Secret::new(&client_secret),
        webhook_id: config.webhook_id.trim().to_owned(),
        url: config.url.clone(),
        timeout: config.timeout.std(),
    };
    let paypal = PayPal::new(&config, store::clock::now_ms).map_err(|error| {
        let cure = "set `paypal.client_id`, `paypal.client_secret` (or its file) and `paypal.webhook_id`";
        Failure::new(Kind::Usage, format!("`payment.provider` is `paypal`, and it cannot be used: {error}; {cure}"))
    })?;
    Ok(Arc::new(paypal))
}

/// Stripe. Its secrets come from the configuration or from files, which do not show up in a process list.
fn stripe(config: &config::Stripe) -> Result<Arc<Stripe>, Failure> {
    let key = secret("stripe.secret_key", &config.secret_key, &config.secret_key_file)?;
    let webhooks = secret("stripe.webhook_secrets", &config.webhook_secrets, &config.webhook_secrets_file)?;
    let webhooks = webhooks.split([',', '\n']).map(str::trim).filter(|secret| !secret.is_empty());
    let config = StripeConfig {
        secret_key: Secret::new(&key),
        webhook_secrets: webhooks.map(Secret::new).collect(),
        publishable_key: Some(config.publishable_key.trim().to_owned()).filter(|key| !key.is_empty()),
        url: config.url.clone(),
        api_version: config.api_version.clone(),
        timeout: config.timeout.std(),
    };
    let stripe = Stripe::new(&config, store::clock::now_ms).map_err(|error| {
        let cure = "set `stripe.secret_key` and `stripe.webhook_secrets`, or the files that hold them";
        Failure::new(Kind::Usage, format!("`payment.provider` is `stripe`, and it cannot be used: {error}; {cure}"))
    })?;
    Ok(Arc::new(stripe))
}

fn secret(key: &str, text: &str, file: &Path) -> Result<String, Failure> {
    if file.as_os_str().is_empty() {
        return Ok(text.to_owned());
    }
    if !text.is_empty() {
        return Err(Failure::new(Kind::Usage, format!("set either `{key}` or `{key}_file`, not both")));
    }
    std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Kind::Usage, format!("`{key}_file`: cannot read `{}`: {error}", file.display())))
}
