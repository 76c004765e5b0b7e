//! Functions that take functions.

use indexmap::IndexMap;

use super::super::error::Result;
use super::super::evaluate::Evaluator;
use super::super::value::Val;
use super::{argument, bad, counted};

/// Calls `function` with as many of these arguments as it wants, but with the first at least.
fn call<'a>(
    evaluator: &mut Evaluator<'a>,
    function: &Val<'a>,
    first: Val<'a>,
    others: [Val<'a>; 2],
) -> Result<Val<'a>> {
    let wanted = Evaluator::arity(function);
    let mut given = Vec::with_capacity(3);
    given.push(first);
    given.extend(others.into_iter().take(wanted.saturating_sub(1)));
    evaluator.apply(function, given, &Val::Undefined, "")
}

pub(super) fn map<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (array, function) = (argument(arguments, 0), argument(arguments, 1));
    if array.is_undefined() {
        return Ok(Val::Undefined);
    }
    let mut out = Vec::with_capacity(array.len());
    for (n, item) in array.items().into_iter().enumerate() {
        let value = call(evaluator, function, item, [counted(n), array.clone()])?;
        if !value.is_undefined() {
            out.push(value);
        }
    }
    evaluator.hold(out.len())?;
    Ok(Val::sequence(out))
}

pub(super) fn filter<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (array, function) = (argument(arguments, 0), argument(arguments, 1));
    if array.is_undefined() {
        return Ok(Val::Undefined);
    }
    let mut out = Vec::new();
    for (n, item) in array.items().into_iter().enumerate() {
        if call(evaluator, function, item.clone(), [counted(n), array.clone()])?.truthy() {
            out.push(item);
        }
    }
    evaluator.hold(out.len())?;
    Ok(Val::sequence(out))
}

pub(super) fn single<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (array, function) = (argument(arguments, 0), argument(arguments, 1));
    if array.is_undefined() {
        return Ok(Val::Undefined);
    }
    let mut found = None;
    for (n, item) in array.items().into_iter().enumerate() {
        let fits =
            function.is_undefined() || call(evaluator, function, item.clone(), [counted(n), array.clone()])?.truthy();
        if !fits {
            continue;
        }
        if found.is_some() {
            return bad(
                "D3138",
                "The $single() function expected exactly 1 matching result.  Instead it matched more.",
            );
        }
        found = Some(item);
    }
    match found {
        Some(item) => Ok(item),
        None => bad("D3139", "The $single() function expected exactly 1 matching result.  Instead it matched 0."),
    }
}

pub(super) fn reduce<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (array, function) = (argument(arguments, 0), argument(arguments, 1));
    if array.is_undefined() {
        return Ok(Val::Undefined);
    }
    let wanted = Evaluator::arity(function);
    if wanted < 2 {
        return bad("D3050", "The second argument of reduce function must be a function with at least two arguments");
    }
    let mut items = array.items().into_iter().enumerate();
    let mut result = match argument(arguments, 2) {
        Val::Undefined => items.next().map_or(Val::Undefined, |(_, first)| first),
        start => start.clone(),
    };
    for (n, item) in items {
        let mut given = vec![result, item];
        if wanted >= 3 {
            given.push(counted(n));
        }
        if wanted >= 4 {
            given.push(array.clone());
        }
        result = evaluator.apply(function, given, &Val::Undefined, "")?;
    }
    Ok(result)
}

pub(super) fn each<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (object, function) = (argument(arguments, 0), argument(arguments, 1));
    let mut out = Vec::new();
    for (key, value) in object.fields() {
        let value = call(evaluator, function, value, [Val::String(key), object.clone()])?;
        if !value.is_undefined() {
            out.push(value);
        }
    }
    evaluator.hold(out.len())?;
    Ok(Val::sequence(out))
}

pub(super) fn sift<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (object, function) = (argument(arguments, 0), argument(arguments, 1));
    let mut out = IndexMap::new();
    for (key, value) in object.fields() {
        if call(evaluator, function, value.clone(), [Val::String(key.clone()), object.clone()])?.truthy() {
            out.insert(key, value);
        }
    }
    evaluator.hold(out.len())?;
    Ok(if out.is_empty() { Val::Undefined } else { Val::object(out) })
}
