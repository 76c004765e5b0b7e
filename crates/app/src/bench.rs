//! The benchmark's job: what every peer of the bench does, as a flow of ours.
use crate::commands::BenchOrder;
use crate::error::StoreError;
use crate::views::{BenchStatus, BenchVerdict};
use crate::{App, FindError, Kind, Problem};

/// Why a benchmark order was not placed.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No line, too many, or a quantity below one.
    #[error("a benchmark order has 1 to 50 lines with quantities of 1 to 1000000")]
    Lines,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for BenchError {
    fn kind(&self) -> Kind {
        match self {
            BenchError::Lines => Kind::Invalid,
            BenchError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            BenchError::Lines => "lines-out-of-range",
            BenchError::Store(error) => error.code(),
        }
    }
}

impl App {
    /// Places a benchmark order and starts its flow; returns once that is durable.
    ///
    /// # Errors
    /// [`BenchError`].
    pub async fn bench_place(&self, order: BenchOrder) -> Result<BenchStatus, BenchError> {
        todo!()
    }

    /// A benchmark order.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn bench_status(&self, order_id: &str) -> Result<BenchStatus, FindError> {
        todo!()
    }

    /// How many benchmark orders were confirmed since start.
    #[must_use]
    pub fn bench_confirmed(&self) -> u64 {
        todo!()
    }

    /// Makes sure that SKUs 1 to `skus` exist, each with `quantity` units at start.
    ///
    /// # Errors
    /// [`BenchError::Store`].
    pub async fn bench_seed(&self, skus: i64, quantity: i64) -> Result<(), BenchError> {
        todo!()
    }

    /// What the durable state holds.
    ///
    /// # Errors
    /// [`FindError::Store`].
    pub async fn bench_verify(&self) -> Result<BenchVerdict, FindError> {
        todo!()
    }
}
