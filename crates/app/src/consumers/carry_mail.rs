//! Hands mails to their carrier, at least once, each under a stable message id.

use async_trait::async_trait;
use domain::notification::Notice;
use store::{Batch, Value};

use super::{MAX_RECEIVES, read};
use crate::mail::{Due, MAIL_QUEUE, compose, outgoing};
use crate::records::mail::MAILS;
use crate::records::{Order, Payment};
use crate::{App, Consumer, Delivery, FunctionError};

/// See the module.
pub(super) struct CarryMail(pub(super) App);

#[async_trait]
impl Consumer for CarryMail {
    fn queue(&self) -> &'static str {
        MAIL_QUEUE
    }

    fn reaches_out(&self) -> bool {
        true
    }

    async fn consume(&self, message: Delivery) -> Result<Batch, FunctionError> {
        let app = &self.0;
        let due: Due = read(&message.body)?;
        let key = (due.order, due.event);
        let row = app.store.get(&MAILS, &key.into()).await?;
        let order = Order::load(&*app.store, due.order).await?;
        let payment = Payment::load(&*app.store, due.order).await?;
        let (Some(row), Some(order), Some(payment)) = (row, order, payment) else {
            return Ok(Batch::new());
        };
        let (Some(mailer), Some(notice)) = (&app.mailer, Notice::from_number(due.event)) else {
            return Ok(Batch::new());
        };
        if row.text("status") == Some("sent") {
            return Ok(Batch::new());
        }
        let to = row.text("recipient").unwrap_or_default();
        let texts = compose(app, &order, &payment, notice)?;
        let mut batch = Batch::new();
        let mut set = |status: &str| {
            batch.update(&MAILS, key, vec![("status", Value::from(status))], None);
        };
        match mailer.send(outgoing(app, &order, due.event, to, texts)).await {
            Ok(()) => set("sent"),
            // The carrier's words can repeat the address, so they stay out of the log.
            Err(_) if message.receives < MAX_RECEIVES => {
                return Err(FunctionError::new("MailNotTaken", "the carrier did not take the mail"));
            }
            Err(_) => {
                tracing::warn!(order = order.public_id(), event = notice.as_str(), "a mail could not be sent");
                set("failed");
            }
        }
        Ok(batch)
    }
}
