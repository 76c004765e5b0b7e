//! The life of a payment: one table of legal transitions, and the cap on refunds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentStatus {
    /// Asked for; the provider has not answered for good.
    Pending,
    /// The amount is held, not taken.
    Authorized,
    /// The amount is taken (captured).
    Confirmed,
    /// The provider refused; the customer may try again.
    Rejected,
    /// Called off before anything was taken.
    Voided,
    /// Given back, wholly or (while `refunded` is below `captured`) partly.
    Refunded,
    /// Not paid in time.
    Expired,
}

use PaymentStatus::{Authorized, Confirmed, Expired, Pending, Refunded, Rejected, Voided};

/// Every legal transition.
///
/// Expired and voided payments can still become authorised or confirmed: the money came late. Whoever sees that gives it
/// back. A void can find that the customer paid in that moment: then a pending or held payment becomes a refunded one.
pub const TRANSITIONS: &[(PaymentStatus, PaymentStatus)] = &[
    (Pending, Authorized),
    (Pending, Confirmed),
    (Pending, Rejected),
    (Pending, Voided),
    (Pending, Expired),
    (Pending, Refunded),
    (Rejected, Pending),
    (Rejected, Voided),
    (Rejected, Expired),
    (Authorized, Confirmed),
    (Authorized, Voided),
    (Authorized, Refunded),
    (Confirmed, Refunded),
    (Refunded, Refunded),
    (Expired, Authorized),
    (Expired, Confirmed),
    (Voided, Authorized),
    (Voided, Confirmed),
];

const ALL: [PaymentStatus; 7] = [Pending, Authorized, Confirmed, Rejected, Voided, Refunded, Expired];

impl PaymentStatus {
    /// Its name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Pending => "PENDING",
            Authorized => "AUTHORIZED",
            Confirmed => "CONFIRMED",
            Rejected => "REJECTED",
            Voided => "VOIDED",
            Refunded => "REFUNDED",
            Expired => "EXPIRED",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<PaymentStatus> {
        ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether that status may follow this one.
    #[must_use]
    pub fn may_become(self, next: PaymentStatus) -> bool {
        TRANSITIONS.contains(&(self, next))
    }

    /// The next status, if the table has it.
    ///
    /// # Errors
    /// [`IllegalTransition`].
    pub fn become_status(self, next: PaymentStatus) -> Result<PaymentStatus, IllegalTransition> {
        if self.may_become(next) {
            return Ok(next);
        }
        Err(IllegalTransition { from: self, to: next })
    }

    /// Whether the amount is held or taken.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Authorized | Confirmed)
    }
}

/// A transition that the table does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payment that is {} cannot become {}", from.as_str(), to.as_str())]
pub struct IllegalTransition {
    /// Where the payment stands.
    pub from: PaymentStatus,
    /// Where it was to go.
    pub to: PaymentStatus,
}

/// What the provider says about one attempt to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Nothing for good yet.
    Waiting,
    /// The amount is held.
    Held,
    /// The amount is taken.
    Taken,
    /// Refused.
    Refused,
    /// Called off, or given up by the provider.
    CalledOff,
}

/// What to do about the news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is known already, or older than what is known.
    Ignore,
    /// Go to this status and tell the flow.
    Become(PaymentStatus),
    /// Go to this status; nobody waits for it any more, so give the money back.
    GiveBack(PaymentStatus),
    /// Stay, and give back the money of an attempt that was written off.
    GiveBackAttempt,
}

/// The one transition that the browser, the webhook and the poller share. Idempotent: what has been seen before, and what
/// comes in disorder, changes nothing.
#[must_use]
pub fn hear(status: PaymentStatus, news: News) -> Verdict {
    match (status, news) {
        (Pending, News::Held) => Verdict::Become(Authorized),
        (Pending | Authorized, News::Taken) => Verdict::Become(Confirmed),
        (Pending, News::Refused) => Verdict::Become(Rejected),
        (Pending, News::CalledOff) => Verdict::Become(Rejected),
        (Expired | Voided, News::Held) => Verdict::GiveBack(Authorized),
        (Expired | Voided, News::Taken) => Verdict::GiveBack(Confirmed),
        (Rejected, News::Held | News::Taken) => Verdict::GiveBackAttempt,
        _ => Verdict::Ignore,
    }
}

/// How to undo a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// Nothing was ever asked, or it is undone already.
    Nothing,
    /// Call it off: nothing was taken.
    Void,
    /// Give back this amount.
    Refund(i64),
}

/// Void before capture, refund after; what never happened, or is undone, needs nothing.
#[must_use]
pub fn undo(status: PaymentStatus, asked: bool, captured: i64, refunded: i64) -> Undo {
    match status {
        Pending if asked => Undo::Void,
        Authorized => Undo::Void,
        Confirmed | Refunded if captured > refunded => Undo::Refund(captured - refunded),
        _ => Undo::Nothing,
    }
}

/// Why a refund is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// Zero or less.
    #[error("a refund must be more than zero")]
    NotPositive,
    /// More than is left of the captured amount.
    #[error("a refund of `{asked}` exceeds the `{left}` that can still be refunded")]
    TooMuch {
        /// What was asked for.
        asked: i64,
        /// What is left: captured - refunded - pending.
        left: i64,
    },
}

/// Checks a refund against its cap, captured - refunded - pending.
///
/// # Errors
/// [`RefundError`].
pub fn check_refund(amount: i64, captured: i64, refunded: i64, pending: i64) -> Result<(), RefundError> {
    let left = captured.saturating_sub(refunded).saturating_sub(pending).max(0);
    if amount <= 0 {
        return Err(RefundError::NotPositive);
    }
    if amount > left {
        return Err(RefundError::TooMuch { asked: amount, left });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_move_a_payment_forward_only() {
        #[track_caller]
        fn check(status: PaymentStatus, news: News, expected: Verdict) {
            assert_eq!(hear(status, news), expected);
            if let Verdict::Become(next) | Verdict::GiveBack(next) = expected {
                assert!(status.may_become(next), "{status:?} -> {next:?}");
                assert_eq!(hear(next, news), Verdict::Ignore, "the same news twice");
            }
        }
        check(Pending, News::Waiting, Verdict::Ignore);
        check(Pending, News::Held, Verdict::Become(Authorized));
        check(Pending, News::Taken, Verdict::Become(Confirmed));
        check(Pending, News::Refused, Verdict::Become(Rejected));
        check(Authorized, News::Held, Verdict::Ignore);
        check(Authorized, News::Refused, Verdict::Ignore);
        check(Authorized, News::Taken, Verdict::Become(Confirmed));
        check(Confirmed, News::Held, Verdict::Ignore);
        check(Refunded, News::Taken, Verdict::Ignore);
        check(Rejected, News::Taken, Verdict::GiveBackAttempt);
        check(Expired, News::Taken, Verdict::GiveBack(Confirmed));
        check(Voided, News::Held, Verdict::GiveBack(Authorized));
        check(Voided, News::CalledOff, Verdict::Ignore);
    }

    #[test]
    fn only_the_tables_transitions_are_legal() {
        let all = ALL.into_iter().flat_map(|from| ALL.into_iter().map(move |to| (from, to)));
        let legal = all.filter(|(from, to)| from.become_status(*to).is_ok()).count();
        assert_eq!(legal, TRANSITIONS.len());
        #[track_caller]
        fn check(from: PaymentStatus, to: PaymentStatus, legal: bool) {
            assert_eq!(from.become_status(to).is_ok(), legal, "{from:?} -> {to:?}");
        }
        check(Pending, Refunded, true);
        check(Authorized, Refunded, true);
        check(Confirmed, Voided, false);
        check(Refunded, Confirmed, false);
        check(Confirmed, Pending, false);
        check(Authorized, Rejected, false);
    }

    #[test]
    fn undo_voids_before_capture_and_refunds_after() {
        #[track_caller]
        fn check(status: PaymentStatus, asked: bool, captured: i64, refunded: i64, expected: Undo) {
            assert_eq!(undo(status, asked, captured, refunded), expected);
        }
        check(Pending, false, 0, 0, Undo::Nothing);
        check(Pending, true, 0, 0, Undo::Void);
        check(Authorized, true, 0, 0, Undo::Void);
        check(Confirmed, true, 2590, 0, Undo::Refund(2590));
        check(Refunded, true, 2590, 1000, Undo::Refund(1590));
        check(Refunded, true, 2590, 2590, Undo::Nothing);
        check(Rejected, true, 0, 0, Undo::Nothing);
        check(Voided, true, 0, 0, Undo::Nothing);
    }

    #[test]
    fn refunds_have_a_cap() {
        #[track_caller]
        fn check(amount: i64, captured: i64, refunded: i64, pending: i64, good: bool) {
            assert_eq!(check_refund(amount, captured, refunded, pending).is_ok(), good);
        }
        check(100, 100, 0, 0, true);
        check(101, 100, 0, 0, false);
        check(50, 100, 50, 0, true);
        check(50, 100, 50, 1, false);
        check(0, 100, 0, 0, false);
        check(-1, 100, 0, 0, false);
        check(1, 100, i64::MAX, i64::MAX, false);
    }
}
