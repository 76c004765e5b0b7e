//! What was answered and heard before, and the periodic work. `day` counts days since the epoch; clean-up goes by it, in the
//! one partition that `kept` makes.

use store::{Column, Index, KeyShape, Row, Table, Value};

/// Idempotency keys: the fingerprint of the request and what it made, an order or an adjustment.
pub(crate) static IDEMPOTENCY_KEYS: Table = Table {
    name: "idempotency_keys",
    key: KeyShape::Text("key"),
    columns: &[Column::text("fingerprint"), Column::int("made"), Column::int("kept"), Column::int("day")],
    indexes: &[Index { name: "by_day", columns: &["kept", "day"] }],
};

/// Ids of webhooks and callbacks that were handled.
pub(crate) static RECEIVED_EVENTS: Table = Table {
    name: "received_events",
    key: KeyShape::Text("id"),
    columns: &[Column::int("kept"), Column::int("day")],
    indexes: &[Index { name: "by_day", columns: &["kept", "day"] }],
};

/// Periodic work: which message carries the next beat.
pub(crate) static TICKERS: Table =
    Table { name: "tickers", key: KeyShape::Text("name"), columns: &[Column::int("message_id")], indexes: &[] };

/// How far the reading of a provider's events has come; see `app::events`. One ticker writes it.
pub(crate) static EVENT_CURSORS: Table = Table {
    name: "event_cursors",
    key: KeyShape::Text("provider"),
    columns: &[Column::int("since"), Column::int("began_at"), Column::text("after").null()],
    indexes: &[],
};

/// Events of providers that could not be taken; the key is that of [`RECEIVED_EVENTS`]. `trying` is 1 while every pass tries
/// again, `set_aside` once it has given up. A row is gone in the commit that takes its event.
pub(crate) static FAILED_EVENTS: Table = Table {
    name: "failed_events",
    key: KeyShape::Text("id"),
    columns: &[
        Column::text("provider"),
        Column::text("about"),
        Column::text("problem"),
        Column::int("at"),
        Column::int("tries"),
        Column::int("failed_at"),
        Column::int("trying").null(),
        Column::int("set_aside").null(),
    ],
    indexes: &[
        Index { name: "by_trying", columns: &["trying", "at"] },
        Index { name: "by_set_aside", columns: &["set_aside", "failed_at"] },
    ],
};

/// The day of an instant.
pub(crate) fn day(now_ms: i64) -> i64 {
    now_ms.div_euclid(86_400_000)
}

/// The row of a handled event.
pub(crate) fn received_event(source: &str, id: &str, now: i64) -> Row {
    Row::new(&RECEIVED_EVENTS, event_key(source, id).as_str(), vec![Value::Int(1), Value::Int(day(now))])
}

/// The key of a handled event.
pub(crate) fn event_key(source: &str, id: &str) -> String {
    format!("{source}/{id}")
}
