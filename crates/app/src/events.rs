//! Asking the provider for its events: what webhooks would have told, had they come.
//!
//! A pass reads everything since the beginning of the one before, newest first, page by page; where it was cut off is
//! remembered. Each event counts once, whichever way it comes, and their order does not matter.

use std::time::{Duration, Instant};

use store::{Batch, Row, Value};

use crate::error::StoreError;
use crate::provider::{Event, ProviderError, Subject};
use crate::records::key::EVENT_CURSORS;
use crate::{App, WebhookOutcome};

/// How far the first pass looks back, in milliseconds.
const FIRST_MS: i64 = 24 * 3_600_000;
/// How far a pass begins before the one before it began: an event can show up late.
const MARGIN_MS: i64 = 10 * 60_000;
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
                self.take_polled(provider, event).await?;
            }
            let Some(next) = page.next else {
                let since = cursor.began_at - MARGIN_MS;
                return self.keep(provider, &Cursor { since, began_at: now, after: None }).await;
            };
            cursor.after = Some(next);
            self.keep(provider, &cursor).await?;
        }
        Ok(())
    }

    /// Takes one event; one that cannot be taken now comes again with its webhook or the next pass.
    async fn take_polled(&self, provider: &str, event: &Event) -> Result<(), StoreError> {
        if event.subject == Subject::Other {
            return Ok(());
        }
        match self.take_event(provider, event).await {
            Ok(WebhookOutcome::Applied) => {
                tracing::info!(event = event.id, "an event whose webhook had not come was found by asking");
                Ok(())
            }
            Ok(_) | Err(StoreError::Busy) => Ok(()),
            Err(error) => Err(error),
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
