//! The functions that AWS adds ("JSONata functions provided by Step Functions" in its guide), and `$random`.

use super::super::error::Result;
use super::super::evaluate::{Evaluator, finite};
use super::super::value::Val;
use super::{argument, bad, index, num, text};
use crate::environment;

pub(super) fn partition<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (array, size) = (argument(arguments, 0), num(arguments, 1));
    let (false, Some(size)) = (array.is_undefined(), size) else { return Ok(Val::Undefined) };
    if size.floor() < 1.0 {
        return bad("D3001", "The size of a partition must be 1 or more");
    }
    let items = array.items();
    evaluator.hold(items.len().saturating_mul(2))?;
    Ok(Val::array(items.chunks(index(size)).map(|part| Val::array(part.to_vec())).collect()))
}

pub(super) fn range<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (Some(first), Some(last), Some(step)) = (num(arguments, 0), num(arguments, 1), num(arguments, 2)) else {
        return Ok(Val::Undefined);
    };
    if step == 0.0 {
        return bad("D3001", "The step of a range must not be 0");
    }
    let mut out = Vec::new();
    let mut at = first;
    while (step > 0.0 && at <= last) || (step < 0.0 && at >= last) {
        evaluator.hold(1)?;
        out.push(Val::Number(at));
        at += step;
    }
    Ok(Val::sequence(out))
}

pub(super) fn hash<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let value = argument(arguments, 0);
    if value.is_undefined() {
        return Ok(Val::Undefined);
    }
    let data = evaluator.string_of(value)?;
    evaluator.work(data.len() / 16)?;
    let algorithm = text(arguments, 1).unwrap_or("SHA-256");
    match crate::digest::hex(data.as_bytes(), algorithm) {
        Some(hex) => Ok(Val::text(hex)),
        None => bad("D3001", format!("There is no algorithm {algorithm}")),
    }
}

pub(super) fn random<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let drawn = match num(arguments, 0) {
        Some(seed) => environment::random(seed.to_bits(), 0),
        None => (evaluator.draw)(),
    };
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept, which an f64 holds exactly")]
    finite((drawn >> 11) as f64 / 9_007_199_254_740_992.0)
}

pub(super) fn uuid<'a>(evaluator: &mut Evaluator<'a>, _: &[Val<'a>]) -> Result<Val<'a>> {
    let (high, low) = ((evaluator.draw)(), (evaluator.draw)());
    Ok(Val::text(environment::uuid(high, low)))
}

pub(super) fn parse<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(text) = text(arguments, 0) else { return Ok(Val::Undefined) };
    evaluator.hold_bytes(text.len())?;
    match serde_json::from_str(text) {
        Ok(value) => owned(evaluator, &value),
        Err(e) => bad("D3001", format!("The text is not JSON: {e}")),
    }
}

/// JSON that nobody else holds.
fn owned<'a>(evaluator: &mut Evaluator<'a>, value: &serde_json::Value) -> Result<Val<'a>> {
    use serde_json::Value;

    evaluator.hold(1)?;
    Ok(match value {
        Value::Null => Val::Null,
        Value::Bool(b) => Val::Bool(*b),
        Value::Number(n) => match n.as_i64() {
            Some(i) if i.unsigned_abs() >= 1 << 53 => Val::Long(i),
            _ => Val::Number(n.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Val::text(text.as_str()),
        Value::Array(items) => {
            let mut out = Vec::with_capacity(items.len());
            for item in items {
                out.push(owned(evaluator, item)?);
            }
            Val::array(out).checked()?
        }
        Value::Object(map) => {
            let mut out = indexmap::IndexMap::with_capacity(map.len());
            for (key, item) in map {
                let item = owned(evaluator, item)?;
                out.insert(super::super::call::shared(key), item);
            }
            Val::object(out).checked()?
        }
    })
}
