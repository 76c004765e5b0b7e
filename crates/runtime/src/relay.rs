//! The store as everyone above the runtime sees it: the same port, and the runtime hears of every message that a commit
//! sends, moves or deletes. It hears at once, while the commit is applied and not yet durable.

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use store::message::MESSAGES;
use store::{Batch, CommitError, Key, Page, Query, ReadError, Receipt, Row, Store, Table};

use crate::core::Core;
use crate::queue::Traffic;

/// See the module.
pub(crate) struct Relay {
    inner: Arc<dyn Store>,
    core: OnceLock<Weak<Core>>,
}

impl Relay {
    pub(crate) fn new(inner: Arc<dyn Store>) -> Relay {
        Relay { inner, core: OnceLock::new() }
    }

    pub(crate) fn attach(&self, core: &Arc<Core>) {
        // Attached once, by `Runtime::new`.
        let _ = self.core.set(Arc::downgrade(core));
    }
}

#[async_trait]
impl Store for Relay {
    async fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError> {
        self.inner.get(table, key).await
    }

    async fn query(&self, query: Query) -> Result<Page, ReadError> {
        self.inner.query(query).await
    }

    async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        let mut traffic = Traffic::of(batch.ops());
        let receipt = self.inner.commit(batch).await?;
        for id in traffic.changed() {
            // In memory: it was written a moment ago.
            if let Ok(Some(row)) = self.inner.get(&MESSAGES, &Key::Int(id)).await {
                traffic.arrive(row);
            }
        }
        if !traffic.is_empty()
            && let Some(core) = self.core.get().and_then(Weak::upgrade)
        {
            core.note(traffic);
        }
        Ok(receipt)
    }

    async fn flush(&self) -> Result<(), CommitError> {
        self.inner.flush().await
    }

    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError> {
        self.inner.snapshot().await
    }
}
