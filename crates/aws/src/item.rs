//! Rows as items of DynamoDB's JSON, and back.

use serde_json::{Map, Value as Json, json};
use store::{ColumnType, Key, LOCKED, Row, Table, Value};

use crate::seal::{self, Keys};

use crate::layout::{self, Expiry, MAX_PARTITION_BYTES, MAX_SORT_BYTES, PK, SK, TTL};

/// The most bytes of an item, the names of its attributes included.
pub const MAX_ITEM_BYTES: usize = 400 * 1024;
/// What DynamoDB adds to an item that it indexes and what encryption adds to its columns, at most; a margin for [`MAX_ITEM_BYTES`].
const OVERHEAD_BYTES: usize = 256;

/// A value as an attribute; `None` for null, which is absent.
#[must_use]
pub fn attribute(value: &Value) -> Option<Json> {
    match value {
        Value::Null => None,
        Value::Int(n) => Some(json!({ "N": n.to_string() })),
        Value::Text(text) => Some(text_attribute(text)),
    }
}

/// A text as an attribute.
#[must_use]
pub fn text_attribute(text: &str) -> Json {
    json!({ "S": text })
}

/// An integer as an attribute.
#[must_use]
pub fn number_attribute(n: i128) -> Json {
    json!({ "N": n.to_string() })
}

/// The key of an item, as requests name it.
#[must_use]
pub fn key_of(table: &Table, key: &Key) -> Map<String, Json> {
    let (pk, sk) = layout::item_key(table, key);
    Map::from_iter([(PK.to_owned(), text_attribute(&pk)), (SK.to_owned(), text_attribute(&sk))])
}

/// The attributes of ours that follow from a column: its place in indexes, and when the row may be forgotten. `None` where
/// there is to be none.
pub fn derived(
    table: &Table,
    key: &Key,
    column: &str,
    value: &Value,
    expiries: &[Expiry],
) -> Vec<(String, Option<String>)> {
    let mut found = Vec::new();
    for (at, index) in table.indexes.iter().enumerate() {
        if index.columns.first() == Some(&column) {
            let partition = layout::row_partition(table, index.name, key, value);
            found.push((layout::partition_attribute(at + 2), partition));
        }
        if index.columns.get(1) == Some(&column) {
            found.push((layout::sort_attribute(at + 2), Some(layout::row_sort(key, value))));
        }
    }
    if let Some(ttl) = ttl(table, column, value, expiries) {
        found.push((TTL.to_owned(), Some(ttl.to_string())));
    }
    found
}

/// When a row may be forgotten by the value of that column, in seconds since the epoch.
fn ttl(table: &Table, column: &str, value: &Value, expiries: &[Expiry]) -> Option<i64> {
    let expiry = expiries.iter().find(|expiry| expiry.table == table.name && expiry.column == column)?;
    Some(value.as_int()?.saturating_mul(expiry.unit_ms).saturating_add(expiry.keep_ms) / 1000)
}

/// A derived attribute as JSON.
#[must_use]
pub fn derived_attribute(name: &str, value: &str) -> Json {
    match name {
        TTL => json!({ "N": value }),
        _ => text_attribute(value),
    }
}

/// The item of a row.
///
/// # Errors
/// What is too long for DynamoDB, for people.
pub fn of_row(row: &Row, expiries: &[Expiry]) -> Result<Map<String, Json>, String> {
    let (table, key) = (row.table(), row.key());
    let mut item = key_of(table, key);
    let mut place = |name: String, value: String| {
        check_length(table, key, &name, &value)?;
        item.insert(name.clone(), derived_attribute(&name, &value));
        Ok::<_, String>(())
    };
    if let Some((partition, sort)) = layout::listing(table, key) {
        place(layout::partition_attribute(1), partition)?;
        place(layout::sort_attribute(1), sort)?;
    }
    for (at, index) in table.indexes.iter().enumerate() {
        if index.columns.len() == 1 {
            place(layout::sort_attribute(at + 2), layout::row_sort(key, &Value::Null))?;
        }
    }
    for (column, value) in table.columns.iter().zip(row.values()) {
        for (name, derived) in derived(table, key, column.name, value, expiries) {
            if let Some(value) = derived {
                place(name, value)?;
            }
        }
    }
    for (column, value) in table.columns.iter().zip(row.values()) {
        if let Some(attribute) = attribute(value) {
            item.insert(column.name.to_owned(), attribute);
        }
    }
    let size = size_bytes(&item);
    if size > MAX_ITEM_BYTES - OVERHEAD_BYTES {
        return Err(format!("`{}[{key}]` has {size} bytes; DynamoDB takes items of 400 KB: split the row", table.name));
    }
    Ok(item)
}

/// Refuses key attributes that are too long.
///
/// # Errors
/// Which one, and the limit.
pub fn check_length(table: &Table, key: &Key, name: &str, value: &str) -> Result<(), String> {
    let limit = if name.ends_with("pk") { MAX_PARTITION_BYTES } else { MAX_SORT_BYTES };
    if value.len() <= limit {
        return Ok(());
    }
    let size = value.len();
    Err(format!("`{}[{key}]` has {size} bytes in an indexed column; DynamoDB takes {limit}", table.name))
}

/// The row in an item. What is encrypted under none of the keys reads [`LOCKED`].
///
/// # Errors
/// What is missing, damaged or of another type, for people.
pub fn to_row(table: &'static Table, item: &Json, keys: &Keys) -> Result<Row, String> {
    let text = |name: &str| item.get(name).and_then(|value| value.get("S")).and_then(Json::as_str);
    let key = text(PK).zip(text(SK)).and_then(|(pk, sk)| layout::parse_item_key(table, pk, sk));
    let key = key.ok_or_else(|| format!("an item of `{}` has no key of its table", table.name))?;
    let mut values = Vec::with_capacity(table.columns.len());
    for column in table.columns {
        let value = match (item.get(column.name), column.kind) {
            (None, _) if column.nullable => Some(Value::Null),
            (Some(value), ColumnType::Int) => {
                value.get("N").and_then(Json::as_str).and_then(|n| n.parse().ok()).map(Value::Int)
            }
            (Some(value), ColumnType::Text) if column.personal && value.get("B").is_some() => {
                let sealed = value.get("B").and_then(Json::as_str).unwrap_or_default();
                let place = seal::place(table, &key, column.name);
                Some(Value::from(keys.open(&place, sealed)?.as_deref().unwrap_or(LOCKED)))
            }
            (Some(value), ColumnType::Text) => value.get("S").and_then(Json::as_str).map(Value::from),
            (None, _) => None,
        };
        let damaged = || format!("column `{}` of `{}[{key}]` is missing or of another type", column.name, table.name);
        values.push(value.ok_or_else(damaged)?);
    }
    Ok(Row::new(table, key, values))
}

/// How DynamoDB counts an item: names and values in UTF-8; a number about half its digits.
#[must_use]
pub fn size_bytes(item: &Map<String, Json>) -> usize {
    let value = |value: &Json| match (value.get("S"), value.get("N")) {
        (Some(Json::String(text)), _) => text.len(),
        (_, Some(Json::String(digits))) => digits.len() / 2 + 2,
        // Bytes, which travel as base64.
        _ => value.get("B").and_then(Json::as_str).map_or(0, |text| text.len() / 4 * 3),
    };
    item.iter().map(|(name, attribute)| name.len() + value(attribute)).sum()
}

#[cfg(test)]
mod tests {
    use store::conformance::{LINES, ORDERS};

    use super::*;

    fn order(open: Option<&str>) -> Row {
        let values: Vec<Value> = vec!["NEW".into(), open.into(), 5.into(), 1.into(), Value::Null];
        Row::new(&ORDERS, 1, values)
    }

    #[test]
    fn rows_come_back() {
        for row in [order(None), order(Some("")), Row::new(&LINES, (1, -1), vec!["tea".into(), Value::Int(i64::MIN)])] {
            let item = Json::Object(of_row(&row, &[]).unwrap());
            assert_eq!(to_row(row.table(), &item, &Keys::default()), Ok(row));
        }
    }

    #[test]
    fn an_index_is_sparse() {
        let closed = of_row(&order(None), &[]).unwrap();
        assert!(!closed.contains_key("g2pk") && closed.contains_key("g3pk"));
        let open = of_row(&order(Some("NEW")), &[]).unwrap();
        assert_eq!(open["g2pk"]["S"], "conformance_orders.by_open#0#NEW");
    }

    #[test]
    fn what_is_too_long_is_told() {
        let large = order(None).with(&[("body", "x".repeat(MAX_ITEM_BYTES).into())]);
        assert!(of_row(&large, &[]).unwrap_err().contains("400 KB"));
        let long = order(Some(&"x".repeat(MAX_PARTITION_BYTES)));
        assert!(of_row(&long, &[]).unwrap_err().contains("takes 2048"));
    }

    #[test]
    fn a_row_is_forgotten_after_its_time() {
        let expiry = Expiry { table: ORDERS.name, column: "placed_at", unit_ms: 1_000, keep_ms: 60_000 };
        assert_eq!(of_row(&order(None), &[expiry]).unwrap()["ttl"]["N"], "65");
    }
}
