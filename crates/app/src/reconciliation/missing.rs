//! What of ours has no line in the provider's account although it is old enough to have one.
//!
//! Every capture, refund, dispute and money that came back posts an entry in the commit that tells of it, so the entries, in the
//! order in which they were recorded, are all that must have a line, each once and however late it came to pass. Hence a mark
//! that moves forward only is enough: an entry never changes, and it is looked for when it is old enough, not when its order
//! is. One that has no line by then is written down as a difference, which is looked at again until its line comes.

use std::ops::Bound;
use std::time::Instant;

use domain::bookkeeping::provider_account;
use domain::ledger::{Draft, EntryKind};
use store::{Batch, Query, Value};

use super::difference;
use super::matching::Reason;
use super::progress::Progress;
use crate::error::StoreError;
use crate::records::ledger::ENTRIES;
use crate::records::reconciliation::{DIFFERENCES, MATCHES};
use crate::{App, ledger};

/// How many rows of the ledger are read at once: no more differences than a batch takes can be among them.
const ROWS: usize = store::MAX_BATCH_OPS - 2;
/// How many pages one beat reads.
const MAX_PAGES: usize = 1_000;

impl App {
    /// Goes on through the ledger. Answers whether everything that is old enough was looked for.
    pub(super) async fn find_missing(
        &self,
        progress: &mut Progress,
        now: i64,
        until: Instant,
    ) -> Result<bool, StoreError> {
        // Ids are given out a moment before their commit; what is this old has long been committed, or never will be.
        let old_enough = now - self.settings.reconcile_after_ms;
        // As long as the account was not read since then, its lines may be those that are missed.
        if progress.completed_at.is_none_or(|at| at < old_enough) {
            return Ok(false);
        }
        let end = Bound::Excluded(Value::Int(store::id::floor(old_enough)));
        for _ in 0..MAX_PAGES {
            let from = Bound::Excluded(Value::Int(progress.entries_to));
            let page = self.store.query(Query::table(&ENTRIES).range(from, end.clone()).limit(ROWS)).await?;
            let mut batch = Batch::new();
            for row in &page.rows {
                // What payments post has a row of its own; a batch of people's entries has no line to look for.
                if let (Some(1), Ok(recorded)) = (row.int("entries"), ledger::read_row(row)) {
                    for recorded in &recorded {
                        self.look_for(&recorded.entry, now, &mut batch).await?;
                    }
                }
                progress.entries_to = row.key().int().unwrap_or(progress.entries_to);
            }
            let ended = page.next.is_none();
            // Nothing was read: the mark stands where it stood.
            if page.rows.is_empty() {
                return Ok(true);
            }
            if !self.keep_progress(progress, batch).await? {
                return Ok(false);
            }
            if ended || Instant::now() >= until {
                return Ok(ended);
            }
        }
        Ok(false)
    }

    /// Writes down that the line of an entry is missing, unless it is matched or written down already.
    async fn look_for(&self, entry: &Draft, now: i64, batch: &mut Batch) -> Result<(), StoreError> {
        let account = provider_account(self.provider.name());
        let ours = entry.postings.iter().filter(|posting| posting.account == account);
        let (amount, currency) =
            ours.fold((0, None), |(sum, _), posting| (posting.amount.saturating_add(sum), Some(posting.currency)));
        let told = !matches!(entry.kind, EntryKind::Manual | EntryKind::Import);
        let (Some(currency), Some(key), true) = (currency, entry.key.as_deref(), told) else { return Ok(()) };
        let Some(reference) = self.reference_of(key).await? else { return Ok(()) };
        let reference = reference.as_str();
        let known = self.store.get(&MATCHES, &reference.into()).await?.is_some()
            || self.store.get(&DIFFERENCES, &reference.into()).await?.is_some();
        if !known {
            let (reason, code) = (Reason::MissingAtProvider, currency.code());
            batch.put(difference(reference, reason, reference, Some(amount), None, code, now));
        }
        Ok(())
    }
}
