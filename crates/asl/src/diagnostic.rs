//! What is wrong with a definition, where, and what to do about it.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The definition cannot run.
    Error,
    /// The definition runs, perhaps not as meant.
    Warning,
}

/// One finding about a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// JSON pointer (RFC 6901) into the definition; empty for the whole of it.
    pub pointer: String,
    /// A stable code, such as `UNKNOWN_FIELD`.
    pub code: &'static str,
    /// What is wrong and what cures it.
    pub message: String,
    /// Whether the definition can run all the same.
    pub severity: Severity,
}

impl Diagnostic {
    /// A finding that prevents the definition from running.
    pub fn error(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic { pointer: pointer.into(), code, message: message.into(), severity: Severity::Error }
    }

    /// A finding that does not prevent the definition from running.
    pub fn warning(pointer: impl Into<String>, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(pointer, code, message) }
    }
}

impl Diagnostic {
    /// Where it is; `/` for the whole of the definition.
    pub fn place(&self) -> &str {
        if self.pointer.is_empty() { "/" } else { &self.pointer }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity} {} at {}: {}", self.code, self.place(), self.message)
    }
}

/// `pointer` extended by one reference token.
pub(crate) fn child(pointer: &str, token: &str) -> String {
    let mut out = String::with_capacity(pointer.len() + token.len() + 1);
    out.push_str(pointer);
    out.push('/');
    for c in token.chars() {
        match c {
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            c => out.push(c),
        }
    }
    out
}

/// The known name that `given` is most likely meant to be.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = given.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `, did you mean ...?` when something known is near, else nothing.
pub(crate) fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}
