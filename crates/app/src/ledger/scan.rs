//! Reading the journal: rows of entries in the order of their ids, without those that are not consolidated.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

use store::{Query, ReadError, Row, Store, Value};

use crate::records::ledger::{ENTRIES, PENDING, RESTATEMENTS};

/// Rows of the first read.
const FIRST_ROWS: usize = 64;
/// About as many bytes are read at once.
const READ_BYTES: usize = 2 << 20;

/// A walk over consolidated rows.
///
/// Invariant: it is right also while entries are accepted, as long as nothing is consolidated meanwhile. A page of rows is
/// read first and what is pending among them after it: whatever was not consolidated when the page was read is still
/// pending then.
pub(super) struct Scan<'s> {
    store: &'s dyn Store,
    query: Option<Query>,
    rows: usize,
}

/// A consolidated row.
pub(super) struct Counted {
    pub(super) row: Row,
    /// The last day that was sealed when it came, if it came late to one.
    pub(super) sealed: Option<i32>,
}

impl<'s> Scan<'s> {
    /// Over all rows.
    pub(super) fn all(store: &'s dyn Store) -> Scan<'s> {
        Scan::of(store, Query::table(&ENTRIES))
    }

    /// Over the rows of a query of [`ENTRIES`].
    pub(super) fn of(store: &'s dyn Store, query: Query) -> Scan<'s> {
        Scan { store, query: Some(query), rows: FIRST_ROWS }
    }

    /// The next rows; `None` at the end. Empty if all of a page are pending.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Counted>>, ReadError> {
        let Some(query) = self.query.take() else { return Ok(None) };
        let page = self.store.query(query.clone().limit(self.rows)).await?;
        let bytes: usize = page.rows.iter().map(Row::size_bytes).sum();
        let each = (bytes / page.rows.len().max(1)).max(1);
        self.rows = (READ_BYTES / each).clamp(16, store::MAX_PAGE);
        let next = page.next;
        let ids = || page.rows.iter().filter_map(|row| row.key().int());
        let (Some(first), Some(last)) = (ids().min(), ids().max()) else { return Ok(None) };
        let pending = self.pending(first, last).await?;
        let late = self.late(first, last).await?;
        let counted = |row: Row| {
            let id = row.key().int()?;
            (!pending.contains(&id)).then(|| Counted { sealed: late.get(&id).copied(), row })
        };
        let rows = page.rows.into_iter().filter_map(counted).collect();
        self.query = next.map(|next| query.after(Some(next)));
        Ok(Some(rows))
    }

    async fn pending(&self, first: i64, last: i64) -> Result<HashSet<i64>, ReadError> {
        let rows = between(self.store, Query::table(&PENDING), first, last).await?;
        Ok(rows.iter().filter_map(|row| row.key().int()).collect())
    }

    async fn late(&self, first: i64, last: i64) -> Result<BTreeMap<i64, i32>, ReadError> {
        let rows = between(self.store, Query::table(&RESTATEMENTS), first, last).await?;
        let sealed = |row: &Row| Some((row.key().int()?, i32::try_from(row.int("last_sealed")?).ok()?));
        Ok(rows.iter().filter_map(sealed).collect())
    }
}

/// All rows with keys in a range that is known to hold few.
pub(super) async fn between(store: &dyn Store, query: Query, first: i64, last: i64) -> Result<Vec<Row>, ReadError> {
    let (from, to) = (Bound::Included(Value::Int(first)), Bound::Included(Value::Int(last)));
    let mut query = query.range(from, to).limit(store::MAX_PAGE);
    let mut rows = Vec::new();
    loop {
        let page = store.query(query.clone()).await?;
        rows.extend(page.rows);
        match page.next {
            Some(next) => query = query.after(Some(next)),
            None => return Ok(rows),
        }
    }
}

/// A query of text keys from one to before another.
pub(super) fn between_text(query: Query, from: &str, to: &str) -> Query {
    query.range(Bound::Included(Value::from(from)), Bound::Excluded(Value::from(to))).limit(store::MAX_PAGE)
}
