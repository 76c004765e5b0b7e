//! Closing days: a day's balances are sealed with a hash that covers the hash of the day before.

use std::fmt::Write;
use std::ops::Bound;

use domain::ledger::Movement;
use sha2::{Digest, Sha256};
use store::{Batch, CommitError, Query, Row, Store, Value};

use super::Ledger;
use super::calendar::date;
use super::error::ReportError;
use super::projection::{MAX_WAITS, Run, WAIT};
use super::state::State;
use super::statement::parse_day;
use super::views::{RestatementPage, RestatementView, SealView, SealsView};
use crate::error::StoreError;
use crate::lease::Lease;
use crate::records::ledger::{DAYS, RESTATEMENTS};
use crate::{Instant, signature};

/// The most days that one request closes.
pub const MAX_CLOSE_DAYS: i32 = 400;
/// What stands for the day before the first.
pub(super) const NO_SEAL: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The most seals or restatements of one answer.
const MAX_LISTED: usize = 200;
/// What is set once nothing is left that somebody asked to seal.
const DONE: [(&str, Value); 2] = [("close_to", Value::Null), ("close_since", Value::Null)];
const STOPPED: ReportError =
    ReportError::Behind("the consolidation is stopped, so a day cannot be closed; let it go on first");
const ELSEWHERE: ReportError = ReportError::Behind("another process is at work on the ledger; try again in a minute");

impl Ledger {
    /// Seals every day after the last sealed one up to this one; the first call seals this day alone, with the balances that
    /// all before it left. A day that is sealed already answers its seal.
    ///
    /// That it is wanted is written down first, and the consolidation works on it too: whoever stops waiting, or crashes, ends
    /// nothing.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn close_day(&self, text: &str) -> Result<SealView, ReportError> {
        let day = parse_day(text)?;
        let ends = self.calendar.start_ms(day + 1);
        if ends > self.now() {
            return Err(ReportError::NotOver(date(day).to_string(), Instant(ends).to_rfc3339()));
        }
        for _ in 0..crate::app::MAX_TRIES {
            if let Some(seal) = self.ask_to_close(day).await? {
                return Ok(seal);
            }
            self.close_asked().await?;
        }
        Err(StoreError::Busy.into())
    }

    /// Writes down that days shall be sealed; the seal if that has happened.
    async fn ask_to_close(&self, day: i32) -> Result<Option<SealView>, ReportError> {
        let _turn = self.turn.lock().await;
        let state = self.state().await?;
        let first = match state.sealed {
            Some((first, last)) if day <= last => return self.sealed_day(day, first).await.map(Some),
            Some((_, last)) => last + 1,
            None => day,
        };
        if state.stopped {
            return Err(STOPPED);
        }
        if day - first >= MAX_CLOSE_DAYS {
            let last = date(first + MAX_CLOSE_DAYS - 1);
            let problem = format!("one request closes at most {MAX_CLOSE_DAYS} days; close {last} first");
            return Err(ReportError::Parameter(problem));
        }
        if state.closing.is_none_or(|(to, _)| to < day) {
            let mut batch = Batch::new();
            // What is recorded from here on is late or of a later day: no need to chase it.
            State::set(&mut batch, vec![("close_to", Value::Int(day.into())), ("close_since", Value::Int(self.now()))]);
            // Durable with everything that was recorded before it, so what is pending shows all of that.
            self.commit(batch).await?;
            self.wake.notify_one();
        }
        Ok(None)
    }

    /// Works until nothing is left that somebody asked to seal.
    async fn close_asked(&self) -> Result<(), ReportError> {
        let mut waits = 0;
        loop {
            let step = {
                let _turn = self.turn.lock().await;
                self.close_step().await?
            };
            match step {
                Run::Counted(_) => tokio::task::yield_now().await,
                Run::Idle => return Ok(()),
                Run::Elsewhere if waits < MAX_WAITS => {
                    waits += 1;
                    tokio::time::sleep(WAIT).await;
                }
                Run::Elsewhere => return Err(ELSEWHERE),
            }
        }
    }

    /// A small part of what somebody asked to seal: counts some of what was recorded before, or seals the next day. The caller
    /// holds the turn.
    pub(super) async fn close_step(&self) -> Result<Run, ReportError> {
        let state = self.state().await?;
        let Some((to, since)) = state.closing else { return Ok(Run::Idle) };
        if state.stopped {
            return Err(STOPPED);
        }
        if self.as_of().await? < since {
            match self.run_once().await? {
                // What is pending is not of a durable entry yet: it was recorded later.
                Run::Idle => {}
                other => return Ok(other),
            }
        }
        // Invariant: the lease is read first, so whatever another process changes after it is noticed.
        let lease = self.lease().await?;
        if lease.is_held(&self.holder, self.now()) {
            return Ok(Run::Elsewhere);
        }
        let state = self.state().await?;
        if state.applying.is_some() {
            return self.run_once().await;
        }
        let next = state.sealed.map_or(to, |(_, last)| last + 1);
        if next <= to {
            return Ok(if self.seal(next, state, &lease).await? { Run::Counted(0) } else { Run::Elsewhere });
        }
        let mut batch = Batch::new();
        State::set(&mut batch, DONE.to_vec());
        lease.pass(&mut batch);
        self.under_lease(batch).await?;
        Ok(Run::Idle)
    }

    /// Seals every day up to the last one that is over now, as [`Ledger::close_day`] does. Any number of processes may do so at
    /// once, any number of times.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn close_last_day(&self) -> Result<SealView, ReportError> {
        let day = date(self.calendar.day_of(self.now()) - 1).to_string();
        for _ in 1..crate::app::MAX_TRIES {
            match self.close_day(&day).await {
                // Another process has sealed a day meanwhile.
                Err(ReportError::Store(StoreError::Busy)) => {}
                sealed => return sealed,
            }
        }
        self.close_day(&day).await
    }

    /// Seals one day; false if another process has counted entries meanwhile.
    async fn seal(&self, day: i32, state: State, lease: &Lease) -> Result<bool, ReportError> {
        let previous = state.seal.clone().unwrap_or_else(|| NO_SEAL.to_owned());
        let mut accounts = Vec::new();
        for (name, totals) in self.accounts_of(&*self.store, state.generation).await? {
            let (opening, movement) = self.period_of(&*self.store, &state, &name, &totals, (day, day)).await?;
            accounts.push((name, opening, movement));
        }
        let body = seal_text(day, &state.calendar, &previous, accounts.iter().map(|(n, o, m)| (n.as_str(), *o, *m)));
        let hash = hash(&body);
        let values = vec![
            Value::from(date(day).to_string()),
            Value::from(hash.as_str()),
            Value::from(previous),
            Value::Int(self.now()),
            Value::from(body),
        ];
        let first = state.sealed.map_or(day, |(first, _)| first);
        let mut batch = Batch::new();
        batch.insert(Row::new(&DAYS, i64::from(day), values));
        let mut set = vec![
            ("first_sealed", Value::Int(first.into())),
            ("last_sealed", Value::Int(day.into())),
            ("seal", Value::from(hash.as_str())),
        ];
        if state.closing.is_some_and(|(to, _)| to == day) {
            set.extend(DONE);
        }
        State::set(&mut batch, set);
        // Invariant: nothing was counted since the state was read, so the balances are those of one instant.
        lease.pass(&mut batch);
        match self.commit(batch).await {
            Err(CommitError::Conflict { .. }) => Ok(false),
            other => Ok(other.map(|()| true)?),
        }
    }

    async fn sealed_day(&self, day: i32, first: i32) -> Result<SealView, ReportError> {
        let row = self.store.get(&DAYS, &i64::from(day).into()).await?;
        let before = || {
            let problem = format!("the chain of sealed days begins at {}; that day is before it", date(first));
            ReportError::Parameter(problem)
        };
        Ok(view(&row.ok_or_else(before)?))
    }

    /// One sealed day with the text that was sealed.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn sealed(&self, text: &str) -> Result<(SealView, String), ReportError> {
        let day = parse_day(text)?;
        let row = self.store.get(&DAYS, &i64::from(day).into()).await?;
        let not_found = || ReportError::NotFound { what: "sealed day", id: date(day).to_string() };
        let row = row.ok_or_else(not_found)?;
        Ok((view(&row), row.text("body").unwrap_or_default().to_owned()))
    }

    /// The last sealed days, newest first.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn seals(&self) -> Result<SealsView, ReportError> {
        let page = self.store.query(Query::table(&DAYS).descending().limit(MAX_LISTED)).await?;
        Ok(SealsView { days: page.rows.iter().map(view).collect() })
    }

    /// What came late to sealed days, newest first.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn restatements(&self, cursor: Option<&str>) -> Result<RestatementPage, ReportError> {
        let wrong = || ReportError::Parameter("the cursor is not one of this list; start without it".into());
        let before = cursor.map(|text| super::entries::private_id(text).ok_or_else(wrong)).transpose()?;
        let below = before.map_or(Bound::Unbounded, |id| Bound::Excluded(Value::Int(id)));
        let query = Query::table(&RESTATEMENTS).range(Bound::Unbounded, below).descending().limit(MAX_LISTED);
        let page = self.store.query(query).await?;
        let day = |row: &Row, column: &str| {
            date(row.int(column).and_then(|day| i32::try_from(day).ok()).unwrap_or(0)).to_string()
        };
        let items: Vec<RestatementView> = page
            .rows
            .iter()
            .map(|row| RestatementView {
                entry: super::entries::public_id(row.key().int().unwrap_or(0)),
                first_day: day(row, "first_day"),
                last_sealed: day(row, "last_sealed"),
                postings: row.int("postings").unwrap_or(0),
                at: Instant(row.int("at").unwrap_or(0)),
            })
            .collect();
        let next = page.next.and_then(|_| items.last().map(|last| last.entry.clone()));
        Ok(RestatementPage { items, next })
    }
}

fn view(row: &Row) -> SealView {
    let text = |column: &str| row.text(column).unwrap_or_default().to_owned();
    SealView {
        date: text("date"),
        hash: text("hash"),
        previous: text("previous"),
        sealed_at: Instant(row.int("sealed_at").unwrap_or(0)),
        accounts: row.text("body").map_or(0, |body| body.lines().count().saturating_sub(4) as u64),
    }
}

/// The canonical content of a day: what its hash covers. Accounts without balance and movement are left out.
///
/// ```text
/// comanda-day 1
/// date 2026-03-01
/// calendar America/Sao_Paulo 04:00
/// previous 0000…
/// assets:bank BRL <opening> <debits> <credits> <closing> <postings>
/// ```
pub(super) fn seal_text<'a>(
    day: i32,
    calendar: &str,
    previous: &str,
    accounts: impl Iterator<Item = (&'a str, i64, Movement)>,
) -> String {
    let mut text = format!("comanda-day 1\ndate {}\ncalendar {calendar}\nprevious {previous}\n", date(day));
    for (name, opening, movement) in accounts.filter(|(_, opening, m)| *opening != 0 || m.postings != 0) {
        let Movement { debits, credits, postings } = movement;
        let closing = opening.saturating_add(movement.net());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name} {opening} {debits} {credits} {closing} {postings}");
    }
    text
}

/// SHA-256 in lower-case hex.
pub(super) fn hash(text: &str) -> String {
    signature::hex(&Sha256::digest(text))
}

/// Every sealed day, the first first.
pub(super) async fn all_sealed(store: &dyn Store) -> Result<Vec<Row>, StoreError> {
    let mut query = Query::table(&DAYS).limit(MAX_LISTED);
    let mut rows = Vec::new();
    loop {
        let page = store.query(query.clone()).await?;
        rows.extend(page.rows);
        match page.next {
            Some(next) => query = query.after(Some(next)),
            None => return Ok(rows),
        }
    }
}
