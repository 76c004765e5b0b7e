//! Decimal numbers without floats: twelve places, as prices of one request need.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const PLACES: usize = 12;
const ONE: u128 = 1_000_000_000_000;
const CENT: u128 = ONE / 100;

/// A number that is not negative, in units of 10^-12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal(u128);

impl Decimal {
    pub(super) const ZERO: Decimal = Decimal(0);

    pub(super) fn add(self, other: Decimal) -> Option<Decimal> {
        self.0.checked_add(other.0).map(Decimal)
    }

    pub(super) fn times(self, other: Decimal) -> Option<Decimal> {
        Some(Decimal(self.0.checked_mul(other.0)? / ONE))
    }

    pub(super) fn over(self, other: Decimal) -> Option<Decimal> {
        self.0.checked_mul(ONE)?.checked_div(other.0).map(Decimal)
    }

    /// Times a whole number, over another.
    pub(super) fn scale(self, times: u64, over: u64) -> Option<Decimal> {
        self.0.checked_mul(times.into())?.checked_div(over.into()).map(Decimal)
    }

    /// Rounded to two places, or to four where that would be nothing.
    pub(super) fn cents(self) -> String {
        let places = if self.0 < CENT / 2 { 4 } else { 2 };
        let unit = 10_u128.pow(PLACES as u32 - places);
        let rounded = (self.0 + unit / 2) / unit;
        let whole = 10_u128.pow(places);
        format!("{}.{:0width$}", rounded / whole, rounded % whole, width = places as usize)
    }
}

impl FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Decimal, String> {
        let wrong = || format!("`{text}` is no number such as 12 or 0.0125, with at most {PLACES} places");
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > PLACES || !digits(whole) || !digits(part) {
            return Err(wrong());
        }
        let whole: u128 = whole.parse().map_err(|_| wrong())?;
        let part: u128 = format!("{part:0<PLACES$}").parse().map_err(|_| wrong())?;
        whole.checked_mul(ONE).and_then(|whole| whole.checked_add(part)).map(Decimal).ok_or_else(wrong)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:0PLACES$}", self.0 / ONE, self.0 % ONE);
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl<'d> Deserialize<'d> for Decimal {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn numbers_are_read_computed_and_written() {
        let read = |text: &str| text.parse::<Decimal>().unwrap();
        for text in ["0", "1", "12.5", "0.000000000001", "13.3334"] {
            assert_eq!(read(text).to_string(), text);
        }
        for wrong in ["", ".5", "-1", "1e3", "1.0000000000000", "a", "1.2.3", "1.+5"] {
            assert!(wrong.parse::<Decimal>().is_err(), "{wrong}");
        }
        assert_eq!(read("0.1").times(read("0.3")), Some(read("0.03")));
        assert_eq!(read("25").over(read("1000000")), Some(read("0.000025")));
        assert_eq!(read("7").over(Decimal::ZERO), None);
        assert_eq!(read("10").scale(365, 12), Some(read("304.166666666666")));
        assert_eq!(
            (read("1.005").cents(), read("0.001").cents(), read("2").cents()),
            ("1.01".into(), "0.0010".into(), "2.00".into())
        );
    }
}
