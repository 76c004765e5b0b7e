//! Mails: what they say, and who carries them.
//!
//! A mail is a row whose key is (order, event), so one event never makes two. Its texts are derived from the order, which is
//! frozen: nothing is stored twice, and erasing the customer erases them too. With a carrier the same commit sends a
//! message; the mail goes out after it is durable, and its failure never fails the order.

#[cfg(feature = "smtp")]
pub(crate) mod smtp;
mod texts;

use async_trait::async_trait;
use domain::customer::Customer;
use domain::money::Locale;
use domain::notification::Notice;
use serde::{Deserialize, Serialize};
use store::message::Message;
use store::{Batch, BoxError, ReadError};

use crate::App;
use crate::records::Order;
use crate::records::mail::{MAILS, new_row, public_id};
use crate::records::refund::Refund;

/// Mails to carry; the body is a [`Due`].
pub(crate) const MAIL_QUEUE: &str = "mail";

/// A mail ready to go out.
#[derive(Clone)]
pub struct OutgoingMail {
    /// Stable, so that a second sending is the same mail.
    pub message_id: String,
    /// The sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// HTML.
    pub html: String,
}

/// Carries mails. Sending may happen twice with the same message id, never not at all.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends a mail.
    ///
    /// # Errors
    /// It was not taken; try again.
    async fn send(&self, mail: OutgoingMail) -> Result<(), BoxError>;
}

/// Which mail is to be carried.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Due {
    pub(crate) order: i64,
    pub(crate) event: i64,
    /// Since when the carrier does not take it, in milliseconds since the epoch; 0 before the first try.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) since: i64,
    /// How often it was tried.
    #[serde(default, skip_serializing_if = "is_never")]
    pub(crate) tries: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_never(n: &u32) -> bool {
    *n == 0
}

/// What a mail says.
pub(crate) struct Texts {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// Writes the mail of an event into the batch, unless the customer gave no address or the mail is there already.
pub(crate) async fn write(
    app: &App,
    batch: &mut Batch,
    order: &Order,
    notice: Notice,
    occurrence: i64,
    now: i64,
) -> Result<(), ReadError> {
    let Some(to) = order.customer()?.and_then(|customer| customer.email) else {
        return Ok(());
    };
    let event = notice.number(occurrence);
    if app.store.get(&MAILS, &(order.id, event).into()).await?.is_some() {
        return Ok(());
    }
    let status = if app.mailer.is_some() { "queued" } else { "kept" };
    batch.insert(new_row(order.id, event, notice, status, now, &to));
    if app.mailer.is_some() {
        batch.send(Message::new(MAIL_QUEUE, &Due { order: order.id, event, since: 0, tries: 0 }));
    }
    Ok(())
}

/// The texts of the mail of an event; `None` if what it is about is gone.
pub(crate) async fn compose(app: &App, order: &Order, event: i64) -> Result<Option<Texts>, ReadError> {
    let Some(notice) = Notice::from_number(event) else { return Ok(None) };
    let refunded = match notice {
        Notice::Refunded => match Refund::load(&*app.store, order.id, Notice::occurrence(event)).await? {
            Some(refund) => refund.amount,
            None => return Ok(None),
        },
        _ => 0,
    };
    let body = order.body()?;
    let customer = order.customer()?;
    let id = order.public_id();
    let facts = texts::Facts {
        merchant: &app.settings.merchant.name,
        name: customer.as_ref().and_then(|customer| customer.name.as_deref()),
        number: order.number(),
        lines: &body.lines,
        delivery_fee: body.delivery_fee,
        service_fee: body.service_fee,
        tip: body.tip,
        total: order.total(),
        refunded,
        currency: order.currency(),
        link: app.tracking_url(&id),
        reason: order.cancel_reason(),
    };
    Ok(Some(texts::compose(notice, locale(customer.as_ref()), &facts)))
}

/// The language of a customer.
pub(crate) fn locale(customer: Option<&Customer>) -> Locale {
    customer.map_or_else(Locale::default, |customer| customer.locale)
}

/// The mail as it goes out.
pub(crate) fn outgoing(app: &App, order: &Order, event: i64, to: &str, texts: Texts) -> OutgoingMail {
    let from = &app.settings.mail_from;
    let domain = from.rsplit_once('@').map_or("comanda.example", |(_, domain)| domain);
    OutgoingMail {
        message_id: format!("<{}@{}>", public_id(order.id, event), domain.trim_end_matches('>')),
        from: from.clone(),
        to: to.to_owned(),
        subject: texts.subject,
        text: texts.text,
        html: texts.html,
    }
}
