//! The tree of a parsed expression.

use super::signature::Signature;

/// One node. Everything beside `kind` belongs to steps of paths.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// How deep the tree below is.
    pub(super) depth: u32,
    /// `[]` follows: a sequence of one stays an array.
    pub(super) keep_array: bool,
    /// What follows a node that is no step: `[...]`.
    pub(super) predicate: Vec<Stage>,
    /// What follows a step: `[...]` and `#$i`.
    pub(super) stages: Vec<Stage>,
    pub(super) group: Option<Box<Pairs>>,
    /// `@$name`.
    pub(super) focus: Option<Box<str>>,
    /// `#$name`.
    pub(super) index: Option<Box<str>>,
    /// The slot that remembers what this step was taken from.
    pub(super) ancestor: Option<usize>,
    /// Whether the step's results carry bindings with them.
    pub(super) tuple: bool,
    /// An array constructor that is not flattened into a path's result.
    pub(super) constructor: bool,
    /// Slots of `%` below that look for their ancestor further up.
    pub(super) seeking: Vec<usize>,
}

pub(super) type Pairs = Vec<(Node, Node)>;

#[derive(Debug, Clone)]
pub(super) enum Stage {
    Filter(Node),
    Index(Box<str>),
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Boolean(bool),
    Number(f64),
    String(Box<str>),
    Name(Box<str>),
    /// `$name`; empty for the context, `$` for the root.
    Variable(Box<str>),
    Regex(Box<regex_lite::Regex>),
    Wildcard,
    Descendants,
    /// `%`, by its slot.
    Parent(usize),
    Path(Path),
    Binary(Operator, Box<(Node, Node)>),
    Negate(Box<Node>),
    Array(Vec<Node>),
    Object(Pairs),
    Call(Box<Node>, Vec<Node>),
    /// A call with `?` for some arguments.
    Partial(Box<Node>, Vec<Option<Node>>),
    Lambda(Box<Lambda>),
    /// The call in the tail of a lambda's body.
    TailCall(Box<Node>),
    Condition(Box<(Node, Node)>, Option<Box<Node>>),
    Block(Vec<Node>),
    Bind(Box<str>, Box<Node>),
    Apply(Box<(Node, Node)>),
    Transform(Box<Transform>),
    Sort(Vec<Term>),
    /// Only while parsing.
    Raw(Box<Raw>),
}

#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) steps: Vec<Node>,
    pub(super) keep_singleton: bool,
    /// A variable or name, then only names: the usual path.
    pub(super) plain: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Lambda {
    pub(super) parameters: Vec<Box<str>>,
    pub(super) signature: Option<Signature>,
    pub(super) body: Node,
}

#[derive(Debug, Clone)]
pub(super) struct Transform {
    pub(super) pattern: Node,
    pub(super) update: Node,
    pub(super) delete: Option<Node>,
}

#[derive(Debug, Clone)]
pub(super) struct Term {
    pub(super) expression: Node,
    pub(super) descending: bool,
}

/// What the grammar yields before paths are put together.
#[derive(Debug, Clone)]
pub(super) enum Raw {
    Dot(Node, Node),
    Filter(Node, Node),
    Group(Node, Pairs),
    Order(Node, Vec<Term>),
    Focus(Node, Box<str>),
    Index(Node, Box<str>),
    /// `and`, `or`, `in` where a value stands: names after all.
    Word(Box<str>),
    /// `?` as an argument.
    Placeholder,
    Percent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Concatenate,
    And,
    Or,
    In,
    Range,
}

impl Operator {
    pub(super) fn text(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Concatenate => "&",
            Operator::And => "and",
            Operator::Or => "or",
            Operator::In => "in",
            Operator::Range => "..",
        }
    }
}

impl Node {
    /// A node above others, of which the deepest is `below` deep.
    pub(super) fn new(kind: Kind, below: u32) -> Node {
        Node {
            kind,
            depth: below + 1,
            keep_array: false,
            predicate: Vec::new(),
            stages: Vec::new(),
            group: None,
            focus: None,
            index: None,
            ancestor: None,
            tuple: false,
            constructor: false,
            seeking: Vec::new(),
        }
    }

    /// Whether the node is a plain step that only names a field.
    pub(super) fn is_plain(&self) -> bool {
        self.stages.is_empty()
            && self.predicate.is_empty()
            && self.group.is_none()
            && self.focus.is_none()
            && self.index.is_none()
            && !self.tuple
            && !self.keep_array
    }
}
