//! Finding entries.

use std::ops::Bound;

use domain::ledger::Draft;
use store::{Query, ReadError, Row, Store, Value};

use super::body;
use crate::records::damaged;
use crate::records::ledger::ENTRIES;

/// An entry as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its id; the time of recording is inside.
    pub id: i64,
    /// What was accepted.
    pub entry: Draft,
}

/// The entry of an id, once it is durable.
///
/// # Errors
/// [`ReadError`].
pub async fn entry(store: &dyn Store, id: i64) -> Result<Option<Recorded>, ReadError> {
    let up_to = (Bound::Unbounded, Bound::Included(Value::Int(id)));
    let query = Query::table(&ENTRIES).range(up_to.0, up_to.1).descending().limit(1);
    let page = store.query(query).await?;
    let Some(row) = page.rows.first() else { return Ok(None) };
    Ok(read_row(row)?.into_iter().find(|recorded| recorded.id == id))
}

/// The entries of a row.
pub(super) fn read_row(row: &Row) -> Result<Vec<Recorded>, ReadError> {
    let first = row.key().int().ok_or_else(|| damaged(row, "id"))?;
    let entries = row.text("body").and_then(body::read).ok_or_else(|| damaged(row, "body"))?;
    Ok(entries.into_iter().zip(first..).map(|(entry, id)| Recorded { id, entry }).collect())
}
