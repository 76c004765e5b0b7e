//! Asking the provider for its events: what webhooks would have told, had they come.
//!
//! A pass reads everything since the beginning of the one before, newest first, page by page; where it was cut off is
//! remembered. Each event counts once, whichever way it comes, and their order does not matter.
//!
//! One that cannot be taken now holds up no other: it is written down, the next passes begin before it and try it again, and
//! after [`MAX_EVENT_TRIES`] it is set aside, where an audit and people see it. Its webhook, or a person, brings it back.

use std::time::{Duration, Instant};

use store::{Batch, CommitError, Query, ReadError, Row, Value};

use crate::commands::ListPage;
use crate::error::StoreError;
use crate::orders::page_limit;
use crate::provider::{Event, ProviderError, Subject};
use crate::records::key::{EVENT_CURSORS, FAILED_EVENTS, RECEIVED_EVENTS, event_key};
use crate::views::{EventPage, EventSetAside};
use crate::{App, FindError, ListError, WebhookOutcome};

/// How far the first pass looks back, in milliseconds.
const FIRST_MS: i64 = 24 * 3_600_000;
/// How far a pass begins before the one before it began: an event can show up late.
const MARGIN_MS: i64 = 10 * 60_000;
/// In how many passes an event is tried before it is set aside: about half an hour.
const MAX_EVENT_TRIES: i64 = 30;
/// After how many events that cannot be taken a beat leaves the rest to the next: something is wrong with more than the events.
const MAX_FAILED: usize = 100;
/// How many characters of a problem are kept.
const MAX_PROBLEM: usize = 200;
/// How long one beat works on before it leaves the rest to the next.
const BUDGET: Duration = Duration::from_secs(20);

/// How far the reading of a provider's events has come.
struct Cursor {
    /// From when on this pass reads, in milliseconds since the epoch.
    since: i64,
    /// When this pass began.
    began_at: i64,
    /// Where it goes on.
    after: Option<String>,
}

impl App {
    /// Reads on. A provider without such a list, or one that does not answer, costs nothing.
    pub(crate) async fn poll_events(&self, now: i64, begin: Instant) -> Result<(), StoreError> {
        let provider = self.provider.name();
        let row = self.store.get(&EVENT_CURSORS, &provider.into()).await?;
        let mut cursor = match row {
            Some(row) => Cursor {
                since: row.int("since").unwrap_or(now),
                began_at: row.int("began_at").filter(|_| row.text("after").is_some()).unwrap_or(now),
                after: row.text("after").map(str::to_owned),
            },
            None => Cursor { since: now - FIRST_MS, began_at: now, after: None },
        };
        let mut failed = 0;
        while begin.elapsed() < BUDGET {
            let page = match self.provider.events(cursor.since, cursor.after.take()).await {
                Ok(Some(page)) => page,
                Ok(None) | Err(ProviderError::Unavailable) => return Ok(()),
                Err(error) => {
                    // A place that the provider has forgotten: the pass begins anew.
                    tracing::warn!(%error, "the events of the payment provider cannot be read");
                    return self.keep(provider, &Cursor { after: None, ..cursor }).await;
                }
            };
            for event in page.items.iter().rev() {
                failed += usize::from(!self.take_polled(provider, event, now).await?);
                if failed >= MAX_FAILED {
                    tracing::warn!(
                        failed,
                        "too many events of the payment provider cannot be taken; the pass begins anew"
                    );
                    return Ok(());
                }
            }
            let Some(next) = page.next else {
                let failed = self.earliest_failed(provider, cursor.began_at).await?;
                let since = failed.map_or(i64::MAX, |at| at - 1_000).min(cursor.began_at - MARGIN_MS);
                return self.keep(provider, &Cursor { since, began_at: now, after: None }).await;
            };
            cursor.after = Some(next);
            self.keep(provider, &cursor).await?;
        }
        Ok(())
    }

    /// Takes one event; answers whether it was taken, or need not be. One that cannot be taken is written down.
    async fn take_polled(&self, provider: &str, event: &Event, now: i64) -> Result<bool, StoreError> {
        if event.subject == Subject::Other {
            return Ok(true);
        }
        let key = event_key(provider, &event.id);
        let before = self.store.get(&FAILED_EVENTS, &key.as_str().into()).await?;
        if before.as_ref().is_some_and(|row| row.int("set_aside").is_some()) {
            return Ok(true);
        }
        let error = match self.take_event(provider, event).await {
            Ok(outcome) => {
                if outcome == WebhookOutcome::Applied {
                    tracing::info!(event = event.id, "an event whose webhook had not come was found by asking");
                }
                // Taken since, or of no interest after all: what it names is not known.
                if before.is_some() && self.store.get(&FAILED_EVENTS, &key.as_str().into()).await?.is_some() {
                    let mut batch = Batch::new();
                    batch.delete(&FAILED_EVENTS, key.as_str());
                    self.store.commit(batch).await?;
                }
                return Ok(true);
            }
            Err(error) => error,
        };
        let tries = before.as_ref().and_then(|row| row.int("tries")).unwrap_or(0) + 1;
        let trying = tries < MAX_EVENT_TRIES;
        let problem = problem(&error);
        if trying {
            tracing::info!(event = event.id, tries, problem, "an event cannot be taken yet");
        } else {
            tracing::error!(event = event.id, tries, problem, "an event cannot be taken and is set aside");
        }
        let values = vec![
            Value::from(provider),
            Value::from(about(&event.subject)),
            Value::from(problem),
            Value::Int(event.at),
            Value::Int(tries),
            Value::Int(now),
            Value::from(trying.then_some(1)),
            Value::from((!trying).then_some(1)),
        ];
        let mut batch = Batch::new();
        batch.put(Row::new(&FAILED_EVENTS, key.as_str(), values));
        self.store.commit(batch).await?;
        Ok(false)
    }

    /// When the earliest event happened that is to be tried again. One that the pass which began then did not meet is not in
    /// the provider's list any more: it is set aside.
    async fn earliest_failed(&self, provider: &str, began_at: i64) -> Result<Option<i64>, StoreError> {
        // The rows of this pass must show.
        self.store.flush().await?;
        let mut query = Query::index(&FAILED_EVENTS, "by_trying", 1);
        loop {
            let page = self.store.query(query.clone()).await?;
            for row in page.rows.iter().filter(|row| row.text("provider") == Some(provider)) {
                if row.int("failed_at").is_some_and(|at| at >= began_at) {
                    return Ok(row.int("at"));
                }
                let mut batch = Batch::new();
                // Its webhook was taken while asking failed: it was written down too late.
                if self.store.get(&RECEIVED_EVENTS, row.key()).await?.is_some() {
                    batch.delete(&FAILED_EVENTS, row.key().clone());
                } else {
                    let gone = vec![("trying", Value::Null), ("set_aside", Value::Int(1))];
                    batch.update(&FAILED_EVENTS, row.key().clone(), gone, Some(("trying", Value::Int(1))));
                }
                match self.store.commit(batch).await {
                    // Its webhook came.
                    Ok(_) | Err(CommitError::Conflict { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            match page.next {
                Some(next) => query = query.after(Some(next)),
                None => return Ok(None),
            }
        }
    }

    /// A page of the events that were set aside, newest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn events_set_aside(&self, list: ListPage) -> Result<EventPage, ListError> {
        let limit = page_limit(list.limit)?;
        let query = Query::index(&FAILED_EVENTS, "by_set_aside", 1).descending().limit(limit).after(list.cursor);
        let page = self.store.query(query).await?;
        let shown = |row: &Row| {
            let text = |column: &str| row.text(column).unwrap_or_default().to_owned();
            let id = row.key().text().and_then(|key| key.split_once('/')).map_or("", |(_, id)| id);
            EventSetAside {
                event_id: id.to_owned(),
                provider: text("provider"),
                about: text("about"),
                problem: text("problem"),
                at: crate::Instant(row.int("at").unwrap_or(0)),
                tries: row.int("tries").unwrap_or(0),
                failed_at: crate::Instant(row.int("failed_at").unwrap_or(0)),
            }
        };
        Ok(EventPage { items: page.rows.iter().map(shown).collect(), next: page.next })
    }

    /// Has an event that was set aside tried again, as often as the first time. Returns once that is durable.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn retry_event(&self, event: &str) -> Result<(), FindError> {
        let key = event_key(self.provider.name(), event);
        let row = self.store.get(&FAILED_EVENTS, &key.as_str().into()).await?;
        let row = row.filter(|row| row.int("set_aside").is_some());
        let at = row.and_then(|row| row.int("at")).ok_or_else(|| FindError::not_found("event set aside", event))?;
        let unavailable = |error: CommitError| FindError::Store(ReadError::Unavailable(error.into()));
        let mut batch = Batch::new();
        // Failed just now: so a pass that is at work does not take it for one that it should have met.
        let again = vec![
            ("tries", Value::Int(0)),
            ("trying", Value::Int(1)),
            ("set_aside", Value::Null),
            ("failed_at", self.now().into()),
        ];
        batch.update(&FAILED_EVENTS, key.as_str(), again, Some(("set_aside", Value::Int(1))));
        // The pass begins anew, before the event.
        if let Some(row) = self.store.get(&EVENT_CURSORS, &self.provider.name().into()).await? {
            let since = row.int("since").unwrap_or(at).min(at);
            batch.update(
                &EVENT_CURSORS,
                self.provider.name(),
                vec![("since", since.into()), ("after", Value::Null)],
                None,
            );
        }
        match self.commit(batch).await {
            // Its webhook came in this moment, or another person did the same.
            Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn keep(&self, provider: &str, cursor: &Cursor) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        let values = vec![Value::Int(cursor.since), Value::Int(cursor.began_at), Value::from(cursor.after.as_deref())];
        batch.put(Row::new(&EVENT_CURSORS, provider, values));
        self.store.commit(batch).await?;
        Ok(())
    }
}

/// What of the provider's an event is about.
fn about(subject: &Subject) -> &str {
    match subject {
        Subject::Intent(intent) => &intent.id,
        Subject::Refund(refund) => &refund.id,
        Subject::Dispute(dispute) => &dispute.id,
        Subject::Named(name) => name,
        Subject::Other => "",
    }
}

/// What went wrong, with its cause, cut.
fn problem(error: &StoreError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}").chars().take(MAX_PROBLEM).collect()
}
