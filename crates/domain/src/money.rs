//! Amounts: integer minor units and a currency, never a float.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The largest amount of one order in minor units: ten million in whole units, far from any overflow.
pub const MAX_AMOUNT: i64 = 1_000_000_000;

/// A currency with two decimals, named by its ISO 4217 code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Currency {
    /// Brazilian real.
    BRL,
    /// United States dollar.
    USD,
    /// Euro.
    EUR,
}

impl Currency {
    /// The ISO 4217 code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Currency::BRL => "BRL",
            Currency::USD => "USD",
            Currency::EUR => "EUR",
        }
    }

    /// The currency of an ISO 4217 code, in any case.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Currency> {
        [Currency::BRL, Currency::USD, Currency::EUR]
            .into_iter()
            .find(|currency| currency.code().eq_ignore_ascii_case(code))
    }

    fn symbol(self) -> &'static str {
        match self {
            Currency::BRL => "R$",
            Currency::USD => "US$",
            Currency::EUR => "€",
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The language of what a customer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub enum Locale {
    /// Brazilian Portuguese.
    #[default]
    #[serde(rename = "pt-BR")]
    Portuguese,
    /// English.
    #[serde(rename = "en")]
    English,
}

impl Locale {
    /// Its BCP 47 tag.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Locale::Portuguese => "pt-BR",
            Locale::English => "en",
        }
    }

    /// The locale of a tag; Portuguese for an unknown one.
    #[must_use]
    pub fn from_tag(tag: &str) -> Locale {
        if tag.starts_with("en") { Locale::English } else { Locale::Portuguese }
    }
}

/// An amount in minor units (cents, centavos), so never a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    /// Minor units.
    pub minor: i64,
    /// Of this currency.
    pub currency: Currency,
}

impl Money {
    /// An amount.
    #[must_use]
    pub fn new(minor: i64, currency: Currency) -> Money {
        Money { minor, currency }
    }

    /// As a person of that language writes it: `R$ 1.234,56`, `R$ 1,234.56`.
    #[must_use]
    pub fn display(self, locale: Locale) -> String {
        format!("{} {}", self.currency.symbol(), plain(self.minor, locale))
    }
}

/// The amount without its currency: `1.234,56` or `1,234.56`.
#[must_use]
pub fn plain(minor: i64, locale: Locale) -> String {
    let (thousands, decimal) = match locale {
        Locale::Portuguese => ('.', ','),
        Locale::English => (',', '.'),
    };
    let (whole, cents) = (minor.unsigned_abs() / 100, minor.unsigned_abs() % 100);
    let digits = whole.to_string();
    let mut text = String::with_capacity(digits.len() + 8);
    if minor < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(thousands);
        }
        text.push(digit);
    }
    text.push(decimal);
    if cents < 10 {
        text.push('0');
    }
    text + &cents.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        #[track_caller]
        fn check(minor: i64, portuguese: &str, english: &str) {
            assert_eq!(plain(minor, Locale::Portuguese), portuguese);
            assert_eq!(plain(minor, Locale::English), english);
        }
        check(0, "0,00", "0.00");
        check(5, "0,05", "0.05");
        check(2590, "25,90", "25.90");
        check(100_000, "1.000,00", "1,000.00");
        check(123_456_789, "1.234.567,89", "1,234,567.89");
        check(-2590, "-25,90", "-25.90");
        check(i64::MIN, "-92.233.720.368.547.758,08", "-92,233,720,368,547,758.08");
        assert_eq!(Money::new(2590, Currency::BRL).display(Locale::Portuguese), "R$ 25,90");
        assert_eq!(Currency::from_code("brl"), Some(Currency::BRL));
        assert_eq!(Currency::from_code("XXX"), None);
    }
}
