//! Looking at refunds.

use store::{Query, ReadError};

use super::news::currency;
use super::open::all;
use crate::commands::ListRefunds;
use crate::error::StoreError;
use crate::orders::page_limit;
use crate::records::refund::{self, REFUNDS, Refund};
use crate::records::{Payment, order};
use crate::views::{RefundList, RefundPage, RefundView};
use crate::{App, FindError, Instant, ListError};

impl App {
    /// The refunds of an order's payment, oldest first, with what is left to give back.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn refunds_of(&self, order_id: &str) -> Result<RefundList, FindError> {
        let not_found = || FindError::not_found("payment of order", order_id);
        let id = order::private_id(order_id).ok_or_else(not_found)?;
        let payment = Payment::load(&*self.store, id).await?.ok_or_else(not_found)?;
        let refunds = all(&*self.store, &payment).await?;
        let items = refunds.iter().map(view).collect::<Result<_, _>>().map_err(FindError::Store)?;
        let taken = payment.taken();
        Ok(RefundList {
            items,
            revision: payment.revision,
            captured: taken.captured,
            refunded: taken.refunded,
            pending: taken.refunding,
            left: taken.left(),
        })
    }

    /// One refund, by `rfd_...`.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn refund(&self, id: &str) -> Result<RefundView, FindError> {
        let not_found = || FindError::not_found("refund", id);
        let (order_id, number) = refund::private_id(id).ok_or_else(not_found)?;
        let refund = Refund::load(&*self.store, order_id, number).await?.ok_or_else(not_found)?;
        Ok(view(&refund)?)
    }

    /// A page of refunds: those of the newest orders first, with a status the newest first, or those that are halted.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn refunds(&self, list: ListRefunds) -> Result<RefundPage, ListError> {
        let limit = page_limit(list.limit)?;
        let query = match list.status {
            _ if list.halted => Query::index(&REFUNDS, "by_halted", 1),
            Some(status) => Query::index(&REFUNDS, "by_status", status.as_str()),
            None => Query::table(&REFUNDS),
        };
        let page = self.store.query(query.descending().limit(limit).after(list.cursor)).await?;
        let items = page.rows.into_iter().map(|row| view(&Refund::from_row(row)?)).collect::<Result<_, _>>()?;
        Ok(RefundPage { items, next: page.next })
    }
}

/// A refund as callers see it.
pub(crate) fn view(refund: &Refund) -> Result<RefundView, ReadError> {
    let currency = currency(refund).map_err(|error: StoreError| ReadError::Unavailable(error.into()))?;
    Ok(RefundView {
        refund_id: refund.public_id(),
        order_id: order::public_id(refund.order_id),
        status: refund.status,
        revision: refund.revision,
        amount: refund.amount,
        currency,
        reason: refund.reason,
        note: refund.text("note").map(str::to_owned),
        lines: refund.lines()?,
        attempt: refund.attempt,
        provider_refund: refund.text("provider_refund").filter(|id| !id.is_empty()).map(str::to_owned),
        requested_at: Instant(refund.int("requested_at").unwrap_or(0)),
        settled_at: refund.int("settled_at").map(Instant),
        failure: refund.text("failure").map(str::to_owned),
        halted: refund.is_halted(),
        credit_note: refund.int("credit_note"),
    })
}
