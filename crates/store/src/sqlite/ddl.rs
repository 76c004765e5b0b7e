//! Declarations as SQL: opening, making and upgrading the file.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::{Column, ColumnType, KeyShape, OpenError, Schema, Table, View};

/// "cmnd" in `PRAGMA application_id`, so that `file` and we know our own.
const APPLICATION_ID: i64 = 0x636D_6E64;
const PAGE_BYTES: u32 = 8192;
/// Page cache of the writer; the others read what the system's cache holds anyway.
const WRITER_CACHE_KIB: i64 = 8 << 10;
const READER_CACHE_KIB: i64 = 1 << 10;
/// How long to wait for another program (a shell, a backup) that holds the file's lock.
const BUSY: Duration = Duration::from_secs(5);
/// The same for the writer, which refuses new work meanwhile.
const WRITER_BUSY: Duration = Duration::from_millis(250);

/// A further connection to a file that [`open`] has prepared.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    configure(&connection)?;
    Ok(connection)
}

/// A connection that does not create the file.
pub(super) fn connect_existing(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// Opens the file for the writer, making or upgrading its tables.
pub(super) fn open(path: &Path, schema: &Schema) -> Result<Connection, OpenError> {
    let unusable = |problem: String| OpenError::Unusable { path: path.display().to_string(), problem };
    let sql = |e: rusqlite::Error| unusable(explain(&e));
    let mut connection = Connection::open(path).map_err(sql)?;
    connection.busy_timeout(BUSY).map_err(sql)?;
    let pragma =
        |connection: &Connection, name: &str| connection.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
    let found = pragma(&connection, "user_version").map_err(sql)?;
    let application = pragma(&connection, "application_id").map_err(sql)?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0)).map_err(sql)?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(unusable("it is a database of another program; choose another data folder".into()));
    }
    if found > schema.version {
        return Err(OpenError::Newer { path: path.display().to_string(), found, known: schema.version });
    }
    connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(sql)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(sql)?;
    let mode = connection.pragma_query_value(None, "journal_mode", |r| r.get::<_, String>(0)).map_err(sql)?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(unusable("its file system cannot hold a write-ahead log; put the data on a local disk".into()));
    }
    configure(&connection).map_err(sql)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB).map_err(sql)?;
    let transaction = connection.transaction().map_err(sql)?;
    for table in &schema.tables {
        upgrade(&transaction, table).map_err(|e| match e {
            Upgrade::Sql(e) => sql(e),
            Upgrade::Other(problem) => unusable(format!("table `{}`: {problem}", table.name)),
        })?;
    }
    for view in &schema.views {
        let View { name, query } = view;
        let made = format!("DROP VIEW IF EXISTS {name}; CREATE VIEW {name} AS {query}");
        transaction.execute_batch(&made).map_err(sql)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sql)?;
    transaction.pragma_update(None, "user_version", schema.version).map_err(sql)?;
    transaction.commit().map_err(sql)?;
    // From here on the writer itself decides how to wait, and says so.
    connection.busy_timeout(WRITER_BUSY).map_err(sql)?;
    Ok(connection)
}

fn explain(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, ReadOnly};
    let advice = match error.sqlite_error_code() {
        Some(CannotOpen) => "; does the folder exist, and may this user write in it?",
        Some(ReadOnly) => "; make the file and its folder writable for this user",
        Some(DatabaseBusy) => "; another program holds its lock: close it and start again",
        Some(DiskFull) => "; free some space and start again",
        Some(NotADatabase | DatabaseCorrupt) => "; restore it from a backup",
        _ => "",
    };
    format!("{error}{advice}")
}

enum Upgrade {
    Sql(rusqlite::Error),
    Other(String),
}

impl From<rusqlite::Error> for Upgrade {
    fn from(error: rusqlite::Error) -> Upgrade {
        Upgrade::Sql(error)
    }
}

/// Makes the table, or adds the columns and indexes that the file lacks. A column of another type or one that is no
/// longer declared and has no default is beyond what an upgrade may touch.
fn upgrade(connection: &Connection, table: &Table) -> Result<(), Upgrade> {
    connection.execute_batch(&create_table(table))?;
    let mut statement = connection.prepare(&format!("PRAGMA table_info({})", table.name))?;
    let found = statement
        .query_map([], |r| Ok((r.get::<_, String>(1)?, r.get::<_, String>(2)?)))?
        .collect::<Result<BTreeMap<String, String>, _>>()?;
    for name in key_names(table) {
        if !found.contains_key(name) {
            return Err(Upgrade::Other(format!("has another key than `{name}`")));
        }
    }
    for column in table.columns {
        match found.get(column.name) {
            Some(kind) if kind == type_name(column.kind) => {}
            Some(kind) => return Err(Upgrade::Other(format!("column `{}` has type {kind}", column.name))),
            None => {
                let default = if column.nullable { "" } else { default_of(column.kind) };
                let definition = column_definition(column);
                connection.execute_batch(&format!("ALTER TABLE {} ADD COLUMN {definition}{default}", table.name))?;
            }
        }
    }
    for index in table.indexes {
        let columns = index.columns.join(", ");
        let partition = index.columns.first().copied().unwrap_or_default();
        connection.execute_batch(&format!(
            "CREATE INDEX IF NOT EXISTS {0}_{1} ON {0} ({columns}) WHERE {partition} IS NOT NULL",
            table.name, index.name
        ))?;
    }
    Ok(())
}

fn create_table(table: &Table) -> String {
    let columns: Vec<String> = table.columns.iter().map(column_definition).collect();
    let columns = columns.join(", ");
    let comma = if columns.is_empty() { "" } else { ", " };
    let name = table.name;
    match table.key {
        KeyShape::Int(key) => {
            format!("CREATE TABLE IF NOT EXISTS {name} ({key} INTEGER PRIMARY KEY{comma}{columns}) STRICT")
        }
        KeyShape::Pair(first, second) => format!(
            "CREATE TABLE IF NOT EXISTS {name} ({first} INTEGER NOT NULL, {second} INTEGER NOT NULL{comma}{columns}, \
             PRIMARY KEY ({first}, {second})) STRICT, WITHOUT ROWID"
        ),
        KeyShape::Text(key) => {
            format!("CREATE TABLE IF NOT EXISTS {name} ({key} TEXT PRIMARY KEY{comma}{columns}) STRICT, WITHOUT ROWID")
        }
    }
}

fn column_definition(column: &Column) -> String {
    let null = if column.nullable { "" } else { " NOT NULL" };
    format!("{} {}{null}", column.name, type_name(column.kind))
}

fn type_name(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Int => "INTEGER",
        ColumnType::Text => "TEXT",
    }
}

fn default_of(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Int => " DEFAULT 0",
        ColumnType::Text => " DEFAULT ''",
    }
}

/// The names of the key's parts.
pub(super) fn key_names(table: &Table) -> Vec<&'static str> {
    match table.key {
        KeyShape::Int(name) | KeyShape::Text(name) => vec![name],
        KeyShape::Pair(first, second) => vec![first, second],
    }
}

/// All columns, the key's first.
pub(super) fn all_names(table: &Table) -> Vec<&'static str> {
    key_names(table).into_iter().chain(table.columns.iter().map(|c| c.name)).collect()
}

/// `first = ?1 AND second = ?2`, for the parts of the key.
pub(super) fn key_condition(table: &Table) -> String {
    let names = key_names(table);
    let parts: Vec<String> = names.iter().enumerate().map(|(at, name)| format!("{name} = ?{}", at + 1)).collect();
    parts.join(" AND ")
}
