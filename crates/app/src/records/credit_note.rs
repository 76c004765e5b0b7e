//! Credit notes; the key is the gapless number.

use domain::money::Locale;
use store::{Column, Index, KeyShape, ReadError, Row, Store, Table, Value};

use super::damaged;

/// The credit notes, one for each refund that went back. As a receipt's, the document is derived from the rows as they were.
pub(crate) static CREDIT_NOTES: Table = Table {
    name: "credit_notes",
    key: KeyShape::Int("number"),
    columns: &[
        Column::int("order_id"),
        Column::int("refund"),
        Column::int("receipt").null(),
        Column::int("issued_at"),
        Column::int("utc_offset_s"),
        Column::int("issuer_id"),
        Column::text("locale"),
        Column::int("amount"),
        Column::text("sha256"),
    ],
    indexes: &[Index { name: "by_order", columns: &["order_id"] }],
};

/// A credit note as it stands in the store.
#[derive(Debug, Clone)]
pub(crate) struct CreditNoteRecord {
    pub(crate) number: i64,
    pub(crate) order_id: i64,
    /// The number of the refund among those of the order.
    pub(crate) refund: i64,
    /// The receipt that it corrects, if one was issued.
    pub(crate) receipt: Option<i64>,
    pub(crate) issued_at: i64,
    pub(crate) utc_offset_s: i64,
    pub(crate) issuer_id: i64,
    pub(crate) locale: Locale,
    pub(crate) amount: i64,
    pub(crate) sha256: String,
}

impl CreditNoteRecord {
    pub(crate) async fn load(store: &dyn Store, number: i64) -> Result<Option<CreditNoteRecord>, ReadError> {
        let row = store.get(&CREDIT_NOTES, &number.into()).await?;
        row.as_ref().map(CreditNoteRecord::from_row).transpose()
    }

    pub(crate) fn row(&self) -> Row {
        let values = vec![
            Value::Int(self.order_id),
            Value::Int(self.refund),
            Value::from(self.receipt),
            Value::Int(self.issued_at),
            Value::Int(self.utc_offset_s),
            Value::Int(self.issuer_id),
            Value::from(self.locale.tag()),
            Value::Int(self.amount),
            Value::from(self.sha256.as_str()),
        ];
        Row::new(&CREDIT_NOTES, self.number, values)
    }

    pub(crate) fn from_row(row: &Row) -> Result<CreditNoteRecord, ReadError> {
        let int = |column: &str| row.int(column).ok_or_else(|| damaged(row, column));
        Ok(CreditNoteRecord {
            number: row.key().int().ok_or_else(|| damaged(row, "number"))?,
            order_id: int("order_id")?,
            refund: int("refund")?,
            receipt: row.int("receipt"),
            issued_at: int("issued_at")?,
            utc_offset_s: int("utc_offset_s")?,
            issuer_id: int("issuer_id")?,
            locale: row.text("locale").map(Locale::from_tag).ok_or_else(|| damaged(row, "locale"))?,
            amount: int("amount")?,
            sha256: row.text("sha256").unwrap_or_default().to_owned(),
        })
    }
}

/// `crn_...`: the order's id and the refund's number.
pub(crate) fn public_id(order_id: i64, refund: i64) -> String {
    format!("{}-{refund}", super::public_id("crn_", order_id))
}

/// The order's id and the refund's number in `crn_...`.
pub(crate) fn private_id(text: &str) -> Option<(i64, i64)> {
    let (order, refund) = text.split_once('-')?;
    Some((super::private_id("crn_", order)?, refund.parse().ok()?))
}
