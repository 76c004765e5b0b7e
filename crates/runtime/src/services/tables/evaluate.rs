//! Expressions applied to items.

use std::cmp::Ordering;

use super::decimal::Decimal;
use super::expression::{Change, Comparison, Condition, Operand, Path, Source, Step};
use super::value::{Attribute, Item};

/// The attribute at a path.
pub(super) fn find<'i>(item: &'i Item, path: &Path) -> Option<&'i Attribute> {
    let mut at = item.get(&path.first)?;
    for step in &path.rest {
        at = match (step, at) {
            (Step::Field(name), Attribute::M(fields)) => fields.get(name)?,
            (Step::Index(index), Attribute::L(items)) => items.get(*index)?,
            _ => return None,
        };
    }
    Some(at)
}

fn operand(item: &Item, operand: &Operand) -> Option<Attribute> {
    match operand {
        Operand::Path(path) => find(item, path).cloned(),
        Operand::Value(value) => Some(value.clone()),
        Operand::Size(path) => size(find(item, path)?),
    }
}

fn size(value: &Attribute) -> Option<Attribute> {
    let size = match value {
        Attribute::S(text) => text.chars().count(),
        Attribute::B(bytes) => bytes.len(),
        Attribute::M(fields) => fields.len(),
        Attribute::L(items) => items.len(),
        Attribute::Ss(items) => items.len(),
        Attribute::Ns(items) => items.len(),
        Attribute::Bs(items) => items.len(),
        _ => return None,
    };
    Decimal::parse(&size.to_string()).ok().map(Attribute::N)
}

/// The order of two values; none between values of different types, or of types that have no order.
pub(super) fn order(a: &Attribute, b: &Attribute) -> Option<Ordering> {
    match (a, b) {
        (Attribute::S(a), Attribute::S(b)) => Some(a.cmp(b)),
        (Attribute::N(a), Attribute::N(b)) => Some(a.cmp(b)),
        (Attribute::B(a), Attribute::B(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Whether a condition holds for an item.
pub(super) fn holds(item: &Item, condition: &Condition) -> bool {
    match condition {
        Condition::Or(a, b) => holds(item, a) || holds(item, b),
        Condition::And(a, b) => holds(item, a) && holds(item, b),
        Condition::Not(inner) => !holds(item, inner),
        Condition::Exists(path) => find(item, path).is_some(),
        Condition::NotExists(path) => find(item, path).is_none(),
        Condition::Compare(a, comparison, b) => {
            let (Some(a), Some(b)) = (operand(item, a), operand(item, b)) else {
                // What is absent differs from whatever is there.
                return *comparison == Comparison::NotEqual;
            };
            let order = order(&a, &b);
            match comparison {
                Comparison::Equal => a == b,
                Comparison::NotEqual => a != b,
                Comparison::Less => order.is_some_and(Ordering::is_lt),
                Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
                Comparison::Greater => order.is_some_and(Ordering::is_gt),
                Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            }
        }
        Condition::Between(value, low, high) => {
            let (Some(value), Some(low), Some(high)) = (operand(item, value), operand(item, low), operand(item, high))
            else {
                return false;
            };
            order(&value, &low).is_some_and(Ordering::is_ge) && order(&value, &high).is_some_and(Ordering::is_le)
        }
        Condition::In(value, items) => {
            let value = operand(item, value);
            value.is_some_and(|value| items.iter().any(|one| operand(item, one).as_ref() == Some(&value)))
        }
        Condition::Type(path, kind) => match (find(item, path), operand(item, kind)) {
            (Some(value), Some(Attribute::S(kind))) => value.kind() == kind,
            _ => false,
        },
        Condition::BeginsWith(value, start) => match (operand(item, value), operand(item, start)) {
            (Some(Attribute::S(text)), Some(Attribute::S(start))) => text.starts_with(&start),
            (Some(Attribute::B(bytes)), Some(Attribute::B(start))) => bytes.starts_with(&start),
            _ => false,
        },
        Condition::Contains(whole, part) => match (operand(item, whole), operand(item, part)) {
            (Some(Attribute::S(text)), Some(Attribute::S(part))) => text.contains(&part),
            (Some(Attribute::Ss(items)), Some(Attribute::S(part))) => items.contains(&part),
            (Some(Attribute::Ns(items)), Some(Attribute::N(part))) => items.contains(&part),
            (Some(Attribute::Bs(items)), Some(Attribute::B(part))) => items.contains(&part),
            (Some(Attribute::L(items)), Some(part)) => items.contains(&part),
            _ => false,
        },
    }
}

/// Applies an update: every source is computed from the item as it was.
///
/// # Errors
/// The message of the `ValidationException`.
pub(super) fn apply(old: &Item, changes: &[Change]) -> Result<Item, String> {
    for (at, change) in changes.iter().enumerate() {
        if changes.iter().take(at).any(|other| overlap(change.path(), other.path())) {
            return Err("Two document paths overlap with each other; must remove or rewrite one of these paths".into());
        }
    }
    let mut new = old.clone();
    let mut removed = Vec::new();
    for change in changes {
        match change {
            Change::Set(path, source) => put(&mut new, path, source_value(old, source)?)?,
            // Indexes mean the list as it was: the last go first, after everything else.
            Change::Remove(path) => removed.push(path),
            Change::Add(path, value) => {
                let value = sum(find(old, path), value)?;
                put(&mut new, path, value)?;
            }
            Change::Delete(path, value) => match without(find(old, path), value)? {
                Some(rest) => put(&mut new, path, rest)?,
                None => remove(&mut new, path)?,
            },
        }
    }
    removed.sort_by(|a, b| compare_steps(b, a));
    for path in removed {
        remove(&mut new, path)?;
    }
    Ok(new)
}

fn compare_steps(a: &Path, b: &Path) -> Ordering {
    let index = |step: Option<&Step>| match step {
        Some(Step::Index(at)) => *at,
        _ => 0,
    };
    let longest = a.rest.len().max(b.rest.len());
    (0..longest)
        .map(|n| index(a.rest.get(n)).cmp(&index(b.rest.get(n))))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn overlap(a: &Path, b: &Path) -> bool {
    a.first == b.first && a.rest.iter().zip(&b.rest).all(|(a, b)| a == b)
}

fn source_value(item: &Item, source: &Source) -> Result<Attribute, String> {
    let missing = "The provided expression refers to an attribute that does not exist in the item";
    let wrong = || "An operand in the update expression has an incorrect data type".to_owned();
    match source {
        Source::Operand(given) => operand(item, given).ok_or_else(|| missing.to_owned()),
        Source::IfNotExists(path, otherwise) => match find(item, path) {
            Some(value) => Ok(value.clone()),
            None => source_value(item, otherwise),
        },
        Source::ListAppend(first, second) => match (source_value(item, first)?, source_value(item, second)?) {
            (Attribute::L(mut first), Attribute::L(second)) => {
                first.extend(second);
                Ok(Attribute::L(first))
            }
            _ => Err(wrong()),
        },
        Source::Plus(a, b) | Source::Minus(a, b) => match (source_value(item, a)?, source_value(item, b)?) {
            (Attribute::N(a), Attribute::N(b)) if matches!(source, Source::Plus(..)) => a.plus(b).map(Attribute::N),
            (Attribute::N(a), Attribute::N(b)) => a.minus(b).map(Attribute::N),
            _ => Err(wrong()),
        },
    }
}

fn sum(old: Option<&Attribute>, value: &Attribute) -> Result<Attribute, String> {
    match (old, value) {
        (None, Attribute::N(_) | Attribute::Ss(_) | Attribute::Ns(_) | Attribute::Bs(_)) => Ok(value.clone()),
        (Some(Attribute::N(a)), Attribute::N(b)) => a.plus(*b).map(Attribute::N),
        (Some(Attribute::Ss(a)), Attribute::Ss(b)) => Ok(Attribute::Ss(a | b)),
        (Some(Attribute::Ns(a)), Attribute::Ns(b)) => Ok(Attribute::Ns(a | b)),
        (Some(Attribute::Bs(a)), Attribute::Bs(b)) => Ok(Attribute::Bs(a | b)),
        (Some(_), _) => Err("An operand in the update expression has an incorrect data type".into()),
        (None, other) => Err(format!(
            "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: {}",
            other.kind()
        )),
    }
}

fn without(old: Option<&Attribute>, value: &Attribute) -> Result<Option<Attribute>, String> {
    let wrong = || "An operand in the update expression has an incorrect data type".to_owned();
    match (old, value) {
        (None, Attribute::Ss(_) | Attribute::Ns(_) | Attribute::Bs(_)) => Ok(None),
        (Some(Attribute::Ss(a)), Attribute::Ss(b)) => {
            let rest = a - b;
            Ok((!rest.is_empty()).then_some(Attribute::Ss(rest)))
        }
        (Some(Attribute::Ns(a)), Attribute::Ns(b)) => {
            let rest = a - b;
            Ok((!rest.is_empty()).then_some(Attribute::Ns(rest)))
        }
        (Some(Attribute::Bs(a)), Attribute::Bs(b)) => {
            let rest = a - b;
            Ok((!rest.is_empty()).then_some(Attribute::Bs(rest)))
        }
        _ => Err(wrong()),
    }
}

const BAD_PATH: &str = "The document path provided in the update expression is invalid for update";

/// The place that a path leads to, up to its last step.
fn parent<'i>(item: &'i mut Item, path: &Path) -> Result<Option<&'i mut Attribute>, String> {
    let Some((_, inner)) = path.rest.split_last() else { return Ok(None) };
    let mut at = item.get_mut(&path.first).ok_or(BAD_PATH)?;
    for step in inner {
        at = match (step, at) {
            (Step::Field(name), Attribute::M(fields)) => fields.get_mut(name).ok_or(BAD_PATH)?,
            (Step::Index(index), Attribute::L(items)) => items.get_mut(*index).ok_or(BAD_PATH)?,
            _ => return Err(BAD_PATH.into()),
        };
    }
    Ok(Some(at))
}

pub(super) fn put(item: &mut Item, path: &Path, value: Attribute) -> Result<(), String> {
    let last = path.rest.last().cloned();
    match (parent(item, path)?, last) {
        (None, _) => drop(item.insert(path.first.clone(), value)),
        (Some(Attribute::M(fields)), Some(Step::Field(name))) => drop(fields.insert(name, value)),
        (Some(Attribute::L(items)), Some(Step::Index(at))) => match items.get_mut(at) {
            Some(place) => *place = value,
            None => items.push(value),
        },
        _ => return Err(BAD_PATH.into()),
    }
    Ok(())
}

fn remove(item: &mut Item, path: &Path) -> Result<(), String> {
    let last = path.rest.last().cloned();
    match (parent(item, path)?, last) {
        (None, _) => drop(item.remove(&path.first)),
        (Some(Attribute::M(fields)), Some(Step::Field(name))) => drop(fields.remove(&name)),
        (Some(Attribute::L(items)), Some(Step::Index(at))) if at < items.len() => drop(items.remove(at)),
        (Some(Attribute::L(_)), Some(Step::Index(_))) => {}
        _ => return Err(BAD_PATH.into()),
    }
    Ok(())
}

/// The parts of an item at these paths.
pub(super) fn project(item: &Item, paths: &[Path]) -> Item {
    let mut out = Item::new();
    for path in paths {
        if let Some(value) = find(item, path) {
            project_into(&mut out, path, value.clone());
        }
    }
    out
}

/// Puts a value where its path leads, making the maps and lists around it.
fn project_into(out: &mut Item, path: &Path, value: Attribute) {
    let value = path.rest.iter().rev().fold(value, |inner, step| match step {
        Step::Field(name) => Attribute::M(Item::from([(name.clone(), inner)])),
        Step::Index(_) => Attribute::L(vec![inner]),
    });
    match out.remove(&path.first) {
        Some(before) => drop(out.insert(path.first.clone(), merged(before, value))),
        None => drop(out.insert(path.first.clone(), value)),
    }
}

fn merged(a: Attribute, b: Attribute) -> Attribute {
    match (a, b) {
        (Attribute::M(mut a), Attribute::M(b)) => {
            for (name, value) in b {
                let value = match a.remove(&name) {
                    Some(before) => merged(before, value),
                    None => value,
                };
                a.insert(name, value);
            }
            Attribute::M(a)
        }
        (Attribute::L(mut a), Attribute::L(b)) => {
            a.extend(b);
            Attribute::L(a)
        }
        (_, b) => b,
    }
}
