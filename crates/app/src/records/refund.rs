//! Refunds; the key is the order's id and the number of the refund among those of its payment, from 1.
//!
//! Why a pair and not an id of its own: every refund of a payment is found by key, also by a function, which cannot query;
//! and the number is taken from the payment's row in the commit that makes the refund, so two never have the same.

use domain::refund::{RefundLine, RefundReason, RefundStatus};
use store::{Batch, Column, Index, KeyShape, ReadError, Row, Store, Table, Value};

use super::{damaged, json};

/// The refunds. `waiting` is 1 while the provider has not decided; it is asked at `ask_at`. `halted_at` is set while no flow
/// carries on one that is not done: undecided, or without its credit note, or the customer was not told; `halted` is 1
/// then. `stray` is 1 for money of a try that the payment does not count with.
pub(crate) static REFUNDS: Table = Table {
    name: "refunds",
    key: KeyShape::Pair("order_id", "number"),
    columns: &[
        Column::text("status"),
        Column::int("revision"),
        Column::int("amount"),
        Column::int("tip"),
        Column::text("currency"),
        Column::text("reason"),
        Column::text("note").null(),
        Column::text("lines").null(),
        Column::int("stray").null(),
        Column::text("provider"),
        Column::text("intent"),
        Column::int("attempt"),
        Column::text("provider_refund").null(),
        Column::int("requested_at"),
        Column::int("settled_at").null(),
        Column::int("halted_at").null(),
        Column::int("waiting").null(),
        Column::int("ask_at").null(),
        Column::text("wait_token").null(),
        Column::text("failure").null(),
        Column::int("credit_note").null(),
        Column::int("execution_id"),
        Column::int("halted").null(),
    ],
    indexes: &[
        Index { name: "waiting", columns: &["waiting", "ask_at"] },
        Index { name: "by_status", columns: &["status", "requested_at"] },
        Index { name: "by_halted", columns: &["halted", "halted_at"] },
    ],
};

/// A new refund.
pub(crate) struct NewRefund {
    pub(crate) order_id: i64,
    pub(crate) number: i64,
    pub(crate) amount: i64,
    pub(crate) tip: i64,
    pub(crate) currency: String,
    pub(crate) reason: RefundReason,
    pub(crate) note: Option<String>,
    pub(crate) lines: Vec<RefundLine>,
    pub(crate) stray: bool,
    pub(crate) provider: String,
    pub(crate) intent: String,
    pub(crate) requested_at: i64,
    pub(crate) execution_id: i64,
}

impl NewRefund {
    pub(crate) fn row(self) -> Row {
        let lines = (!self.lines.is_empty()).then(|| json(&self.lines));
        let values = vec![
            Value::from(RefundStatus::Pending.as_str()),
            Value::Int(1),
            Value::Int(self.amount),
            Value::Int(self.tip),
            Value::from(self.currency),
            Value::from(self.reason.as_str()),
            Value::from(self.note),
            Value::from(lines),
            Value::from(self.stray.then_some(1)),
            Value::from(self.provider),
            Value::from(self.intent),
            Value::Int(1),
            Value::Null,
            Value::Int(self.requested_at),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Int(self.execution_id),
            Value::Null,
        ];
        Row::new(&REFUNDS, (self.order_id, self.number), values)
    }
}

/// A refund as it stands in the store.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    row: Row,
    pub(crate) order_id: i64,
    pub(crate) number: i64,
    pub(crate) status: RefundStatus,
    pub(crate) revision: i64,
    pub(crate) amount: i64,
    /// How much of the amount is taken from the tip.
    pub(crate) tip: i64,
    pub(crate) reason: RefundReason,
    /// Which try with the provider, from 1.
    pub(crate) attempt: i64,
}

impl Refund {
    pub(crate) async fn load(store: &dyn Store, order_id: i64, number: i64) -> Result<Option<Refund>, ReadError> {
        let row = store.get(&REFUNDS, &(order_id, number).into()).await?;
        row.map(Refund::from_row).transpose()
    }

    pub(crate) fn from_row(row: Row) -> Result<Refund, ReadError> {
        let &store::Key::Pair(order_id, number) = row.key() else {
            return Err(damaged(&row, "order_id"));
        };
        let int = |column: &str| row.int(column).ok_or_else(|| damaged(&row, column));
        let status = row.text("status").and_then(RefundStatus::from_name);
        let reason = row.text("reason").and_then(RefundReason::from_name);
        Ok(Refund {
            order_id,
            number,
            status: status.ok_or_else(|| damaged(&row, "status"))?,
            revision: int("revision")?,
            amount: int("amount")?,
            tip: int("tip")?,
            reason: reason.ok_or_else(|| damaged(&row, "reason"))?,
            attempt: int("attempt")?,
            row,
        })
    }

    pub(crate) fn public_id(&self) -> String {
        public_id(self.order_id, self.number)
    }

    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        self.row.text(column)
    }

    pub(crate) fn int(&self, column: &str) -> Option<i64> {
        self.row.int(column)
    }

    pub(crate) fn currency(&self) -> &str {
        self.row.text("currency").unwrap_or_default()
    }

    pub(crate) fn intent(&self) -> &str {
        self.row.text("intent").unwrap_or_default()
    }

    /// Whether it gives back money of a try that the payment does not count with.
    pub(crate) fn is_stray(&self) -> bool {
        self.row.int("stray").is_some()
    }

    /// Whether it is not done and no flow carries it on.
    pub(crate) fn is_halted(&self) -> bool {
        self.row.int("halted_at").is_some()
    }

    pub(crate) fn wait_token(&self) -> Option<&str> {
        self.row.text("wait_token")
    }

    pub(crate) fn lines(&self) -> Result<Vec<RefundLine>, ReadError> {
        let parse = |text: &str| serde_json::from_str(text).map_err(|_| damaged(&self.row, "lines"));
        self.row.text("lines").map(parse).transpose().map(Option::unwrap_or_default)
    }

    /// What the provider tells repeated requests apart by: deterministic per order, refund and try.
    pub(crate) fn provider_key(&self) -> String {
        format!("{}/refund/{}/{}", super::order::public_id(self.order_id), self.number, self.attempt)
    }

    /// Makes it a condition that nobody changes it.
    pub(crate) fn unchanged(&self, batch: &mut Batch) {
        batch.check(&REFUNDS, (self.order_id, self.number), "revision", self.revision);
    }

    /// Changes columns under the condition that nobody else changed it.
    pub(crate) fn update(&self, mut set: Vec<(&'static str, Value)>, batch: &mut Batch) {
        set.push(("revision", Value::Int(self.revision + 1)));
        let when = Some(("revision", Value::Int(self.revision)));
        batch.update(&REFUNDS, (self.order_id, self.number), set, when);
    }
}

/// `rfd_...`: the order's id and the refund's number.
pub(crate) fn public_id(order_id: i64, number: i64) -> String {
    format!("{}-{number}", super::public_id("rfd_", order_id))
}

/// The order's id and the refund's number in `rfd_...`.
pub(crate) fn private_id(text: &str) -> Option<(i64, i64)> {
    let (order, number) = text.split_once('-')?;
    let number = number.parse().ok().filter(|number| *number > 0)?;
    Some((super::private_id("rfd_", order)?, number))
}
