//! Disputes of payments; the key is the provider's id.

use domain::dispute::DisputeStatus;
use store::{Batch, Column, Index, KeyShape, ReadError, Row, Store, Table, Value};

use super::damaged;
use crate::provider::Dispute;

/// The disputes.
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
    ],
    indexes: &[Index { name: "by_order", columns: &["order_id"] }],
};

/// A dispute as it stands in the store.
#[derive(Debug, Clone)]
pub(crate) struct DisputeRecord {
    pub(crate) id: String,
    pub(crate) status: DisputeStatus,
    pub(crate) amount: i64,
    /// What the provider took for it so far.
    pub(crate) fee: i64,
    revision: i64,
}

impl DisputeRecord {
    pub(crate) async fn load(store: &dyn Store, id: &str) -> Result<Option<DisputeRecord>, ReadError> {
        let row = store.get(&DISPUTES, &id.into()).await?;
        row.map(|row| DisputeRecord::from_row(&row)).transpose()
    }

    fn from_row(row: &Row) -> Result<DisputeRecord, ReadError> {
        let status = row.text("status").and_then(DisputeStatus::from_name);
        let int = |column: &str| row.int(column).ok_or_else(|| damaged(row, column));
        Ok(DisputeRecord {
            id: row.key().text().unwrap_or_default().to_owned(),
            status: status.ok_or_else(|| damaged(row, "status"))?,
            amount: int("amount")?,
            fee: int("fee")?,
            revision: int("revision")?,
        })
    }

    /// What the bank has of it, in minor units.
    pub(crate) fn withdrawn(&self) -> i64 {
        if self.status.is_withdrawn() { self.amount } else { 0 }
    }

    /// Writes what the provider says now.
    pub(crate) fn update(&self, dispute: &Dispute, now: i64, batch: &mut Batch) {
        let set = vec![
            ("status", Value::from(dispute.status.as_str())),
            ("revision", Value::Int(self.revision + 1)),
            ("amount", Value::Int(dispute.amount)),
            ("fee", Value::Int(dispute.fee)),
            ("respond_by", Value::from(dispute.respond_by)),
            ("updated_at", Value::Int(now)),
        ];
        batch.update(&DISPUTES, self.id.as_str(), set, Some(("revision", Value::Int(self.revision))));
    }
}

/// The row of a dispute that nobody heard of.
pub(crate) fn new_row(dispute: &Dispute, order_id: i64, now: i64) -> Row {
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
    ];
    Row::new(&DISPUTES, dispute.id.as_str(), values)
}
