//! What payments post to the ledger, in the commit of their own change.

use domain::Currency;
use domain::bookkeeping::{self, Of};
use domain::ledger::EntryError;
use domain::payment::{IllegalTransition, PaymentStatus};
use store::{Batch, ReadError, Store};

use crate::error::StoreError;
use crate::provider::{Dispute, Intent};
use crate::records::dispute::DisputeRecord;
use crate::records::order;
use crate::records::payment::{Payment, PaymentUpdate};
use crate::{FunctionError, ledger};

/// How soon the provider is asked for the fee of a capture that it did not tell at once, in milliseconds.
const FEE_AFTER_MS: i64 = 60_000;

/// Why a change of a payment cannot be written. Both are mistakes of a program: nothing a caller sends leads here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettleError {
    #[error(transparent)]
    Transition(#[from] IllegalTransition),
    #[error("the entry cannot be posted: {0}")]
    Entry(#[from] EntryError),
}

impl From<SettleError> for StoreError {
    fn from(error: SettleError) -> StoreError {
        StoreError::Internal(error.into())
    }
}

impl From<SettleError> for FunctionError {
    fn from(error: SettleError) -> FunctionError {
        match error {
            SettleError::Transition(error) => error.into(),
            SettleError::Entry(error) => FunctionError::new("InvalidEntry", error.to_string()),
        }
    }
}

/// The amount was taken: posts that, and the fee if it is known, and begins the change that says so. A fee that is not
/// known yet is asked for.
pub(crate) fn captured<'p>(
    payment: &'p Payment,
    intent: &Intent,
    now: i64,
    batch: &mut Batch,
) -> Result<PaymentUpdate<'p>, SettleError> {
    let order = order::public_id(payment.order_id);
    ledger::post(batch, &bookkeeping::capture(of(payment, &order, now), &payment.totals())?);
    let update = payment.update().status(PaymentStatus::Confirmed)?;
    let update = update.set("intent", intent.id.as_str()).set("captured", intent.captured);
    // Of a card that was entered elsewhere the provider tells brand and digits.
    let update = match (payment.text("card"), &intent.card) {
        (None, Some(card)) => update.set("card", card.as_str()),
        _ => update,
    };
    match intent.fee {
        Some(fee) => charged(update.settled(), payment, fee, now, batch),
        None => Ok(update.watched(now + FEE_AFTER_MS)),
    }
}

/// When a payment's capture was posted, in milliseconds since the epoch.
pub(crate) async fn captured_at(store: &dyn Store, payment: &Payment) -> Result<Option<i64>, ReadError> {
    let key = bookkeeping::capture_key(&order::public_id(payment.order_id), payment.attempts);
    Ok(ledger::posted(store, &key).await?.map(store::id::time_ms))
}

/// The provider told its fee: posts it.
pub(crate) fn charged<'p>(
    update: PaymentUpdate<'p>,
    payment: &Payment,
    fee: i64,
    now: i64,
    batch: &mut Batch,
) -> Result<PaymentUpdate<'p>, SettleError> {
    let order = order::public_id(payment.order_id);
    if let Some(entry) = bookkeeping::fee(of(payment, &order, now), fee)? {
        ledger::post(batch, &entry);
    }
    Ok(update.set("fee", fee))
}

/// A dispute moved: posts what its bank took or returned, and the provider's fee for it.
pub(crate) fn disputed(
    payment: &Payment,
    known: Option<&DisputeRecord>,
    dispute: &Dispute,
    now: i64,
    batch: &mut Batch,
) -> Result<(), SettleError> {
    use domain::dispute::DisputeStatus::{Inquiry, Lost, Open, Won};
    let order = order::public_id(payment.order_id);
    let of = of(payment, &order, now);
    let held = known.map_or(0, DisputeRecord::withdrawn);
    let id = dispute.id.as_str();
    if known.is_none_or(|known| known.status != dispute.status) {
        if held == 0 && dispute.status.is_withdrawn() {
            ledger::post(batch, &bookkeeping::dispute_opened(of, id, dispute.amount)?);
        }
        match dispute.status {
            Won if held > 0 => drop(ledger::post(batch, &bookkeeping::dispute_won(of, id, held)?)),
            Lost => drop(ledger::post(batch, &bookkeeping::dispute_lost(of, id, dispute.amount)?)),
            Inquiry | Open | Won => {}
        }
    }
    let before = known.map_or(0, |known| known.fee);
    let number = known.map_or(1, DisputeRecord::next_number);
    if let Some(entry) = bookkeeping::dispute_fee(of, id, number, dispute.fee - before)? {
        ledger::post(batch, &entry);
    }
    Ok(())
}

/// Which payment an entry is about.
pub(crate) fn of<'a>(payment: &'a Payment, order: &'a str, at: i64) -> Of<'a> {
    let currency = Currency::from_code(payment.currency()).unwrap_or(Currency::BRL);
    Of { order, attempt: payment.attempts, provider: payment.text("provider").unwrap_or("unknown"), currency, at }
}
