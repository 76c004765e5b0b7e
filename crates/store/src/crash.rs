//! A store that crashes where a test says: for proving that nothing acknowledged is lost and nothing done twice.
//!
//! It applies commits at once and makes them durable a little later, as the embedded adapter does. At a crash it stops
//! answering; what survives is everything durable and, as the test chooses, none, some or all of what was only applied.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::memory::MemoryStore;
use crate::port::Progress;
use crate::{Batch, CommitError, Key, Page, Query, ReadError, Receipt, Row, Store, Table};

/// How long applied commits stay undurable.
const SYNC_AFTER: Duration = Duration::from_millis(1);

/// Where a [`CrashStore`] crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    /// The n-th commit (from 0) is not applied, and nothing after it.
    Before(usize),
    /// The n-th commit is applied, not answered, and nothing after it.
    After(usize),
}

/// How much of what was applied and not durable survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survives {
    /// Only what was durable.
    Durable,
    /// The first half of the rest, too.
    Half,
    /// Everything applied.
    Everything,
}

/// See the module.
pub struct CrashStore {
    applied: MemoryStore,
    /// What a query sees.
    durable: Mutex<Durable>,
    log: tokio::sync::Mutex<Vec<Batch>>,
    progress: Arc<watch::Sender<Progress>>,
    crash: Option<CrashPoint>,
    crashed: AtomicBool,
    /// Something is applied that is not durable.
    applied_more: Arc<Notify>,
    crash_notice: watch::Sender<bool>,
}

#[derive(Default)]
struct Durable {
    store: Arc<MemoryStore>,
    batches: usize,
}

impl CrashStore {
    /// A store that holds what these batches wrote, and crashes at that point. Must be made inside a tokio runtime.
    ///
    /// # Errors
    /// The batches do not apply one after the other.
    pub async fn new(batches: Vec<Batch>, crash: Option<CrashPoint>) -> Result<Arc<CrashStore>, CommitError> {
        let (applied, durable) = (MemoryStore::new(), Arc::new(MemoryStore::new()));
        for batch in &batches {
            applied.commit(batch.clone()).await?;
            durable.commit(batch.clone()).await?;
        }
        let store = Arc::new(CrashStore {
            applied,
            durable: Mutex::new(Durable { store: durable, batches: batches.len() }),
            progress: Arc::new(watch::Sender::new(Progress { durable: batches.len() as u64, failed: None })),
            log: tokio::sync::Mutex::new(batches),
            crash,
            crashed: AtomicBool::new(false),
            applied_more: Arc::default(),
            crash_notice: watch::Sender::new(false),
        });
        let (syncing, applied_more) = (Arc::downgrade(&store), store.applied_more.clone());
        tokio::spawn(async move {
            loop {
                applied_more.notified().await;
                tokio::time::sleep(SYNC_AFTER).await;
                let Some(store) = syncing.upgrade() else { return };
                store.sync().await;
            }
        });
        Ok(store)
    }

    async fn sync(&self) {
        let log = self.log.lock().await;
        if self.crashed.load(Ordering::SeqCst) {
            return;
        }
        let (store, from) = {
            let durable = self.durable.lock();
            (durable.store.clone(), durable.batches)
        };
        for batch in log.iter().skip(from) {
            // It applied once, in this order; so it does again.
            let _ = store.commit(batch.clone()).await;
        }
        self.durable.lock().batches = log.len();
        self.progress.send_modify(|progress| progress.durable = log.len() as u64);
    }

    /// Waits for the crash.
    pub async fn crashed(&self) {
        // The sender lives as long as the store.
        let _ = self.crash_notice.subscribe().wait_for(|crashed| *crashed).await;
    }

    /// Whether it has crashed.
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.crashed.load(Ordering::SeqCst)
    }

    /// How many commits it has applied.
    pub async fn commits(&self) -> usize {
        self.log.lock().await.len()
    }

    /// What survives the crash: the batches to make the next store of.
    pub async fn survivors(&self, survives: Survives) -> Vec<Batch> {
        let log = self.log.lock().await;
        self.crashed.store(true, Ordering::SeqCst);
        let durable = self.durable.lock().batches;
        let kept = match survives {
            Survives::Durable => durable,
            Survives::Half => durable + (log.len() - durable) / 2,
            Survives::Everything => log.len(),
        };
        log.iter().take(kept).cloned().collect()
    }

    async fn halt<T>(&self) -> T {
        std::future::pending().await
    }

    fn crash_now(&self) {
        self.crashed.store(true, Ordering::SeqCst);
        self.crash_notice.send_replace(true);
    }
}

#[async_trait]
impl Store for CrashStore {
    async fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError> {
        if self.is_crashed() {
            return self.halt().await;
        }
        self.applied.get(table, key).await
    }

    async fn query(&self, query: Query) -> Result<Page, ReadError> {
        if self.is_crashed() {
            return self.halt().await;
        }
        let durable = self.durable.lock().store.clone();
        durable.query(query).await
    }

    async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        let mut log = self.log.lock().await;
        if self.is_crashed() {
            drop(log);
            return self.halt().await;
        }
        let number = log.len();
        if self.crash == Some(CrashPoint::Before(number)) {
            self.crash_now();
            drop(log);
            return self.halt().await;
        }
        self.applied.commit(batch.clone()).await?;
        log.push(batch);
        self.applied_more.notify_one();
        if self.crash == Some(CrashPoint::After(number)) {
            self.crash_now();
            drop(log);
            return self.halt().await;
        }
        Ok(Receipt::of_group(log.len() as u64, self.progress.clone()))
    }

    async fn flush(&self) -> Result<(), CommitError> {
        let group = self.log.lock().await.len() as u64;
        Receipt::of_group(group, self.progress.clone()).durable().await
    }

    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError> {
        let durable = self.durable.lock().store.clone();
        durable.snapshot().await
    }
}
