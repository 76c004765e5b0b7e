//! Proving that journal, projection and sealed days agree.

use std::collections::BTreeMap;

use domain::ledger::{Late, Movement, statement};
use store::{Query, Row};

use super::Ledger;
use super::close::{NO_SEAL, all_sealed, hash, seal_text};
use super::error::ReportError;
use super::page::{Page, Totals, page_key, totals_key};
use super::projection::read_body;
use super::scan::between_text;
use super::state::State;
use super::views::VerifyView;
use crate::Progress;
use crate::records::ledger::{PAGES, TOTALS};

/// The most differences that are named.
const MAX_DIFFERENCES: usize = 100;

/// How much of the work is counting the entries, 0 to 1.
const COUNTING: f64 = 0.8;

type Accounts = Vec<(String, BTreeMap<i32, Page>)>;

impl Ledger {
    /// Counts the journal anew, and compares the pages, the totals, the sealed texts and the chain of their hashes with it.
    /// Entries are accepted meanwhile; the consolidation waits.
    ///
    /// # Errors
    /// [`ReportError`]; what differs is in the answer.
    pub async fn verify(&self) -> Result<VerifyView, ReportError> {
        self.verify_with(&|_| {}).await
    }

    /// The same, and tells how far it is.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn verify_with(&self, progress: &(dyn Fn(Progress) + Sync)) -> Result<VerifyView, ReportError> {
        let _turn = self.turn.lock().await;
        for _ in 0..crate::app::MAX_TRIES {
            let (lease, state) = self.quiet().await?;
            let view = self.compare(state, progress).await?;
            // What another process counted meanwhile is in one part of what was compared and not in another.
            if self.lease().await?.is_same(&lease) {
                return Ok(view);
            }
        }
        Err(ReportError::Behind("other processes count entries all the time; stop the consolidation, or try again"))
    }

    async fn compare(&self, state: State, progress: &(dyn Fn(Progress) + Sync)) -> Result<VerifyView, ReportError> {
        self.store.flush().await?;
        let all = state.entries.max(1);
        let counted = |entries| progress(Progress { what: "entries", part: COUNTING * share(entries, all) });
        let counter = self.count_all(None, &counted).await?;
        let (entries, postings) = (counter.entries, counter.postings);
        let accounts = counter.into_accounts();
        let mut found = Differences::default();
        found.unless(entries == state.entries, || format!("{} entries are consolidated, not {entries}", state.entries));
        check_balance(&accounts, &mut found);
        progress(Progress { what: "balances", part: COUNTING });
        self.check_pages(&state, &accounts, &mut found).await?;
        progress(Progress { what: "sealed days", part: (COUNTING + 1.0) / 2.0 });
        let days = self.check_seals(&state, &accounts, &mut found).await?;
        Ok(VerifyView {
            entries,
            postings,
            accounts: accounts.len() as u64,
            days,
            seal: state.seal,
            more: found.more,
            differences: found.named,
        })
    }

    async fn check_pages(
        &self,
        state: &State,
        accounts: &Accounts,
        found: &mut Differences,
    ) -> Result<(), ReportError> {
        let mut pages: BTreeMap<String, &Page> = BTreeMap::new();
        for (account, months) in accounts {
            let mut totals = Totals::default();
            totals.add(months)?;
            let key = totals_key(state.generation, account);
            let row = self.store.get(&TOTALS, &key.as_str().into()).await?;
            let stored: Totals = row.as_ref().map(read_body).transpose()?.unwrap_or_default();
            found.unless(stored == totals, || format!("the totals of {account} differ from its entries"));
            pages.extend(months.iter().map(|(month, page)| (page_key(state.generation, account, *month), page)));
        }
        let mut expected = pages.into_iter();
        let prefix = totals_key(state.generation, "");
        let mut query = between_text(Query::table(&PAGES), &prefix, &totals_key(state.generation, "~"));
        loop {
            let stored = self.store.query(query.clone()).await?;
            for row in &stored.rows {
                let key = row.key().text().unwrap_or_default();
                let same = expected.next().is_some_and(|(name, page)| {
                    name == key && read_body::<Page>(row).is_ok_and(|stored| stored == *page)
                });
                found.unless(same, || format!("the page {key} differs from the entries"));
            }
            match stored.next {
                Some(next) => query = query.after(Some(next)),
                None => break,
            }
        }
        for (key, _) in expected {
            found.unless(false, || format!("the page {key} is missing"));
        }
        Ok(())
    }

    async fn check_seals(
        &self,
        state: &State,
        accounts: &Accounts,
        found: &mut Differences,
    ) -> Result<u64, ReportError> {
        let rows = all_sealed(&*self.store).await?;
        let books: Vec<Book> = accounts.iter().map(|(name, months)| Book::of(name, months)).collect();
        let mut previous = NO_SEAL.to_owned();
        let mut expected = state.sealed.map(|(first, _)| first);
        for row in &rows {
            let day = row.key().int().and_then(|day| i32::try_from(day).ok()).unwrap_or(0);
            let text = |column: &str| row.text(column).unwrap_or_default();
            let date = text("date");
            found.unless(expected == Some(day), || format!("the sealed day before {date} is missing"));
            found.unless(hash(text("body")) == text("hash"), || format!("the text of {date} does not have its hash"));
            found.unless(text("previous") == previous, || format!("{date} does not follow the sealed day before it"));
            let then = books.iter().map(|book| book.when_sealed(day, state.sealed));
            let body = seal_text(day, &state.calendar, &previous, then);
            found.unless(body == text("body"), || {
                format!("{date} was sealed with other balances than its entries give")
            });
            previous = text("hash").to_owned();
            expected = Some(day + 1);
            tokio::task::yield_now().await;
        }
        let last = rows.last().and_then(|row: &Row| row.text("hash"));
        found.unless(last == state.seal.as_deref(), || "the last seal is not that of the last sealed day".to_owned());
        Ok(rows.len() as u64)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people to see")]
fn share(part: i64, all: i64) -> f64 {
    (part as f64 / all as f64).min(1.0)
}

/// Every currency sums to zero over all accounts.
fn check_balance(accounts: &Accounts, found: &mut Differences) {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for (account, months) in accounts {
        let currency = account.rsplit(' ').next().unwrap_or_default();
        let net: i128 = months.values().flat_map(|page| page.days.values()).map(|m| i128::from(m.net())).sum();
        *sums.entry(currency).or_default() += net;
    }
    for (currency, sum) in sums {
        found.unless(sum == 0, || format!("all accounts in {currency} sum to {sum}, not 0"));
    }
}

/// All days of an account, for looking back at what was sealed.
struct Book<'a> {
    name: &'a str,
    /// By day: the balance before it and its movement.
    days: BTreeMap<i32, (i64, Movement)>,
    closing: i64,
    movements: BTreeMap<i32, Movement>,
    late: Late,
}

impl<'a> Book<'a> {
    fn of(name: &'a str, months: &BTreeMap<i32, Page>) -> Book<'a> {
        let mut book = Book { name, days: BTreeMap::new(), closing: 0, movements: BTreeMap::new(), late: Late::new() };
        for page in months.values() {
            book.movements.extend(&page.days);
            book.late.extend(page.late.clone());
        }
        for (day, movement) in &book.movements {
            book.days.insert(*day, (book.closing, *movement));
            book.closing = book.closing.saturating_add(movement.net());
        }
        book
    }

    /// The balance before a day and its movement, as they were when it was sealed.
    fn when_sealed(&self, day: i32, sealed: Option<(i32, i32)>) -> (&str, i64, Movement) {
        let next = self.days.range(day..).next();
        let opening = next.map_or(self.closing, |(_, (opening, _))| *opening);
        let now = statement(opening, day, day, &self.movements, &self.late, sealed);
        let Some(now) = now.first() else { return (self.name, opening, Movement::default()) };
        let restated = now.restated.unwrap_or_default();
        (self.name, now.opening.saturating_sub(restated.opening), now.movement.without(restated.movement))
    }
}

#[derive(Default)]
struct Differences {
    named: Vec<String>,
    more: u64,
}

impl Differences {
    fn unless(&mut self, holds: bool, difference: impl FnOnce() -> String) {
        if holds {
            return;
        }
        match self.named.len() < MAX_DIFFERENCES {
            true => self.named.push(difference()),
            false => self.more += 1,
        }
    }
}
