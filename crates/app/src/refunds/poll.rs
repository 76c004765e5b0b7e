//! Asking the provider about refunds whose webhook has not come.

use std::ops::Bound;
use std::time::{Duration, Instant};

use store::{Batch, CommitError, Query, Value};

use super::halt::HaltedError;
use super::news::Around;
use crate::App;
use crate::app::MAX_TRIES;
use crate::error::StoreError;
use crate::provider::ProviderError;
use crate::records::refund::{REFUNDS, Refund};

/// How many refunds are read at once.
const PAGE: usize = 100;
/// How long one beat works on before it leaves the rest to the next.
const BUDGET: Duration = Duration::from_secs(20);
/// After how many calls in a row that the provider did not answer a beat leaves it alone.
const MAX_SILENT: usize = 5;
/// The longest pause between two questions about one refund, in milliseconds.
const LONGEST_PAUSE_MS: i64 = 3_600_000;

impl App {
    /// Asks about every undecided refund whose time has come, and applies the answer as a webhook's. A provider that does not
    /// answer is left alone until the next beat.
    pub(crate) async fn poll_refunds(&self, now: i64, begin: Instant) -> Result<(), StoreError> {
        let mut silent = 0;
        while begin.elapsed() < BUDGET {
            let until = Bound::Included(Value::Int(now));
            let query = Query::index(&REFUNDS, "waiting", 1).range(Bound::Unbounded, until);
            let page = self.store.query(query.limit(PAGE)).await?;
            let more = page.next.is_some();
            for row in page.rows {
                let refund = Refund::from_row(row)?;
                // One refund's trouble is not the others': it moves to the end of the line.
                match self.poll_refund(&refund).await {
                    Ok(true) => silent = 0,
                    Ok(false) => silent += 1,
                    Err(error) => {
                        let (refund, error) = (refund.public_id(), &error as &dyn std::error::Error);
                        tracing::warn!(refund, error, "a refund could not be polled");
                    }
                }
                self.ask_about_later(&refund, now).await?;
                if silent >= MAX_SILENT || begin.elapsed() >= BUDGET {
                    return Ok(());
                }
            }
            if !more {
                break;
            }
            // The next page shows durable rows.
            self.store.flush().await?;
        }
        Ok(())
    }

    /// Asks about one refund; answers whether the provider did.
    async fn poll_refund(&self, refund: &Refund) -> Result<bool, StoreError> {
        let found = match refund.text("provider_refund") {
            Some(id) => self.provider.retrieve_refund(id).await.map(Some).map_err(HaltedError::from),
            None => self.find_halted(refund).await,
        };
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(true),
            Err(HaltedError::Provider(ProviderError::Unavailable)) => return Ok(false),
            Err(HaltedError::Store(error)) => return Err(error),
            Err(HaltedError::Provider(error)) => {
                tracing::warn!(refund = refund.public_id(), %error, "the provider does not know a refund of ours");
                return Ok(true);
            }
        };
        for _ in 0..MAX_TRIES {
            let Some(around) = Around::load(self, refund.order_id, refund.number).await? else { return Ok(true) };
            let mut batch = Batch::new();
            let waiter = around.refund.wait_token();
            self.settle_refund(&around, &found, waiter, self.now(), &mut batch).await?;
            if batch.is_empty() {
                return Ok(true);
            }
            match self.commit(batch).await {
                Ok(()) => return Ok(true),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy)
    }

    /// Moves a refund that is still undecided to its place in the line, at growing pauses.
    async fn ask_about_later(&self, refund: &Refund, now: i64) -> Result<(), StoreError> {
        let Some(refund) = Refund::load(&*self.store, refund.order_id, refund.number).await? else { return Ok(()) };
        if refund.int("waiting").is_none() {
            return Ok(());
        }
        let age = now - refund.int("requested_at").unwrap_or(now);
        let pause = (age / 4).max(self.settings.poll_after_ms.abs()).min(LONGEST_PAUSE_MS);
        let mut batch = Batch::new();
        refund.update(vec![("ask_at", Value::Int(now + pause))], &mut batch);
        match self.store.commit(batch).await {
            // Somebody settled it: so much the better.
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
