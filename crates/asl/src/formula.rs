//! JSONata as it stands in a definition: `{% ... %}` in a string.

use std::cell::Cell;

use serde_json::Value;

use crate::environment::Environment;
use crate::error::{Failure, QUERY_EVALUATION_ERROR};
use crate::jsonata::{Expression, Found, Scope, States};

/// An expression and the field it stands in, such as `Output/total` or `Choices[0]/Condition`.
#[derive(Debug, Clone)]
pub(crate) struct Formula {
    text: Box<str>,
    field: Box<str>,
    expression: Expression,
}

/// What is said of a name that is read of no context.
pub(crate) const TOP_LEVEL: &str = "at the top level names nothing";

/// Whether a string is meant as an expression; the error says how to write it if it is one only half.
pub(crate) fn body(text: &str) -> Result<Option<&str>, &'static str> {
    match (text.strip_prefix("{%"), text.ends_with("%}")) {
        (Some(rest), true) => match rest.strip_suffix("%}") {
            Some(body) => Ok(Some(body.trim())),
            None => Err("an expression is written `{% ... %}`"),
        },
        (Some(_), false) => Err("begins with `{%` but does not end with `%}`"),
        (None, true) if text.contains("{%") => Err("must begin with `{%`, as it ends with `%}`"),
        (None, _) => Ok(None),
    }
}

impl Formula {
    /// Parses the text between the delimiters.
    pub(crate) fn parse(text: &str, field: &str) -> Result<Formula, String> {
        let expression = Expression::parse(text).map_err(|e| format!("`{text}` is not JSONata: {e}"))?;
        if expression.binds("states") {
            return Err(format!("`{text}`: `$states` is reserved and cannot be assigned"));
        }
        if let Some(name) = expression.variables().find(|name| *name == "eval") {
            return Err(format!("`{text}`: the function `${name}` is not available"));
        }
        if let Some(name) = expression.top_level_reference() {
            return Err(format!("`{name}` {TOP_LEVEL}; read it from `$states.input` or from a variable"));
        }
        Ok(Formula { text: text.into(), field: field.into(), expression })
    }

    /// The text between the delimiters.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The names of the variables and functions that the text may take from outside.
    pub(crate) fn free_variables(&self) -> impl Iterator<Item = &str> {
        let inside = |name: &&str| *name == "states" || Expression::is_function(name) || self.expression.binds(name);
        self.expression.variables().filter(move |name| !inside(name))
    }

    pub(crate) fn states(&self) -> States {
        self.expression.states()
    }

    /// The value.
    pub(crate) fn evaluate(&self, env: &Environment<'_>) -> Result<Value, Failure> {
        let reads = self.expression.states();
        let context = reads.context.then(|| env.context_for(reads.execution_input, reads.map_item));
        let draws: &Cell<u64> = env.draws;
        let draw = || {
            let n = draws.get();
            draws.set(n + 1);
            crate::environment::random(env.facts.info.seed, n)
        };
        let scope = Scope {
            input: None,
            states: Some([
                ("input", Some(env.input)),
                ("context", context.as_ref()),
                ("result", env.result),
                ("errorOutput", env.error_output),
            ]),
            variable: &|name| env.variable(name),
            draw: &draw,
            now_ms: env.facts.now_ms,
            depth: Scope::DEPTH,
        };
        match self.expression.evaluate(&scope) {
            Ok(Found::Value(value)) => Ok(value),
            Ok(Found::Nothing) => Err(self.failure("returned nothing (undefined).")),
            Ok(Found::Function) => Err(self.failure("returned an unsupported result type.")),
            Err(error) => Err(self.failure(&format!("threw an error during evaluation. {error}"))),
        }
    }

    /// The value, if it is of the type that is wanted.
    pub(crate) fn evaluate_as<T>(
        &self,
        env: &Environment<'_>,
        wanted: &str,
        take: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, Failure> {
        let value = self.evaluate(env)?;
        take(&value).ok_or_else(|| self.unexpected(wanted, &value))
    }

    /// The failure for a value of another type than the one that is wanted.
    pub(crate) fn unexpected(&self, wanted: &str, value: &Value) -> Failure {
        self.failure(&format!(
            "returned an unexpected result type. Expected '{wanted}', but was '{}' for value: {value}",
            type_name(value)
        ))
    }

    /// A failure of this field.
    pub(crate) fn failure(&self, detail: &str) -> Failure {
        let cause = format!("The JSONata expression '{}' specified for the field '{}' {detail}", self.text, self.field);
        self.invalid(cause)
    }

    /// A failure of this field with a cause of its own.
    pub(crate) fn invalid(&self, cause: String) -> Failure {
        Failure { location: Some(self.field.to_string()), ..Failure::in_state(QUERY_EVALUATION_ERROR, cause) }
    }
}

/// A type as the messages of AWS name it.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
