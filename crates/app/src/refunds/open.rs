//! Opening a refund: its amount is set apart on the payment, its row is written and its flow is started in one commit.
//!
//! Invariant: refunded + refund_pending + disputed never exceeds captured, because the payment's revision is a condition of
//! that commit: of two refunds that were decided on the same revision only one is written.

use domain::payment::{RefundError, Taken};
use domain::refund::{MAX_REFUNDS, RefundLine, RefundReason, tip_part};
use serde_json::json;
use store::{Batch, ReadError, Store};

use crate::records::payment::PaymentUpdate;
use crate::records::refund::{self, NewRefund, REFUNDS, Refund};
use crate::records::{Order, Payment, order};

/// What a refund is to be.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) amount: i64,
    pub(crate) reason: RefundReason,
    pub(crate) note: Option<String>,
    pub(crate) lines: Vec<RefundLine>,
    /// The provider's payment that gives the money back.
    pub(crate) intent: String,
}

/// Why a refund is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenRefundError {
    /// Against the cap.
    #[error(transparent)]
    Cap(#[from] RefundError),
    /// There were too many.
    #[error("the payment has had {MAX_REFUNDS} refunds; settle the rest by hand")]
    TooMany,
    /// The order cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Adds a refund to a change of its payment. `taken` is what the payment will have taken after the change. Answers the
/// refund's number.
pub(crate) fn open<'p>(
    update: PaymentUpdate<'p>,
    order: &Order,
    payment: &Payment,
    taken: Taken,
    wanted: Wanted,
    now: i64,
    batch: &mut Batch,
) -> Result<(PaymentUpdate<'p>, i64), OpenRefundError> {
    taken.check_refund(wanted.amount)?;
    let amount = wanted.amount;
    let before = taken.refunded.saturating_add(taken.refunding);
    // What earlier refunds took of the tip, those that failed left out: so the parts never sum to more than the tip.
    let of_tip = tip_part(before.saturating_add(amount), 0, taken.captured, payment.totals().tip);
    let tip = of_tip.saturating_sub(payment.refund_tip()).clamp(0, amount);
    let number = begin(order, payment, wanted, tip, false, now, batch)?;
    let update = update.set("refunds", number).set("refund_pending", taken.refunding.saturating_add(amount));
    Ok((update.set("refund_tip", payment.refund_tip().saturating_add(tip)), number))
}

/// Adds a refund of money of a try that the payment does not count with.
pub(crate) fn open_stray<'p>(
    update: PaymentUpdate<'p>,
    order: &Order,
    payment: &Payment,
    wanted: Wanted,
    now: i64,
    batch: &mut Batch,
) -> Result<PaymentUpdate<'p>, OpenRefundError> {
    let number = begin(order, payment, wanted, 0, true, now, batch)?;
    Ok(update.set("refunds", number))
}

fn begin(
    order: &Order,
    payment: &Payment,
    wanted: Wanted,
    tip: i64,
    stray: bool,
    now: i64,
    batch: &mut Batch,
) -> Result<i64, OpenRefundError> {
    let number = payment.refunds() + 1;
    if number > MAX_REFUNDS {
        return Err(OpenRefundError::TooMany);
    }
    let execution_id = start(order.id, number, 1, batch);
    let refund = NewRefund {
        order_id: order.id,
        number,
        amount: wanted.amount,
        tip,
        currency: payment.currency().to_owned(),
        reason: wanted.reason,
        note: wanted.note,
        lines: wanted.lines,
        stray,
        provider: payment.text("provider").unwrap_or_default().to_owned(),
        intent: wanted.intent,
        requested_at: now,
        execution_id,
    };
    batch.insert(refund.row());
    Ok(number)
}

/// Starts the flow of a refund; answers the id of its execution.
pub(crate) fn start(order_id: i64, number: i64, attempt: i64, batch: &mut Batch) -> i64 {
    let id = refund::public_id(order_id, number);
    let input = json!({ "orderId": order::public_id(order_id), "refundId": id });
    let name = crate::execution_name(&format!("{id}-{attempt}"));
    batch.start_flow_telling(crate::REFUND_FLOW_NAME, &name, input, crate::ENDED_FLOWS_QUEUE)
}

/// Every refund of a payment, by key: the latest applied state, unlike a query.
pub(crate) async fn all(store: &dyn Store, payment: &Payment) -> Result<Vec<Refund>, ReadError> {
    let mut all = Vec::new();
    for number in 1..=payment.refunds().min(MAX_REFUNDS) {
        if let Some(row) = store.get(&REFUNDS, &(payment.order_id, number).into()).await? {
            all.push(Refund::from_row(row)?);
        }
    }
    Ok(all)
}
