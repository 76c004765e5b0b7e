//! Walks data along a path.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Error, NotFound, Path, Segment};
use crate::limits;

/// What `path` finds in `root`.
pub(super) fn find<'a>(path: &Path, root: &'a Value) -> Result<Cow<'a, Value>, Error> {
    if path.definite {
        return definite(&path.segments, root);
    }
    let mut walk = Walk { root, steps: 0, found: Vec::new() };
    match walk.go(&path.segments, root, true) {
        Ok(()) => {}
        // An indefinite path that breaks off gives an empty list.
        Err(Error::NotFound(_)) => walk.found.clear(),
        Err(other) => return Err(other),
    }
    // What lies inside each other is copied several times.
    let walk_is_costly = path.segments.iter().any(|segment| matches!(segment, Segment::Scan));
    let mut bytes = 0usize;
    let mut list = Vec::with_capacity(walk.found.len());
    for value in walk.found {
        if walk_is_costly {
            bytes = match crate::data::measure(&value, limits::TEMPLATE_BYTES) {
                Ok(size) => bytes.saturating_add(size.bytes),
                Err(_) => usize::MAX,
            };
        }
        if bytes > limits::TEMPLATE_BYTES {
            return Err(Error::TooManySteps);
        }
        list.push(value.into_owned());
    }
    Ok(Cow::Owned(Value::Array(list)))
}

fn definite<'a>(segments: &[Segment], root: &'a Value) -> Result<Cow<'a, Value>, Error> {
    let mut at = root;
    for (n, segment) in segments.iter().enumerate() {
        let leaf = n + 1 == segments.len();
        let missing = || Error::NotFound(if leaf { NotFound::Nothing } else { NotFound::Missing(n + 1) });
        at = match segment {
            Segment::Key(key) => match at {
                Value::Object(map) => map.get(&**key).ok_or_else(missing)?,
                _ => return Err(Error::NotFound(NotFound::NotObject(n))),
            },
            Segment::Keys(keys) => match at {
                Value::Object(map) => return Ok(Cow::Owned(pick(map, keys))),
                _ => return Err(Error::NotFound(NotFound::NotObject(n))),
            },
            Segment::Index(index) => element(at, *index, segment)?.ok_or(Error::NotFound(NotFound::Nothing))?,
            Segment::FromEnd(back) => {
                let items = array(at, segment)?;
                let index = items.len().checked_sub(*back);
                index.and_then(|i| items.get(i)).ok_or(Error::NotFound(NotFound::Nothing))?
            }
            _ => return Err(Error::NotFound(NotFound::Nothing)),
        };
    }
    Ok(Cow::Borrowed(at))
}

fn pick(map: &Map<String, Value>, keys: &[Box<str>]) -> Value {
    let found = keys.iter().filter_map(|key| map.get_key_value(&**key));
    Value::Object(found.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn array<'a>(at: &'a Value, segment: &Segment) -> Result<&'a Vec<Value>, Error> {
    match at {
        Value::Array(items) => Ok(items),
        Value::Null => Err(Error::NotFound(NotFound::Nothing)),
        other => {
            let shown = super::Shown(std::slice::from_ref(segment)).to_string();
            let filter = shown.trim_start_matches('$');
            Err(Error::NotApplicable(format!(
                "Filter: {filter} can only be applied to arrays. Current context is: {other}"
            )))
        }
    }
}

/// The element at `index`; a negative index is out of range, as in Jayway 2.0.
fn element<'a>(at: &'a Value, index: i64, segment: &Segment) -> Result<Option<&'a Value>, Error> {
    let items = array(at, segment)?;
    Ok(usize::try_from(index).ok().and_then(|index| items.get(index)))
}

struct Walk<'a> {
    root: &'a Value,
    steps: usize,
    found: Vec<Cow<'a, Value>>,
}

impl<'a> Walk<'a> {
    /// Adds what `segments` find from `at`; `upstream` says whether all segments before were definite.
    fn go(&mut self, segments: &[Segment], at: &'a Value, upstream: bool) -> Result<(), Error> {
        self.steps += 1;
        if self.steps > limits::PATH_STEPS {
            return Err(Error::TooManySteps);
        }
        let Some((segment, rest)) = segments.split_first() else {
            self.found.push(Cow::Borrowed(at));
            return Ok(());
        };
        match segment {
            Segment::Key(key) => match at {
                Value::Object(map) => match map.get(&**key) {
                    Some(value) => self.go(rest, value, upstream),
                    None if !rest.is_empty() && upstream => Err(Error::NotFound(NotFound::Nothing)),
                    None => Ok(()),
                },
                _ => Err(Error::NotFound(NotFound::Nothing)),
            },
            Segment::Keys(keys) => match at {
                Value::Object(map) if rest.is_empty() => {
                    self.found.push(Cow::Owned(pick(map, keys)));
                    Ok(())
                }
                Value::Object(map) => {
                    keys.iter().filter_map(|key| map.get(&**key)).try_for_each(|value| self.go(rest, value, false))
                }
                _ => Err(Error::NotFound(NotFound::Nothing)),
            },
            Segment::Index(index) => match element(at, *index, segment)? {
                Some(value) => self.go(rest, value, upstream),
                None => Ok(()),
            },
            Segment::FromEnd(back) => {
                let items = array(at, segment)?;
                match items.len().checked_sub(*back).and_then(|index| items.get(index)) {
                    Some(value) => self.go(rest, value, upstream),
                    None => Ok(()),
                }
            }
            Segment::Indexes(indexes) => {
                for index in indexes {
                    if let Some(value) = element(at, *index, segment)? {
                        self.go(rest, value, false)?;
                    }
                }
                Ok(())
            }
            Segment::Slice { from, to } => {
                let items = array(at, segment)?;
                let (from, to) = bounds(items.len(), *from, *to);
                items.iter().take(to).skip(from).try_for_each(|value| self.go(rest, value, false))
            }
            Segment::Wildcard => self.children(rest, at),
            Segment::Scan => self.scan(rest, at),
            Segment::Filter(filter) => match at {
                Value::Array(items) => items
                    .iter()
                    .filter(|item| filter.accepts(item, self.root))
                    .try_for_each(|item| self.go(rest, item, false)),
                Value::Object(_) if filter.accepts(at, self.root) => self.go(rest, at, false),
                Value::Object(_) => Ok(()),
                _ if upstream => Err(Error::NotApplicable(format!("a filter cannot be applied to {at}"))),
                _ => Ok(()),
            },
        }
    }

    /// Every child; one that leads nowhere is left out.
    fn children(&mut self, rest: &[Segment], at: &'a Value) -> Result<(), Error> {
        let mut each = |value: &'a Value| match self.go(rest, value, false) {
            Err(Error::NotFound(_)) => Ok(()),
            other => other,
        };
        match at {
            Value::Array(items) => items.iter().try_for_each(&mut each),
            Value::Object(map) => map.values().try_for_each(&mut each),
            _ => Ok(()),
        }
    }

    /// `rest` from `at` and from everything below it, parents first.
    fn scan(&mut self, rest: &[Segment], at: &'a Value) -> Result<(), Error> {
        let applies = match rest.first() {
            Some(Segment::Key(key)) => at.get(&**key).is_some() && at.is_object(),
            Some(Segment::Keys(keys)) => keys.iter().all(|key| at.get(&**key).is_some()) && at.is_object(),
            Some(Segment::Filter(filter)) => at.is_object() && filter.accepts(at, self.root),
            Some(Segment::Wildcard) => true,
            Some(_) => at.is_array(),
            None => false,
        };
        if applies {
            self.go(rest, at, false)?;
        }
        match at {
            Value::Array(items) => items.iter().try_for_each(|item| self.descend(rest, item)),
            Value::Object(map) => map.values().try_for_each(|item| self.descend(rest, item)),
            _ => Ok(()),
        }
    }

    fn descend(&mut self, rest: &[Segment], at: &'a Value) -> Result<(), Error> {
        self.steps += 1;
        if self.steps > limits::PATH_STEPS {
            return Err(Error::TooManySteps);
        }
        self.scan(rest, at)
    }
}

/// The half-open range that a slice selects; negative bounds count from the end.
fn bounds(len: usize, from: Option<i64>, to: Option<i64>) -> (usize, usize) {
    let place = |n: i64| match usize::try_from(n) {
        Ok(n) => n.min(len),
        Err(_) => len.saturating_sub(usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX)),
    };
    (from.map_or(0, place), to.map_or(len, place))
}
