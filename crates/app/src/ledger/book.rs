//! Reading what is consolidated.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::ledger::{Day, Late, Movement, statement};
use store::{Query, Row, Store};

use super::Ledger;
use super::calendar::first_of;
use super::error::ReportError;
use super::page::{Page, Totals, page_key, totals_key};
use super::projection::read_body;
use super::scan::between_text;
use super::state::State;
use crate::error::StoreError;
use crate::records::ledger::{PAGES, TOTALS};

impl Ledger {
    /// The durable state of one instant in which no run is half done, with the state of the projection in it.
    ///
    /// A store that other processes share is read as it stands: what a copy of it costs grows with all that was ever written,
    /// and on DynamoDB only an administrator may make one. What was read is good if [`Ledger::stands`] says so in the end.
    pub(super) async fn settled(&self) -> Result<(Arc<dyn Store>, State), ReportError> {
        if self.is_shared() {
            let state = self.state().await?;
            if state.applying.is_none() {
                return Ok((self.store.clone(), state));
            }
            let _turn = self.turn.lock().await;
            let (_, state) = self.quiet().await?;
            return Ok((self.store.clone(), state));
        }
        let snapshot = self.store.snapshot().await?;
        let state = loaded(&*snapshot).await?;
        if state.applying.is_none() {
            return Ok((snapshot, state));
        }
        drop(snapshot);
        let _turn = self.turn.lock().await;
        self.quiet().await?;
        self.store.flush().await?;
        let snapshot = self.store.snapshot().await?;
        let state = loaded(&*snapshot).await?;
        Ok((snapshot, state))
    }

    /// Whether nothing was consolidated since [`Ledger::settled`], so that what was read since fits together.
    ///
    /// Invariant: a run of more than one commit is marked before its first, and its last one changes the number. A rebuild
    /// writes elsewhere until it changes the generation. Entries that are merely accepted are pending (see [`super::scan`]).
    pub(super) async fn stands(&self, state: &State) -> Result<bool, ReportError> {
        if !self.is_shared() {
            return Ok(true);
        }
        let now = self.state().await?;
        Ok(now.applying.is_none() && (now.run, now.generation) == (state.run, state.generation))
    }

    /// The days of an account as they stand in the latest applied state.
    pub(super) async fn account_days(
        &self,
        state: &State,
        account: &str,
        from: i32,
        to: i32,
    ) -> Result<Vec<Day>, ReportError> {
        let key = totals_key(state.generation, account);
        for _ in 0..crate::app::MAX_TRIES {
            let before = self.store.get(&TOTALS, &key.as_str().into()).await?;
            let days = self.days_of(&*self.store, state, account, before.as_ref(), (from, to)).await?;
            let after = self.store.get(&TOTALS, &key.as_str().into()).await?;
            // A run that changed the account meanwhile may have changed some of its pages only as they were read.
            if before.and_then(|row| row.int("run")) == after.and_then(|row| row.int("run")) {
                return Ok(days);
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The days of an account whose totals are known.
    pub(super) async fn days_of(
        &self,
        store: &dyn Store,
        state: &State,
        account: &str,
        totals: Option<&Row>,
        (from, to): (i32, i32),
    ) -> Result<Vec<Day>, ReportError> {
        let totals: Totals = totals.map(read_body).transpose()?.unwrap_or_default();
        let (first, last) = (self.calendar.month_of(from), self.calendar.month_of(to));
        let mut opening: i64 = totals.months.range(..first).map(|(_, movement)| movement.net()).sum();
        let mut movements: BTreeMap<i32, Movement> = BTreeMap::new();
        let mut late = Late::new();
        let moved = totals.months.range(first..=last).map(|(month, _)| *month);
        let told = totals.late.range(first..).map(|(month, _)| *month);
        let mut months: Vec<i32> = moved.chain(told).collect();
        months.sort_unstable();
        months.dedup();
        for month in months {
            let key = page_key(state.generation, account, month);
            let Some(row) = store.get(&PAGES, &key.as_str().into()).await? else { continue };
            let page: Page = read_body(&row)?;
            late.extend(page.late);
            opening += page.days.range(..from).filter(|_| month == first).map(|(_, m)| m.net()).sum::<i64>();
            movements.extend(page.days.range(from..=to).map(|(day, movement)| (*day, *movement)));
        }
        Ok(statement(opening, from, to, &movements, &late, state.sealed))
    }

    /// Every account that ever moved, with its totals, in the order of names.
    pub(super) async fn accounts_of(
        &self,
        store: &dyn Store,
        generation: i64,
    ) -> Result<Vec<(String, Row)>, ReportError> {
        let prefix = totals_key(generation, "");
        let mut query = between_text(Query::table(&TOTALS), &prefix, &totals_key(generation, "~"));
        let mut accounts = Vec::new();
        loop {
            let page = store.query(query.clone()).await?;
            let name = |row: &Row| row.key().text().and_then(|key| key.strip_prefix(&prefix)).map(str::to_owned);
            accounts.extend(page.rows.into_iter().filter_map(|row| Some((name(&row)?, row))));
            match page.next {
                Some(next) => query = query.after(Some(next)),
                None => return Ok(accounts),
            }
        }
    }

    /// Opening, movement and closing of an account from one day to another, both included, however far apart: only the
    /// pages of the two months at the ends are read.
    pub(super) async fn period_of(
        &self,
        store: &dyn Store,
        state: &State,
        account: &str,
        totals: &Row,
        (from, to): (i32, i32),
    ) -> Result<(i64, Movement), ReportError> {
        let sums: Totals = read_body(totals)?;
        let before = self.sum_before(store, state, account, &sums, from).await?;
        let up_to = self.sum_before(store, state, account, &sums, to + 1).await?;
        Ok((before.net(), up_to.without(before)))
    }

    /// Everything that counts before a day.
    pub(super) async fn sum_before(
        &self,
        store: &dyn Store,
        state: &State,
        account: &str,
        totals: &Totals,
        day: i32,
    ) -> Result<Movement, ReportError> {
        let month = self.calendar.month_of(day);
        let mut sum = Movement::default();
        for (_, movement) in totals.months.range(..month) {
            sum.add(*movement)?;
        }
        if day > first_of(month) && totals.months.contains_key(&month) {
            let key = page_key(state.generation, account, month);
            let row = store.get(&PAGES, &key.as_str().into()).await?;
            let page: Page = row.as_ref().map(read_body).transpose()?.unwrap_or_default();
            for (_, movement) in page.days.range(..day) {
                sum.add(*movement)?;
            }
        }
        Ok(sum)
    }
}

async fn loaded(store: &dyn Store) -> Result<State, ReportError> {
    let state = State::load(store).await?;
    Ok(state.ok_or_else(|| StoreError::Unavailable("the row of the projection is missing".into()))?)
}
