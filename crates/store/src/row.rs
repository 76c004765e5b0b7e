//! Keys, values and rows.

use std::fmt;
use std::sync::Arc;

use crate::Table;

/// What identifies a row of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// For [`crate::KeyShape::Int`].
    Int(i64),
    /// For [`crate::KeyShape::Pair`].
    Pair(i64, i64),
    /// For [`crate::KeyShape::Text`].
    Text(Arc<str>),
}

impl Key {
    /// The integer of an integer key; the partition of a pair.
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        match self {
            Key::Int(n) | Key::Pair(n, _) => Some(*n),
            Key::Text(_) => None,
        }
    }

    /// The text of a text key.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Key::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<i64> for Key {
    fn from(n: i64) -> Key {
        Key::Int(n)
    }
}

impl From<(i64, i64)> for Key {
    fn from((first, second): (i64, i64)) -> Key {
        Key::Pair(first, second)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Key {
        Key::Text(text.into())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Int(n) => write!(f, "{n}"),
            Key::Pair(first, second) => write!(f, "{first}/{second}"),
            Key::Text(text) => f.write_str(text),
        }
    }
}

/// The value of one column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// Nothing.
    Null,
    /// An integer.
    Int(i64),
    /// A text. Shared, so that copying a row copies no text.
    Text(Arc<str>),
}

impl Value {
    /// The integer, if it is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Value {
        Value::Int(n)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Value {
        Value::Text(text)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// A row: its key and the values of its columns in declared order. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    table: &'static Table,
    key: Key,
    values: Arc<[Value]>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]{:?}", self.table.name, self.key, self.values)
    }
}

impl Row {
    /// A row of the table. `values` are in the order of its columns.
    #[must_use]
    pub fn new(table: &'static Table, key: impl Into<Key>, values: impl Into<Arc<[Value]>>) -> Row {
        Row { table, key: key.into(), values: values.into() }
    }

    /// Its table.
    #[must_use]
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Its values in the order of the columns.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The value of a column; [`Value::Null`] for an unknown one.
    #[must_use]
    pub fn value(&self, column: &str) -> &Value {
        self.table.position(column).and_then(|at| self.values.get(at)).unwrap_or(&Value::Null)
    }

    /// The integer in a column.
    #[must_use]
    pub fn int(&self, column: &str) -> Option<i64> {
        self.value(column).as_int()
    }

    /// The text in a column.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<&str> {
        self.value(column).as_text()
    }

    /// The same row with some columns set. Unknown columns are left out.
    #[must_use]
    pub fn with(&self, set: &[(&'static str, Value)]) -> Row {
        let mut values = self.values.to_vec();
        for (column, value) in set {
            if let Some(slot) = self.table.position(column).and_then(|at| values.get_mut(at)) {
                *slot = value.clone();
            }
        }
        Row { table: self.table, key: self.key.clone(), values: values.into() }
    }

    /// The same row with an amount added to an integer column; `None` past 64 bits or if the column is no integer.
    #[must_use]
    pub fn plus(&self, column: &str, amount: i64) -> Option<Row> {
        let at = self.table.position(column)?;
        let sum = self.values.get(at)?.as_int()?.checked_add(amount)?;
        let mut values = self.values.to_vec();
        *values.get_mut(at)? = Value::Int(sum);
        Some(Row { table: self.table, key: self.key.clone(), values: values.into() })
    }

    /// About how many bytes the row holds.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let text = |value: &Value| value.as_text().map_or(8, |t| t.len() + 8);
        16 + self.key.text().map_or(16, str::len) + self.values.iter().map(text).sum::<usize>()
    }
}
