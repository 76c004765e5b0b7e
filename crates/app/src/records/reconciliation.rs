//! What the provider's account says, and how it fits what we say.

use store::{Column, Index, KeyShape, Row, Table, Value};

use crate::provider::{Movement, MovementKind};

/// The lines of the provider's account; the key is `PROVIDER/ID`. `reference` is what of ours a line was matched to.
pub(crate) static MOVEMENTS: Table = Table {
    name: "provider_movements",
    key: KeyShape::Text("id"),
    columns: &[
        Column::text("provider"),
        Column::text("kind"),
        Column::int("amount"),
        Column::int("fee"),
        Column::text("currency"),
        Column::text("source").null(),
        Column::text("intent").null(),
        Column::text("order_id").null(),
        Column::text("reference").null(),
        Column::int("at"),
        Column::int("recorded_at"),
    ],
    indexes: &[Index { name: "by_kind", columns: &["kind", "at"] }],
};

/// What of ours has its line; the key is our reference, as `capture/ord_.../1`.
pub(crate) static MATCHES: Table = Table {
    name: "reconciliation_matches",
    key: KeyShape::Text("reference"),
    columns: &[Column::text("movement")],
    indexes: &[],
};

/// What `open` of a difference says while it does not fit.
pub(crate) const OPEN: i64 = 1;
/// What it says once a person has settled it.
pub(crate) const EXPLAINED: i64 = 2;

/// What does not fit; the key is a line's or our reference's. `open` is [`OPEN`], [`EXPLAINED`], or null once it fits.
pub(crate) static DIFFERENCES: Table = Table {
    name: "reconciliation_differences",
    key: KeyShape::Text("id"),
    columns: &[
        Column::text("reason"),
        Column::text("subject"),
        Column::int("ours").null(),
        Column::int("theirs").null(),
        Column::text("currency"),
        Column::int("found_at"),
        Column::int("resolved_at").null(),
        Column::int("open").null(),
        Column::text("explanation").null(),
        Column::text("explained_by").null().personal(),
        Column::text("entry").null(),
    ],
    indexes: &[Index { name: "by_open", columns: &["open", "found_at"] }],
};

/// How far the reconciliation with a provider is: the pass that reads its account, the place in the list of what does not fit,
/// and the entry of the ledger up to which what moved money at the provider was looked for in its account.
pub(crate) static PROGRESS: Table = Table {
    name: "reconciliation_progress",
    key: KeyShape::Text("provider"),
    columns: &[
        Column::int("revision"),
        Column::int("since"),
        Column::text("cursor").null(),
        Column::int("newest"),
        Column::int("entries_to"),
        Column::text("looked_to").null(),
        Column::int("completed_at").null(),
    ],
    indexes: &[],
};

const KINDS: [(MovementKind, &str); 9] = [
    (MovementKind::Capture, "capture"),
    (MovementKind::Refund, "refund"),
    (MovementKind::RefundFailure, "refund-failure"),
    (MovementKind::Dispute, "dispute"),
    (MovementKind::DisputeReversal, "dispute-reversal"),
    (MovementKind::Fee, "fee"),
    (MovementKind::Payout, "payout"),
    (MovementKind::PayoutFailure, "payout-failure"),
    (MovementKind::Other, "other"),
];

/// The name of a kind in the store and the API.
pub(crate) fn kind_name(kind: MovementKind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("other", |(_, name)| name)
}

/// The key of a line.
pub(crate) fn movement_key(provider: &str, id: &str) -> String {
    format!("{provider}/{id}")
}

/// The row of a line.
pub(crate) fn movement_row(provider: &str, movement: &Movement, reference: Option<&str>, now: i64) -> Row {
    let values = vec![
        Value::from(provider),
        Value::from(kind_name(movement.kind)),
        Value::Int(movement.amount),
        Value::Int(movement.fee),
        Value::from(movement.currency.as_str()),
        Value::from(movement.source.as_deref()),
        Value::from(movement.intent.as_deref()),
        Value::from(movement.order_id.as_deref()),
        Value::from(reference),
        Value::Int(movement.at),
        Value::Int(now),
    ];
    Row::new(&MOVEMENTS, movement_key(provider, &movement.id).as_str(), values)
}

/// The line of a row.
pub(crate) fn movement_of(row: &Row) -> Option<Movement> {
    let text = |column: &str| row.text(column).map(str::to_owned);
    let kind = row.text("kind")?;
    Some(Movement {
        id: row.key().text()?.split_once('/')?.1.to_owned(),
        kind: KINDS.iter().find(|(_, name)| *name == kind).map_or(MovementKind::Other, |(kind, _)| *kind),
        amount: row.int("amount")?,
        fee: row.int("fee")?,
        currency: text("currency")?,
        source: text("source"),
        intent: text("intent"),
        order_id: text("order_id"),
        at: row.int("at")?,
    })
}
