//! What the runtime keeps in the store.

use store::{Column, Index, KeyShape, Table};

/// Every version of every flow, by the id that executions are pinned to.
pub static FLOWS: Table = Table {
    name: "flows",
    key: KeyShape::Int("id"),
    columns: &[Column::text("name"), Column::text("sha256"), Column::int("created_at"), Column::text("definition")],
    indexes: &[Index { name: "by_name", columns: &["name"] }],
};

/// One row an execution. `owner` is the node that works on it at this instant and null while it waits, so that a
/// restart finds what was under way; `segments` counts its rows in [`JOURNAL`].
pub static EXECUTIONS: Table = Table {
    name: "executions",
    key: KeyShape::Int("id"),
    columns: &[
        Column::int("flow_id"),
        Column::text("name"),
        Column::text("status"),
        Column::int("started_at"),
        Column::int("stopped_at").null(),
        Column::int("segments"),
        Column::int("owner").null(),
    ],
    indexes: &[Index { name: "by_owner", columns: &["owner"] }],
};

/// What happened to an execution, in segments of one record a line; see [`crate::journal`].
pub static JOURNAL: Table = Table {
    name: "journal",
    key: KeyShape::Pair("execution_id", "segment"),
    columns: &[Column::text("records")],
    indexes: &[],
};

/// All tables of the runtime, messages included.
#[must_use]
pub fn tables() -> Vec<&'static Table> {
    vec![&FLOWS, &EXECUTIONS, &JOURNAL, &store::message::MESSAGES]
}
