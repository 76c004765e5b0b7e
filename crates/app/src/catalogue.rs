//! What is sold, and how much of it there is.
use crate::commands::AdjustStock;
use crate::error::StoreError;
use crate::views::{CatalogueView, ProductView, StockView};
use crate::{App, FindError, Kind, Problem};
use domain::catalogue::{Product, ProductError};

/// Why a product was not written.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// A field breaks a rule.
    #[error(transparent)]
    Invalid(#[from] ProductError),
    /// The body names another product than the path.
    #[error("the body's `sku` differs from the path's; make them equal")]
    OtherSku,
    /// It changed since it was read, or is there although it was to be new.
    #[error("the product changed since it was read; read it again and decide anew")]
    Stale,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for PutError {
    fn kind(&self) -> Kind {
        match self {
            PutError::Invalid(_) | PutError::OtherSku => Kind::Invalid,
            PutError::Stale => Kind::Stale,
            PutError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            PutError::Invalid(_) | PutError::OtherSku => "invalid-product",
            PutError::Stale => "stale-revision",
            PutError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            PutError::Invalid(error) => Some(error.pointer.clone()),
            PutError::OtherSku => Some("/sku".into()),
            _ => None,
        }
    }
}

/// Why stock was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AdjustError {
    /// There is no such product.
    #[error("there is no product `{0}`")]
    NotFound(String),
    /// Zero, or absurd.
    #[error("the delta must be between -1000000000 and 1000000000, and not 0")]
    Delta,
    /// Empty, too long, or with control characters.
    #[error("the reason must have 1 to 280 characters")]
    Reason,
    /// More than is available.
    #[error("only `{0}` units are available; take away at most that many")]
    Short(i64),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for AdjustError {
    fn kind(&self) -> Kind {
        match self {
            AdjustError::NotFound(_) => Kind::NotFound,
            AdjustError::Delta | AdjustError::Reason => Kind::Invalid,
            AdjustError::Short(_) => Kind::Conflict,
            AdjustError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            AdjustError::NotFound(_) => "not-found",
            AdjustError::Delta => "invalid-delta",
            AdjustError::Reason => "invalid-reason",
            AdjustError::Short(_) => "not-enough-stock",
            AdjustError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            AdjustError::Delta | AdjustError::Short(_) => Some("/delta".into()),
            AdjustError::Reason => Some("/reason".into()),
            _ => None,
        }
    }
}

impl App {
    /// Everything that is sold, with its stock.
    ///
    /// # Errors
    /// [`FindError::Store`].
    pub async fn catalogue(&self) -> Result<CatalogueView, FindError> {
        todo!()
    }

    /// One product.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn product(&self, sku: &str) -> Result<ProductView, FindError> {
        todo!()
    }

    /// Writes a product: a new one without `revision`, a known one only at that revision. Orders placed before keep their
    /// prices.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn put_product(&self, sku: &str, product: Product, revision: Option<i64>) -> Result<ProductView, PutError> {
        todo!()
    }

    /// Adds or takes away stock.
    ///
    /// # Errors
    /// [`AdjustError`].
    pub async fn adjust_stock(&self, sku: &str, command: AdjustStock) -> Result<StockView, AdjustError> {
        todo!()
    }

    /// Fills an empty catalogue with the sample; answers how many products came. A catalogue with products stays as it is.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn seed_catalogue(&self) -> Result<usize, PutError> {
        todo!()
    }
}
