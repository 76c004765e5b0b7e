//! Regular expressions: the flavour of the language, run by an engine whose time is linear.

use super::error::{Result, error};

/// Longest pattern, in bytes.
const PATTERN_BYTES: usize = 4096;
/// Most memory of a compiled pattern, in bytes.
const COMPILED_BYTES: usize = 1 << 20;

pub(super) fn compile(pattern: &str, flags: &str) -> Result<regex_lite::Regex> {
    if pattern.len() > PATTERN_BYTES {
        return error("S0303", "the regular expression is too long");
    }
    regex_lite::RegexBuilder::new(&translate(pattern))
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .size_limit(COMPILED_BYTES)
        .build()
        .map_err(|e| {
            Box::new(super::error::Error { code: "S0303", message: format!("Invalid regular expression: {e}") })
        })
}

/// Escapes what the engine reads differently: `[` inside of a class, and braces that repeat nothing.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut in_class = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                match chars.next() {
                    // Letters that are no escape stand for themselves.
                    Some('/') => out.push('/'),
                    Some(next) if next.is_ascii_alphabetic() && !"dDwWsSbBnrtfvxu".contains(next) => out.push(next),
                    Some(next) => {
                        out.push('\\');
                        out.push(next);
                    }
                    None => out.push('\\'),
                }
            }
            '[' if in_class => out.push_str("\\["),
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '[' => {
                in_class = true;
                out.push('[');
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            c => out.push(c),
        }
    }
    out
}
