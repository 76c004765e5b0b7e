//! Event patterns: which events a rule of a bus takes ("Amazon EventBridge event patterns" in AWS's guide).

use serde_json::{Map, Value};

/// Deepest nesting of a pattern.
const MAX_DEPTH: usize = 32;

/// Whether an event matches a pattern, which [`check`] has found to be one.
pub(super) fn matches(pattern: &Value, event: &Value) -> bool {
    let Value::Object(fields) = pattern else { return false };
    fields.iter().all(|(name, wanted)| match (name.as_str(), wanted) {
        ("$or", Value::Array(choices)) => choices.iter().any(|choice| matches(choice, event)),
        (_, Value::Object(_)) => match event.get(name) {
            Some(Value::Array(items)) => items.iter().any(|item| matches(wanted, item)),
            Some(inner) => matches(wanted, inner),
            // What is absent can still match a pattern that wants it so.
            None => matches(wanted, &Value::Object(Map::new())),
        },
        (_, Value::Array(conditions)) => conditions.iter().any(|condition| holds(condition, event.get(name))),
        _ => false,
    })
}

fn holds(condition: &Value, value: Option<&Value>) -> bool {
    if let Some(wanted) = condition.get("exists").and_then(Value::as_bool) {
        return value.is_some() == wanted;
    }
    match value {
        None => false,
        Some(Value::Array(items)) => items.iter().any(|item| holds_for(condition, item)),
        Some(value) => holds_for(condition, value),
    }
}

fn holds_for(condition: &Value, value: &Value) -> bool {
    let Value::Object(test) = condition else { return equal(condition, value) };
    test.iter().all(|(name, wanted)| match (name.as_str(), wanted, value) {
        ("prefix", Value::String(wanted), Value::String(text)) => text.starts_with(wanted.as_str()),
        ("suffix", Value::String(wanted), Value::String(text)) => text.ends_with(wanted.as_str()),
        ("equals-ignore-case", Value::String(wanted), Value::String(text)) => {
            text.to_lowercase() == wanted.to_lowercase()
        }
        ("wildcard", Value::String(wanted), Value::String(text)) => wildcard(wanted, text),
        ("anything-but", Value::Array(all), _) => !all.iter().any(|one| equal(one, value)),
        ("anything-but", Value::Object(_), _) => !holds_for(wanted, value),
        ("anything-but", one, _) => !equal(one, value),
        ("numeric", Value::Array(tests), Value::Number(number)) => number.as_f64().is_some_and(|n| numeric(tests, n)),
        _ => false,
    })
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => one == other,
    }
}

fn numeric(tests: &[Value], n: f64) -> bool {
    tests.chunks(2).all(|test| match test {
        [Value::String(operator), Value::Number(bound)] => {
            let Some(order) = bound.as_f64().and_then(|bound| n.partial_cmp(&bound)) else { return false };
            match operator.as_str() {
                "=" => order.is_eq(),
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                ">=" => order.is_ge(),
                _ => false,
            }
        }
        _ => false,
    })
}

/// `*` stands for any characters. Linear in the text for each star.
fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether this is a pattern.
///
/// # Errors
/// What is wrong, and where.
pub(super) fn check(pattern: &Value) -> Result<(), String> {
    check_at(pattern, "$", 0)
}

fn check_at(pattern: &Value, at: &str, depth: usize) -> Result<(), String> {
    let Value::Object(fields) = pattern else { return Err(format!("`{at}` must be an object")) };
    if fields.is_empty() || depth > MAX_DEPTH {
        return Err(format!("`{at}` must not be empty, nor nested deeper than {MAX_DEPTH}"));
    }
    for (name, wanted) in fields {
        let at = format!("{at}.{name}");
        match (name.as_str(), wanted) {
            ("$or", Value::Array(choices)) if choices.len() > 1 => {
                choices.iter().try_for_each(|choice| check_at(choice, &at, depth + 1))?;
            }
            (_, Value::Object(_)) => check_at(wanted, &at, depth + 1)?,
            (_, Value::Array(conditions)) if !conditions.is_empty() => {
                conditions.iter().try_for_each(|condition| check_condition(condition, &at))?;
            }
            _ => return Err(format!("`{at}` must be a list of conditions, or an object of such lists")),
        }
    }
    Ok(())
}

fn check_condition(condition: &Value, at: &str) -> Result<(), String> {
    let Value::Object(test) = condition else { return Ok(()) };
    let known = |(name, wanted): (&String, &Value)| match name.as_str() {
        "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => wanted.is_string(),
        "exists" => wanted.is_boolean(),
        "anything-but" => true,
        "numeric" => wanted.as_array().is_some_and(|tests| !tests.is_empty() && tests.len() % 2 == 0),
        _ => false,
    };
    match test.len() == 1 && test.iter().all(known) {
        true => Ok(()),
        false => Err(format!(
            "`{at}`: {condition} is no condition; there are values and prefix, suffix, equals-ignore-case, wildcard, \
             anything-but, numeric and exists"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_match(pattern: &str, event: &str, want: bool) {
        let (pattern, event) = (serde_json::from_str(pattern).unwrap(), serde_json::from_str(event).unwrap());
        check(&pattern).unwrap();
        assert_eq!(matches(&pattern, &event), want, "{pattern} {event}");
    }

    #[test]
    fn events_match_patterns() {
        check_match(r#"{"source":["a","b"]}"#, r#"{"source":"b"}"#, true);
        check_match(r#"{"source":["a"]}"#, r#"{"source":"b"}"#, false);
        check_match(r#"{"source":["a"]}"#, "{}", false);
        check_match(r#"{"detail":{"n":[1]}}"#, r#"{"detail":{"n":1.0}}"#, true);
        check_match(r#"{"resources":["x"]}"#, r#"{"resources":["w","x"]}"#, true);
        check_match(r#"{"a":[{"prefix":"x"}]}"#, r#"{"a":"xy"}"#, true);
        check_match(r#"{"a":[{"suffix":"x"}]}"#, r#"{"a":"xy"}"#, false);
        check_match(r#"{"a":[{"anything-but":["x","y"]}]}"#, r#"{"a":"z"}"#, true);
        check_match(r#"{"a":[{"anything-but":{"prefix":"x"}}]}"#, r#"{"a":"xz"}"#, false);
        check_match(r#"{"a":[{"numeric":[">",1,"<=",5]}]}"#, r#"{"a":5}"#, true);
        check_match(r#"{"a":[{"numeric":[">",1,"<=",5]}]}"#, r#"{"a":1}"#, false);
        check_match(r#"{"a":[{"exists":false}]}"#, "{}", true);
        check_match(r#"{"d":{"a":[{"exists":false}]}}"#, "{}", true);
        check_match(r#"{"a":[{"exists":true}]}"#, r#"{"a":null}"#, true);
        check_match(r#"{"a":[{"equals-ignore-case":"AB"}]}"#, r#"{"a":"ab"}"#, true);
        check_match(r#"{"a":[{"wildcard":"x*y*z"}]}"#, r#"{"a":"x..y..z"}"#, true);
        check_match(r#"{"a":[{"wildcard":"x*y"}]}"#, r#"{"a":"x"}"#, false);
        check_match(r#"{"$or":[{"a":[1]},{"b":[2]}]}"#, r#"{"b":2}"#, true);
        for bad in ["[]", "{}", r#"{"a":1}"#, r#"{"a":[]}"#, r#"{"a":[{"like":1}]}"#, r#"{"a":[{"numeric":[">"]}]}"#] {
            assert!(check(&serde_json::from_str(bad).unwrap()).is_err(), "{bad}");
        }
    }
}
