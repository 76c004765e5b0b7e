//! The payment provider's webhooks.

use crate::error::StoreError;
use crate::provider::{ReceiveError, Webhook};
use crate::{App, Kind, Problem, SignatureError};

/// What a webhook or callback did. All of them are answered with success, so that the sender does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookOutcome {
    /// Something changed.
    Applied,
    /// This event was handled before.
    Duplicate,
    /// Old news, or a kind of event that we do not follow.
    Ignored,
    /// Amount, currency or order differ from our record: nothing was believed, a person has to look.
    Mismatch,
}

/// Why a webhook was not handled.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No such provider.
    #[error("there is no provider `{0}`")]
    UnknownProvider(String),
    /// The signature is not good.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The body is not an event.
    #[error("the body is not an event of this provider")]
    Malformed,
    /// Nobody can say now whether it is genuine; send it again.
    #[error("the payment provider is unavailable; send it again")]
    Provider,
    /// The store failed; send it again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReceiveError> for WebhookError {
    fn from(error: ReceiveError) -> WebhookError {
        match error {
            ReceiveError::Signature(error) => WebhookError::Signature(error),
            ReceiveError::Malformed => WebhookError::Malformed,
            ReceiveError::Unavailable => WebhookError::Provider,
        }
    }
}

impl Problem for WebhookError {
    fn kind(&self) -> Kind {
        match self {
            WebhookError::UnknownProvider(_) => Kind::NotFound,
            WebhookError::Signature(_) => Kind::Unauthenticated,
            WebhookError::Malformed => Kind::Invalid,
            WebhookError::Provider => Kind::Unavailable,
            WebhookError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            WebhookError::UnknownProvider(_) => "not-found",
            WebhookError::Signature(SignatureError::Malformed) => "malformed-signature",
            WebhookError::Signature(SignatureError::Stale) => "stale-signature",
            WebhookError::Signature(SignatureError::Mismatch) => "invalid-signature",
            WebhookError::Malformed => "invalid-body",
            WebhookError::Provider => "provider-unavailable",
            WebhookError::Store(error) => error.code(),
        }
    }
}

impl App {
    /// Handles a webhook: signature over the raw bytes first, then the event's id, then amount and currency against our
    /// record, then the one transition that browser, webhook and poller share. Returns once that is durable.
    ///
    /// `header` gives the value of a header by its lower-case name, empty if it is absent.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn provider_webhook(
        &self,
        provider: &str,
        header: &(dyn Fn(&str) -> String + Send + Sync),
        body: &[u8],
    ) -> Result<WebhookOutcome, WebhookError> {
        if provider != self.provider.name() {
            return Err(WebhookError::UnknownProvider(provider.chars().take(32).collect()));
        }
        let event = self.provider.receive(Webhook { header, body, now: self.now() }).await?;
        let outcome = self.take_event(provider, &event).await?;
        if outcome == WebhookOutcome::Mismatch {
            tracing::warn!(event = event.id, "a webhook does not match our records");
        }
        Ok(outcome)
    }
}
