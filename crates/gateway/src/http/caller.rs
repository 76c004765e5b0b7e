//! Who asks. The one place where sign-in and policies go in.
//!
//! Every handler that shows or changes something takes a [`Caller`] and asks it first. Until there is sign-in of its own, the
//! server binds loopback addresses only, and whoever reaches it is staff; where something before it signs people in (API
//! Gateway), that says with [`SignedIn`] who it is.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::{StatusCode, request::Parts};

use super::Problem;

/// What a request wants to do, in the words that policies will use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Place an order, pay or cancel one's own.
    Order,
    /// See any order.
    ViewOrders,
    /// Advance orders in the kitchen.
    Prepare,
    /// Give an order to its customer.
    HandOver,
    /// Cancel any order.
    Cancel,
    /// Change the catalogue and the stock.
    EditCatalogue,
    /// Take, release and give back money, and compare it with the provider's.
    MoveMoney,
    /// See entries and statements.
    ViewLedger,
    /// Post entries, import, close days.
    KeepBooks,
    /// Read the mails that were sent.
    ReadMailbox,
    /// Look into executions, queues and the inbox, and set them right.
    Operate,
}

/// What people who work here do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Prepares orders.
    Kitchen,
    /// Brings orders.
    Courier,
    /// Refunds, statements, the ledger.
    Finance,
    /// Flows, queues, the inbox, the catalogue.
    Operator,
    /// Everything.
    Admin,
}

impl Group {
    /// By its name in the user pool.
    #[must_use]
    pub fn of(name: &str) -> Option<Group> {
        Some(match name {
            "kitchen" => Group::Kitchen,
            "courier" => Group::Courier,
            "finance" => Group::Finance,
            "operator" => Group::Operator,
            "admin" => Group::Admin,
            _ => return None,
        })
    }
}

/// Who does what. Administrators do everything, and everybody may order.
const fn allowed(action: Action) -> &'static [Group] {
    use Group::{Courier, Finance, Kitchen, Operator};
    match action {
        Action::Order | Action::ViewOrders => &[Kitchen, Courier, Finance, Operator],
        Action::Prepare | Action::Cancel => &[Kitchen, Operator],
        Action::HandOver => &[Kitchen, Courier, Operator],
        Action::MoveMoney => &[Finance, Operator],
        Action::ViewLedger | Action::KeepBooks => &[Finance],
        Action::EditCatalogue | Action::ReadMailbox | Action::Operate => &[Operator],
    }
}

/// Who a request is from, as an extension of it by whoever has checked its token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignedIn {
    /// What they do here; nothing for a customer.
    pub groups: Vec<Group>,
}

/// The one who sent the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Someone of the staff of a server without sign-in.
    Staff,
    /// Someone whose token was checked, or who showed none.
    Checked(SignedIn),
}

impl Caller {
    /// Whether the caller may.
    ///
    /// # Errors
    /// 403 if not.
    pub(crate) fn may(&self, action: Action) -> Result<(), Problem> {
        let groups = match self {
            _ if action == Action::Order => return Ok(()),
            Caller::Staff => return Ok(()),
            Caller::Checked(SignedIn { groups }) => groups,
        };
        let may = |group: &Group| *group == Group::Admin || allowed(action).contains(group);
        match groups.iter().any(may) {
            true => Ok(()),
            false if groups.is_empty() => Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "sign in first")),
            false => {
                let problem = "your groups do not allow this; ask an administrator for another one";
                Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", problem))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Infallible> {
        Ok(parts.extensions.get::<SignedIn>().cloned().map_or(Caller::Staff, Caller::Checked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Action; 11] = [
        Action::Order,
        Action::ViewOrders,
        Action::Prepare,
        Action::HandOver,
        Action::Cancel,
        Action::EditCatalogue,
        Action::MoveMoney,
        Action::ViewLedger,
        Action::KeepBooks,
        Action::ReadMailbox,
        Action::Operate,
    ];

    #[track_caller]
    fn check(groups: &[&str], allowed: &[Action]) {
        let caller = Caller::Checked(SignedIn { groups: groups.iter().filter_map(|name| Group::of(name)).collect() });
        let may: Vec<Action> = ALL.into_iter().filter(|action| caller.may(*action).is_ok()).collect();
        assert_eq!(may, allowed, "{groups:?}");
    }

    #[test]
    fn each_group_does_its_own_work() {
        use Action::{Cancel, HandOver, KeepBooks, MoveMoney, Order, Prepare, ViewLedger, ViewOrders};
        check(&[], &[Order]);
        check(&["customer"], &[Order]);
        check(&["kitchen"], &[Order, ViewOrders, Prepare, HandOver, Cancel]);
        check(&["courier"], &[Order, ViewOrders, HandOver]);
        check(&["finance", "customer"], &[Order, ViewOrders, MoveMoney, ViewLedger, KeepBooks]);
        check(&["courier", "finance"], &[Order, ViewOrders, HandOver, MoveMoney, ViewLedger, KeepBooks]);
        check(&["operator", "finance"], &ALL);
        check(&["admin"], &ALL);
        assert!(ALL.into_iter().all(|action| Caller::Staff.may(action).is_ok()), "a server of one's own");
    }
}
