//! Looking at payouts and at what does not fit.

use store::{Query, Row};

use crate::commands::ListPage;
use crate::orders::page_limit;
use crate::records::reconciliation::{DIFFERENCES, EXPLAINED, MOVEMENTS, OPEN, PROGRESS};
use crate::views::{Explanation, PayoutPage, PayoutView, ReconciliationPage, Unmatched};
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
        self.differences(list, OPEN).await
    }

    /// The same, and a page of what a person has settled.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn explained_differences(&self, list: ListPage) -> Result<ReconciliationPage, ListError> {
        self.differences(list, EXPLAINED).await
    }

    async fn differences(&self, list: ListPage, which: i64) -> Result<ReconciliationPage, ListError> {
        let limit = page_limit(list.limit)?;
        let progress = self.store.get(&PROGRESS, &self.provider.name().into()).await.map_err(ListError::Store)?;
        let query = Query::index(&DIFFERENCES, "by_open", which).limit(limit).after(list.cursor);
        let page = self.store.query(query).await?;
        Ok(ReconciliationPage {
            provider: self.provider.name().to_owned(),
            as_of: progress.and_then(|row| row.int("completed_at")).map(Instant),
            items: page.rows.iter().map(unmatched).collect(),
            next: page.next,
        })
    }
}

/// A difference as it is shown.
pub(super) fn unmatched(row: &Row) -> Unmatched {
    let text = |column: &str| row.text(column).unwrap_or_default().to_owned();
    let explanation = row.text("explanation").map(|reason| Explanation {
        reason: reason.to_owned(),
        by: text("explained_by"),
        at: Instant(row.int("resolved_at").unwrap_or(0)),
        entry: row.text("entry").map(str::to_owned),
    });
    Unmatched {
        id: row.key().text().unwrap_or_default().to_owned(),
        reason: text("reason"),
        subject: text("subject"),
        ours: row.int("ours"),
        theirs: row.int("theirs"),
        currency: text("currency"),
        found_at: Instant(row.int("found_at").unwrap_or(0)),
        explanation,
    }
}
