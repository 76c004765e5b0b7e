//! What a card number makes the simulator do.

use crate::provider::{Card, ProviderError, Token, is_card_number};

/// What happens to a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// 4242 4242 4242 4242, 5555 5555 5555 4444 and every other valid number: held, with one webhook.
    Success,
    /// 4000 0000 0000 0002: declined.
    Declined,
    /// 4000 0000 0000 9995: not enough money.
    NoFunds,
    /// 4000 0000 0000 9987: a lost card.
    Lost,
    /// 4000 0000 0000 0069: an expired card.
    ExpiredCard,
    /// 4000 0000 0000 0127: a wrong security code.
    WrongCvc,
    /// 4000 0000 0000 0119: the provider failed to process it.
    ProcessingError,
    /// 4000 0025 0000 3155, 4000 0027 6000 3184, 4000 0000 0000 3220: the customer must authenticate.
    Authenticate,
    /// 4000 0000 0010 0018: held, the webhook comes late.
    LateWebhook,
    /// 4000 0000 0010 0026: held, the webhook comes twice.
    DuplicateWebhook,
    /// 4000 0000 0010 0034: held, the webhook never comes; polling finds it.
    NoWebhook,
    /// 4000 0000 0010 0042: held, an older event comes after the newer one.
    ReorderedWebhook,
    /// 4000 0000 0010 0059: held, and the capture is refused.
    CaptureFails,
    /// 4000 0000 0010 0067: held, and neither void nor refund work: a case for a person.
    UndoFails,
    /// 4000 0000 0010 0075: every call takes effect, and its answer is lost the first time: asked again, it says what was done.
    LosesAnswers,
    /// 4000 0000 0000 7726: a refund is pending for a while.
    RefundPending,
    /// 4000 0000 0000 5126: a refund is pending for a while and then fails.
    RefundFails,
    /// 4000 0000 0000 0259: the customer's bank disputes the payment after the capture.
    Disputed,
    /// A Pix.
    Pix,
}

const ALL: &[(Behaviour, &str, &[&str])] = &[
    (Behaviour::Success, "success", &["4242424242424242"]),
    (Behaviour::Declined, "declined", &["4000000000000002"]),
    (Behaviour::NoFunds, "nofunds", &["4000000000009995"]),
    (Behaviour::Lost, "lost", &["4000000000009987"]),
    (Behaviour::ExpiredCard, "expired", &["4000000000000069"]),
    (Behaviour::WrongCvc, "wrongcvc", &["4000000000000127"]),
    (Behaviour::ProcessingError, "processing", &["4000000000000119"]),
    (Behaviour::Authenticate, "authenticate", &["4000002500003155", "4000002760003184", "4000000000003220"]),
    (Behaviour::LateWebhook, "late", &["4000000000100018"]),
    (Behaviour::DuplicateWebhook, "duplicate", &["4000000000100026"]),
    (Behaviour::NoWebhook, "never", &["4000000000100034"]),
    (Behaviour::ReorderedWebhook, "reordered", &["4000000000100042"]),
    (Behaviour::CaptureFails, "nocapture", &["4000000000100059"]),
    (Behaviour::UndoFails, "noundo", &["4000000000100067"]),
    (Behaviour::LosesAnswers, "noanswer", &["4000000000100075"]),
    (Behaviour::RefundPending, "refundlate", &["4000000000007726"]),
    (Behaviour::RefundFails, "refundfails", &["4000000000005126"]),
    (Behaviour::Disputed, "disputed", &["4000000000000259"]),
    (Behaviour::Pix, "pix", &[]),
];

impl Behaviour {
    pub(crate) fn as_str(self) -> &'static str {
        ALL.iter().find(|(b, ..)| *b == self).map_or("success", |(_, name, _)| name)
    }

    pub(crate) fn from_name(name: &str) -> Option<Behaviour> {
        ALL.iter().find(|(_, n, _)| *n == name).map(|(behaviour, ..)| *behaviour)
    }

    /// Where the books put a new intent.
    pub(crate) fn first_status(self) -> &'static str {
        match self {
            Behaviour::Pix => "pending",
            Behaviour::Authenticate => "action",
            _ if self.failure().is_some() => "refused",
            _ => "held",
        }
    }

    /// Why it is refused: the provider's code and words.
    pub(crate) fn failure(self) -> Option<(&'static str, &'static str)> {
        let code = match self {
            Behaviour::Declined => "card_declined",
            Behaviour::NoFunds => "insufficient_funds",
            Behaviour::Lost => "lost_card",
            Behaviour::ExpiredCard => "expired_card",
            Behaviour::WrongCvc => "incorrect_cvc",
            Behaviour::ProcessingError => "processing_error",
            _ => return None,
        };
        Some((code, words(code)))
    }
}

/// What a failure code means to the customer.
pub(crate) fn words(code: &str) -> &'static str {
    match code {
        "insufficient_funds" => "The card has insufficient funds.",
        "expired_card" => "The card has expired.",
        "incorrect_cvc" => "The card's security code is incorrect.",
        "processing_error" => "The card could not be processed. Try again in a while.",
        "authentication_required" => "The payment was not authenticated with the bank.",
        _ => "The card was declined.",
    }
}

/// Checks a card and exchanges it for a token that tells brand, last digits and behaviour, and nothing else.
pub(crate) fn tokenise(card: &Card, now_ms: i64) -> Result<Token, ProviderError> {
    let wrong = |field, problem| Err(ProviderError::Card { field, problem });
    let digits = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    if !is_card_number(&card.number) {
        return wrong("number", "the card number must have 12 to 19 digits with a valid check digit");
    }
    if !(1..=12).contains(&card.exp_month) {
        return wrong("expMonth", "the expiry month must be 1 to 12");
    }
    let today = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
    let today = today.to_zoned(jiff::tz::TimeZone::UTC);
    let expires = (i64::from(card.exp_year), i64::from(card.exp_month));
    if card.exp_year > 2100 || expires < (i64::from(today.year()), i64::from(today.month())) {
        return wrong("expYear", "the card has expired, or the year is not one of four digits");
    }
    if !digits(&card.cvc, 3..=4) {
        return wrong("cvc", "the security code must have 3 or 4 digits");
    }
    let brand = match card.number.as_bytes() {
        [b'4', ..] => "visa",
        [b'5' | b'2', ..] => "mastercard",
        [b'3', b'4' | b'7', ..] => "amex",
        _ => "card",
    };
    let known = ALL.iter().find(|(_, _, numbers)| numbers.contains(&card.number.as_str()));
    let behaviour = known.map_or("success", |(_, name, _)| name);
    let last4 = card.number.get(card.number.len().saturating_sub(4)..).unwrap_or_default();
    Ok(Token { id: format!("tok_{brand}_{last4}_{behaviour}"), brand: brand.into(), last4: last4.into() })
}

/// The behaviour in a token of ours.
pub(crate) fn of_token(token: &str) -> Option<Behaviour> {
    let (_, name) = token.strip_prefix("tok_")?.rsplit_once('_')?;
    Behaviour::from_name(name).filter(|behaviour| *behaviour != Behaviour::Pix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: &str, exp_month: u8, exp_year: u16, cvc: &str, expected: Result<&str, &str>) {
        let card = Card { number: number.into(), exp_month, exp_year, cvc: cvc.into() };
        let found = tokenise(&card, 1_790_000_000_000).map(|token| token.id);
        let found = found.map_err(|error| match error {
            ProviderError::Card { field, .. } => field,
            _ => "other",
        });
        assert_eq!(found.as_deref().map_err(|field| *field), expected);
    }

    #[test]
    fn cards_become_tokens_or_name_their_wrong_field() {
        check("4242424242424242", 12, 2030, "123", Ok("tok_visa_4242_success"));
        check("5555555555554444", 12, 2030, "123", Ok("tok_mastercard_4444_success"));
        check("4000000000000002", 12, 2030, "123", Ok("tok_visa_0002_declined"));
        check("4000000000100034", 12, 2030, "123", Ok("tok_visa_0034_never"));
        check("4242424242424241", 12, 2030, "123", Err("number"));
        check("", 12, 2030, "123", Err("number"));
        check("4242", 12, 2030, "123", Err("number"));
        check("424242424242424é", 12, 2030, "123", Err("number"));
        check("4242424242424242", 13, 2030, "123", Err("expMonth"));
        check("4242424242424242", 12, 2020, "123", Err("expYear"));
        check("4242424242424242", 12, 30, "123", Err("expYear"));
        check("4242424242424242", 12, 2030, "12", Err("cvc"));
    }

    #[test]
    fn every_documented_number_is_valid_and_means_what_it_says() {
        for (behaviour, name, numbers) in ALL {
            assert_eq!(Behaviour::from_name(name), Some(*behaviour));
            for number in *numbers {
                assert!(is_card_number(number), "{number}");
                assert_eq!(of_token(&format!("tok_visa_0000_{name}")), Some(*behaviour));
            }
        }
        assert_eq!(of_token("tok_visa_0000_pix"), None);
        assert_eq!(of_token("pm_card_visa"), None);
    }
}
