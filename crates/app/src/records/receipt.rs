//! Receipts; the key is the gapless number.

use domain::money::Locale;
use store::{Column, Index, KeyShape, Query, ReadError, Row, Store, Table, Value};

use super::damaged;

/// The receipts. The document is derived from the order, the issuer, the local time and the language, all as they were; its
/// hash is kept.
pub(crate) static RECEIPTS: Table = Table {
    name: "receipts",
    key: KeyShape::Int("number"),
    columns: &[
        Column::int("order_id"),
        Column::int("issued_at"),
        Column::int("utc_offset_s"),
        Column::int("issuer_id"),
        Column::text("locale"),
        Column::int("total"),
        Column::text("sha256"),
    ],
    indexes: &[Index { name: "by_order", columns: &["order_id"] }],
};

/// A receipt as it stands in the store.
#[derive(Debug, Clone)]
pub(crate) struct ReceiptRecord {
    pub(crate) number: i64,
    pub(crate) order_id: i64,
    pub(crate) issued_at: i64,
    pub(crate) utc_offset_s: i64,
    pub(crate) issuer_id: i64,
    pub(crate) locale: Locale,
    pub(crate) total: i64,
    pub(crate) sha256: String,
}

impl ReceiptRecord {
    pub(crate) fn row(&self) -> Row {
        let values = vec![
            Value::Int(self.order_id),
            Value::Int(self.issued_at),
            Value::Int(self.utc_offset_s),
            Value::Int(self.issuer_id),
            Value::from(self.locale.tag()),
            Value::Int(self.total),
            Value::from(self.sha256.as_str()),
        ];
        Row::new(&RECEIPTS, self.number, values)
    }

    pub(crate) fn from_row(row: &Row) -> Result<ReceiptRecord, ReadError> {
        let int = |column: &str| row.int(column).ok_or_else(|| damaged(row, column));
        Ok(ReceiptRecord {
            number: row.key().int().ok_or_else(|| damaged(row, "number"))?,
            order_id: int("order_id")?,
            issued_at: int("issued_at")?,
            utc_offset_s: int("utc_offset_s")?,
            issuer_id: int("issuer_id")?,
            locale: row.text("locale").map(Locale::from_tag).ok_or_else(|| damaged(row, "locale"))?,
            total: int("total")?,
            sha256: row.text("sha256").unwrap_or_default().to_owned(),
        })
    }

    /// How many durable receipts an order has: 0, 1, or 2 for more than one.
    pub(crate) async fn count_of_order(store: &dyn Store, order_id: i64) -> Result<usize, ReadError> {
        let query = Query::index(&RECEIPTS, "by_order", order_id).limit(2);
        Ok(store.query(query).await?.rows.len())
    }

    /// The receipt of an order, once it is durable.
    pub(crate) async fn of_order(store: &dyn Store, order_id: i64) -> Result<Option<ReceiptRecord>, ReadError> {
        let query = Query::index(&RECEIPTS, "by_order", order_id).limit(1);
        let page = store.query(query).await?;
        page.rows.first().map(ReceiptRecord::from_row).transpose()
    }
}

/// `rct_...`, made of the order's id.
pub(crate) fn public_id(order_id: i64) -> String {
    super::public_id("rct_", order_id)
}

/// The order's id in `rct_...`.
pub(crate) fn private_id(text: &str) -> Option<i64> {
    super::private_id("rct_", text)
}
