//! Which event of an order sends which mail.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::order::OrderStatus;

/// What a customer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// The order is here.
    Received,
    /// The payment is confirmed.
    PaymentConfirmed,
    /// The payment was refused.
    PaymentRefused,
    /// The kitchen has begun.
    InPreparation,
    /// It can be fetched.
    Ready,
    /// The courier has it.
    OutForDelivery,
    /// The customer has it.
    Delivered,
    /// Called off.
    Cancelled,
    /// It could not be accepted.
    Rejected,
    /// The money goes back.
    Refunded,
    /// Not paid in time.
    Expired,
    /// Paid after it had expired, and taken up again.
    Reopened,
    /// Paid after it had expired, and not taken up again: the money goes back.
    PaidLate,
    /// What was held is let go.
    Released,
}

/// Every notice; the position is its number in the store, so new ones go to the end.
pub const ALL: [Notice; 14] = [
    Notice::Received,
    Notice::PaymentConfirmed,
    Notice::PaymentRefused,
    Notice::InPreparation,
    Notice::Ready,
    Notice::OutForDelivery,
    Notice::Delivered,
    Notice::Cancelled,
    Notice::Rejected,
    Notice::Refunded,
    Notice::Expired,
    Notice::Reopened,
    Notice::PaidLate,
    Notice::Released,
];

/// The distance between two occurrences of one notice: a payment refused once per attempt, each refund.
const STRIDE: i64 = 16;

impl Notice {
    /// Its name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Notice::Received => "received",
            Notice::PaymentConfirmed => "payment-confirmed",
            Notice::PaymentRefused => "payment-refused",
            Notice::InPreparation => "in-preparation",
            Notice::Ready => "ready",
            Notice::OutForDelivery => "out-for-delivery",
            Notice::Delivered => "delivered",
            Notice::Cancelled => "cancelled",
            Notice::Rejected => "rejected",
            Notice::Refunded => "refunded",
            Notice::Expired => "expired",
            Notice::Reopened => "reopened",
            Notice::PaidLate => "paid-late",
            Notice::Released => "released",
        }
    }

    /// The number that, with the order, identifies one mail: the same event never makes a second one.
    #[must_use]
    pub fn number(self, occurrence: i64) -> i64 {
        let kind = ALL.iter().position(|notice| *notice == self).unwrap_or(0);
        occurrence.max(0) * STRIDE + kind as i64
    }

    /// Which occurrence a number stands for.
    #[must_use]
    pub fn occurrence(number: i64) -> i64 {
        number.div_euclid(STRIDE)
    }

    /// The notice of a number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Notice> {
        let kind = usize::try_from(number.rem_euclid(STRIDE)).ok()?;
        ALL.get(kind).copied()
    }

    /// What to tell when an order reaches a status; `None` if it says nothing, or another event says it.
    #[must_use]
    pub fn of_status(status: OrderStatus) -> Option<Notice> {
        match status {
            OrderStatus::Checkout | OrderStatus::Received => None,
            OrderStatus::PaymentPending => Some(Notice::Received),
            OrderStatus::InPreparation => Some(Notice::InPreparation),
            OrderStatus::Ready => Some(Notice::Ready),
            OrderStatus::OutForDelivery => Some(Notice::OutForDelivery),
            OrderStatus::Completed => Some(Notice::Delivered),
            OrderStatus::Rejected => Some(Notice::Rejected),
            OrderStatus::Cancelled => Some(Notice::Cancelled),
            OrderStatus::Expired => Some(Notice::Expired),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_tell_notices_and_occurrences_apart() {
        let mut seen = std::collections::BTreeSet::new();
        for notice in ALL {
            for occurrence in 0..5 {
                let number = notice.number(occurrence);
                assert!(seen.insert(number));
                assert_eq!(Notice::from_number(number), Some(notice));
                assert_eq!(Notice::occurrence(number), occurrence);
            }
        }
        assert_eq!(Notice::from_number(15), None);
    }

    #[test]
    fn every_visible_status_has_its_notice() {
        for status in crate::order::ALL {
            let silent = matches!(status, OrderStatus::Checkout | OrderStatus::Received);
            assert_eq!(Notice::of_status(status).is_none(), silent);
        }
    }
}
