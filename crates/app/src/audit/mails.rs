//! Mails: whoever paid was told so, and whoever got money back too. The key of a mail is its order and its event, so no event
//! has two.

use domain::notification::Notice;
use domain::refund::RefundStatus;
use store::{ReadError, Store};

use super::{Pages, Run, difference};
use crate::records::Order;
use crate::records::mail::{MAILS, public_id};
use crate::records::order::{self, ORDERS};
use crate::records::refund::Refund;
use crate::views::Difference;

impl Run<'_> {
    /// A mail that belongs to no order would go to somebody who ordered nothing.
    pub(super) async fn mails(&mut self) -> Result<(), ReadError> {
        let mut pages = Pages::open(&*self.view, &MAILS).await?;
        let mut known = None;
        while let Some(row) = pages.next(self, "mails").await? {
            self.count("mails");
            let &store::Key::Pair(id, event) = row.key() else { continue };
            // An order's mails follow each other.
            if known != Some(id) && self.view.get(&ORDERS, &id.into()).await?.is_none() {
                let detail = format!("there is no order `{}`", order::public_id(id));
                self.differ(difference("mail-without-order", public_id(id, event), detail));
                continue;
            }
            known = Some(id);
        }
        Ok(())
    }
}

/// The mail that the payment is confirmed, of an order that the shop works on, or has.
pub(super) async fn check_confirmation(
    view: &dyn Store,
    order: &Order,
    found: &mut Vec<Difference>,
) -> Result<(), ReadError> {
    if !told(view, order, Notice::PaymentConfirmed, 0).await? {
        found.push(difference("confirmation-not-sent", order.public_id(), "the customer has an address and no mail"));
    }
    Ok(())
}

/// The mail of a refund that went.
pub(super) async fn check_refund(
    view: &dyn Store,
    order: &Order,
    refund: &Refund,
    found: &mut Vec<Difference>,
) -> Result<(), ReadError> {
    if refund.status == RefundStatus::Succeeded && !told(view, order, Notice::Refunded, refund.number).await? {
        found.push(difference("refund-not-told", refund.public_id(), "the customer has an address and no mail"));
    }
    Ok(())
}

/// Whether the mail of an event is there, or nobody could get it. An order that cannot be read is named elsewhere.
async fn told(view: &dyn Store, order: &Order, notice: Notice, occurrence: i64) -> Result<bool, ReadError> {
    let Some(_) = order.customer().ok().flatten().and_then(|customer| customer.email) else { return Ok(true) };
    Ok(view.get(&MAILS, &(order.id, notice.number(occurrence)).into()).await?.is_some())
}
