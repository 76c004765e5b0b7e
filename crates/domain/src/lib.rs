//! The rules: pure decisions on plain values. Time and identifiers are arguments; nothing here reads, writes or waits.

pub mod basket;
pub mod bookkeeping;
pub mod catalogue;
pub mod customer;
pub mod delivery;
pub mod dispute;
pub mod ledger;
pub mod money;
pub mod notification;
pub mod order;
pub mod payment;
pub mod receipt;
pub mod refund;
pub mod stock;

pub use money::{Currency, Money};
