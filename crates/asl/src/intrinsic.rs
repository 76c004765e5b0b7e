//! Intrinsic functions, `States.Format(...)` and its like: the syntax.

mod functions;

use std::borrow::Cow;

use serde_json::Value;

use crate::diagnostic::nearest;
use crate::environment::Environment;
use crate::error::{Failure, INTRINSIC_FAILURE};
use crate::limits;
use crate::path::Syntax;
use crate::query::Query;

/// A call of an intrinsic function, with its text for messages.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) text: Box<str>,
    function: functions::Function,
    arguments: Vec<Argument>,
}

#[derive(Debug, Clone)]
pub(crate) enum Argument {
    Literal(Value),
    Query(Query),
    Call(Call),
}

impl Call {
    /// Parses a text such as `States.Format('{}', $.name)`.
    pub(crate) fn parse(text: &str) -> Result<Call, Syntax> {
        let mut parser = Parser { text, rest: text };
        let call = parser.call(1)?;
        parser.space();
        if parser.rest.is_empty() { Ok(call) } else { Err(parser.unexpected("nothing may follow the call")) }
    }

    /// Calls the function.
    pub(crate) fn evaluate(&self, env: &Environment<'_>) -> Result<Value, Failure> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            values.push(match argument {
                Argument::Literal(value) => Cow::Borrowed(value),
                Argument::Call(call) => Cow::Owned(call.evaluate(env)?),
                Argument::Query(query) => query.find(env).map_err(|error| {
                    let detail = query.path.explain(&error);
                    self.failure(&format!("the argument `{}` finds nothing: {detail}", query.text))
                })?,
            });
        }
        functions::call(self.function, values, env).map_err(|detail| self.failure(&detail))
    }

    fn failure(&self, detail: &str) -> Failure {
        Failure::in_state(INTRINSIC_FAILURE, format!("The function '{}' had the following error: {detail}", self.text))
    }

    /// The queries among the arguments, also inside nested calls.
    pub(crate) fn queries<'a>(&'a self, each: &mut dyn FnMut(&'a Query)) {
        for argument in &self.arguments {
            match argument {
                Argument::Query(query) => each(query),
                Argument::Call(call) => call.queries(each),
                Argument::Literal(_) => {}
            }
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    rest: &'t str,
}

impl Parser<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn unexpected(&self, cure: &str) -> Syntax {
        Syntax(format!("`{}`: `{}` is not expected; {cure}", self.text, self.rest))
    }

    fn call(&mut self, depth: usize) -> Result<Call, Syntax> {
        if depth > limits::INTRINSIC_DEPTH {
            return Err(Syntax(format!("intrinsic functions nest deeper than {}", limits::INTRINSIC_DEPTH)));
        }
        self.space();
        let start = self.rest;
        let open = start.find('(').ok_or_else(|| self.unexpected("write the function's name and `(`"))?;
        let (name, rest) = start.split_at(open);
        let name = name.trim();
        let function = functions::Function::named(name).ok_or_else(|| {
            let known = functions::Function::names();
            match nearest(name, known) {
                Some(near) => Syntax(format!("there is no intrinsic function `{name}`; did you mean `{near}`?")),
                None => {
                    let all: Vec<&str> = functions::Function::names().collect();
                    Syntax(format!("there is no intrinsic function `{name}`; there are {}", all.join(", ")))
                }
            }
        })?;
        self.rest = rest.get(1..).unwrap_or_default();
        let mut arguments = Vec::new();
        self.space();
        if let Some(rest) = self.rest.strip_prefix(')') {
            self.rest = rest;
        } else {
            loop {
                arguments.push(self.argument(depth)?);
                self.space();
                if let Some(rest) = self.rest.strip_prefix(',') {
                    self.rest = rest;
                } else if let Some(rest) = self.rest.strip_prefix(')') {
                    self.rest = rest;
                    break;
                } else {
                    return Err(self.unexpected("write `,` or `)`"));
                }
            }
        }
        function.check_arity(arguments.len()).map_err(|detail| Syntax(format!("`{name}` {detail}")))?;
        let text = start.get(..start.len() - self.rest.len()).unwrap_or(start);
        Ok(Call { text: text.trim().into(), function, arguments })
    }

    fn argument(&mut self, depth: usize) -> Result<Argument, Syntax> {
        self.space();
        if let Some(body) = self.rest.strip_prefix('\'') {
            let (text, rest) = string(body).ok_or_else(|| {
                self.unexpected("close the string with `'`, and escape only `'`, `{`, `}` and `\\` in it")
            })?;
            self.rest = rest;
            return Ok(Argument::Literal(Value::String(text)));
        }
        if self.rest.starts_with("States.") {
            return self.call(depth + 1).map(Argument::Call);
        }
        let end = word_end(self.rest);
        let (word, rest) = self.rest.split_at(end);
        let word = word.trim();
        let argument = if word.starts_with('$') {
            Argument::Query(Query::parse(word)?)
        } else {
            match serde_json::from_str(word) {
                Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => Argument::Literal(value),
                _ => {
                    return Err(
                        self.unexpected("an argument is a path, a 'string', a number, true, false, null or a call")
                    );
                }
            }
        };
        self.rest = rest;
        Ok(argument)
    }
}

/// Reads a string up to its closing quote. `\'`, `\{`, `\}` and `\\` escape; braces keep their backslash, so that
/// `States.Format` can tell them from its own.
fn string(body: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => return Some((out, body.get(at + 1..)?)),
            '\\' => match chars.next()? {
                (_, '\'') => out.push('\''),
                (_, other @ ('{' | '}' | '\\')) => {
                    out.push('\\');
                    out.push(other);
                }
                // AWS refuses all other escapes.
                _ => return None,
            },
            c => out.push(c),
        }
    }
    None
}

/// Where an argument that is not quoted ends: at a comma or parenthesis outside of brackets and quotes.
fn word_end(text: &str) -> usize {
    let mut depth = 0usize;
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            _ if quoted => {}
            '[' | '(' => depth += 1,
            ')' if depth == 0 => return at,
            ']' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}
