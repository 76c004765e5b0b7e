//! Flow files: the built-in ones, those of a folder that replace them, and what their `${Name}` placeholders stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use app::App;

use crate::failure::{Failure, Kind};

/// How files of flows end.
const ENDING: &str = ".asl.json";

/// The ARN of a function, in the names of the embedded engine.
fn function_arn(name: &str) -> String {
    format!("arn:aws:lambda:local:000000000000:function:{name}")
}

/// What the placeholders of a flow stand for: `${ValidateOrder}` is the function `validate-order`.
pub(crate) fn names(text: &str) -> BTreeMap<String, String> {
    let placeholders = text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0));
    let names: BTreeSet<&str> = placeholders.filter(|name| is_name(name)).collect();
    names.into_iter().map(|name| (name.to_owned(), function_arn(&kebab(name)))).collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn kebab(name: &str) -> String {
    name.chars().enumerate().fold(String::new(), |mut text, (at, letter)| {
        if at > 0 && letter.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
        text
    })
}

/// A flow with its placeholders filled in by the functions that there are.
///
/// # Errors
/// A placeholder that names none of them.
pub(crate) fn fill(name: &str, text: &str, app: &App) -> Result<String, Failure> {
    let functions = app.functions();
    let names = functions.iter().map(|function| (pascal(function.name()), function_arn(function.name()))).collect();
    asl::substitute(text, &names).map_err(|findings| {
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        Failure::new(Kind::Usage, format!("the flow `{name}` cannot be used: {}", findings.join("; ")))
    })
}

fn pascal(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    name.split('-').map(word).collect()
}

/// The flow files of a folder: names and texts.
///
/// # Errors
/// The folder or a file cannot be read.
pub(crate) fn read(folder: &Path) -> Result<Vec<(String, String)>, Failure> {
    let unreadable = |path: &Path, error: std::io::Error| {
        Failure::new(Kind::Usage, format!("`flows`: cannot read `{}`: {error}", path.display()))
    };
    let mut flows = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| unreadable(folder, e))? {
        let path = entry.map_err(|e| unreadable(folder, e))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(ENDING));
        if let Some(name) = name {
            let text = std::fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
            flows.push((name.to_owned(), text));
        }
    }
    flows.sort();
    Ok(flows)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn placeholders_name_functions() {
        let names = names("\"${ValidateOrder}\" ${a b} ${Pay} ${Pay} ${");
        let names: Vec<_> = names.iter().map(|(k, v)| (k.as_str(), v.rsplit(':').next().unwrap())).collect();
        assert_eq!(names, [("Pay", "pay"), ("ValidateOrder", "validate-order")]);
    }
}
