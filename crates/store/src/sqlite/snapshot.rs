//! The file as it stood at one instant: a read transaction that is held open.
//!
//! The writer goes on meanwhile; only its log cannot begin anew until the snapshot is dropped, so the log grows by what is
//! written in that time.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::Connection;

use super::{ddl, reader};
use crate::memory::{Plan, check_key};
use crate::{Batch, CommitError, Key, Page, Query, ReadError, Receipt, Row, Store, Table};

/// A store that is read only and never changes.
pub struct SqliteSnapshot(Arc<Mutex<Connection>>);

impl SqliteSnapshot {
    /// Takes the state of a store's file, also while a server uses it.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] if there is no such file or it cannot be read.
    pub fn take(path: &Path) -> Result<SqliteSnapshot, ReadError> {
        let open = || {
            let connection = ddl::connect_existing(path)?;
            connection.pragma_update(None, "query_only", true)?;
            connection.execute_batch("BEGIN")?;
            // The transaction begins with its first read.
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok(connection)
        };
        let connection = open().map_err(|error: rusqlite::Error| ReadError::Unavailable(error.into()))?;
        Ok(SqliteSnapshot(Arc::new(Mutex::new(connection))))
    }

    /// The version of the layout that the file has.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`].
    pub fn version(&self) -> Result<i64, ReadError> {
        let connection = self.0.lock();
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        version.map_err(|error| ReadError::Unavailable(error.into()))
    }
}

#[async_trait]
impl Store for SqliteSnapshot {
    async fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError> {
        check_key(table, key)?;
        reader::get(&self.0.lock(), table, key).map_err(|error| ReadError::Unavailable(error.into()))
    }

    async fn query(&self, query: Query) -> Result<Page, ReadError> {
        let plan = Plan::new(&query)?;
        let page = reader::page(&self.0.lock(), &query, &plan);
        page.map_err(|error| ReadError::Unavailable(error.into()))
    }

    async fn commit(&self, _: Batch) -> Result<Receipt, CommitError> {
        Err(CommitError::Unavailable("a snapshot is for reading only".into()))
    }

    async fn flush(&self) -> Result<(), CommitError> {
        Ok(())
    }

    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError> {
        Ok(Arc::new(SqliteSnapshot(self.0.clone())))
    }
}
