//! `dynamodb`: items of the tables that are declared, kept in the store.
//!
//! A write is judged against the item as it is, and commits only if that is still so: the row's `changes` is its
//! condition. It commits with the journal's record of the task, so an `ADD` adds once, whatever crashes.

mod decimal;
mod evaluate;
mod expression;
mod value;

use std::cmp::Ordering;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use store::{Batch, Column, Index, Key, KeyShape, Query, Row, Table};

use self::evaluate::{apply, holds, order, project};
use self::expression::{Change, Comparison, Condition, Operand, Path, Placeholders};
use self::value::{Attribute, Item, item_value, parse_item};
use super::resources::{KeyAttribute, TableSchema};
use super::{AWS_JSON, Answer, Fault, Request, Service};
use crate::core::Core;

/// The keys that the tables were made with: a declaration that contradicts is refused.
pub(crate) static USER_TABLES: Table = Table {
    name: "user_tables",
    key: KeyShape::Text("name"),
    columns: &[Column::text("partition_key"), Column::text("sort_key").null()],
    indexes: &[],
};

/// Items of user tables. The key is the table's name and the item's key; `collection` the table and the partition key.
pub(crate) static TABLE_ITEMS: Table = Table {
    name: "table_items",
    key: KeyShape::Text("key"),
    columns: &[Column::text("collection"), Column::text("item"), Column::int("changes")],
    indexes: &[Index { name: "by_collection", columns: &["collection"] }],
};

/// The largest item.
const MAX_ITEM_BYTES: usize = 400 << 10;
/// The longest key that stands in the store as it is; of longer ones the digest does.
const MAX_PLAIN_KEY: usize = 300;
/// The largest page of a query.
const MAX_PAGE_BYTES: usize = 1 << 20;
/// The most items of one partition that a query reads.
const MAX_COLLECTION: usize = 10_000;
const READ_PAGE: usize = 200;

pub(super) struct DynamoDb;

fn invalid(message: impl Into<String>) -> Fault {
    Fault::unmodelled("ValidationException", message)
}

/// Fields of DynamoDB's first API, which expressions have replaced.
const LEGACY: [&str; 8] = [
    "Expected",
    "ConditionalOperator",
    "AttributeUpdates",
    "AttributesToGet",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
    "IndexName",
];

#[async_trait]
impl Service for DynamoDb {
    async fn call(&self, core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
        let (name, schema) = table(core, request)?;
        if let Some(field) = LEGACY.into_iter().find(|field| request.argument(field).is_some()) {
            return Err(invalid(format!(
                "`{field}` is not available on this engine; use expressions on the table's key"
            )));
        }
        let mut answer = match request.integration.action {
            "getItem" => get(core, request, name, schema).await?,
            "query" => query(core, request, name, schema).await?,
            action => write(core, request, name, schema, action).await?,
        };
        answer.output = request.answered(answer.output, AWS_JSON);
        Ok(answer)
    }
}

fn table<'c>(core: &'c Core, request: &Request) -> Result<(&'c str, &'c TableSchema), Fault> {
    let missing = |member: &str| {
        invalid(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    };
    let name = request.text("TableName").ok_or_else(|| missing("tableName"))?;
    // A table may be named by its ARN.
    let name = name.rsplit_once(":table/").map_or(name, |(_, name)| name);
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'tableName' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [a-zA-Z0-9_.-]+"
        )));
    }
    let member = match request.integration.action {
        "putItem" => Some(("Item", "item")),
        "query" => None,
        _ => Some(("Key", "key")),
    };
    if let Some((field, member)) = member
        && request.argument(field).is_none()
    {
        return Err(missing(member));
    }
    let found = core.services.resources.tables.get_key_value(name);
    let found = found.ok_or_else(|| Fault::of("ResourceNotFoundException", "Requested resource not found"))?;
    Ok((found.0.as_str(), found.1))
}

/// The row of an item, and the item in it.
struct Found {
    key: String,
    row: Option<Row>,
    item: Option<Item>,
}

impl Found {
    fn of(key: String, row: Option<Row>) -> Result<Found, Fault> {
        let item = row.as_ref().map(read_item).transpose()?;
        Ok(Found { key, row, item })
    }
}

fn read_item(row: &Row) -> Result<Item, Fault> {
    let text = row.text("item").unwrap_or_default();
    let value: Option<Value> = serde_json::from_str(text).ok();
    let item = value.and_then(|value| parse_item(&value).ok());
    item.ok_or_else(|| Fault::of("InternalServerError", format!("the item `{}` is damaged", row.key())))
}

fn key_text(attribute: &Attribute) -> String {
    let value = attribute.to_value();
    let inner = value.as_object().and_then(|fields| fields.values().next()).and_then(Value::as_str);
    format!("{}:{}", attribute.kind(), inner.unwrap_or_default())
}

/// A text that fits a key of the store: itself, or its digest.
fn bounded(prefix: &str, text: &str) -> String {
    match text.len() <= MAX_PLAIN_KEY {
        true => format!("{prefix}={text}"),
        false => format!("{prefix}#{}", crate::flow::sha256(text)),
    }
}

fn collection(table: &str, partition: &Attribute) -> String {
    bounded(table, &key_text(partition))
}

fn key_part<'i>(item: &'i Item, attribute: &KeyAttribute) -> Result<&'i Attribute, Fault> {
    let name = &attribute.name;
    let part = item.get(name).ok_or_else(|| {
        invalid(format!("One or more parameter values were invalid: Missing the key {name} in the item"))
    })?;
    if part.kind() != attribute.kind {
        return Err(invalid(format!(
            "One or more parameter values were invalid: Type mismatch for key {name} expected: {} actual: {}",
            attribute.kind,
            part.kind()
        )));
    }
    if matches!(part, Attribute::S(text) if text.is_empty()) || matches!(part, Attribute::B(bytes) if bytes.is_empty())
    {
        return Err(invalid(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty \
             string value. Key: {name}"
        )));
    }
    Ok(part)
}

/// What the item stands under in the store.
fn item_key(table: &str, schema: &TableSchema, item: &Item) -> Result<String, Fault> {
    let partition = key_text(key_part(item, &schema.partition)?);
    let whole = match &schema.sort {
        None => partition,
        // The length keeps two keys apart whose parts together are the same text.
        Some(sort) => format!("{}:{partition}/{}", partition.len(), key_text(key_part(item, sort)?)),
    };
    Ok(bounded(table, &whole))
}

/// `Key`: the key's attributes and no others.
fn given_key(request: &Request, schema: &TableSchema) -> Result<Item, Fault> {
    let key = parse_item(request.argument("Key").unwrap_or(&Value::Null)).map_err(invalid)?;
    let parts = 1 + usize::from(schema.sort.is_some());
    if key.len() != parts {
        return Err(invalid("The provided key element does not match the schema"));
    }
    for part in std::iter::once(&schema.partition).chain(&schema.sort) {
        if key.get(&part.name).is_none_or(|value| value.kind() != part.kind) {
            return Err(invalid("The provided key element does not match the schema"));
        }
    }
    Ok(key)
}

async fn load(core: &Core, key: String) -> Result<Found, Fault> {
    let row = core.store.get(&TABLE_ITEMS, &Key::from(key.as_str())).await?;
    Found::of(key, row)
}

fn placeholders(request: &Request) -> Placeholders<'_> {
    Placeholders::new(request.argument("ExpressionAttributeNames"), request.argument("ExpressionAttributeValues"))
}

/// The message for an expression that cannot be used.
fn bad_expression(field: &str) -> impl Fn(String) -> Fault + '_ {
    move |problem| match problem.starts_with("Value provided in") {
        true => invalid(problem),
        false => invalid(format!("Invalid {field}: {problem}")),
    }
}

async fn get(core: &Core, request: &Request, name: &str, schema: &TableSchema) -> Result<Answer, Fault> {
    let mut placeholders = placeholders(request);
    let paths = projection(request, &mut placeholders)?;
    placeholders.check().map_err(invalid)?;
    let key = given_key(request, schema)?;
    let found = load(core, item_key(name, schema, &key)?).await?;
    let item = found.item.map(|item| paths.as_ref().map_or_else(|| item.clone(), |paths| project(&item, paths)));
    Ok(Answer::of(item.map_or_else(|| json!({}), |item| json!({"Item": item_value(&item)}))))
}

fn projection(request: &Request, placeholders: &mut Placeholders<'_>) -> Result<Option<Vec<Path>>, Fault> {
    let text = request.text("ProjectionExpression");
    let parsed = text.map(|text| expression::projection(text, placeholders)).transpose();
    parsed.map_err(bad_expression("ProjectionExpression"))
}

async fn write(
    core: &Core,
    request: &Request,
    name: &str,
    schema: &TableSchema,
    action: &str,
) -> Result<Answer, Fault> {
    let mut placeholders = placeholders(request);
    let condition = request.text("ConditionExpression");
    let condition = condition.map(|text| expression::condition(text, &mut placeholders)).transpose();
    let condition = condition.map_err(bad_expression("ConditionExpression"))?;
    let changes = match action {
        "updateItem" => request.text("UpdateExpression").map(|text| expression::update(text, &mut placeholders)),
        _ => None,
    };
    let changes = changes.transpose().map_err(bad_expression("UpdateExpression"))?.unwrap_or_default();
    placeholders.check().map_err(invalid)?;
    let wanted = request.text("ReturnValues").unwrap_or("NONE");
    let known: &[&str] = match action {
        "updateItem" => &["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"],
        _ => &["NONE", "ALL_OLD"],
    };
    if !known.contains(&wanted) {
        return Err(invalid(format!("Return values set to invalid value: {wanted}")));
    }
    let given = match action {
        "putItem" => parse_item(request.argument("Item").unwrap_or(&Value::Null)).map_err(invalid)?,
        _ => given_key(request, schema)?,
    };
    let found = load(core, item_key(name, schema, &given)?).await?;
    let empty = Item::new();
    if condition.is_some_and(|condition| !holds(found.item.as_ref().unwrap_or(&empty), &condition)) {
        return Err(Fault::of("ConditionalCheckFailedException", "The conditional request failed"));
    }
    let new = match action {
        "putItem" => Some(given),
        "deleteItem" => None,
        _ => Some(updated(schema, found.item.as_ref().unwrap_or(&given), &changes)?),
    };
    let old = found.item.clone().unwrap_or_default();
    let attributes = returned(wanted, &old, new.as_ref(), &changes);
    let batch = change(name, schema, found, new)?;
    let output = if attributes.is_empty() { json!({}) } else { json!({"Attributes": attributes}) };
    Ok(Answer { output, changes: batch, child: None })
}

fn updated(schema: &TableSchema, old: &Item, changes: &[Change]) -> Result<Item, Fault> {
    for part in std::iter::once(&schema.partition).chain(&schema.sort) {
        if changes.iter().any(|change| change.path().first == part.name) {
            return Err(invalid(format!(
                "One or more parameter values were invalid: Cannot update attribute {}. This attribute is part of the key",
                part.name
            )));
        }
    }
    apply(old, changes).map_err(invalid)
}

/// What `ReturnValues` asks for.
fn returned(wanted: &str, old: &Item, new: Option<&Item>, changes: &[Change]) -> Map<String, Value> {
    let touched: Vec<Path> = changes.iter().map(|change| change.path().clone()).collect();
    match (wanted, new) {
        ("ALL_OLD", _) => item_value(old),
        ("ALL_NEW", Some(new)) => item_value(new),
        ("UPDATED_OLD", _) => item_value(&project(old, &touched)),
        ("UPDATED_NEW", Some(new)) => item_value(&project(new, &touched)),
        _ => Map::new(),
    }
}

/// The change of the row, if it is still what was found.
fn change(name: &str, schema: &TableSchema, found: Found, new: Option<Item>) -> Result<Batch, Fault> {
    let mut batch = Batch::new();
    let Some(new) = new else {
        if let Some(row) = found.row {
            batch.take(&TABLE_ITEMS, found.key.as_str(), "changes", row.value("changes").clone());
        }
        return Ok(batch);
    };
    let text = Value::Object(item_value(&new)).to_string();
    if text.len() > MAX_ITEM_BYTES {
        return Err(invalid("Item size has exceeded the maximum allowed size"));
    }
    match found.row {
        None => {
            let collection = collection(name, key_part(&new, &schema.partition)?);
            batch.insert(Row::new(&TABLE_ITEMS, found.key.as_str(), vec![collection.into(), text.into(), 1.into()]));
        }
        Some(row) => {
            let changes = row.int("changes").unwrap_or_default() + 1;
            batch.replace(&row, &row.with(&[("item", text.into()), ("changes", changes.into())]), "changes");
        }
    }
    Ok(batch)
}

/// The items of one partition, in the order of their sort keys.
async fn query(core: &Core, request: &Request, name: &str, schema: &TableSchema) -> Result<Answer, Fault> {
    let mut placeholders = placeholders(request);
    let text = request.text("KeyConditionExpression").ok_or_else(|| {
        invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
    })?;
    let of_key = expression::condition(text, &mut placeholders).map_err(bad_expression("KeyConditionExpression"))?;
    let filter = request.text("FilterExpression").map(|text| expression::condition(text, &mut placeholders));
    let filter = filter.transpose().map_err(bad_expression("FilterExpression"))?;
    let paths = projection(request, &mut placeholders)?;
    placeholders.check().map_err(invalid)?;
    let partition = partition_of(&of_key, &schema.partition.name)
        .ok_or_else(|| invalid("Query condition missed key schema element"))?;
    let mut items: Vec<Item> = read_collection(core, &collection(name, &partition)).await?;
    items.retain(|item| holds(item, &of_key));
    let sort_key = |item: &Item| schema.sort.as_ref().and_then(|sort| item.get(&sort.name)).cloned();
    let compare = |a: &Item, b: &Item| match (sort_key(a), sort_key(b)) {
        (Some(a), Some(b)) => order(&a, &b).unwrap_or(Ordering::Equal),
        _ => Ordering::Equal,
    };
    items.sort_by(compare);
    if request.argument("ScanIndexForward") == Some(&Value::Bool(false)) {
        items.reverse();
    }
    if let Some(start) = request.argument("ExclusiveStartKey") {
        let start = parse_item(start).map_err(invalid)?;
        let at = items.iter().position(|item| start.iter().all(|(name, value)| item.get(name) == Some(value)));
        items.drain(..at.map_or(0, |at| at + 1));
    }
    let limit = request.argument("Limit").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let mut bytes = 0;
    let mut fits = |item: &Item| {
        bytes += Value::Object(item_value(item)).to_string().len();
        bytes <= MAX_PAGE_BYTES
    };
    let page: Vec<Item> =
        items.iter().take(limit.unwrap_or(usize::MAX)).take_while(|item| fits(item)).cloned().collect();
    let scanned = page.len();
    let last = (scanned < items.len()).then(|| page.last().map(|item| key_of(schema, item))).flatten();
    let found: Vec<Value> = page
        .iter()
        .filter(|item| filter.as_ref().is_none_or(|filter| holds(item, filter)))
        .map(|item| {
            Value::Object(item_value(&paths.as_ref().map_or_else(|| item.clone(), |paths| project(item, paths))))
        })
        .collect();
    let mut output = json!({"Count": found.len(), "Items": found, "ScannedCount": scanned});
    if let Some(last) = last {
        super::put(&mut output, "LastEvaluatedKey", Value::Object(item_value(&last)));
    }
    Ok(Answer::of(output))
}

fn key_of(schema: &TableSchema, item: &Item) -> Item {
    let names = std::iter::once(&schema.partition).chain(&schema.sort).map(|part| &part.name);
    names.filter_map(|name| Some((name.clone(), item.get(name)?.clone()))).collect()
}

/// The value that a key condition demands of the partition key.
fn partition_of(condition: &Condition, name: &str) -> Option<Attribute> {
    match condition {
        Condition::And(a, b) => partition_of(a, name).or_else(|| partition_of(b, name)),
        Condition::Compare(Operand::Path(path), Comparison::Equal, Operand::Value(value))
            if path.first == name && path.rest.is_empty() =>
        {
            Some(value.clone())
        }
        _ => None,
    }
}

async fn read_collection(core: &Core, collection: &str) -> Result<Vec<Item>, Fault> {
    // A query of the store sees what is durable: what was applied before the call shall be in it.
    core.store.flush().await.map_err(|e| Fault::of("InternalServerError", e.to_string()))?;
    let query = Query::index(&TABLE_ITEMS, "by_collection", collection).limit(READ_PAGE);
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = core.store.query(query.clone().after(after)).await?;
        for row in &page.rows {
            items.push(read_item(row)?);
        }
        after = page.next;
        if after.is_none() {
            return Ok(items);
        }
        if items.len() >= MAX_COLLECTION {
            return Err(invalid(format!("a partition of more than {MAX_COLLECTION} items cannot be queried here")));
        }
    }
}

impl Core {
    /// Notes the keys of the declared tables.
    ///
    /// # Errors
    /// A table was declared with another key before, or the store failed.
    pub(crate) async fn declare_tables(&self) -> Result<(), store::BoxError> {
        for (name, schema) in &self.services.resources.tables {
            let text = |key: &KeyAttribute| format!("{}:{}", key.name, key.kind);
            let (partition, sort) = (text(&schema.partition), schema.sort.as_ref().map(text));
            match self.store.get(&USER_TABLES, &Key::from(name.as_str())).await? {
                Some(row)
                    if row.text("partition_key") != Some(&partition) || row.text("sort_key") != sort.as_deref() =>
                {
                    return Err(format!("table `{name}` was made with another key, which cannot be changed").into());
                }
                Some(_) => {}
                None => {
                    let mut batch = Batch::new();
                    batch.put(Row::new(&USER_TABLES, name.as_str(), vec![partition.into(), sort.into()]));
                    self.store.commit(batch).await?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
