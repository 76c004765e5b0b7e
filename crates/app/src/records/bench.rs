//! The benchmark's tables: as narrow as the peers' own, so that both write about the same bytes for an order.

use store::{Column, KeyShape, Table};

/// Orders; `lines` reads `sku:quantity,sku:quantity`.
pub(crate) static ORDERS: Table = Table {
    name: "bench_orders",
    key: KeyShape::Int("id"),
    columns: &[
        Column::text("customer"),
        Column::text("lines"),
        Column::text("status"),
        Column::int("total").null(),
        Column::int("confirmed_at_us").null(),
    ],
    indexes: &[],
};

/// Stock with prices.
pub(crate) static STOCK: Table = Table {
    name: "bench_stock",
    key: KeyShape::Int("sku"),
    columns: &[Column::int("quantity"), Column::int("price")],
    indexes: &[],
};

/// Payments.
pub(crate) static PAYMENTS: Table = Table {
    name: "bench_payments",
    key: KeyShape::Int("order_id"),
    columns: &[Column::int("amount"), Column::text("answer")],
    indexes: &[],
};

/// Confirmation messages.
pub(crate) static MESSAGES: Table =
    Table { name: "bench_messages", key: KeyShape::Int("order_id"), columns: &[Column::text("body")], indexes: &[] };

/// Receipts.
pub(crate) static RECEIPTS: Table = Table {
    name: "bench_receipts",
    key: KeyShape::Int("order_id"),
    columns: &[Column::int("total"), Column::int("at_us")],
    indexes: &[],
};
