//! Plain JSON data: its size, its comparison, its printing, and reference paths that write into it.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

use crate::limits;

/// What [`measure`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Within the limits; so many bytes of compact JSON.
    Fits(usize),
    /// More bytes than were allowed.
    TooLarge,
    /// Deeper than [`limits::DATA_DEPTH`].
    TooDeep,
}

/// The size of `value` as compact JSON, without writing it; stops once it exceeds `limit_bytes`.
pub(crate) fn measure(value: &Value, limit_bytes: usize) -> Measure {
    let mut bytes = 0;
    if !within_depth(value, 0, &mut bytes, limit_bytes) {
        return if bytes > limit_bytes { Measure::TooLarge } else { Measure::TooDeep };
    }
    if bytes > limit_bytes { Measure::TooLarge } else { Measure::Fits(bytes) }
}

fn within_depth(value: &Value, depth: usize, bytes: &mut usize, limit: usize) -> bool {
    if depth > limits::DATA_DEPTH || *bytes > limit {
        return false;
    }
    match value {
        Value::Null => *bytes += 4,
        Value::Bool(b) => *bytes += if *b { 4 } else { 5 },
        Value::Number(n) => *bytes += number_bytes(n),
        Value::String(s) => *bytes += string_bytes(s),
        Value::Array(items) => {
            *bytes += 2 + items.len().saturating_sub(1);
            return items.iter().all(|item| within_depth(item, depth + 1, bytes, limit));
        }
        Value::Object(map) => {
            *bytes += 2 + map.len().saturating_sub(1);
            for (key, item) in map {
                *bytes += string_bytes(key) + 1;
                if !within_depth(item, depth + 1, bytes, limit) {
                    return false;
                }
            }
        }
    }
    true
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
