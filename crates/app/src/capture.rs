//! Taking what is held: by the flow, by a person, or by the watch over holds that end.

use domain::order::OrderStatus;
use domain::payment::{HoldWatch, PaymentStatus, watch_hold};
use std::ops::Bound;
use store::{Batch, CommitError, Query, Value};

use crate::error::StoreError;
use crate::postings::{SettleError, captured};
use crate::provider::{IntentStatus, ProviderError};
use crate::records::payment::PAYMENTS;
use crate::records::{Order, Payment};
use crate::settle::step_key;
use crate::{App, FunctionError};

/// How many payments are read at once.
const PAGE: usize = 100;
/// How many holds one beat looks at.
const MAX_HOLDS: usize = 1_000;

/// Why an amount was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    #[error("the payment is {}", .0.as_str())]
    NotHeld(PaymentStatus),
    #[error("the provider took {taken} instead of {amount}")]
    Mismatch { taken: i64, amount: i64 },
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Settle(#[from] SettleError),
}

impl From<CaptureError> for FunctionError {
    fn from(error: CaptureError) -> FunctionError {
        match error {
            CaptureError::NotHeld(_) => FunctionError::new("PaymentNotAuthorized", error.to_string()),
            CaptureError::Mismatch { .. } => FunctionError::new("CaptureMismatch", error.to_string()),
            CaptureError::Provider(error) => error.into(),
            CaptureError::Settle(error) => error.into(),
        }
    }
}

/// Whether the shop works on an order, and nobody calls it off: then its money is owed.
pub(crate) fn is_accepted(order: &Order) -> bool {
    let works = [
        OrderStatus::Received,
        OrderStatus::InPreparation,
        OrderStatus::Ready,
        OrderStatus::OutForDelivery,
        OrderStatus::Completed,
    ];
    works.contains(&order.status) && order.cancel_reason().is_none()
}

impl App {
    /// Takes the amount that a payment holds, once however often it is called, and writes it down. What is taken already
    /// changes nothing.
    pub(crate) async fn capture_held(
        &self,
        payment: &Payment,
        now: i64,
        batch: &mut Batch,
    ) -> Result<(), CaptureError> {
        let intent = match (payment.status, payment.intent()) {
            (status, _) if status.is_taken() => return Ok(()),
            (PaymentStatus::Authorized, Some(intent)) => intent,
            (status, _) => return Err(CaptureError::NotHeld(status)),
        };
        let taken = self.provider_of(payment.provider())?.capture(intent, &step_key(payment, "capture")).await?;
        if taken.captured != payment.amount {
            return Err(CaptureError::Mismatch { taken: taken.captured, amount: payment.amount });
        }
        captured(payment, &taken, now, batch)?.write(batch);
        Ok(())
    }

    /// Looks after the holds that are about to end: a person is told a day before, and what an accepted order owes is taken
    /// some hours before. Why not void: the hold ends by itself, and the shop has worked.
    pub(crate) async fn watch_holds(&self, now: i64) -> Result<(), StoreError> {
        let until = Bound::Included(Value::Int(now + domain::payment::HOLD_ALARM_MS));
        let mut cursor = None;
        let mut seen = 0;
        while seen < MAX_HOLDS {
            let query = Query::index(&PAYMENTS, "held", 1).range(Bound::Unbounded, until.clone());
            let page = self.store.query(query.limit(PAGE).after(cursor)).await?;
            for row in page.rows {
                seen += 1;
                let payment = Payment::from_row(row)?;
                match self.watch(&payment, now).await {
                    // It moves on: the next beat looks again.
                    Ok(()) | Err(StoreError::Busy) => {}
                    Err(error) => return Err(error),
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn watch(&self, payment: &Payment, now: i64) -> Result<(), StoreError> {
        let Some(order) = Order::load(&*self.store, payment.order_id).await? else { return Ok(()) };
        let Some(ends) = payment.capture_before() else { return Ok(()) };
        // The provider knows best: it may not have said when it told of the hold, and the hold may be over.
        let decided = watch_hold(ends, is_accepted(&order), now);
        let asks = !payment.is_alarmed() || decided == HoldWatch::Capture;
        if let (Some(intent), true) = (payment.intent(), asks) {
            let asked = match self.provider_of(payment.provider()) {
                Ok(provider) => provider.retrieve(intent).await,
                Err(error) => Err(error),
            };
            match asked {
                Ok(found) if found.status != IntentStatus::Held => return self.hear(&found).await.map(drop),
                Ok(found) => {
                    // Events tell whole seconds.
                    if let Some(known) = found.capture_before.filter(|known| known.abs_diff(ends) >= 1_000) {
                        let mut batch = Batch::new();
                        payment.update().set("capture_before", known).write(&mut batch);
                        return Ok(self.commit(batch).await?);
                    }
                }
                Err(error) => tracing::warn!(order = order.public_id(), %error, "a hold could not be asked about"),
            }
        }
        match decided {
            HoldWatch::Leave => Ok(()),
            HoldWatch::Alarm => {
                self.alarm(&order, payment, "the hold of the payment is about to end and nothing was taken", now).await
            }
            HoldWatch::Capture => self.rescue(&order, payment, now).await,
        }
    }

    /// Puts the order before a person, once.
    async fn alarm(&self, order: &Order, payment: &Payment, reason: &str, now: i64) -> Result<(), StoreError> {
        if payment.is_alarmed() {
            return Ok(());
        }
        let mut batch = Batch::new();
        payment.update().set("alarmed_at", now).write(&mut batch);
        order.update(now).note(order.status, Some(reason)).attention(reason).write(&mut batch);
        Ok(self.commit(batch).await?)
    }

    async fn rescue(&self, order: &Order, payment: &Payment, now: i64) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        match self.capture_held(payment, now, &mut batch).await {
            Ok(()) => {
                let note = "the amount was taken because its hold was about to end";
                order.update(now).note(order.status, Some(note)).write(&mut batch);
                match self.commit(batch).await {
                    Ok(()) => Ok(()),
                    // The flow or a person was faster; the provider takes it only once.
                    Err(CommitError::Conflict { .. }) => Err(StoreError::Busy),
                    Err(error) => Err(error.into()),
                }
            }
            Err(CaptureError::Provider(ProviderError::Unavailable)) => Ok(()),
            Err(error) => {
                // Other news than that the hold is about to end, so it is told also to whom has heard that; once, as long as
                // the reason stands.
                let reason = format!("the hold of the payment ends and its amount cannot be taken: {error}");
                if order.attention() == Some(reason.as_str()) {
                    return Ok(());
                }
                let mut batch = Batch::new();
                order.update(now).note(order.status, Some(&reason)).attention(&reason).write(&mut batch);
                Ok(self.commit(batch).await?)
            }
        }
    }
}
