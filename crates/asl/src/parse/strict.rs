//! JSON in which no object may have a name twice: a copied state would otherwise silently replace the first.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::diagnostic::{Diagnostic, child};

/// Parses `text`; names that occur twice are reported to `out`.
///
/// Nesting deeper than serde_json's limit of 128 is a syntax error, so hostile text cannot exhaust the stack.
pub(super) fn parse(text: &str, out: &mut Vec<Diagnostic>) -> Result<Value, Diagnostic> {
    let duplicates = RefCell::new(Vec::new());
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Seed { pointer: String::new(), duplicates: &duplicates };
    let value = seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    out.extend(duplicates.into_inner());
    value.map_err(|e| {
        let (problem, line, column) = (crate::jackson::problem(text, &e), e.line(), e.column());
        Diagnostic::error(
            "",
            "NOT_JSON",
            format!("line {line}, column {column}: the definition is not JSON: {problem}"),
        )
    })
}

struct Seed<'a> {
    pointer: String,
    duplicates: &'a RefCell<Vec<Diagnostic>>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        loop {
            let pointer = format!("{}/{}", self.pointer, out.len());
            match items.next_element_seed(Seed { pointer, duplicates: self.duplicates })? {
                Some(item) => out.push(item),
                None => return Ok(Value::Array(out)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            let pointer = child(&self.pointer, &key);
            if out.contains_key(&key) {
                let message = format!("`{key}` occurs twice in this object; remove or rename one");
                self.duplicates.borrow_mut().push(Diagnostic::error(pointer.clone(), "DUPLICATE_FIELD", message));
            }
            let value = fields.next_value_seed(Seed { pointer, duplicates: self.duplicates })?;
            out.insert(key, value);
        }
        Ok(Value::Object(out))
    }
}
