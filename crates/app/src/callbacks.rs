//! The courier's callbacks.
use crate::error::StoreError;
use crate::{App, Kind, Problem, SignatureError, WebhookOutcome};

/// Why a callback was not handled.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// The signature is not good.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The body is not a callback.
    #[error("the body must read `id`, `deliveryId` and `event` (`picked_up` or `delivered`)")]
    Malformed,
    /// There is no such delivery.
    #[error("there is no delivery `{0}`")]
    NotFound(String),
    /// The store failed; send it again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for CallbackError {
    fn kind(&self) -> Kind {
        match self {
            CallbackError::Signature(_) => Kind::Unauthenticated,
            CallbackError::Malformed => Kind::Invalid,
            CallbackError::NotFound(_) => Kind::NotFound,
            CallbackError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            CallbackError::Signature(SignatureError::Malformed) => "malformed-signature",
            CallbackError::Signature(SignatureError::Stale) => "stale-signature",
            CallbackError::Signature(SignatureError::Mismatch) => "invalid-signature",
            CallbackError::Malformed => "invalid-body",
            CallbackError::NotFound(_) => "not-found",
            CallbackError::Store(error) => error.code(),
        }
    }
}

impl App {
    /// Handles a courier's callback: signature over the raw bytes, each callback id once, forward only.
    ///
    /// # Errors
    /// [`CallbackError`].
    pub async fn delivery_callback(&self, signature: &str, body: &[u8]) -> Result<WebhookOutcome, CallbackError> {
        todo!()
    }
}
