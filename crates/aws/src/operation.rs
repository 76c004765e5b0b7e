//! Operations of a batch as DynamoDB writes them, and what a broken condition means.

use serde_json::{Map, Value as Json, json};
use store::{Add, CommitError, Key, LOCKED, Op, Row, Table, Update, Value};

use crate::item::{self, attribute, number_attribute};
use crate::layout::{Expiry, PK};
use crate::seal::{self, DataKey};

/// The kind of a write: its name within a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `PutItem`.
    Put,
    /// `UpdateItem`.
    Update,
    /// `DeleteItem`.
    Delete,
    /// Within a transaction only.
    ConditionCheck,
}

impl Kind {
    /// Its name in `TransactItems`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Put => "Put",
            Kind::Update => "Update",
            Kind::Delete => "Delete",
            Kind::ConditionCheck => "ConditionCheck",
        }
    }
}

/// One write.
#[derive(Debug, Clone)]
pub struct Write {
    /// Its kind.
    pub kind: Kind,
    /// Its parameters, `TableName` included.
    pub body: Map<String, Json>,
    /// Whether it was worked out from a row that was read: a broken condition then means to read it anew.
    pub read: bool,
}

impl Write {
    /// The operation of this write outside of a transaction, if it may be repeated when its answer was lost. One with a
    /// condition may not: it would find its own effect, or that of others who built on it.
    #[must_use]
    pub fn alone(&self) -> Option<&'static str> {
        match self.kind {
            _ if self.body.contains_key("ConditionExpression") => None,
            Kind::Put => Some("PutItem"),
            Kind::Delete => Some("DeleteItem"),
            Kind::Update | Kind::ConditionCheck => None,
        }
    }
}

/// The names and values of expressions, under placeholders, since columns have names that DynamoDB reserves.
#[derive(Default)]
struct Expression {
    names: Map<String, Json>,
    values: Map<String, Json>,
}

impl Expression {
    fn name(&mut self, name: &str) -> String {
        if let Some((placeholder, _)) = self.names.iter().find(|(_, known)| *known == name) {
            return placeholder.clone();
        }
        let placeholder = format!("#{}", self.names.len());
        self.names.insert(placeholder.clone(), name.into());
        placeholder
    }

    fn value(&mut self, value: Json) -> String {
        let placeholder = format!(":{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    fn exists(&mut self) -> String {
        format!("attribute_exists({})", self.name(PK))
    }

    fn absent(&mut self) -> String {
        format!("attribute_not_exists({})", self.name(PK))
    }

    /// The row is there, with this value.
    fn equals(&mut self, column: &str, value: &Value) -> String {
        let name = self.name(column);
        match attribute(value) {
            Some(value) => format!("{name} = {}", self.value(value)),
            None => format!("{} AND attribute_not_exists({name})", self.exists()),
        }
    }

    fn into_body(self, body: &mut Map<String, Json>, condition: String) {
        if !condition.is_empty() {
            body.insert("ConditionExpression".into(), condition.into());
            body.insert("ReturnValuesOnConditionCheckFailure".into(), "ALL_OLD".into());
        }
        if !self.names.is_empty() {
            body.insert("ExpressionAttributeNames".into(), self.names.into());
        }
        if !self.values.is_empty() {
            body.insert("ExpressionAttributeValues".into(), self.values.into());
        }
    }
}

/// Makes writes of operations.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'w> {
    /// The DynamoDB table.
    pub table_name: &'w str,
    /// What is forgotten when.
    pub expiries: &'w [Expiry],
    /// What personal columns are encrypted under; without it none is written.
    pub key: Option<&'w DataKey>,
}

impl Writer<'_> {
    /// The write of an operation. `current` is the row as it was read, which [`needs_row`] asks for.
    ///
    /// # Errors
    /// [`CommitError`]; for an addition to a row that was read also its outcome.
    pub fn write(&self, op: &Op, current: Option<&Row>) -> Result<Write, CommitError> {
        match op {
            Op::Insert(row) => self.put(row, true),
            Op::Put(row) => self.put(row, false),
            Op::Update(update) if update.set.is_empty() => {
                Ok(self.check(update.table, &update.key, update.when.as_ref()))
            }
            Op::Update(update) => self.update(update, &[], false),
            Op::Add(add) if needs_row(op) => self.add_read(add, current),
            Op::Add(add) => Ok(self.add(add)),
            Op::Delete(table, key) => {
                let body = self.body("Key", item::key_of(table, key));
                Ok(Write { kind: Kind::Delete, body, read: false })
            }
            Op::Take(table, key, column, value) => {
                let mut body = self.body("Key", item::key_of(table, key));
                let mut expression = Expression::default();
                let condition = expression.equals(column, value);
                expression.into_body(&mut body, condition);
                Ok(Write { kind: Kind::Delete, body, read: false })
            }
            Op::Check(table, key, column, value) => Ok(self.check(table, key, Some(&(*column, value.clone())))),
        }
    }

    fn body(&self, name: &str, item: Map<String, Json>) -> Map<String, Json> {
        Map::from_iter([("TableName".to_owned(), self.table_name.into()), (name.to_owned(), item.into())])
    }

    fn put(&self, row: &Row, absent: bool) -> Result<Write, CommitError> {
        let mut item = item::of_row(row, self.expiries).map_err(CommitError::Invalid)?;
        for (column, value) in row.table().columns.iter().zip(row.values()) {
            if let Some(sealed) = self.sealed(row.table(), row.key(), column.name, value)? {
                item.insert(column.name.to_owned(), sealed);
            }
        }
        let mut body = self.body("Item", item);
        let mut expression = Expression::default();
        let condition = if absent { expression.absent() } else { String::new() };
        expression.into_body(&mut body, condition);
        Ok(Write { kind: Kind::Put, body, read: false })
    }

    /// The attribute of a text about a person, encrypted; `None` for everything else.
    fn sealed(&self, table: &Table, key: &Key, column: &str, value: &Value) -> Result<Option<Json>, CommitError> {
        let Some(text) = personal(table, column, value) else { return Ok(None) };
        let refused = |problem: &str| CommitError::Invalid(format!("`{column}` of `{}[{key}]` {problem}", table.name));
        // Invariant: what could not be decrypted is never written back over what it stands for.
        if text == LOCKED {
            return Err(refused("was read without the right to decrypt it"));
        }
        let data_key = self.key.ok_or_else(|| refused("is personal, and there is no key to encrypt it under"))?;
        let sealed = data_key.seal(&seal::place(table, key, column), text);
        sealed.map(|sealed| Some(json!({ "B": sealed }))).map_err(|problem| refused(&problem))
    }

    fn check(&self, table: &Table, key: &Key, when: Option<&(&'static str, Value)>) -> Write {
        let mut body = self.body("Key", item::key_of(table, key));
        let mut expression = Expression::default();
        let condition = match when {
            Some((column, value)) => expression.equals(column, value),
            None => expression.exists(),
        };
        expression.into_body(&mut body, condition);
        Write { kind: Kind::ConditionCheck, body, read: false }
    }

    fn update(&self, update: &Update, also: &[(&'static str, Value)], read: bool) -> Result<Write, CommitError> {
        let (table, key) = (update.table, &update.key);
        let mut expression = Expression::default();
        let (mut set, mut remove) = (Vec::new(), Vec::new());
        for (column, value) in &update.set {
            let name = expression.name(column);
            let sealed = self.sealed(table, key, column, value)?;
            match sealed.or_else(|| attribute(value)) {
                Some(value) => set.push(format!("{name} = {}", expression.value(value))),
                None => remove.push(name),
            }
            for (name, derived) in item::derived(table, key, column, value, self.expiries) {
                let placeholder = expression.name(&name);
                match derived {
                    Some(value) => {
                        item::check_length(table, key, &name, &value).map_err(CommitError::Invalid)?;
                        let value = expression.value(item::derived_attribute(&name, &value));
                        set.push(format!("{placeholder} = {value}"));
                    }
                    None => remove.push(placeholder),
                }
            }
        }
        let mut conditions = vec![expression.exists()];
        conditions.extend(update.when.iter().chain(also).map(|(column, value)| expression.equals(column, value)));
        let clause = |word: &str, parts: Vec<String>| match parts.is_empty() {
            true => String::new(),
            false => format!("{word} {} ", parts.join(", ")),
        };
        let text = clause("SET", set) + &clause("REMOVE", remove);
        let mut body = self.body("Key", item::key_of(table, key));
        body.insert("UpdateExpression".into(), text.trim_end().into());
        expression.into_body(&mut body, conditions.join(" AND "));
        Ok(Write { kind: Kind::Update, body, read })
    }

    fn add(&self, add: &Add) -> Write {
        let mut expression = Expression::default();
        let mut set = Vec::new();
        let mut conditions = vec![expression.exists()];
        for (column, amount) in &add.amounts {
            let name = expression.name(column);
            let value = expression.value(number_attribute((*amount).into()));
            set.push(format!("{name} = {name} + {value}"));
            let (sign, bound) = match *amount < 0 {
                true => (">=", i128::from(add.floor) - i128::from(*amount)),
                false => ("<=", i128::from(i64::MAX) - i128::from(*amount)),
            };
            conditions.push(format!("{name} {sign} {}", expression.value(number_attribute(bound))));
        }
        let mut body = self.body("Key", item::key_of(add.table, &add.key));
        body.insert("UpdateExpression".into(), format!("SET {}", set.join(", ")).into());
        expression.into_body(&mut body, conditions.join(" AND "));
        Write { kind: Kind::Update, body, read: false }
    }

    /// An addition to a column that an index is made of: what comes out is written over what was read.
    fn add_read(&self, add: &Add, current: Option<&Row>) -> Result<Write, CommitError> {
        let conflict = || CommitError::Conflict { table: add.table.name, key: add.key.clone() };
        let below = || CommitError::BelowFloor { table: add.table.name, key: add.key.clone() };
        let old = current.ok_or_else(conflict)?;
        let mut row = old.clone();
        for (column, amount) in &add.amounts {
            row = row.plus(column, *amount).ok_or_else(below)?;
            if *amount < 0 && row.int(column).is_none_or(|n| n < add.floor) {
                return Err(below());
            }
        }
        let of = |row: &Row| -> Vec<(&'static str, Value)> {
            add.amounts.iter().map(|(column, _)| (*column, row.value(column).clone())).collect()
        };
        let update = Update { table: add.table, key: add.key.clone(), set: of(&row), when: None };
        self.update(&update, &of(old), true)
    }
}

/// The text, if it tells about a person.
fn personal<'v>(table: &Table, column: &str, value: &'v Value) -> Option<&'v str> {
    let is_personal = table.position(column).and_then(|at| table.columns.get(at)).is_some_and(|found| found.personal);
    value.as_text().filter(|_| is_personal)
}

/// Whether an operation writes something that tells about a person.
#[must_use]
pub fn needs_key(op: &Op) -> bool {
    match op {
        Op::Insert(row) | Op::Put(row) => {
            let columns = row.table().columns.iter().zip(row.values());
            columns.into_iter().any(|(column, value)| column.personal && value.as_text().is_some())
        }
        Op::Update(update) => update.set.iter().any(|(column, value)| personal(update.table, column, value).is_some()),
        _ => false,
    }
}

/// Whether an operation is worked out from the row: an addition to a column that an index is made of.
#[must_use]
pub fn needs_row(op: &Op) -> bool {
    let Op::Add(add) = op else { return false };
    let indexed = |column: &str| add.table.indexes.iter().any(|index| index.columns.contains(&column));
    add.amounts.iter().any(|(column, _)| indexed(column))
}

/// What it means that the condition of an operation is broken by the item that is there, if one is.
#[must_use]
pub fn broken(op: &Op, item: Option<&Json>) -> CommitError {
    let (table, key) = op.item();
    let (table, key) = (table.name, key.clone());
    match (op, item) {
        (Op::Add(_), Some(_)) => CommitError::BelowFloor { table, key },
        _ => CommitError::Conflict { table, key },
    }
}

/// The parameters of a transaction of these writes.
#[must_use]
pub fn transaction(writes: &[Write], token: &str) -> Json {
    let items: Vec<Json> = writes.iter().map(|write| json!({ write.kind.name(): write.body })).collect();
    json!({ "TransactItems": items, "ClientRequestToken": token })
}

#[cfg(test)]
mod tests {
    use store::conformance::{LINES, ORDERS, STOCK};

    use super::*;

    fn write(op: &Op) -> Write {
        Writer { table_name: "t", expiries: &[], key: None }.write(op, None).unwrap()
    }

    fn text(write: &Write, name: &str) -> String {
        let mut text = write.body[name].as_str().unwrap().to_owned();
        for part in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
            for (placeholder, value) in write.body.get(part).and_then(Json::as_object).into_iter().flatten().rev() {
                let value = value.as_str().map_or_else(
                    || value.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned(),
                    str::to_owned,
                );
                text = text.replace(placeholder, &value);
            }
        }
        text
    }

    #[test]
    fn an_update_moves_the_row_in_its_indexes() {
        let set = vec![("open", Value::Null), ("placed_at", 3.into()), ("status", "DONE".into())];
        let when = Some(("revision", 1.into()));
        let write = write(&Op::Update(Update { table: &ORDERS, key: 7.into(), set, when }));
        assert_eq!(
            text(&write, "UpdateExpression"),
            "SET placed_at = 3, g2sk = 180000000000038000000000007, status = DONE, \
             g3pk = conformance_orders.by_status#0#DONE REMOVE open, g2pk"
        );
        assert_eq!(text(&write, "ConditionExpression"), "attribute_exists(pk) AND revision = 1");
    }

    #[test]
    fn an_addition_has_its_bounds() {
        let amounts = vec![("on_hand", -2), ("reserved", 2)];
        let write = write(&Op::Add(Add { table: &STOCK, key: "tea".into(), amounts, floor: 0 }));
        assert_eq!(text(&write, "UpdateExpression"), "SET on_hand = on_hand + -2, reserved = reserved + 2");
        assert_eq!(
            text(&write, "ConditionExpression"),
            "attribute_exists(pk) AND on_hand >= 2 AND reserved <= 9223372036854775805"
        );
    }

    #[test]
    fn an_addition_to_an_indexed_column_is_worked_out() {
        let op = Op::Add(Add { table: &LINES, key: (1, 2).into(), amounts: vec![("quantity", -3)], floor: 0 });
        assert!(needs_row(&op));
        let writer = Writer { table_name: "t", expiries: &[], key: None };
        let row = |quantity: i64| Row::new(&LINES, (1, 2), vec!["tea".into(), Value::Int(quantity)]);
        let write = writer.write(&op, Some(&row(5))).unwrap();
        assert!(text(&write, "UpdateExpression").starts_with("SET quantity = 2, g2sk = 18000000000002"));
        assert_eq!(text(&write, "ConditionExpression"), "attribute_exists(pk) AND quantity = 5");
        assert!(matches!(writer.write(&op, Some(&row(2))), Err(CommitError::BelowFloor { .. })));
        assert!(matches!(writer.write(&op, None), Err(CommitError::Conflict { .. })));
    }

    #[test]
    fn only_what_can_be_repeated_goes_without_a_transaction() {
        let row = || Row::new(&STOCK, "tea", vec![Value::Int(1), Value::Int(0)]);
        assert_eq!(write(&Op::Insert(row())).alone(), None);
        assert_eq!(write(&Op::Put(row())).alone(), Some("PutItem"));
        assert_eq!(write(&Op::Take(&STOCK, "tea".into(), "on_hand", 1.into())).alone(), None);
        assert_eq!(write(&Op::Delete(&STOCK, "tea".into())).alone(), Some("DeleteItem"));
    }
}
