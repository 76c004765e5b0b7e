//! Deliveries by courier; the key is the order's id.

use domain::delivery::DeliveryStatus;
use store::{Batch, Column, KeyShape, ReadError, Row, Store, Table, Value};

use super::damaged;

/// The deliveries.
pub(crate) static DELIVERIES: Table = Table {
    name: "deliveries",
    key: KeyShape::Int("order_id"),
    columns: &[
        Column::text("status"),
        Column::int("revision"),
        Column::int("requested_at"),
        Column::int("picked_up_at").null(),
        Column::int("delivered_at").null(),
        Column::text("courier").null(),
        Column::text("wait_token").null(),
    ],
    indexes: &[],
};

/// A new delivery.
pub(crate) fn new_row(order_id: i64, now: i64) -> Row {
    let values = vec![
        Value::from(DeliveryStatus::Requested.as_str()),
        Value::Int(1),
        Value::Int(now),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
    ];
    Row::new(&DELIVERIES, order_id, values)
}

/// A delivery as it stands in the store.
pub(crate) struct DeliveryRecord {
    pub(crate) order_id: i64,
    pub(crate) status: DeliveryStatus,
    pub(crate) revision: i64,
    row: Row,
}

impl DeliveryRecord {
    pub(crate) async fn load(store: &dyn Store, order_id: i64) -> Result<Option<DeliveryRecord>, ReadError> {
        let row = store.get(&DELIVERIES, &order_id.into()).await?;
        row.map(DeliveryRecord::from_row).transpose()
    }

    fn from_row(row: Row) -> Result<DeliveryRecord, ReadError> {
        let status = row.text("status").and_then(DeliveryStatus::from_name);
        Ok(DeliveryRecord {
            order_id: row.key().int().ok_or_else(|| damaged(&row, "order_id"))?,
            status: status.ok_or_else(|| damaged(&row, "status"))?,
            revision: row.int("revision").ok_or_else(|| damaged(&row, "revision"))?,
            row,
        })
    }

    pub(crate) fn courier(&self) -> Option<&str> {
        self.row.text("courier")
    }

    pub(crate) fn wait_token(&self) -> Option<&str> {
        self.row.text("wait_token")
    }

    /// Changes columns under the condition that nobody else changed it.
    pub(crate) fn update(&self, mut set: Vec<(&'static str, Value)>, batch: &mut Batch) {
        set.push(("revision", Value::Int(self.revision + 1)));
        let when = Some(("revision", Value::Int(self.revision)));
        batch.update(&DELIVERIES, self.order_id, set, when);
    }
}

/// `dlv_...`
pub(crate) fn public_id(order_id: i64) -> String {
    super::public_id("dlv_", order_id)
}

/// The order's id in `dlv_...`.
pub(crate) fn private_id(text: &str) -> Option<i64> {
    super::private_id("dlv_", text)
}
