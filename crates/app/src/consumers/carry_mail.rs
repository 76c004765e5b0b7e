//! Hands mails to their carrier, at least once, each under a stable message id.

use async_trait::async_trait;
use domain::notification::Notice;
use store::message::Message;
use store::{Batch, Value};

use super::{pause_ms, read};
use crate::mail::{Due, MAIL_QUEUE, compose, outgoing};
use crate::records::Order;
use crate::records::mail::MAILS;
use crate::{App, Consumer, Delivery, FunctionError};

/// After how long a mail is marked as failed and its message parked: a person puts it back once the carrier works.
const GIVE_UP_AFTER_MS: i64 = 48 * 3_600_000;

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
        let (Some(row), Some(order)) = (row, order) else {
            return Ok(Batch::new());
        };
        let (Some(mailer), Some(notice)) = (&app.mailer, Notice::from_number(due.event)) else {
            return Ok(Batch::new());
        };
        if row.text("status") == Some("sent") {
            return Ok(Batch::new());
        }
        let to = row.text("recipient").unwrap_or_default();
        let Some(texts) = compose(app, &order, due.event).await? else {
            return Ok(Batch::new());
        };
        let mut batch = Batch::new();
        let mut set = |status: &str| {
            batch.update(&MAILS, key, vec![("status", Value::from(status))], None);
        };
        if mailer.send(outgoing(app, &order, due.event, to, texts)).await.is_ok() {
            set("sent");
            return Ok(batch);
        }
        // The carrier's words can repeat the address, so they stay out of the log.
        let refused = FunctionError::new("MailNotTaken", "the carrier did not take the mail");
        let since = if due.since == 0 { message.now_ms } else { due.since };
        let given_up = message.now_ms - since >= GIVE_UP_AFTER_MS;
        if given_up && row.text("status") == Some("failed") {
            return Err(refused);
        }
        if given_up {
            tracing::warn!(order = order.public_id(), event = notice.as_str(), "a mail could not be sent");
            set("failed");
        }
        let next = Due { since, tries: due.tries + 1, ..due };
        batch.send(Message::new(MAIL_QUEUE, &next).at(message.now_ms + pause_ms(due.tries)));
        Ok(batch)
    }
}
