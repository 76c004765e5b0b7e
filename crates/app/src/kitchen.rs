//! The kitchen: what is to be made, and its three actions.
use crate::error::StoreError;
use crate::views::{KitchenList, OrderView};
use crate::{App, FindError, Kind, Problem};

/// Why a kitchen action did not happen.
#[derive(Debug, thiserror::Error)]
pub enum KitchenError {
    /// There is no such order.
    #[error("there is no order `{0}`")]
    NotFound(String),
    /// It changed since it was read.
    #[error("the order changed since it was read; read it again and decide anew")]
    Stale,
    /// The order does not stand there.
    #[error("an order that is `{status}` cannot `{action}`")]
    NotNow {
        /// Where it stands.
        status: &'static str,
        /// What was asked.
        action: &'static str,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for KitchenError {
    fn kind(&self) -> Kind {
        match self {
            KitchenError::NotFound(_) => Kind::NotFound,
            KitchenError::Stale => Kind::Stale,
            KitchenError::NotNow { .. } => Kind::Conflict,
            KitchenError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            KitchenError::NotFound(_) => "not-found",
            KitchenError::Stale => "stale-revision",
            KitchenError::NotNow { .. } => "illegal-transition",
            KitchenError::Store(error) => error.code(),
        }
    }
}

impl App {
    /// What the kitchen sees: READY, then IN_PREPARATION, then RECEIVED, each oldest first, at most 300.
    ///
    /// # Errors
    /// [`FindError::Store`].
    pub async fn kitchen(&self) -> Result<KitchenList, FindError> {
        todo!()
    }

    /// The kitchen starts with an order.
    ///
    /// # Errors
    /// [`KitchenError`].
    pub async fn kitchen_start(&self, order_id: &str, revision: i64) -> Result<OrderView, KitchenError> {
        todo!()
    }

    /// The kitchen is done with an order.
    ///
    /// # Errors
    /// [`KitchenError`].
    pub async fn kitchen_ready(&self, order_id: &str, revision: i64) -> Result<OrderView, KitchenError> {
        todo!()
    }

    /// The customer has the order in hand.
    ///
    /// # Errors
    /// [`KitchenError`].
    pub async fn kitchen_handover(&self, order_id: &str, revision: i64) -> Result<OrderView, KitchenError> {
        todo!()
    }
}
