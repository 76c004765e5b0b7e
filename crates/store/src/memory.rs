//! The store in memory: for tests, and for looking at how little the port asks for.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;

use crate::batch::Op;
use crate::{Batch, CommitError, Key, KeyShape, MAX_PAGE, Page, Query, ReadError, Receipt, Row, Store, Table, Value};

type Rows = HashMap<&'static str, BTreeMap<Key, Row>>;

/// All tables in ordered maps behind one lock; a commit is durable at once, for as long as the process lives.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: RwLock<Rows>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }
}

/// What one operation makes of a row.
///
/// # Errors
/// [`CommitError::Conflict`] or [`CommitError::BelowFloor`] if its condition does not hold.
pub(crate) fn apply(op: &Op, old: Option<&Row>) -> Result<Option<Row>, CommitError> {
    let (table, key) = op.item();
    let conflict = || CommitError::Conflict { table: table.name, key: key.clone() };
    match op {
        Op::Insert(row) => old.map_or_else(|| Ok(Some(row.clone())), |_| Err(conflict())),
        Op::Put(row) => Ok(Some(row.clone())),
        Op::Delete(..) => Ok(None),
        Op::Take(_, _, column, value) => match old {
            Some(row) if row.value(column) == value => Ok(None),
            _ => Err(conflict()),
        },
        Op::Check(_, _, column, value) => match old {
            Some(row) if row.value(column) == value => Ok(Some(row.clone())),
            _ => Err(conflict()),
        },
        Op::Update(update) => {
            let row = old.ok_or_else(conflict)?;
            match &update.when {
                Some((column, value)) if row.value(column) != value => Err(conflict()),
                _ => Ok(Some(row.with(&update.set))),
            }
        }
        Op::Add(add) => {
            let below = || CommitError::BelowFloor { table: table.name, key: key.clone() };
            let mut row = old.ok_or_else(conflict)?.clone();
            for (column, amount) in &add.amounts {
                row = row.plus(column, *amount).ok_or_else(below)?;
                if *amount < 0 && row.int(column).is_none_or(|n| n < add.floor) {
                    return Err(below());
                }
            }
            Ok(Some(row))
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError> {
        check_key(table, key)?;
        Ok(self.tables.read().get(table.name).and_then(|rows| rows.get(key)).cloned())
    }

    async fn query(&self, query: Query) -> Result<Page, ReadError> {
        let plan = Plan::new(&query)?;
        let tables = self.tables.read();
        let Some(rows) = tables.get(query.table.name) else {
            return Ok(Page::default());
        };
        let mut found: Vec<(Value, &Row)> =
            rows.values().filter_map(|row| plan.order(row).map(|order| (order, row))).collect();
        found.sort_by(|a, b| (&a.0, a.1.key()).cmp(&(&b.0, b.1.key())));
        if query.descending {
            found.reverse();
        }
        let start = plan.after.as_ref().map_or(0, |after| {
            let before = |(order, row): &(Value, &Row)| {
                let at = (order, row.key()).cmp(&(&after.0, &after.1));
                if query.descending { at.is_ge() } else { at.is_le() }
            };
            found.partition_point(before)
        });
        let rows: Vec<Row> = found.iter().skip(start).take(query.limit).map(|(_, row)| (*row).clone()).collect();
        let more = found.len() > start + rows.len();
        let next = if more { rows.last().and_then(|row| plan.cursor(row)) } else { None };
        Ok(Page { rows, next })
    }

    async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        batch.validate()?;
        let mut tables = self.tables.write();
        let mut changes = Vec::with_capacity(batch.len());
        for op in batch.ops() {
            let (table, key) = op.item();
            changes.push(apply(op, tables.get(table.name).and_then(|rows| rows.get(key)))?);
        }
        for (op, change) in batch.ops().iter().zip(changes) {
            let (table, key) = op.item();
            let rows = tables.entry(table.name).or_default();
            match change {
                Some(row) => rows.insert(key.clone(), row),
                None => rows.remove(key),
            };
        }
        Ok(Receipt::durable_now())
    }

    async fn flush(&self) -> Result<(), CommitError> {
        Ok(())
    }

    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError> {
        Ok(Arc::new(MemoryStore { tables: RwLock::new(self.tables.read().clone()) }))
    }
}

/// Checks that a key has the shape of the table's.
///
/// # Errors
/// [`ReadError::Invalid`] if not.
pub fn check_key(table: &'static Table, key: &Key) -> Result<(), ReadError> {
    if table.fits_key(key) {
        return Ok(());
    }
    Err(ReadError::Invalid(format!("key `{key}` does not fit table `{}`", table.name)))
}

/// A checked query: how a row is selected and ordered, the same for every adapter.
pub struct Plan<'q> {
    query: &'q Query,
    partition_column: Option<&'static str>,
    order_column: Option<&'static str>,
    /// The place of the cursor: the value that orders, and the key.
    pub after: Option<(Value, Key)>,
}

impl<'q> Plan<'q> {
    /// Checks a query.
    ///
    /// # Errors
    /// [`ReadError::Invalid`] says what is wrong with it.
    pub fn new(query: &'q Query) -> Result<Plan<'q>, ReadError> {
        let invalid = |problem: String| Err(ReadError::Invalid(problem));
        let table = query.table;
        if query.limit == 0 || query.limit > MAX_PAGE {
            return invalid(format!("a page has 1 to {MAX_PAGE} rows, not {}", query.limit));
        }
        let (partition_column, order_column) = match query.index {
            None => (None, None),
            Some(name) => match table.index(name) {
                Some(index) => (index.columns.first().copied(), index.columns.get(1).copied()),
                None => return invalid(format!("table `{}` has no index `{name}`", table.name)),
            },
        };
        let given = query.partition.as_ref().is_some_and(|value| *value != Value::Null);
        let text_key = query.index.is_none() && matches!(table.key, KeyShape::Text(_));
        match (partition_column.is_some(), given) {
            (true, false) => return invalid(format!("an index of `{}` needs a partition", table.name)),
            (false, true) if text_key => return invalid(format!("the keys of `{}` have no partition", table.name)),
            _ => {}
        }
        let after = match &query.after {
            None => None,
            Some(text) => match decode_cursor(table, text) {
                Some(after) => Some(after),
                None => return invalid(format!("cursor `{text}` is not one of this query")),
            },
        };
        Ok(Plan { query, partition_column, order_column, after })
    }

    /// Where the row stands in the order, if it is selected.
    fn order(&self, row: &Row) -> Option<Value> {
        let selected = match (&self.query.partition, self.partition_column) {
            (Some(partition), Some(column)) => row.value(column) == partition,
            (Some(partition), None) => row.key().int().map(Value::Int).as_ref() == Some(partition),
            (None, _) => true,
        };
        let order = self.order_value(row);
        let after_from = match &self.query.range.0 {
            Bound::Included(from) => order >= *from,
            Bound::Excluded(from) => order > *from,
            Bound::Unbounded => true,
        };
        let before_to = match &self.query.range.1 {
            Bound::Included(to) => order <= *to,
            Bound::Excluded(to) => order < *to,
            Bound::Unbounded => true,
        };
        (selected && after_from && before_to).then_some(order)
    }

    fn order_value(&self, row: &Row) -> Value {
        match (self.query.index, self.order_column, row.key()) {
            (Some(_), Some(column), _) => row.value(column).clone(),
            (Some(_), None, _) => Value::Null,
            (None, _, Key::Int(n)) => Value::Int(*n),
            (None, _, Key::Pair(first, second)) => {
                if self.query.partition.is_some() {
                    Value::Int(*second)
                } else {
                    Value::Int(*first)
                }
            }
            (None, _, Key::Text(text)) => Value::Text(text.clone()),
        }
    }

    /// The cursor after a row.
    #[must_use]
    pub fn cursor(&self, row: &Row) -> Option<String> {
        let order = match self.order_value(row) {
            Value::Null => serde_json::Value::Null,
            Value::Int(n) => n.into(),
            Value::Text(text) => (*text).into(),
        };
        let key = match row.key() {
            Key::Int(n) => serde_json::json!([n]),
            Key::Pair(first, second) => serde_json::json!([first, second]),
            Key::Text(text) => serde_json::json!([text.as_ref()]),
        };
        serde_json::to_string(&(order, key)).ok()
    }
}

fn decode_cursor(table: &'static Table, text: &str) -> Option<(Value, Key)> {
    let (order, key): (serde_json::Value, Vec<serde_json::Value>) = serde_json::from_str(text).ok()?;
    let order = match order {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::String(text) => Value::from(text),
        number => Value::Int(number.as_i64()?),
    };
    let key = match (table.key, key.as_slice()) {
        (KeyShape::Int(_), [n]) => Key::Int(n.as_i64()?),
        (KeyShape::Pair(..), [first, second]) => Key::Pair(first.as_i64()?, second.as_i64()?),
        (KeyShape::Text(_), [text]) => Key::from(text.as_str()?),
        _ => return None,
    };
    Some((order, key))
}
