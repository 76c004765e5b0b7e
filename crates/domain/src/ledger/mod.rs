//! The double-entry ledger: accounts, and entries whose postings balance in every currency.
//!
//! An entry never changes. A wrong one is undone by a reversal that names it, so the books show both.

mod account;
mod entry;
mod movement;

pub use account::{AccountKind, MAX_CODE, is_account_code};
pub use entry::{
    Draft, Entry, EntryError, EntryKind, MAX_DESCRIPTION, MAX_EFFECTIVE_AT, MAX_ENTRY_KEY, MAX_METADATA,
    MAX_METADATA_KEY, MAX_METADATA_VALUE, MAX_POSTING, MAX_POSTINGS, MIN_EFFECTIVE_AT, Posting, reversal_key,
};
pub use movement::{Day, Late, Movement, Overflow, Restated, statement};
