//! JSONata 2.0.6 as AWS runs it: without `$eval`, and with `$partition`, `$range`, `$hash`, `$random(seed)`, `$uuid` and
//! `$parse`.
//!
//! Why not a crate: the one that passes the suite bounds an evaluation by the clock, draws its own chance, shares values in
//! a way that keeps a flow on one thread, and copies all it reads. A replay has to end as the first run did, so work is
//! counted here.
//!
//! An evaluation is pure: the instant and all chance come from outside. It is bounded by counted steps and bytes, not by
//! time, so that it ends in the same way everywhere. What it reads from outside is borrowed.

mod ast;
mod call;
mod civil;
mod datetime;
mod error;
mod evaluate;
mod functions;
mod lexer;
mod parser;
mod path;
mod picture;
mod regex;
mod resolve;
mod signature;
mod sort;
mod value;

use std::collections::BTreeSet;

use serde_json::Value;

use ast::{Kind, Node, Stage};
pub(crate) use error::Error;
use evaluate::Evaluator;
pub(crate) use value::number;
use value::{Key, Val};

use crate::limits;

/// A parsed expression.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    node: Node,
    labels: Vec<usize>,
    variables: Vec<Box<str>>,
    states: States,
}

/// Which fields of `$states` an expression reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct States {
    /// `$states.context`, as a whole or in parts.
    pub(crate) context: bool,
    /// `$states.context.Execution.Input`, or something that holds it.
    pub(crate) execution_input: bool,
    /// `$states.context.Map`, or something that holds it.
    pub(crate) map_item: bool,
    pub(crate) result: bool,
    pub(crate) error_output: bool,
}

/// What an expression sees.
pub(crate) struct Scope<'a> {
    /// The context, `$`; a flow has none.
    pub(crate) input: Option<&'a Value>,
    pub(crate) states: Option<[(&'static str, Option<&'a Value>); 4]>,
    pub(crate) variable: &'a dyn Fn(&str) -> Option<&'a Value>,
    pub(crate) draw: &'a dyn Fn() -> u64,
    pub(crate) now_ms: i64,
    pub(crate) depth: u32,
}

/// What an expression gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    Value(Value),
    Nothing,
    /// A function or a regular expression, which JSON has not.
    Function,
}

impl Expression {
    /// Parses a text, without its delimiters.
    pub(crate) fn parse(text: &str) -> Result<Expression, Error> {
        let (node, labels) = parser::parse(text).and_then(resolve::resolve).map_err(|e| *e)?;
        let mut variables = BTreeSet::new();
        let mut states = States::default();
        visit(&node, &mut |node| read(node, &mut variables, &mut states));
        let variables = variables.into_iter().map(Box::from).collect();
        Ok(Expression { node, labels, variables, states })
    }

    /// The variables that the text names, `states` and functions among them.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|name| &**name)
    }

    /// A name that is read of the context although there is none around it, as in all expressions of a flow.
    pub(crate) fn top_level_reference(&self) -> Option<&str> {
        top_level(&self.node)
    }

    /// Whether it assigns or takes as a parameter the name.
    pub(crate) fn binds(&self, name: &str) -> bool {
        let mut found = false;
        visit(&self.node, &mut |node| {
            found |= match &node.kind {
                Kind::Bind(bound, _) => &**bound == name,
                Kind::Lambda(lambda) => lambda.parameters.iter().any(|parameter| &**parameter == name),
                _ => node.focus.as_deref() == Some(name) || node.index.as_deref() == Some(name),
            };
        });
        found
    }

    /// Whether a name is that of a function of the language.
    pub(crate) fn is_function(name: &str) -> bool {
        functions::named(name).is_some()
    }

    /// What it reads of `$states`.
    pub(crate) fn states(&self) -> States {
        self.states
    }

    /// What the usual expression finds, a path of names into data from outside, without an evaluation; `None` if this is
    /// another one, or an array is in the way.
    fn direct(&self, scope: &Scope<'_>) -> Option<Found> {
        let node = &self.node;
        let Kind::Path(path) = &node.kind else { return None };
        if !path.plain || path.keep_singleton || !node.is_plain() {
            return None;
        }
        let mut names = path.steps.iter().map(|step| match &step.kind {
            Kind::Variable(name) | Kind::Name(name) => Some(&**name),
            _ => None,
        });
        if !matches!(path.steps.first()?.kind, Kind::Variable(_)) {
            return None;
        }
        let mut at = match names.next()?? {
            "states" => {
                let field = names.next()??;
                scope.states.as_ref()?.iter().find(|(name, _)| *name == field)?.1?
            }
            name => (scope.variable)(name)?,
        };
        for name in names {
            let Value::Object(map) = at else { return None };
            match map.get(name?) {
                Some(inner) => at = inner,
                None => return Some(Found::Nothing),
            }
        }
        match at {
            Value::Array(items) if items.is_empty() => None,
            found => Some(Found::Value(found.clone())),
        }
    }

    /// Computes the value.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>) -> Result<Found, Error> {
        if let Some(found) = self.direct(scope) {
            return Ok(found);
        }
        let mut root = Vec::with_capacity(self.variables.len());
        for name in &self.variables {
            let value = match (&**name, &scope.states) {
                ("states", Some(states)) => {
                    let given = states
                        .iter()
                        .filter_map(|(name, value)| value.map(|value| (value::Text::Borrowed(name), Val::of(value))));
                    Some(Val::object(given.collect()))
                }
                (name, _) => (scope.variable)(name).map(Val::of),
            };
            root.extend(value.map(|value| (Key::Name(name), value)));
        }
        let input = match scope.input.map(Val::of) {
            None => Val::Undefined,
            // The whole of an array is one input.
            Some(array) if array.is_array() => Val::whole(array),
            Some(value) => value,
        };
        root.push((Key::Name("$"), input.clone()));
        let mut evaluator = Evaluator::new(&self.labels, root, scope.draw, scope.now_ms, scope.depth);
        let result = evaluator.eval(&self.node, &input, 0).map_err(|e| *e)?;
        Ok(match result {
            Val::Undefined => Found::Nothing,
            Val::Number(n) if !n.is_finite() => {
                return Err(Error { code: "D1001", message: format!("Number out of range: {n}") });
            }
            Val::Function(_) | Val::Thunk(_) => Found::Function,
            value => value.to_json().map_or(Found::Nothing, Found::Value),
        })
    }
}

impl Scope<'_> {
    /// The usual limit of depth.
    pub(crate) const DEPTH: u32 = limits::EXPRESSION_EVALUATION_DEPTH;
}

/// Every node of a tree.
/// What stands in steps, predicates and functions has a context of its own.
fn top_level(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Name(name) => Some(name),
        Kind::Path(path) => path.steps.first().and_then(top_level),
        Kind::Binary(_, pair) | Kind::Apply(pair) => top_level(&pair.0).or_else(|| top_level(&pair.1)),
        Kind::Negate(inner) | Kind::Bind(_, inner) => top_level(inner),
        Kind::Array(items) | Kind::Block(items) => items.iter().find_map(top_level),
        Kind::Object(pairs) => pairs.iter().find_map(|(key, value)| top_level(key).or_else(|| top_level(value))),
        Kind::Call(_, arguments) => arguments.iter().find_map(top_level),
        Kind::Partial(_, arguments) => arguments.iter().flatten().find_map(top_level),
        Kind::Condition(pair, otherwise) => {
            top_level(&pair.0).or_else(|| top_level(&pair.1)).or_else(|| top_level(otherwise.as_deref()?))
        }
        _ => None,
    }
}

fn visit<'n>(node: &'n Node, each: &mut dyn FnMut(&'n Node)) {
    each(node);
    for stage in node.predicate.iter().chain(&node.stages) {
        if let Stage::Filter(predicate) = stage {
            visit(predicate, each);
        }
    }
    for (key, value) in node.group.iter().flat_map(|pairs| pairs.iter()) {
        visit(key, each);
        visit(value, each);
    }
    match &node.kind {
        Kind::Path(path) => {
            for (n, step) in path.steps.iter().enumerate() {
                match &step.kind {
                    // The path itself tells what it reads of a variable.
                    Kind::Variable(_) if n == 0 && step.is_plain() => {}
                    _ => visit(step, each),
                }
            }
        }
        Kind::Binary(_, pair) | Kind::Apply(pair) => {
            visit(&pair.0, each);
            visit(&pair.1, each);
        }
        Kind::Negate(inner) | Kind::Bind(_, inner) | Kind::TailCall(inner) => visit(inner, each),
        Kind::Array(items) | Kind::Block(items) => items.iter().for_each(|item| visit(item, each)),
        Kind::Object(pairs) => {
            for (key, value) in pairs {
                visit(key, each);
                visit(value, each);
            }
        }
        Kind::Call(procedure, arguments) => {
            visit(procedure, each);
            arguments.iter().for_each(|argument| visit(argument, each));
        }
        Kind::Partial(procedure, arguments) => {
            visit(procedure, each);
            arguments.iter().flatten().for_each(|argument| visit(argument, each));
        }
        Kind::Lambda(lambda) => visit(&lambda.body, each),
        Kind::Condition(pair, otherwise) => {
            visit(&pair.0, each);
            visit(&pair.1, each);
            otherwise.iter().for_each(|node| visit(node, each));
        }
        Kind::Transform(transform) => {
            visit(&transform.pattern, each);
            visit(&transform.update, each);
            transform.delete.iter().for_each(|node| visit(node, each));
        }
        Kind::Sort(terms) => terms.iter().for_each(|term| visit(&term.expression, each)),
        _ => {}
    }
}

/// Notes the variables that a node names, and what it reads of `$states`.
fn read<'n>(node: &'n Node, variables: &mut BTreeSet<&'n str>, states: &mut States) {
    let everything = States { context: true, execution_input: true, map_item: true, result: true, error_output: true };
    match &node.kind {
        Kind::Variable(name) => {
            if !name.is_empty() && &**name != "$" {
                variables.insert(name);
            }
            if &**name == "states" {
                *states = everything;
            }
        }
        Kind::Path(path) => {
            let Some(Node { kind: Kind::Variable(first), .. }) = path.steps.first() else { return };
            if !first.is_empty() && &**first != "$" {
                variables.insert(first);
            }
            if &**first != "states" {
                return;
            }
            let name = |n: usize| {
                path.steps.get(n).and_then(|step| match &step.kind {
                    Kind::Name(name) => Some(&**name),
                    _ => None,
                })
            };
            match (name(1), name(2), name(3)) {
                (Some("input"), ..) => {}
                (Some("result"), ..) => states.result = true,
                (Some("errorOutput"), ..) => states.error_output = true,
                (Some("context"), of, field) => {
                    states.context = true;
                    states.execution_input |=
                        of.is_none() || (of == Some("Execution") && field.is_none_or(|field| field == "Input"));
                    states.map_item |= of.is_none_or(|of| of == "Map");
                }
                _ => *states = everything,
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
