//! Putting entries into a batch that its caller commits together with the change they tell of.

use domain::ledger::Entry;
use store::{Batch, ReadError, Row, Store, Value};

use super::body;
use crate::records::ledger::{ENTRIES, KEYS, PENDING};

/// How far an entry's effective time may lie before its recording without the row being misdated.
pub(super) const USUAL_DELAY_MS: i64 = 48 * 3_600_000;
/// How far it may lie after it.
pub(super) const USUAL_LEAD_MS: i64 = 1_000;

/// Puts one entry into a batch: up to three operations, all of them insertions. Answers the entry's id.
///
/// Invariant: an entry with a key brings its key's row in the same batch, so a second commit of the same key fails with
/// [`store::CommitError::Conflict`] as a whole. Reads nothing; entries of different keys never conflict. That its accounts
/// are open is the caller's to ask, except for those of the chart that every store is opened with.
pub fn post(batch: &mut Batch, entry: &Entry) -> i64 {
    let id = store::id::next();
    if let Some(key) = &entry.key {
        batch.insert(key_row(key, id, 1, None));
    }
    write_row(batch, id, std::slice::from_ref(entry));
    id
}

/// The row that makes a key unique.
pub(super) fn key_row(key: &str, first: i64, entries: usize, fingerprint: Option<&str>) -> Row {
    let entries = i64::try_from(entries).unwrap_or(i64::MAX);
    Row::new(&KEYS, key, vec![Value::Int(first), Value::Int(entries), Value::from(fingerprint)])
}

/// Puts entries with ids from `first` on into one row, and says that it is not consolidated.
pub(super) fn write_row(batch: &mut Batch, first: i64, entries: &[Entry]) {
    let recorded_at = store::id::time_ms(first);
    let usual = recorded_at - USUAL_DELAY_MS..=recorded_at + USUAL_LEAD_MS;
    let misdated = entries.iter().any(|entry| !usual.contains(&entry.effective_at));
    let last = entries.iter().map(|entry| entry.effective_at).max();
    let values = vec![
        Value::Int(i64::try_from(entries.len()).unwrap_or(i64::MAX)),
        Value::from(misdated.then_some(1)),
        Value::from(last.filter(|_| misdated)),
        Value::from(body::write(entries)),
    ];
    batch.insert(Row::new(&ENTRIES, first, values));
    batch.insert(Row::new(&PENDING, first, Vec::new()));
}

/// The id of the first entry that was posted under a key.
///
/// # Errors
/// [`ReadError`].
pub async fn posted(store: &dyn Store, key: &str) -> Result<Option<i64>, ReadError> {
    Ok(store.get(&KEYS, &key.into()).await?.and_then(|row| row.int("entry_id")))
}
