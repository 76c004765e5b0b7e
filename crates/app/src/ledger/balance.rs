//! The balance of an account at any instant, by the time at which entries count or by the time at which they were recorded.

use std::ops::Bound;
use std::time::Duration;

use domain::Currency;
use store::{Query, Store, Value};

use super::Ledger;
use super::body::account_name;
use super::error::ReportError;
use super::page::{Page, Sums, Totals, page_key, totals_key};
use super::post::{USUAL_DELAY_MS, USUAL_LEAD_MS};
use super::projection::read_body;
use super::scan::Scan;
use super::state::State;
use super::statement::unknown_account;
use super::views::{BalanceBy, BalanceView};
use crate::Instant;
use crate::error::StoreError;
use crate::records::damaged;
use crate::records::ledger::{ENTRIES, PAGES, TOTALS};

/// How long one look may read. It reads page by page, so what it takes of memory does not grow with the entries of the day.
const MAX_TIME: Duration = Duration::from_secs(120);

impl Ledger {
    /// The balance of an account at an instant, that instant included: the opening of its day from the projection, and the
    /// rest of that day from the journal.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn balance(
        &self,
        code: &str,
        currency: Option<Currency>,
        at: Option<Instant>,
        by: BalanceBy,
    ) -> Result<BalanceView, ReportError> {
        let account = self.chart.get(code).ok_or_else(|| unknown_account(code))?;
        let currency = currency.or(account.currency).unwrap_or(self.currency);
        let name = account_name(code, currency);
        let at = at.map_or_else(|| self.now(), |at| at.0);
        let at = at.clamp(domain::ledger::MIN_EFFECTIVE_AT, domain::ledger::MAX_EFFECTIVE_AT);
        let as_of = self.as_of().await?;
        for _ in 0..crate::app::MAX_TRIES {
            let (view, state) = self.settled().await?;
            let row = view.get(&TOTALS, &totals_key(state.generation, &name).as_str().into()).await?;
            let totals: Totals = row.as_ref().map(read_body).transpose()?.unwrap_or_default();
            let balance = match by {
                BalanceBy::Effective => self.effective(&*view, &state, &name, &totals, at).await?,
                BalanceBy::Recorded => self.recorded(&*view, &state, &name, &totals, at).await?,
            };
            if self.stands(&state).await? {
                let (code, at, as_of) = (code.to_owned(), Instant(at), Instant(as_of));
                return Ok(BalanceView { account: code, currency, at, by, balance, as_of });
            }
        }
        Err(StoreError::Busy.into())
    }

    async fn effective(
        &self,
        snapshot: &dyn Store,
        state: &State,
        name: &str,
        totals: &Totals,
        at: i64,
    ) -> Result<i64, ReportError> {
        let day = self.calendar.day_of(at);
        let start = self.calendar.start_ms(day);
        let opening = self.sum_before(snapshot, state, name, totals, day).await?.net();
        let counts = |effective: i64, _: i64| (start..=at).contains(&effective);
        // An entry that counts about when it was recorded is found by its id, any other by the index.
        let usual = ids(start - USUAL_LEAD_MS, at + USUAL_DELAY_MS);
        let usual = sum(snapshot, usual, name, &counts, |row| row.int("misdated").is_none()).await?;
        let later = (Bound::Included(Value::Int(start)), Bound::Unbounded);
        let misdated = Query::index(&ENTRIES, "by_misdated", 1).range(later.0, later.1);
        let misdated = sum(snapshot, misdated, name, &counts, |_| true).await?;
        Ok(opening + usual + misdated)
    }

    async fn recorded(
        &self,
        snapshot: &dyn Store,
        state: &State,
        name: &str,
        totals: &Totals,
        at: i64,
    ) -> Result<i64, ReportError> {
        let day = self.calendar.day_of(at);
        let month = self.calendar.month_of(day);
        let mut opening: i64 = totals.recorded.range(..month).map(|(_, net)| *net).sum();
        if totals.recorded.contains_key(&month) {
            let row = snapshot.get(&PAGES, &page_key(state.generation, name, month).as_str().into()).await?;
            let page: Page = row.as_ref().map(read_body).transpose()?.unwrap_or_default();
            opening += page.recorded.range(..day).map(|(_, net)| *net).sum::<i64>();
        }
        let start = self.calendar.start_ms(day);
        let counts = |_: i64, recorded: i64| (start..=at).contains(&recorded);
        Ok(opening + sum(snapshot, ids(start, at), name, &counts, |_| true).await?)
    }
}

/// Rows whose first entry was recorded between two instants, both included.
fn ids(from_ms: i64, to_ms: i64) -> Query {
    let from = Bound::Included(Value::Int(store::id::floor(from_ms)));
    let to = Bound::Excluded(Value::Int(store::id::floor(to_ms + 1)));
    Query::table(&ENTRIES).range(from, to)
}

/// The sum of an account's postings in consolidated entries, by their effective time and their row's time of recording.
async fn sum(
    snapshot: &dyn Store,
    query: Query,
    account: &str,
    counts: &(dyn Fn(i64, i64) -> bool + Sync),
    wanted: impl Fn(&store::Row) -> bool,
) -> Result<i64, ReportError> {
    let mut scan = Scan::of(snapshot, query);
    let (mut total, begin) = (0_i64, std::time::Instant::now());
    while let Some(rows) = scan.next().await? {
        if begin.elapsed() > MAX_TIME {
            return Err(ReportError::TooMany(MAX_TIME.as_secs()));
        }
        for row in rows.iter().map(|counted| &counted.row).filter(|row| wanted(row)) {
            let recorded = row.key().int().map_or(0, store::id::time_ms);
            let body = row.text("body").unwrap_or_default();
            let sums: Sums<'_> = serde_json::from_str(body).map_err(|_| damaged(row, "body"))?;
            let place = sums.accounts.iter().position(|name| *name == account);
            let Some(place) = place.and_then(|place| i64::try_from(place).ok()) else { continue };
            for effect in sums.entries.iter().filter(|effect| counts(effect.at, recorded)) {
                for pair in effect.postings.chunks(2) {
                    if let &[of, amount] = pair
                        && of == place
                    {
                        total = total.checked_add(amount).ok_or(domain::ledger::Overflow)?;
                    }
                }
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(total)
}
