//! Placing an order.
use crate::commands::PlaceOrder;
use crate::error::StoreError;
use crate::views::PlacedOrder;
use crate::{App, Kind, Problem};
use domain::basket::BasketError;
use domain::customer::CustomerError;

/// An order that is durable and whose flow is started.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The answer.
    pub order: PlacedOrder,
    /// Whether the same request had been answered before.
    pub replayed: bool,
}

/// Why an order was not placed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Something about the lines.
    #[error(transparent)]
    Basket(#[from] BasketError),
    /// Something about the customer.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// Something about the address.
    #[error("the address needs a `{0}` of 1 to 120 characters")]
    Address(&'static str),
    /// Something about the card.
    #[error("{problem}")]
    Card {
        /// The field of the payment.
        field: &'static str,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// The customer saw another total.
    #[error("the total is `{total}`, not `{expected}`; show the customer the new total and place the order again")]
    PriceChanged {
        /// What it costs now.
        total: i64,
        /// What the customer saw.
        expected: i64,
    },
    /// Longer than 255 characters, or empty.
    #[error("the idempotency key must have 1 to 255 visible ASCII characters")]
    Key,
    /// The key was used for another body.
    #[error("the idempotency key was used for another order; use a new key")]
    KeyReused,
    /// The provider cannot be reached.
    #[error("the payment provider is unavailable; try again")]
    Provider,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for PlaceError {
    fn kind(&self) -> Kind {
        match self {
            PlaceError::PriceChanged { .. } => Kind::Conflict,
            PlaceError::Provider => Kind::Unavailable,
            PlaceError::Store(error) => error.kind(),
            _ => Kind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            PlaceError::Basket(error) => error.code(),
            PlaceError::Customer(_) => "invalid-customer",
            PlaceError::Address(_) => "invalid-address",
            PlaceError::Card { .. } => "invalid-card",
            PlaceError::PriceChanged { .. } => "price-changed",
            PlaceError::Key => "invalid-idempotency-key",
            PlaceError::KeyReused => "idempotency-key-reused",
            PlaceError::Provider => "provider-unavailable",
            PlaceError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            PlaceError::Basket(error) => Some(error.pointer()),
            PlaceError::Customer(error) => Some(format!("/customer/{}", error.field())),
            PlaceError::Address(field) => Some(format!("/delivery/address/{field}")),
            PlaceError::Card { field, .. } => Some(format!("/payment/{field}")),
            PlaceError::PriceChanged { .. } => Some("/expectedTotal".into()),
            _ => None,
        }
    }
}

impl App {
    /// Places an order: checks it, freezes its prices and commits order, payment, idempotency key and flow start in one
    /// batch. Returns once that is durable.
    ///
    /// The same `key` with the same body answers the same again; it is kept for at least a day.
    ///
    /// # Errors
    /// [`PlaceError`]; nothing was placed.
    pub async fn place_order(&self, command: PlaceOrder, key: Option<&str>) -> Result<Placed, PlaceError> {
        todo!()
    }
}
