//! The ledger. A row of [`ENTRIES`] holds the entries that were accepted together: one, or some hundreds of a batch.
//!
//! Nothing that is accepted touches a row that another entry touches, so entries never wait for each other.

use store::{Column, Index, KeyShape, Table};

/// The entries, append-only. The key is the id of the row's first entry, the others have the ids after it; the time of
/// recording is inside the id. The body is as `app::ledger::body` writes it. A row with an entry that counts at another
/// time than about when it was recorded is `misdated`, and `effective_to` is the last time at which one of its entries
/// counts: whoever looks for the entries of a day finds it by that index, and the others by their ids.
pub(crate) static ENTRIES: Table = Table {
    name: "ledger_entries",
    key: KeyShape::Int("id"),
    columns: &[
        Column::int("entries"),
        Column::int("misdated").null(),
        Column::int("effective_to").null(),
        Column::text("body"),
    ],
    indexes: &[Index { name: "by_misdated", columns: &["misdated", "effective_to"] }],
};

/// What makes an entry or a batch of them unique: the first entry it made, how many, and the fingerprint of the request.
/// Kept for good.
pub(crate) static KEYS: Table = Table {
    name: "ledger_keys",
    key: KeyShape::Text("key"),
    columns: &[Column::int("entry_id"), Column::int("entries"), Column::text("fingerprint").null()],
    indexes: &[],
};

/// The rows of [`ENTRIES`] that the daily consolidation has not counted yet.
///
/// Invariant: a row stands here from the commit that wrote its entries to the commit after the one that counted them. Ids
/// are given out before their commit, so no mark "everything up to this id is counted" could be true.
pub(crate) static PENDING: Table =
    Table { name: "ledger_pending", key: KeyShape::Int("id"), columns: &[], indexes: &[] };
