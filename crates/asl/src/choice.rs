//! The rules of a Choice state.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use crate::data;
use crate::environment::Environment;
use crate::error::Failure;
use crate::formula::Formula;
use crate::query::Query;

/// A condition on the data.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test { variable: Query, test: Test },
    Always(bool),
    Formula(Box<Formula>),
}

/// What is asked of one variable.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    Is(Type, bool),
    Present(bool),
    Boolean(Operand<bool>),
    Numeric(Relation, Operand<Number>),
    String(Relation, Operand<Box<str>>),
    Timestamp(Relation, Operand<i128>),
    Matches(Vec<Glob>),
}

/// What a value is compared with: a literal, or what a path finds.
#[derive(Debug, Clone)]
pub(crate) enum Operand<T> {
    Literal(T),
    Path(Query),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    Null,
    Boolean,
    Numeric,
    String,
    Timestamp,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A piece of a `StringMatches` pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Glob {
    Text(Box<str>),
    Any,
}

impl Relation {
    fn holds(self, order: Option<Ordering>) -> bool {
        let Some(order) = order else { return false };
        match self {
            Relation::Equal => order.is_eq(),
            Relation::Less => order.is_lt(),
            Relation::LessOrEqual => order.is_le(),
            Relation::Greater => order.is_gt(),
            Relation::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Condition {
    /// Whether the condition holds.
    pub(crate) fn holds(&self, env: &Environment<'_>) -> Result<bool, Failure> {
        match self {
            Condition::All(parts) => {
                for part in parts {
                    if !part.holds(env)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Any(parts) => {
                for part in parts {
                    if part.holds(env)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(part) => part.holds(env).map(|holds| !holds),
            Condition::Always(holds) => Ok(*holds),
            Condition::Formula(formula) => formula.evaluate_as(env, "boolean", Value::as_bool),
            Condition::Test { variable, test } => {
                let found = variable.find(env);
                if let Test::Present(wanted) = test {
                    return Ok(found.is_ok() == *wanted);
                }
                match found {
                    Ok(value) => test.holds(&value, env),
                    Err(_) => Err(invalid(&variable.text)),
                }
            }
        }
    }

    /// The queries in this condition.
    pub(crate) fn queries<'a>(&'a self, each: &mut dyn FnMut(&'a Query)) {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| part.queries(each)),
            Condition::Not(part) => part.queries(each),
            Condition::Always(_) | Condition::Formula(_) => {}
            Condition::Test { variable, test } => {
                each(variable);
                match test {
                    Test::Boolean(Operand::Path(query))
                    | Test::Numeric(_, Operand::Path(query))
                    | Test::String(_, Operand::Path(query))
                    | Test::Timestamp(_, Operand::Path(query)) => each(query),
                    _ => {}
                }
            }
        }
    }
}

fn invalid(path: &str) -> Failure {
    Failure::runtime(format!("Invalid path '{path}': The choice state's condition path references an invalid value."))
}

impl Test {
    fn holds(&self, value: &Value, env: &Environment<'_>) -> Result<bool, Failure> {
        Ok(match self {
            Test::Present(wanted) => *wanted,
            Test::Is(kind, wanted) => kind.describes(value) == *wanted,
            Test::Boolean(operand) => match value {
                Value::Bool(b) => operand.compare(env, |o| *b == *o, |o| o.as_bool() == Some(*b))?,
                _ => false,
            },
            Test::Numeric(relation, operand) => match value {
                Value::Number(n) => operand.compare(
                    env,
                    |o| relation.holds(data::compare_numbers(n, o)),
                    |o| o.as_number().is_some_and(|o| relation.holds(data::compare_numbers(n, o))),
                )?,
                _ => false,
            },
            Test::String(relation, operand) => match value {
                Value::String(s) => operand.compare(
                    env,
                    |o| relation.holds(Some(s.as_str().cmp(o))),
                    |o| o.as_str().is_some_and(|o| relation.holds(Some(s.as_str().cmp(o)))),
                )?,
                _ => false,
            },
            Test::Timestamp(relation, operand) => match value.as_str().and_then(crate::time::parse) {
                Some(instant) => operand.compare(
                    env,
                    |o| relation.holds(Some(instant.cmp(o))),
                    |o| {
                        let other = o.as_str().and_then(crate::time::parse);
                        other.is_some_and(|o| relation.holds(Some(instant.cmp(&o))))
                    },
                )?,
                None => false,
            },
            Test::Matches(pattern) => value.as_str().is_some_and(|text| matches(pattern, text)),
        })
    }
}

impl<T> Operand<T> {
    fn compare(
        &self,
        env: &Environment<'_>,
        literal: impl FnOnce(&T) -> bool,
        found: impl FnOnce(&Value) -> bool,
    ) -> Result<bool, Failure> {
        match self {
            Operand::Literal(operand) => Ok(literal(operand)),
            Operand::Path(query) => match query.find(env) {
                Ok(value) => Ok(found(&value)),
                Err(_) => Err(invalid(&query.text)),
            },
        }
    }
}

impl Type {
    fn describes(self, value: &Value) -> bool {
        match self {
            Type::Null => value.is_null(),
            Type::Boolean => value.is_boolean(),
            Type::Numeric => value.is_number(),
            Type::String => value.is_string(),
            Type::Timestamp => value.as_str().is_some_and(|text| crate::time::parse(text).is_some()),
        }
    }
}

/// Compiles a pattern: `*` stands for any text, `\*` for a star and `\\` for a backslash.
pub(crate) fn glob(pattern: &str) -> Result<Vec<Glob>, String> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                if !text.is_empty() {
                    pieces.push(Glob::Text(std::mem::take(&mut text).into()));
                }
                if pieces.last() != Some(&Glob::Any) {
                    pieces.push(Glob::Any);
                }
            }
            '\\' => match chars.next() {
                Some(next @ ('*' | '\\')) => text.push(next),
                _ => return Err("after `\\` only `*` or `\\` may follow".into()),
            },
            c => text.push(c),
        }
    }
    if !text.is_empty() {
        pieces.push(Glob::Text(text.into()));
    }
    Ok(pieces)
}

/// Whether all of `text` matches. The first place where a piece fits is as good as any later one, so time is linear
/// in the number of pieces.
fn matches(pattern: &[Glob], text: &str) -> bool {
    let mut rest = text;
    let mut floating = false;
    let last = pattern.len().saturating_sub(1);
    for (n, piece) in pattern.iter().enumerate() {
        match piece {
            Glob::Any => floating = true,
            Glob::Text(piece) => {
                if n == last {
                    return if floating { rest.ends_with(&**piece) } else { rest == &**piece };
                }
                if floating {
                    match rest.split_once(&**piece) {
                        Some((_, tail)) => rest = tail,
                        None => return false,
                    }
                } else {
                    match rest.strip_prefix(&**piece) {
                        Some(tail) => rest = tail,
                        None => return false,
                    }
                }
                floating = false;
            }
        }
    }
    floating || rest.is_empty()
}
