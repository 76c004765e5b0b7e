//! Paying again after a refusal, and the simulator's customer side.
use crate::commands::PayOrder;
use crate::error::StoreError;
use crate::views::PaymentView;
use crate::{App, FindError, Kind, Problem};

/// Why a payment was not taken up.
#[derive(Debug, thiserror::Error)]
pub enum PayError {
    /// There is no such order.
    #[error("there is no order `{0}`")]
    NotFound(String),
    /// It is not waiting for another try.
    #[error("the payment is `{0}`; only a refused payment of an unpaid order can be tried again")]
    NotPayable(&'static str),
    /// Too many tries.
    #[error("the payment was tried `{0}` times; place a new order")]
    TooManyAttempts(i64),
    /// Too late.
    #[error("the time to pay is over; place a new order")]
    Expired,
    /// Something about the card.
    #[error("{problem}")]
    Card {
        /// The field of the method.
        field: &'static str,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// The provider cannot be reached.
    #[error("the payment provider is unavailable; try again")]
    Provider,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for PayError {
    fn kind(&self) -> Kind {
        match self {
            PayError::NotFound(_) => Kind::NotFound,
            PayError::NotPayable(_) | PayError::TooManyAttempts(_) | PayError::Expired => Kind::Conflict,
            PayError::Card { .. } => Kind::Invalid,
            PayError::Provider => Kind::Unavailable,
            PayError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            PayError::NotFound(_) => "not-found",
            PayError::NotPayable(_) => "not-payable",
            PayError::TooManyAttempts(_) => "too-many-attempts",
            PayError::Expired => "payment-expired",
            PayError::Card { .. } => "invalid-card",
            PayError::Provider => "provider-unavailable",
            PayError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            PayError::Card { field, .. } => Some(format!("/method/{field}")),
            _ => None,
        }
    }
}

impl App {
    /// Pays an order again after a refusal. The outcome comes through the order.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn pay(&self, order_id: &str, command: PayOrder) -> Result<PaymentView, PayError> {
        todo!()
    }
}
