//! Tables are declared, once, as constants; every adapter turns the declarations into its own.

use crate::{Key, Row, Value};

/// A declared table. Compared by name; declare each once as a `static`.
#[derive(Debug)]
pub struct Table {
    /// Lower snake case, unique in the schema.
    pub name: &'static str,
    /// What identifies a row.
    pub key: KeyShape,
    /// The typed columns after the key, in order.
    pub columns: &'static [Column],
    /// The ways to query it besides by key.
    pub indexes: &'static [Index],
}

/// The shape of a table's key, with the names of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyShape {
    /// One integer, best made by [`crate::id::next`], so that new rows land at the end.
    Int(&'static str),
    /// Two integers: a partition and a position in it.
    Pair(&'static str, &'static str),
    /// One text of at most 512 bytes.
    Text(&'static str),
}

/// A column: its name and type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Lower snake case.
    pub name: &'static str,
    /// Its type.
    pub kind: ColumnType,
    /// Whether [`Value::Null`] may stand here.
    pub nullable: bool,
    /// Whether it tells about a person: an adapter whose storage others run encrypts it.
    pub personal: bool,
}

/// What stands in a personal column that this process may not decrypt; no writer takes it.
pub const LOCKED: &str = "\u{1}locked";

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// A 64-bit signed integer; also instants (milliseconds since the epoch) and amounts (minor units).
    Int,
    /// UTF-8 text; also JSON bodies, which are never searched.
    Text,
}

impl Column {
    /// An integer column.
    #[must_use]
    pub const fn int(name: &'static str) -> Column {
        Column { name, kind: ColumnType::Int, nullable: false, personal: false }
    }

    /// A text column.
    #[must_use]
    pub const fn text(name: &'static str) -> Column {
        Column { name, kind: ColumnType::Text, nullable: false, personal: false }
    }

    /// The same column, nullable.
    #[must_use]
    pub const fn null(self) -> Column {
        Column { nullable: true, ..self }
    }

    /// The same column, about a person. Only a text in no index can be; no condition is set on it, since equal texts are
    /// encrypted differently.
    #[must_use]
    pub const fn personal(self) -> Column {
        Column { personal: true, ..self }
    }
}

/// An index over one or two columns: the first is the partition, the second the order within it; ties are in key order.
///
/// Sparse: a row whose partition column is null is not in it. So a table of a million orders keeps an index of the forty
/// open ones.
#[derive(Debug)]
pub struct Index {
    /// Unique within the table.
    pub name: &'static str,
    /// One or two column names of the table.
    pub columns: &'static [&'static str],
}

impl PartialEq for Table {
    fn eq(&self, other: &Table) -> bool {
        self.name == other.name
    }
}

impl Eq for Table {}

impl Table {
    /// The position of a column.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == column)
    }

    /// Whether the key has this table's shape.
    #[must_use]
    pub fn fits_key(&self, key: &Key) -> bool {
        matches!(
            (self.key, key),
            (KeyShape::Int(_), Key::Int(_)) | (KeyShape::Pair(..), Key::Pair(..)) | (KeyShape::Text(_), Key::Text(_))
        )
    }

    /// Whether the row has a value of the right type for every column.
    #[must_use]
    pub fn fits_row(&self, row: &Row) -> bool {
        row.values().len() == self.columns.len()
            && self.columns.iter().zip(row.values()).all(|(column, value)| column.fits(value))
    }

    /// The index of that name.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<&'static Index> {
        self.indexes.iter().find(|index| index.name == name)
    }
}

impl Column {
    /// Whether the value may stand in this column.
    #[must_use]
    pub fn fits(&self, value: &Value) -> bool {
        match value {
            Value::Null => self.nullable,
            Value::Int(_) => self.kind == ColumnType::Int,
            Value::Text(_) => self.kind == ColumnType::Text,
        }
    }
}

/// A view for people with a shell or a reporting tool on the SQLite file; nothing of ours reads it. An adapter without views
/// leaves it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Lower snake case, no table's name.
    pub name: &'static str,
    /// The query, in SQLite's SQL.
    pub query: &'static str,
}

/// All tables of a store and the version of their layout.
#[derive(Debug, Clone)]
pub struct Schema {
    /// Grows by one with every change of layout; a store with a newer version is refused.
    pub version: i64,
    /// Every table.
    pub tables: Vec<&'static Table>,
    /// Every view.
    pub views: Vec<View>,
}

/// A declaration that no adapter could carry out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("table `{table}`: {problem}")]
pub struct SchemaError {
    /// The table.
    pub table: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl Schema {
    /// Checks the declarations and puts them together.
    ///
    /// # Errors
    /// A name that stands twice or is not lower snake case; an index over an unknown column or over more than two.
    pub fn new(version: i64, tables: Vec<&'static Table>) -> Result<Schema, SchemaError> {
        for (at, table) in tables.iter().enumerate() {
            let problem = |problem: String| Err(SchemaError { table: table.name, problem });
            if tables.iter().take(at).any(|other| other.name == table.name) {
                return problem("is declared twice".into());
            }
            let keys: &[&str] = match &table.key {
                KeyShape::Int(name) | KeyShape::Text(name) => &[name],
                KeyShape::Pair(first, second) => &[first, second],
            };
            let names: Vec<&str> = keys.iter().copied().chain(table.columns.iter().map(|c| c.name)).collect();
            for (at, name) in names.iter().chain([&table.name]).enumerate() {
                if !name.starts_with(|c: char| c.is_ascii_lowercase())
                    || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
                {
                    return problem(format!("`{name}` is not lower snake case"));
                }
                if at < names.len() && names.iter().take(at).any(|other| other == name) {
                    return problem(format!("column `{name}` stands twice"));
                }
            }
            for column in table.columns.iter().filter(|column| column.personal) {
                let indexed = table.indexes.iter().any(|index| index.columns.contains(&column.name));
                if column.kind != ColumnType::Text || indexed {
                    return problem(format!("column `{}` is personal, so it must be a text in no index", column.name));
                }
            }
            for index in table.indexes {
                if index.columns.is_empty() || index.columns.len() > 2 {
                    return problem(format!("index `{}` needs one or two columns", index.name));
                }
                if let Some(unknown) = index.columns.iter().find(|c| table.position(c).is_none()) {
                    return problem(format!("index `{}` names the unknown column `{unknown}`", index.name));
                }
            }
        }
        Ok(Schema { version, tables, views: Vec::new() })
    }

    /// With views over the tables.
    #[must_use]
    pub fn with_views(self, views: Vec<View>) -> Schema {
        Schema { views, ..self }
    }
}
