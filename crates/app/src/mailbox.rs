//! The mailbox: every mail that was written.
use crate::commands::ListMails;
use crate::views::{MailPage, MailView};
use crate::{App, FindError, ListError};

impl App {
    /// A page of mails.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn mails(&self, list: ListMails) -> Result<MailPage, ListError> {
        todo!()
    }

    /// One mail with its texts, by `mail_...`.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn mail(&self, id: &str) -> Result<MailView, FindError> {
        todo!()
    }
}
