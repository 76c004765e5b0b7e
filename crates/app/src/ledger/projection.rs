//! The daily consolidation: counts what was accepted into the months of accounts, apart from accepting.
//!
//! Invariant: a row of entries is counted exactly once. A run takes rows that are pending and durable. A small one changes
//! pages, deletes what was pending and notes its end in one commit. A large one notes its rows first; every page remembers
//! the last run that changed it, so the run may be cut off anywhere and done again, and adds to no page twice. The next run
//! begins when the end of the last one is durable, since only then what is pending shows it.
//!
//! Processes that share a store hold a lease ([`crate::lease`]): a large run takes it in the commit that notes its rows, and
//! every commit of a run has its token as a condition. A run whose holder is silent for a minute is done again by another
//! process, and what the first one writes afterwards is refused.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use store::{Batch, CommitError, Op, Query, ReadError, Row, Value};

use super::error::ReportError;
use super::page::{Counter, Page, Totals, page_key, totals_key};
use super::scan::between;
use super::state::State;
use super::views::ProjectionView;
use super::{Ledger, OpenLedgerError};
use crate::Instant;
use crate::error::StoreError;
use crate::lease::Lease;
use crate::records::damaged;
use crate::records::ledger::{ENTRIES, PAGES, PENDING, RESTATEMENTS, TOTALS};

/// A run ends with the page of pending rows that brings it to so many.
const MAX_RUN_ROWS: usize = 8 * store::MAX_PAGE;
/// Rows of entries that are read at once.
const READ_ROWS: usize = 64;
/// Pending rows that were recorded further apart are read apart: others may lie between them.
const TOGETHER_MS: i64 = 1_000;
/// A run ends with the row that brings it above so many entries.
const MAX_RUN_ENTRIES: i64 = 50_000;
/// The most operations and bytes of one of its commits.
const MAX_OPS: usize = store::MAX_BATCH_OPS - 2;
const MAX_BYTES: usize = store::MAX_BATCH_BYTES / 2;
/// How long the consolidation rests when there is nothing to do, unless an entry wakes it: what other processes record, and
/// leave to be counted, is found then.
const IDLE: Duration = Duration::from_secs(1);
/// How long entries gather after the first one that wakes it, so that a run counts more than one.
const GATHER: Duration = Duration::from_millis(25);
/// How long it rests after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// The name of the lease.
const LEASE: &str = "ledger";
/// How often and how long another process at work is waited for: longer than a silent one keeps its lease.
pub(super) const MAX_WAITS: u32 = 700;
pub(super) const WAIT: Duration = Duration::from_millis(100);

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// So many entries were counted.
    Counted(i64),
    /// There was nothing to count.
    Idle,
    /// Another process is at work, or was faster.
    Elsewhere,
}

impl Ledger {
    /// Lets the consolidation run in the background until [`Ledger::halt`], or until the ledger is dropped.
    pub fn start(self: &Arc<Ledger>) {
        let ledger = Arc::downgrade(self);
        let task = tokio::spawn(run(ledger));
        if let Some(before) = self.task.lock().replace(task) {
            before.abort();
        }
    }

    /// Ends the background work, and returns when it has let go of the store. A run that is cut off is done again later.
    pub async fn halt(&self) {
        let task = self.task.lock().take();
        if let Some(task) = task {
            task.abort();
            // An error says that it was cut off: that is what was wanted.
            let _ = task.await;
        }
    }

    /// Stops the consolidation or lets it go on, also over a restart. Entries are accepted either way.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn set_stopped(&self, stopped: bool) -> Result<ProjectionView, ReportError> {
        {
            let _turn = self.turn.lock().await;
            let mut batch = Batch::new();
            State::set(&mut batch, vec![("stopped", Value::Int(stopped.into()))]);
            self.commit(batch).await?;
            self.wake.notify_one();
        }
        self.projection().await
    }

    /// Where the consolidation stands.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn projection(&self) -> Result<ProjectionView, ReportError> {
        let state = self.state().await?;
        let page = self.store.query(Query::table(&PENDING).limit(store::MAX_PAGE)).await?;
        let as_of = self.as_of_first(page.rows.first());
        let date = |day: i32| super::calendar::date(day).to_string();
        Ok(ProjectionView {
            running: !state.stopped,
            problem: self.problem.lock().clone(),
            as_of: Instant(as_of),
            lag_ms: (self.now() - as_of).max(0),
            entries: state.entries,
            pending: page.rows.len() as u64,
            more_pending: page.next.is_some(),
            generation: state.generation,
            rebuilding: state.building.is_some(),
            calendar: state.calendar,
            first_sealed: state.sealed.map(|(first, _)| date(first)),
            last_sealed: state.sealed.map(|(_, last)| date(last)),
            seal: state.seal,
            closing: state.closing.map(|(to, _)| date(to)),
        })
    }

    /// Counts what is pending now; answers how many entries. Does so also while the consolidation is stopped.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn consolidate(&self) -> Result<u64, ReportError> {
        let _turn = self.turn.lock().await;
        let mut entries = 0;
        loop {
            match self.run_once().await? {
                Run::Counted(counted) => entries += counted.unsigned_abs(),
                Run::Idle | Run::Elsewhere => return Ok(entries),
            }
        }
    }

    /// The state with no run half done in it: one that was cut off is brought to its end, one of another process is waited
    /// for. The caller holds the turn, and commits what it makes of the state under the lease.
    pub(super) async fn quiet(&self) -> Result<(Lease, State), ReportError> {
        for _ in 0..MAX_WAITS {
            let lease = self.lease().await?;
            let state = self.state().await?;
            match (lease.is_held(&self.holder, self.now()), &state.applying) {
                (false, None) => return Ok((lease, state)),
                (false, Some(_)) => drop(self.run_once().await?),
                (true, _) => tokio::time::sleep(WAIT).await,
            }
        }
        Err(ReportError::Behind("another process is at work on the ledger; try again in a minute"))
    }

    pub(super) async fn lease(&self) -> Result<Lease, ReadError> {
        Lease::read(&*self.store, LEASE).await
    }

    /// Takes the lease in this commit; `None` if another process was faster.
    pub(super) async fn take(&self, lease: &Lease, mut batch: Batch) -> Result<Option<Lease>, ReportError> {
        let taken = lease.take(&mut batch, &self.holder, self.now());
        Ok(self.under_lease(batch).await?.then_some(taken))
    }

    /// Commits under the lease that the batch names; false if another process has taken it.
    pub(super) async fn under_lease(&self, batch: Batch) -> Result<bool, CommitError> {
        match self.store.commit(batch).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Everything recorded up to this instant is counted, but for entries whose commit takes longer than the answers say.
    pub(super) async fn as_of(&self) -> Result<i64, ReadError> {
        let page = self.store.query(Query::table(&PENDING).limit(1)).await?;
        Ok(self.as_of_first(page.rows.first()))
    }

    fn as_of_first(&self, pending: Option<&Row>) -> i64 {
        let oldest = pending.and_then(|row| row.key().int());
        oldest.map_or_else(|| self.now(), |id| store::id::time_ms(id) - 1)
    }

    pub(super) async fn state(&self) -> Result<State, ReportError> {
        let state = State::load(&*self.store).await?;
        Ok(state.ok_or_else(|| StoreError::Unavailable("the row of the projection is missing".into()))?)
    }

    /// Makes the projection's row.
    pub(super) async fn prepare(&self) -> Result<(), OpenLedgerError> {
        let now = self.calendar.name();
        Lease::make(&*self.store, LEASE).await?;
        let Some(state) = State::load(&*self.store).await.map_err(StoreError::from)? else {
            let mut batch = Batch::new();
            batch.insert(State::first(&now));
            return match self.commit(batch).await {
                // Another process that shares the store made it.
                Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
                Err(error) => Err(StoreError::from(error).into()),
            };
        };
        match state.calendar != now && state.sealed.is_some() {
            true => Err(OpenLedgerError::Calendar { sealed: state.calendar, now }),
            false => Ok(()),
        }
    }

    /// Brings a run or a rebuild that was cut off to its end, and cuts the days anew after a change of the calendar.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn recover(&self) -> Result<(), ReportError> {
        let (now, state) = (self.calendar.name(), self.state().await?);
        let _turn = self.turn.lock().await;
        if state.calendar != now {
            tracing::info!(from = state.calendar, to = now, "the ledger's days are cut anew");
            self.rebuild_now().await?;
            return Ok(());
        }
        // What another process has in work is its own.
        let lease = self.lease().await?;
        if lease.is_held(&self.holder, self.now()) {
            return Ok(());
        }
        if state.applying.is_some() {
            self.run_once().await?;
        }
        if state.building.is_some() {
            self.finish_rebuild().await?;
        }
        Ok(())
    }

    /// Deletes what a rebuild that was cut off has written, or what the last one has replaced.
    pub(super) async fn finish_rebuild(&self) -> Result<(), ReportError> {
        let (lease, state) = (self.lease().await?, self.state().await?);
        if let Some(lease) = self.take(&lease, Batch::new()).await? {
            self.sweep(state.generation, &lease).await?;
            let mut batch = Batch::new();
            State::set(&mut batch, vec![("building", Value::Null)]);
            lease.pass(&mut batch);
            self.under_lease(batch).await?;
        }
        Ok(())
    }

    /// One run. The caller holds the turn.
    pub(super) async fn run_once(&self) -> Result<Run, ReportError> {
        // Only when the end of the last run is durable does what is pending show it; that run may have been cut off.
        if self.unsettled.load(Ordering::Acquire) {
            self.store.flush().await?;
            self.unsettled.store(false, Ordering::Release);
        }
        // Invariant: the lease is read first, so whatever another process changes after it is noticed.
        let lease = self.lease().await?;
        if lease.is_held(&self.holder, self.now()) {
            return Ok(Run::Elsewhere);
        }
        let state = self.state().await?;
        let rows = match &state.applying {
            Some(ids) => self.rows(ids).await?,
            None => self.pending_rows().await?,
        };
        if rows.is_empty() {
            return Ok(Run::Idle);
        }
        let sealed = state.sealed.map(|(_, last)| last);
        let mut counter = Counter::new(&self.calendar);
        let mut restated = Vec::new();
        for row in &rows {
            let id = row.key().int().ok_or_else(|| damaged(row, "id"))?;
            let body = row.text("body").ok_or_else(|| damaged(row, "body"))?;
            if let Some(late) = counter.count(id, body, sealed)? {
                let values = vec![
                    Value::Int(sealed.unwrap_or_default().into()),
                    Value::Int(late.first_day.into()),
                    Value::Int(late.postings),
                    Value::Int(self.now()),
                ];
                restated.push(Op::Put(Row::new(&RESTATEMENTS, id, values)));
            }
        }
        let entries = counter.entries;
        let run = state.run + 1;
        let mut groups = self.changes(state.generation, run, counter.into_accounts()).await?;
        groups.push(restated);
        let done = rows.iter().map(|row| Op::Delete(&PENDING, row.key().clone()));
        groups.extend(done.map(|op| vec![op]));
        let end = vec![
            ("run", Value::Int(run)),
            ("applying", Value::Null),
            ("entries", Value::Int(state.entries.saturating_add(entries))),
        ];
        let mut batches = packed(groups);
        self.unsettled.store(true, Ordering::Release);
        let mut last = batches.pop().unwrap_or_default();
        let lease = match batches.is_empty() {
            true => lease,
            false => {
                let ids: Vec<i64> = rows.iter().filter_map(|row| row.key().int()).collect();
                let mut batch = Batch::new();
                State::set(&mut batch, vec![("applying", Value::from(crate::records::json(&ids)))]);
                let Some(taken) = self.take(&lease, batch).await? else { return Ok(Run::Elsewhere) };
                taken
            }
        };
        for mut batch in batches {
            lease.keep(&mut batch, self.now());
            if !self.under_lease(batch).await? {
                return Ok(Run::Elsewhere);
            }
        }
        State::set(&mut last, end);
        lease.pass(&mut last);
        match self.commit(last).await {
            Ok(()) => {}
            // Another process that shares the store was faster; what is pending then is counted by the next run.
            Err(CommitError::Conflict { .. }) => return Ok(Run::Elsewhere),
            Err(error) => return Err(error.into()),
        }
        self.unsettled.store(false, Ordering::Release);
        Ok(Run::Counted(entries))
    }

    /// The rows of a run that was cut off.
    async fn rows(&self, ids: &[i64]) -> Result<Vec<Row>, ReportError> {
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            let row = self.store.get(&ENTRIES, &(*id).into()).await?;
            let missing = || StoreError::Unavailable(format!("`ledger_entries[{id}]` is missing").into());
            rows.push(row.ok_or_else(missing)?);
        }
        Ok(rows)
    }

    /// The rows of the next run: the oldest that are pending.
    async fn pending_rows(&self) -> Result<Vec<Row>, ReportError> {
        let mut rows = Vec::new();
        let mut entries = 0;
        let mut query = Query::table(&PENDING).limit(store::MAX_PAGE);
        loop {
            let page = self.store.query(query.clone()).await?;
            let ids: Vec<i64> = page.rows.iter().filter_map(|row| row.key().int()).collect();
            // Rows that lie close together are read as a range, a few at a time because each may be large.
            let together = |a: &i64, b: &i64| store::id::time_ms(*b) - store::id::time_ms(*a) <= TOGETHER_MS;
            for ids in ids.chunk_by(together).flat_map(|ids| ids.chunks(READ_ROWS)) {
                let (Some(first), Some(last)) = (ids.first(), ids.last()) else { break };
                let found = between(&*self.store, Query::table(&ENTRIES), *first, *last).await?;
                let wanted = |row: &Row| row.key().int().is_some_and(|id| ids.binary_search(&id).is_ok());
                for row in found.into_iter().filter(wanted) {
                    entries += row.int("entries").unwrap_or(1);
                    rows.push(row);
                    if entries >= MAX_RUN_ENTRIES {
                        return Ok(rows);
                    }
                }
            }
            match page.next {
                Some(next) if rows.len() < MAX_RUN_ROWS => query = query.after(Some(next)),
                _ => return Ok(rows),
            }
        }
    }

    /// What a run writes: a group for every account, whose rows belong together.
    async fn changes(
        &self,
        generation: i64,
        run: i64,
        accounts: Vec<(String, BTreeMap<i32, Page>)>,
    ) -> Result<Vec<Vec<Op>>, ReportError> {
        let mut groups = Vec::with_capacity(accounts.len());
        for (account, pages) in accounts {
            let mut group = Vec::with_capacity(pages.len() + 1);
            for (month, delta) in &pages {
                let key = page_key(generation, &account, *month);
                let row = self.store.get(&PAGES, &key.as_str().into()).await?;
                if let Some(mut page) = unless_done::<Page>(row.as_ref(), run)? {
                    page.add(delta)?;
                    group.push(Op::Put(body_row(&PAGES, &key, run, &page)));
                }
            }
            let key = totals_key(generation, &account);
            let row = self.store.get(&TOTALS, &key.as_str().into()).await?;
            if let Some(mut totals) = unless_done::<Totals>(row.as_ref(), run)? {
                totals.add(&pages)?;
                group.push(Op::Put(body_row(&TOTALS, &key, run, &totals)));
            }
            groups.push(group);
        }
        Ok(groups)
    }

    /// Deletes pages and totals of every other generation, as long as the lease is held.
    async fn sweep(&self, generation: i64, lease: &Lease) -> Result<(), ReportError> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        // `0` is the character after `/`.
        let older = (Unbounded, Excluded(Value::from(format!("{generation:06}/"))));
        let newer = (Included(Value::from(format!("{generation:06}0"))), Unbounded);
        for table in [&PAGES, &TOTALS] {
            for (from, to) in [older.clone(), newer.clone()] {
                loop {
                    let query = Query::table(table).range(from.clone(), to.clone()).limit(store::MAX_PAGE);
                    let page = self.store.query(query).await?;
                    if page.rows.is_empty() {
                        break;
                    }
                    for mut batch in packed(page.rows.iter().map(|row| vec![Op::Delete(table, row.key().clone())])) {
                        lease.keep(&mut batch, self.now());
                        if !self.under_lease(batch).await? {
                            return Ok(());
                        }
                    }
                    // Pages show durable rows.
                    self.store.flush().await?;
                }
            }
        }
        Ok(())
    }
}

/// Counts until the ledger is gone or the task is cut off.
async fn run(ledger: Weak<Ledger>) {
    let mut failed = false;
    while let Some(ledger) = ledger.upgrade() {
        let step = step(&ledger).await;
        if let (Err(error), false) = (&step, failed) {
            tracing::error!(error = error as &dyn std::error::Error, "the daily consolidation fails");
        }
        failed = step.is_err();
        *ledger.problem.lock() = step.as_ref().err().map(ToString::to_string);
        let wake = ledger.wake.clone();
        let store = ledger.store.clone();
        // Whoever waits does not keep the ledger.
        drop(ledger);
        match step {
            Ok(Run::Counted(_)) => tokio::task::yield_now().await,
            Ok(Run::Idle) => {
                if tokio::time::timeout(IDLE, wake.notified()).await.is_ok() {
                    tokio::time::sleep(GATHER).await;
                    // What is pending shows durable rows. A store that cannot write fails the step, which says so.
                    store.flush().await.ok();
                }
            }
            Ok(Run::Elsewhere) => tokio::time::sleep(WAIT).await,
            Err(_) => tokio::time::sleep(RETRY).await,
        }
    }
}

async fn step(ledger: &Ledger) -> Result<Run, ReportError> {
    let _turn = ledger.turn.lock().await;
    let state = ledger.state().await?;
    match (state.stopped, state.closing) {
        (true, _) => Ok(Run::Idle),
        (false, Some(_)) => ledger.close_step().await,
        (false, None) => ledger.run_once().await,
    }
}

/// The body of a row, empty for none; `None` if this run has changed it already.
fn unless_done<T: Default + serde::de::DeserializeOwned>(row: Option<&Row>, run: i64) -> Result<Option<T>, ReadError> {
    match row {
        None => Ok(Some(T::default())),
        Some(row) if row.int("run").is_some_and(|done| done >= run) => Ok(None),
        Some(row) => read_body(row).map(Some),
    }
}

/// The body of a page or of totals.
pub(super) fn read_body<T: serde::de::DeserializeOwned>(row: &Row) -> Result<T, ReadError> {
    let body = row.text("body").and_then(|body| serde_json::from_str(body).ok());
    body.ok_or_else(|| damaged(row, "body"))
}

/// A row of pages or of totals.
pub(super) fn body_row(table: &'static store::Table, key: &str, run: i64, body: &impl serde::Serialize) -> Row {
    Row::new(table, key, vec![Value::Int(run), Value::from(crate::records::json(body))])
}

/// Operations in as few batches as they need, those of a group in one if it fits.
pub(super) fn packed(groups: impl IntoIterator<Item = Vec<Op>>) -> Vec<Batch> {
    let mut batches = vec![Batch::new()];
    let mut bytes = 0;
    for group in groups {
        let size: usize = group.iter().map(Op::size_bytes).sum();
        let used = batches.last().map_or(0, Batch::len);
        if used > 0 && (used + group.len() > MAX_OPS || bytes + size > MAX_BYTES) {
            batches.push(Batch::new());
            bytes = 0;
        }
        for op in group {
            let full = batches.last().is_none_or(|batch| batch.len() >= MAX_OPS) || bytes > MAX_BYTES;
            if full {
                batches.push(Batch::new());
                bytes = 0;
            }
            bytes += op.size_bytes();
            if let Some(batch) = batches.last_mut() {
                batch.push(op);
            }
        }
    }
    batches
}
