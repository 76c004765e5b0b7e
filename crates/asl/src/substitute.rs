//! `${Name}` placeholders, as `DefinitionSubstitutions` fills them in at deployment.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, nearest};

/// Replaces every `${Name}` by its value, in the text of a definition before it is parsed.
///
/// A name consists of ASCII letters, digits, `_`, `-` and `.`; anything else after `${` is left as it is. A value is
/// written as it would stand inside a JSON string.
///
/// # Errors
/// One diagnostic per unknown name, naming the nearest known one. As the text is not parsed yet, its pointer is empty.
pub fn substitute(text: &str, names: &BTreeMap<String, String>) -> Result<String, Vec<Diagnostic>> {
    let mut out = String::with_capacity(text.len());
    let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        match after.split_once('}').filter(|(name, _)| is_name(name)) {
            Some((name, tail)) => {
                match names.get(name) {
                    Some(value) => push_escaped(&mut out, value),
                    None => {
                        let line =
                            1 + text.len().checked_sub(rest.len()).map_or(0, |at| lines(text, at + before.len()));
                        unknown.entry(name).or_insert(line);
                    }
                }
                rest = tail;
            }
            None => {
                out.push_str("${");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    if unknown.is_empty() {
        return Ok(out);
    }
    Err(unknown.into_iter().map(|(name, line)| diagnostic(name, line, names)).collect())
}

fn diagnostic(name: &str, line: usize, names: &BTreeMap<String, String>) -> Diagnostic {
    let cure = match nearest(name, names.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `${{{near}}}`?"),
        None => format!("give `{name}` a value, or remove the placeholder"),
    };
    Diagnostic::error("", "UNKNOWN_PLACEHOLDER", format!("line {line}: `${{{name}}}` has no value; {cure}"))
}

fn lines(text: &str, end: usize) -> usize {
    text.bytes().take(end).filter(|b| *b == b'\n').count()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn push_escaped(out: &mut String, value: &str) {
    let quoted = serde_json::Value::String(value.to_owned()).to_string();
    out.push_str(quoted.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(&quoted));
}
