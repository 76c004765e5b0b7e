//! Who orders. A customer may stay anonymous.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::money::Locale;

/// The customer of an order. Personal data: never in logs, traces or errors.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Customer {
    /// How to call the customer, 1 to 120 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where mails go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The Brazilian tax number, checked by its digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpf: Option<String>,
    /// The language of mails and receipts.
    #[serde(default)]
    pub locale: Locale,
}

impl std::fmt::Debug for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Customer(..)")
    }
}

/// Which field of a customer is wrong. The value itself stays out: it is personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CustomerError {
    /// Empty or too long.
    #[error("the name must have 1 to 120 characters")]
    Name,
    /// Not an address.
    #[error("the e-mail must look like `name@example.com`")]
    Email,
    /// Wrong length or check digits.
    #[error("the CPF must have 11 digits with valid check digits; leave it out if there is none")]
    Cpf,
}

impl CustomerError {
    /// The field within the customer.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            CustomerError::Name => "name",
            CustomerError::Email => "email",
            CustomerError::Cpf => "cpf",
        }
    }
}

impl Customer {
    /// Checks every field and normalises the CPF to its 11 digits.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn checked(mut self) -> Result<Customer, CustomerError> {
        if let Some(name) = &self.name
            && (name.trim().is_empty() || name.chars().count() > 120 || name.chars().any(char::is_control))
        {
            return Err(CustomerError::Name);
        }
        if self.email.as_deref().is_some_and(|email| !is_email(email)) {
            return Err(CustomerError::Email);
        }
        if let Some(cpf) = &self.cpf {
            self.cpf = Some(parse_cpf(cpf).ok_or(CustomerError::Cpf)?);
        }
        Ok(self)
    }
}

/// Whether a text can be an e-mail address: one `@`, no spaces or control characters, a dotted domain, at most 254 bytes
/// (RFC 5321, section 4.5.3.1.3, less the angle brackets).
#[must_use]
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>()[]\\,;:\"@".contains(c);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    text.len() <= 254
        && !local.is_empty()
        && local.len() <= 64
        && !local.starts_with('.')
        && !local.ends_with('.')
        && local.chars().all(plain)
        && domain.contains('.')
        && domain.split('.').all(label)
}

/// The 11 digits of a CPF, with or without its usual punctuation, if its two check digits are right.
///
/// The check digits are weighted sums modulo 11 (Receita Federal); numbers of one repeated digit pass the sum but are
/// never issued.
#[must_use]
pub fn parse_cpf(text: &str) -> Option<String> {
    if text.len() > 14 || text.chars().any(|c| !c.is_ascii_digit() && c != '.' && c != '-') {
        return None;
    }
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let (first, rest) = digits.split_first()?;
    if digits.len() != 11 || rest.iter().all(|digit| digit == first) {
        return None;
    }
    let check = |count: usize| {
        let weights = (2..=count as u32 + 1).rev();
        let sum: u32 = digits.iter().take(count).zip(weights).map(|(d, w)| d * w).sum();
        Some(&(sum * 10 % 11 % 10)) == digits.get(count)
    };
    (check(9) && check(10)).then(|| digits.iter().filter_map(|d| char::from_digit(*d, 10)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpf_digits_are_checked() {
        #[track_caller]
        fn check(text: &str, good: bool) {
            assert_eq!(parse_cpf(text).is_some(), good, "{text}");
        }
        check("529.982.247-25", true);
        check("52998224725", true);
        check("11144477735", true);
        check("529.982.247-24", false);
        check("52998224735", false);
        check("11111111111", false);
        check("00000000000", false);
        check("5299822472", false);
        check("529982247255", false);
        check("529 982 247 25", false);
        check("", false);
        assert_eq!(parse_cpf("529.982.247-25").as_deref(), Some("52998224725"));
    }

    #[test]
    fn emails_look_like_addresses() {
        #[track_caller]
        fn check(text: &str, good: bool) {
            assert_eq!(is_email(text), good, "{text}");
        }
        check("ana@example.com", true);
        check("ana+tag@mail.example.com.br", true);
        check("joão@exemplo.com.br", true);
        check("ana@example", false);
        check("ana example@example.com", false);
        check("ana@@example.com", false);
        check("@example.com", false);
        check("ana@.com", false);
        check("ana@example.com\r\nBcc: x@example.com", false);
        check(".ana@example.com", false);
        check(&format!("{}@example.com", "a".repeat(65)), false);
    }
}
