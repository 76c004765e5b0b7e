//! Amounts as PayPal writes them: decimal strings (<https://developer.paypal.com/api/rest/reference/currency-codes/>).

use serde::{Deserialize, Serialize};

use crate::provider::ProviderError;

/// Currencies of which PayPal takes whole units only.
const WHOLE: &[&str] = &["HUF", "JPY", "TWD"];

/// An amount with its currency.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WireMoney {
    pub(super) currency_code: String,
    pub(super) value: String,
}

/// How many decimals the minor unit of a currency is (ISO 4217).
fn decimals(currency: &str) -> usize {
    if currency == "JPY" { 0 } else { 2 }
}

impl WireMoney {
    /// An amount in minor units as PayPal takes it.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`] for a part of a unit of a currency of which PayPal takes whole units only.
    pub(super) fn of(minor: i64, currency: &str) -> Result<WireMoney, ProviderError> {
        let unit = 10_u64.pow(u32::try_from(decimals(currency)).unwrap_or(0));
        let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
        let sign = if minor < 0 { "-" } else { "" };
        let value = match (WHOLE.contains(&currency), part) {
            (true, 0) => format!("{sign}{whole}"),
            (true, _) => {
                return Err(ProviderError::Invalid(format!("PayPal takes whole {currency} only; round the prices")));
            }
            (false, _) => format!("{sign}{whole}.{part:0width$}", width = decimals(currency)),
        };
        Ok(WireMoney { currency_code: currency.to_owned(), value })
    }

    /// The amount in minor units; `None` if it is none.
    pub(super) fn minor(&self) -> Option<i64> {
        let places = decimals(&self.currency_code);
        let (sign, digits) = match self.value.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, self.value.as_str()),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        // What PayPal writes beyond the minor unit are zeros.
        let kept = part.get(..part.len().min(places))?;
        let rest = part.get(kept.len()..)?;
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(kept) || rest.bytes().any(|b| b != b'0') {
            return None;
        }
        format!("{whole}{kept:0<places$}").parse::<i64>().ok()?.checked_mul(sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_decimal_strings() {
        #[track_caller]
        fn check(minor: i64, currency: &str, value: &str) {
            let money = WireMoney::of(minor, currency).unwrap();
            assert_eq!((money.value.as_str(), money.minor()), (value, Some(minor)));
        }
        check(5_180, "BRL", "51.80");
        check(5, "EUR", "0.05");
        check(-1_234, "USD", "-12.34");
        check(0, "USD", "0.00");
        check(500, "JPY", "500");
        check(120_000, "HUF", "1200");
        check(9_900, "TWD", "99");
        assert!(WireMoney::of(120_050, "HUF").is_err());
    }

    #[test]
    fn what_is_no_amount_is_not_read() {
        let read = |value: &str| WireMoney { currency_code: "BRL".into(), value: value.into() }.minor();
        assert_eq!(read("7"), Some(700));
        assert_eq!(read("7.5"), Some(750));
        assert_eq!(read("7.500"), Some(750));
        for value in ["", "-", ".5", "7.505", "1e3", "7,50", "é", "99999999999999999999"] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
