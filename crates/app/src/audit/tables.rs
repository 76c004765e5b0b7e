//! Rows that belong to nothing: what a walk over the orders does not come by.

use store::ReadError;

use super::{Pages, Run, difference};
use crate::records::Payment;
use crate::records::order::{self, ORDERS};
use crate::records::payment::PAYMENTS;
use crate::records::refund::{REFUNDS, Refund};
use crate::records::stock::RESERVATIONS;

impl Run<'_> {
    pub(super) async fn payments(&mut self) -> Result<(), ReadError> {
        let mut pages = Pages::open(&*self.view, &PAYMENTS).await?;
        while let Some(row) = pages.next(self, "payments").await? {
            self.count("payments");
            self.needs_order("payment-without-order", row.key()).await?;
            // One that cannot be read is named with its order.
            if let Ok(payment) = Payment::from_row(row) {
                self.disputed(&payment);
            }
        }
        Ok(())
    }

    pub(super) async fn reservations(&mut self) -> Result<(), ReadError> {
        let mut pages = Pages::open(&*self.view, &RESERVATIONS).await?;
        while let Some(row) = pages.next(self, "reservations").await? {
            self.count("reservations");
            self.needs_order("stock-without-order", row.key()).await?;
        }
        Ok(())
    }

    /// A refund that its payment does not count would give money back that nobody set apart.
    pub(super) async fn refunds(&mut self) -> Result<(), ReadError> {
        let mut pages = Pages::open(&*self.view, &REFUNDS).await?;
        while let Some(row) = pages.next(self, "refunds").await? {
            self.count("refunds");
            let key = row.key().to_string();
            let Ok(refund) = Refund::from_row(row) else {
                self.differ(difference("unreadable-refund", key, "its row cannot be read"));
                continue;
            };
            let payment = Payment::load(&*self.view, refund.order_id).await.ok().flatten();
            if payment.is_none_or(|payment| refund.number > payment.refunds()) {
                let detail = format!("{} {} that the payment knows nothing of", refund.amount, refund.currency());
                self.differ(difference("refund-without-payment", refund.public_id(), detail));
            }
        }
        Ok(())
    }

    async fn needs_order(&mut self, code: &str, key: &store::Key) -> Result<(), ReadError> {
        let id = key.int().unwrap_or(0);
        if self.view.get(&ORDERS, &id.into()).await?.is_none() {
            self.differ(difference(code, order::public_id(id), "there is no such order"));
        }
        Ok(())
    }
}
