//! The life of an order: one table of legal transitions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::delivery::DeliveryKind;
use crate::payment::PaymentStatus;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Placed; being validated and its stock reserved.
    Checkout,
    /// Stock is reserved; the payment is not there yet.
    PaymentPending,
    /// Paid; the kitchen may start.
    Received,
    /// In the kitchen.
    InPreparation,
    /// To be fetched by the customer or the courier.
    Ready,
    /// With the courier.
    OutForDelivery,
    /// With the customer.
    Completed,
    /// It could not be accepted.
    Rejected,
    /// Called off by the customer or an operator.
    Cancelled,
    /// Not paid in time.
    Expired,
}

use OrderStatus::{
    Cancelled, Checkout, Completed, Expired, InPreparation, OutForDelivery, PaymentPending, Ready, Received, Rejected,
};

/// Every status, in the order of an order's life.
pub const ALL: [OrderStatus; 10] =
    [Checkout, PaymentPending, Received, InPreparation, Ready, OutForDelivery, Completed, Rejected, Cancelled, Expired];

/// Every legal transition. Whatever is not here is refused.
pub const TRANSITIONS: &[(OrderStatus, OrderStatus)] = &[
    (Checkout, PaymentPending),
    (Checkout, Rejected),
    (Checkout, Cancelled),
    (PaymentPending, Received),
    (PaymentPending, Rejected),
    (PaymentPending, Cancelled),
    (PaymentPending, Expired),
    (Received, InPreparation),
    (Received, Rejected),
    (Received, Cancelled),
    (InPreparation, Ready),
    (InPreparation, Cancelled),
    (Ready, OutForDelivery),
    (Ready, Completed),
    (Ready, Cancelled),
    (OutForDelivery, Completed),
];

impl OrderStatus {
    /// Its name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Checkout => "CHECKOUT",
            PaymentPending => "PAYMENT_PENDING",
            Received => "RECEIVED",
            InPreparation => "IN_PREPARATION",
            Ready => "READY",
            OutForDelivery => "OUT_FOR_DELIVERY",
            Completed => "COMPLETED",
            Rejected => "REJECTED",
            Cancelled => "CANCELLED",
            Expired => "EXPIRED",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<OrderStatus> {
        ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        !TRANSITIONS.iter().any(|(from, _)| *from == self)
    }

    /// Whether that status may follow this one.
    #[must_use]
    pub fn may_become(self, next: OrderStatus) -> bool {
        TRANSITIONS.contains(&(self, next))
    }

    /// The next status, if the table has it.
    ///
    /// # Errors
    /// [`IllegalTransition`].
    pub fn become_status(self, next: OrderStatus) -> Result<OrderStatus, IllegalTransition> {
        if self.may_become(next) {
            return Ok(next);
        }
        Err(IllegalTransition { from: self, to: next })
    }

    /// Whether what was reserved can go back to the shelf: not once the kitchen has begun.
    #[must_use]
    pub fn goods_are_whole(self) -> bool {
        matches!(self, Checkout | PaymentPending | Received)
    }
}

/// A transition that the table does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {} cannot become {}", from.as_str(), to.as_str())]
pub struct IllegalTransition {
    /// Where the order stands.
    pub from: OrderStatus,
    /// Where it was to go.
    pub to: OrderStatus,
}

/// What a person may do with an order now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Pay, or pay again after a refusal.
    Pay,
    /// Call it off.
    Cancel,
    /// The kitchen starts.
    Start,
    /// The kitchen is done.
    Ready,
    /// Give it to the customer.
    Handover,
}

/// What may be done with an order now. `handed_over` and `cancelling` are requests that the flow has not followed yet.
#[must_use]
pub fn actions(
    status: OrderStatus,
    payment: PaymentStatus,
    delivery: DeliveryKind,
    handed_over: bool,
    cancelling: bool,
) -> Vec<Action> {
    if cancelling {
        return Vec::new();
    }
    let mut actions = Vec::new();
    if status == PaymentPending && payment == PaymentStatus::Rejected {
        actions.push(Action::Pay);
    }
    match status {
        Received => actions.push(Action::Start),
        InPreparation => actions.push(Action::Ready),
        Ready if delivery == DeliveryKind::Pickup && !handed_over => actions.push(Action::Handover),
        _ => {}
    }
    if status.may_become(Cancelled) && !handed_over {
        actions.push(Action::Cancel);
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tables_transitions_are_legal() {
        let legal = ALL
            .into_iter()
            .flat_map(|from| ALL.into_iter().map(move |to| (from, to)))
            .filter(|(from, to)| from.become_status(*to).is_ok())
            .count();
        assert_eq!(legal, TRANSITIONS.len());
        #[track_caller]
        fn check(from: OrderStatus, to: OrderStatus, legal: bool) {
            assert_eq!(from.may_become(to), legal, "{from:?} -> {to:?}");
        }
        check(Checkout, Received, false);
        check(PaymentPending, Received, true);
        check(OutForDelivery, Cancelled, false);
        check(Ready, Cancelled, true);
        check(Completed, Cancelled, false);
        check(Expired, Received, false);
        check(Received, Received, false);
    }

    #[test]
    fn final_states_are_four() {
        let last: Vec<_> = ALL.into_iter().filter(|s| s.is_final()).collect();
        assert_eq!(last, [Completed, Rejected, Cancelled, Expired]);
        for status in ALL {
            assert_eq!(OrderStatus::from_name(status.as_str()), Some(status));
        }
    }

    #[test]
    fn actions_follow_the_status() {
        #[track_caller]
        fn check(status: OrderStatus, payment: PaymentStatus, delivery: DeliveryKind, expected: &[Action]) {
            assert_eq!(actions(status, payment, delivery, false, false), expected);
            assert!(actions(status, payment, delivery, false, true).is_empty());
        }
        use DeliveryKind::{Courier, Pickup};
        use PaymentStatus::{Confirmed, Pending};
        check(Checkout, Pending, Pickup, &[Action::Cancel]);
        check(PaymentPending, Pending, Pickup, &[Action::Cancel]);
        check(PaymentPending, PaymentStatus::Rejected, Pickup, &[Action::Pay, Action::Cancel]);
        check(Received, Confirmed, Pickup, &[Action::Start, Action::Cancel]);
        check(InPreparation, Confirmed, Courier, &[Action::Ready, Action::Cancel]);
        check(Ready, Confirmed, Pickup, &[Action::Handover, Action::Cancel]);
        check(Ready, Confirmed, Courier, &[Action::Cancel]);
        check(OutForDelivery, Confirmed, Courier, &[]);
        check(Completed, Confirmed, Courier, &[]);
        assert!(actions(Ready, Confirmed, Pickup, true, false).is_empty());
    }
}
