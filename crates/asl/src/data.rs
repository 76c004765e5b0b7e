//! Plain JSON data: its size, its comparison, its printing, and reference paths that write into it.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use crate::limits;

/// How large a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Size {
    /// Bytes of compact JSON.
    pub(crate) bytes: usize,
    /// How deep it nests; 0 for a scalar.
    pub(crate) depth: usize,
}

/// Which limit a value exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    Bytes,
    /// Deeper than [`limits::DATA_DEPTH`].
    Depth,
}

impl Size {
    /// The size of an object or array with such a value at the end of `steps`, next to what `self` measures: an upper bound.
    pub(crate) fn with(self, inner: Size, steps: &[Step]) -> Size {
        let names: usize =
            steps.iter().map(|step| if let Step::Key(key) = step { string_bytes(key) + 4 } else { 0 }).sum();
        Size {
            bytes: self.bytes.saturating_add(inner.bytes).saturating_add(names),
            depth: self.depth.max(inner.depth + steps.len()),
        }
    }

    /// Whether a value of this size may be a payload.
    pub(crate) fn fits(self) -> bool {
        self.bytes <= limits::PAYLOAD_BYTES && self.depth <= limits::DATA_DEPTH
    }
}

/// The size of `value` as compact JSON, without writing it; stops once it exceeds `limit_bytes`.
pub(crate) fn measure(value: &Value, limit_bytes: usize) -> Result<Size, Excess> {
    let mut size = Size::default();
    add(value, 0, &mut size, limit_bytes)?;
    if size.bytes > limit_bytes { Err(Excess::Bytes) } else { Ok(size) }
}

fn add(value: &Value, depth: usize, size: &mut Size, limit: usize) -> Result<(), Excess> {
    if size.bytes > limit {
        return Err(Excess::Bytes);
    }
    match value {
        Value::Null => size.bytes += 4,
        Value::Bool(b) => size.bytes += if *b { 4 } else { 5 },
        Value::Number(n) => size.bytes += number_bytes(n),
        Value::String(s) => size.bytes += string_bytes(s),
        Value::Array(items) => {
            enter(depth, size)?;
            size.bytes += 2 + items.len().saturating_sub(1);
            for item in items {
                add(item, depth + 1, size, limit)?;
            }
        }
        Value::Object(map) => {
            enter(depth, size)?;
            size.bytes += 2 + map.len().saturating_sub(1);
            for (key, item) in map {
                size.bytes += string_bytes(key) + 1;
                add(item, depth + 1, size, limit)?;
            }
        }
    }
    Ok(())
}

fn enter(depth: usize, size: &mut Size) -> Result<(), Excess> {
    size.depth = size.depth.max(depth + 1);
    if size.depth > limits::DATA_DEPTH { Err(Excess::Depth) } else { Ok(()) }
}

/// A value as compact JSON.
pub(crate) fn text(value: &Value) -> String {
    // Every value can be written: its keys are strings.
    serde_json::to_string(value).unwrap_or_default()
}

fn number_bytes(n: &Number) -> usize {
    match n.as_i64() {
        Some(i) => i.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1 + usize::from(i < 0),
        None => n.to_string().len(),
    }
}

fn string_bytes(s: &str) -> usize {
    let escapes: usize = s
        .bytes()
        .map(|b| match b {
            b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 1,
            0..=0x1f => 5,
            _ => 0,
        })
        .sum();
    s.len() + escapes + 2
}

/// Whether two values are equal as JSON, where `1` equals `1.0`.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Orders two numbers: exactly when both are integers, else as floating point.
pub(crate) fn compare_numbers(a: &Number, b: &Number) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a.as_i128(), b.as_i128()) {
        return Some(a.cmp(&b));
    }
    a.as_f64()?.partial_cmp(&b.as_f64()?)
}

/// An `f64` as JSON: an integer where it is one, `null` where JSON has no such number.
pub(crate) fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

/// How `States.Format` shows a value: a Java map or list, strings without quotes inside objects.
pub(crate) fn display(value: &Value, out: &mut String) {
    match value {
        Value::String(s) => out.push_str(s),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                display(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                out.push_str(key);
                out.push('=');
                display(item, out);
            }
            out.push('}');
        }
        other => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{other}");
        }
    }
}

/// One step of a reference path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(Box<str>),
    Index(usize),
}

/// Puts `value` where `steps` lead in `target`, making objects on the way.
///
/// `Err` says at which step (counted from 0) the data has something else in the way.
pub(crate) fn put(target: &mut Value, steps: &[Step], value: Value) -> Result<(), usize> {
    let mut at = target;
    for (n, step) in steps.iter().enumerate() {
        at = match step {
            Step::Key(key) => {
                if at.is_null() && n > 0 {
                    *at = Value::Object(Map::new());
                }
                match at {
                    Value::Object(map) => map.entry(String::from(&**key)).or_insert(Value::Null),
                    _ => return Err(n),
                }
            }
            Step::Index(index) => match at {
                Value::Array(items) => items.get_mut(*index).ok_or(n)?,
                _ => return Err(n),
            },
        };
    }
    *at = value;
    Ok(())
}
