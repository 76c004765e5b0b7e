//! The reconciliation: every line of the provider's account belongs to a capture, a refund, a dispute, a fee or a payout of ours,
//! and the other way round. What does not fit is listed with the reason until it does.
//!
//! It runs in bounded portions and can be cut off anywhere: a line is written once, in the commit of the entry it posts, and
//! the place in the account is kept beside.

mod matching;
mod show;

use std::ops::Bound;
use std::time::{Duration, Instant};

use domain::Currency;
use domain::bookkeeping;
use domain::refund::RefundStatus;
use store::{Batch, CommitError, Query, Row, Value};

use crate::error::StoreError;
use crate::postings::SettleError;
use crate::provider::{Movement, MovementKind, Movements, ProviderError};
use crate::records::Payment;
use crate::records::payment::PAYMENTS;
use crate::records::reconciliation::{
    DIFFERENCES, MATCHES, MOVEMENTS, PROGRESS, movement_key, movement_of, movement_row,
};
use crate::records::refund::{REFUNDS, Refund};
use crate::{App, ledger};
use matching::{Finding, Reason, capture_reference, refund_reference};

/// How many of our records are looked for in one beat.
const PAGE: usize = 500;
/// How many pages of the account one beat reads.
const MAX_PAGES: usize = 50;
/// How long one beat works on before it leaves the rest to the next.
const BUDGET: Duration = Duration::from_secs(20);
/// How far a pass reads back before the newest line of the one before: lines can appear late.
const OVERLAP_MS: i64 = 3_600_000;

/// How far the reconciliation is.
#[derive(Debug, Clone)]
struct Progress {
    revision: i64,
    since: i64,
    cursor: Option<String>,
    newest: i64,
    captures_to: i64,
    refunds_to: i64,
    completed_at: Option<i64>,
}

impl App {
    /// Works on for a while: reads new lines, looks again at what did not fit, and looks for what of ours has no line.
    pub(crate) async fn reconcile(&self, now: i64, begin: Instant) -> Result<(), StoreError> {
        // Matching reads by key and by index: what was applied a moment ago must be durable.
        self.store.flush().await?;
        let mut progress = self.reconciled().await?;
        self.read_account(&mut progress, now, begin).await?;
        self.look_again(now).await?;
        self.find_missing(&mut progress, now).await
    }

    /// Works until the provider's account was read to its end.
    ///
    /// # Errors
    /// [`StoreError`] if store or provider cannot be read.
    pub async fn reconcile_now(&self) -> Result<(), crate::FindError> {
        let now = self.now();
        let failed = |error: StoreError| crate::FindError::Store(store::ReadError::Unavailable(error.into()));
        for _ in 0..MAX_PAGES {
            self.reconcile(now, Instant::now()).await.map_err(failed)?;
            if self.reconciled().await.map_err(failed)?.completed_at.is_some_and(|at| at >= now) {
                break;
            }
        }
        Ok(())
    }

    async fn reconciled(&self) -> Result<Progress, StoreError> {
        let row = self.store.get(&PROGRESS, &self.provider.name().into()).await?;
        let int = |column: &str| row.as_ref().and_then(|row| row.int(column));
        Ok(Progress {
            revision: int("revision").unwrap_or(0),
            since: int("since").unwrap_or(0),
            cursor: row.as_ref().and_then(|row| row.text("cursor")).map(str::to_owned),
            newest: int("newest").unwrap_or(0),
            captures_to: int("captures_to").unwrap_or(0),
            refunds_to: int("refunds_to").unwrap_or(0),
            completed_at: int("completed_at"),
        })
    }

    /// Writes the progress if nobody else did; answers whether it was.
    async fn keep_progress(&self, progress: &mut Progress, mut batch: Batch) -> Result<bool, StoreError> {
        let values = vec![
            Value::Int(progress.revision + 1),
            Value::Int(progress.since),
            Value::from(progress.cursor.as_deref()),
            Value::Int(progress.newest),
            Value::Int(progress.captures_to),
            Value::Int(progress.refunds_to),
            Value::from(progress.completed_at),
        ];
        let row = Row::new(&PROGRESS, self.provider.name(), values);
        if progress.revision == 0 {
            batch.insert(row);
        } else {
            let set = PROGRESS.columns.iter().zip(row.values()).map(|(column, value)| (column.name, value.clone()));
            let when = Some(("revision", Value::Int(progress.revision)));
            batch.update(&PROGRESS, self.provider.name(), set.collect(), when);
        }
        match self.commit(batch).await {
            Ok(()) => {
                progress.revision += 1;
                Ok(true)
            }
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn read_account(&self, progress: &mut Progress, now: i64, begin: Instant) -> Result<(), StoreError> {
        for _ in 0..MAX_PAGES {
            let which = Movements::Since(progress.since);
            let page = match self.provider.movements(&which, progress.cursor.clone()).await {
                Ok(page) => page,
                // Left to the next beat.
                Err(ProviderError::Unavailable) => return Ok(()),
                Err(error) => return Err(StoreError::Internal(error.into())),
            };
            for movement in &page.items {
                self.take_movement(movement, now).await?;
                progress.newest = progress.newest.max(movement.at);
            }
            progress.cursor = page.next;
            if progress.cursor.is_none() {
                progress.since = (progress.newest - OVERLAP_MS).max(0);
                progress.completed_at = Some(now);
            }
            let ended = progress.cursor.is_none();
            if !self.keep_progress(progress, Batch::new()).await? || ended || begin.elapsed() >= BUDGET {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes one line, once: matched, with what it posts, or with what does not fit.
    async fn take_movement(&self, movement: &Movement, now: i64) -> Result<(), StoreError> {
        let provider = self.provider.name();
        let key = movement_key(provider, &movement.id);
        if self.store.get(&MOVEMENTS, &key.as_str().into()).await?.is_some() {
            return Ok(());
        }
        let finding = self.find_record(movement).await?;
        let mut batch = Batch::new();
        batch.insert(movement_row(provider, movement, finding.reference.as_deref().filter(|_| finding.fits()), now));
        self.note(&key, movement, &finding, now, &mut batch);
        self.post_movement(movement, &mut batch)?;
        match self.commit(batch).await {
            // Another beat wrote it, or its entry was posted by hand under the same key.
            Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The match, or the difference.
    fn note(&self, key: &str, movement: &Movement, finding: &Finding, now: i64, batch: &mut Batch) {
        match (&finding.reference, finding.reason) {
            (Some(reference), None) => {
                batch.put(Row::new(&MATCHES, reference.as_str(), vec![Value::from(key)]));
            }
            (_, Some(reason)) => {
                let subject = finding.reference.as_deref().unwrap_or(&movement.id);
                let theirs = if reason == Reason::FeeUnexpected { movement.fee } else { movement.amount };
                batch.put(difference(key, reason, subject, finding.ours, Some(theirs), &movement.currency, now));
            }
            (None, None) => {}
        }
    }

    /// What only the account tells of: payouts, and fees apart from a payment.
    fn post_movement(&self, movement: &Movement, batch: &mut Batch) -> Result<(), SettleError> {
        let Some(currency) = Currency::from_code(&movement.currency) else { return Ok(()) };
        let provider = self.provider.name();
        let source = movement.source.as_deref().unwrap_or(&movement.id);
        match movement.kind {
            MovementKind::Payout if movement.amount != 0 => {
                let entry = bookkeeping::payout(provider, source, -movement.amount, currency, movement.at)?;
                ledger::post(batch, &entry);
            }
            MovementKind::PayoutFailure if movement.amount != 0 => {
                let entry = bookkeeping::payout_failed(provider, source, movement.amount, currency, movement.at)?;
                ledger::post(batch, &entry);
            }
            _ => {}
        }
        // The fee of a capture or a dispute is posted with it; any other is known from here only.
        let own = movement.kind == MovementKind::Fee;
        let beside =
            matches!(movement.kind, MovementKind::Capture | MovementKind::Dispute | MovementKind::DisputeReversal);
        let fee = if own { -movement.amount + movement.fee } else { movement.fee };
        if fee != 0 && !beside {
            let entry = bookkeeping::other_fee(provider, &movement.id, fee, currency, movement.at)?;
            ledger::post(batch, &entry);
        }
        Ok(())
    }

    /// Looks again at what did not fit: the lines first, because a line that fits now is what a record of ours missed.
    async fn look_again(&self, now: i64) -> Result<(), StoreError> {
        let query = Query::index(&DIFFERENCES, "by_open", 1).limit(PAGE);
        let mut records = Vec::new();
        for row in self.store.query(query).await?.rows {
            let key = row.key().text().unwrap_or_default().to_owned();
            match self.store.get(&MOVEMENTS, &key.as_str().into()).await?.as_ref().and_then(movement_of) {
                Some(movement) => self.match_again(&key, &movement, now).await?,
                None => records.push(key),
            }
        }
        for key in records {
            if self.store.get(&MATCHES, &key.as_str().into()).await?.is_some() {
                self.resolve_difference(&key, Batch::new(), now).await?;
            }
        }
        Ok(())
    }

    async fn match_again(&self, key: &str, movement: &Movement, now: i64) -> Result<(), StoreError> {
        let finding = self.find_record(movement).await?;
        if !finding.fits() {
            return Ok(());
        }
        let mut batch = Batch::new();
        self.note(key, movement, &finding, now, &mut batch);
        batch.update(&MOVEMENTS, key, vec![("reference", Value::from(finding.reference))], None);
        self.resolve_difference(key, batch, now).await
    }

    async fn resolve_difference(&self, key: &str, mut batch: Batch, now: i64) -> Result<(), StoreError> {
        let resolved = vec![("open", Value::Null), ("resolved_at", Value::Int(now))];
        batch.update(&DIFFERENCES, key, resolved, Some(("open", Value::Int(1))));
        match self.commit(batch).await {
            // Another beat did it.
            Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks for captures and refunds of ours that have no line although they are old enough to have one.
    async fn find_missing(&self, progress: &mut Progress, now: i64) -> Result<(), StoreError> {
        let until = now - self.settings.reconcile_after_ms;
        // As long as the account was not read since then, its lines may be those that are missed.
        if progress.completed_at.is_none_or(|at| at < until) {
            return Ok(());
        }
        let mut batch = Batch::new();
        let span =
            (Bound::Excluded(Value::Int(progress.captures_to)), Bound::Excluded(Value::Int(store::id::floor(until))));
        for row in self.store.query(Query::table(&PAYMENTS).range(span.0, span.1).limit(PAGE)).await?.rows {
            let payment = Payment::from_row(row)?;
            progress.captures_to = payment.order_id;
            if payment.captured > 0 && payment.text("provider") == Some(self.provider.name()) {
                let reference = capture_reference(payment.order_id, payment.attempts);
                self.miss(&reference, payment.captured, payment.currency(), now, &mut batch).await?;
            }
            if batch.len() >= store::MAX_BATCH_OPS - 2 {
                break;
            }
        }
        let span = (Bound::Excluded(Value::Int(progress.refunds_to)), Bound::Excluded(Value::Int(until)));
        let query = Query::index(&REFUNDS, "by_status", RefundStatus::Succeeded.as_str()).range(span.0, span.1);
        for row in self.store.query(query.limit(PAGE)).await?.rows {
            if batch.len() >= store::MAX_BATCH_OPS - 2 {
                break;
            }
            let refund = Refund::from_row(row)?;
            let requested_at = refund.int("requested_at").unwrap_or(0);
            // Several may have been asked for in one millisecond: the last one of a page is looked at again.
            progress.refunds_to = progress.refunds_to.max(requested_at - 1);
            let reference = refund_reference(&refund.public_id(), refund.attempt);
            self.miss(&reference, -refund.amount, refund.currency(), now, &mut batch).await?;
        }
        self.keep_progress(progress, batch).await.map(drop)
    }

    async fn miss(
        &self,
        reference: &str,
        ours: i64,
        currency: &str,
        now: i64,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let known = self.store.get(&MATCHES, &reference.into()).await?.is_some();
        if !known && self.store.get(&DIFFERENCES, &reference.into()).await?.is_none() {
            batch.put(difference(reference, Reason::MissingAtProvider, reference, Some(ours), None, currency, now));
        }
        Ok(())
    }
}

impl Finding {
    fn fits(&self) -> bool {
        self.reason.is_none()
    }
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
        Value::Int(1),
    ];
    Row::new(&DIFFERENCES, key, values)
}
