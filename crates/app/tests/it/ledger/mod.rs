//! The ledger over the store in memory and over one that crashes.

mod books;
mod crashes;
mod entries;
mod files;
mod histories;
mod sharing;
