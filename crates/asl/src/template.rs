//! Payload templates (`Parameters`, `ResultSelector`, `ItemSelector`, `Assign`): JSON in which `"name.$"` is computed.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::data;
use crate::environment::Environment;
use crate::error::{DATA_LIMIT_EXCEEDED, Failure};
use crate::formula::{self, Formula};
use crate::intrinsic::Call;
use crate::limits;
use crate::path::{Error, Syntax};
use crate::query::Query;

/// A path or a call of an intrinsic function.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Query(Query),
    Call(Call),
}

/// A compiled template.
#[derive(Debug, Clone)]
pub(crate) enum Template {
    Constant(Value),
    Object(Vec<(Box<str>, Template)>),
    Array(Vec<Template>),
    Computed(Box<Computed>),
    Formula(Box<Formula>),
}

/// One computed value and the name of its field, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Computed {
    field: Box<str>,
    expression: Expression,
}

/// More expressions than this, and the size of what a template copies is watched.
const WATCHED_EXPRESSIONS: usize = 16;

impl Expression {
    /// Parses a path, or a call when the text begins with `States.`.
    pub(crate) fn parse(text: &str) -> Result<Expression, Syntax> {
        if text.starts_with('$') {
            return Query::parse(text).map(Expression::Query);
        }
        if text.starts_with("States.") {
            return Call::parse(text).map(Expression::Call);
        }
        Err(Syntax(format!("`{text}` is neither a path (`$...`) nor an intrinsic function (`States....`)")))
    }

    /// The value, where `field` names the place in messages.
    pub(crate) fn evaluate<'a>(&self, field: &str, env: &Environment<'a>) -> Result<Cow<'a, Value>, Failure> {
        match self {
            Expression::Call(call) => call.evaluate(env).map(Cow::Owned),
            Expression::Query(query) => query.find(env).map_err(|error| not_found(query, field, env, &error)),
        }
    }

    /// The queries in this expression.
    pub(crate) fn queries<'a>(&'a self, each: &mut dyn FnMut(&'a Query)) {
        match self {
            Expression::Query(query) => each(query),
            Expression::Call(call) => call.queries(each),
        }
    }
}

fn not_found(query: &Query, field: &str, env: &Environment<'_>, error: &Error) -> Failure {
    match error {
        Error::NotFound(_) => Failure::runtime(format!(
            "The JSONPath '{}' specified for the field '{field}' could not be found in the input '{}'",
            query.text,
            query.searched(env)
        )),
        other => Failure::runtime(format!("Invalid path '{}' : {}", query.text, query.path.explain(other))),
    }
}

impl Template {
    /// Compiles `value`; `problem` hears the name of each field whose path is wrong, and where it is.
    pub(crate) fn parse(value: &Value, pointer: &str, problem: &mut dyn FnMut(String, String)) -> Template {
        match value {
            Value::Object(map) => {
                let fields: Vec<_> = map.iter().map(|(key, item)| field(key, item, pointer, problem)).collect();
                if fields.iter().all(|(_, template)| matches!(template, Template::Constant(_))) {
                    return Template::Constant(value.clone());
                }
                Template::Object(fields)
            }
            Value::Array(items) => {
                let parts: Vec<Template> = items
                    .iter()
                    .enumerate()
                    .map(|(n, item)| Template::parse(item, &format!("{pointer}/{n}"), problem))
                    .collect();
                if parts.iter().all(|template| matches!(template, Template::Constant(_))) {
                    return Template::Constant(value.clone());
                }
                Template::Array(parts)
            }
            other => Template::Constant(other.clone()),
        }
    }

    /// Compiles JSON in which strings `{% ... %}` are computed; `field` is how messages call the place.
    pub(crate) fn parse_formulas(
        value: &Value,
        pointer: &str,
        field: &str,
        problem: &mut dyn FnMut(String, String),
    ) -> Template {
        match value {
            Value::Object(map) => {
                let fields: Vec<_> = map
                    .iter()
                    .map(|(key, item)| {
                        let place = crate::diagnostic::child(pointer, key);
                        let template = Template::parse_formulas(item, &place, &format!("{field}/{key}"), problem);
                        (Box::from(key.as_str()), template)
                    })
                    .collect();
                match fields.iter().all(|(_, template)| matches!(template, Template::Constant(_))) {
                    true => Template::Constant(value.clone()),
                    false => Template::Object(fields),
                }
            }
            Value::Array(items) => {
                let parts: Vec<_> = items
                    .iter()
                    .enumerate()
                    .map(|(n, item)| {
                        Template::parse_formulas(item, &format!("{pointer}/{n}"), &format!("{field}[{n}]"), problem)
                    })
                    .collect();
                match parts.iter().all(|template| matches!(template, Template::Constant(_))) {
                    true => Template::Constant(value.clone()),
                    false => Template::Array(parts),
                }
            }
            Value::String(text) => match formula::body(text) {
                Ok(None) => Template::Constant(value.clone()),
                Ok(Some(body)) => match Formula::parse(body, field) {
                    Ok(formula) => Template::Formula(Box::new(formula)),
                    Err(message) => {
                        problem(pointer.to_owned(), message);
                        Template::Constant(Value::Null)
                    }
                },
                Err(message) => {
                    problem(pointer.to_owned(), format!("`{text}` {message}"));
                    Template::Constant(Value::Null)
                }
            },
            other => Template::Constant(other.clone()),
        }
    }

    /// Computes the value.
    pub(crate) fn evaluate(&self, env: &Environment<'_>) -> Result<Value, Failure> {
        let mut copied = 0;
        self.fill(env, &mut Budget { expressions: 0, bytes: &mut copied })
    }

    fn fill(&self, env: &Environment<'_>, budget: &mut Budget<'_>) -> Result<Value, Failure> {
        match self {
            Template::Constant(value) => Ok(value.clone()),
            Template::Object(fields) => {
                let mut out = Map::with_capacity(fields.len());
                for (key, template) in fields {
                    out.insert(String::from(&**key), template.fill(env, budget)?);
                }
                Ok(Value::Object(out))
            }
            Template::Array(items) => {
                Ok(Value::Array(items.iter().map(|item| item.fill(env, budget)).collect::<Result<_, _>>()?))
            }
            Template::Computed(computed) => {
                let value = computed.expression.evaluate(&computed.field, env)?;
                budget.spend(&value)?;
                Ok(value.into_owned())
            }
            Template::Formula(formula) => {
                let value = formula.evaluate(env)?;
                budget.spend(&value)?;
                Ok(value)
            }
        }
    }

    /// The names of the fields, if the template is an object.
    pub(crate) fn names(&self) -> Vec<&str> {
        match self {
            Template::Object(fields) => fields.iter().map(|(name, _)| &**name).collect(),
            Template::Constant(Value::Object(map)) => map.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The queries in this template.
    pub(crate) fn queries<'a>(&'a self, each: &mut dyn FnMut(&'a Query)) {
        match self {
            Template::Constant(_) | Template::Formula(_) => {}
            Template::Object(fields) => fields.iter().for_each(|(_, template)| template.queries(each)),
            Template::Array(items) => items.iter().for_each(|template| template.queries(each)),
            Template::Computed(computed) => computed.expression.queries(each),
        }
    }
}

impl Template {
    /// The formulas in this template.
    pub(crate) fn formulas<'a>(&'a self, each: &mut dyn FnMut(&'a Formula)) {
        match self {
            Template::Constant(_) | Template::Computed(_) => {}
            Template::Object(fields) => fields.iter().for_each(|(_, template)| template.formulas(each)),
            Template::Array(items) => items.iter().for_each(|template| template.formulas(each)),
            Template::Formula(formula) => each(formula),
        }
    }
}

fn field(key: &str, item: &Value, pointer: &str, problem: &mut dyn FnMut(String, String)) -> (Box<str>, Template) {
    let place = crate::diagnostic::child(pointer, key);
    let Some(name) = key.strip_suffix(".$") else {
        return (key.into(), Template::parse(item, &place, problem));
    };
    let Value::String(text) = item else {
        problem(place, format!("the value of `{key}` must be a string with a path or an intrinsic function"));
        return (name.into(), Template::Constant(Value::Null));
    };
    match Expression::parse(text) {
        Ok(expression) => (name.into(), Template::Computed(Box::new(Computed { field: key.into(), expression }))),
        Err(Syntax(detail)) => {
            problem(place, detail);
            (name.into(), Template::Constant(Value::Null))
        }
    }
}

/// Bounds what a template with very many expressions copies.
struct Budget<'a> {
    expressions: usize,
    bytes: &'a mut usize,
}

impl Budget<'_> {
    fn spend(&mut self, value: &Value) -> Result<(), Failure> {
        self.expressions += 1;
        if self.expressions <= WATCHED_EXPRESSIONS {
            return Ok(());
        }
        if let Ok(size) = data::measure(value, limits::TEMPLATE_BYTES) {
            *self.bytes += size.bytes;
            if *self.bytes <= limits::TEMPLATE_BYTES {
                return Ok(());
            }
        }
        Err(Failure::of(
            DATA_LIMIT_EXCEEDED,
            format!("a payload template copies more than {} bytes", limits::TEMPLATE_BYTES),
        ))
    }
}
