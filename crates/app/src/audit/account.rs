//! The provider's account: what the reconciliation found not to fit, how old that knowledge is, and the events that could not be
//! taken. What is not due yet is a warning: its counterpart may be on its way.

use store::{Query, ReadError, Row};

use super::{PAGE, Run, difference};
use crate::Instant;
use crate::ledger::State;
use crate::records::key::FAILED_EVENTS;
use crate::records::ledger::PENDING;
use crate::records::reconciliation::{DIFFERENCES, EXPLAINED, OPEN, PROGRESS};

impl Run<'_> {
    pub(super) async fn account(&mut self) -> Result<(), ReadError> {
        let due = self.now - self.due_after_ms;
        let query = Query::index(&DIFFERENCES, "by_open", OPEN);
        self.each(query, |run, row| {
            run.count("open-differences");
            let text = |column: &str| row.text(column).unwrap_or_default();
            let amount = |column: &str| row.int(column).map_or_else(|| "nothing".to_owned(), |minor| minor.to_string());
            let found_at = row.int("found_at").unwrap_or(0);
            let detail = format!(
                "{}: we say {}, the provider {} {}, since {}",
                text("reason"),
                amount("ours"),
                amount("theirs"),
                text("currency"),
                Instant(found_at).to_rfc3339()
            );
            let found = difference("unreconciled", text("subject"), detail);
            if found_at > due { run.warn(found) } else { run.differ(found) }
        })
        .await?;
        // What a person has settled is no difference any more.
        self.each(Query::index(&DIFFERENCES, "by_open", EXPLAINED), |run, _| run.count("explained-differences"))
            .await?;
        let query = Query::index(&FAILED_EVENTS, "by_set_aside", 1);
        self.each(query, |run, row| {
            run.count("events-set-aside");
            let text = |column: &str| row.text(column).unwrap_or_default();
            let detail =
                format!("of {}, after {} tries: {}", text("about"), row.int("tries").unwrap_or(0), text("problem"));
            run.differ(difference("event-set-aside", row.key().text().unwrap_or_default(), detail));
        })
        .await?;
        self.tell("provider-account", 0.5);
        self.is_read_lately(due).await?;
        self.is_consolidated(due).await?;
        self.tell("provider-account", 1.0);
        Ok(())
    }

    /// Warns if money moved and the account was not read since: then nobody knows whether it fits.
    async fn is_read_lately(&mut self, due: i64) -> Result<(), ReadError> {
        let name = self.provider.name();
        let row = self.view.get(&PROGRESS, &name.into()).await?;
        let read_at = row.and_then(|row| row.int("completed_at"));
        if self.report.money.captured > 0 && read_at.is_none_or(|at| at < due) {
            let since = read_at.map_or_else(|| "never".to_owned(), |at| Instant(at).to_rfc3339());
            let detail = format!("the account was read to its end last: {since}; `comanda payment reconcile` reads it");
            self.warn(difference("account-not-read", name, detail));
        }
        Ok(())
    }

    /// Names entries that the daily consolidation has not counted for long: a warning if a person has stopped it.
    async fn is_consolidated(&mut self, due: i64) -> Result<(), ReadError> {
        let oldest = self.view.query(Query::table(&PENDING).limit(1)).await?;
        let oldest = oldest.rows.first().and_then(|row| row.key().int()).map(store::id::time_ms);
        let Some(at) = oldest.filter(|at| *at < due) else { return Ok(()) };
        let stopped = State::load(&*self.view).await?.is_some_and(|state| state.stopped);
        let detail =
            format!("entries since {} are in no report; `comanda ledger status` says why", Instant(at).to_rfc3339());
        let found = difference("not-consolidated", "ledger", detail);
        if stopped {
            self.warn(found)
        } else {
            self.differ(found)
        }
        Ok(())
    }

    /// Reads a partition of an index to its end.
    async fn each(&mut self, query: Query, mut take: impl FnMut(&mut Self, &Row)) -> Result<(), ReadError> {
        let mut query = query.limit(PAGE);
        loop {
            let page = self.view.query(query.clone()).await?;
            for row in &page.rows {
                take(self, row);
            }
            match page.next {
                Some(next) => query = query.after(Some(next)),
                None => return Ok(()),
            }
        }
    }
}
