//! Finding entries.

use std::ops::Bound;

use domain::ledger::Draft;
use store::{Query, ReadError, Row, Store, Value};

use super::error::ReportError;
use super::views::{EntryPage, EntryView};
use super::{Ledger, body};
use crate::Instant;
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
pub(crate) fn read_row(row: &Row) -> Result<Vec<Recorded>, ReadError> {
    let first = row.key().int().ok_or_else(|| damaged(row, "id"))?;
    let entries = row.text("body").and_then(body::read).ok_or_else(|| damaged(row, "body"))?;
    Ok(entries.into_iter().zip(first..).map(|(entry, id)| Recorded { id, entry }).collect())
}

/// An entry's id as text.
pub(super) fn public_id(id: i64) -> String {
    crate::records::public_id("ent_", id)
}

/// The id in a text.
pub(crate) fn private_id(text: &str) -> Option<i64> {
    crate::records::private_id("ent_", text)
}

/// The most entries of a page.
const MAX_LIMIT: usize = 200;
/// The most rows that are read for one page.
const MAX_ROWS: usize = 2_000;
/// Rows that are read at once: a row may hold some hundreds of entries.
const ROWS: usize = 50;

/// Which entries to list.
#[derive(Debug, Clone, Default)]
pub struct ListEntries {
    /// Only those that touch this account.
    pub account: Option<String>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200, by default 50.
    pub limit: Option<usize>,
}

impl EntryView {
    pub(super) fn of(recorded: Recorded, reversed_by: Option<i64>) -> EntryView {
        let Recorded { id, entry } = recorded;
        EntryView {
            id: public_id(id),
            kind: entry.kind,
            description: entry.description,
            effective_at: Instant(entry.effective_at),
            recorded_at: Instant(store::id::time_ms(id)),
            postings: entry.postings,
            key: entry.key,
            reverses: entry.reverses,
            reason: entry.reason,
            reversed_by: reversed_by.map(public_id),
            metadata: entry.metadata,
        }
    }
}

impl Ledger {
    /// One entry.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn show(&self, id: &str) -> Result<EntryView, ReportError> {
        let not_found = || ReportError::NotFound { what: "entry", id: id.chars().take(64).collect() };
        let number = private_id(id).ok_or_else(not_found)?;
        let recorded = entry(&*self.store, number).await?.ok_or_else(not_found)?;
        let reference = recorded.entry.key.clone().unwrap_or_else(|| public_id(number));
        let by = super::posted(&*self.store, &domain::ledger::reversal_key(&reference)).await?;
        Ok(EntryView::of(recorded, by))
    }

    /// Entries, the last recorded first.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn list(&self, command: &ListEntries) -> Result<EntryPage, ReportError> {
        let limit = command.limit.unwrap_or(50);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(ReportError::Parameter(format!("the limit must be 1 to {MAX_LIMIT}")));
        }
        let wrong = || ReportError::Parameter("the cursor is not one of this list; start without it".into());
        let cursor = command.cursor.as_deref().map(|text| private_id(text).ok_or_else(wrong)).transpose()?;
        let mut before = cursor.unwrap_or(i64::MAX);
        let mut items = Vec::new();
        for _ in 0..MAX_ROWS / ROWS {
            let below = Bound::Excluded(Value::Int(before));
            let query = Query::table(&ENTRIES).range(Bound::Unbounded, below).descending().limit(ROWS);
            let page = self.store.query(query).await?;
            for row in &page.rows {
                let all = read_row(row)?.into_iter().rev().filter(|recorded| recorded.id < before);
                for recorded in all {
                    if !touches(&recorded, command.account.as_deref()) {
                        continue;
                    }
                    if items.len() == limit {
                        let next = items.last().map(|last: &EntryView| last.id.clone());
                        return Ok(EntryPage { items, next });
                    }
                    items.push(EntryView::of(recorded, None));
                }
                before = row.key().int().unwrap_or(0);
            }
            if page.next.is_none() {
                return Ok(EntryPage { items, next: None });
            }
        }
        Ok(EntryPage { items, next: Some(public_id(before)) })
    }
}

fn touches(recorded: &Recorded, account: Option<&str>) -> bool {
    account.is_none_or(|account| recorded.entry.postings.iter().any(|posting| posting.account == account))
}
