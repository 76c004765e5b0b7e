//! Numbers.

use super::super::error::Result;
use super::super::evaluate::{Evaluator, finite};
use super::super::picture;
use super::super::value::{Val, show_number};
use super::{argument, bad, counted, num, text};

fn all(array: &Val<'_>) -> Vec<f64> {
    (0..array.len()).filter_map(|n| array.get(n).and_then(|item| item.number())).collect()
}

pub(super) fn sum<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let array = argument(arguments, 0);
    if array.is_undefined() {
        return Ok(Val::Undefined);
    }
    evaluator.work(array.len())?;
    finite(all(array).into_iter().fold(0.0, |sum, n| sum + n))
}

pub(super) fn count<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    Ok(counted(argument(arguments, 0).len()))
}

pub(super) fn max<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    evaluator.work(argument(arguments, 0).len())?;
    Ok(all(argument(arguments, 0)).into_iter().reduce(f64::max).map_or(Val::Undefined, Val::Number))
}

pub(super) fn min<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    evaluator.work(argument(arguments, 0).len())?;
    Ok(all(argument(arguments, 0)).into_iter().reduce(f64::min).map_or(Val::Undefined, Val::Number))
}

pub(super) fn average<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let numbers = all(argument(arguments, 0));
    evaluator.work(numbers.len())?;
    if numbers.is_empty() {
        return Ok(Val::Undefined);
    }
    #[expect(clippy::cast_precision_loss, reason = "no array has that many items")]
    finite(numbers.iter().sum::<f64>() / numbers.len() as f64)
}

fn mapped<'a>(arguments: &[Val<'a>], map: fn(f64) -> f64) -> Result<Val<'a>> {
    num(arguments, 0).map_or(Ok(Val::Undefined), |n| finite(map(n)))
}

pub(super) fn abs<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    mapped(arguments, f64::abs)
}

pub(super) fn floor<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    mapped(arguments, f64::floor)
}

pub(super) fn ceil<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    mapped(arguments, f64::ceil)
}

pub(super) fn sqrt<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    match num(arguments, 0) {
        Some(n) if n < 0.0 => {
            bad("D3060", format!("The sqrt function cannot be applied to a negative number: {}", show_number(n)))
        }
        _ => mapped(arguments, f64::sqrt),
    }
}

pub(super) fn power<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (Some(base), Some(exponent)) = (num(arguments, 0), num(arguments, 1)) else { return Ok(Val::Undefined) };
    let result = base.powf(exponent);
    if result.is_finite() {
        return Ok(Val::Number(result));
    }
    let message = format!(
        "The power function has resulted in a value that cannot be represented as a JSON number: base={}, exponent={}",
        show_number(base),
        show_number(exponent)
    );
    bad("D3061", message)
}

pub(super) fn round<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(n) = num(arguments, 0) else { return Ok(Val::Undefined) };
    finite(round_to(n, num(arguments, 1).unwrap_or(0.0)))
}

/// Rounds to so many decimals, halves to the even neighbour.
pub(in super::super) fn round_to(n: f64, decimals: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "clamped first")]
    let decimals = decimals.trunc().clamp(-400.0, 400.0) as i32;
    let shifted = shift(n, decimals);
    let rounded = shifted.round_ties_even();
    let result = shift(rounded, -decimals);
    if result == 0.0 { 0.0 } else { result }
}

/// Moves the decimal point in the text, where no precision is lost.
fn shift(n: f64, decimals: i32) -> f64 {
    if decimals == 0 {
        return n;
    }
    let text = format!("{n:e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return n };
    let exponent = exponent.parse::<i32>().unwrap_or(0).saturating_add(decimals);
    format!("{mantissa}e{exponent}").parse().unwrap_or(n)
}

pub(super) fn number<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let value = argument(arguments, 0);
    match value {
        Val::Bool(b) => Ok(Val::Number(f64::from(u8::from(*b)))),
        Val::String(text) => match parsed(text) {
            Some(n) if n.is_finite() => Ok(Val::Number(n)),
            _ => bad("D3030", format!("Unable to cast value to a number: \"{}\"", &**text)),
        },
        _ => Ok(value.clone()),
    }
}

fn parsed(text: &str) -> Option<f64> {
    for (small, large, radix) in [("0x", "0X", 16), ("0o", "0O", 8), ("0b", "0B", 2)] {
        if let Some(digits) = text.strip_prefix(small).or_else(|| text.strip_prefix(large)) {
            if digits.is_empty() {
                return None;
            }
            return digits.chars().try_fold(0.0, |sum, c| Some(sum * f64::from(radix) + f64::from(c.to_digit(radix)?)));
        }
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let well_formed = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    let exponent = exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)));
    if well_formed && exponent { text.parse().ok() } else { None }
}

pub(super) fn format_base<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let Some(n) = num(arguments, 0) else { return Ok(Val::Undefined) };
    let n = round_to(n, 0.0);
    let radix = round_to(num(arguments, 1).unwrap_or(10.0), 0.0);
    if !(2.0..=36.0).contains(&radix) {
        let message = format!("The radix of the formatBase function must be between 2 and 36.  It was given {radix}");
        return bad("D3100", message);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 2 to 36; a cast saturates")]
    let (radix, mut left) = (radix as u32, n.abs() as u128);
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(left % u128::from(radix)).unwrap_or(0);
        digits.push(char::from_digit(digit, radix).unwrap_or('0'));
        left /= u128::from(radix);
        if left == 0 {
            break;
        }
    }
    if n < 0.0 {
        digits.push('-');
    }
    Ok(Val::text(digits.into_iter().rev().collect::<String>()))
}

pub(super) fn format_number<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (Some(n), Some(pattern)) = (num(arguments, 0), text(arguments, 1)) else { return Ok(Val::Undefined) };
    picture::limit(pattern)?;
    let options = argument(arguments, 2);
    picture::format_number(n, pattern, &|name| options.field(name).str().map(str::to_owned)).map(Val::text)
}

pub(super) fn format_integer<'a>(_: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (Some(n), Some(pattern)) = (num(arguments, 0), text(arguments, 1)) else { return Ok(Val::Undefined) };
    picture::limit(pattern)?;
    picture::Integer::parse(pattern)?.format(n.floor()).map(Val::text)
}

pub(super) fn parse_integer<'a>(evaluator: &mut Evaluator<'a>, arguments: &[Val<'a>]) -> Result<Val<'a>> {
    let (Some(text), Some(pattern)) = (text(arguments, 0), text(arguments, 1)) else { return Ok(Val::Undefined) };
    picture::limit(pattern)?;
    evaluator.work(text.len())?;
    Ok(picture::Integer::parse(pattern)?.check()?.read(text).map_or(Val::Undefined, Val::Number))
}
