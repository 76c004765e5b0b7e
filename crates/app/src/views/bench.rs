//! The benchmark.

use serde::{Deserialize, Serialize};

/// An order of the benchmark.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BenchStatus {
    /// Its id.
    pub order_id: String,
    /// PLACED, CONFIRMED or REJECTED.
    pub status: String,
    /// Minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// Microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_at_us: Option<i64>,
}

/// What a benchmark left in the store.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct BenchVerdict {
    /// Orders that are CONFIRMED.
    pub confirmed: u64,
    /// Units left, over all products.
    pub stock_sum: i64,
    /// What was taken by confirmed orders.
    pub taken_sum: i64,
    /// Confirmed orders without exactly one payment, message and receipt of the right amount.
    pub incomplete: u64,
}
