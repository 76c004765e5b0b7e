//! The port: get, query, commit.

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Batch, CommitError, Key, ReadError, Row, Table, Value};

/// The most rows of one page.
pub const MAX_PAGE: usize = 1_000;

/// A store of declared tables.
#[async_trait]
pub trait Store: Send + Sync {
    /// The row of that key in its latest applied state.
    ///
    /// # Errors
    /// [`ReadError`] if the key does not fit the table or the store cannot read.
    async fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError>;

    /// One page of an index. Sees every durable commit; an applied one may be missing until it is durable.
    ///
    /// # Errors
    /// [`ReadError`] if the query is malformed or the store cannot read.
    async fn query(&self, query: Query) -> Result<Page, ReadError>;

    /// Applies the batch, all or nothing.
    ///
    /// # Errors
    /// [`CommitError`]; nothing took effect.
    async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError>;

    /// Waits until every commit that was applied before the call is durable.
    ///
    /// # Errors
    /// [`CommitError::Unavailable`] if the store can no longer make them durable.
    async fn flush(&self) -> Result<(), CommitError>;

    /// The durable state of this instant, for reading only: each commit is in it as a whole or not at all, and later ones
    /// never. While it is held the store keeps what it shows, so drop it soon.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] if the store cannot read.
    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError>;
}

/// Which rows to read: one partition of an index, a range within it, and where to go on.
#[derive(Debug, Clone)]
pub struct Query {
    /// The table.
    pub table: &'static Table,
    /// The name of the index; `None` for the key itself.
    pub index: Option<&'static str>,
    /// The value of the index's first column; for the key of a pair table its first part; `None` for the key of a table
    /// whose key is one value (the whole table in key order).
    pub partition: Option<Value>,
    /// Bounds of the second column (index), the second part (pair key), or the key.
    pub range: (Bound<Value>, Bound<Value>),
    /// Newest first.
    pub descending: bool,
    /// At most this many rows, up to [`MAX_PAGE`].
    pub limit: usize,
    /// The cursor of the page before.
    pub after: Option<String>,
}

impl Query {
    /// All rows of a table in key order, the first page of 100.
    #[must_use]
    pub fn table(table: &'static Table) -> Query {
        Query {
            table,
            index: None,
            partition: None,
            range: (Bound::Unbounded, Bound::Unbounded),
            descending: false,
            limit: 100,
            after: None,
        }
    }

    /// One partition of an index, the first page of 100.
    #[must_use]
    pub fn index(table: &'static Table, index: &'static str, partition: impl Into<Value>) -> Query {
        Query { index: Some(index), partition: Some(partition.into()), ..Query::table(table) }
    }

    /// One partition of a pair table.
    #[must_use]
    pub fn partition(table: &'static Table, first: i64) -> Query {
        Query { partition: Some(first.into()), ..Query::table(table) }
    }

    /// With bounds on the order within the partition.
    #[must_use]
    pub fn range(mut self, from: Bound<Value>, to: Bound<Value>) -> Query {
        self.range = (from, to);
        self
    }

    /// Newest first.
    #[must_use]
    pub fn descending(mut self) -> Query {
        self.descending = true;
        self
    }

    /// With another page size.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Query {
        self.limit = limit;
        self
    }

    /// The page after this cursor.
    #[must_use]
    pub fn after(mut self, cursor: Option<String>) -> Query {
        self.after = cursor;
        self
    }
}

/// Rows in order, and the cursor of the next page if there is one.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Row>,
    /// Give it to [`Query::after`] to go on; `None` at the end.
    pub next: Option<String>,
}

/// Proof that a batch is applied, and the means to wait until it is durable.
#[derive(Clone, Debug)]
pub struct Receipt {
    group: u64,
    /// None: durable already.
    progress: Option<Arc<tokio::sync::watch::Sender<Progress>>>,
}

/// How far an adapter with group commit has come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Every group up to this one is durable.
    pub(crate) durable: u64,
    /// Set once the store has given up.
    pub(crate) failed: Option<Arc<str>>,
}

impl Receipt {
    /// For adapters whose commit is durable when it returns.
    #[must_use]
    pub fn durable_now() -> Receipt {
        Receipt { group: 0, progress: None }
    }

    pub(crate) fn of_group(group: u64, progress: Arc<tokio::sync::watch::Sender<Progress>>) -> Receipt {
        Receipt { group, progress: Some(progress) }
    }

    /// Whether the batch is durable by now.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.progress.as_ref().is_none_or(|progress| progress.borrow().durable >= self.group)
    }

    /// Waits until the batch is durable.
    ///
    /// # Errors
    /// [`CommitError::Unavailable`] if the store can no longer write; after a restart the batch may be there or not.
    pub async fn durable(&self) -> Result<(), CommitError> {
        let Some(progress) = &self.progress else { return Ok(()) };
        if progress.borrow().durable >= self.group {
            return Ok(());
        }
        let mut progress = progress.subscribe();
        let state = progress.wait_for(|p| p.durable >= self.group || p.failed.is_some()).await;
        match state {
            Ok(p) if p.durable >= self.group => Ok(()),
            Ok(p) => Err(CommitError::Unavailable(p.failed.as_deref().unwrap_or("the writer stopped").into())),
            Err(_) => Err(CommitError::Unavailable("the writer stopped".into())),
        }
    }
}
