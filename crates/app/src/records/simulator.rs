//! The simulators' own books.

use store::{Column, KeyShape, Table};

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
        Column::int("created_at"),
        Column::text("failure_code").null(),
        Column::text("qr").null(),
    ],
    indexes: &[],
};

/// Its idempotency keys.
pub(crate) static KEYS: Table = Table {
    name: "simulator_keys",
    key: KeyShape::Text("key"),
    columns: &[Column::int("intent"), Column::text("request")],
    indexes: &[],
};

/// Deliveries that the courier simulator was told to leave alone; the key is the order's id.
pub(crate) static CALLED_OFF: Table =
    Table { name: "simulator_called_off", key: KeyShape::Int("order_id"), columns: &[Column::int("at")], indexes: &[] };
