//! Objects, types, truth and errors.

use indexmap::IndexMap;

use super::super::error::Result;
use super::super::evaluate::Evaluator;
use super::super::value::Val;
use super::{argument, bad, text};

pub(super) fn boolean<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    Ok(match argument(arguments, 0) {
        Val::Undefined => Val::Undefined,
        value => Val::Bool(value.truthy()),
    })
}

pub(super) fn not<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    Ok(match argument(arguments, 0) {
        Val::Undefined => Val::Undefined,
        value => Val::Bool(!value.truthy()),
    })
}

pub(super) fn exists<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    Ok(Val::Bool(!argument(arguments, 0).is_undefined()))
}

pub(super) fn type_<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    Ok(match argument(arguments, 0) {
        Val::Undefined => Val::Undefined,
        value => Val::text(value.type_name()),
    })
}

pub(super) fn error_<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    bad("D3137", text(arguments, 0).unwrap_or("$error() function evaluated"))
}

pub(super) fn assert<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    if argument(arguments, 0).truthy() {
        return Ok(Val::Undefined);
    }
    bad("D3141", text(arguments, 1).unwrap_or("$assert() statement failed"))
}

pub(super) fn clone<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    evaluator.copy(argument(arguments, 0))
}

pub(super) fn keys<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let value = argument(arguments, 0);
    let mut names = IndexMap::new();
    let objects = if value.is_array() { value.items() } else { vec![value.clone()] };
    for object in objects {
        // Arrays inside of arrays count with their own objects.
        let inner = if object.is_array() { object.items() } else { vec![object] };
        for object in inner {
            for (key, _) in object.fields() {
                names.insert(key, ());
            }
        }
    }
    evaluator.hold(names.len())?;
    Ok(Val::sequence(names.into_keys().map(Val::String).collect()))
}

pub(super) fn lookup<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    evaluator.lookup(argument(arguments, 0), text(arguments, 1).unwrap_or_default())
}

pub(super) fn spread<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let value = argument(arguments, 0);
    if !value.is_array() && !value.is_object() {
        // A function is shown as nothing.
        return Ok(if value.is_function() { Val::text("") } else { value.clone() });
    }
    let mut out = Vec::new();
    for item in value.items() {
        if !item.is_object() {
            out.push(item);
            continue;
        }
        for (key, value) in item.fields() {
            evaluator.hold(2)?;
            out.push(Val::object(IndexMap::from([(key, value)])));
        }
    }
    Ok(Val::sequence(out))
}

pub(super) fn merge<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let value = argument(arguments, 0);
    if value.is_undefined() {
        return Ok(Val::Undefined);
    }
    let mut out = IndexMap::new();
    for object in value.items() {
        let fields = object.fields();
        evaluator.hold(fields.len())?;
        out.extend(fields);
    }
    Ok(Val::object(out))
}
