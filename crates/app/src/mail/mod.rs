//! Mails: what they say, and who carries them.
use async_trait::async_trait;
use store::BoxError;

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
