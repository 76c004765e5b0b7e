//! Attribute values, as DynamoDB writes them: an object of one field, which names the type.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::decimal::Decimal;

/// Deepest nesting of lists and maps.
const MAX_DEPTH: usize = 32;

/// An item: attributes by name.
pub(super) type Item = BTreeMap<String, Attribute>;

/// An attribute's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Attribute {
    S(String),
    N(Decimal),
    B(Vec<u8>),
    Bool(bool),
    Null,
    M(Item),
    L(Vec<Attribute>),
    Ss(BTreeSet<String>),
    Ns(BTreeSet<Decimal>),
    Bs(BTreeSet<Vec<u8>>),
}

impl Attribute {
    /// Reads a value.
    ///
    /// # Errors
    /// The message of the `ValidationException`.
    pub(super) fn parse(value: &Value) -> Result<Attribute, String> {
        Attribute::parse_at(value, 0)
    }

    fn parse_at(value: &Value, depth: usize) -> Result<Attribute, String> {
        let wrong =
            || "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes".to_owned();
        if depth > MAX_DEPTH {
            return Err("Nesting Levels have exceeded supported limits".into());
        }
        let fields = value.as_object().filter(|fields| fields.len() == 1).ok_or_else(wrong)?;
        let (kind, value) = fields.iter().next().ok_or_else(wrong)?;
        let texts = |value: &Value| -> Result<Vec<String>, String> {
            let items = value.as_array().ok_or_else(wrong)?;
            let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            match texts {
                Some(texts) if !texts.is_empty() => Ok(texts),
                Some(_) => Err("One or more parameter values were invalid: An string set may not be empty".into()),
                None => Err(wrong()),
            }
        };
        let bytes = |text: &str| STANDARD.decode(text).map_err(|_| "a value of type B must be base64".to_owned());
        Ok(match (kind.as_str(), value) {
            ("S", Value::String(text)) => Attribute::S(text.clone()),
            ("N", Value::String(text)) => Attribute::N(Decimal::parse(text)?),
            ("B", Value::String(text)) => Attribute::B(bytes(text)?),
            ("BOOL", Value::Bool(truth)) => Attribute::Bool(*truth),
            ("NULL", Value::Bool(true)) => Attribute::Null,
            ("M", Value::Object(_)) => Attribute::M(parse_item_at(value, depth + 1)?),
            ("L", Value::Array(items)) => {
                Attribute::L(items.iter().map(|item| Attribute::parse_at(item, depth + 1)).collect::<Result<_, _>>()?)
            }
            ("SS", value) => Attribute::Ss(distinct(texts(value)?)?),
            ("NS", value) => Attribute::Ns(distinct(
                texts(value)?.iter().map(|n| Decimal::parse(n)).collect::<Result<Vec<_>, _>>()?,
            )?),
            ("BS", value) => {
                Attribute::Bs(distinct(texts(value)?.iter().map(|b| bytes(b)).collect::<Result<Vec<_>, _>>()?)?)
            }
            _ => return Err(wrong()),
        })
    }

    /// As it is written.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Attribute::S(text) => json!({"S": text}),
            Attribute::N(number) => json!({"N": number.to_string()}),
            Attribute::B(bytes) => json!({"B": STANDARD.encode(bytes)}),
            Attribute::Bool(truth) => json!({"BOOL": truth}),
            Attribute::Null => json!({"NULL": true}),
            Attribute::M(fields) => json!({"M": item_value(fields)}),
            Attribute::L(items) => json!({"L": items.iter().map(Attribute::to_value).collect::<Vec<_>>()}),
            Attribute::Ss(texts) => json!({"SS": texts}),
            Attribute::Ns(numbers) => json!({"NS": numbers.iter().map(ToString::to_string).collect::<Vec<_>>()}),
            Attribute::Bs(all) => json!({"BS": all.iter().map(|bytes| STANDARD.encode(bytes)).collect::<Vec<_>>()}),
        }
    }

    /// The name of its type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Attribute::S(_) => "S",
            Attribute::N(_) => "N",
            Attribute::B(_) => "B",
            Attribute::Bool(_) => "BOOL",
            Attribute::Null => "NULL",
            Attribute::M(_) => "M",
            Attribute::L(_) => "L",
            Attribute::Ss(_) => "SS",
            Attribute::Ns(_) => "NS",
            Attribute::Bs(_) => "BS",
        }
    }
}

fn distinct<T: Ord>(items: Vec<T>) -> Result<BTreeSet<T>, String> {
    let count = items.len();
    let set: BTreeSet<T> = items.into_iter().collect();
    match set.len() == count {
        true => Ok(set),
        false => Err("One or more parameter values were invalid: Input collection contains duplicates.".into()),
    }
}

/// Reads an item.
///
/// # Errors
/// The message of the `ValidationException`.
pub(super) fn parse_item(value: &Value) -> Result<Item, String> {
    parse_item_at(value, 0)
}

fn parse_item_at(value: &Value, depth: usize) -> Result<Item, String> {
    let fields = value.as_object().ok_or("an item must be an object of attributes")?;
    fields.iter().map(|(name, value)| Ok((name.clone(), Attribute::parse_at(value, depth)?))).collect()
}

/// An item as it is written.
pub(super) fn item_value(item: &Item) -> Map<String, Value> {
    item.iter().map(|(name, value)| (name.clone(), value.to_value())).collect()
}
