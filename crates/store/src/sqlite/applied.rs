//! The latest state of the rows that matter now: what is applied and not yet written, and a bounded cache of what is.

use std::collections::VecDeque;

use ahash::AHashMap;
use rusqlite::Connection;

use super::Usage;
use super::reader;
use crate::batch::Op;
use crate::memory::apply;
use crate::{Batch, CommitError, Key, KeyShape, Row, Schema, Table};

/// Clean rows are evicted above this.
const MAX_CACHED_BYTES: usize = 16 << 20;
/// Commits wait while more rows than this wait for the writer.
const MAX_DIRTY_ROWS: usize = 16_384;

/// What the file holds for a key once the groups taken so far are written.
#[derive(Debug, Clone)]
pub(super) enum Stored {
    /// Nothing.
    Absent,
    /// This row.
    Row(Row),
    /// Not looked at: the row was [`Op::Put`].
    Unknown,
}

struct Entry {
    row: Option<Row>,
    stored: Stored,
    /// In the list of what the next group takes.
    dirty: bool,
    /// The group that last took it; it may be evicted once that is durable.
    group: u64,
    /// In the queue of eviction.
    queued: bool,
    /// Read since the queue last looked at it.
    hot: bool,
}

/// One row for the writer.
pub(super) struct Change {
    pub(super) table: usize,
    pub(super) key: Key,
    pub(super) row: Option<Row>,
    pub(super) stored: Stored,
}

struct Rows {
    table: &'static Table,
    entries: AHashMap<Key, Entry>,
    /// No integer key above this exists; so a new row is known to be absent without looking.
    last: i64,
}

/// What an entry costs beside the values of its row: the entry itself, its key, its place in the queue of eviction.
const ENTRY_BYTES: usize = 256;

/// About how many bytes an entry holds in memory.
fn size(row: &Option<Row>) -> usize {
    ENTRY_BYTES + row.as_ref().map_or(0, Row::size_bytes)
}

/// The state behind the store's lock.
pub(super) struct Applied {
    tables: Vec<Rows>,
    dirty: Vec<(usize, Key)>,
    /// The group that takes what is dirty now.
    group: u64,
    durable: u64,
    evictable: VecDeque<(usize, Key)>,
    cached_bytes: usize,
    cold: Connection,
    stalled: Option<String>,
    stopping: bool,
}

impl Applied {
    pub(super) fn new(schema: &Schema, cold: Connection) -> rusqlite::Result<Applied> {
        let rows = |table: &&'static Table| {
            let last = match table.key {
                KeyShape::Int(key) => cold
                    .query_row(&format!("SELECT max({key}) FROM {}", table.name), [], |r| r.get::<_, Option<i64>>(0))?
                    .unwrap_or(i64::MIN),
                _ => i64::MAX,
            };
            if last < i64::MAX {
                crate::id::advance_past(last);
            }
            Ok(Rows { table, entries: AHashMap::new(), last })
        };
        let tables = schema.tables.iter().map(rows).collect::<rusqlite::Result<_>>()?;
        Ok(Applied {
            tables,
            dirty: Vec::new(),
            group: 1,
            durable: 0,
            evictable: VecDeque::new(),
            cached_bytes: 0,
            cold,
            stalled: None,
            stopping: false,
        })
    }

    /// Changes with every group, so that a reader can tell whether what it read from the file may be outdated.
    pub(super) fn epoch(&self) -> u64 {
        self.group
    }

    pub(super) fn is_idle(&self) -> bool {
        self.dirty.is_empty()
    }

    /// Whether the writer has more to do than it should; not when it cannot write at all, which commits say themselves.
    pub(super) fn is_behind(&self) -> bool {
        self.dirty.len() > MAX_DIRTY_ROWS && self.stalled.is_none()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    pub(super) fn stall(&mut self, problem: Option<String>) {
        self.stalled = problem;
    }

    /// The last group that has anything in it.
    pub(super) fn last_group(&self) -> u64 {
        if self.dirty.is_empty() { self.group - 1 } else { self.group }
    }

    pub(super) fn usage(&self) -> Usage {
        Usage {
            cached_rows: self.tables.iter().map(|rows| rows.entries.len()).sum(),
            cached_bytes: self.cached_bytes,
            dirty_rows: self.dirty.len(),
            groups: self.durable,
        }
    }

    fn number(&self, table: &'static Table) -> Option<usize> {
        let same = |rows: &Rows| std::ptr::eq(rows.table, table);
        self.tables.iter().position(same).or_else(|| self.tables.iter().position(|rows| rows.table == table))
    }

    /// What is known of a row without looking into the file.
    pub(super) fn known(&mut self, table: &'static Table, key: &Key) -> Option<Option<Row>> {
        let number = self.number(table)?;
        let rows = self.tables.get_mut(number)?;
        match rows.entries.get_mut(key) {
            Some(entry) => {
                entry.hot = true;
                Some(entry.row.clone())
            }
            None if matches!(key, Key::Int(n) if *n > rows.last) => Some(None),
            None => None,
        }
    }

    /// Keeps a row that was read from the file while the epoch was `epoch`, unless it may be outdated.
    pub(super) fn remember(&mut self, table: &'static Table, key: &Key, row: Option<&Row>, epoch: u64) {
        let (Some(row), Some(number)) = (row, self.number(table)) else {
            return;
        };
        if epoch != self.group || self.tables.get(number).is_none_or(|rows| rows.entries.contains_key(key)) {
            return;
        }
        self.keep(number, key, Some(row.clone()), Stored::Row(row.clone()));
    }

    fn keep(&mut self, number: usize, key: &Key, row: Option<Row>, stored: Stored) {
        let queued = row.is_some();
        if queued {
            self.cached_bytes += size(&row);
            self.evictable.push_back((number, key.clone()));
        }
        if let Some(rows) = self.tables.get_mut(number) {
            let entry = Entry { row, stored, dirty: false, group: 0, queued, hot: false };
            rows.entries.insert(key.clone(), entry);
        }
    }

    /// Judges and applies a batch; answers its group.
    pub(super) fn commit(&mut self, batch: &Batch) -> Result<u64, CommitError> {
        if let Some(problem) = &self.stalled {
            return Err(CommitError::Unavailable(problem.clone().into()));
        }
        if self.stopping {
            return Err(CommitError::Unavailable("the store is closing".into()));
        }
        let mut changes: Vec<(usize, Option<Row>)> = Vec::with_capacity(batch.len());
        for op in batch.ops() {
            let (table, key) = op.item();
            let number =
                self.number(table).ok_or_else(|| CommitError::Invalid(format!("unknown table `{}`", table.name)))?;
            let blind = matches!(op, Op::Put(_));
            if !blind {
                self.load(number, table, key)?;
            }
            let old = self.tables.get(number).and_then(|rows| rows.entries.get(key)).and_then(|e| e.row.as_ref());
            changes.push((number, apply(op, old)?));
        }
        for (op, (number, row)) in batch.ops().iter().zip(changes) {
            match op {
                Op::Check(..) => {}
                Op::Put(_) => self.set(number, op.item().1, row, Stored::Unknown),
                _ => self.set(number, op.item().1, row, Stored::Absent),
            }
        }
        Ok(self.last_group())
    }

    /// Makes sure that an entry stands for the key, reading the file if nothing else tells what it holds.
    fn load(&mut self, number: usize, table: &'static Table, key: &Key) -> Result<(), CommitError> {
        let Some(rows) = self.tables.get(number) else {
            return Ok(());
        };
        if rows.entries.contains_key(key) || matches!(key, Key::Int(n) if *n > rows.last) {
            return Ok(());
        }
        let row = reader::get(&self.cold, table, key).map_err(|e| CommitError::Unavailable(e.into()))?;
        if let Some(row) = row {
            self.keep(number, key, Some(row.clone()), Stored::Row(row));
        }
        Ok(())
    }

    /// Sets the latest state of a row; `unseen` is what the file holds if there is no entry: a conditional write has
    /// looked, so nothing; a blind one cannot say, unless the key is beyond the last.
    fn set(&mut self, number: usize, key: &Key, row: Option<Row>, unseen: Stored) {
        let Some(rows) = self.tables.get_mut(number) else {
            return;
        };
        let fresh = matches!(key, Key::Int(n) if *n > rows.last);
        if let (true, Some(n)) = (fresh, key.int()) {
            rows.last = n;
        }
        let entry = rows.entries.entry(key.clone()).or_insert_with(|| Entry {
            row: None,
            stored: if fresh { Stored::Absent } else { unseen },
            dirty: false,
            group: 0,
            queued: false,
            hot: false,
        });
        if entry.queued {
            self.cached_bytes = self.cached_bytes.saturating_sub(size(&entry.row)) + size(&row);
        }
        entry.row = row;
        if !entry.dirty {
            entry.dirty = true;
            self.dirty.push((number, key.clone()));
        }
    }

    /// Everything applied since the last call, each row once, for the writer; and the number of the group.
    pub(super) fn take(&mut self, changes: &mut Vec<Change>) -> u64 {
        changes.clear();
        let group = self.group;
        self.group += 1;
        for (number, key) in std::mem::take(&mut self.dirty) {
            let Some(entry) = self.tables.get_mut(number).and_then(|rows| rows.entries.get_mut(&key)) else {
                continue;
            };
            entry.dirty = false;
            entry.group = group;
            let after = entry.row.clone().map_or(Stored::Absent, Stored::Row);
            let stored = std::mem::replace(&mut entry.stored, after);
            let nothing = match (&entry.row, &stored) {
                (None, Stored::Absent) => true,
                (Some(row), Stored::Row(old)) => row == old,
                _ => false,
            };
            if nothing && entry.row.is_none() && !entry.queued {
                // It came and went between two groups: neither the file nor any group in flight knows it.
                if let Some(rows) = self.tables.get_mut(number) {
                    rows.entries.remove(&key);
                }
                continue;
            }
            if !entry.queued {
                entry.queued = true;
                self.cached_bytes += size(&entry.row);
                self.evictable.push_back((number, key.clone()));
            }
            if !nothing {
                changes.push(Change { table: number, key, row: entry.row.clone(), stored });
            }
        }
        group
    }

    /// Notes that a group of that many rows is in the file, and evicts clean rows above the limit.
    pub(super) fn written(&mut self, group: u64, rows: usize) {
        self.durable = group;
        // A little more than what one group adds, so that the cache shrinks and the lock is held briefly.
        let most = self.evictable.len().min(2 * rows + 64);
        let mut looked = 0;
        while looked < most {
            let Some((number, key)) = self.evictable.front() else {
                break;
            };
            let Some(rows) = self.tables.get_mut(*number) else {
                break;
            };
            let Some(entry) = rows.entries.get_mut(key) else {
                self.evictable.pop_front();
                continue;
            };
            if self.cached_bytes <= MAX_CACHED_BYTES {
                break;
            }
            looked += 1;
            let clean = !entry.dirty && entry.group <= group;
            let Some((number, key)) = self.evictable.pop_front() else {
                break;
            };
            if !clean || entry.hot {
                entry.hot = false;
                self.evictable.push_back((number, key));
                continue;
            }
            self.cached_bytes = self.cached_bytes.saturating_sub(size(&entry.row));
            if let Some(rows) = self.tables.get_mut(number) {
                rows.entries.remove(&key);
            }
        }
    }
}
