//! What the runtime keeps in the store.

use store::{Column, Index, KeyShape, Table};

/// Every version of every flow, by the id that executions are pinned to.
pub static FLOWS: Table = Table {
    name: "flows",
    key: KeyShape::Int("id"),
    columns: &[
        Column::text("name"),
        Column::text("sha256"),
        Column::int("created_at"),
        Column::text("definition"),
        Column::text("role_arn").null(),
        Column::text("revision").null(),
        Column::text("settings").null(),
    ],
    indexes: &[Index { name: "by_name", columns: &["name"] }],
};

/// One row an execution. `owner` is the node that works on it at this instant and null while it waits, so that a
/// restart finds what was under way; `segments` counts its rows in [`JOURNAL`]; `redrives` is null until the first;
/// `on_end` is JSON: who hears of its end.
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
        Column::int("redrives").null(),
        Column::int("redriven_at").null(),
        Column::text("on_end").null(),
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

/// State machines by name, as the Step Functions API knows them. `flow_id` is the current revision, `published` the
/// version made of it, `changes` grows with every change.
pub(crate) static STATE_MACHINES: Table = Table {
    name: "state_machines",
    key: KeyShape::Text("name"),
    columns: &[
        Column::int("id"),
        Column::text("kind"),
        Column::text("status"),
        Column::int("flow_id"),
        Column::int("built_in"),
        Column::int("published").null(),
        Column::int("last_version"),
        Column::int("created_at"),
        Column::int("updated_at"),
        Column::text("tags"),
        Column::int("changes"),
    ],
    indexes: &[],
};

/// Published versions of state machines.
pub(crate) static VERSIONS: Table = Table {
    name: "state_machine_versions",
    key: KeyShape::Pair("machine_id", "version"),
    columns: &[Column::int("flow_id"), Column::int("created_at"), Column::text("description").null()],
    indexes: &[],
};

/// Aliases: the key is the machine's id and the alias; `routes` is a JSON array of pairs of version and weight.
pub(crate) static ALIASES: Table = Table {
    name: "state_machine_aliases",
    key: KeyShape::Text("name"),
    columns: &[
        Column::int("machine_id"),
        Column::int("id"),
        Column::text("routes"),
        Column::text("description").null(),
        Column::int("created_at"),
        Column::int("updated_at"),
        Column::int("changes"),
    ],
    indexes: &[Index { name: "by_machine", columns: &["machine_id", "id"] }],
};

/// The names of executions that were started through the API: the key is the machine's id and the name, so that a name
/// is given once.
pub(crate) static EXECUTION_NAMES: Table = Table {
    name: "execution_names",
    key: KeyShape::Text("name"),
    columns: &[
        Column::int("machine_id"),
        Column::int("execution_id"),
        Column::text("sha256"),
        Column::int("version").null(),
        Column::text("alias").null(),
    ],
    indexes: &[Index { name: "by_machine", columns: &["machine_id", "execution_id"] }],
};

/// Activities, whose tasks workers fetch; the tasks are messages.
pub(crate) static ACTIVITIES: Table = Table {
    name: "activities",
    key: KeyShape::Text("name"),
    columns: &[Column::int("created_at"), Column::text("tags"), Column::int("changes")],
    indexes: &[],
};

/// All tables of the runtime, messages included.
#[must_use]
pub fn tables() -> Vec<&'static Table> {
    vec![
        &FLOWS,
        &EXECUTIONS,
        &JOURNAL,
        &STATE_MACHINES,
        &VERSIONS,
        &ALIASES,
        &EXECUTION_NAMES,
        &ACTIVITIES,
        &crate::services::USER_TABLES,
        &crate::services::TABLE_ITEMS,
        &store::message::MESSAGES,
    ]
}
