//! Mails. The key (order, event) makes each event's mail unique; the texts are derived from the order.

use domain::notification::Notice;
use store::{Column, KeyShape, Row, Table, Value};

/// The mails.
pub(crate) static MAILS: Table = Table {
    name: "mails",
    key: KeyShape::Pair("order_id", "event"),
    columns: &[Column::text("kind"), Column::text("status"), Column::int("at"), Column::text("recipient").personal()],
    indexes: &[],
};

/// A new mail.
pub(crate) fn new_row(order_id: i64, event: i64, notice: Notice, status: &str, now: i64, to: &str) -> Row {
    let values = vec![Value::from(notice.as_str()), Value::from(status), Value::Int(now), Value::from(to)];
    Row::new(&MAILS, (order_id, event), values)
}

/// `mail_...`: the order's id and the event's number.
pub(crate) fn public_id(order_id: i64, event: i64) -> String {
    format!("{}-{event}", super::public_id("mail_", order_id))
}

/// The order's id and the event's number in `mail_...`.
pub(crate) fn private_id(text: &str) -> Option<(i64, i64)> {
    let (order, event) = text.split_once('-')?;
    Some((super::private_id("mail_", order)?, event.parse().ok()?))
}
