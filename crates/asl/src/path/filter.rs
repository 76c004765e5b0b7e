//! Filters, `[?(...)]`: comparisons of paths and literals, `&&`, `||`, `!`, `=~`.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{Path, Syntax, compile};
use crate::data;

/// Deepest nesting of parentheses and `!`.
const DEPTH: usize = 32;

#[derive(Debug, Clone)]
pub(super) enum Filter {
    Any(Vec<Filter>),
    All(Vec<Filter>),
    Not(Box<Filter>),
    Exists(Side),
    Compare(Side, Operator, Side),
    Matches(Side, Box<regex_lite::Regex>),
}

#[derive(Debug, Clone)]
pub(super) enum Side {
    Here(Path),
    Root(Path),
    Literal(Value),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filter {
    /// Whether the filter lets `item` pass; `root` is the whole document.
    pub(super) fn accepts(&self, item: &Value, root: &Value) -> bool {
        match self {
            Filter::Any(parts) => parts.iter().any(|part| part.accepts(item, root)),
            Filter::All(parts) => parts.iter().all(|part| part.accepts(item, root)),
            Filter::Not(part) => !part.accepts(item, root),
            Filter::Exists(side) => side.value(item, root).is_some(),
            Filter::Compare(left, operator, right) => {
                compare(left.value(item, root).as_deref(), *operator, right.value(item, root).as_deref())
            }
            Filter::Matches(side, regex) => match side.value(item, root).as_deref() {
                Some(Value::String(text)) => regex.is_match(text),
                _ => false,
            },
        }
    }
}

impl Side {
    fn value<'a>(&'a self, item: &'a Value, root: &'a Value) -> Option<Cow<'a, Value>> {
        match self {
            Side::Here(path) => path.find(item).ok(),
            Side::Root(path) => path.find(root).ok(),
            Side::Literal(value) => Some(Cow::Borrowed(value)),
        }
    }
}

fn compare(left: Option<&Value>, operator: Operator, right: Option<&Value>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return matches!(operator, Operator::NotEqual);
    };
    match operator {
        Operator::Equal => equal(left, right),
        Operator::NotEqual => !equal(left, right),
        _ => {
            let order = match (left, right) {
                (Value::Number(a), Value::Number(b)) => data::compare_numbers(a, b),
                (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
                _ => None,
            };
            match operator {
                Operator::Less => order == Some(Ordering::Less),
                Operator::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
                Operator::Greater => order == Some(Ordering::Greater),
                _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            }
        }
    }
}

/// Jayway reads a string as a number when the other side is one.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(n), Value::String(s)) | (Value::String(s), Value::Number(n)) => {
            s.parse::<Number>().is_ok_and(|other| data::compare_numbers(n, &other) == Some(Ordering::Equal))
        }
        _ => data::equal(left, right),
    }
}

/// Parses what stands between `[?(` and `)]`.
pub(super) fn parse(text: &str) -> Result<Filter, Syntax> {
    let mut parser = Parser { text, rest: text };
    let filter = parser.any(0)?;
    parser.space();
    if parser.rest.is_empty() { Ok(filter) } else { Err(parser.unexpected()) }
}

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn unexpected(&self) -> Syntax {
        Syntax(format!(
            "in the filter `{}`, `{}` is not expected; the operators are == != < <= > >= =~ && || !",
            self.text, self.rest
        ))
    }

    fn any(&mut self, depth: usize) -> Result<Filter, Syntax> {
        let mut parts = vec![self.all(depth)?];
        while self.eat("||") {
            parts.push(self.all(depth)?);
        }
        Ok(single(parts, Filter::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Filter, Syntax> {
        let mut parts = vec![self.one(depth)?];
        while self.eat("&&") {
            parts.push(self.one(depth)?);
        }
        Ok(single(parts, Filter::All))
    }

    fn one(&mut self, depth: usize) -> Result<Filter, Syntax> {
        if depth > DEPTH {
            return Err(Syntax(format!("the filter nests deeper than {DEPTH}")));
        }
        if self.eat("!") {
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.eat("(") {
            let inner = self.any(depth + 1)?;
            return if self.eat(")") { Ok(inner) } else { Err(self.unexpected()) };
        }
        let left = self.side()?;
        const OPERATORS: [(&str, Operator); 6] = [
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
        ];
        if self.eat("=~") {
            return Ok(Filter::Matches(left, Box::new(self.regex()?)));
        }
        for (token, operator) in OPERATORS {
            if self.eat(token) {
                let right = self.side()?;
                return Ok(Filter::Compare(left, operator, right));
            }
        }
        match left {
            Side::Literal(_) => Err(self.unexpected()),
            path => Ok(Filter::Exists(path)),
        }
    }

    fn side(&mut self) -> Result<Side, Syntax> {
        self.space();
        if let Some(body) = self.rest.strip_prefix('\'') {
            let end = body.find('\'').ok_or_else(|| self.unexpected())?;
            let (text, tail) = body.split_at(end);
            self.rest = tail.get(1..).unwrap_or_default();
            return Ok(Side::Literal(Value::String(text.into())));
        }
        let word = self.word();
        if word.is_empty() || word.starts_with('[') {
            return Err(self.unexpected());
        }
        if let Some(body) = word.strip_prefix('@') {
            return compile::path(&format!("${body}")).map(Side::Here);
        }
        if word.starts_with('$') {
            return compile::path(word).map(Side::Root);
        }
        // Anything else is a JSON scalar or, as Jayway has it, a string without quotes.
        Ok(Side::Literal(match serde_json::from_str(word) {
            Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => value,
            _ => Value::String(word.into()),
        }))
    }

    /// Up to the next blank or operator outside of brackets and quotes.
    fn word(&mut self) -> &'t str {
        let mut depth = 0usize;
        let mut quoted = false;
        let end = self.rest.char_indices().find(|(_, c)| {
            match c {
                '\'' => quoted = !quoted,
                _ if quoted => {}
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            !quoted && depth == 0 && (c.is_whitespace() || "=!<>&|()~".contains(*c))
        });
        let (word, rest) = self.rest.split_at(end.map_or(self.rest.len(), |(at, _)| at));
        self.rest = rest;
        word
    }

    fn regex(&mut self) -> Result<regex_lite::Regex, Syntax> {
        self.space();
        let body = self.rest.strip_prefix('/').ok_or_else(|| self.unexpected())?;
        let end = body.rfind('/').ok_or_else(|| self.unexpected())?;
        let (pattern, tail) = body.split_at(end);
        let tail = tail.get(1..).unwrap_or_default();
        let flags: String = tail.chars().take_while(char::is_ascii_alphabetic).collect();
        self.rest = tail.get(flags.len()..).unwrap_or_default();
        let flags = if flags.is_empty() { flags } else { format!("(?{flags})") };
        regex_lite::RegexBuilder::new(&format!("{flags}^(?:{pattern})$"))
            .size_limit(1 << 20)
            .build()
            .map_err(|e| Syntax(format!("the regular expression `/{pattern}/` is not valid: {e}")))
    }
}

fn single(mut parts: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}
