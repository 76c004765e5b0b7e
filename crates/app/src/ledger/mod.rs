//! The ledger: accepting entries, and what is read from them.

mod body;
mod entries;
mod post;

pub use entries::{Recorded, entry};
pub use post::{post, posted};
