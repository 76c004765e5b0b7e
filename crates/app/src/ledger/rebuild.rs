//! Building the projection anew from the journal, while entries are accepted and reports show the old one.

use std::time::Instant as Clock;

use store::{Batch, Op, Value};

use super::Ledger;
use super::error::ReportError;
use super::page::{Counter, Page, Totals, page_key, totals_key};
use super::projection::{body_row, packed};
use super::scan::Scan;
use super::state::State;
use super::views::RebuiltView;
use crate::records::damaged;
use crate::records::ledger::{PAGES, TOTALS};

impl Ledger {
    /// Counts every entry anew and shows the result in one commit. What is pending stays so and is counted afterwards.
    ///
    /// # Errors
    /// [`ReportError`]; the old projection stays.
    pub async fn rebuild(&self) -> Result<RebuiltView, ReportError> {
        let _turn = self.turn.lock().await;
        // A run that was cut off has counted into some of the old pages only.
        if self.state().await?.applying.is_some() {
            self.run_once().await?;
        }
        self.rebuild_now().await
    }

    /// The caller holds the turn.
    pub(super) async fn rebuild_now(&self) -> Result<RebuiltView, ReportError> {
        let begin = Clock::now();
        let state = self.state().await?;
        let generation = state.building.unwrap_or(state.generation).max(state.generation) + 1;
        let mut batch = Batch::new();
        State::set(&mut batch, vec![("building", Value::Int(generation)), ("applying", Value::Null)]);
        self.commit(batch).await?;
        let counter = self.count_all().await?;
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
        for batch in packed(groups) {
            self.store.commit(batch).await?;
            tokio::task::yield_now().await;
        }
        let mut batch = Batch::new();
        let set = vec![
            ("generation", Value::Int(generation)),
            ("building", Value::Null),
            ("entries", Value::Int(entries)),
            ("calendar", Value::from(self.calendar.name())),
        ];
        State::set(&mut batch, set);
        self.commit(batch).await?;
        let took_ms = i64::try_from(begin.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.sweep(generation).await?;
        Ok(RebuiltView { entries, postings, accounts, took_ms })
    }

    /// Counts every consolidated entry. The caller holds the turn.
    pub(super) async fn count_all(&self) -> Result<Counter<'_>, ReportError> {
        let mut counter = Counter::new(&self.calendar);
        let mut scan = Scan::all(&*self.store);
        while let Some(rows) = scan.next().await? {
            for counted in &rows {
                let row = &counted.row;
                let id = row.key().int().ok_or_else(|| damaged(row, "id"))?;
                let body = row.text("body").ok_or_else(|| damaged(row, "body"))?;
                counter.count(id, body, counted.sealed)?;
            }
            tokio::task::yield_now().await;
        }
        Ok(counter)
    }
}
