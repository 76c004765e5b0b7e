//! Refunds: their life, what they are for, and how much of which line goes back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::basket::Line;
use crate::stock::Needs;

/// The most refunds of one payment, those that failed included.
pub const MAX_REFUNDS: i64 = 1_000;

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// The amount is set apart; the provider has not decided.
    Pending,
    /// The amount went back.
    Succeeded,
    /// It did not go back; the amount is free again. It can be tried once more.
    Failed,
}

impl RefundStatus {
    /// Every status.
    pub const ALL: [RefundStatus; 3] = [RefundStatus::Pending, RefundStatus::Succeeded, RefundStatus::Failed];

    /// Its name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RefundStatus::Pending => "PENDING",
            RefundStatus::Succeeded => "SUCCEEDED",
            RefundStatus::Failed => "FAILED",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<RefundStatus> {
        RefundStatus::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// What a provider's news does to a refund; `None` if it is known already or older than what is known. A refund that
/// went back can still bounce: the bank sends the money back to us.
#[must_use]
pub fn hear(status: RefundStatus, news: RefundStatus) -> Option<RefundStatus> {
    match (status, news) {
        (RefundStatus::Pending, RefundStatus::Succeeded | RefundStatus::Failed)
        | (RefundStatus::Succeeded, RefundStatus::Failed) => Some(news),
        _ => None,
    }
}

/// Why money goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefundReason {
    /// The customer asked for it.
    RequestedByCustomer,
    /// Something was missing.
    ItemMissing,
    /// Something else was delivered.
    WrongItem,
    /// It was not good.
    Quality,
    /// It came too late.
    LateDelivery,
    /// It was paid twice.
    Duplicate,
    /// It was paid by somebody who was not allowed to.
    Fraudulent,
    /// There was not enough of it.
    OutOfStock,
    /// The order was called off.
    OrderCancelled,
    /// The order could not be accepted.
    OrderRejected,
    /// It was paid when the time to pay was over.
    LatePayment,
    /// See the note.
    Other,
}

impl RefundReason {
    /// Every reason.
    pub const ALL: [RefundReason; 12] = [
        RefundReason::RequestedByCustomer,
        RefundReason::ItemMissing,
        RefundReason::WrongItem,
        RefundReason::Quality,
        RefundReason::LateDelivery,
        RefundReason::Duplicate,
        RefundReason::Fraudulent,
        RefundReason::OutOfStock,
        RefundReason::OrderCancelled,
        RefundReason::OrderRejected,
        RefundReason::LatePayment,
        RefundReason::Other,
    ];

    /// Its name in the API and the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RefundReason::RequestedByCustomer => "requested-by-customer",
            RefundReason::ItemMissing => "item-missing",
            RefundReason::WrongItem => "wrong-item",
            RefundReason::Quality => "quality",
            RefundReason::LateDelivery => "late-delivery",
            RefundReason::Duplicate => "duplicate",
            RefundReason::Fraudulent => "fraudulent",
            RefundReason::OutOfStock => "out-of-stock",
            RefundReason::OrderCancelled => "order-cancelled",
            RefundReason::OrderRejected => "order-rejected",
            RefundReason::LatePayment => "late-payment",
            RefundReason::Other => "other",
        }
    }

    /// The reason of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<RefundReason> {
        RefundReason::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// Units of one line of the order that are given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefundLine {
    /// The position of the line in the order, from 0.
    pub line: usize,
    /// How many units, at most what was ordered less what was refunded before.
    pub quantity: i64,
    /// Whether the units are whole and go back to the shelf.
    #[serde(default)]
    pub restock: bool,
}

/// Why the lines of a refund are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinesError {
    /// No such line, or it stands twice.
    #[error("the order has no line `{line}`, or it stands twice")]
    Line {
        /// As it was asked for.
        line: usize,
    },
    /// None, or more than are left.
    #[error("the quantity must be 1 to the `{left}` that were not refunded yet")]
    Quantity {
        /// Which line.
        line: usize,
        /// What can still be refunded of it.
        left: i64,
    },
}

impl LinesError {
    /// The line it is about.
    #[must_use]
    pub fn line(self) -> usize {
        match self {
            LinesError::Line { line } | LinesError::Quantity { line, .. } => line,
        }
    }
}

/// What the lines of a refund cost, in minor units. `refunded` tells how many units of a line went back before.
///
/// # Errors
/// [`LinesError`].
pub fn price(asked: &[RefundLine], order: &[Line], refunded: &BTreeMap<usize, i64>) -> Result<i64, LinesError> {
    let mut amount: i64 = 0;
    for (at, item) in asked.iter().enumerate() {
        let twice = asked.iter().take(at).any(|other| other.line == item.line);
        let line = order.get(item.line).filter(|_| !twice);
        let line = line.ok_or(LinesError::Line { line: item.line })?;
        let left = line.quantity.saturating_sub(refunded.get(&item.line).copied().unwrap_or(0)).max(0);
        if !(1..=left).contains(&item.quantity) {
            return Err(LinesError::Quantity { line: item.line, left });
        }
        amount = amount.saturating_add(line.unit_price.saturating_mul(item.quantity));
    }
    Ok(amount)
}

/// What goes back to the shelf, by product.
#[must_use]
pub fn restocked(lines: &[RefundLine], order: &[Line]) -> Needs {
    let whole = lines.iter().filter(|item| item.restock);
    let units = whole.filter_map(|item| Some((order.get(item.line)?.sku.as_str(), item.quantity)));
    crate::stock::needs(units)
}

/// How much of a refund is taken from the tip: what the sale paid goes back first, the tip last. `before` is what was given
/// back of the payment before this refund.
#[must_use]
pub fn tip_part(amount: i64, before: i64, captured: i64, tip: i64) -> i64 {
    let of_tip = |refunded: i64| refunded.saturating_sub(captured.saturating_sub(tip)).clamp(0, tip.max(0));
    of_tip(before.saturating_add(amount)) - of_tip(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sku: &str, quantity: i64, unit_price: i64) -> Line {
        Line {
            sku: sku.into(),
            name: sku.into(),
            quantity,
            unit_price,
            options: Vec::new(),
            extras: Vec::new(),
            total: quantity * unit_price,
            note: String::new(),
        }
    }

    #[test]
    fn names_are_read_back() {
        for status in RefundStatus::ALL {
            assert_eq!(RefundStatus::from_name(status.as_str()), Some(status));
        }
        for reason in RefundReason::ALL {
            assert_eq!(RefundReason::from_name(reason.as_str()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }

    #[test]
    fn news_move_a_refund_forward_only() {
        use RefundStatus::{Failed, Pending, Succeeded};
        #[track_caller]
        fn check(status: RefundStatus, news: RefundStatus, expected: Option<RefundStatus>) {
            assert_eq!(hear(status, news), expected);
        }
        check(Pending, Pending, None);
        check(Pending, Succeeded, Some(Succeeded));
        check(Pending, Failed, Some(Failed));
        check(Succeeded, Failed, Some(Failed));
        check(Succeeded, Pending, None);
        check(Succeeded, Succeeded, None);
        check(Failed, Succeeded, None);
        check(Failed, Pending, None);
    }

    #[test]
    fn lines_are_priced_and_capped() {
        let order = [line("xis", 2, 2590), line("guarana", 3, 600)];
        #[track_caller]
        fn check(order: &[Line], asked: &[(usize, i64)], before: &[(usize, i64)], expected: Result<i64, LinesError>) {
            let asked: Vec<RefundLine> = asked
                .iter()
                .map(|(line, quantity)| RefundLine { line: *line, quantity: *quantity, restock: false })
                .collect();
            assert_eq!(price(&asked, order, &before.iter().copied().collect()), expected);
        }
        check(&order, &[(0, 1), (1, 3)], &[], Ok(4390));
        check(&order, &[(0, 1)], &[(0, 1)], Ok(2590));
        check(&order, &[(0, 2)], &[(0, 1)], Err(LinesError::Quantity { line: 0, left: 1 }));
        check(&order, &[(0, 0)], &[], Err(LinesError::Quantity { line: 0, left: 2 }));
        check(&order, &[(0, -1)], &[], Err(LinesError::Quantity { line: 0, left: 2 }));
        check(&order, &[(2, 1)], &[], Err(LinesError::Line { line: 2 }));
        check(&order, &[(1, 1), (1, 1)], &[], Err(LinesError::Line { line: 1 }));
        check(&order, &[], &[], Ok(0));
    }

    #[test]
    fn only_whole_units_go_back_to_the_shelf() {
        let order = [line("xis", 2, 2590), line("guarana", 3, 600), line("guarana", 1, 600)];
        let item = |line, quantity, restock| RefundLine { line, quantity, restock };
        let back = restocked(&[item(0, 1, false), item(1, 2, true), item(2, 1, true)], &order);
        assert_eq!(back.into_iter().collect::<Vec<_>>(), [("guarana".to_owned(), 3)]);
    }

    #[test]
    fn the_tip_goes_back_last() {
        #[track_caller]
        fn check(amount: i64, before: i64, captured: i64, tip: i64, expected: i64) {
            assert_eq!(tip_part(amount, before, captured, tip), expected);
        }
        check(1000, 0, 1000, 100, 100);
        check(900, 0, 1000, 100, 0);
        check(50, 900, 1000, 100, 50);
        check(950, 0, 1000, 100, 50);
        check(50, 950, 1000, 100, 50);
        check(1000, 0, 1000, 0, 0);
        let parts: i64 = (0..10).map(|at| tip_part(100, at * 100, 1000, 130)).sum();
        assert_eq!(parts, 130);
    }
}
