//! Looking at payouts and at what does not fit.

use store::{Query, Row};

use crate::commands::ListPage;
use crate::orders::page_limit;
use crate::records::reconciliation::{DIFFERENCES, MOVEMENTS, PROGRESS};
use crate::views::{PayoutPage, PayoutView, ReconciliationPage, Unmatched};
use crate::{App, Instant, ListError};

impl App {
    /// A page of the provider's payouts, newest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn payouts(&self, list: ListPage) -> Result<PayoutPage, ListError> {
        let limit = page_limit(list.limit)?;
        let query = Query::index(&MOVEMENTS, "by_kind", "payout").descending().limit(limit).after(list.cursor);
        let page = self.store.query(query).await?;
        let payout = |row: &Row| {
            let int = |column: &str| row.int(column).unwrap_or(0);
            let id = row.text("source").or_else(|| row.key().text()).unwrap_or_default();
            PayoutView {
                payout_id: id.to_owned(),
                provider: row.text("provider").unwrap_or_default().to_owned(),
                amount: -int("amount"),
                fee: int("fee"),
                currency: row.text("currency").unwrap_or_default().to_owned(),
                at: Instant(int("at")),
            }
        };
        Ok(PayoutPage { items: page.rows.iter().map(payout).collect(), next: page.next })
    }

    /// How far the reconciliation is, and a page of what does not fit, oldest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn reconciliation(&self, list: ListPage) -> Result<ReconciliationPage, ListError> {
        let limit = page_limit(list.limit)?;
        let progress = self.store.get(&PROGRESS, &self.provider.name().into()).await.map_err(ListError::Store)?;
        let query = Query::index(&DIFFERENCES, "by_open", 1).limit(limit).after(list.cursor);
        let page = self.store.query(query).await?;
        let unmatched = |row: &Row| Unmatched {
            id: row.key().text().unwrap_or_default().to_owned(),
            reason: row.text("reason").unwrap_or_default().to_owned(),
            subject: row.text("subject").unwrap_or_default().to_owned(),
            ours: row.int("ours"),
            theirs: row.int("theirs"),
            currency: row.text("currency").unwrap_or_default().to_owned(),
            found_at: Instant(row.int("found_at").unwrap_or(0)),
        };
        Ok(ReconciliationPage {
            provider: self.provider.name().to_owned(),
            as_of: progress.and_then(|row| row.int("completed_at")).map(Instant),
            items: page.rows.iter().map(unmatched).collect(),
            next: page.next,
        })
    }
}
