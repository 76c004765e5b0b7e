//! Texts that are no JSON, in the words of Jackson, the parser that AWS uses.

use serde_json::Value;

/// Parses a text.
///
/// # Errors
/// Why it is no JSON, in Jackson's words.
pub fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str::<Value>(text).map_err(|error| problem(text, &error))
}

/// What is wrong with a text, at the place that `serde_json` names.
pub(crate) fn problem(text: &str, error: &serde_json::Error) -> String {
    let at = offset(text, error.line(), error.column());
    let token = word(text, at);
    if !token.is_empty() && !token.starts_with(|c: char| c.is_ascii_digit()) {
        return format!(
            "Unrecognized token '{token}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or \
             'false')"
        );
    }
    let Some(found) = text.get(at..).and_then(|rest| rest.chars().next()) else {
        return "Unexpected end-of-input".into();
    };
    let wanted = match text.get(..at).map(str::trim_end).and_then(|before| before.chars().last()) {
        Some('{') => "double-quote to start field name",
        _ if found == '\'' => "a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
        _ => "comma to separate entries",
    };
    format!("Unexpected character ('{found}' (code {})): was expecting {wanted}", u32::from(found))
}

/// The byte that a position of `serde_json` means; it counts columns in bytes from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The word around a byte.
fn word(text: &str, at: usize) -> &str {
    let part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let before = text.get(..at).unwrap_or_default();
    let start = before.len() - before.chars().rev().take_while(|c| part(*c)).map(char::len_utf8).sum::<usize>();
    let rest = text.get(start..).unwrap_or_default();
    rest.split(|c: char| !part(c)).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[track_caller]
    fn check(text: &str, problem: &str) {
        assert_eq!(parse(text).unwrap_err(), problem);
    }

    #[test]
    fn problems_are_told_as_jackson_tells_them() {
        let values = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        check("not some json", &format!("Unrecognized token 'not': was expecting {values}"));
        check("{'not': 'json'", "Unexpected character (''' (code 39)): was expecting double-quote to start field name");
        check("{\"a\": nulL}", &format!("Unrecognized token 'nulL': was expecting {values}"));
        assert!(parse("{\"a\"").is_err() && parse("\u{e9}").is_err() && parse("[1, \u{1f600}").is_err());
        assert_eq!(parse("null").unwrap(), serde_json::Value::Null);
    }
}
