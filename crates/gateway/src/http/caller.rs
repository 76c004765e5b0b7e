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
    /// Change the catalogue and the stock.
    EditCatalogue,
    /// See entries and statements.
    ViewLedger,
    /// Post entries, import, close days.
    KeepBooks,
    /// Read the mails that were sent.
    ReadMailbox,
    /// Look into executions and queues.
    Operate,
}

/// Who a request is from, as an extension of it by whoever has checked its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedIn {
    /// Whether they work here.
    pub staff: bool,
}

/// The one who sent the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A customer who has not signed in.
    Anonymous,
    /// Someone who works here.
    Staff,
}

impl Caller {
    /// Whether the caller may.
    ///
    /// # Errors
    /// 403 if not.
    pub(crate) fn may(self, action: Action) -> Result<(), Problem> {
        match (self, action) {
            (Caller::Staff, _) | (Caller::Anonymous, Action::Order) => Ok(()),
            (Caller::Anonymous, _) => Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "sign in first")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Infallible> {
        Ok(match parts.extensions.get::<SignedIn>() {
            Some(SignedIn { staff: false }) => Caller::Anonymous,
            Some(SignedIn { staff: true }) | None => Caller::Staff,
        })
    }
}
