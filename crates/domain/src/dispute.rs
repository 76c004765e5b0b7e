//! Disputes: a customer's bank asks for the money back.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a dispute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DisputeStatus {
    /// The bank asks; nothing was taken back.
    Inquiry,
    /// The amount was taken back until it is decided.
    Open,
    /// The amount is the shop's again, or was never taken back.
    Won,
    /// The amount is the customer's.
    Lost,
}

impl DisputeStatus {
    /// Its name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DisputeStatus::Inquiry => "INQUIRY",
            DisputeStatus::Open => "OPEN",
            DisputeStatus::Won => "WON",
            DisputeStatus::Lost => "LOST",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<DisputeStatus> {
        let all = [DisputeStatus::Inquiry, DisputeStatus::Open, DisputeStatus::Won, DisputeStatus::Lost];
        all.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether the bank has the money.
    #[must_use]
    pub fn is_withdrawn(self) -> bool {
        matches!(self, DisputeStatus::Open | DisputeStatus::Lost)
    }
}

/// What is said of a dispute at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Where it stands.
    pub status: DisputeStatus,
    /// What the provider has taken for it in all, in minor units.
    pub fee: i64,
    /// When it was so, in milliseconds since the epoch.
    pub at: i64,
}

/// What to do about news of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is known already, or older than what is known.
    Ignore,
    /// It stands where it stood; only the provider's fee is another one.
    Fee,
    /// It goes to the status of the news.
    Move,
}

/// Decides about news of a dispute: forward only, and what was decided stays decided. `known` is `None` for one that
/// nobody heard of.
///
/// The fee may be told later than the status. News of one moment (providers count in seconds) are in no order; then a fee
/// that was taken counts before none, and once the dispute is won a fee that was given back before one that was taken.
#[must_use]
pub fn hear(known: Option<Told>, news: Told) -> Verdict {
    use DisputeStatus::{Inquiry, Lost, Open, Won};
    let Some(known) = known else { return Verdict::Move };
    match (known.status, news.status) {
        (before, now) if before == now => {
            let later = news.fee > known.fee && now != Won || news.fee < known.fee && now == Won;
            let newer = news.at > known.at || news.at == known.at && later;
            if newer && news.fee != known.fee { Verdict::Fee } else { Verdict::Ignore }
        }
        (Inquiry, Open | Won | Lost) | (Open, Won | Lost) => Verdict::Move,
        _ => Verdict::Ignore,
    }
}

#[cfg(test)]
mod tests {
    use super::DisputeStatus::{Inquiry, Lost, Open, Won};
    use super::Verdict::{Fee, Ignore, Move};
    use super::*;

    #[test]
    fn disputes_move_forward_only() {
        #[track_caller]
        fn check(known: Option<DisputeStatus>, news: DisputeStatus, verdict: Verdict) {
            let told = |status, at| Told { status, fee: 1_500, at };
            assert_eq!(hear(known.map(|known| told(known, 1)), told(news, 2)), verdict);
        }
        check(None, Inquiry, Move);
        check(None, Lost, Move);
        check(Some(Inquiry), Inquiry, Ignore);
        check(Some(Inquiry), Open, Move);
        check(Some(Inquiry), Won, Move);
        check(Some(Open), Inquiry, Ignore);
        check(Some(Open), Open, Ignore);
        check(Some(Open), Lost, Move);
        check(Some(Won), Open, Ignore);
        check(Some(Lost), Won, Ignore);
        check(Some(Lost), Lost, Ignore);
    }

    #[test]
    fn a_fee_that_comes_later_is_heard_whatever_the_order_of_the_news() {
        #[track_caller]
        fn check(status: DisputeStatus, known: (i64, i64), news: (i64, i64), verdict: Verdict) {
            let told = |(fee, at)| Told { status, fee, at };
            assert_eq!(hear(Some(told(known)), told(news)), verdict, "{status:?} {known:?} {news:?}");
        }
        for status in [Inquiry, Open, Lost] {
            check(status, (0, 1), (1_500, 2), Fee);
            check(status, (0, 1), (1_500, 1), Fee);
            check(status, (1_500, 1), (0, 1), Ignore);
            check(status, (1_500, 2), (0, 1), Ignore);
            check(status, (1_500, 1), (0, 2), Fee);
        }
        check(Won, (1_500, 1), (0, 1), Fee);
        check(Won, (1_500, 1), (0, 2), Fee);
        check(Won, (0, 1), (1_500, 1), Ignore);
        check(Won, (0, 2), (1_500, 1), Ignore);
    }
}
