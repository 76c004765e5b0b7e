//! Instants: their texts, and the moment of the evaluation.

use super::super::error::Result;
use super::super::evaluate::Evaluator;
use super::super::value::Val;
use super::super::{datetime, picture};
use super::{num, text};

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit an f64 exactly")]
pub(super) fn millis<'a>(evaluator: &mut Evaluator<'a>, _: &[Val<'a>]) -> Result<Val<'a>> {
    Ok(Val::Number(evaluator.now_ms as f64))
}

pub(super) fn now<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    picture::limit(text(arguments, 0).unwrap_or_default())?;
    datetime::format(evaluator.now_ms, text(arguments, 0), text(arguments, 1)).map(Val::text)
}

pub(super) fn from_millis<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(n) = num(arguments, 0) else { return Ok(Val::Undefined) };
    picture::limit(text(arguments, 1).unwrap_or_default())?;
    #[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and dates so far away are refused")]
    datetime::format(n as i64, text(arguments, 1), text(arguments, 2)).map(Val::text)
}

pub(super) fn to_millis<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(instant) = text(arguments, 0) else { return Ok(Val::Undefined) };
    evaluator.work(instant.len() / 16)?;
    let found = match text(arguments, 1) {
        None => Some(datetime::parse_iso(instant)?),
        Some(picture) => {
            picture::limit(picture)?;
            datetime::parse(instant, picture, evaluator.now_ms)?
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit an f64 exactly")]
    Ok(found.map_or(Val::Undefined, |ms| Val::Number(ms as f64)))
}
