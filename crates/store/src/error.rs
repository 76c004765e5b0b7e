//! One error type per operation; the variants are what a caller does differently.

use crate::Key;

/// The cause of a failure below the port.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a batch was not committed. Nothing of it took effect.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A condition did not hold: load and decide again.
    #[error("item `{table}[{key}]` changed since it was read")]
    Conflict {
        /// The table.
        table: &'static str,
        /// The item whose condition failed.
        key: Key,
    },
    /// A counter would fall below its floor.
    #[error("counter `{table}[{key}]` would fall below its floor")]
    BelowFloor {
        /// The table.
        table: &'static str,
        /// The item with the counter.
        key: Key,
    },
    /// The batch breaks a limit or a shape: a mistake in the program.
    #[error("invalid batch: {0}")]
    Invalid(String),
    /// The store cannot write now; try later.
    #[error("the store is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The query breaks a limit or names an unknown index: a mistake in the program.
    #[error("invalid query: {0}")]
    Invalid(String),
    /// The store cannot read now; try later.
    #[error("the store is unavailable")]
    Unavailable(#[source] BoxError),
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("`{0}` is in use by another process; stop it first, or choose another data folder")]
    InUse(String),
    /// A newer version of the program wrote it.
    #[error("`{path}` has schema version {found}, this program knows up to {known}; use a newer comanda")]
    Newer {
        /// The file.
        path: String,
        /// The version in the file.
        found: i64,
        /// The version of this program.
        known: i64,
    },
    /// It is not a store of ours, or it is damaged.
    #[error("`{path}` cannot be used: {problem}")]
    Unusable {
        /// The file or folder.
        path: String,
        /// What is wrong and what to do.
        problem: String,
    },
}
