//! Numbers by a picture such as `#,##0.00;(#,##0.00)`.

use super::super::error::{Result, error};
use super::super::functions::round_to;
use super::repeat;

/// The characters that a picture is written with.
struct Symbols {
    decimal: char,
    grouping: char,
    exponent: char,
    minus: String,
    percent: String,
    per_mille: String,
    zero: char,
    digit: char,
    pattern: char,
}

impl Symbols {
    fn new(option: &dyn Fn(&str) -> Option<String>) -> Symbols {
        let one = |name: &str, usual: char| option(name).and_then(|text| text.chars().next()).unwrap_or(usual);
        let text = |name: &str, usual: &str| option(name).filter(|t| !t.is_empty()).unwrap_or_else(|| usual.into());
        Symbols {
            decimal: one("decimal-separator", '.'),
            grouping: one("grouping-separator", ','),
            exponent: one("exponent-separator", 'e'),
            minus: text("minus-sign", "-"),
            percent: text("percent", "%"),
            per_mille: text("per-mille", "\u{2030}"),
            zero: one("zero-digit", '0'),
            digit: one("digit", '#'),
            pattern: one("pattern-separator", ';'),
        }
    }

    fn is_digit(&self, c: char) -> bool {
        (u32::from(self.zero)..u32::from(self.zero) + 10).contains(&u32::from(c))
    }

    fn is_active(&self, c: char) -> bool {
        self.is_digit(c) || [self.decimal, self.exponent, self.grouping, self.digit, self.pattern].contains(&c)
    }

    fn place(&self, c: char) -> bool {
        self.is_digit(c) || c == self.digit
    }
}

/// One half of a picture, taken apart.
#[derive(Clone)]
struct Part {
    prefix: String,
    suffix: String,
    whole: String,
    least_integer: usize,
    scaling: usize,
    least_fraction: usize,
    most_fraction: usize,
    least_exponent: Option<usize>,
    regular: usize,
    integer_groups: Vec<usize>,
    fraction_groups: Vec<usize>,
}

fn count(chars: &[char], fits: impl Fn(char) -> bool) -> usize {
    chars.iter().filter(|c| fits(**c)).count()
}

fn part(symbols: &Symbols, text: &str) -> Result<Part> {
    let chars: Vec<char> = text.chars().collect();
    let shown = |c: &char| symbols.is_active(*c) && *c != symbols.exponent;
    let (Some(start), Some(end)) = (chars.iter().position(shown), chars.iter().rposition(shown)) else {
        return error("D3085", "The mantissa part of the picture string must contain at least one digit");
    };
    let slice = |from: usize, to: usize| chars.get(from..to.max(from)).unwrap_or_default();
    let active = slice(start, end + 1);
    let exponent_at = active.iter().position(|c| *c == symbols.exponent);
    let (mantissa, exponent) = match exponent_at {
        Some(at) => (active.get(..at).unwrap_or_default(), active.get(at + 1..)),
        None => (active, None),
    };
    let suffix = slice(end + 1, chars.len());
    let (integer, fraction) = match mantissa.iter().position(|c| *c == symbols.decimal) {
        Some(at) => (mantissa.get(..at).unwrap_or_default(), mantissa.get(at + 1..).unwrap_or_default()),
        None => (mantissa, suffix),
    };
    check(symbols, text, &chars, active, mantissa, integer, fraction, exponent)?;

    let groups = |part: &[char], to_left: bool| -> Vec<usize> {
        let places = part.iter().enumerate().filter(|(_, c)| **c == symbols.grouping);
        places
            .map(|(at, _)| {
                let side = if to_left { part.get(..at) } else { part.get(at..) };
                count(side.unwrap_or_default(), |c| symbols.place(c))
            })
            .collect()
    };
    let integer_groups = groups(integer, false);
    let mut least_integer = count(integer, |c| symbols.is_digit(c));
    let scaling = least_integer;
    let mut least_fraction = count(fraction, |c| symbols.is_digit(c));
    let mut most_fraction = count(fraction, |c| symbols.place(c));
    if least_integer == 0 && most_fraction == 0 {
        match exponent {
            Some(_) => (least_fraction, most_fraction) = (1, 1),
            None => least_integer = 1,
        }
    }
    if exponent.is_some() && least_integer == 0 && integer.contains(&symbols.digit) {
        least_integer = 1;
    }
    if least_integer == 0 && least_fraction == 0 {
        least_fraction = 1;
    }
    Ok(Part {
        prefix: slice(0, start).iter().collect(),
        suffix: suffix.iter().collect(),
        whole: text.into(),
        least_integer,
        scaling,
        least_fraction,
        most_fraction,
        least_exponent: exponent.map(|exponent| count(exponent, |c| symbols.is_digit(c))),
        regular: repeat(&integer_groups),
        integer_groups,
        fraction_groups: groups(fraction, true),
    })
}

#[expect(clippy::too_many_arguments, reason = "each is a different part of one picture")]
fn check(
    symbols: &Symbols,
    text: &str,
    chars: &[char],
    active: &[char],
    mantissa: &[char],
    integer: &[char],
    fraction: &[char],
    exponent: Option<&[char]>,
) -> Result<()> {
    let twice = |what: &str| text.find(what) != text.rfind(what);
    if count(chars, |c| c == symbols.decimal) > 1 {
        return error(
            "D3081",
            "The sub-picture must not contain more than one instance of the 'decimal-separator' character",
        );
    }
    if twice(&symbols.percent) {
        return error("D3082", "The sub-picture must not contain more than one instance of the 'percent' character");
    }
    if twice(&symbols.per_mille) {
        return error("D3083", "The sub-picture must not contain more than one instance of the 'per-mille' character");
    }
    let (percent, per_mille) = (text.contains(&symbols.percent), text.contains(&symbols.per_mille));
    if percent && per_mille {
        return error("D3084", "The sub-picture must not contain both a 'percent' and a 'per-mille' character");
    }
    if !mantissa.iter().any(|c| symbols.place(*c)) {
        return error(
            "D3085",
            "The mantissa part of a sub-picture must contain at least one character that is either an 'optional digit character' or a member of the 'decimal digit family'",
        );
    }
    if active.iter().any(|c| !symbols.is_active(*c)) {
        return error(
            "D3086",
            "The sub-picture must not contain a passive character that is preceded by an active character and that is followed by another active character",
        );
    }
    match chars.iter().position(|c| *c == symbols.decimal) {
        Some(at) => {
            let beside = [at.checked_sub(1), Some(at + 1)];
            if beside.into_iter().flatten().any(|at| chars.get(at) == Some(&symbols.grouping)) {
                return error(
                    "D3087",
                    "The sub-picture must not contain a 'grouping-separator' character that appears adjacent to a 'decimal-separator' character",
                );
            }
        }
        None if integer.last() == Some(&symbols.grouping) => {
            return error(
                "D3088",
                "The sub-picture must not contain a 'grouping-separator' at the end of the integer part",
            );
        }
        None => {}
    }
    if chars.windows(2).any(|pair| pair.iter().all(|c| *c == symbols.grouping)) {
        return error(
            "D3089",
            "The sub-picture must not contain two adjacent instances of the 'grouping-separator' character",
        );
    }
    if let Some(at) = integer.iter().position(|c| *c == symbols.digit)
        && integer.iter().take(at).any(|c| symbols.is_digit(*c))
    {
        return error(
            "D3090",
            "The integer part of the sub-picture must not contain a member of the 'decimal digit family' that is followed by an instance of the 'optional digit character'",
        );
    }
    if let Some(at) = fraction.iter().rposition(|c| *c == symbols.digit)
        && fraction.iter().skip(at).any(|c| symbols.is_digit(*c))
    {
        return error(
            "D3091",
            "The fractional part of the sub-picture must not contain an instance of the 'optional digit character' that is followed by a member of the 'decimal digit family'",
        );
    }
    if let Some(exponent) = exponent {
        if !exponent.is_empty() && (percent || per_mille) {
            return error(
                "D3092",
                "A sub-picture that contains a 'percent' or 'per-mille' character must not contain a character treated as an 'exponent-separator'",
            );
        }
        if exponent.is_empty() || exponent.iter().any(|c| !symbols.is_digit(*c)) {
            return error(
                "D3093",
                "The exponent part of the sub-picture must comprise only of one or more characters that are members of the 'decimal digit family'",
            );
        }
    }
    Ok(())
}

/// Formats a number; `option` gives other symbols than the usual ones.
pub(in super::super) fn format_number(
    n: f64,
    picture: &str,
    option: &dyn Fn(&str) -> Option<String>,
) -> Result<String> {
    let symbols = Symbols::new(option);
    let pictures: Vec<&str> = picture.split(symbols.pattern).collect();
    let (positive, negative) = match pictures.as_slice() {
        [only] => {
            let part = part(&symbols, only)?;
            let mut negative = part.clone();
            negative.prefix.insert_str(0, &symbols.minus);
            (part, negative)
        }
        [positive, negative] => (part(&symbols, positive)?, part(&symbols, negative)?),
        _ => {
            return error("D3080", "The second argument of formatNumber must contain at most two sub-pictures");
        }
    };
    let part = if n >= 0.0 { positive } else { negative };
    let mut mantissa = if part.whole.contains(&symbols.percent) {
        n * 100.0
    } else if part.whole.contains(&symbols.per_mille) {
        n * 1000.0
    } else {
        n
    };
    let mut exponent = 0i32;
    if part.least_exponent.is_some() && mantissa != 0.0 {
        let scaling = i32::try_from(part.scaling).unwrap_or(i32::MAX);
        let (most, least) = (10f64.powi(scaling), 10f64.powi(scaling - 1));
        while mantissa.abs() < least && exponent > -400 {
            mantissa *= 10.0;
            exponent -= 1;
        }
        while mantissa.abs() > most && exponent < 400 {
            mantissa /= 10.0;
            exponent += 1;
        }
    }
    let digits = digits(&symbols, &part, mantissa);
    let mut out = part.prefix.clone();
    out.push_str(&digits);
    if let Some(least) = part.least_exponent {
        out.push(symbols.exponent);
        if exponent < 0 {
            out.push_str(&symbols.minus);
        }
        let plain = exponent.unsigned_abs().to_string();
        let padding = std::iter::repeat_n('0', least.saturating_sub(plain.len()));
        out.extend(padding.chain(plain.chars()).map(|c| family(&symbols, c)));
    }
    out.push_str(&part.suffix);
    Ok(out)
}

fn family(symbols: &Symbols, c: char) -> char {
    c.to_digit(10).and_then(|digit| char::from_u32(u32::from(symbols.zero) + digit)).unwrap_or(c)
}

/// The mantissa with its separators.
fn digits(symbols: &Symbols, part: &Part, mantissa: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "the length of a short picture")]
    let rounded = round_to(mantissa, part.most_fraction as f64).abs();
    let fixed = format!("{rounded:.*}", part.most_fraction);
    let (whole, fraction) = fixed.split_once('.').unwrap_or((&fixed, ""));
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let zeros = |n: usize| std::iter::repeat_n('0', n);
    let mut integer: Vec<char> = zeros(part.least_integer.saturating_sub(whole.len()))
        .chain(whole.chars())
        .map(|c| family(symbols, c))
        .collect();
    let mut decimals: Vec<char> = fraction
        .chars()
        .chain(zeros(part.least_fraction.saturating_sub(fraction.len())))
        .map(|c| family(symbols, c))
        .collect();
    let length = integer.len();
    if let Some(most) = length.saturating_sub(1).checked_div(part.regular) {
        for n in 1..=most {
            integer.insert(length - n * part.regular, symbols.grouping);
        }
    } else {
        let mut groups = part.integer_groups.clone();
        groups.sort_unstable();
        for position in groups.into_iter().filter(|position| *position < length) {
            integer.insert(length - position, symbols.grouping);
        }
    }
    for (n, position) in part.fraction_groups.iter().enumerate() {
        if position + n <= decimals.len() {
            decimals.insert(position + n, symbols.grouping);
        }
    }
    let mut out: String = integer.into_iter().collect();
    if part.whole.contains(symbols.decimal) && !decimals.is_empty() {
        out.push(symbols.decimal);
        out.extend(decimals);
    }
    out
}
