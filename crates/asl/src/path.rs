//! JSONPath with the semantics of Jayway JsonPath 2.0, the library behind AWS's implementation.
//!
//! A definite path (only names, indexes, and a closing list of names) gives the value or an error. An indefinite one
//! (`[*]`, a slice, a list of indexes, a filter, `..`) always gives a list, which is empty where a name is missing.

mod compile;
mod evaluate;
mod filter;

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::data::Step;
use filter::Filter;

/// A compiled path.
#[derive(Debug, Clone)]
pub struct Path {
    segments: Vec<Segment>,
    definite: bool,
}

#[derive(Debug, Clone)]
enum Segment {
    Key(Box<str>),
    Keys(Vec<Box<str>>),
    Index(i64),
    Indexes(Vec<i64>),
    Slice {
        from: Option<i64>,
        to: Option<i64>,
    },
    /// `[(@.length-N)]`
    FromEnd(usize),
    Wildcard,
    /// `..`
    Scan,
    Filter(Box<Filter>),
}

/// Why a path gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A definite path leads nowhere. Which segment is to blame, and how, tells the text.
    NotFound(NotFound),
    /// The path cannot be applied to such data.
    NotApplicable(String),
    /// The path took more than [`crate::limits::PATH_STEPS`] steps.
    TooManySteps,
}

/// The three ways in which a definite path leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFound {
    /// The last name or an index does not exist.
    Nothing,
    /// The name that the first `n` segments end in does not exist, and more was to follow.
    Missing(usize),
    /// Segment `n` is a name, but what is there is not an object.
    NotObject(usize),
}

/// Why a text is not a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax(pub String);

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Path {
    /// Compiles a path such as `$.orders[0].id`. A leading `@` or nothing stands for `$`.
    ///
    /// # Errors
    /// What is wrong, and where it can be said what to write instead.
    pub fn parse(text: &str) -> Result<Path, Syntax> {
        compile::path(text)
    }

    /// Whether the path gives one value or an error, not a list.
    pub fn is_definite(&self) -> bool {
        self.definite
    }

    /// Whether the path is `$`.
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// What the path finds in `root`.
    ///
    /// # Errors
    /// See [`Error`]; [`Path::explain`] gives AWS's text.
    pub fn find<'a>(&self, root: &'a Value) -> Result<Cow<'a, Value>, Error> {
        evaluate::find(self, root)
    }

    /// The text that AWS shows for an error of [`Path::find`].
    pub fn explain(&self, error: &Error) -> String {
        match error {
            Error::NotFound(NotFound::Nothing) => format!("No results for path: {}", Shown(&self.segments)),
            Error::NotFound(NotFound::Missing(n)) => format!("Missing property in path {}", self.shown(*n)),
            Error::NotFound(NotFound::NotObject(n)) => {
                let name = match self.segments.get(*n) {
                    Some(segment) => Shown(std::slice::from_ref(segment)).to_string(),
                    None => String::new(),
                };
                format!("Property {} not found in path {}", name.trim_start_matches('$'), self.shown(*n))
            }
            Error::NotApplicable(text) => text.clone(),
            Error::TooManySteps => {
                format!("the path takes more than {} steps in this data", crate::limits::PATH_STEPS)
            }
        }
    }

    /// The steps of a reference path, if this is one: names and indexes only.
    pub(crate) fn steps(&self) -> Option<Vec<Step>> {
        self.segments
            .iter()
            .map(|segment| match segment {
                Segment::Key(key) => Some(Step::Key(key.clone())),
                Segment::Index(index) => usize::try_from(*index).ok().map(Step::Index),
                _ => None,
            })
            .collect()
    }

    /// The names that the path begins with, as far as they are plain names.
    pub(crate) fn leading_names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map_while(|segment| match segment {
            Segment::Key(key) => Some(&**key),
            _ => None,
        })
    }

    fn shown(&self, count: usize) -> String {
        Shown(self.segments.get(..count).unwrap_or(&self.segments)).to_string()
    }
}

/// A path in the canonical form of AWS's messages.
struct Shown<'a>(&'a [Segment]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for segment in self.0 {
            match segment {
                Segment::Key(key) => write!(f, "['{key}']")?,
                Segment::Keys(keys) => write!(f, "['{}']", keys.join("','"))?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Indexes(indexes) => {
                    let texts: Vec<String> = indexes.iter().map(i64::to_string).collect();
                    write!(f, "[{}]", texts.join(","))?;
                }
                Segment::Slice { from, to } => {
                    let text = |n: &Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
                    write!(f, "[{}:{}]", text(from), text(to))?;
                }
                Segment::FromEnd(n) => write!(f, "[(@.length-{n})]")?,
                Segment::Wildcard => f.write_str("[*]")?,
                Segment::Scan => f.write_str("..")?,
                Segment::Filter(_) => f.write_str("[?]")?,
            }
        }
        Ok(())
    }
}
