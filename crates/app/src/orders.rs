//! Looking at orders.
use crate::commands::ListOrders;
use crate::views::{OrderPage, OrderView};
use crate::{App, FindError, ListError};

impl App {
    /// One order, by `ord_...`.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn order(&self, id: &str) -> Result<OrderView, FindError> {
        todo!()
    }

    /// A page of orders, newest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn orders(&self, list: ListOrders) -> Result<OrderPage, ListError> {
        todo!()
    }

    /// Orders that wait for a person, newest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn inbox(&self, list: ListOrders) -> Result<OrderPage, ListError> {
        todo!()
    }

    /// Proves that its bearer placed the order: 128 bits in hex.
    #[must_use]
    pub fn tracking_token(&self, order_id: &str) -> String {
        todo!()
    }

    /// Whether a tracking token is that of the order, in constant time.
    #[must_use]
    pub fn is_tracking_token(&self, order_id: &str, token: &str) -> bool {
        todo!()
    }
}
