//! The reconciliation: every line of the provider's account belongs to a capture, a refund, a dispute, a fee or a payout of ours,
//! and the other way round. What does not fit is listed with the reason until it does.
//!
//! It runs in bounded portions and can be cut off anywhere: a line is written once, in the commit of the entry it posts, and
//! the place in the account is kept beside.

mod explain;
mod matching;
mod missing;
mod payout;
mod progress;
mod show;

pub use explain::ExplainError;

use std::time::{Duration, Instant};

use domain::Currency;
use domain::bookkeeping::{self, Of};
use domain::ledger::Entry;
use store::{Batch, CommitError, Query, ReadError, Row, Value};

use crate::app::MAX_TRIES;
use crate::error::StoreError;
use crate::postings::{SettleError, charged};
use crate::provider::{Movement, MovementKind, Movements, ProviderError};
use crate::records::reconciliation::{DIFFERENCES, MATCHES, MOVEMENTS, OPEN, movement_key, movement_of, movement_row};
use crate::records::{Payment, order};
use crate::{App, Kind, Problem, ledger};
use matching::{Finding, Reason};
use progress::Progress;

/// How many differences are read at once.
const PAGE: usize = 500;
/// How many pages of the account one beat reads.
const MAX_PAGES: usize = 50;
/// How many pages of differences one beat looks at again.
const MAX_LOOKS: usize = 20;
/// Until when, from its beginning, one beat reads the account; then looks again; then looks for what is missing. What does not
/// fit its time is left to the next beat, which goes on there.
const BUDGETS: [Duration; 3] = [Duration::from_secs(10), Duration::from_secs(15), Duration::from_secs(20)];
/// How far a pass reads back before the newest line of the one before: lines can appear late.
const OVERLAP_MS: i64 = 3_600_000;

/// Why the account could not be reconciled now.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The provider is silent.
    #[error("the payment provider does not answer; try again later")]
    Provider,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for ReconcileError {
    fn kind(&self) -> Kind {
        match self {
            ReconcileError::Provider => Kind::Unavailable,
            ReconcileError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            ReconcileError::Provider => "provider-unavailable",
            ReconcileError::Store(error) => error.code(),
        }
    }
}

impl App {
    /// Works on for a while: reads new lines, looks again at what did not fit, and looks for what of ours has no line. Answers
    /// whether it came to the end of all three.
    pub(crate) async fn reconcile(&self, now: i64, begin: Instant) -> Result<bool, StoreError> {
        let mut progress = self.reconciled().await?;
        self.reconcile_from(&mut progress, now, begin).await
    }

    async fn reconcile_from(&self, progress: &mut Progress, now: i64, begin: Instant) -> Result<bool, StoreError> {
        let [read, look, find] = BUDGETS.map(|budget| begin + budget);
        // Matching reads by key and by index: what was applied a moment ago must be durable.
        self.store.flush().await?;
        let mut done = self.read_account(progress, now, read).await?;
        done &= self.look_again(progress, now, look).await?;
        done &= self.find_missing(progress, now, find).await?;
        Ok(done)
    }

    /// Works until the provider's account was read to its end, and everything that did not fit was looked at again.
    ///
    /// # Errors
    /// [`ReconcileError`].
    pub async fn reconcile_now(&self) -> Result<(), ReconcileError> {
        let now = self.now();
        let mut progress = self.reconciled().await?;
        progress.looked_to = None;
        for _ in 0..MAX_PAGES {
            if self.reconcile_from(&mut progress, now, Instant::now()).await? {
                break;
            }
            if progress.silent {
                return Err(ReconcileError::Provider);
            }
            // A beat may have gone on meanwhile.
            progress = self.reconciled().await?;
        }
        Ok(())
    }

    /// Answers whether the account was read to its end.
    async fn read_account(&self, progress: &mut Progress, now: i64, until: Instant) -> Result<bool, StoreError> {
        for _ in 0..MAX_PAGES {
            let which = Movements::Since(progress.since);
            let page = match self.provider.movements(&which, progress.cursor.clone()).await {
                Ok(page) => page,
                // Left to the next beat.
                Err(ProviderError::Unavailable) => {
                    progress.silent = true;
                    return Ok(false);
                }
                // A place that the provider has forgotten, or another account's: the pass begins anew.
                Err(error) if progress.cursor.is_some() => {
                    tracing::warn!(%error, "the account at the payment provider cannot be read on and is read anew");
                    progress.cursor = None;
                    return self.keep_progress(progress, Batch::new()).await.map(|_| false);
                }
                Err(error) => return Err(StoreError::Internal(error.into())),
            };
            for movement in &page.items {
                self.take_movement(movement, now).await?;
                progress.newest = progress.newest.max(movement.at);
            }
            progress.cursor = page.next;
            let ended = progress.cursor.is_none();
            if ended {
                progress.since = (progress.newest - OVERLAP_MS).max(0);
                progress.completed_at = Some(now);
            }
            if !self.keep_progress(progress, Batch::new()).await? {
                return Ok(false);
            }
            if ended || Instant::now() >= until {
                return Ok(ended);
            }
        }
        Ok(false)
    }

    /// Writes one line, once: matched, with what it posts, or with what does not fit.
    async fn take_movement(&self, movement: &Movement, now: i64) -> Result<(), StoreError> {
        let provider = self.provider.name();
        let key = movement_key(provider, &movement.id);
        for _ in 0..MAX_TRIES {
            if self.store.get(&MOVEMENTS, &key.as_str().into()).await?.is_some() {
                return Ok(());
            }
            let movement = &match self.provider.trace(movement.clone()).await {
                Ok(traced) => traced,
                // Left to the next beat.
                Err(ProviderError::Unavailable) => {
                    return Err(StoreError::Unavailable(ProviderError::Unavailable.into()));
                }
                Err(_) => movement.clone(),
            };
            let finding = self.find(movement).await?;
            let mut batch = Batch::new();
            let reference = finding.reference.as_deref().filter(|_| finding.fits());
            batch.insert(movement_row(provider, movement, reference, now));
            self.note(&key, movement, &finding, now, &mut batch);
            self.post_once(self.told_by_line(movement)?, &mut batch).await?;
            self.post_once(self.stray_fee(movement, &finding)?, &mut batch).await?;
            learn_fee(movement, &finding, now, &mut batch)?;
            match self.commit(batch).await {
                Ok(()) => return Ok(()),
                // Another beat wrote it: seen in the next round.
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy)
    }

    /// Posts what is not posted yet under its key.
    async fn post_once(&self, entries: Vec<Entry>, batch: &mut Batch) -> Result<(), StoreError> {
        for entry in entries {
            let posted = match entry.key.as_deref() {
                Some(key) => ledger::posted(&*self.store, key).await?.is_some(),
                None => false,
            };
            if !posted {
                ledger::post(batch, &entry);
            }
        }
        Ok(())
    }

    /// The match, or the difference.
    fn note(&self, key: &str, movement: &Movement, finding: &Finding, now: i64, batch: &mut Batch) {
        if let (Some(reference), None | Some(Reason::PayoutDiffers)) = (&finding.reference, finding.reason) {
            batch.put(Row::new(&MATCHES, reference.as_str(), vec![Value::from(key)]));
        }
        if let Some(reason) = finding.reason {
            let subject = finding.reference.as_deref().unwrap_or(&movement.id);
            let theirs = if reason == Reason::FeeUnexpected { movement.fee } else { movement.amount };
            batch.put(difference(key, reason, subject, finding.ours, Some(theirs), &movement.currency, now));
        }
    }

    /// What only the account tells of: payouts, and fees apart from a payment.
    fn told_by_line(&self, movement: &Movement) -> Result<Vec<Entry>, SettleError> {
        let mut entries = Vec::new();
        let Some(currency) = Currency::from_code(&movement.currency) else { return Ok(entries) };
        let provider = self.provider.name();
        let source = movement.source.as_deref().unwrap_or(&movement.id);
        match movement.kind {
            MovementKind::Payout if movement.amount != 0 => {
                entries.push(bookkeeping::payout(provider, source, -movement.amount, currency, movement.at)?);
            }
            MovementKind::PayoutFailure if movement.amount != 0 => {
                entries.push(bookkeeping::payout_failed(provider, source, movement.amount, currency, movement.at)?);
            }
            _ => {}
        }
        // The fee of a capture or a dispute is posted with it; any other is known from here only.
        let own = movement.kind == MovementKind::Fee;
        let beside =
            matches!(movement.kind, MovementKind::Capture | MovementKind::Dispute | MovementKind::DisputeReversal);
        let fee = if own { -movement.amount + movement.fee } else { movement.fee };
        if fee != 0 && !beside {
            entries.push(bookkeeping::other_fee(provider, &movement.id, fee, currency, movement.at)?);
        }
        Ok(entries)
    }

    /// The fee of a capture that its payment does not count with. The payment's row has the fee of the one that it counts with,
    /// so this one is known from the line only.
    fn stray_fee(&self, movement: &Movement, finding: &Finding) -> Result<Vec<Entry>, SettleError> {
        let currency = Currency::from_code(&movement.currency);
        let (Some(payment), Some(intent), Some(currency)) = (&finding.stray, &movement.intent, currency) else {
            return Ok(Vec::new());
        };
        let order = order::public_id(payment.order_id);
        let provider = self.provider.name();
        let of = Of { order: &order, attempt: payment.attempts, provider, currency, at: movement.at };
        Ok(bookkeeping::stray_fee(of, intent, movement.fee)?.into_iter().collect())
    }

    /// Writes down that a line does not fit which was matched while the fee of its capture was not known, now that another
    /// fee is told.
    pub(crate) async fn compare_fee(
        &self,
        payment: &Payment,
        fee: i64,
        now: i64,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let reference = matching::capture_reference(payment.order_id, payment.attempts);
        let row = self.store.get(&MATCHES, &reference.as_str().into()).await?;
        let Some(key) = row.as_ref().and_then(|row| row.text("movement")) else { return Ok(()) };
        let line = self.store.get(&MOVEMENTS, &key.into()).await?.as_ref().and_then(movement_of);
        if let Some(line) = line.filter(|line| line.fee != fee) {
            let reason = Reason::FeeUnexpected;
            batch.put(difference(key, reason, &reference, Some(fee), Some(line.fee), &line.currency, now));
        }
        Ok(())
    }

    /// Looks again at what did not fit: the lines of a page first, because a line that fits now is what a record of ours missed.
    /// A beat goes on where the one before stopped, so every difference has its turn however many there are. Answers whether
    /// it came to the end of the list, from where the next beat begins anew.
    async fn look_again(&self, progress: &mut Progress, now: i64, until: Instant) -> Result<bool, StoreError> {
        for _ in 0..MAX_LOOKS {
            let query = Query::index(&DIFFERENCES, "by_open", OPEN).limit(PAGE);
            let page = match self.store.query(query.after(progress.looked_to.take())).await {
                Ok(page) => page,
                // The place is of another store's making: from the beginning.
                Err(ReadError::Invalid(_)) => return self.keep_progress(progress, Batch::new()).await.map(|_| false),
                Err(error) => return Err(error.into()),
            };
            let mut records = Vec::new();
            for row in page.rows {
                let key = row.key().text().unwrap_or_default().to_owned();
                let line = self.store.get(&MOVEMENTS, &key.as_str().into()).await?;
                // What another provider says can be asked of nobody any more.
                if line.as_ref().is_some_and(|line| line.text("provider") != Some(self.provider.name())) {
                    continue;
                }
                match line.as_ref().and_then(movement_of) {
                    Some(movement) => self.match_again(&key, &movement, now).await?,
                    None => records.push(key),
                }
            }
            for key in records {
                if self.store.get(&MATCHES, &key.as_str().into()).await?.is_some() {
                    self.resolve_difference(&key, Batch::new(), now).await?;
                }
            }
            progress.looked_to = page.next;
            let ended = progress.looked_to.is_none();
            if !self.keep_progress(progress, Batch::new()).await? {
                return Ok(false);
            }
            if ended || Instant::now() >= until {
                return Ok(ended);
            }
        }
        Ok(false)
    }

    async fn match_again(&self, key: &str, movement: &Movement, now: i64) -> Result<(), StoreError> {
        let finding = self.find(movement).await?;
        let mut batch = Batch::new();
        self.post_once(self.stray_fee(movement, &finding)?, &mut batch).await?;
        learn_fee(movement, &finding, now, &mut batch)?;
        if finding.fits() {
            self.note(key, movement, &finding, now, &mut batch);
            batch.update(&MOVEMENTS, key, vec![("reference", Value::from(finding.reference))], None);
            return self.resolve_difference(key, batch, now).await;
        }
        if batch.is_empty() {
            return Ok(());
        }
        match self.commit(batch).await {
            Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn resolve_difference(&self, key: &str, mut batch: Batch, now: i64) -> Result<(), StoreError> {
        let resolved = vec![("open", Value::Null), ("resolved_at", Value::Int(now))];
        batch.update(&DIFFERENCES, key, resolved, Some(("open", Value::Int(OPEN))));
        match self.commit(batch).await {
            // Another beat did it.
            Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Finding {
    fn fits(&self) -> bool {
        self.reason.is_none()
    }
}

/// The fee of a capture that the provider never told with the payment: its line tells it, in the commit that matches it.
fn learn_fee(movement: &Movement, finding: &Finding, now: i64, batch: &mut Batch) -> Result<(), SettleError> {
    if let Some(payment) = &finding.feeless {
        charged(payment.update().settled(), payment, movement.fee, now, batch)?.write(batch);
    }
    Ok(())
}

fn difference(
    key: &str,
    reason: Reason,
    subject: &str,
    ours: Option<i64>,
    theirs: Option<i64>,
    currency: &str,
    now: i64,
) -> Row {
    let values = vec![
        Value::from(reason.as_str()),
        Value::from(subject),
        Value::from(ours),
        Value::from(theirs),
        Value::from(currency),
        Value::Int(now),
        Value::Null,
        Value::Int(OPEN),
        Value::Null,
        Value::Null,
        Value::Null,
    ];
    Row::new(&DIFFERENCES, key, values)
}
