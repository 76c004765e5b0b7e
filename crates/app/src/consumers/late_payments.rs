//! Gives back money that came when nobody waited for it.

use async_trait::async_trait;
use domain::notification::Notice;
use domain::payment::PaymentStatus;
use store::Batch;

use super::{MAX_RECEIVES, read};
use crate::records::{Order, Payment, order};
use crate::settle::{LATE_QUEUE, LatePayment};
use crate::{App, Consumer, Delivery, FunctionError, mail};

/// See the module.
pub(super) struct LatePayments(pub(super) App);

#[async_trait]
impl Consumer for LatePayments {
    fn queue(&self) -> &'static str {
        LATE_QUEUE
    }

    fn reaches_out(&self) -> bool {
        true
    }

    async fn consume(&self, message: Delivery) -> Result<Batch, FunctionError> {
        let app = &self.0;
        let late: LatePayment = read(&message.body)?;
        let id = order::private_id(&late.order_id);
        let id = id.ok_or_else(|| FunctionError::new("InvalidMessage", "no order"))?;
        let order = Order::load(&*app.store, id).await?;
        let payment = Payment::load(&*app.store, id).await?;
        let (Some(order), Some(payment)) = (order, payment) else {
            return Ok(Batch::new());
        };
        let mut batch = Batch::new();
        // The payment that became good too late is undone with its record; that of an earlier try has no record any more.
        let current = payment.intent() == Some(late.intent.as_str()) && payment.status.is_good();
        let given_back = if current {
            app.undo_payment(&payment, PaymentStatus::Voided, &mut batch).await
        } else {
            app.give_back_attempt(&late.intent).await.map(|()| false)
        };
        match given_back {
            Ok(true) => {
                mail::write(app, &mut batch, &order, Notice::Refunded, 0, message.now_ms).await?;
                Ok(batch)
            }
            Ok(false) => Ok(batch),
            Err(error) if message.receives < MAX_RECEIVES => Err(error.into()),
            Err(error) => {
                let reason = format!("a late payment ({}) could not be given back: {error}", late.intent);
                let mut batch = Batch::new();
                order.update(message.now_ms).attention(&reason).write(&mut batch);
                Ok(batch)
            }
        }
    }
}
