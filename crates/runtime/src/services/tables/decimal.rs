//! DynamoDB's numbers: 38 significant digits, exactly.

use std::cmp::Ordering;
use std::fmt;

/// The most significant digits.
const MAX_DIGITS: u32 = 38;
/// The exponents of the greatest and the least magnitude.
const EXPONENTS: std::ops::RangeInclusive<i32> = -130..=125;
/// Numbers of more places than these are written with an exponent.
const MAX_PLAIN: i32 = 60;

/// `mantissa * 10^exponent`, the mantissa without zeros at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    mantissa: i128,
    exponent: i32,
}

const TOO_MANY: &str = "Attempting to store more than 38 significant digits in a Number";
const OVERFLOW: &str = "Number overflow. Attempting to store a number with magnitude larger than supported range";
const UNDERFLOW: &str = "Number underflow. Attempting to store a number with magnitude smaller than supported range";

impl Decimal {
    fn new(mantissa: i128, exponent: i32) -> Result<Decimal, String> {
        let (mut mantissa, mut exponent) = (mantissa, exponent);
        if mantissa == 0 {
            return Ok(Decimal { mantissa: 0, exponent: 0 });
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        let number = Decimal { mantissa, exponent };
        if number.digits() > MAX_DIGITS as i32 {
            return Err(TOO_MANY.into());
        }
        match number.magnitude() - 1 {
            high if high > *EXPONENTS.end() => Err(OVERFLOW.into()),
            low if low < *EXPONENTS.start() => Err(UNDERFLOW.into()),
            _ => Ok(number),
        }
    }

    fn digits(self) -> i32 {
        match self.mantissa.unsigned_abs().checked_ilog10() {
            Some(log) => i32::try_from(log).unwrap_or(i32::MAX) + 1,
            None => 0,
        }
    }

    /// The place of its first digit.
    fn magnitude(self) -> i32 {
        self.digits() + self.exponent
    }

    pub(super) fn parse(text: &str) -> Result<Decimal, String> {
        let wrong = || "The parameter cannot be converted to a numeric value".to_owned();
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().map_err(|_| wrong())?),
            None => (text, 0),
        };
        let (negative, digits) = match digits.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, digits.strip_prefix('+').unwrap_or(digits)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all: String = [whole, fraction].concat();
        if all.is_empty() || all.len() > 400 || !all.bytes().all(|b| b.is_ascii_digit()) || exponent.abs() > 1_000 {
            return Err(wrong());
        }
        let places = i32::try_from(fraction.len()).map_err(|_| wrong())?;
        let kept = all.trim_start_matches('0');
        let trimmed = kept.trim_end_matches('0');
        let cut = i32::try_from(kept.len() - trimmed.len()).map_err(|_| wrong())?;
        if trimmed.len() > MAX_DIGITS as usize {
            return Err(TOO_MANY.into());
        }
        let mantissa: i128 = if trimmed.is_empty() { 0 } else { trimmed.parse().map_err(|_| wrong())? };
        Decimal::new(if negative { -mantissa } else { mantissa }, exponent - places + cut)
    }

    pub(super) fn plus(self, other: Decimal) -> Result<Decimal, String> {
        if self.mantissa == 0 {
            return Ok(other);
        }
        if other.mantissa == 0 {
            return Ok(self);
        }
        let exponent = self.exponent.min(other.exponent);
        let aligned = |number: Decimal| {
            let power = u32::try_from(number.exponent - exponent).ok()?;
            number.mantissa.checked_mul(10_i128.checked_pow(power)?)
        };
        let sum = aligned(self).zip(aligned(other)).and_then(|(a, b)| a.checked_add(b));
        Decimal::new(sum.ok_or(TOO_MANY)?, exponent)
    }

    pub(super) fn minus(self, other: Decimal) -> Result<Decimal, String> {
        self.plus(Decimal { mantissa: -other.mantissa, ..other })
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let signs = self.mantissa.signum().cmp(&other.mantissa.signum());
        if signs != Ordering::Equal || self.mantissa == 0 {
            return signs;
        }
        let by_magnitude = self.magnitude().cmp(&other.magnitude());
        let larger = by_magnitude.then_with(|| {
            // Of one magnitude, both have at most 38 digits when they are aligned.
            let exponent = self.exponent.min(other.exponent);
            let aligned = |number: &Decimal| {
                let power = u32::try_from(number.exponent - exponent).unwrap_or(0);
                number.mantissa.unsigned_abs().saturating_mul(10_u128.saturating_pow(power))
            };
            aligned(self).cmp(&aligned(other))
        });
        if self.mantissa < 0 { larger.reverse() } else { larger }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        let length = self.digits();
        let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
        let point = length + self.exponent;
        if point.abs() > MAX_PLAIN {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            return write!(f, "{sign}{first}{dot}{rest}E{:+}", point - 1);
        }
        match self.exponent {
            0.. => write!(f, "{sign}{digits}{}", zeros(self.exponent)),
            _ if point <= 0 => write!(f, "{sign}0.{}{digits}", zeros(-point)),
            _ => {
                let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
                write!(f, "{sign}{whole}.{fraction}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_exact() {
        for (text, want) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("1.50", "1.5"),
            ("1E3", "1000"),
            ("00012", "12"),
            ("-1.5e-3", "-0.0015"),
            ("1e100", "1E+100"),
            ("-12e-100", "-1.2E-99"),
            ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
        ] {
            assert_eq!(of(text).to_string(), want);
            assert_eq!(of(&of(text).to_string()), of(text));
        }
        for bad in [
            "",
            "-",
            ".",
            "1x",
            "1e",
            "0x1",
            "1e126",
            "1e-131",
            "999999999999999999999999999999999999999",
            "1e99999999999",
        ] {
            assert!(Decimal::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(of("0.1").plus(of("0.2")).unwrap(), of("0.3"));
        assert_eq!(of("1").minus(of("1000.5")).unwrap(), of("-999.5"));
        assert!(of("1e100").plus(of("1")).is_err(), "38 digits do not hold it");
        let sorted = ["-1e5", "-2", "-1.5", "0", "1e-9", "1", "1.5", "2", "10", "1e20"].map(of);
        assert!(sorted.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
