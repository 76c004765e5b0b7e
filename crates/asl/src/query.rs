//! A path as it stands in a definition: into the input (`$.x`), the context object (`$$.x`) or a variable (`$x.y`).

use std::borrow::Cow;

use serde_json::Value;

use crate::environment::Environment;
use crate::path::{Error, Path, Syntax};

/// A path and what it starts from.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) text: Box<str>,
    pub(crate) root: Root,
    pub(crate) path: Path,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Root {
    Input,
    Context,
    Variable(Box<str>),
}

impl Query {
    /// Compiles a path that must begin with `$`.
    pub(crate) fn parse(text: &str) -> Result<Query, Syntax> {
        let body = text
            .strip_prefix('$')
            .ok_or_else(|| Syntax(format!("a path begins with `$`; did you mean `$.{text}`?")))?;
        if let Some(body) = body.strip_prefix('$') {
            let path = Path::parse(&format!("${body}"))?;
            return Ok(Query { text: text.into(), root: Root::Context, path });
        }
        if body.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            let end = body.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(body.len());
            let (name, rest) = body.split_at(end);
            let path = Path::parse(&format!("${rest}"))?;
            return Ok(Query { text: text.into(), root: Root::Variable(name.into()), path });
        }
        Ok(Query { text: text.into(), root: Root::Input, path: Path::parse(text)? })
    }

    /// The path alone, from `$`, also where it starts from the context object.
    pub(crate) fn path_text(&self) -> &str {
        match self.root {
            Root::Context => self.text.strip_prefix('$').unwrap_or(&self.text),
            _ => &self.text,
        }
    }

    /// Whether this is `$`, the whole input.
    pub(crate) fn is_input(&self) -> bool {
        self.root == Root::Input && self.path.is_root()
    }

    /// What the query finds.
    pub(crate) fn find<'a>(&self, env: &Environment<'a>) -> Result<Cow<'a, Value>, Error> {
        match &self.root {
            Root::Input => self.path.find(env.input),
            Root::Context => {
                let context = env.context_object(&self.path);
                self.path.find(&context).map(|found| Cow::Owned(found.into_owned()))
            }
            Root::Variable(name) => match env.variable(name) {
                Some(value) => self.path.find(value),
                None => Err(Error::NotFound(crate::path::NotFound::Nothing)),
            },
        }
    }

    /// The document that the query searches, as its error messages show it.
    pub(crate) fn searched(&self, env: &Environment<'_>) -> String {
        match &self.root {
            Root::Input => env.input.to_string(),
            Root::Context => env.context_object(&self.path).to_string(),
            Root::Variable(name) => env.variable(name).map(Value::to_string).unwrap_or_default(),
        }
    }
}
