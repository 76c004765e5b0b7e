//! What refunds post to the ledger.

use domain::bookkeeping::{self, Refunded};
use domain::ledger::Entry;

use crate::postings::{SettleError, of};
use crate::records::refund::Refund;
use crate::records::{Payment, order};

/// The entry of a refund that went.
pub(crate) fn refund(payment: &Payment, refund: &Refund, now: i64) -> Result<Entry, SettleError> {
    let (order, id) = (order::public_id(refund.order_id), refund.public_id());
    Ok(bookkeeping::refund(of(payment, &order, now), refunded(refund, &id))?)
}

/// The undoing of that entry: the money came back.
pub(crate) fn bounce(payment: &Payment, refund: &Refund, now: i64) -> Result<Entry, SettleError> {
    let (order, id) = (order::public_id(refund.order_id), refund.public_id());
    Ok(bookkeeping::refund_bounced(of(payment, &order, now), refunded(refund, &id))?)
}

/// The entry of money that came for a try that its payment does not count with.
pub(crate) fn stray(payment: &Payment, intent: &str, amount: i64, now: i64) -> Result<Entry, SettleError> {
    let order = order::public_id(payment.order_id);
    Ok(bookkeeping::stray(of(payment, &order, now), intent, amount)?)
}

fn refunded<'a>(refund: &Refund, id: &'a str) -> Refunded<'a> {
    Refunded { refund: id, attempt: refund.attempt, amount: refund.amount, tip: refund.tip, stray: refund.is_stray() }
}
