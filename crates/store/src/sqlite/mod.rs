//! The embedded adapter: one SQLite file.
//!
//! - [`applied`]: the latest state in memory. A commit judges its conditions here, under one short lock, and is *applied*.
//! - [`writer`]: one thread that takes everything applied since the last time (a *group*), writes each changed row once
//!   in one SQLite transaction, syncs, and makes the group *durable*. A row inserted and deleted within a group is never
//!   written at all.
//! - [`reader`]: a few connections for rows that are not in memory and for queries; WAL lets them never block the writer.
//!
//! Invariant: groups become durable in the order in which they were applied, so a crash loses a suffix, and nothing that
//! left the process, because whatever leaves waits for its receipt.
//! Invariant: a row that is not in memory is in the file as it stands in the latest state, because only durable rows are
//! ever evicted.

mod applied;
mod ddl;
mod reader;
mod snapshot;
mod writer;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use crate::memory::check_key;
use crate::port::Progress;
use crate::{Batch, CommitError, Key, OpenError, Page, Query, ReadError, Receipt, Row, Schema, Store, Table};
use applied::Applied;
use reader::Readers;

pub use snapshot::SqliteSnapshot;

/// How long a commit waits for a writer that is behind before it is refused.
const BEHIND_LIMIT: Duration = Duration::from_secs(5);

/// The store in one SQLite file. Closing it (dropping the last handle) makes everything applied durable.
pub struct SqliteStore {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    _lock: File,
}

struct Shared {
    path: PathBuf,
    applied: Mutex<Applied>,
    /// Wakes the writer: something was applied, or it shall stop.
    wake: Condvar,
    /// Wakes the thread of checkpoints when the store closes.
    closing: Condvar,
    progress: Arc<watch::Sender<Progress>>,
    readers: Readers,
    /// Asks the writer to finish the checkpoint between two groups, so that the log begins anew.
    log_is_long: AtomicBool,
}

impl SqliteStore {
    /// Opens the file, making or upgrading it as needed. A file beside it, `FILE.lock`, keeps a second process out.
    ///
    /// # Errors
    /// [`OpenError`]: in use, written by a newer version, or unusable (read-only folder, not a database, damaged).
    pub fn open(path: &Path, schema: &Schema) -> Result<SqliteStore, OpenError> {
        let unusable = |problem: String| OpenError::Unusable { path: path.display().to_string(), problem };
        let lock_path = path.with_extension("lock");
        let lock = File::create(&lock_path)
            .map_err(|e| unusable(format!("cannot write `{}` ({e}); is the folder writable?", lock_path.display())))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.display().to_string())),
            Err(TryLockError::Error(e)) => return Err(unusable(format!("cannot lock it: {e}"))),
        }
        let writer = ddl::open(path, schema)?;
        let sql = |e: rusqlite::Error| unusable(e.to_string());
        let cold = ddl::connect(path).map_err(sql)?;
        let applied = Applied::new(schema, cold).map_err(sql)?;
        let progress = Arc::new(watch::Sender::new(Progress::default()));
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            applied: Mutex::new(applied),
            wake: Condvar::new(),
            closing: Condvar::new(),
            progress,
            readers: Readers::new(path),
            log_is_long: AtomicBool::new(false),
        });
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(run).map_err(|e| unusable(e.to_string()))
        };
        let (for_writer, for_checkpoints) = (shared.clone(), shared.clone());
        let tables = schema.tables.clone();
        let threads = vec![
            spawn("store-writer", Box::new(move || writer::run_guarded(&for_writer, &writer, &tables)))?,
            spawn("store-checkpoints", Box::new(move || writer::run_checkpoints(&for_checkpoints)))?,
        ];
        Ok(SqliteStore { shared, threads: Mutex::new(threads), _lock: lock })
    }

    /// Copies a consistent state of the file while it is in use. Everything durable before the call is in the copy.
    ///
    /// # Errors
    /// [`OpenError::Unusable`] if the source is no store or the copy cannot be written, for example because it exists.
    pub fn backup(from: &Path, to: &Path) -> Result<(), OpenError> {
        let unusable = |path: &Path, problem: String| OpenError::Unusable { path: path.display().to_string(), problem };
        if !from.exists() {
            return Err(unusable(from, "there is no such file".into()));
        }
        if to.exists() {
            return Err(unusable(to, "it exists already; choose another name".into()));
        }
        let connection = ddl::connect_existing(from).map_err(|e| unusable(from, e.to_string()))?;
        let target = to.to_str().ok_or_else(|| unusable(to, "its name is not UTF-8".into()))?;
        connection.execute("VACUUM INTO ?1", [target]).map_err(|e| unusable(to, e.to_string()))?;
        File::open(to).and_then(|f| f.sync_all()).map_err(|e| unusable(to, e.to_string()))
    }

    /// Why the store has given up writing, if it has. The process should stop then; a restart recovers.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<str>> {
        self.shared.progress.borrow().failed.clone()
    }

    /// Resolves with the reason when the store gives up writing.
    pub async fn failed(&self) -> Arc<str> {
        let mut progress = self.shared.progress.subscribe();
        let failed = progress.wait_for(|p| p.failed.is_some()).await;
        failed.ok().and_then(|p| p.failed.clone()).unwrap_or_else(|| "the writer stopped".into())
    }

    /// Rows and bytes held in memory, and groups written so far; for metrics.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.shared.applied.lock().usage()
    }
}

/// See [`SqliteStore::usage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Rows in memory.
    pub cached_rows: usize,
    /// Their size.
    pub cached_bytes: usize,
    /// Rows applied and not yet written.
    pub dirty_rows: usize,
    /// Groups written since the store was opened.
    pub groups: u64,
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.shared.applied.lock().stop();
        self.shared.wake.notify_all();
        self.shared.closing.notify_all();
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

/// Waits until the writer has finished another group.
async fn wait_for_writer(mut progress: watch::Receiver<Progress>) -> Result<(), CommitError> {
    match tokio::time::timeout(BEHIND_LIMIT, progress.changed()).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(CommitError::Unavailable("the writer is behind".into())),
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError> {
        check_key(table, key)?;
        let epoch = {
            let mut applied = self.shared.applied.lock();
            if let Some(known) = applied.known(table, key) {
                return Ok(known);
            }
            applied.epoch()
        };
        let row = self.shared.readers.get(table, key)?;
        self.shared.applied.lock().remember(table, key, row.as_ref(), epoch);
        Ok(row)
    }

    async fn query(&self, query: Query) -> Result<Page, ReadError> {
        self.shared.readers.query(&query)
    }

    async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        batch.validate()?;
        loop {
            let progress = {
                let mut applied = self.shared.applied.lock();
                if !applied.is_behind() {
                    let idle = applied.is_idle();
                    let group = applied.commit(&batch)?;
                    if idle {
                        self.shared.wake.notify_one();
                    }
                    return Ok(Receipt::of_group(group, self.shared.progress.clone()));
                }
                self.shared.progress.subscribe()
            };
            wait_for_writer(progress).await?;
        }
    }

    async fn flush(&self) -> Result<(), CommitError> {
        let group = self.shared.applied.lock().last_group();
        Receipt::of_group(group, self.shared.progress.clone()).durable().await
    }

    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError> {
        Ok(Arc::new(SqliteSnapshot::take(&self.shared.path)?))
    }
}
