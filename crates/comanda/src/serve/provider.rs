//! The payment provider of a configuration.

use std::path::Path;
use std::sync::Arc;

use app::provider::stripe::{Secret, Stripe, StripeConfig};

use crate::config;
use crate::failure::{Failure, Kind};

/// Stripe. Its secrets come from the configuration or from files, which do not show up in a process list.
pub(super) fn stripe(config: &config::Stripe) -> Result<Arc<Stripe>, Failure> {
    let key = secret("stripe.secret_key", &config.secret_key, &config.secret_key_file)?;
    let webhooks = secret("stripe.webhook_secrets", &config.webhook_secrets, &config.webhook_secrets_file)?;
    let webhooks = webhooks.split([',', '\n']).map(str::trim).filter(|secret| !secret.is_empty());
    let config = StripeConfig {
        secret_key: Secret::new(&key),
        webhook_secrets: webhooks.map(Secret::new).collect(),
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
