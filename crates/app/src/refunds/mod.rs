//! Refunds: rows of their own, carried by a flow of their own. Whatever gives money back comes through here.

mod adopt;
mod entries;
mod halt;
mod news;
mod open;
mod poll;
mod request;
mod show;

pub(crate) use entries::{refund as entry, stray as stray_entry};
pub(crate) use halt::{CARRIED_ON, halted, request};
pub(crate) use news::{Around, REFUND_FAILED, read_key};
pub use open::OpenRefundError;
pub(crate) use open::{Wanted, all, open, open_stray};
pub use request::{RefundError, Requested};
