//! Mails over SMTP.

use async_trait::async_trait;
use lettre::message::{Mailbox, MultiPart};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use store::BoxError;

use super::{Mailer, OutgoingMail};

/// Sends over SMTP: `smtps://user:password@host:465`, `smtp://host:587?tls=required` (RFC 8314 prefers the first), or
/// `smtp://localhost:25` for a relay on this machine.
pub struct SmtpMailer(AsyncSmtpTransport<Tokio1Executor>);

impl SmtpMailer {
    /// A mailer for that URL.
    ///
    /// # Errors
    /// The URL is not one of the forms above.
    pub fn new(url: &str) -> Result<SmtpMailer, BoxError> {
        Ok(SmtpMailer(AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.build()))
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: OutgoingMail) -> Result<(), BoxError> {
        let message = Message::builder()
            .message_id(Some(mail.message_id))
            .from(mail.from.parse::<Mailbox>()?)
            .to(mail.to.parse::<Mailbox>()?)
            .subject(mail.subject)
            .multipart(MultiPart::alternative_plain_html(mail.text, mail.html))?;
        self.0.send(message).await?;
        Ok(())
    }
}
