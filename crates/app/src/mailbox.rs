//! The mailbox: every mail that was written.

use domain::notification::Notice;
use store::{Query, ReadError, Row};

use crate::commands::ListMails;
use crate::orders::{page_limit, scan};
use crate::records::mail::{MAILS, private_id, public_id};
use crate::records::{Order, damaged, order};
use crate::views::{MailPage, MailView};
use crate::{App, FindError, Instant, ListError, mail};

impl App {
    /// A page of mails, those of the newest orders first, without their texts.
    ///
    /// With a recipient a page may hold fewer mails than its limit and still have a next one: one call reads 5,000 mails at
    /// most.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn mails(&self, list: ListMails) -> Result<MailPage, ListError> {
        let limit = page_limit(list.limit)?;
        let mut page = MailPage { items: Vec::new(), next: list.cursor };
        let order = match &list.order {
            None => None,
            Some(text) => match order::private_id(text) {
                Some(id) => Some(id),
                None => return Ok(page),
            },
        };
        let query = match order {
            Some(id) => Query::partition(&MAILS, id),
            None => Query::table(&MAILS).descending(),
        };
        let is_wanted = |row: &Row| list.to.as_deref().is_none_or(|to| row.text("recipient") == Some(to));
        let found = scan(&*self.store, query, limit, page.next.take(), is_wanted).await?;
        for row in &found.rows {
            page.items.extend(self.mail_view(row, false).await?);
        }
        page.next = found.next;
        Ok(page)
    }

    /// One mail with its texts, by `mail_...`.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn mail(&self, id: &str) -> Result<MailView, FindError> {
        let not_found = || FindError::not_found("mail", id);
        let key = private_id(id).ok_or_else(not_found)?;
        let row = self.store.get(&MAILS, &key.into()).await?.ok_or_else(not_found)?;
        self.mail_view(&row, true).await?.ok_or_else(not_found)
    }

    async fn mail_view(&self, row: &Row, whole: bool) -> Result<Option<MailView>, ReadError> {
        let &store::Key::Pair(order_id, event) = row.key() else {
            return Err(damaged(row, "order_id"));
        };
        let notice = Notice::from_number(event).ok_or_else(|| damaged(row, "event"))?;
        let order = Order::load(&*self.store, order_id).await?;
        let Some(order) = order else { return Ok(None) };
        let Some(texts) = mail::compose(self, &order, event).await? else { return Ok(None) };
        let (text, html) = if whole { (texts.text, texts.html) } else { (String::new(), String::new()) };
        Ok(Some(MailView {
            mail_id: public_id(order_id, event),
            order_id: order.public_id(),
            event: notice,
            to: row.text("recipient").unwrap_or_default().to_owned(),
            at: Instant(row.int("at").unwrap_or(0)),
            locale: mail::locale(order.customer()?.as_ref()),
            status: row.text("status").unwrap_or_default().to_owned(),
            subject: texts.subject,
            text,
            html,
        }))
    }
}
