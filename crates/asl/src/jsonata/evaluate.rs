//! Evaluates a tree on values, within bounds that do not depend on the machine it runs on.

use super::ast::{Kind, Node, Operator, Pairs};
use super::error::{Result, error};
use super::functions;
use super::value::{Function, Key, Text, Val, equal, number, precise, show_number};
use crate::limits;

const TOO_DEEP: &str =
    "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive.";

/// Variables of one scope.
#[derive(Debug, Default)]
pub(super) struct Frame<'a> {
    pub(super) parent: Option<usize>,
    pub(super) bindings: Vec<(Key<'a>, Val<'a>)>,
}

/// One evaluation.
///
/// Frames lie in one list, and functions name theirs by its place: no cycles, and nothing that is freed in depth.
pub(super) struct Evaluator<'a> {
    pub(super) frames: Vec<Frame<'a>>,
    pub(super) labels: &'a [usize],
    /// Functions made so far; while it stays the same, a scope's frame can go with the scope.
    pub(super) captures: u64,
    pub(super) draw: &'a dyn Fn() -> u64,
    pub(super) now_ms: i64,
    steps: u64,
    bytes: u64,
    depth: u32,
    most_depth: u32,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        labels: &'a [usize],
        root: Vec<(Key<'a>, Val<'a>)>,
        draw: &'a dyn Fn() -> u64,
        now_ms: i64,
        most_depth: u32,
    ) -> Evaluator<'a> {
        Evaluator {
            frames: vec![Frame { parent: None, bindings: root }],
            labels,
            captures: 0,
            draw,
            now_ms,
            steps: 0,
            bytes: 0,
            depth: 0,
            most_depth,
        }
    }

    /// Accounts for work.
    pub(super) fn work(&mut self, steps: usize) -> Result<()> {
        self.steps = self.steps.saturating_add(steps as u64);
        if self.steps > limits::EXPRESSION_STEPS {
            return error("U1001", "Expression evaluation timeout: Check for infinite loop");
        }
        Ok(())
    }

    /// Accounts for so many new items of arrays or objects, each of which is also work.
    pub(super) fn hold(&mut self, items: usize) -> Result<()> {
        self.work(items)?;
        self.hold_bytes(items.saturating_mul(std::mem::size_of::<Val<'_>>()))
    }

    /// Accounts for new texts.
    pub(super) fn hold_bytes(&mut self, bytes: usize) -> Result<()> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes > limits::EXPRESSION_BYTES {
            return error("D2015", format!("the expression makes more than {} bytes", limits::EXPRESSION_BYTES));
        }
        self.work(bytes / 64)
    }

    /// Runs something one level deeper.
    pub(super) fn deeper(&mut self, run: impl FnOnce(&mut Self) -> Result<Val<'a>>) -> Result<Val<'a>> {
        self.depth += 1;
        if self.depth > self.most_depth {
            return error("U1001", TOO_DEEP);
        }
        let result = run(self);
        self.depth -= 1;
        result
    }

    pub(super) fn eval(&mut self, node: &'a Node, input: &Val<'a>, frame: usize) -> Result<Val<'a>> {
        self.work(1)?;
        let mut result = self.deeper(|evaluator| evaluator.dispatch(node, input, frame))?;
        if !node.predicate.is_empty() || (node.group.is_some() && !matches!(node.kind, Kind::Path(_))) {
            result = self.after(node, result, frame)?;
        }
        match result {
            Val::Array(ref array) if array.sequence => {
                if node.keep_array {
                    result = result.kept();
                }
                Ok(one_or_many(result))
            }
            Val::Array(_) | Val::Object(_) | Val::Function(_) => result.checked(),
            result => Ok(result),
        }
    }

    fn after(&mut self, node: &'a Node, mut result: Val<'a>, frame: usize) -> Result<Val<'a>> {
        for stage in &node.predicate {
            if let super::ast::Stage::Filter(predicate) = stage {
                result = self.filter(predicate, result, frame)?;
            }
        }
        if let Some(pairs) = &node.group
            && !matches!(node.kind, Kind::Path(_))
        {
            result = self.group(pairs, result, frame)?;
        }
        Ok(result)
    }

    fn dispatch(&mut self, node: &'a Node, input: &Val<'a>, frame: usize) -> Result<Val<'a>> {
        match &node.kind {
            Kind::Null => Ok(Val::Null),
            Kind::Boolean(b) => Ok(Val::Bool(*b)),
            Kind::Number(n) => Ok(Val::Number(*n)),
            Kind::String(text) => Ok(Val::String(Text::Borrowed(text))),
            Kind::Name(name) => self.lookup(input, name),
            Kind::Variable(name) => Ok(self.variable(name, input, frame)),
            Kind::Regex(regex) => Ok(Val::function(Function::Regex(regex))),
            Kind::Wildcard => self.wildcard(input),
            Kind::Descendants => self.descendants(input),
            Kind::Parent(slot) => {
                let label = self.labels.get(*slot).copied().unwrap_or(*slot);
                Ok(self.find(Key::Ancestor(label), frame))
            }
            Kind::Path(path) => self.path(node, path, input, frame),
            Kind::Binary(operator, pair) => self.binary(*operator, pair, input, frame),
            Kind::Negate(inner) => {
                let value = self.eval(inner, input, frame)?;
                match value {
                    Val::Undefined => Ok(value),
                    _ => match value.number() {
                        Some(n) => Ok(Val::Number(-n)),
                        None => error("D1002", format!("Cannot negate a non-numeric value: {}", self.brief(&value))),
                    },
                }
            }
            Kind::Array(items) => self.array(node, items, input, frame),
            Kind::Object(pairs) => self.group(pairs, input.clone(), frame),
            Kind::Call(procedure, arguments) => self.call(procedure, arguments, None, input, frame),
            Kind::Partial(procedure, arguments) => self.partial(procedure, arguments, input, frame),
            Kind::Lambda(lambda) => {
                self.captures += 1;
                Ok(Val::function(Function::Lambda { lambda, frame, input: input.clone() }))
            }
            Kind::TailCall(call) => {
                Ok(Val::Thunk(std::rc::Rc::new(super::value::Thunk { call, input: input.clone(), frame })))
            }
            Kind::Condition(pair, otherwise) => {
                if self.eval(&pair.0, input, frame)?.truthy() {
                    return self.eval(&pair.1, input, frame);
                }
                match otherwise {
                    Some(node) => self.eval(node, input, frame),
                    None => Ok(Val::Undefined),
                }
            }
            Kind::Block(items) => self.block(items, input, frame),
            Kind::Bind(name, value) => {
                let value = self.eval(value, input, frame)?;
                self.bind(frame, Key::Name(name), value.clone());
                Ok(value)
            }
            Kind::Apply(pair) => self.apply_operator(pair, input, frame),
            Kind::Transform(transform) => {
                self.captures += 1;
                Ok(Val::function(Function::Transform { transform, frame }))
            }
            // A sort is a step of a path, which evaluates it; a raw node does not outlive parsing.
            Kind::Sort(_) | Kind::Raw(_) => Ok(Val::Undefined),
        }
    }

    /// Opens a scope. [`Evaluator::leave`] closes it.
    pub(super) fn enter(&mut self, parent: usize, bindings: Vec<(Key<'a>, Val<'a>)>) -> Result<usize> {
        self.hold(2 + bindings.len() * 2)?;
        self.frames.push(Frame { parent: Some(parent), bindings });
        Ok(self.frames.len() - 1)
    }

    /// Closes a scope; its frame stays where a function may still need it.
    pub(super) fn leave(&mut self, frame: usize, captures: u64, result: &Val<'a>) {
        if self.captures == captures && !matches!(result, Val::Thunk(_)) {
            self.frames.truncate(frame);
        }
    }

    pub(super) fn bind(&mut self, frame: usize, key: Key<'a>, value: Val<'a>) {
        if let Some(frame) = self.frames.get_mut(frame) {
            match frame.bindings.iter_mut().find(|(known, _)| *known == key) {
                Some((_, place)) => *place = value,
                None => frame.bindings.push((key, value)),
            }
        }
    }

    fn find(&self, key: Key<'a>, frame: usize) -> Val<'a> {
        let mut at = Some(frame);
        while let Some(frame) = at.and_then(|at| self.frames.get(at)) {
            if let Some((_, value)) = frame.bindings.iter().find(|(known, _)| *known == key) {
                return value.clone();
            }
            at = frame.parent;
        }
        Val::Undefined
    }

    pub(super) fn variable(&self, name: &'a str, input: &Val<'a>, frame: usize) -> Val<'a> {
        if name.is_empty() {
            return input.unwrapped();
        }
        match self.find(Key::Name(name), frame) {
            Val::Undefined => match functions::named(name) {
                Some(native) => Val::function(Function::Native(native)),
                None => Val::Undefined,
            },
            value => value,
        }
    }

    fn block(&mut self, items: &'a [Node], input: &Val<'a>, frame: usize) -> Result<Val<'a>> {
        let captures = self.captures;
        let inner = self.enter(frame, Vec::new())?;
        let mut result = Val::Undefined;
        for item in items {
            result = self.eval(item, input, inner)?;
        }
        self.leave(inner, captures, &result);
        Ok(result)
    }

    fn array(&mut self, node: &'a Node, items: &'a [Node], input: &Val<'a>, frame: usize) -> Result<Val<'a>> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let value = self.eval(item, input, frame)?;
            if value.is_undefined() {
                continue;
            }
            if matches!(item.kind, Kind::Array(_)) || !value.is_array() {
                out.push(value);
            } else {
                self.hold(value.len())?;
                out.append(&mut value.items());
            }
        }
        self.hold(out.len())?;
        Ok(if node.constructor { Val::constructed(out) } else { Val::array(out) })
    }

    fn binary(&mut self, operator: Operator, pair: &'a (Node, Node), input: &Val<'a>, frame: usize) -> Result<Val<'a>> {
        let left = self.eval(&pair.0, input, frame)?;
        match operator {
            Operator::And => {
                return Ok(Val::Bool(left.truthy() && self.eval(&pair.1, input, frame)?.truthy()));
            }
            Operator::Or => {
                return Ok(Val::Bool(left.truthy() || self.eval(&pair.1, input, frame)?.truthy()));
            }
            _ => {}
        }
        let right = self.eval(&pair.1, input, frame)?;
        match operator {
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide | Operator::Remainder => {
                self.arithmetic(operator, &left, &right)
            }
            Operator::Equal | Operator::NotEqual => {
                if left.is_undefined() || right.is_undefined() {
                    return Ok(Val::Bool(false));
                }
                self.work(left.len())?;
                Ok(Val::Bool(equal(&left, &right) == (operator == Operator::Equal)))
            }
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                self.comparison(operator, &left, &right)
            }
            Operator::Concatenate => {
                let mut text = self.string_of(&left)?;
                text.push_str(&self.string_of(&right)?);
                self.hold_bytes(text.len())?;
                Ok(Val::text(text))
            }
            Operator::In => {
                if left.is_undefined() || right.is_undefined() {
                    return Ok(Val::Bool(false));
                }
                let items = right.items();
                self.work(items.len())?;
                let scalar = !left.is_array() && !left.is_object();
                Ok(Val::Bool(scalar && items.iter().any(|item| equal(item, &left))))
            }
            Operator::Range => self.range(&left, &right),
            Operator::And | Operator::Or => Ok(Val::Undefined),
        }
    }

    fn arithmetic(&mut self, operator: Operator, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>> {
        for (value, code, side) in [(left, "T2001", "left"), (right, "T2002", "right")] {
            if !value.is_undefined() && value.number().is_none() {
                let message =
                    format!("The {side} side of the \"{}\" operator must evaluate to a number", operator.text());
                return error(code, message);
            }
        }
        for n in [left.number(), right.number()].into_iter().flatten() {
            finite(n)?;
        }
        let (Some(a), Some(b)) = (left.number(), right.number()) else { return Ok(Val::Undefined) };
        let result = match operator {
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            Operator::Divide => a / b,
            _ => a % b,
        };
        Ok(Val::Number(result))
    }

    fn comparison(&mut self, operator: Operator, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>> {
        for value in [left, right] {
            if !value.is_undefined() && value.number().is_none() && value.str().is_none() {
                let message = format!(
                    "The expressions either side of operator \"{}\" must evaluate to numeric or string values",
                    operator.text()
                );
                return error("T2010", message);
            }
        }
        let order = match (left, right) {
            (Val::Undefined, _) | (_, Val::Undefined) => return Ok(Val::Undefined),
            (Val::String(a), Val::String(b)) => Some(a.encode_utf16().cmp(b.encode_utf16())),
            _ => match (left.number(), right.number()) {
                (Some(a), Some(b)) => a.partial_cmp(&b),
                _ => {
                    let message = format!(
                        "The values {} and {} either side of operator \"{}\" must be of the same data type",
                        self.brief(left),
                        self.brief(right),
                        operator.text()
                    );
                    return error("T2009", message);
                }
            },
        };
        let Some(order) = order else { return Ok(Val::Bool(false)) };
        Ok(Val::Bool(match operator {
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            _ => order.is_ge(),
        }))
    }

    fn range(&mut self, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>> {
        let whole = |value: &Val<'a>| value.number().filter(|n| n.fract() == 0.0);
        for (value, code, side) in [(left, "T2003", "left"), (right, "T2004", "right")] {
            if !value.is_undefined() && whole(value).is_none() {
                return error(code, format!("The {side} side of the range operator (..) must evaluate to an integer"));
            }
        }
        let (Some(from), Some(to)) = (whole(left), whole(right)) else { return Ok(Val::Undefined) };
        if from > to {
            return Ok(Val::Undefined);
        }
        let size = to - from + 1.0;
        if size > 1e7 {
            let message = format!(
                "The size of the sequence allocated by the range operator (..) must not exceed 1e7. Attempted to allocate {}",
                show_number(size)
            );
            return error("D2014", message);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 1e7")]
        let count = size as usize;
        self.hold(count)?;
        let mut items = Vec::with_capacity(count);
        let mut at = from;
        for _ in 0..count {
            items.push(Val::Number(at));
            at += 1.0;
        }
        Ok(Val::sequence(items))
    }

    /// A value as `&` and `$string` show it.
    pub(super) fn string_of(&mut self, value: &Val<'a>) -> Result<String> {
        match value {
            Val::Undefined | Val::Function(_) | Val::Thunk(_) => Ok(String::new()),
            Val::String(text) => Ok(String::from(&**text)),
            Val::Number(n) if !n.is_finite() => {
                error("D3001", "Attempting to invoke string function on Infinity or NaN")
            }
            Val::Number(n) => Ok(show_number(precise(*n))),
            Val::Long(n) => Ok(n.to_string()),
            Val::Bool(b) => Ok(b.to_string()),
            Val::Null => Ok("null".into()),
            other => {
                let mut out = String::new();
                self.write(other, None, 0, &mut out)?;
                Ok(out)
            }
        }
    }

    /// Writes JSON, with line breaks and so many blanks of indentation if asked.
    pub(super) fn write(
        &mut self,
        value: &Val<'a>,
        pretty: Option<usize>,
        level: usize,
        out: &mut String,
    ) -> Result<()> {
        self.work(1)?;
        let before = out.len();
        let line = |out: &mut String, level: usize| {
            if let Some(blanks) = pretty {
                out.push('\n');
                out.extend(std::iter::repeat_n(' ', blanks * level));
            }
        };
        match value {
            Val::Undefined | Val::Null => out.push_str("null"),
            Val::Function(_) | Val::Thunk(_) => out.push_str("\"\""),
            Val::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Val::Number(n) if !n.is_finite() => {
                return error("D1001", format!("Number out of range: {n}"));
            }
            Val::Number(n) => out.push_str(&show_number(precise(*n))),
            Val::Long(n) => out.push_str(&n.to_string()),
            Val::String(text) => out.push_str(&serde_json::Value::String(String::from(&**text)).to_string()),
            _ if value.is_array() => {
                out.push('[');
                for n in 0..value.len() {
                    if n > 0 {
                        out.push(',');
                    }
                    line(out, level + 1);
                    self.write(&value.get(n).unwrap_or(Val::Null), pretty, level + 1, out)?;
                }
                if value.len() > 0 {
                    line(out, level);
                }
                out.push(']');
            }
            _ => {
                out.push('{');
                let mut first = true;
                for (key, item) in value.fields() {
                    if item.is_undefined() {
                        continue;
                    }
                    if !first {
                        out.push(',');
                    }
                    first = false;
                    line(out, level + 1);
                    out.push_str(&serde_json::Value::String(String::from(&*key)).to_string());
                    out.push_str(if pretty.is_some() { ": " } else { ":" });
                    self.write(&item, pretty, level + 1, out)?;
                }
                if !first {
                    line(out, level);
                }
                out.push('}');
            }
        }
        self.hold_bytes(out.len().saturating_sub(before).min(256))
    }

    /// A value in a message, cut to a readable length.
    pub(super) fn brief(&self, value: &Val<'a>) -> String {
        let text = match value {
            Val::Number(n) => show_number(*n),
            other => other.to_json().map(|json| json.to_string()).unwrap_or_default(),
        };
        match text.char_indices().nth(200) {
            Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
            None => text,
        }
    }
}

/// A number, unless it is none.
pub(super) fn finite<'a>(n: f64) -> Result<Val<'a>> {
    if n.is_finite() { Ok(Val::Number(n)) } else { error("D1001", format!("Number out of range: {}", number(n))) }
}

/// A sequence of one is its item, an empty one nothing.
pub(super) fn one_or_many(value: Val<'_>) -> Val<'_> {
    match &value {
        Val::Array(array) if array.sequence => match array.items.as_slice() {
            [] => Val::Undefined,
            [only] if !array.keep => only.clone(),
            _ => value,
        },
        _ => value,
    }
}

/// The pairs of an object constructor or of a grouping.
pub(super) type Grouping<'a> = &'a Pairs;
