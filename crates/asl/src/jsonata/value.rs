//! Values while an expression runs. JSON that comes from outside is borrowed, never copied.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;

use indexmap::IndexMap;
use serde_json::{Map, Number, Value};

use super::ast::{Lambda, Node, Transform};
use super::error::{Result, error};
use super::functions::Native;
use crate::limits;

/// A text, borrowed or shared.
#[derive(Debug, Clone)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Text::Borrowed(text) => text,
            Text::Shared(text) => text,
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Text<'_> {}

impl std::hash::Hash for Text<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl std::borrow::Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        self
    }
}

/// Any value.
#[derive(Debug, Clone)]
pub(super) enum Val<'a> {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    /// An integer from outside that an `f64` does not hold exactly.
    Long(i64),
    String(Text<'a>),
    Array(Rc<Array<'a>>),
    Object(Rc<Object<'a>>),
    /// An array from outside.
    List(&'a [Value]),
    /// An object from outside.
    Map(&'a Map<String, Value>),
    Function(Rc<Function<'a>>),
    /// Values with bindings, between the steps of a path.
    Tuples(Rc<Vec<Tuple<'a>>>),
    /// A call that is still to be made, see [`super::ast::Kind::TailCall`].
    Thunk(Rc<Thunk<'a>>),
}

#[derive(Debug, Default)]
pub(super) struct Array<'a> {
    pub(super) items: Vec<Val<'a>>,
    /// Made by a query: one item stands for itself, none for nothing.
    pub(super) sequence: bool,
    /// A sequence of one stays an array.
    pub(super) keep: bool,
    /// An array constructor's: not flattened.
    pub(super) constructed: bool,
    /// Wraps an array that is the whole input.
    outer: bool,
    depth: usize,
}

#[derive(Debug, Default)]
pub(super) struct Object<'a> {
    pub(super) map: RefCell<IndexMap<Text<'a>, Val<'a>>>,
    depth: Cell<usize>,
}

#[derive(Debug)]
pub(super) enum Function<'a> {
    Native(&'static Native),
    Lambda {
        lambda: &'a Lambda,
        frame: usize,
        input: Val<'a>,
    },
    Partial {
        inner: Val<'a>,
        arguments: Vec<Option<Val<'a>>>,
        depth: usize,
    },
    /// First the one, then the other.
    Chain {
        first: Val<'a>,
        second: Val<'a>,
        depth: usize,
    },
    Transform {
        transform: &'a Transform,
        frame: usize,
    },
    Regex(&'a regex_lite::Regex),
    /// The search for the next match of a regular expression.
    Next {
        regex: &'a regex_lite::Regex,
        text: Text<'a>,
        from: usize,
    },
}

#[derive(Debug)]
pub(super) struct Thunk<'a> {
    pub(super) call: &'a Node,
    pub(super) input: Val<'a>,
    pub(super) frame: usize,
}

/// What a binding is called: a variable's name, or the label of an ancestor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'a> {
    Name(&'a str),
    Ancestor(usize),
}

/// A value and the bindings that its path has made.
#[derive(Debug, Clone)]
pub(super) struct Tuple<'a> {
    pub(super) value: Val<'a>,
    pub(super) bindings: Vec<(Key<'a>, Val<'a>)>,
}

impl<'a> Tuple<'a> {
    pub(super) fn new(value: Val<'a>) -> Tuple<'a> {
        Tuple { value, bindings: Vec::new() }
    }

    pub(super) fn bind(&mut self, key: Key<'a>, value: Val<'a>) {
        match self.bindings.iter_mut().find(|(known, _)| *known == key) {
            Some((_, place)) => *place = value,
            None => self.bindings.push((key, value)),
        }
    }
}

/// The integers that an `f64` holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl<'a> Val<'a> {
    pub(super) fn of(value: &'a Value) -> Val<'a> {
        match value {
            Value::Null => Val::Null,
            Value::Bool(b) => Val::Bool(*b),
            Value::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(i), Some(f)) if f.abs() < EXACT => {
                    debug_assert!(f.fract() == 0.0, "{i} is whole");
                    Val::Number(f)
                }
                (Some(i), _) => Val::Long(i),
                (None, Some(f)) => Val::Number(f),
                (None, None) => Val::Null,
            },
            Value::String(text) => Val::String(Text::Borrowed(text)),
            Value::Array(items) => Val::List(items),
            Value::Object(map) => Val::Map(map),
        }
    }

    pub(super) fn text(text: impl Into<Rc<str>>) -> Val<'a> {
        Val::String(Text::Shared(text.into()))
    }

    /// An array. The caller has checked how deep its items are.
    pub(super) fn array(items: Vec<Val<'a>>) -> Val<'a> {
        let depth = depth_of(items.iter());
        Val::Array(Rc::new(Array { items, depth, ..Array::default() }))
    }

    pub(super) fn sequence(items: Vec<Val<'a>>) -> Val<'a> {
        let depth = depth_of(items.iter());
        Val::Array(Rc::new(Array { items, sequence: true, depth, ..Array::default() }))
    }

    /// The whole input, if it is an array: one value.
    pub(super) fn whole(input: Val<'a>) -> Val<'a> {
        let depth = input.depth() + 1;
        Val::Array(Rc::new(Array { items: vec![input], sequence: true, outer: true, depth, ..Array::default() }))
    }

    /// The input itself, where [`Val::whole`] has wrapped it.
    pub(super) fn unwrapped(&self) -> Val<'a> {
        match self {
            Val::Array(array) if array.outer => array.items.first().cloned().unwrap_or(Val::Undefined),
            other => other.clone(),
        }
    }

    pub(super) fn constructed(items: Vec<Val<'a>>) -> Val<'a> {
        let depth = depth_of(items.iter());
        Val::Array(Rc::new(Array { items, constructed: true, depth, ..Array::default() }))
    }

    pub(super) fn object(map: IndexMap<Text<'a>, Val<'a>>) -> Val<'a> {
        let depth = Cell::new(depth_of(map.values()));
        Val::Object(Rc::new(Object { map: RefCell::new(map), depth }))
    }

    pub(super) fn function(function: Function<'a>) -> Val<'a> {
        Val::Function(Rc::new(function))
    }

    /// The same array as a sequence of which one item stays an array.
    pub(super) fn kept(self) -> Val<'a> {
        match self {
            Val::Array(array) if array.constructed && !array.sequence => {
                let inner = Val::Array(array);
                match Val::sequence(vec![inner]) {
                    Val::Array(outer) => keep(&outer),
                    other => other,
                }
            }
            Val::Array(array) => keep(&array),
            other => other,
        }
    }

    /// How deep arrays, objects and functions nest in it. JSON from outside counts as its limit allows.
    pub(super) fn depth(&self) -> usize {
        match self {
            Val::Array(array) => array.depth,
            Val::Object(object) => object.depth.get(),
            Val::Function(function) => match &**function {
                Function::Partial { depth, .. } | Function::Chain { depth, .. } => *depth,
                Function::Lambda { input, .. } => input.depth() + 1,
                _ => 1,
            },
            _ => 0,
        }
    }

    /// An error for what nests too deep to be written or dropped.
    pub(super) fn checked(self) -> Result<Val<'a>> {
        if self.depth() > limits::EXPRESSION_DATA_DEPTH {
            return error("D2015", format!("a value nests deeper than {}", limits::EXPRESSION_DATA_DEPTH));
        }
        Ok(self)
    }

    pub(super) fn is_undefined(&self) -> bool {
        matches!(self, Val::Undefined)
    }

    pub(super) fn is_array(&self) -> bool {
        matches!(self, Val::Array(_) | Val::List(_) | Val::Tuples(_))
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self, Val::Object(_) | Val::Map(_))
    }

    pub(super) fn is_function(&self) -> bool {
        matches!(self, Val::Function(_))
    }

    /// The length of an array; 0 for all else.
    pub(super) fn len(&self) -> usize {
        match self {
            Val::Array(array) => array.items.len(),
            Val::List(items) => items.len(),
            Val::Tuples(tuples) => tuples.len(),
            _ => 0,
        }
    }

    /// An item of an array.
    pub(super) fn get(&self, index: usize) -> Option<Val<'a>> {
        match self {
            Val::Array(array) => array.items.get(index).cloned(),
            Val::List(items) => items.get(index).map(Val::of),
            Val::Tuples(tuples) => tuples.get(index).map(|tuple| tuple.value.clone()),
            _ => None,
        }
    }

    /// The items of an array; a value alone is its own only item, and nothing is none.
    pub(super) fn items(&self) -> Vec<Val<'a>> {
        match self {
            Val::Undefined => Vec::new(),
            Val::Array(array) => array.items.clone(),
            Val::List(items) => items.iter().map(Val::of).collect(),
            Val::Tuples(tuples) => tuples.iter().map(|tuple| tuple.value.clone()).collect(),
            other => vec![other.clone()],
        }
    }

    /// A field of an object.
    pub(super) fn field(&self, name: &str) -> Val<'a> {
        match self {
            Val::Map(map) => map.get(name).map_or(Val::Undefined, Val::of),
            Val::Object(object) => object.map.borrow().get(name).cloned().unwrap_or(Val::Undefined),
            _ => Val::Undefined,
        }
    }

    /// The fields of an object, in order.
    pub(super) fn fields(&self) -> Vec<(Text<'a>, Val<'a>)> {
        match self {
            Val::Map(map) => map.iter().map(|(key, value)| (Text::Borrowed(key), Val::of(value))).collect(),
            Val::Object(object) => object.map.borrow().iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Val::Number(n) => Some(*n),
            #[expect(clippy::cast_precision_loss, reason = "arithmetic is that of an f64")]
            Val::Long(n) => Some(*n as f64),
            _ => None,
        }
    }

    pub(super) fn str(&self) -> Option<&str> {
        match self {
            Val::String(text) => Some(text),
            _ => None,
        }
    }

    /// The symbol of its type in signatures.
    pub(super) fn symbol(&self) -> char {
        match self {
            Val::Undefined | Val::Thunk(_) => 'm',
            Val::Null => 'l',
            Val::Bool(_) => 'b',
            Val::Number(_) | Val::Long(_) => 'n',
            Val::String(_) => 's',
            Val::Array(_) | Val::List(_) | Val::Tuples(_) => 'a',
            Val::Object(_) | Val::Map(_) => 'o',
            Val::Function(_) => 'f',
        }
    }

    /// The name of its type, as `$type` gives it.
    pub(super) fn type_name(&self) -> &'static str {
        match self.symbol() {
            'l' => "null",
            'b' => "boolean",
            'n' => "number",
            's' => "string",
            'a' => "array",
            'o' => "object",
            'f' => "function",
            _ => "undefined",
        }
    }

    /// Whether it counts as true; nothing does not.
    pub(super) fn truthy(&self) -> bool {
        match self {
            Val::Bool(b) => *b,
            Val::String(text) => !text.is_empty(),
            Val::Number(n) => *n != 0.0,
            Val::Long(n) => *n != 0,
            Val::Array(_) | Val::List(_) | Val::Tuples(_) => match self.len() {
                1 => self.get(0).is_some_and(|item| item.truthy()),
                n => (0..n).any(|at| self.get(at).is_some_and(|item| item.truthy())),
            },
            Val::Object(object) => !object.map.borrow().is_empty(),
            Val::Map(map) => !map.is_empty(),
            Val::Undefined | Val::Null | Val::Function(_) | Val::Thunk(_) => false,
        }
    }

    /// The value as JSON; `None` for what JSON has not.
    pub(super) fn to_json(&self) -> Option<Value> {
        Some(match self {
            Val::Undefined | Val::Function(_) | Val::Thunk(_) => return None,
            Val::Null => Value::Null,
            Val::Bool(b) => Value::Bool(*b),
            Val::Number(n) => number(*n),
            Val::Long(n) => Value::from(*n),
            Val::String(text) => Value::String(String::from(&**text)),
            Val::List(items) => Value::Array(items.to_vec()),
            Val::Map(map) => Value::Object((*map).clone()),
            Val::Array(array) => {
                Value::Array(array.items.iter().map(|item| item.to_json().unwrap_or(Value::Null)).collect())
            }
            Val::Tuples(tuples) => {
                Value::Array(tuples.iter().map(|tuple| tuple.value.to_json().unwrap_or(Value::Null)).collect())
            }
            Val::Object(object) => Value::Object(
                object
                    .map
                    .borrow()
                    .iter()
                    .filter_map(|(key, value)| Some((String::from(&**key), value.to_json()?)))
                    .collect(),
            ),
        })
    }
}

impl<'a> Object<'a> {
    /// Sets a field of an object that is already in use.
    pub(super) fn set(&self, key: Text<'a>, value: Val<'a>) -> Result<()> {
        let depth = self.depth.get().max(value.depth() + 1);
        if depth > limits::EXPRESSION_DATA_DEPTH {
            return error("D2015", format!("a value nests deeper than {}", limits::EXPRESSION_DATA_DEPTH));
        }
        self.depth.set(depth);
        self.map.borrow_mut().insert(key, value);
        Ok(())
    }
}

fn keep<'a>(array: &Rc<Array<'a>>) -> Val<'a> {
    Val::Array(Rc::new(Array {
        items: array.items.clone(),
        sequence: array.sequence,
        keep: true,
        constructed: array.constructed,
        outer: false,
        depth: array.depth,
    }))
}

fn depth_of<'v, 'a: 'v>(items: impl Iterator<Item = &'v Val<'a>>) -> usize {
    1 + items.map(Val::depth).max().unwrap_or(0)
}

/// An `f64` as JSON, whole numbers without a fraction.
pub(crate) fn number(n: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
    if n.fract() == 0.0 && n.abs() < EXACT {
        return Value::from(n as i64);
    }
    Number::from_f64(n).map_or(Value::Null, Value::Number)
}

/// Whether two values are equal.
pub(super) fn equal<'a>(a: &Val<'a>, b: &Val<'a>) -> bool {
    match (a, b) {
        (Val::Null, Val::Null) | (Val::Undefined, Val::Undefined) => true,
        (Val::Bool(a), Val::Bool(b)) => a == b,
        (Val::String(a), Val::String(b)) => a == b,
        (Val::Long(a), Val::Long(b)) => a == b,
        (Val::Function(a), Val::Function(b)) => Rc::ptr_eq(a, b),
        (Val::List(a), Val::List(b)) if std::ptr::eq(*a, *b) => true,
        (Val::Map(a), Val::Map(b)) if std::ptr::eq(*a, *b) => true,
        _ if a.is_array() && b.is_array() => {
            a.len() == b.len()
                && (0..a.len()).all(|n| match (a.get(n), b.get(n)) {
                    (Some(a), Some(b)) => equal(&a, &b),
                    _ => false,
                })
        }
        _ if a.is_object() && b.is_object() => {
            let (left, right) = (a.fields(), b.fields());
            left.len() == right.len()
                && left.iter().all(|(key, value)| {
                    let other = b.field(key);
                    !other.is_undefined() && equal(value, &other)
                })
        }
        #[expect(clippy::float_cmp, reason = "equality of the language is exact")]
        _ => match (a.number(), b.number()) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
    }
}

/// A number as JavaScript writes it.
pub(super) fn show_number(n: f64) -> String {
    if n == 0.0 {
        return "0".into();
    }
    let scientific = format!("{n:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-6..21).contains(&exponent) {
        return format!("{n}");
    }
    let sign = if exponent < 0 { "" } else { "+" };
    format!("{mantissa}e{sign}{exponent}")
}

/// A number cut to 15 significant digits, as `$string` shows it.
pub(super) fn precise(n: f64) -> f64 {
    if n.fract() == 0.0 && n.abs() < EXACT { n } else { format!("{n:.14e}").parse().unwrap_or(n) }
}
