//! Paths: steps over sequences, filters, sorting, grouping, and the bindings that steps carry.

use std::rc::Rc;

use indexmap::IndexMap;

use super::ast::{Kind, Node, Path, Stage, Term};
use super::error::{Result, error};
use super::evaluate::{Evaluator, Grouping};
use super::value::{Key, Text, Tuple, Val};

impl<'a> Evaluator<'a> {
    pub(super) fn path(&mut self, node: &'a Node, path: &'a Path, input: &Val<'a>, frame: usize) -> Result<Val<'a>> {
        let result = match self.plain_path(path, input, frame) {
            Some(found) => found,
            None => self.steps(path, input, frame)?,
        };
        let (result, tuples) = match result {
            Val::Tuples(tuples) if !node.tuple => {
                (Val::sequence(tuples.iter().map(|tuple| tuple.value.clone()).collect()), Some(tuples))
            }
            other => (other, None),
        };
        let result = if path.keep_singleton { result.kept() } else { result };
        match &node.group {
            None => Ok(result),
            Some(pairs) => self.group(pairs, tuples.map_or(result, Val::Tuples), frame),
        }
    }

    /// The usual path, names through objects, without a sequence; `None` once an array is in the way.
    fn plain_path(&mut self, path: &'a Path, input: &Val<'a>, frame: usize) -> Option<Val<'a>> {
        if !path.plain {
            return None;
        }
        let (first, rest) = path.steps.split_first()?;
        let mut at = match &first.kind {
            Kind::Variable(name) => self.variable(name, input, frame),
            Kind::Name(name) if input.is_object() => input.field(name),
            _ => return None,
        };
        for step in rest {
            let Kind::Name(name) = &step.kind else { return None };
            if !at.is_object() {
                return if at.is_array() { None } else { Some(Val::Undefined) };
            }
            at = at.field(name);
        }
        if at.is_array() && path.steps.len() > 1 {
            // Its own kind of array decides how the last step treats it.
            return match &at {
                Val::List([]) => None,
                Val::List(_) => Some(at),
                _ => None,
            };
        }
        Some(at)
    }

    fn steps(&mut self, path: &'a Path, input: &Val<'a>, frame: usize) -> Result<Val<'a>> {
        let from_variable = path.steps.first().is_some_and(|step| matches!(step.kind, Kind::Variable(_)));
        let mut sequence = match input {
            _ if from_variable || !input.is_array() => vec![input.clone()],
            array => array.items(),
        };
        let mut result = Val::Undefined;
        let mut tuples: Option<Vec<Tuple<'a>>> = None;
        let mut streaming = false;
        let last = path.steps.len().saturating_sub(1);
        for (n, step) in path.steps.iter().enumerate() {
            streaming |= step.tuple;
            if n == 0 && step.constructor {
                // The values are there already: the array is built once, not for each of them.
                result = self.eval(step, input, frame)?;
            } else if streaming {
                tuples = Some(self.tuple_step(step, &sequence, tuples.take(), frame)?);
                continue;
            } else {
                result = self.step(step, &sequence, frame, n == last)?;
            }
            if result.is_undefined() || (result.is_array() && result.len() == 0) {
                break;
            }
            if step.focus.is_none() {
                sequence = result.items();
            }
        }
        match tuples {
            Some(tuples) if streaming => Ok(Val::Tuples(Rc::new(tuples))),
            _ => Ok(result),
        }
    }

    fn step(&mut self, step: &'a Node, input: &[Val<'a>], frame: usize, last: bool) -> Result<Val<'a>> {
        if let Kind::Sort(terms) = &step.kind {
            let sorted = self.sort_values(terms, input.to_vec(), frame)?;
            let mut result = Val::sequence(sorted);
            for stage in &step.stages {
                if let Stage::Filter(predicate) = stage {
                    result = self.filter(predicate, result, frame)?;
                }
            }
            return Ok(result);
        }
        let mut results = Vec::with_capacity(input.len());
        for item in input {
            let mut value = self.eval(step, item, frame)?;
            for stage in &step.stages {
                if let Stage::Filter(predicate) = stage {
                    value = self.filter(predicate, value, frame)?;
                }
            }
            if !value.is_undefined() {
                results.push(value);
            }
        }
        if last
            && let [only] = results.as_slice()
            && only.is_array()
            && !is_sequence(only)
        {
            return Ok(only.clone());
        }
        let mut out = Vec::with_capacity(results.len());
        for value in results {
            if value.is_array() && !is_constructed(&value) {
                self.hold(value.len())?;
                out.append(&mut value.items());
            } else {
                out.push(value);
            }
        }
        self.hold(out.len())?;
        Ok(Val::sequence(out))
    }

    fn tuple_step(
        &mut self,
        step: &'a Node,
        input: &[Val<'a>],
        tuples: Option<Vec<Tuple<'a>>>,
        frame: usize,
    ) -> Result<Vec<Tuple<'a>>> {
        if let Kind::Sort(terms) = &step.kind {
            let sorted = match tuples {
                Some(tuples) => self.sort_tuples(terms, tuples, frame)?,
                None => {
                    let sorted = self.sort_values(terms, input.to_vec(), frame)?;
                    let mut out = Vec::with_capacity(sorted.len());
                    for (n, value) in sorted.into_iter().enumerate() {
                        let mut tuple = Tuple::new(value);
                        if let Some(index) = &step.index {
                            tuple.bind(Key::Name(index), count(n));
                        }
                        out.push(tuple);
                    }
                    out
                }
            };
            return self.stages(&step.stages, sorted, frame);
        }
        let tuples = tuples.unwrap_or_else(|| input.iter().cloned().map(Tuple::new).collect());
        let mut out = Vec::new();
        for tuple in tuples {
            let captures = self.captures;
            let inner = self.enter(frame, tuple.bindings.clone())?;
            let value = self.eval(step, &tuple.value, inner)?;
            self.leave(inner, captures, &Val::Undefined);
            if value.is_undefined() {
                continue;
            }
            if let Val::Tuples(found) = &value {
                for one in found.iter() {
                    let mut new = tuple.clone();
                    new.value = one.value.clone();
                    for (key, value) in &one.bindings {
                        new.bind(*key, value.clone());
                    }
                    out.push(new);
                }
                continue;
            }
            let found = value.items();
            self.hold(found.len().saturating_mul(1 + tuple.bindings.len()))?;
            for (n, item) in found.into_iter().enumerate() {
                let mut new = tuple.clone();
                match &step.focus {
                    Some(name) => new.bind(Key::Name(name), item),
                    None => new.value = item,
                }
                if let Some(name) = &step.index {
                    new.bind(Key::Name(name), count(n));
                }
                if let Some(slot) = step.ancestor {
                    let label = self.labels.get(slot).copied().unwrap_or(slot);
                    new.bind(Key::Ancestor(label), tuple.value.clone());
                }
                out.push(new);
            }
        }
        self.stages(&step.stages, out, frame)
    }

    fn stages(&mut self, stages: &'a [Stage], mut tuples: Vec<Tuple<'a>>, frame: usize) -> Result<Vec<Tuple<'a>>> {
        for stage in stages {
            match stage {
                Stage::Filter(predicate) => match self.filter(predicate, Val::Tuples(Rc::new(tuples)), frame)? {
                    Val::Tuples(left) => tuples = Rc::unwrap_or_clone(left),
                    _ => return Ok(Vec::new()),
                },
                Stage::Index(name) => {
                    for (n, tuple) in tuples.iter_mut().enumerate() {
                        tuple.bind(Key::Name(name), count(n));
                    }
                }
            }
        }
        Ok(tuples)
    }

    /// Keeps what a predicate selects: by position, or by a condition.
    pub(super) fn filter(&mut self, predicate: &'a Node, input: Val<'a>, frame: usize) -> Result<Val<'a>> {
        let length = if input.is_array() { input.len() } else { usize::from(!input.is_undefined()) };
        if let Kind::Number(n) = predicate.kind {
            let Some(at) = position(n, length) else { return Ok(Val::sequence(Vec::new())) };
            if let Val::Tuples(tuples) = &input {
                return Ok(Val::Tuples(Rc::new(tuples.get(at).cloned().into_iter().collect())));
            }
            return Ok(match if input.is_array() { input.get(at) } else { Some(input) } {
                Some(item) if item.is_array() => item,
                Some(item) => Val::sequence(vec![item]),
                None => Val::sequence(Vec::new()),
            });
        }
        if let Val::Tuples(tuples) = &input {
            let mut out = Vec::new();
            for (n, tuple) in tuples.iter().enumerate() {
                let captures = self.captures;
                let inner = self.enter(frame, tuple.bindings.clone())?;
                let chosen = self.eval(predicate, &tuple.value, inner)?;
                self.leave(inner, captures, &Val::Undefined);
                for _ in 0..selects(&chosen, n, length) {
                    out.push(tuple.clone());
                }
            }
            return Ok(Val::Tuples(Rc::new(out)));
        }
        let mut out = Vec::new();
        for (n, item) in input.items().into_iter().enumerate() {
            let chosen = self.eval(predicate, &item, frame)?;
            for _ in 0..selects(&chosen, n, length) {
                out.push(item.clone());
            }
        }
        self.hold(out.len())?;
        Ok(Val::sequence(out))
    }

    /// An object constructor, and grouping: keys are computed for each item, values for the items of each key.
    pub(super) fn group(&mut self, pairs: Grouping<'a>, input: Val<'a>, frame: usize) -> Result<Val<'a>> {
        let tuples = match &input {
            Val::Tuples(tuples) => tuples.iter().cloned().collect(),
            Val::Undefined => vec![Tuple::new(Val::Undefined)],
            array if array.is_array() && array.len() == 0 => vec![Tuple::new(Val::Undefined)],
            other => other.items().into_iter().map(Tuple::new).collect::<Vec<_>>(),
        };
        let streaming = matches!(input, Val::Tuples(_));
        let mut groups: IndexMap<Text<'a>, (usize, Vec<Tuple<'a>>)> = IndexMap::new();
        for tuple in tuples {
            for (n, (key, _)) in pairs.iter().enumerate() {
                let key = if streaming {
                    let captures = self.captures;
                    let inner = self.enter(frame, tuple.bindings.clone())?;
                    let key = self.eval(key, &tuple.value, inner)?;
                    self.leave(inner, captures, &Val::Undefined);
                    key
                } else {
                    self.eval(key, &tuple.value, frame)?
                };
                let key = match key {
                    Val::Undefined => continue,
                    Val::String(key) => key,
                    other => {
                        let message =
                            format!("Key in object structure must evaluate to a string; got: {}", self.brief(&other));
                        return error("T1003", message);
                    }
                };
                self.hold(2)?;
                match groups.get_mut(&*key) {
                    Some((by, _)) if *by != n => {
                        let message = format!("Multiple key definitions evaluate to same key: \"{}\"", &*key);
                        return error("D1009", message);
                    }
                    Some((_, members)) => members.push(tuple.clone()),
                    None => {
                        groups.insert(key, (n, vec![tuple.clone()]));
                    }
                }
            }
        }
        let mut out = IndexMap::with_capacity(groups.len());
        for (key, (n, members)) in groups {
            let Some((_, value)) = pairs.get(n) else { continue };
            let value = if streaming {
                let merged = merge(members);
                let captures = self.captures;
                let inner = self.enter(frame, merged.bindings)?;
                let value = self.eval(value, &merged.value, inner)?;
                self.leave(inner, captures, &Val::Undefined);
                value
            } else {
                let context = append_all(members.into_iter().map(|tuple| tuple.value));
                self.eval(value, &context, frame)?
            };
            if !value.is_undefined() {
                out.insert(key, value);
            }
        }
        Val::object(out).checked()
    }

    fn sort_values(&mut self, terms: &'a [Term], values: Vec<Val<'a>>, frame: usize) -> Result<Vec<Val<'a>>> {
        let tuples = values.into_iter().map(Tuple::new).collect();
        Ok(self.sort_tuples(terms, tuples, frame)?.into_iter().map(|tuple| tuple.value).collect())
    }

    fn sort_tuples(&mut self, terms: &'a [Term], tuples: Vec<Tuple<'a>>, frame: usize) -> Result<Vec<Tuple<'a>>> {
        // Each term is computed once for each tuple, then all are compared.
        let mut keyed = Vec::with_capacity(tuples.len());
        for tuple in tuples {
            let captures = self.captures;
            let inner = self.enter(frame, tuple.bindings.clone())?;
            let mut keys = Vec::with_capacity(terms.len());
            for term in terms {
                keys.push(self.eval(&term.expression, &tuple.value, inner)?);
            }
            self.leave(inner, captures, &Val::Undefined);
            keyed.push((keys, tuple));
        }
        super::sort::merge_sort(keyed, &mut |(a, _), (b, _)| {
            self.work(1)?;
            self.is_after(terms, a, b)
        })
        .map(|sorted| sorted.into_iter().map(|(_, tuple)| tuple).collect())
    }

    fn is_after(&self, terms: &[Term], a: &[Val<'a>], b: &[Val<'a>]) -> Result<bool> {
        for (term, (a, b)) in terms.iter().zip(a.iter().zip(b)) {
            // What is missing comes last.
            match (a, b) {
                (Val::Undefined, Val::Undefined) => continue,
                (Val::Undefined, _) => return Ok(true),
                (_, Val::Undefined) => return Ok(false),
                _ => {}
            }
            let order = match (a, b) {
                (Val::String(a), Val::String(b)) => a.encode_utf16().cmp(b.encode_utf16()),
                _ => match (a.number(), b.number()) {
                    (Some(a), Some(b)) => a.total_cmp(&b),
                    _ => {
                        let odd = |value: &Val<'_>| value.number().is_none() && value.str().is_none();
                        if odd(a) || odd(b) {
                            let message =
                                "The expressions within an order-by clause must evaluate to numeric or string values";
                            return error("T2008", message);
                        }
                        let message = format!(
                            "Type mismatch when comparing values {} and {} in order-by clause",
                            self.brief(a),
                            self.brief(b)
                        );
                        return error("T2007", message);
                    }
                },
            };
            let order = if term.descending { order.reverse() } else { order };
            if order.is_ne() {
                return Ok(order.is_gt());
            }
        }
        Ok(false)
    }

    /// `name` as a step: a field, or the fields of all items.
    pub(super) fn lookup(&mut self, input: &Val<'a>, name: &str) -> Result<Val<'a>> {
        if !input.is_array() {
            return Ok(input.field(name));
        }
        let mut out = Vec::new();
        for n in 0..input.len() {
            self.work(1)?;
            let found = match input.get(n) {
                Some(item) if item.is_array() => self.lookup(&item, name)?,
                Some(item) => item.field(name),
                None => Val::Undefined,
            };
            if found.is_undefined() {
                continue;
            }
            if found.is_array() {
                out.append(&mut found.items());
            } else {
                out.push(found);
            }
        }
        self.hold(out.len())?;
        Ok(Val::sequence(out))
    }

    pub(super) fn wildcard(&mut self, input: &Val<'a>) -> Result<Val<'a>> {
        let values: Vec<Val<'a>> = match input {
            array if array.is_array() => array.items(),
            other => other.fields().into_iter().map(|(_, value)| value).collect(),
        };
        let mut out = Vec::new();
        for value in values {
            if value.is_array() {
                self.flatten(&value, &mut out)?;
            } else {
                out.push(value);
            }
        }
        self.hold(out.len())?;
        Ok(Val::sequence(out))
    }

    fn flatten(&mut self, value: &Val<'a>, out: &mut Vec<Val<'a>>) -> Result<()> {
        self.work(1)?;
        if !value.is_array() {
            out.push(value.clone());
            return Ok(());
        }
        for item in value.items() {
            self.flatten(&item, out)?;
        }
        Ok(())
    }

    pub(super) fn descendants(&mut self, input: &Val<'a>) -> Result<Val<'a>> {
        if input.is_undefined() {
            return Ok(Val::Undefined);
        }
        let mut out = Vec::new();
        self.descend(input, &mut out)?;
        self.hold(out.len())?;
        Ok(match out.len() {
            1 => out.pop().unwrap_or(Val::Undefined),
            _ => Val::sequence(out),
        })
    }

    fn descend(&mut self, value: &Val<'a>, out: &mut Vec<Val<'a>>) -> Result<()> {
        self.work(1)?;
        if value.is_array() {
            for item in value.items() {
                self.descend(&item, out)?;
            }
            return Ok(());
        }
        out.push(value.clone());
        for (_, item) in value.fields() {
            self.descend(&item, out)?;
        }
        Ok(())
    }
}

fn count<'a>(n: usize) -> Val<'a> {
    #[expect(clippy::cast_precision_loss, reason = "no array has that many items")]
    Val::Number(n as f64)
}

fn is_sequence(value: &Val<'_>) -> bool {
    match value {
        Val::Array(array) => array.sequence,
        Val::Tuples(_) => true,
        _ => false,
    }
}

fn is_constructed(value: &Val<'_>) -> bool {
    matches!(value, Val::Array(array) if array.constructed)
}

/// The index that a number names: rounded down, and from the end if it is negative.
fn position(n: f64, length: usize) -> Option<usize> {
    let floor = n.floor();
    #[expect(clippy::cast_precision_loss, reason = "no array has that many items")]
    let at = if floor < 0.0 { floor + length as f64 } else { floor };
    #[expect(clippy::cast_precision_loss, reason = "no array has that many items")]
    if at < 0.0 || at >= length as f64 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked first")]
    Some(at as usize)
}

/// How often a predicate's value selects the item at `index`.
fn selects(chosen: &Val<'_>, index: usize, length: usize) -> usize {
    if let Some(n) = chosen.number() {
        return usize::from(position(n, length) == Some(index));
    }
    if chosen.is_array() && chosen.len() > 0 {
        let numbers: Option<Vec<f64>> =
            (0..chosen.len()).map(|n| chosen.get(n).and_then(|item| item.number())).collect();
        if let Some(numbers) = numbers {
            return numbers.into_iter().filter(|n| position(*n, length) == Some(index)).count();
        }
    }
    usize::from(chosen.truthy())
}

/// One value, or all of several in one array.
pub(super) fn append_all<'a>(values: impl Iterator<Item = Val<'a>>) -> Val<'a> {
    let mut values: Vec<Val<'a>> = values.filter(|value| !value.is_undefined()).collect();
    if values.len() <= 1 {
        return values.pop().unwrap_or(Val::Undefined);
    }
    let mut out = Vec::with_capacity(values.len());
    for value in values {
        if value.is_array() {
            out.append(&mut value.items());
        } else {
            out.push(value);
        }
    }
    Val::array(out)
}

/// The tuples of one group as one, whose value and bindings are sequences.
fn merge<'a>(mut tuples: Vec<Tuple<'a>>) -> Tuple<'a> {
    if tuples.len() <= 1 {
        return tuples.pop().unwrap_or_else(|| Tuple::new(Val::Undefined));
    }
    let mut keys: Vec<Key<'a>> = Vec::new();
    for (key, _) in tuples.iter().flat_map(|tuple| &tuple.bindings) {
        if !keys.contains(key) {
            keys.push(*key);
        }
    }
    let found = |tuple: &Tuple<'a>, key: Key<'a>| {
        tuple.bindings.iter().find(|(known, _)| *known == key).map_or(Val::Undefined, |(_, value)| value.clone())
    };
    let bindings = keys.iter().map(|key| (*key, append_all(tuples.iter().map(|t| found(t, *key))))).collect();
    Tuple { value: append_all(tuples.into_iter().map(|tuple| tuple.value)), bindings }
}
