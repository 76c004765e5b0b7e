//! One order and everything that belongs to it. It is checked by key in one view, so it can be looked at again.

use std::collections::BTreeMap;

use domain::delivery::{DeliveryKind, DeliveryStatus};
use domain::order::OrderStatus;
use domain::payment::{CaptureOn, PaymentStatus};
use domain::refund::RefundStatus;
use domain::stock::ReservationStatus;
use store::{ReadError, Store};

use super::{Run, difference, entries, mails};
use crate::Instant;
use crate::records::credit_note::CreditNoteRecord;
use crate::records::order::ORDERS;
use crate::records::receipt::ReceiptRecord;
use crate::records::refund::Refund;
use crate::records::stock::Reservation;
use crate::records::{DeliveryRecord, Order, Payment};
use crate::refunds;
use crate::views::Difference;

/// How long stock may stay set apart after the time to pay is over, while the end of its order is being written.
const HOLD_GRACE_MS: i64 = 3_600_000;

impl Run<'_> {
    pub(super) async fn orders(&mut self) -> Result<(), ReadError> {
        let mut pages = super::Pages::open(&*self.view, &ORDERS).await?;
        while let Some(row) = pages.next(self, "orders").await? {
            let id = row.key().int().unwrap_or(0);
            self.count("orders");
            let Ok(order) = Order::from_row(row) else {
                let subject = crate::records::order::public_id(id);
                self.differ(difference("unreadable-order", subject, "its row cannot be read"));
                continue;
            };
            if !order.status.is_final() {
                self.report.open += 1;
            }
            if order.attention().is_some() {
                self.report.needs_attention += 1;
            }
            if let Ok(Some(payment)) = Payment::load(&*self.view, order.id).await {
                self.report.money.captured += payment.captured;
                self.report.money.refunded += payment.refunded;
                if payment.captured > 0 && payment.provider() != self.provider.name() {
                    let sums = self.elsewhere.entry(payment.provider().to_owned()).or_default();
                    *sums = (sums.0 + 1, sums.1 + payment.captured);
                }
            }
            if let Ok(Some(reservation)) = Reservation::load(&*self.view, order.id).await {
                for (sku, units) in &reservation.needs {
                    let sums = self.reserved.entry(sku.clone()).or_default();
                    match reservation.status {
                        ReservationStatus::Held => sums.0 += units,
                        ReservationStatus::Committed => sums.1 += units,
                        ReservationStatus::Released | ReservationStatus::Returned => {}
                    }
                }
            }
            if !check(&*self.view, &order, self.now).await?.is_empty() {
                self.suspect(order.id, None);
            }
        }
        Ok(())
    }
}

/// Everything that is different about an order. A row that cannot be read is a difference, not the end of the audit.
pub(super) async fn check(view: &dyn Store, order: &Order, now: i64) -> Result<Vec<Difference>, ReadError> {
    let mut found = Vec::new();
    let id = order.public_id();
    let payment = match Payment::load(view, order.id).await {
        Ok(Some(payment)) => payment,
        Ok(None) => return Ok(vec![difference("order-without-payment", id, "there is no payment record")]),
        Err(error) => return Ok(vec![difference("unreadable-payment", id, error_text(&error))]),
    };
    check_payment(order, &payment, &mut found);
    check_refunds(view, order, &payment, &mut found).await?;
    check_receipt(view, order, &payment, &mut found).await?;
    if is_served(order.status) {
        mails::check_confirmation(view, order, &mut found).await?;
    }
    check_reservation(view, order, now, &mut found).await;
    check_delivery(view, order, &mut found).await;
    entries::check_payment(view, &payment, now, &mut found).await?;
    Ok(found)
}

/// The words of a read that failed on one row; a store that cannot be read at all fails elsewhere.
pub(super) fn error_text(error: &ReadError) -> String {
    use std::error::Error;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

fn check_payment(order: &Order, payment: &Payment, found: &mut Vec<Difference>) {
    let id = order.public_id();
    let taken = payment.taken();
    if payment.amount != order.total() {
        let detail = format!("the order costs {}, the payment is {}", order.total(), payment.amount);
        found.push(difference("amount", id.clone(), detail));
    }
    let totals = payment.totals();
    let parts = totals.subtotal + totals.delivery_fee + totals.service_fee + totals.tip;
    if parts != payment.amount {
        let detail = format!("the parts sum to {parts}, the payment is {}", payment.amount);
        found.push(difference("payment-parts", id.clone(), detail));
    }
    // A bank can take back the whole of a payment that was refunded in part.
    let out = taken.refunded.saturating_add(taken.refunding).max(taken.disputed);
    let parts = [taken.refunded, taken.refunding, taken.disputed];
    if payment.captured > payment.amount || out > payment.captured || parts.into_iter().any(|part| part < 0) {
        let detail = format!(
            "of {}, {} was taken, {} given back, {} is set apart and {} disputed",
            payment.amount, payment.captured, taken.refunded, taken.refunding, taken.disputed
        );
        found.push(difference("taken-too-much", id.clone(), detail));
    }
    if payment.status.is_taken() != (payment.captured > 0)
        || payment.status.is_taken() && payment.status != taken.status()
    {
        let detail = format!(
            "it is {}, and of {} {} went back and {} is disputed",
            payment.status.as_str(),
            payment.captured,
            payment.refunded,
            payment.disputed
        );
        found.push(difference("payment-status", id.clone(), detail));
    }
    // Whatever went back later, with a row of its own, was paid.
    let paid = payment.status.is_taken() && payment.captured == payment.amount;
    let over = match payment.status {
        PaymentStatus::Voided | PaymentStatus::Expired => true,
        status => status.is_taken() && taken.left() == 0,
    };
    let off = matches!(order.status, OrderStatus::Rejected | OrderStatus::Cancelled | OrderStatus::Expired);
    let stands = || format!("the order is {}, the payment {}", order.status.as_str(), payment.status.as_str());
    if is_served(order.status) && !paid && !is_held_until_dispatch(order, payment) && !is_being_undone(order) {
        found.push(difference("served-without-payment", id.clone(), stands()));
    }
    if off && !over {
        found.push(difference("money-kept", id, stands()));
    }
}

/// The rows of the refunds add up to what the payment says, and each that went has its credit note.
async fn check_refunds(
    view: &dyn Store,
    order: &Order,
    payment: &Payment,
    found: &mut Vec<Difference>,
) -> Result<(), ReadError> {
    if payment.refunds() == 0 && payment.refunded == 0 && payment.refund_pending == 0 {
        return Ok(());
    }
    let id = order.public_id();
    let refunds = match refunds::all(view, payment).await {
        Ok(refunds) => refunds,
        Err(error) => {
            found.push(difference("unreadable-refund", id, error_text(&error)));
            return Ok(());
        }
    };
    if refunds.len() as i64 != payment.refunds() {
        let detail = format!("the payment has had {}, there are {}", payment.refunds(), refunds.len());
        found.push(difference("refund-missing", id.clone(), detail));
    }
    let sum = |status: RefundStatus| -> i64 {
        let counted = refunds.iter().filter(|refund| refund.status == status && !refund.is_stray());
        counted.map(|refund| refund.amount).sum()
    };
    let (went, pending) = (sum(RefundStatus::Succeeded), sum(RefundStatus::Pending));
    if (went, pending) != (payment.refunded, payment.refund_pending) {
        let detail = format!(
            "the refunds sum to {went} and {pending} under way, the payment says {} and {}",
            payment.refunded, payment.refund_pending
        );
        found.push(difference("refunds-against-payment", id.clone(), detail));
    }
    let counted = refunds.iter().filter(|refund| refund.status != RefundStatus::Failed && !refund.is_stray());
    let tips: i64 = counted.map(|refund| refund.tip).sum();
    if tips != payment.refund_tip() {
        let detail = format!("the refunds take {tips} of the tip, the payment says {}", payment.refund_tip());
        found.push(difference("refunded-tip", id, detail));
    }
    for refund in &refunds {
        check_credit_note(view, refund, found).await?;
        mails::check_refund(view, order, refund, found).await?;
        if refund.is_halted() {
            let detail = format!("it is {} and no flow carries it on; try it again", refund.status.as_str());
            found.push(difference("refund-halted", refund.public_id(), detail));
        }
        entries::check_refund(view, payment, refund, found).await?;
    }
    Ok(())
}

async fn check_credit_note(view: &dyn Store, refund: &Refund, found: &mut Vec<Difference>) -> Result<(), ReadError> {
    let id = refund.public_id();
    let Some(number) = refund.int("credit_note") else {
        if refund.status == RefundStatus::Succeeded {
            found.push(difference("refund-without-credit-note", id, "there is no credit note"));
        }
        return Ok(());
    };
    match CreditNoteRecord::load(view, number).await {
        Ok(Some(note))
            if (note.order_id, note.refund, note.amount) == (refund.order_id, refund.number, refund.amount) => {}
        Ok(Some(note)) => {
            let detail = format!("credit note {number} is of {}, the refund of {}", note.amount, refund.amount);
            found.push(difference("credit-note-amount", id, detail));
        }
        Ok(None) => found.push(difference("credit-note-missing", id, format!("there is no credit note {number}"))),
        Err(error) => found.push(difference("unreadable-credit-note", id, error_text(&error))),
    }
    Ok(())
}

async fn check_receipt(
    view: &dyn Store,
    order: &Order,
    payment: &Payment,
    found: &mut Vec<Difference>,
) -> Result<(), ReadError> {
    if is_served(order.status) || payment.captured > 0 {
        let id = order.public_id();
        match ReceiptRecord::count_of_order(view, order.id).await? {
            0 if is_held_until_dispatch(order, payment) => {}
            0 if is_served(order.status) => found.push(difference("paid-without-receipt", id, "there is no receipt")),
            0 | 1 => {}
            more => found.push(difference("two-receipts", id, format!("there are {more}"))),
        }
    }
    Ok(())
}

async fn check_reservation(view: &dyn Store, order: &Order, now: i64, found: &mut Vec<Difference>) {
    let id = order.public_id();
    let reservation = match Reservation::load(view, order.id).await {
        Ok(Some(reservation)) => reservation,
        Ok(None) => {
            let needed =
                !matches!(order.status, OrderStatus::Checkout | OrderStatus::Rejected | OrderStatus::Cancelled);
            if needed {
                found.push(difference("order-without-stock", id, "nothing was reserved"));
            }
            return;
        }
        Err(error) => {
            found.push(difference("unreadable-reservation", id, error_text(&error)));
            return;
        }
    };
    let wrong = match reservation.status {
        ReservationStatus::Committed => match order.status {
            OrderStatus::Expired | OrderStatus::Checkout | OrderStatus::Rejected => true,
            // Once the kitchen has begun the goods are gone, and the money goes back all the same.
            OrderStatus::Cancelled => {
                let timeline = order.timeline().unwrap_or_default();
                !timeline.iter().any(|entry| entry.1 == OrderStatus::InPreparation)
            }
            _ => false,
        },
        ReservationStatus::Held => order.status != OrderStatus::PaymentPending,
        ReservationStatus::Released | ReservationStatus::Returned => is_served(order.status),
    };
    if wrong && !is_being_undone(order) {
        let detail = format!("the order is {}, its stock is {}", order.status.as_str(), reservation.status.as_str());
        found.push(difference("stock-against-order", id.clone(), detail));
    }
    if let Some(detail) = more_than_ordered(order, &reservation) {
        found.push(difference("stock-above-order", id.clone(), detail));
    }
    let until = reservation.expires_at;
    if reservation.status == ReservationStatus::Held && now - until > HOLD_GRACE_MS {
        let detail = format!("it was set apart until {}", Instant(until).to_rfc3339());
        found.push(difference("stock-held-too-long", id, detail));
    }
}

/// Units that an order holds beyond what it ordered.
fn more_than_ordered(order: &Order, reservation: &Reservation) -> Option<String> {
    let body = order.body().ok()?;
    let ordered: BTreeMap<_, _> =
        domain::stock::needs(body.lines.iter().map(|line| (line.sku.as_str(), line.quantity)));
    let above = reservation.needs.iter().find(|(sku, units)| ordered.get(*sku).copied().unwrap_or(0) < **units);
    above.map(|(sku, units)| format!("it holds {units} of `{sku}`, {} were ordered", ordered.get(sku).unwrap_or(&0)))
}

async fn check_delivery(view: &dyn Store, order: &Order, found: &mut Vec<Difference>) {
    let brought = matches!(order.status, OrderStatus::OutForDelivery | OrderStatus::Completed);
    if order.delivery() != DeliveryKind::Courier || !brought {
        return;
    }
    let status = DeliveryRecord::load(view, order.id).await.ok().flatten().map(|delivery| delivery.status);
    let good = match order.status {
        OrderStatus::Completed => status == Some(DeliveryStatus::Delivered),
        _ => matches!(status, Some(DeliveryStatus::PickedUp | DeliveryStatus::Delivered)),
    };
    if !good {
        let status = status.map_or("missing", DeliveryStatus::as_str);
        let detail = format!("the order is {}, its delivery {status}", order.status.as_str());
        found.push(difference("delivery-against-order", order.public_id(), detail));
    }
}

/// Whether an order is on its way back, so that money and goods are ahead of its status.
fn is_being_undone(order: &Order) -> bool {
    order.cancel_reason().is_some() && !order.status.is_final() && !order.is_halted()
}

/// Whether the amount of an order is held, and taken only when it leaves.
fn is_held_until_dispatch(order: &Order, payment: &Payment) -> bool {
    payment.status == PaymentStatus::Authorized
        && payment.capture_on() == CaptureOn::Dispatch
        && matches!(order.status, OrderStatus::Received | OrderStatus::InPreparation | OrderStatus::Ready)
}

/// Whether the shop works on the order, or has.
fn is_served(status: OrderStatus) -> bool {
    matches!(
        status,
        OrderStatus::Received
            | OrderStatus::InPreparation
            | OrderStatus::Ready
            | OrderStatus::OutForDelivery
            | OrderStatus::Completed
    )
}
