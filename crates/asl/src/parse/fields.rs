//! Reads the fields of one object of a definition by their types.

use serde_json::{Map, Value};

use super::Parser;
use crate::definition::{QueryLanguage, ResultPath, Seconds, Selector};
use crate::diagnostic::{child, hint};
use crate::formula::{self, Formula};
use crate::query::{Query, Root};
use crate::template::{Expression, Template};

/// The fields of one object.
pub(super) struct Fields<'p, 'v> {
    pub(super) parser: &'p mut Parser,
    pub(super) map: &'v Map<String, Value>,
    pub(super) pointer: &'v str,
}

/// Fields of JSONata states, so that a message can say so.
const JSONATA_FIELDS: [&str; 4] = ["Arguments", "Condition", "Items", "Output"];
/// Fields of JSONPath states; so are those that end in `Path`.
const JSONPATH_FIELDS: [&str; 3] = ["Parameters", "ResultSelector", "Result"];

impl<'p, 'v> Fields<'p, 'v> {
    pub(super) fn new(parser: &'p mut Parser, map: &'v Map<String, Value>, pointer: &'v str) -> Fields<'p, 'v> {
        Fields { parser, map, pointer }
    }

    pub(super) fn at(&self, field: &str) -> String {
        child(self.pointer, field)
    }

    /// Reports every field that is not among `known`.
    pub(super) fn only(&mut self, known: &[&str], what: &str) {
        for field in self.map.keys().filter(|field| !known.contains(&field.as_str())) {
            let at = self.at(field);
            let other = match self.parser.language {
                QueryLanguage::JsonPath if JSONATA_FIELDS.contains(&field.as_str()) => Some("JSONata"),
                QueryLanguage::Jsonata if JSONPATH_FIELDS.contains(&field.as_str()) || field.ends_with("Path") => {
                    Some("JSONPath")
                }
                _ => None,
            };
            if let Some(other) = other {
                let message = format!("`{field}` belongs to {other}, which is not the language of this state");
                self.parser.error(&at, "WRONG_QUERY_LANGUAGE", message);
                continue;
            }
            let hint = hint(field, known.iter().copied());
            let cure = if hint.is_empty() { format!("; there are {}", known.join(", ")) } else { hint };
            self.parser.error(&at, "UNKNOWN_FIELD", format!("{what} has no field `{field}`{cure}"));
        }
    }

    fn wrong(&mut self, field: &str, wanted: &str) {
        let at = self.at(field);
        self.parser.error(&at, "WRONG_TYPE", format!("`{field}` must be {wanted}"));
    }

    pub(super) fn missing(&mut self, field: &str, what: &str) {
        let pointer = self.pointer;
        self.parser.error(pointer, "MISSING_FIELD", format!("`{field}` is missing; it {what}"));
    }

    pub(super) fn get(&self, field: &str) -> Option<&'v Value> {
        self.map.get(field)
    }

    pub(super) fn comment(&mut self) -> Option<String> {
        self.string("Comment").map(str::to_owned)
    }

    pub(super) fn string(&mut self, field: &str) -> Option<&'v str> {
        match self.get(field)? {
            Value::String(text) => Some(text),
            _ => {
                self.wrong(field, "a string");
                None
            }
        }
    }

    pub(super) fn boolean(&mut self, field: &str) -> Option<bool> {
        match self.get(field)? {
            Value::Bool(b) => Some(*b),
            _ => {
                self.wrong(field, "true or false");
                None
            }
        }
    }

    pub(super) fn array(&mut self, field: &str) -> Option<&'v Vec<Value>> {
        match self.get(field)? {
            Value::Array(items) => Some(items),
            _ => {
                self.wrong(field, "an array");
                None
            }
        }
    }

    pub(super) fn object(&mut self, field: &str) -> Option<&'v Map<String, Value>> {
        match self.get(field)? {
            Value::Object(map) => Some(map),
            _ => {
                self.wrong(field, "an object");
                None
            }
        }
    }

    pub(super) fn whole_number(&mut self, field: &str, least: u64, most: u64) -> Option<u64> {
        let value = self.get(field)?;
        match value.as_i64().map(|n| (n, u64::try_from(n).unwrap_or(0))) {
            Some((signed, n)) if signed < 0 || n < least => {
                self.out_of_range("TOO_SMALL", field, "least", least);
                None
            }
            Some((_, n)) if n > most => {
                self.out_of_range("TOO_LARGE", field, "most", most);
                None
            }
            Some((_, n)) => Some(n),
            None => {
                self.wrong(field, &format!("a whole number from {least} to {most}"));
                None
            }
        }
    }

    pub(super) fn number(&mut self, field: &str, least: f64, most: f64) -> Option<f64> {
        let value = self.get(field)?;
        match value.as_f64() {
            Some(n) if n < least => {
                self.out_of_range("TOO_SMALL", field, "least", format!("{least:?}"));
                None
            }
            Some(n) if n > most => {
                self.out_of_range("TOO_LARGE", field, "most", format!("{most:?}"));
                None
            }
            Some(n) => Some(n),
            None => {
                self.wrong(field, &format!("a number from {least} to {most}"));
                None
            }
        }
    }

    fn out_of_range(&mut self, code: &'static str, field: &str, word: &str, bound: impl std::fmt::Display) {
        let at = self.at(field);
        self.parser.error(&at, code, format!("`{field}` must be at {word} `{bound}`"));
    }

    pub(super) fn query(&mut self, field: &str) -> Option<Query> {
        let text = self.string(field)?;
        match Query::parse(text) {
            Ok(query) => Some(query),
            Err(syntax) => {
                let at = self.at(field);
                self.parser.error(&at, "BAD_PATH", format!("`{text}` is not a path: {syntax}"));
                None
            }
        }
    }

    pub(super) fn expression(&mut self, field: &str) -> Option<Expression> {
        let text = self.string(field)?;
        match Expression::parse(text) {
            Ok(expression) => Some(expression),
            Err(syntax) => {
                let at = self.at(field);
                self.parser.error(&at, "BAD_PATH", format!("`{field}`: {syntax}"));
                None
            }
        }
    }

    pub(super) fn selector(&mut self, field: &str) -> Selector {
        match self.get(field) {
            None => Selector::Whole,
            Some(Value::Null) => Selector::Empty,
            Some(_) => match self.query(field) {
                Some(query) if !query.is_input() => Selector::Query(query),
                _ => Selector::Whole,
            },
        }
    }

    pub(super) fn result_path(&mut self) -> ResultPath {
        let field = "ResultPath";
        match self.get(field) {
            None => return ResultPath::Whole,
            Some(Value::Null) => return ResultPath::Discard,
            Some(_) => {}
        }
        let Some(query) = self.query(field) else { return ResultPath::Whole };
        if query.is_input() {
            return ResultPath::Whole;
        }
        match query.path.steps() {
            Some(steps) if query.root == Root::Input => ResultPath::At(steps, query.text),
            _ => {
                let at = self.at(field);
                let message = format!("`{}` must be a reference path: names and indexes in the input only", query.text);
                self.parser.error(&at, "NOT_A_REFERENCE", message);
                ResultPath::Whole
            }
        }
    }

    pub(super) fn template(&mut self, field: &str) -> Option<Template> {
        let value = self.get(field)?;
        let at = self.at(field);
        if self.is_jsonata() {
            let label = self.parser.label(&at);
            let parser = &mut *self.parser;
            let problem = &mut |pointer: String, message: String| parser.error(&pointer, "BAD_EXPRESSION", message);
            return Some(Template::parse_formulas(value, &at, &label, problem));
        }
        let parser = &mut *self.parser;
        Some(Template::parse(value, &at, &mut |pointer, message| parser.error(&pointer, "BAD_PATH", message)))
    }

    pub(super) fn is_jsonata(&self) -> bool {
        self.parser.language == QueryLanguage::Jsonata
    }

    /// The expression of a field of a JSONata state; `None` if its value is a plain one.
    pub(super) fn formula(&mut self, field: &str) -> Option<Formula> {
        if !self.is_jsonata() {
            return None;
        }
        let text = self.get(field)?.as_str()?;
        let at = self.at(field);
        let problem = match formula::body(text) {
            Ok(None) => return None,
            Ok(Some(body)) => match Formula::parse(body, &self.parser.label(&at)) {
                Ok(formula) => return Some(formula),
                Err(message) => message,
            },
            Err(message) => format!("`{text}` {message}"),
        };
        self.parser.error(&at, "BAD_EXPRESSION", problem);
        None
    }

    /// Whether a field of a JSONata state holds an expression, or what looks like one.
    pub(super) fn is_formula(&self, field: &str) -> bool {
        let text = self.get(field).and_then(Value::as_str);
        self.is_jsonata() && text.is_some_and(|text| formula::body(text) != Ok(None))
    }

    /// `Assign`: a template that must be an object of variables.
    pub(super) fn assign(&mut self) -> Option<Template> {
        let map = self.object("Assign")?;
        for name in map.keys() {
            let name = if self.is_jsonata() { name } else { name.strip_suffix(".$").unwrap_or(name) };
            let mut chars = name.chars();
            let well_formed = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
                && chars.all(|c| c.is_alphanumeric() || c == '_')
                && name.chars().nth(crate::limits::NAME_CHARS).is_none();
            if !well_formed || name == "states" {
                let at = child(&self.at("Assign"), name);
                let message = format!(
                    "`{name}` is not a variable's name: a letter, then letters, digits or `_`, at most 80 characters, not `states`"
                );
                self.parser.error(&at, "BAD_NAME", message);
            }
        }
        self.template("Assign").filter(|_| !map.is_empty())
    }

    /// `field` in seconds, or `fieldPath`.
    pub(super) fn seconds(&mut self, field: &str, least: u64, most: u64) -> Option<Seconds> {
        if self.is_formula(field) {
            return self.formula(field).map(Seconds::Formula);
        }
        let path = format!("{field}Path");
        if !self.is_jsonata() {
            self.one_of(&[field, &path]);
        }
        match self.get(&path).filter(|_| !self.is_jsonata()) {
            Some(_) => self.query(&path).map(Seconds::Path),
            None => self.whole_number(field, least, most).map(Seconds::Fixed),
        }
    }

    /// Reports when more than one of `fields` is there; gives the first that is.
    pub(super) fn one_of<'f>(&mut self, fields: &[&'f str]) -> Option<&'f str> {
        let mut there = fields.iter().copied().filter(|field| self.map.contains_key(*field));
        let first = there.next()?;
        if let Some(second) = there.next() {
            let at = self.at(second);
            self.parser.error(
                &at,
                "CONFLICTING_FIELDS",
                format!("`{second}` and `{first}` exclude each other; keep one"),
            );
        }
        Some(first)
    }
}
