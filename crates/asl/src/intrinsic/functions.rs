//! What each intrinsic function does ("Intrinsic functions" in AWS's guide).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::data;
use crate::digest;
use crate::environment::{self, Environment};
use crate::limits;

/// Most characters that the encoding and hashing functions take.
const TEXT_CHARS: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Array,
    ArrayContains,
    ArrayGetItem,
    ArrayLength,
    ArrayPartition,
    ArrayRange,
    ArrayUnique,
    Base64Decode,
    Base64Encode,
    Format,
    Hash,
    JsonMerge,
    JsonToString,
    MathAdd,
    MathRandom,
    StringSplit,
    StringToJson,
    Uuid,
}

/// Name, function, fewest and most arguments.
const FUNCTIONS: [(&str, Function, usize, usize); 18] = [
    ("States.Array", Function::Array, 0, usize::MAX),
    ("States.ArrayContains", Function::ArrayContains, 2, 2),
    ("States.ArrayGetItem", Function::ArrayGetItem, 2, 2),
    ("States.ArrayLength", Function::ArrayLength, 1, 1),
    ("States.ArrayPartition", Function::ArrayPartition, 2, 2),
    ("States.ArrayRange", Function::ArrayRange, 3, 3),
    ("States.ArrayUnique", Function::ArrayUnique, 1, 1),
    ("States.Base64Decode", Function::Base64Decode, 1, 1),
    ("States.Base64Encode", Function::Base64Encode, 1, 1),
    ("States.Format", Function::Format, 1, usize::MAX),
    ("States.Hash", Function::Hash, 2, 2),
    ("States.JsonMerge", Function::JsonMerge, 3, 3),
    ("States.JsonToString", Function::JsonToString, 1, 1),
    ("States.MathAdd", Function::MathAdd, 2, 2),
    ("States.MathRandom", Function::MathRandom, 2, 3),
    ("States.StringSplit", Function::StringSplit, 2, 2),
    ("States.StringToJson", Function::StringToJson, 1, 1),
    ("States.UUID", Function::Uuid, 0, 0),
];

impl Function {
    pub(super) fn named(name: &str) -> Option<Function> {
        FUNCTIONS.iter().find(|row| row.0 == name).map(|row| row.1)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        FUNCTIONS.iter().map(|row| row.0)
    }

    pub(super) fn check_arity(self, count: usize) -> Result<(), String> {
        match FUNCTIONS.iter().find(|row| row.1 == self) {
            Some((_, _, fewest, most)) if count < *fewest || count > *most => Err(match (fewest, most) {
                (f, m) if f == m => format!("takes {f} arguments, not {count}"),
                (f, &usize::MAX) => format!("takes at least {f} arguments, not {count}"),
                (f, m) => format!("takes {f} to {m} arguments, not {count}"),
            }),
            _ => Ok(()),
        }
    }
}

type Arguments<'a> = Vec<Cow<'a, Value>>;

/// Calls `function`; the error is what is wrong with its arguments.
pub(super) fn call(function: Function, arguments: Arguments<'_>, env: &Environment<'_>) -> Result<Value, String> {
    let mut given = Given { arguments: arguments.into_iter(), n: 0 };
    Ok(match function {
        Function::Array => Value::Array(given.arguments.map(Cow::into_owned).collect()),
        Function::ArrayContains => {
            let (items, wanted) = (given.array()?, given.any()?);
            Value::Bool(items.iter().any(|item| data::equal(item, &wanted)))
        }
        Function::ArrayGetItem => {
            let (mut items, index) = (given.array()?, given.integer()?);
            match usize::try_from(index).ok().filter(|index| *index < items.len()) {
                Some(index) => items.swap_remove(index),
                None => return Err(format!("the index {index} is outside of the array of {}", items.len())),
            }
        }
        Function::ArrayLength => given.array()?.len().into(),
        Function::ArrayPartition => array_partition(given.array()?, given.integer()?)?,
        Function::ArrayRange => array_range(given.integer()?, given.integer()?, given.integer()?)?,
        Function::ArrayUnique => array_unique(given.array()?),
        Function::Base64Decode => base64_decode(&given.text()?)?,
        Function::Base64Encode => Value::String(STANDARD.encode(given.text()?)),
        Function::Format => format(given)?,
        Function::Hash => {
            let (value, algorithm) = (given.any()?, given.string()?);
            hash(&value, &algorithm)?
        }
        Function::JsonMerge => {
            let (left, right, deep) = (given.object()?, given.object()?, given.any()?);
            if !matches!(&*deep, Value::Bool(false)) {
                return Err("the third argument must be false: only shallow merging is supported".into());
            }
            let mut merged = left;
            merged.extend(right);
            Value::Object(merged)
        }
        Function::JsonToString => Value::String(given.any()?.to_string()),
        Function::MathAdd => {
            let (a, b) = (given.integer()?, given.integer()?);
            a.checked_add(b).map(Value::from).ok_or("the sum is out of range")?
        }
        Function::MathRandom => math_random(given, env)?,
        Function::StringSplit => {
            let (text, separators) = (given.string()?, given.string()?);
            let parts = text.split(|c| separators.contains(c)).filter(|part| !part.is_empty());
            if separators.is_empty() {
                Value::Array(vec![Value::String(text)])
            } else {
                Value::Array(parts.map(|part| Value::String(part.into())).collect())
            }
        }
        Function::StringToJson => {
            let text = given.string()?;
            if text.trim().is_empty() { Value::Null } else { string_to_json(&text)? }
        }
        Function::Uuid => Value::String(environment::uuid(env.draw(), env.draw())),
    })
}

/// The arguments that are left, each asked for by its type.
struct Given<'a> {
    arguments: std::vec::IntoIter<Cow<'a, Value>>,
    n: usize,
}

impl<'a> Given<'a> {
    fn any(&mut self) -> Result<Cow<'a, Value>, String> {
        self.n += 1;
        self.arguments.next().ok_or_else(|| format!("argument {} is missing", self.n))
    }

    fn wrong<T>(&self, wanted: &str, given: &Value) -> Result<T, String> {
        let mut shown = given.to_string();
        if shown.chars().count() > 100 {
            shown = shown.chars().take(100).chain("...".chars()).collect();
        }
        Err(format!("argument {} must be {wanted} but is {shown}", self.n))
    }

    fn array(&mut self) -> Result<Vec<Value>, String> {
        match self.any()?.into_owned() {
            Value::Array(items) => Ok(items),
            other => self.wrong("an array", &other),
        }
    }

    fn object(&mut self) -> Result<Map<String, Value>, String> {
        match self.any()?.into_owned() {
            Value::Object(map) => Ok(map),
            other => self.wrong("an object", &other),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        match self.any()?.into_owned() {
            Value::String(text) => Ok(text),
            other => self.wrong("a string", &other),
        }
    }

    /// A string of at most [`TEXT_CHARS`] characters.
    fn text(&mut self) -> Result<String, String> {
        let text = self.string()?;
        if text.len() > TEXT_CHARS && text.chars().nth(TEXT_CHARS).is_some() {
            return Err(format!("argument {} is longer than {TEXT_CHARS} characters", self.n));
        }
        Ok(text)
    }

    /// An integer; a number with a fraction is rounded, as AWS does.
    fn integer(&mut self) -> Result<i64, String> {
        let value = self.any()?;
        match &*value {
            Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(i), _) => Ok(i),
                #[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
                (None, Some(f)) if f.abs() < 9.0e18 => Ok(f.round() as i64),
                _ => self.wrong("an integer", &value),
            },
            other => self.wrong("an integer", other),
        }
    }
}

fn array_partition(items: Vec<Value>, size: i64) -> Result<Value, String> {
    let size = usize::try_from(size).ok().filter(|size| *size > 0);
    let size = size.ok_or("the size of a part must be 1 or more")?;
    if items.len().div_ceil(size) > limits::ARRAY_ELEMENTS {
        return Err(format!("the result has more than {} parts", limits::ARRAY_ELEMENTS));
    }
    let mut parts = Vec::with_capacity(items.len().div_ceil(size));
    let mut items = items.into_iter();
    loop {
        let part: Vec<Value> = items.by_ref().take(size).collect();
        if part.is_empty() {
            return Ok(Value::Array(parts));
        }
        parts.push(Value::Array(part));
    }
}

fn array_range(first: i64, last: i64, step: i64) -> Result<Value, String> {
    if step == 0 {
        return Err("the step must not be 0".into());
    }
    let mut out = Vec::new();
    let mut at = first;
    while (step > 0 && at <= last) || (step < 0 && at >= last) {
        if out.len() >= limits::ARRAY_ELEMENTS {
            return Err(format!("the result has more than {} elements", limits::ARRAY_ELEMENTS));
        }
        out.push(Value::from(at));
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    Ok(Value::Array(out))
}

fn array_unique(items: Vec<Value>) -> Value {
    let mut seen = std::collections::HashSet::new();
    Value::Array(items.into_iter().filter(|item| seen.insert(canonical(item))).collect())
}

/// A text that is equal for equal values; numbers count as equal by value.
fn canonical(value: &Value) -> String {
    match value {
        Value::Number(n) if n.as_i64().is_none() => match n.as_f64() {
            Some(f) if f.fract() == 0.0 && f.abs() < 9.0e15 => format!("{f:.0}"),
            _ => n.to_string(),
        },
        Value::Array(items) => {
            let parts: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", parts.join(","))
        }
        Value::Object(map) => {
            let mut parts: Vec<String> =
                map.iter().map(|(key, item)| format!("{}:{}", Value::from(key.as_str()), canonical(item))).collect();
            parts.sort_unstable();
            format!("{{{}}}", parts.join(","))
        }
        other => other.to_string(),
    }
}

fn base64_decode(text: &str) -> Result<Value, String> {
    let bytes = STANDARD.decode(text).map_err(|e| format!("the text is not Base64: {e}"))?;
    Ok(Value::String(String::from_utf8_lossy(&bytes).into_owned()))
}

fn format(mut given: Given<'_>) -> Result<Value, String> {
    let template = given.string()?;
    let mut out = String::with_capacity(template.len() + 32);
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.peek().copied() {
                Some(next @ ('{' | '}' | '\\' | '\'')) => {
                    chars.next();
                    out.push(next);
                }
                _ => out.push('\\'),
            },
            '{' if chars.peek() == Some(&'}') => {
                chars.next();
                let value = given.any().map_err(|_| "there are more `{}` than arguments".to_owned())?;
                data::display(&value, &mut out);
            }
            '{' | '}' => return Err(format!("a single `{c}` must be written `\\{c}`")),
            c => out.push(c),
        }
    }
    match given.arguments.len() {
        0 => Ok(Value::String(out)),
        left => Err(format!("{left} arguments have no `{{}}` in the template")),
    }
}

fn hash(value: &Value, algorithm: &str) -> Result<Value, String> {
    let text = match value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        other => Cow::Owned(other.to_string()),
    };
    if text.chars().nth(TEXT_CHARS).is_some() {
        return Err(format!("the data is longer than {TEXT_CHARS} characters"));
    }
    let hex = digest::hex(text.as_bytes(), algorithm).ok_or_else(|| {
        format!("there is no algorithm `{algorithm}`; there are MD5, SHA-1, SHA-256, SHA-384, SHA-512")
    })?;
    Ok(Value::String(hex))
}

fn math_random(mut given: Given<'_>, env: &Environment<'_>) -> Result<Value, String> {
    let (first, end) = (given.integer()?, given.integer()?);
    let span = end.checked_sub(first).and_then(|span| u64::try_from(span).ok()).filter(|span| *span > 0);
    let span = span.ok_or("the end must be larger than the start")?;
    let drawn = match given.arguments.len() {
        0 => env.draw(),
        _ => environment::random(u64::from_ne_bytes(given.integer()?.to_ne_bytes()), 0),
    };
    let offset = i64::try_from(drawn % span).map_err(|_| "the range is too large")?;
    Ok(Value::from(first.saturating_add(offset)))
}

fn string_to_json(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        // JSON has a negative zero; AWS reads the integer 0.
        Ok(Value::Number(n)) if n.as_f64() == Some(0.0) && text.trim() == "-0" => Ok(Value::from(0)),
        Ok(value) => Ok(value),
        Err(e) => Err(format!("the text is not JSON: {e}")),
    }
}
