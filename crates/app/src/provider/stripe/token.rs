//! What stands for a card: ids that Stripe.js made in the browser. Card numbers do not come here, except Stripe's own test
//! numbers with a test key.

use super::client::Fields;
use crate::provider::{Card, ProviderError, Token};

/// Stripe's test numbers and the payment methods that stand for them (<https://docs.stripe.com/testing>).
const TEST_CARDS: &[(&str, &str, &str)] = &[
    ("4242424242424242", "visa", "pm_card_visa"),
    ("5555555555554444", "mastercard", "pm_card_mastercard"),
    ("4000000000000002", "visa", "pm_card_visa_chargeDeclined"),
    ("4000000000009995", "visa", "pm_card_visa_chargeDeclinedInsufficientFunds"),
    ("4000000000009987", "visa", "pm_card_visa_chargeDeclinedLostCard"),
    ("4000000000000069", "visa", "pm_card_chargeDeclinedExpiredCard"),
    ("4000000000000127", "visa", "pm_card_chargeDeclinedIncorrectCvc"),
    ("4000000000000119", "visa", "pm_card_chargeDeclinedProcessingError"),
    ("4000002500003155", "visa", "pm_card_authenticationRequiredOnSetup"),
    ("4000002760003184", "visa", "pm_card_authenticationRequired"),
    ("4000000000003220", "visa", "pm_card_threeDSecure2Required"),
    ("4000000000007726", "visa", "pm_card_pendingRefund"),
    ("4000000000005126", "visa", "pm_card_refundFail"),
    ("4000000000000259", "visa", "pm_card_createDispute"),
];

/// The payment method of a test number; other numbers must not come here.
pub(super) fn of_card(card: &Card, is_test: bool) -> Result<Token, ProviderError> {
    let found = TEST_CARDS.iter().find(|(number, ..)| is_test && card.number == *number);
    let Some((number, brand, method)) = found else {
        return Err(ProviderError::Card {
            field: "number",
            problem: "this shop takes no card numbers: let Stripe.js make a payment method in the browser, and send its \
                      id as `{\"type\": \"token\", \"token\": \"pm_...\"}`",
        });
    };
    let last4 = number.get(number.len().saturating_sub(4)..).unwrap_or_default();
    Ok(Token { id: (*method).into(), brand: (*brand).into(), last4: last4.into() })
}

/// The fields that say with what a payment is made.
pub(super) fn fields(token: &str) -> Result<Fields, ProviderError> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    match token.split('_').next() {
        Some("pm" | "card" | "src") => Ok(vec![pair("payment_method", token)]),
        Some("tok") => {
            Ok(vec![pair("payment_method_data[type]", "card"), pair("payment_method_data[card][token]", token)])
        }
        _ => Err(ProviderError::Card {
            field: "token",
            problem: "the token is none of Stripe's: send the id of a payment method, `pm_...`, or a token, `tok_...`",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_numbers_with_a_test_key_become_methods() {
        #[track_caller]
        fn check(number: &str, is_test: bool, expected: Option<&str>) {
            let card = Card { number: number.into(), exp_month: 12, exp_year: 2099, cvc: "123".into() };
            assert_eq!(of_card(&card, is_test).ok().map(|token| token.id).as_deref(), expected);
        }
        check("4242424242424242", true, Some("pm_card_visa"));
        check("4000000000009995", true, Some("pm_card_visa_chargeDeclinedInsufficientFunds"));
        check("4242424242424242", false, None);
        check("4111111111111111", true, None);
        for (number, ..) in TEST_CARDS {
            assert!(crate::provider::is_card_number(number), "{number}");
        }
    }

    #[test]
    fn tokens_of_other_providers_are_refused() {
        assert_eq!(fields("pm_1").unwrap(), [("payment_method".to_owned(), "pm_1".to_owned())]);
        assert_eq!(fields("tok_visa").unwrap().len(), 2);
        assert!(fields("visa").is_err());
    }
}
