//! Gives back money that came when nobody waited for it, or that could not be given back at once.

use async_trait::async_trait;
use domain::notification::Notice;
use store::Batch;

use super::{pause_ms, read};
use crate::provider::ProviderError;
use crate::records::{Order, Payment, order};
use crate::settle::{LATE_QUEUE, LatePayment};
use crate::{App, Consumer, Delivery, FunctionError, mail};

/// After how long without the provider a person is asked to look, while it is tried again.
const FLAG_AFTER_MS: i64 = 4 * 3_600_000;
/// After how long the message is parked: a person puts it back once the provider answers.
const GIVE_UP_AFTER_MS: i64 = 3 * 86_400_000;

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
        match app.give_back(&payment, &late, &mut batch).await {
            Ok(true) => {
                mail::write(app, &mut batch, &order, Notice::Refunded, 0, message.now_ms).await?;
                Ok(batch)
            }
            Ok(false) => Ok(batch),
            Err(error) => try_again(&order, late, error, message.now_ms),
        }
    }
}

/// Sends the message again for later. One that the provider refuses, or could not be asked about for days, is parked once a
/// person knows of it.
fn try_again(order: &Order, late: LatePayment, error: ProviderError, now: i64) -> Result<Batch, FunctionError> {
    let since = if late.since == 0 { now } else { late.since };
    let refused = error != ProviderError::Unavailable;
    if late.flagged && (refused || now - since >= GIVE_UP_AFTER_MS) {
        return Err(error.into());
    }
    let flag = !late.flagged && (refused || now - since >= FLAG_AFTER_MS);
    let mut batch = Batch::new();
    if flag {
        let intent = late.intent.as_deref().unwrap_or("no answer yet");
        let reason = format!("a late payment ({intent}) could not be given back: {error}");
        order.update(now).note(order.status, Some(&reason)).attention(&reason).write(&mut batch);
    }
    let pause = pause_ms(late.tries);
    let next = LatePayment { since, tries: late.tries + 1, flagged: late.flagged || flag, ..late };
    batch.send(next.message().at(now + pause));
    Ok(batch)
}
