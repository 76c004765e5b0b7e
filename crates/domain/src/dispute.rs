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

/// Whether news of a dispute is new: forward only, and what was decided stays decided. `known` is `None` for one that
/// nobody heard of.
#[must_use]
pub fn hear(known: Option<DisputeStatus>, news: DisputeStatus) -> bool {
    match (known, news) {
        (None, _) => true,
        (Some(DisputeStatus::Inquiry), news) => news != DisputeStatus::Inquiry,
        (Some(DisputeStatus::Open), news) => matches!(news, DisputeStatus::Won | DisputeStatus::Lost),
        (Some(DisputeStatus::Won | DisputeStatus::Lost), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disputes_move_forward_only() {
        use DisputeStatus::{Inquiry, Lost, Open, Won};
        #[track_caller]
        fn check(known: Option<DisputeStatus>, news: DisputeStatus, new: bool) {
            assert_eq!(hear(known, news), new);
        }
        check(None, Inquiry, true);
        check(None, Lost, true);
        check(Some(Inquiry), Inquiry, false);
        check(Some(Inquiry), Open, true);
        check(Some(Inquiry), Won, true);
        check(Some(Open), Inquiry, false);
        check(Some(Open), Open, false);
        check(Some(Open), Lost, true);
        check(Some(Won), Open, false);
        check(Some(Lost), Won, false);
    }
}
