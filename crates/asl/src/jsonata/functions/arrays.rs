//! Arrays.

use super::super::error::Result;
use super::super::evaluate::Evaluator;
use super::super::sort::merge_sort;
use super::super::value::{Val, equal};
use super::{argument, bad};

pub(super) fn append<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (first, second) = (argument(arguments, 0), argument(arguments, 1));
    if first.is_undefined() {
        return Ok(second.clone());
    }
    if second.is_undefined() {
        return Ok(first.clone());
    }
    let mut items = first.items();
    items.append(&mut second.items());
    evaluator.hold(items.len())?;
    Ok(Val::array(items))
}

pub(super) fn distinct<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let value = argument(arguments, 0);
    if !value.is_array() || value.len() <= 1 {
        return Ok(value.clone());
    }
    let mut out: Vec<Val<'a>> = Vec::new();
    for item in value.items() {
        evaluator.work(out.len())?;
        if !out.iter().any(|known| equal(known, &item)) {
            out.push(item);
        }
    }
    evaluator.hold(out.len())?;
    Ok(match value {
        Val::Array(array) if array.sequence => Val::sequence(out),
        _ => Val::array(out),
    })
}

pub(super) fn reverse<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let value = argument(arguments, 0);
    if value.is_undefined() || value.len() <= 1 {
        return Ok(value.clone());
    }
    let mut items = value.items();
    evaluator.hold(items.len())?;
    items.reverse();
    Ok(Val::array(items))
}

pub(super) fn shuffle<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let value = argument(arguments, 0);
    if value.is_undefined() || value.len() <= 1 {
        return Ok(value.clone());
    }
    let mut items = value.items();
    evaluator.hold(items.len())?;
    for last in (1..items.len()).rev() {
        let drawn = (evaluator.draw)() % (last as u64 + 1);
        items.swap(last, usize::try_from(drawn).unwrap_or(0));
    }
    Ok(Val::array(items))
}

pub(super) fn sort<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let value = argument(arguments, 0);
    if value.is_undefined() || value.len() <= 1 {
        return Ok(value.clone());
    }
    let items = value.items();
    evaluator.hold(items.len())?;
    let comparator = argument(arguments, 1);
    let sorted = if comparator.is_undefined() {
        let all = |fits: fn(&Val<'a>) -> bool| items.iter().all(fits);
        if !all(|item| item.number().is_some()) && !all(|item| item.str().is_some()) {
            let message = "The single argument form of the sort function can only be applied to an array of strings or an array of numbers. Use the second argument to specify a comparison function";
            return bad("D3070", message);
        }
        merge_sort(items, &mut |a, b| {
            evaluator.work(1)?;
            Ok(match (a.number(), b.number()) {
                (Some(a), Some(b)) => a > b,
                _ => a.str().unwrap_or_default().encode_utf16().gt(b.str().unwrap_or_default().encode_utf16()),
            })
        })?
    } else {
        merge_sort(items, &mut |a, b| {
            Ok(evaluator.apply(comparator, vec![a.clone(), b.clone()], &Val::Undefined, "")?.truthy())
        })?
    };
    Ok(Val::array(sorted))
}

pub(super) fn zip<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let length = arguments.iter().map(Val::len).min().unwrap_or(0);
    evaluator.hold(length.saturating_mul(arguments.len() + 1))?;
    let mut out = Vec::with_capacity(length);
    for n in 0..length {
        out.push(Val::array(arguments.iter().map(|array| array.get(n).unwrap_or(Val::Undefined)).collect()));
    }
    Ok(Val::array(out))
}
