//! One atomic, conditional transaction.

use crate::{CommitError, Key, Row, Table, Value};

/// The most operations of one batch: what a DynamoDB transaction takes.
pub const MAX_BATCH_OPS: usize = 100;
/// The most bytes of one batch: what a DynamoDB transaction takes.
pub const MAX_BATCH_BYTES: usize = 4 << 20;

/// The most bytes of a text key.
pub const MAX_KEY_BYTES: usize = 512;

/// One operation on one item. Conditions are judged against the state before the batch.
#[derive(Debug, Clone)]
pub enum Op {
    /// Writes a row whose key must be absent.
    Insert(Row),
    /// Writes a row whatever is there; for rows that have one writer only.
    Put(Row),
    /// Sets columns of a row that must be there, under an optional condition.
    Update(Update),
    /// Adds to an integer column of a row that must be there.
    Add(Add),
    /// Deletes a row; an absent one is fine.
    Delete(&'static Table, Key),
    /// Deletes a row that must be there with this value in this column: of two that take it, one succeeds.
    Take(&'static Table, Key, &'static str, Value),
    /// Demands that a row is there with this value in this column; writes nothing.
    Check(&'static Table, Key, &'static str, Value),
}

/// See [`Op::Insert`].
pub type Insert = Row;

/// See [`Op::Update`].
#[derive(Debug, Clone)]
pub struct Update {
    /// The table.
    pub table: &'static Table,
    /// The row.
    pub key: Key,
    /// The columns to set.
    pub set: Vec<(&'static str, Value)>,
    /// A column and the value it must have, as a rule the revision.
    pub when: Option<(&'static str, Value)>,
}

/// See [`Op::Add`].
#[derive(Debug, Clone)]
pub struct Add {
    /// The table.
    pub table: &'static Table,
    /// The row.
    pub key: Key,
    /// The integer columns and what to add to each, negative to subtract.
    pub amounts: Vec<(&'static str, i64)>,
    /// No touched column may fall below this.
    pub floor: i64,
}

impl Op {
    /// The item it touches.
    #[must_use]
    pub fn item(&self) -> (&'static Table, &Key) {
        match self {
            Op::Insert(row) | Op::Put(row) => (row.table(), row.key()),
            Op::Update(update) => (update.table, &update.key),
            Op::Add(add) => (add.table, &add.key),
            Op::Delete(table, key) | Op::Take(table, key, ..) | Op::Check(table, key, ..) => (table, key),
        }
    }

    /// About how many bytes it takes of [`MAX_BATCH_BYTES`].
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Op::Insert(row) | Op::Put(row) => row.size_bytes(),
            Op::Update(update) => update.set.iter().map(|(_, v)| v.as_text().map_or(8, str::len) + 8).sum(),
            Op::Add(_) | Op::Delete(..) | Op::Take(..) | Op::Check(..) => 32,
        }
    }
}

/// Operations that take effect together or not at all. At most [`MAX_BATCH_OPS`], each item at most once.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    ops: Vec<Op>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Adds an operation.
    pub fn push(&mut self, op: Op) -> &mut Batch {
        self.ops.push(op);
        self
    }

    /// Adds [`Op::Insert`].
    pub fn insert(&mut self, row: Row) -> &mut Batch {
        self.push(Op::Insert(row))
    }

    /// Adds [`Op::Put`].
    pub fn put(&mut self, row: Row) -> &mut Batch {
        self.push(Op::Put(row))
    }

    /// Adds [`Op::Update`] of the columns in which `new` differs from `old`, if `column` still has the value of `old`.
    pub fn replace(&mut self, old: &Row, new: &Row, column: &'static str) -> &mut Batch {
        let set = old.table().columns.iter().zip(old.values()).zip(new.values());
        let set = set.filter(|((_, a), b)| a != b).map(|((c, _), b)| (c.name, b.clone())).collect();
        let when = Some((column, old.value(column).clone()));
        self.push(Op::Update(Update { table: old.table(), key: old.key().clone(), set, when }))
    }

    /// Adds [`Op::Update`].
    pub fn update(
        &mut self,
        table: &'static Table,
        key: impl Into<Key>,
        set: Vec<(&'static str, Value)>,
        when: Option<(&'static str, Value)>,
    ) -> &mut Batch {
        self.push(Op::Update(Update { table, key: key.into(), set, when }))
    }

    /// Adds [`Op::Add`] to one column.
    pub fn add(
        &mut self,
        table: &'static Table,
        key: impl Into<Key>,
        column: &'static str,
        amount: i64,
        floor: i64,
    ) -> &mut Batch {
        self.push(Op::Add(Add { table, key: key.into(), amounts: vec![(column, amount)], floor }))
    }

    /// Adds [`Op::Delete`].
    pub fn delete(&mut self, table: &'static Table, key: impl Into<Key>) -> &mut Batch {
        self.push(Op::Delete(table, key.into()))
    }

    /// Adds [`Op::Take`].
    pub fn take(
        &mut self,
        table: &'static Table,
        key: impl Into<Key>,
        column: &'static str,
        value: impl Into<Value>,
    ) -> &mut Batch {
        self.push(Op::Take(table, key.into(), column, value.into()))
    }

    /// Adds [`Op::Check`].
    pub fn check(
        &mut self,
        table: &'static Table,
        key: impl Into<Key>,
        column: &'static str,
        value: impl Into<Value>,
    ) -> &mut Batch {
        self.push(Op::Check(table, key.into(), column, value.into()))
    }

    /// Moves all operations of another batch to the end of this one.
    pub fn append(&mut self, mut other: Batch) -> &mut Batch {
        self.ops.append(&mut other.ops);
        self
    }

    /// Its operations in order.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// How many operations it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether it would change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Checks the limits and shapes that hold for every adapter.
    ///
    /// # Errors
    /// [`CommitError::Invalid`] names the offending operation.
    pub fn validate(&self) -> Result<(), CommitError> {
        let invalid = |problem: String| Err(CommitError::Invalid(problem));
        if self.ops.len() > MAX_BATCH_OPS {
            return invalid(format!("{} operations; a batch takes {MAX_BATCH_OPS}", self.ops.len()));
        }
        let mut size = 0;
        for (at, op) in self.ops.iter().enumerate() {
            size += op.size_bytes();
            let (table, key) = op.item();
            if !table.fits_key(key) {
                return invalid(format!("key `{key}` does not fit table `{}`", table.name));
            }
            if self.ops.iter().take(at).any(|other| other.item().1 == key && other.item().0 == table) {
                return invalid(format!("item `{}[{key}]` stands twice", table.name));
            }
            if key.text().is_some_and(|text| text.len() > MAX_KEY_BYTES) {
                return invalid(format!("the key of `{}` is longer than {MAX_KEY_BYTES} bytes", table.name));
            }
            let unknown = match op {
                Op::Insert(row) | Op::Put(row) if !table.fits_row(row) => {
                    return invalid(format!("row `{}[{key}]` does not fit the columns", table.name));
                }
                Op::Update(update) => {
                    let misfit = |c: &str, v: &Value| {
                        !table.position(c).and_then(|at| table.columns.get(at)).is_some_and(|column| column.fits(v))
                    };
                    let when = update.when.as_ref().filter(|(c, _)| table.position(c).is_none());
                    when.or_else(|| update.set.iter().find(|(c, v)| misfit(c, v))).map(|(c, _)| *c)
                }
                Op::Add(add) => add.amounts.iter().find(|(c, _)| table.position(c).is_none()).map(|(c, _)| *c),
                Op::Take(_, _, column, _) | Op::Check(_, _, column, _) if table.position(column).is_none() => {
                    Some(*column)
                }
                _ => None,
            };
            if let Some(column) = unknown {
                return invalid(format!("column `{column}` of `{}[{key}]` is unknown or of another type", table.name));
            }
        }
        if size > MAX_BATCH_BYTES {
            return invalid(format!("{size} bytes; a batch takes {MAX_BATCH_BYTES}"));
        }
        Ok(())
    }
}
