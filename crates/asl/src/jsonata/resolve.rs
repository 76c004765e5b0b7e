//! Puts paths together, finds the ancestors that `%` means, and marks calls in tail position.

use super::ast::{Kind, Lambda, Node, Path, Raw, Stage, Term, Transform};
use super::error::{Result, error};

/// One `%` and the step that it means.
struct Slot {
    label: usize,
    /// How many levels up it still looks.
    level: usize,
}

/// Completes a raw tree. Also gives, for each slot, the label under which its ancestor is bound.
pub(super) fn resolve(raw: Node) -> Result<(Node, Vec<usize>)> {
    let mut resolver = Resolver { slots: Vec::new() };
    let node = resolver.node(raw)?;
    if matches!(node.kind, Kind::Parent(_)) || !node.seeking.is_empty() {
        return error("S0217", underivable("%"));
    }
    Ok((node, resolver.slots.into_iter().map(|slot| slot.label).collect()))
}

struct Resolver {
    slots: Vec<Slot>,
}

fn underivable(what: &str) -> String {
    format!("The object representing the 'parent' cannot be derived from this expression: {what}")
}

fn path_of(node: Node) -> Node {
    if matches!(node.kind, Kind::Path(_)) {
        return node;
    }
    let depth = node.depth;
    let seeking = if let Kind::Parent(slot) = node.kind { vec![slot] } else { Vec::new() };
    let mut path = Node::new(Kind::Path(Path { steps: vec![node], keep_singleton: false, plain: false }), depth);
    path.seeking = seeking;
    path
}

fn steps(node: &mut Node) -> Option<&mut Vec<Node>> {
    match &mut node.kind {
        Kind::Path(path) => Some(&mut path.steps),
        _ => None,
    }
}

impl Resolver {
    fn node(&mut self, node: Node) -> Result<Node> {
        let keep_array = node.keep_array;
        let depth = node.depth;
        let mut out = match node.kind {
            Kind::Raw(raw) => {
                let focus = matches!(*raw, Raw::Focus(..));
                let mut out = self.raw(*raw)?;
                if focus
                    && keep_array
                    && let Some(step) = steps(&mut out).and_then(|steps| steps.last_mut())
                {
                    step.keep_array = true;
                }
                out
            }
            Kind::Name(_) => {
                let mut path = path_of(node);
                if let Kind::Path(path) = &mut path.kind {
                    path.keep_singleton = keep_array;
                }
                path
            }
            kind => self.plain(kind, depth)?,
        };
        out.keep_array |= keep_array;
        if let Kind::Path(path) = &mut out.kind {
            let first_plain = path
                .steps
                .first()
                .is_some_and(|step| step.is_plain() && matches!(&step.kind, Kind::Name(_) | Kind::Variable(_)));
            let names = |step: &Node| step.is_plain() && matches!(step.kind, Kind::Name(_));
            path.plain = first_plain && path.steps.iter().skip(1).all(names);
        }
        Ok(out)
    }

    fn boxed(&mut self, node: Node, above: &mut Vec<usize>) -> Result<Node> {
        let node = self.node(node)?;
        push(above, &node);
        Ok(node)
    }

    fn plain(&mut self, kind: Kind, depth: u32) -> Result<Node> {
        let mut seeking = Vec::new();
        let mut constructor = false;
        let kind = match kind {
            Kind::Binary(operator, pair) => {
                let (left, right) = *pair;
                let left = self.boxed(left, &mut seeking)?;
                let right = self.boxed(right, &mut seeking)?;
                Kind::Binary(operator, Box::new((left, right)))
            }
            Kind::Apply(pair) => Kind::Apply(Box::new((self.node(pair.0)?, self.node(pair.1)?))),
            Kind::Negate(inner) => match self.node(*inner)? {
                Node { kind: Kind::Number(number), .. } => Kind::Number(-number),
                inner => {
                    push(&mut seeking, &inner);
                    Kind::Negate(Box::new(inner))
                }
            },
            Kind::Array(items) => {
                Kind::Array(items.into_iter().map(|item| self.boxed(item, &mut seeking)).collect::<Result<_>>()?)
            }
            Kind::Object(pairs) => Kind::Object(
                pairs
                    .into_iter()
                    .map(|(key, value)| Ok((self.boxed(key, &mut seeking)?, self.boxed(value, &mut seeking)?)))
                    .collect::<Result<_>>()?,
            ),
            Kind::Call(procedure, arguments) => {
                let arguments =
                    arguments.into_iter().map(|item| self.boxed(item, &mut seeking)).collect::<Result<_>>()?;
                Kind::Call(Box::new(self.node(*procedure)?), arguments)
            }
            Kind::Partial(procedure, arguments) => {
                let arguments = arguments
                    .into_iter()
                    .map(|item| item.map(|item| self.boxed(item, &mut seeking)).transpose())
                    .collect::<Result<_>>()?;
                Kind::Partial(Box::new(self.node(*procedure)?), arguments)
            }
            Kind::Lambda(lambda) => {
                let Lambda { parameters, signature, body } = *lambda;
                let body = tail(self.node(body)?);
                Kind::Lambda(Box::new(Lambda { parameters, signature, body }))
            }
            Kind::Condition(pair, otherwise) => {
                let (condition, then) = *pair;
                let condition = self.boxed(condition, &mut seeking)?;
                let then = self.boxed(then, &mut seeking)?;
                let otherwise = otherwise.map(|node| self.boxed(*node, &mut seeking)).transpose()?;
                Kind::Condition(Box::new((condition, then)), otherwise.map(Box::new))
            }
            Kind::Block(items) => {
                let items: Vec<Node> =
                    items.into_iter().map(|item| self.boxed(item, &mut seeking)).collect::<Result<_>>()?;
                constructor = items.iter().any(|part| {
                    part.constructor
                        || matches!(&part.kind, Kind::Path(path) if path.steps.first().is_some_and(|s| s.constructor))
                });
                Kind::Block(items)
            }
            Kind::Bind(name, value) => Kind::Bind(name, Box::new(self.boxed(*value, &mut seeking)?)),
            Kind::Transform(transform) => {
                let Transform { pattern, update, delete } = *transform;
                Kind::Transform(Box::new(Transform {
                    pattern: self.node(pattern)?,
                    update: self.node(update)?,
                    delete: delete.map(|node| self.node(node)).transpose()?,
                }))
            }
            leaf => leaf,
        };
        let mut node = Node::new(kind, depth.saturating_sub(1));
        if let Kind::Apply(pair) = &node.kind {
            node.keep_array = pair.0.keep_array || pair.1.keep_array;
        }
        node.seeking = seeking;
        node.constructor = constructor;
        Ok(node)
    }

    fn raw(&mut self, raw: Raw) -> Result<Node> {
        match raw {
            Raw::Dot(left, right) => self.dot(left, right),
            Raw::Filter(left, predicate) => self.filter(left, predicate),
            Raw::Group(left, pairs) => {
                let mut node = self.node(left)?;
                if node.group.is_some() {
                    return error("S0210", "Each step can only have one grouping expression");
                }
                let pairs = pairs
                    .into_iter()
                    .map(|(key, value)| Ok((self.node(key)?, self.node(value)?)))
                    .collect::<Result<_>>()?;
                node.group = Some(Box::new(pairs));
                Ok(node)
            }
            Raw::Order(left, terms) => {
                let mut node = path_of(self.node(left)?);
                let mut seeking = Vec::new();
                let terms = terms
                    .into_iter()
                    .map(|Term { expression, descending }| {
                        Ok(Term { expression: self.boxed(expression, &mut seeking)?, descending })
                    })
                    .collect::<Result<_>>()?;
                let mut sort = Node::new(Kind::Sort(terms), node.depth);
                sort.seeking = seeking;
                if let Some(steps) = steps(&mut node) {
                    steps.push(sort);
                }
                self.resolve_ancestry(&mut node)?;
                Ok(node)
            }
            Raw::Focus(left, name) => {
                let mut node = self.node(left)?;
                let step = match &mut node.kind {
                    Kind::Path(path) => path.steps.last_mut(),
                    _ => None,
                };
                let step = match step {
                    Some(step) => step,
                    None => &mut node,
                };
                if !step.stages.is_empty() || !step.predicate.is_empty() {
                    let message = "A context variable binding must precede any predicates on a step";
                    return error("S0215", message);
                }
                if matches!(step.kind, Kind::Sort(_)) {
                    let message = "A context variable binding must precede the 'order-by' clause on a step";
                    return error("S0216", message);
                }
                step.focus = Some(name);
                step.tuple = true;
                Ok(node)
            }
            Raw::Index(left, name) => {
                let mut node = self.node(left)?;
                if !matches!(node.kind, Kind::Path(_)) {
                    node.stages.append(&mut std::mem::take(&mut node.predicate));
                    node = path_of(node);
                }
                if let Some(step) = steps(&mut node).and_then(|steps| steps.last_mut()) {
                    match step.stages.is_empty() {
                        true => step.index = Some(name),
                        false => step.stages.push(Stage::Index(name)),
                    }
                    step.tuple = true;
                }
                Ok(node)
            }
            Raw::Word(word) => self.node(Node::new(Kind::Name(word), 0)),
            Raw::Placeholder => error("S0201", "Syntax error: ?"),
            Raw::Percent => {
                let slot = self.slots.len();
                self.slots.push(Slot { label: slot, level: 1 });
                Ok(Node::new(Kind::Parent(slot), 0))
            }
        }
    }

    fn dot(&mut self, left: Node, right: Node) -> Result<Node> {
        let depth = left.depth.max(right.depth);
        let mut node = path_of(self.node(left)?);
        node.depth = depth + 1;
        let mut rest = self.node(right)?;
        let Kind::Path(path) = &mut node.kind else { return Ok(node) };
        match rest.kind {
            Kind::Path(inner) => path.steps.extend(inner.steps),
            _ => {
                rest.stages.append(&mut std::mem::take(&mut rest.predicate));
                path.steps.push(rest);
            }
        }
        for step in &mut path.steps {
            match &mut step.kind {
                Kind::Number(_) | Kind::Boolean(_) | Kind::Null => {
                    return error("S0213", "The literal value cannot be used as a step within a path expression");
                }
                Kind::String(text) => step.kind = Kind::Name(std::mem::take(text)),
                _ => {}
            }
        }
        path.keep_singleton |= path.steps.iter().any(|step| step.keep_array);
        if let Some(first) = path.steps.first_mut()
            && matches!(first.kind, Kind::Array(_))
        {
            first.constructor = true;
        }
        if let Some(last) = path.steps.last_mut()
            && matches!(last.kind, Kind::Array(_))
        {
            last.constructor = true;
        }
        self.resolve_ancestry(&mut node)?;
        Ok(node)
    }

    fn filter(&mut self, left: Node, predicate: Node) -> Result<Node> {
        let mut node = self.node(left)?;
        let predicate = self.node(predicate)?;
        let is_path = matches!(node.kind, Kind::Path(_));
        let step = match &mut node.kind {
            Kind::Path(path) => path.steps.last_mut(),
            _ => None,
        };
        let step = match step {
            Some(step) => step,
            None => &mut node,
        };
        if step.group.is_some() {
            return error("S0209", "A predicate cannot follow a grouping expression in a step");
        }
        for slot in predicate.seeking.clone() {
            if self.level(slot) == 1 {
                self.seek(step, slot)?;
            } else if let Some(slot) = self.slots.get_mut(slot) {
                slot.level = slot.level.saturating_sub(1);
            }
        }
        push(&mut step.seeking, &predicate);
        let stage = Stage::Filter(predicate);
        match is_path {
            true => step.stages.push(stage),
            false => step.predicate.push(stage),
        }
        Ok(node)
    }

    fn level(&self, slot: usize) -> usize {
        self.slots.get(slot).map_or(0, |slot| slot.level)
    }

    /// Lets `node` be the ancestor that a slot looks for, or come nearer to it.
    fn seek(&mut self, node: &mut Node, slot: usize) -> Result<()> {
        match &mut node.kind {
            Kind::Name(_) | Kind::Wildcard => {
                let Some(found) = self.slots.get_mut(slot) else { return Ok(()) };
                found.level = found.level.saturating_sub(1);
                if found.level == 0 {
                    if let Some(known) = node.ancestor {
                        let label = self.slots.get(known).map_or(slot, |slot| slot.label);
                        if let Some(found) = self.slots.get_mut(slot) {
                            found.label = label;
                        }
                    }
                    node.ancestor = Some(slot);
                    node.tuple = true;
                }
            }
            Kind::Parent(_) => {
                if let Some(slot) = self.slots.get_mut(slot) {
                    slot.level += 1;
                }
            }
            Kind::Block(items) => {
                if let Some(last) = items.last_mut() {
                    self.seek(last, slot)?;
                    node.tuple = true;
                }
            }
            Kind::Path(path) => {
                path.plain = false;
                for (n, step) in path.steps.iter_mut().rev().enumerate() {
                    if n > 0 && self.level(slot) == 0 {
                        break;
                    }
                    self.seek(step, slot)?;
                }
                node.tuple = true;
            }
            _ => return error("S0217", underivable("%")),
        }
        Ok(())
    }

    fn resolve_ancestry(&mut self, node: &mut Node) -> Result<()> {
        let mut unresolved = Vec::new();
        let Kind::Path(path) = &mut node.kind else { return Ok(()) };
        let Some(last) = path.steps.last() else { return Ok(()) };
        let mut slots = last.seeking.clone();
        if let Kind::Parent(slot) = last.kind {
            slots.push(slot);
        }
        for slot in slots {
            let mut before = path.steps.len() - 1;
            while self.level(slot) > 0 {
                if before == 0 {
                    unresolved.push(slot);
                    break;
                }
                before -= 1;
                // Steps in a row that bind what they find are all taken from the first.
                let focused = |at: usize| path.steps.get(at).is_some_and(|step| step.focus.is_some());
                while before > 0 && focused(before) && focused(before - 1) {
                    before -= 1;
                }
                if let Some(step) = path.steps.get_mut(before) {
                    self.seek(step, slot)?;
                }
            }
        }
        node.seeking.extend(unresolved);
        Ok(())
    }
}

fn push(above: &mut Vec<usize>, node: &Node) {
    above.extend(&node.seeking);
    if let Kind::Parent(slot) = node.kind {
        above.push(slot);
    }
}

/// Marks the calls that end a lambda's body.
fn tail(mut node: Node) -> Node {
    match node.kind {
        Kind::Call(..) if node.predicate.is_empty() => {
            let depth = node.depth;
            Node::new(Kind::TailCall(Box::new(node)), depth)
        }
        Kind::Condition(pair, otherwise) => {
            let (condition, then) = *pair;
            let otherwise = otherwise.map(|node| Box::new(tail(*node)));
            node.kind = Kind::Condition(Box::new((condition, tail(then))), otherwise);
            node
        }
        Kind::Block(mut items) => {
            if let Some(last) = items.pop() {
                items.push(tail(last));
            }
            node.kind = Kind::Block(items);
            node
        }
        _ => node,
    }
}
