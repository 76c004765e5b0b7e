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
    /// Given back in part.
    PartiallyRefunded,
    /// Given back wholly.
    Refunded,
    /// Not paid in time.
    Expired,
    /// The customer's bank took the amount back, or a part of it, for good or until the dispute is decided.
    Disputed,
}

use PaymentStatus::{Authorized, Confirmed, Disputed, Expired, PartiallyRefunded, Pending, Refunded, Rejected, Voided};

/// Every legal transition.
///
/// Expired and voided payments can still become authorised or confirmed: the money came late. Whoever sees that gives it
/// back. A void can find that the customer paid in that moment: then a pending or held payment becomes a refunded one.
/// What was taken moves between the last four by [`Taken::status`]: also back, when a refund bounces or a dispute is won.
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
    (Confirmed, PartiallyRefunded),
    (Confirmed, Refunded),
    (Confirmed, Disputed),
    (PartiallyRefunded, PartiallyRefunded),
    (PartiallyRefunded, Refunded),
    (PartiallyRefunded, Disputed),
    (PartiallyRefunded, Confirmed),
    (Refunded, Disputed),
    (Refunded, PartiallyRefunded),
    (Refunded, Confirmed),
    (Disputed, Disputed),
    (Disputed, Confirmed),
    (Disputed, PartiallyRefunded),
    (Disputed, Refunded),
    (Expired, Authorized),
    (Expired, Confirmed),
    (Voided, Authorized),
    (Voided, Confirmed),
];

/// Every status, in the order of a payment's life.
pub const ALL: [PaymentStatus; 9] =
    [Pending, Authorized, Confirmed, Rejected, Voided, PartiallyRefunded, Refunded, Expired, Disputed];

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
            PartiallyRefunded => "PARTIALLY_REFUNDED",
            Refunded => "REFUNDED",
            Expired => "EXPIRED",
            Disputed => "DISPUTED",
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

    /// Whether the amount was taken, whatever became of it then.
    #[must_use]
    pub fn is_taken(self) -> bool {
        matches!(self, Confirmed | PartiallyRefunded | Refunded | Disputed)
    }
}

/// When the amount that is held is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CaptureOn {
    /// As soon as the payment is there and the stock is sold: before the kitchen begins.
    Acceptance,
    /// Once the kitchen is done: before the courier or the customer gets the order.
    Dispatch,
}

impl CaptureOn {
    /// Its name in the configuration and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CaptureOn::Acceptance => "acceptance",
            CaptureOn::Dispatch => "dispatch",
        }
    }

    /// The value of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<CaptureOn> {
        [CaptureOn::Acceptance, CaptureOn::Dispatch].into_iter().find(|on| on.as_str() == name)
    }
}

/// How long before the end of a hold a person is told, in milliseconds.
pub const HOLD_ALARM_MS: i64 = 24 * 3_600_000;
/// How long before the end of a hold what is owed is taken, in milliseconds.
pub const HOLD_RESCUE_MS: i64 = 6 * 3_600_000;
/// How long a hold lasts if the provider does not say: the shortest that card networks grant (4 days and 18 hours).
pub const HOLD_MS: i64 = (4 * 24 + 18) * 3_600_000;

/// What to do about a hold that is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldWatch {
    /// Nothing yet.
    Leave,
    /// Tell a person.
    Alarm,
    /// Take the amount: the shop works on the order, and would lose its money.
    Capture,
}

/// Decides about a hold. `accepted` tells whether the shop works on the order, and nobody calls it off.
#[must_use]
pub fn watch_hold(capture_before: i64, accepted: bool, now: i64) -> HoldWatch {
    match capture_before.saturating_sub(now) {
        left if left <= HOLD_RESCUE_MS && accepted => HoldWatch::Capture,
        left if left <= HOLD_ALARM_MS => HoldWatch::Alarm,
        _ => HoldWatch::Leave,
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
        // The hold ended before anybody took the amount.
        (Authorized, News::CalledOff) => Verdict::Become(Voided),
        (Expired | Voided, News::Held) => Verdict::GiveBack(Authorized),
        (Expired | Voided, News::Taken) => Verdict::GiveBack(Confirmed),
        (Rejected, News::Held | News::Taken) => Verdict::GiveBackAttempt,
        _ => Verdict::Ignore,
    }
}

/// What a payment took, in minor units, and what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Taken from the customer.
    pub captured: i64,
    /// Given back.
    pub refunded: i64,
    /// About to be given back: refunds that the provider has not decided yet.
    pub refunding: i64,
    /// Taken back by the customer's bank, for good or until the dispute is decided.
    pub disputed: i64,
}

impl Taken {
    /// What can still be given back: captured - refunded - refunding - disputed, never below zero.
    #[must_use]
    pub fn left(self) -> i64 {
        let gone = self.refunded.saturating_add(self.refunding).saturating_add(self.disputed);
        self.captured.saturating_sub(gone).max(0)
    }

    /// Where a payment with these amounts stands.
    #[must_use]
    pub fn status(self) -> PaymentStatus {
        match self {
            Taken { disputed: 1.., .. } => Disputed,
            Taken { refunded: ..=0, .. } => Confirmed,
            Taken { captured, refunded, .. } if refunded < captured => PartiallyRefunded,
            Taken { .. } => Refunded,
        }
    }

    /// Checks a refund against its cap.
    ///
    /// # Errors
    /// [`RefundError`].
    pub fn check_refund(self, amount: i64) -> Result<(), RefundError> {
        let left = self.left();
        if amount <= 0 {
            return Err(RefundError::NotPositive);
        }
        if amount > left {
            return Err(RefundError::TooMuch { asked: amount, left });
        }
        Ok(())
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
pub fn undo(status: PaymentStatus, asked: bool, taken: Taken) -> Undo {
    match status {
        Pending if asked => Undo::Void,
        Authorized => Undo::Void,
        status if status.is_taken() && taken.left() > 0 => Undo::Refund(taken.left()),
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
        /// What is left: captured - refunded - refunding - disputed.
        left: i64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        check(Authorized, News::CalledOff, Verdict::Become(Voided));
        check(Disputed, News::Taken, Verdict::Ignore);
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
        check(Confirmed, PartiallyRefunded, true);
        check(PartiallyRefunded, PartiallyRefunded, true);
        check(PartiallyRefunded, Refunded, true);
        check(Refunded, Confirmed, true);
        check(Refunded, Refunded, false);
        check(Disputed, Confirmed, true);
        check(Disputed, Voided, false);
        check(Confirmed, Pending, false);
        check(Authorized, Rejected, false);
        check(Authorized, PartiallyRefunded, false);
    }

    #[test]
    fn names_are_read_back() {
        assert!(ALL.into_iter().all(|status| PaymentStatus::from_name(status.as_str()) == Some(status)));
        assert_eq!(PaymentStatus::from_name("PAID"), None);
    }

    #[test]
    fn undo_voids_before_capture_and_refunds_after() {
        #[track_caller]
        fn check(status: PaymentStatus, asked: bool, captured: i64, refunded: i64, expected: Undo) {
            let taken = Taken { captured, refunded, ..Taken::default() };
            assert_eq!(undo(status, asked, taken), expected);
        }
        check(Pending, false, 0, 0, Undo::Nothing);
        check(Pending, true, 0, 0, Undo::Void);
        check(Authorized, true, 0, 0, Undo::Void);
        check(Confirmed, true, 2590, 0, Undo::Refund(2590));
        check(PartiallyRefunded, true, 2590, 1000, Undo::Refund(1590));
        check(Refunded, true, 2590, 2590, Undo::Nothing);
        check(Rejected, true, 0, 0, Undo::Nothing);
        check(Voided, true, 0, 0, Undo::Nothing);
        let disputed = Taken { captured: 100, refunded: 30, refunding: 0, disputed: 70 };
        assert_eq!(undo(Disputed, true, disputed), Undo::Nothing);
    }

    #[test]
    fn amounts_tell_the_status_and_the_cap() {
        #[track_caller]
        fn check(amounts: [i64; 4], status: PaymentStatus, left: i64) {
            let [captured, refunded, refunding, disputed] = amounts;
            let taken = Taken { captured, refunded, refunding, disputed };
            assert_eq!((taken.status(), taken.left()), (status, left));
        }
        check([100, 0, 0, 0], Confirmed, 100);
        check([100, 0, 100, 0], Confirmed, 0);
        check([100, 40, 0, 0], PartiallyRefunded, 60);
        check([100, 40, 60, 0], PartiallyRefunded, 0);
        check([100, 100, 0, 0], Refunded, 0);
        check([100, 0, 0, 100], Disputed, 0);
        check([100, 40, 0, 100], Disputed, 0);
        check([100, i64::MAX, i64::MAX, 0], Refunded, 0);
    }

    #[test]
    fn refunds_have_a_cap() {
        #[track_caller]
        fn check(amount: i64, captured: i64, refunded: i64, refunding: i64, good: bool) {
            let taken = Taken { captured, refunded, refunding, disputed: 0 };
            assert_eq!(taken.check_refund(amount).is_ok(), good);
        }
        check(100, 100, 0, 0, true);
        check(101, 100, 0, 0, false);
        check(50, 100, 50, 0, true);
        check(50, 100, 50, 1, false);
        check(0, 100, 0, 0, false);
        check(-1, 100, 0, 0, false);
        check(1, 100, i64::MAX, i64::MAX, false);
        let disputed = Taken { captured: 100, disputed: 60, ..Taken::default() };
        assert_eq!(disputed.check_refund(41), Err(RefundError::TooMuch { asked: 41, left: 40 }));
    }

    #[test]
    fn a_hold_that_ends_alarms_and_is_rescued() {
        const HOUR: i64 = 3_600_000;
        #[track_caller]
        fn check(hours_left: i64, accepted: bool, expected: HoldWatch) {
            assert_eq!(watch_hold(1_000 * HOUR + hours_left * HOUR, accepted, 1_000 * HOUR), expected);
        }
        check(25, true, HoldWatch::Leave);
        check(24, true, HoldWatch::Alarm);
        check(7, true, HoldWatch::Alarm);
        check(6, true, HoldWatch::Capture);
        check(6, false, HoldWatch::Alarm);
        check(-1, true, HoldWatch::Capture);
        check(-1, false, HoldWatch::Alarm);
    }

    const NEWS: [News; 5] = [News::Waiting, News::Held, News::Taken, News::Refused, News::CalledOff];

    proptest! {
        /// Whatever the provider says in whatever order and however often: only legal transitions, what was heard again
        /// changes nothing, and money that was taken is never forgotten.
        #[test]
        fn any_news_move_a_payment_legally(news in proptest::collection::vec(0..NEWS.len(), 0..40)) {
            let mut status = Pending;
            for at in news {
                let verdict = hear(status, NEWS[at]);
                if let Verdict::Become(next) | Verdict::GiveBack(next) = verdict {
                    prop_assert!(status.may_become(next), "{status:?} -> {next:?}");
                    prop_assert!(!status.is_taken(), "{status:?} -> {next:?}");
                    status = next;
                    prop_assert_eq!(hear(status, NEWS[at]), Verdict::Ignore);
                }
            }
        }

        /// Any refunds, bounces and disputes under the cap: each status follows legally from the one before, and never
        /// more goes back than was taken.
        #[test]
        fn any_amounts_move_a_payment_legally(steps in proptest::collection::vec((0..5usize, 1..120i64), 0..60)) {
            let mut taken = Taken { captured: 100, ..Taken::default() };
            for (step, amount) in steps {
                let before = taken;
                match step {
                    0 if taken.check_refund(amount).is_ok() => taken.refunding += amount,
                    1 => {
                        let amount = amount.min(taken.refunding);
                        taken.refunding -= amount;
                        taken.refunded += amount;
                    }
                    2 => taken.refunding -= amount.min(taken.refunding),
                    3 => taken.refunded -= amount.min(taken.refunded),
                    _ if taken.disputed > 0 => taken.disputed = 0,
                    _ => taken.disputed = amount.min(taken.left()),
                }
                let (from, to) = (before.status(), taken.status());
                prop_assert!(from == to || from.may_become(to), "{before:?} -> {taken:?}");
                prop_assert!(taken.refunded + taken.refunding + taken.disputed <= taken.captured);
                prop_assert!(taken.left() >= 0);
            }
        }
    }
}
