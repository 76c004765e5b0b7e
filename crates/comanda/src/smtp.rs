//! Mails over SMTP.

use app::{Mailer, OutgoingMail};
use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use store::BoxError;

use crate::config::{self, Config};
use crate::failure::{Failure, Kind};

/// Connections to the mail server that are kept open.
const CONNECTIONS: u32 = 4;
/// How long the mail server may take for one command.
const COMMAND_TIME: std::time::Duration = std::time::Duration::from_secs(20);

/// Hands mails to a mail server. The message id is stable, so a server that sees a mail twice can tell.
pub(crate) struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

impl Smtp {
    /// The mailer of the configuration; none without a host.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub(crate) fn new(config: &Config) -> Result<Option<Smtp>, Failure> {
        let smtp = &config.smtp;
        if smtp.host.is_empty() {
            return Ok(None);
        }
        let usage = |problem: String| Failure::new(Kind::Usage, problem);
        if smtp.from.parse::<Mailbox>().is_err() {
            let problem =
                format!("`smtp.from`: `{}` is no sender; write for example `Ana <ana@example.com>`", smtp.from);
            return Err(usage(problem));
        }
        let builder =
            transport(smtp).map_err(|e| usage(format!("`smtp.host`: `{}` cannot be used: {e}", smtp.host)))?;
        let builder = match smtp.user.as_str() {
            "" => builder,
            user => builder.credentials(Credentials::new(user.into(), smtp.password.clone())),
        };
        let pool = PoolConfig::new().max_size(CONNECTIONS);
        let transport = builder.port(smtp.port).timeout(Some(COMMAND_TIME)).pool_config(pool).build();
        Ok(Some(Smtp(transport)))
    }
}

fn transport(
    smtp: &config::Smtp,
) -> Result<lettre::transport::smtp::AsyncSmtpTransportBuilder, lettre::transport::smtp::Error> {
    match smtp.security.as_str() {
        "tls" => AsyncSmtpTransport::<Tokio1Executor>::relay(&smtp.host),
        "none" => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)),
        _ => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&smtp.host),
    }
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: OutgoingMail) -> Result<(), BoxError> {
        let parts = MultiPart::alternative()
            .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(mail.text))
            .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(mail.html));
        let message = Message::builder()
            .message_id(Some(format!("<{}>", mail.message_id.trim_matches(['<', '>']))))
            .from(mail.from.parse()?)
            .to(mail.to.parse()?)
            .subject(mail.subject)
            .multipart(parts)?;
        self.0.send(message).await?;
        Ok(())
    }
}
