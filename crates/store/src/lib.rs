//! The storage port and its adapters.
//!
//! The port is the intersection of what SQLite, PostgreSQL and DynamoDB can do: declared [`Table`]s, [`Store::get`],
//! [`Store::query`] over one partition of an index, and [`Store::commit`] of one conditional [`Batch`].
//! No SQL and no bytes cross it.
//!
//! Invariant: a commit is *applied* when `commit` returns and *durable* when its [`Receipt`] says so. Whatever leaves the
//! process (an answer, a mail, a call) waits for the receipt; an inner step may build on applied state, because a crash
//! loses only a suffix of the applied commits.

mod batch;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "conformance")]
pub mod crash;
mod error;
pub mod id;
pub mod memory;
pub mod message;
mod port;
mod row;
mod schema;
pub mod sqlite;

pub use batch::{Add, Batch, Insert, MAX_BATCH_BYTES, MAX_BATCH_OPS, MAX_KEY_BYTES, Op, Update};
pub use error::{BoxError, CommitError, OpenError, ReadError};
pub use memory::{Plan, check_key};
pub use port::{MAX_PAGE, Page, Query, Receipt, Store};
pub use row::{Key, Row, Value};
pub use schema::{Column, ColumnType, Index, KeyShape, LOCKED, Schema, SchemaError, Table, View};
