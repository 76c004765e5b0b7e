//! The writer thread: one group after the other into the file; and the thread that moves the log into the file.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Statement};

use super::applied::{Change, Stored};
use super::{Shared, ddl, reader};
use crate::{Row, Table};

/// How long to wait before trying again to write a group that found the disk full or the file locked.
const RETRY: Duration = Duration::from_millis(250);
/// How often the log's size is looked at.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(200);
/// The log begins anew once it has this many pages: 8 MiB.
const LOG_PAGES: i64 = 1024;

/// The statements of one table, prepared once.
struct Statements<'c> {
    table: &'static Table,
    insert: Statement<'c>,
    replace: Statement<'c>,
    update: Statement<'c>,
    /// Sets only columns that are in no index, so that no index is touched; `None` where all or none are indexed.
    update_plain: Option<Statement<'c>>,
    delete: Statement<'c>,
    indexed: Vec<bool>,
}

impl<'c> Statements<'c> {
    fn prepare(connection: &'c Connection, table: &'static Table) -> rusqlite::Result<Statements<'c>> {
        let name = table.name;
        let names = ddl::all_names(table);
        let marks: Vec<String> = (1..=names.len()).map(|at| format!("?{at}")).collect();
        let (names, marks) = (names.join(", "), marks.join(", "));
        let condition = ddl::key_condition(table);
        let indexed: Vec<bool> =
            table.columns.iter().map(|c| table.indexes.iter().any(|index| index.columns.contains(&c.name))).collect();
        let first = ddl::key_names(table).len() + 1;
        let set = |all: bool| {
            let columns = table.columns.iter().zip(&indexed).enumerate();
            let chosen = columns.filter(|(_, (_, indexed))| all || !**indexed);
            let parts: Vec<String> = chosen.map(|(at, (c, _))| format!("{} = ?{}", c.name, first + at)).collect();
            if parts.is_empty() { "rowid = rowid".to_owned() } else { parts.join(", ") }
        };
        let plain = indexed.iter().any(|i| *i) && indexed.iter().any(|i| !*i);
        let plain = plain.then(|| connection.prepare(&format!("UPDATE {name} SET {} WHERE {condition}", set(false))));
        let update = if table.columns.is_empty() {
            format!("INSERT OR IGNORE INTO {name} ({names}) VALUES ({marks})")
        } else {
            format!("UPDATE {name} SET {} WHERE {condition}", set(true))
        };
        Ok(Statements {
            table,
            insert: connection.prepare(&format!("INSERT INTO {name} ({names}) VALUES ({marks})"))?,
            replace: connection.prepare(&format!("INSERT OR REPLACE INTO {name} ({names}) VALUES ({marks})"))?,
            update: connection.prepare(&update)?,
            update_plain: plain.transpose()?,
            delete: connection.prepare(&format!("DELETE FROM {name} WHERE {condition}"))?,
            indexed,
        })
    }

    fn write(&mut self, change: &Change) -> rusqlite::Result<()> {
        let Some(row) = &change.row else {
            reader::bind_key(&mut self.delete, 1, &change.key)?;
            let deleted = self.delete.raw_execute()?;
            return expect_one(deleted, &change.stored);
        };
        match &change.stored {
            Stored::Absent => write_row(&mut self.insert, row, |_| true).map(drop),
            Stored::Unknown => write_row(&mut self.replace, row, |_| true).map(drop),
            Stored::Row(old) => {
                let differs = |at: &usize| row.values().get(*at) != old.values().get(*at);
                let touches_index = self.indexed.iter().enumerate().any(|(at, indexed)| *indexed && differs(&at));
                let updated = match &mut self.update_plain {
                    Some(plain) if !touches_index => {
                        let indexed = &self.indexed;
                        write_row(plain, row, |at| indexed.get(at) == Some(&false))
                    }
                    _ => write_row(&mut self.update, row, |_| true),
                };
                expect_one(updated?, &change.stored)
            }
        }
    }
}

/// A row that we know to be there is there, unless somebody else wrote into the file: then what is in memory is wrong.
fn expect_one(rows: usize, stored: &Stored) -> rusqlite::Result<()> {
    if rows == 1 || !matches!(stored, Stored::Row(_)) { Ok(()) } else { Err(rusqlite::Error::QueryReturnedNoRows) }
}

fn write_row(statement: &mut Statement<'_>, row: &Row, chosen: impl Fn(usize) -> bool) -> rusqlite::Result<usize> {
    let first = reader::bind_key(statement, 1, row.key())?;
    for (at, value) in row.values().iter().enumerate() {
        if chosen(at) {
            reader::bind(statement, first + at, value)?;
        }
    }
    statement.raw_execute()
}

/// As [`run`]; a panic in it is a store that gives up, so that nobody waits for it in vain.
pub(super) fn run_guarded(shared: &Shared, connection: &Connection, tables: &[&'static Table]) {
    let run = std::panic::AssertUnwindSafe(|| run(shared, connection, tables));
    if std::panic::catch_unwind(run).is_err() {
        fail(shared, "the writer panicked");
    }
}

/// Writes group after group until the store is closed.
fn run(shared: &Shared, connection: &Connection, tables: &[&'static Table]) {
    let prepared: rusqlite::Result<Vec<Statements<'_>>> =
        tables.iter().map(|table| Statements::prepare(connection, table)).collect();
    let mut statements = match prepared {
        Ok(statements) => statements,
        Err(e) => return fail(shared, &e.to_string()),
    };
    let mut changes = Vec::new();
    loop {
        let group = {
            let mut applied = shared.applied.lock();
            while applied.is_idle() && !applied.is_stopping() {
                shared.wake.wait(&mut applied);
            }
            if applied.is_idle() {
                return;
            }
            applied.take(&mut changes)
        };
        changes.sort_unstable_by(|a, b| (a.table, &a.key).cmp(&(b.table, &b.key)));
        if !write_until_done(shared, connection, &mut statements, &changes) {
            return;
        }
        shared.progress.send_modify(|progress| progress.durable = group);
        shared.applied.lock().written(group, changes.len());
        if shared.log_is_long.swap(false, Ordering::Relaxed) {
            // Most of it is in the file already; with the rest there as well, the next group begins the log anew.
            let _ = checkpoint(connection, "PASSIVE");
        }
    }
}

/// Tries until the group is written; answers false once the store has given up. While the disk is full or the file
/// locked by another program, new commits are refused and this group waits: it is applied, so it may not be dropped.
fn write_until_done(
    shared: &Shared,
    connection: &Connection,
    statements: &mut [Statements<'_>],
    changes: &[Change],
) -> bool {
    let mut stalled = false;
    let since = std::time::Instant::now();
    loop {
        let Err(e) = write_group(connection, statements, changes) else {
            if stalled {
                shared.applied.lock().stall(None);
                tracing::info!("the store can write again");
            }
            return true;
        };
        let waits = matches!(
            e.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        );
        // After a failed rollback the connection has none open: either way the next attempt begins anew.
        let _ = connection.execute_batch("ROLLBACK");
        let mut applied = shared.applied.lock();
        if !waits || (applied.is_stopping() && since.elapsed() > super::BEHIND_LIMIT) {
            drop(applied);
            let problem = match e {
                rusqlite::Error::QueryReturnedNoRows => "somebody else has written into the file".to_owned(),
                e => e.to_string(),
            };
            fail(shared, &problem);
            return false;
        }
        if !stalled {
            stalled = true;
            tracing::error!(error = %e, "the store cannot write; new work is refused until it can");
            applied.stall(Some(format!("the store cannot write now: {e}")));
        }
        shared.wake.wait_for(&mut applied, RETRY);
    }
}

fn write_group(connection: &Connection, statements: &mut [Statements<'_>], changes: &[Change]) -> rusqlite::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for change in changes {
        if let Some(statements) = statements.get_mut(change.table) {
            debug_assert!(statements.table.fits_key(&change.key));
            statements.write(change)?;
        }
    }
    connection.execute_batch("COMMIT")
}

/// Gives up: what is applied but not durable is lost with the process, and nothing that left depends on it.
fn fail(shared: &Shared, problem: &str) {
    tracing::error!(problem, "the store gives up writing; restart to recover");
    shared.applied.lock().stall(Some(problem.to_owned()));
    shared.progress.send_modify(|progress| progress.failed = Some(Arc::from(problem)));
}

/// Moves the log into the file as far as readers allow; answers its pages and how many of them are in the file.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<(i64, i64)> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |r| Ok((r.get(1)?, r.get(2)?)))
}

/// Moves the log into the file in the background until the store is closed, so that the writer has little left to do.
pub(super) fn run_checkpoints(shared: &Shared) {
    let connection = match ddl::connect(&shared.path) {
        Ok(connection) => connection,
        Err(e) => return tracing::error!(error = %e, "no checkpoints: the log will grow"),
    };
    // Whoever reads for long must not make it wait with the file's lock in its hands.
    if let Err(e) = connection.busy_timeout(Duration::ZERO) {
        tracing::warn!(error = %e, "checkpoints may wait for readers");
    }
    let mut seen = u64::MAX;
    let mut cut = false;
    loop {
        {
            let mut applied = shared.applied.lock();
            if applied.is_stopping() {
                return;
            }
            shared.closing.wait_for(&mut applied, CHECKPOINT_EVERY);
        }
        let groups = shared.progress.borrow().durable;
        let idle = groups == seen;
        seen = groups;
        if idle && cut {
            continue;
        }
        // Busy or full: the next round tries again, and the log keeps everything meanwhile.
        let Ok((pages, moved)) = checkpoint(&connection, "PASSIVE") else { continue };
        cut = idle && pages == moved && checkpoint(&connection, "TRUNCATE").is_ok_and(|(pages, _)| pages == 0);
        if !idle && pages > LOG_PAGES {
            shared.log_is_long.store(true, Ordering::Relaxed);
        }
    }
}
