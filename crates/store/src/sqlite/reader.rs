//! Reading rows and pages from the file.

use std::ops::Bound;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Statement, ToSql};

use super::ddl;
use crate::memory::Plan;
use crate::{Key, KeyShape, Page, Query, ReadError, Row, Table, Value};

/// The most connections kept open; more readers at once open their own and close it again.
const MAX_IDLE: usize = 4;

/// A pool of connections for reading.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Readers {
        Readers { path: path.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ReadError> {
        let unavailable = |e: rusqlite::Error| ReadError::Unavailable(e.into());
        let pooled = self.idle.lock().pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => ddl::connect(&self.path).map_err(unavailable)?,
        };
        let result = read(&connection).map_err(unavailable);
        let mut idle = self.idle.lock();
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
        result
    }

    pub(super) fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError> {
        self.with(|connection| get(connection, table, key))
    }

    pub(super) fn query(&self, query: &Query) -> Result<Page, ReadError> {
        let plan = Plan::new(query)?;
        self.with(|connection| page(connection, query, &plan))
    }
}

/// The page of a query.
pub(super) fn page(connection: &Connection, query: &Query, plan: &Plan<'_>) -> rusqlite::Result<Page> {
    let (sql, parameters) = select(query, plan);
    let mut statement = connection.prepare_cached(&sql)?;
    for (at, value) in parameters.iter().enumerate() {
        bind(&mut statement, at + 1, value)?;
    }
    let mut found = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(read_row(query.table, row)?);
    }
    let more = rows.len() > query.limit;
    rows.truncate(query.limit);
    let next = if more { rows.last().and_then(|row| plan.cursor(row)) } else { None };
    Ok(Page { rows, next })
}

/// The row of that key.
pub(super) fn get(connection: &Connection, table: &'static Table, key: &Key) -> rusqlite::Result<Option<Row>> {
    let sql =
        format!("SELECT {} FROM {} WHERE {}", ddl::all_names(table).join(", "), table.name, ddl::key_condition(table));
    let mut statement = connection.prepare_cached(&sql)?;
    bind_key(&mut statement, 1, key)?;
    let mut rows = statement.raw_query();
    rows.next()?.map(|row| read_row(table, row)).transpose()
}

fn select(query: &Query, plan: &Plan<'_>) -> (String, Vec<Value>) {
    let table = query.table;
    let keys = ddl::key_names(table);
    let mut conditions: Vec<String> = Vec::new();
    let mut parameters: Vec<Value> = Vec::new();
    let (partition, mut order): (Option<&str>, Vec<&str>) = match query.index.and_then(|name| table.index(name)) {
        Some(index) => (index.columns.first().copied(), index.columns.iter().skip(1).chain(&keys).copied().collect()),
        None if query.partition.is_some() => (keys.first().copied(), keys.iter().skip(1).copied().collect()),
        None => (None, keys.clone()),
    };
    order.dedup();
    if let (Some(column), Some(value)) = (partition, &query.partition) {
        parameters.push(value.clone());
        conditions.push(format!("{column} = ?{}", parameters.len()));
    }
    let first = order.first().copied().unwrap_or_default();
    for (bound, including, excluding) in [(&query.range.0, ">=", ">"), (&query.range.1, "<=", "<")] {
        let (value, operator) = match bound {
            Bound::Included(value) => (value, including),
            Bound::Excluded(value) => (value, excluding),
            Bound::Unbounded => continue,
        };
        parameters.push(value.clone());
        conditions.push(format!("{first} {operator} ?{}", parameters.len()));
    }
    if let Some((after, key)) = &plan.after {
        let mut values = match key {
            Key::Int(n) => vec![Value::Int(*n)],
            Key::Pair(a, b) => vec![Value::Int(*a), Value::Int(*b)],
            Key::Text(text) => vec![Value::Text(text.clone())],
        };
        if order.len() > values.len() {
            values.insert(0, after.clone());
        }
        let values: Vec<Value> = values.split_off(values.len() - order.len());
        let marks: Vec<String> = (0..values.len()).map(|at| format!("?{}", parameters.len() + at + 1)).collect();
        let operator = if query.descending { "<" } else { ">" };
        conditions.push(format!("({}) {operator} ({})", order.join(", "), marks.join(", ")));
        parameters.extend(values);
    }
    let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let direction = if query.descending { " DESC" } else { "" };
    let order: Vec<String> = order.iter().map(|column| format!("{column}{direction}")).collect();
    let sql = format!(
        "SELECT {} FROM {}{filter} ORDER BY {} LIMIT {}",
        ddl::all_names(table).join(", "),
        table.name,
        order.join(", "),
        query.limit + 1
    );
    (sql, parameters)
}

fn read_row(table: &'static Table, row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let (key, width) = match table.key {
        KeyShape::Int(_) => (Key::Int(row.get(0)?), 1),
        KeyShape::Pair(..) => (Key::Pair(row.get(0)?, row.get(1)?), 2),
        KeyShape::Text(_) => (Key::Text(row.get_ref(0)?.as_str()?.into()), 1),
    };
    let value = |at: usize| match row.get_ref(width + at)? {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(n) => Ok(Value::Int(n)),
        other => Ok(Value::Text(other.as_str()?.into())),
    };
    let values = (0..table.columns.len()).map(value).collect::<rusqlite::Result<Vec<Value>>>()?;
    Ok(Row::new(table, key, values))
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(n) => ValueRef::Integer(*n),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// Binds one value at a position.
pub(super) fn bind(statement: &mut Statement<'_>, at: usize, value: &Value) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(at, value)
}

/// Binds the parts of a key from a position on; answers the next position.
pub(super) fn bind_key(statement: &mut Statement<'_>, at: usize, key: &Key) -> rusqlite::Result<usize> {
    match key {
        Key::Int(n) => {
            statement.raw_bind_parameter(at, n)?;
            Ok(at + 1)
        }
        Key::Pair(first, second) => {
            statement.raw_bind_parameter(at, first)?;
            statement.raw_bind_parameter(at + 1, second)?;
            Ok(at + 2)
        }
        Key::Text(text) => {
            statement.raw_bind_parameter(at, text.as_ref())?;
            Ok(at + 1)
        }
    }
}
