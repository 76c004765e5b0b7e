//! The simulators' own books.

use store::{Column, Index, KeyShape, Table};

/// Its intents.
pub(crate) static INTENTS: Table = Table {
    name: "simulator_intents",
    key: KeyShape::Int("id"),
    columns: &[
        Column::text("order_id"),
        Column::int("attempt"),
        Column::text("status"),
        Column::int("revision"),
        Column::text("behaviour"),
        Column::int("amount"),
        Column::text("currency"),
        Column::int("captured"),
        Column::int("refunded"),
        Column::int("fee"),
        Column::int("created_at"),
        Column::text("failure_code").null(),
        Column::text("qr").null(),
        Column::text("dispute").null(),
    ],
    indexes: &[],
};

/// Its refunds.
pub(crate) static REFUNDS: Table = Table {
    name: "simulator_refunds",
    key: KeyShape::Int("id"),
    columns: &[
        Column::int("intent"),
        Column::text("idempotency_key"),
        Column::text("status"),
        Column::int("amount"),
        Column::int("created_at"),
    ],
    indexes: &[],
};

/// The lines of its account with the shop; the ids grow with time.
pub(crate) static MOVEMENTS: Table = Table {
    name: "simulator_movements",
    key: KeyShape::Int("id"),
    columns: &[
        Column::text("kind"),
        Column::int("amount"),
        Column::int("fee"),
        Column::text("currency"),
        Column::text("source"),
        Column::int("intent").null(),
        Column::text("order_id").null(),
        Column::int("at"),
    ],
    indexes: &[],
};

/// Its payouts: each is made of the movements after `after`, up to `until`, so that no two can have the same beginning.
pub(crate) static PAYOUTS: Table = Table {
    name: "simulator_payouts",
    key: KeyShape::Int("after"),
    columns: &[Column::int("id"), Column::int("until"), Column::int("amount"), Column::int("at")],
    indexes: &[Index { name: "by_id", columns: &["id"] }],
};

/// Its idempotency keys, and the intent or refund that each made.
pub(crate) static KEYS: Table = Table {
    name: "simulator_keys",
    key: KeyShape::Text("key"),
    columns: &[Column::int("object"), Column::text("request")],
    indexes: &[],
};

/// Deliveries that the courier simulator was told to leave alone; the key is the order's id.
pub(crate) static CALLED_OFF: Table =
    Table { name: "simulator_called_off", key: KeyShape::Int("order_id"), columns: &[Column::int("at")], indexes: &[] };
