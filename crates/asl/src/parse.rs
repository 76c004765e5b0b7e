//! From the text of a definition to a [`Definition`], collecting everything that is wrong on the way.

mod fields;
mod fork;
mod map_run;
mod outcomes;
mod rules;
mod states;
mod strict;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definition::{Definition, QueryLanguage, Scope, State};
use crate::diagnostic::{Diagnostic, Severity, child, hint};
use crate::limits;
use fields::Fields;

/// Parses and validates a definition.
pub(crate) fn definition(text: &str) -> Result<Definition, Vec<Diagnostic>> {
    if text.len() > limits::DEFINITION_BYTES {
        let message =
            format!("the definition has {} bytes; at most {} are allowed", text.len(), limits::DEFINITION_BYTES);
        return Err(vec![Diagnostic::error("", "DEFINITION_TOO_LARGE", message)]);
    }
    let mut parser = Parser::default();
    let value = strict::parse(text, &mut parser.out).map_err(|diagnostic| vec![diagnostic])?;
    let Value::Object(map) = &value else {
        return Err(vec![Diagnostic::error("", "NOT_AN_OBJECT", "a definition is a JSON object")]);
    };
    let built = parser.top(map);
    if let Some(definition) = &built {
        parser.out.extend(crate::validate::shadowed_variables(&definition.scopes));
    }
    let fatal = parser.out.iter().any(|d| d.severity == Severity::Error);
    match built {
        Some(mut definition) if !fatal => {
            definition.reads = crate::reads::of(&definition.scopes);
            definition.warnings = parser.out;
            definition.warnings.extend(crate::reads::unset_variables(&definition.scopes));
            Ok(definition)
        }
        _ => {
            if !fatal {
                parser.out.push(Diagnostic::error("", "INVALID", "the definition cannot be read"));
            }
            Err(parser.out)
        }
    }
}

/// What parsing gathers.
#[derive(Default)]
pub(crate) struct Parser {
    pub(crate) out: Vec<Diagnostic>,
    scopes: Vec<Scope>,
    /// Every state's name and where it was first seen.
    names: HashMap<String, String>,
    /// The language of states that do not name theirs.
    usual_language: QueryLanguage,
    /// The language of the state being read, and where that state is.
    pub(crate) language: QueryLanguage,
    state_at: String,
}

/// The names of the states of one scope.
pub(crate) struct Names<'a> {
    indexes: HashMap<&'a str, usize>,
}

impl Names<'_> {
    fn known(&self) -> impl Iterator<Item = &str> {
        self.indexes.keys().copied()
    }
}

const TOP_FIELDS: [&str; 6] = ["Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"];

impl Parser {
    fn top(&mut self, map: &Map<String, Value>) -> Option<Definition> {
        self.usual_language = self.query_language(map, "");
        let mut fields = Fields::new(self, map, "");
        fields.only(&TOP_FIELDS, "a definition");
        let comment = fields.comment();
        let timeout_s = fields.whole_number("TimeoutSeconds", 1, limits::SECONDS);
        let version = fields.string("Version");
        if version.is_some_and(|v| v != "1.0") {
            self.error("/Version", "UNKNOWN_VERSION", "the only version is `1.0`");
        }
        self.scope(map, "", 0)?;
        Some(Definition {
            comment,
            query_language: self.usual_language,
            timeout_s,
            scopes: std::mem::take(&mut self.scopes),
            warnings: Vec::new(),
            reads: Default::default(),
        })
    }

    /// Parses `StartAt` and `States`, and gives the index of the new scope.
    pub(crate) fn scope(&mut self, map: &Map<String, Value>, pointer: &str, depth: usize) -> Option<usize> {
        if depth > limits::SCOPE_DEPTH {
            let message = format!("branches nest deeper than {}; move some into another flow", limits::SCOPE_DEPTH);
            self.error(pointer, "TOO_DEEP", message);
            return None;
        }
        let states_at = child(pointer, "States");
        let states = match map.get("States") {
            Some(Value::Object(states)) if !states.is_empty() => Some(states),
            Some(Value::Object(_)) => {
                self.error(&states_at, "NO_STATES", "`States` is empty; add the state that `StartAt` names");
                None
            }
            Some(_) => {
                self.error(&states_at, "WRONG_TYPE", "`States` must be an object of states by name");
                None
            }
            None => {
                self.error(pointer, "MISSING_FIELD", "`States` is missing; it holds the states by name");
                None
            }
        };
        let start_at = match map.get("StartAt") {
            Some(Value::String(name)) => Some(name.as_str()),
            Some(_) => {
                self.error(&child(pointer, "StartAt"), "WRONG_TYPE", "`StartAt` must be the name of a state");
                None
            }
            None => {
                self.error(pointer, "MISSING_FIELD", "`StartAt` is missing; it names the first state");
                None
            }
        };
        let states = states?;
        let names = Names { indexes: states.keys().enumerate().map(|(n, name)| (name.as_str(), n)).collect() };
        let start = start_at.and_then(|name| self.target(&names, name, &child(pointer, "StartAt")));

        // Reserved before its inner scopes, so that the flow itself is scope 0.
        let scope = self.scopes.len();
        self.scopes.push(Scope { start: 0, states: Vec::new() });
        let mut parsed = Vec::with_capacity(states.len());
        for (name, value) in states {
            let at = child(&states_at, name);
            self.name(name, &at);
            if let Some(state) = self.state(name, value, &at, &names, depth) {
                parsed.push(state);
            }
        }
        // As AWS does: an end is looked for among all states, also those that nothing leads to, once each is right.
        let well_formed =
            self.out.iter().all(|d| d.severity == Severity::Warning || d.code == "MISSING_TRANSITION_TARGET");
        let ends = states.values().any(|state| {
            state.get("End") == Some(&Value::Bool(true)) || matches!(state["Type"].as_str(), Some("Succeed" | "Fail"))
        });
        if well_formed && !ends {
            self.error(
                pointer,
                "NO_TERMINAL_STATE",
                "no state ends this flow; add `\"End\": true` to the last one, or a Succeed or Fail state",
            );
            return None;
        }
        if parsed.len() != states.len() {
            return None;
        }
        let start = start?;
        self.check_graph(&parsed, start);
        if let Some(slot) = self.scopes.get_mut(scope) {
            *slot = Scope { start, states: parsed };
        }
        Some(scope)
    }

    fn name(&mut self, name: &str, at: &str) {
        if name.is_empty() || name.chars().nth(limits::NAME_CHARS).is_some() {
            let message = format!("a state's name has 1 to {} characters", limits::NAME_CHARS);
            self.error(at, "BAD_NAME", message);
        }
        match self.names.get(name) {
            Some(first) => {
                let message =
                    format!("the name `{name}` is taken by {first}; names are unique in the whole definition");
                self.error(at, "DUPLICATE_STATE_NAME", message);
            }
            None => {
                self.names.insert(name.into(), at.into());
            }
        }
    }

    /// The index of the state that a transition names.
    pub(crate) fn target(&mut self, names: &Names<'_>, name: &str, at: &str) -> Option<usize> {
        let index = names.indexes.get(name).copied();
        if index.is_none() {
            let hint = hint(name, names.known());
            self.error(at, "MISSING_TRANSITION_TARGET", format!("there is no state `{name}` here{hint}"));
        }
        index
    }

    fn check_graph(&mut self, states: &[State], start: usize) {
        let reached = crate::validate::reachable(states, start);
        for (n, state) in states.iter().enumerate() {
            if !reached.contains(&n) {
                let message = format!("no transition leads to `{}`; add one, or remove the state", state.name);
                self.error(&state.pointer, "UNREACHABLE_STATE", message);
            }
        }
    }

    pub(crate) fn error(&mut self, pointer: &str, code: &'static str, message: impl Into<String>) {
        self.out.push(Diagnostic::error(pointer, code, message));
    }

    pub(crate) fn warning(&mut self, pointer: &str, code: &'static str, message: impl Into<String>) {
        self.out.push(Diagnostic::warning(pointer, code, message));
    }

    /// The language that a flow or state names, or else the usual one.
    fn query_language(&mut self, map: &Map<String, Value>, pointer: &str) -> QueryLanguage {
        let at = child(pointer, "QueryLanguage");
        match map.get("QueryLanguage").map(Value::as_str) {
            None => self.usual_language,
            Some(Some("JSONata")) => QueryLanguage::Jsonata,
            Some(Some("JSONPath")) => {
                if self.usual_language == QueryLanguage::Jsonata {
                    let message = "a flow in JSONata has no states in JSONPath; name JSONata for single states instead";
                    self.error(pointer, "BAD_QUERY_LANGUAGE", message);
                }
                QueryLanguage::JsonPath
            }
            Some(_) => {
                self.error(&at, "UNKNOWN_QUERY_LANGUAGE", "write `JSONPath` or `JSONata`");
                self.usual_language
            }
        }
    }

    /// How messages call a field of the state being read, such as `Catch[0]/Output`.
    pub(crate) fn label(&self, pointer: &str) -> String {
        let inside = pointer.strip_prefix(&self.state_at).unwrap_or(pointer).trim_start_matches('/');
        let mut out = String::with_capacity(inside.len());
        for token in inside.split('/') {
            if !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit()) {
                out.push('[');
                out.push_str(token);
                out.push(']');
                continue;
            }
            if !out.is_empty() {
                out.push('/');
            }
            out.push_str(token);
        }
        out
    }
}

/// A name as states hold it.
pub(crate) fn shared(name: &str) -> Arc<str> {
    Arc::from(name)
}
