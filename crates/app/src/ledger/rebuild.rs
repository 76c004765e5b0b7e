//! Building the projection anew from the journal, while entries are accepted and reports show the old one.

use std::time::{Duration, Instant as Clock};

use store::{Batch, CommitError, Op, Value};

use super::Ledger;
use super::error::ReportError;
use super::page::{Counter, Page, Totals, page_key, totals_key};
use super::projection::{body_row, packed};
use super::scan::Scan;
use super::state::State;
use super::views::RebuiltView;
use crate::lease::Lease;
use crate::records::damaged;
use crate::records::ledger::{PAGES, TOTALS};

/// How long the lease is left alone while entries are counted.
const KEEP: Duration = Duration::from_secs(10);
/// What another process did meanwhile may not be in what was counted.
const TAKEN: ReportError = ReportError::Behind("another process has changed the ledger meanwhile; try again");

impl Ledger {
    /// Counts every entry anew and shows the result in one commit. What is pending stays so and is counted afterwards.
    ///
    /// # Errors
    /// [`ReportError`]; the old projection stays.
    pub async fn rebuild(&self) -> Result<RebuiltView, ReportError> {
        let _turn = self.turn.lock().await;
        self.rebuild_now().await
    }

    /// The caller holds the turn.
    pub(super) async fn rebuild_now(&self) -> Result<RebuiltView, ReportError> {
        let begin = Clock::now();
        // A run that was cut off has counted into some of the old pages only.
        let (lease, state) = self.quiet().await?;
        let generation = state.building.unwrap_or(state.generation).max(state.generation) + 1;
        let mut batch = Batch::new();
        State::set(&mut batch, vec![("building", Value::Int(generation))]);
        let lease = self.take(&lease, batch).await?.ok_or(TAKEN)?;
        self.store.flush().await?;
        let counter = self.count_all(Some(&lease), &|_| {}).await?;
        let (entries, postings) = (counter.entries, counter.postings);
        let mut groups = Vec::new();
        for (account, pages) in counter.into_accounts() {
            let mut totals = Totals::default();
            totals.add(&pages)?;
            let page = |(month, page): (&i32, &Page)| {
                Op::Put(body_row(&PAGES, &page_key(generation, &account, *month), state.run, page))
            };
            let mut group: Vec<Op> = pages.iter().map(page).collect();
            group.push(Op::Put(body_row(&TOTALS, &totals_key(generation, &account), state.run, &totals)));
            groups.push(group);
        }
        let accounts = groups.len() as u64;
        for mut batch in packed(groups) {
            lease.keep(&mut batch, self.now());
            if !self.under_lease(batch).await? {
                return Err(TAKEN);
            }
            tokio::task::yield_now().await;
        }
        let mut batch = Batch::new();
        let set = vec![
            ("generation", Value::Int(generation)),
            ("entries", Value::Int(entries)),
            ("calendar", Value::from(self.calendar.name())),
        ];
        State::set(&mut batch, set);
        lease.pass(&mut batch);
        match self.commit(batch).await {
            Err(CommitError::Conflict { .. }) => return Err(TAKEN),
            other => other?,
        }
        let took_ms = i64::try_from(begin.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.finish_rebuild().await?;
        Ok(RebuiltView { entries, postings, accounts, took_ms })
    }

    /// Counts every consolidated entry, tells how many those are after each page, and keeps the lease if it is held. The caller
    /// holds the turn.
    pub(super) async fn count_all(
        &self,
        lease: Option<&Lease>,
        tell: &(dyn Fn(i64) + Sync),
    ) -> Result<Counter<'_>, ReportError> {
        let mut counter = Counter::new(&self.calendar);
        let mut kept = Clock::now();
        let mut scan = Scan::all(&*self.store);
        while let Some(rows) = scan.next().await? {
            for counted in &rows {
                let row = &counted.row;
                let id = row.key().int().ok_or_else(|| damaged(row, "id"))?;
                let body = row.text("body").ok_or_else(|| damaged(row, "body"))?;
                counter.count(id, body, counted.sealed)?;
            }
            tell(counter.entries);
            if let Some(lease) = lease.filter(|_| kept.elapsed() > KEEP) {
                let mut batch = Batch::new();
                lease.keep(&mut batch, self.now());
                if !self.under_lease(batch).await? {
                    return Err(TAKEN);
                }
                kept = Clock::now();
            }
            tokio::task::yield_now().await;
        }
        Ok(counter)
    }
}
