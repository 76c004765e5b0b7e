//! The ledger: accounts, entries, statements, the daily consolidation, closing days.

pub(crate) mod accounts;
pub(crate) mod days;
pub(crate) mod entries;
pub(crate) mod files;
pub(crate) mod projection;
pub(crate) mod statements;
