//! Disputes of payments; the key is the provider's id.

use domain::dispute::{DisputeStatus, Told};
use store::{Batch, Column, Index, KeyShape, ReadError, Row, Store, Table, Value};

use super::damaged;
use crate::provider::Dispute;

/// The disputes. `told_at` is the moment of the newest news.
pub(crate) static DISPUTES: Table = Table {
    name: "disputes",
    key: KeyShape::Text("id"),
    columns: &[
        Column::int("order_id"),
        Column::text("intent"),
        Column::text("status"),
        Column::int("revision"),
        Column::int("amount"),
        Column::int("fee"),
        Column::text("currency"),
        Column::text("reason"),
        Column::int("respond_by").null(),
        Column::int("opened_at"),
        Column::int("updated_at"),
        Column::int("told_at").null(),
    ],
    indexes: &[
        Index { name: "by_order", columns: &["order_id"] },
        Index { name: "by_status", columns: &["status", "opened_at"] },
    ],
};

/// A dispute as it stands in the store.
#[derive(Debug, Clone)]
pub(crate) struct DisputeRecord {
    pub(crate) id: String,
    pub(crate) status: DisputeStatus,
    pub(crate) amount: i64,
    /// What the provider took for it so far.
    pub(crate) fee: i64,
    /// The provider's payment that it is about.
    pub(crate) intent: String,
    pub(crate) order_id: i64,
    told_at: i64,
    revision: i64,
}

impl DisputeRecord {
    pub(crate) async fn load(store: &dyn Store, id: &str) -> Result<Option<DisputeRecord>, ReadError> {
        let row = store.get(&DISPUTES, &id.into()).await?;
        row.map(|row| DisputeRecord::from_row(&row)).transpose()
    }

    pub(crate) fn from_row(row: &Row) -> Result<DisputeRecord, ReadError> {
        let status = row.text("status").and_then(DisputeStatus::from_name);
        let int = |column: &str| row.int(column).ok_or_else(|| damaged(row, column));
        Ok(DisputeRecord {
            id: row.key().text().unwrap_or_default().to_owned(),
            status: status.ok_or_else(|| damaged(row, "status"))?,
            amount: int("amount")?,
            fee: int("fee")?,
            intent: row.text("intent").unwrap_or_default().to_owned(),
            order_id: int("order_id")?,
            told_at: row.int("told_at").unwrap_or(0),
            revision: int("revision")?,
        })
    }

    /// What the bank has of it, in minor units.
    pub(crate) fn withdrawn(&self) -> i64 {
        if self.status.is_withdrawn() { self.amount } else { 0 }
    }

    /// What is known of it.
    pub(crate) fn told(&self) -> Told {
        Told { status: self.status, fee: self.fee, at: self.told_at }
    }

    /// What the next change of it is counted as.
    pub(crate) fn next_number(&self) -> i64 {
        self.revision + 1
    }

    /// Writes what the provider says now, of an amount that stands once the bank has it.
    pub(crate) fn update(&self, dispute: &Dispute, amount: i64, told_at: i64, now: i64, batch: &mut Batch) {
        let set = vec![
            ("status", Value::from(dispute.status.as_str())),
            ("revision", Value::Int(self.next_number())),
            ("amount", Value::Int(amount)),
            ("fee", Value::Int(dispute.fee)),
            ("respond_by", Value::from(dispute.respond_by)),
            ("updated_at", Value::Int(now)),
            ("told_at", Value::Int(told_at.max(self.told_at))),
        ];
        batch.update(&DISPUTES, self.id.as_str(), set, Some(("revision", Value::Int(self.revision))));
    }
}

/// The row of a dispute that nobody heard of.
pub(crate) fn new_row(dispute: &Dispute, order_id: i64, told_at: i64, now: i64) -> Row {
    let values = vec![
        Value::Int(order_id),
        Value::from(dispute.intent.as_str()),
        Value::from(dispute.status.as_str()),
        Value::Int(1),
        Value::Int(dispute.amount),
        Value::Int(dispute.fee),
        Value::from(dispute.currency.as_str()),
        Value::from(dispute.reason.as_str()),
        Value::from(dispute.respond_by),
        Value::Int(now),
        Value::Int(now),
        Value::Int(told_at),
    ];
    Row::new(&DISPUTES, dispute.id.as_str(), values)
}
