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

/// Every legal transition. Whatever is not here is refused. An expired order whose money comes late is reopened: its goods
/// are reserved again and it waits for its kitchen as if it had been paid in time.
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
    (Expired, PaymentPending),
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

    /// Whether the order is over. Only money that comes late can take an expired one up again.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Completed | Rejected | Cancelled | Expired)
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

/// Who asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The one who ordered.
    Customer,
    /// Someone who works here.
    Staff,
}

/// Whether an order can be called off by that party: by its customer until the kitchen begins, by the staff until the
/// courier has it.
#[must_use]
pub fn may_cancel(status: OrderStatus, by: Party) -> bool {
    match by {
        Party::Customer => matches!(status, Checkout | PaymentPending | Received),
        Party::Staff => status.may_become(Cancelled),
    }
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
    /// Say that a person has looked at what needed attention.
    Resolve,
}

/// What is known of an order when its actions are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Where it stands.
    pub status: OrderStatus,
    /// Where its payment stands.
    pub payment: PaymentStatus,
    /// How it reaches the customer.
    pub delivery: DeliveryKind,
    /// The customer has it, and the flow has not followed yet.
    pub handed_over: bool,
    /// It is being called off, and the flow has not followed yet.
    pub cancelling: bool,
    /// Its flow has given up: only a person carries it on.
    pub halted: bool,
    /// A person has to look.
    pub attention: bool,
}

/// What that party may do with an order now.
#[must_use]
pub fn actions(order: Standing, by: Party) -> Vec<Action> {
    let mut actions = Vec::new();
    let moving = !order.cancelling && !order.halted;
    if moving && order.status == PaymentPending && order.payment == PaymentStatus::Rejected {
        actions.push(Action::Pay);
    }
    match order.status {
        _ if !moving || by == Party::Customer => {}
        Received => actions.push(Action::Start),
        InPreparation => actions.push(Action::Ready),
        Ready if order.delivery == DeliveryKind::Pickup && !order.handed_over => actions.push(Action::Handover),
        _ => {}
    }
    // A cancellation whose flow gave up is asked for again.
    if may_cancel(order.status, by) && !order.handed_over && (!order.cancelling || order.halted) {
        actions.push(Action::Cancel);
    }
    if order.attention && by == Party::Staff {
        actions.push(Action::Resolve);
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
        check(Expired, PaymentPending, true);
        check(Cancelled, PaymentPending, false);
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
        use DeliveryKind::{Courier, Pickup};
        use PaymentStatus::{Confirmed, Pending};
        #[track_caller]
        fn check(status: OrderStatus, payment: PaymentStatus, delivery: DeliveryKind, staff: &str, customer: &str) {
            let order = Standing {
                status,
                payment,
                delivery,
                handed_over: false,
                cancelling: false,
                halted: false,
                attention: false,
            };
            let names = |order, by| {
                let names = actions(order, by).into_iter().map(|action| format!("{action:?}").to_lowercase());
                names.collect::<Vec<_>>().join(" ")
            };
            assert_eq!(names(order, Party::Staff), staff);
            assert_eq!(names(order, Party::Customer), customer);
            for by in [Party::Staff, Party::Customer] {
                assert!(actions(Standing { cancelling: true, ..order }, by).is_empty());
                let stuck = Standing { cancelling: true, halted: true, ..order };
                assert_eq!(actions(stuck, by).contains(&Action::Cancel), may_cancel(status, by));
                let seen = actions(Standing { attention: true, ..order }, by).contains(&Action::Resolve);
                assert_eq!(seen, by == Party::Staff);
            }
            assert!(!actions(Standing { handed_over: true, ..order }, Party::Staff).contains(&Action::Cancel));
        }
        check(Checkout, Pending, Pickup, "cancel", "cancel");
        check(PaymentPending, Pending, Pickup, "cancel", "cancel");
        check(PaymentPending, PaymentStatus::Rejected, Pickup, "pay cancel", "pay cancel");
        check(Received, Confirmed, Pickup, "start cancel", "cancel");
        check(InPreparation, Confirmed, Courier, "ready cancel", "");
        check(Ready, Confirmed, Pickup, "handover cancel", "");
        check(Ready, Confirmed, Courier, "cancel", "");
        check(OutForDelivery, Confirmed, Courier, "", "");
        check(Completed, Confirmed, Courier, "", "");
    }
}
