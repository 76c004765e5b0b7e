//! Calling an order off.
use crate::commands::CancelOrder;
use crate::error::StoreError;
use crate::views::OrderView;
use crate::{App, Kind, Problem};

/// Why an order was not called off.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is no such order.
    #[error("there is no order `{0}`")]
    NotFound(String),
    /// It changed since it was read.
    #[error("the order changed since it was read; read it again and decide anew")]
    Stale,
    /// Too late.
    #[error("an order that is `{0}` cannot be cancelled")]
    TooLate(&'static str),
    /// Empty, too long, or with control characters.
    #[error("the reason must have 1 to 280 characters")]
    Reason,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for CancelError {
    fn kind(&self) -> Kind {
        match self {
            CancelError::NotFound(_) => Kind::NotFound,
            CancelError::Stale => Kind::Stale,
            CancelError::TooLate(_) => Kind::Conflict,
            CancelError::Reason => Kind::Invalid,
            CancelError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            CancelError::NotFound(_) => "not-found",
            CancelError::Stale => "stale-revision",
            CancelError::TooLate(_) => "not-cancellable",
            CancelError::Reason => "invalid-reason",
            CancelError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        matches!(self, CancelError::Reason).then(|| "/reason".into())
    }
}

impl App {
    /// Calls an order off: whatever it waits for fails, and its flow gives back money and stock in reverse.
    ///
    /// With `revision`, only if the order still has it.
    ///
    /// # Errors
    /// [`CancelError`].
    pub async fn cancel(&self, order_id: &str, command: CancelOrder, revision: Option<i64>) -> Result<OrderView, CancelError> {
        todo!()
    }
}
