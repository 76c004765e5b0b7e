//! Reports: the daily statement of an account, and the balances of all.

use domain::Currency;
use domain::ledger::AccountKind;
use jiff::civil::Date;
use store::Store;

use super::Ledger;
use super::body::{account_name, split_name};
use super::calendar::{date, day};
use super::error::ReportError;
use super::state::State;
use super::views::{BalanceLine, BalancesView, DayView, PeriodView, RestatedView, StatementView};
use crate::Instant;
use crate::error::StoreError;

/// The most days of one statement.
pub const MAX_STATEMENT_DAYS: i32 = 400;

impl Ledger {
    /// The statement of an account in one currency, day by day; by default for today, in the merchant's currency.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn statement(
        &self,
        code: &str,
        currency: Option<Currency>,
        period: (Option<&str>, Option<&str>),
    ) -> Result<StatementView, ReportError> {
        let account = self.chart.get(code).ok_or_else(|| unknown_account(code))?;
        let currency = currency.or(account.currency).unwrap_or(self.currency);
        let (from, to) = self.period(period)?;
        if to - from >= MAX_STATEMENT_DAYS {
            let problem = format!("a statement takes at most {MAX_STATEMENT_DAYS} days; ask for a shorter period");
            return Err(ReportError::Parameter(problem));
        }
        let as_of = self.as_of().await?;
        let state = self.state().await?;
        let days = self.account_days(&state, &account_name(code, currency), from, to).await?;
        let sealed = |day: i32| state.sealed.is_some_and(|(first, last)| (first..=last).contains(&day));
        let mut period = PeriodView {
            opening: days.first().map_or(0, |day| day.opening),
            closing: days.last().map_or(0, |day| day.closing),
            ..PeriodView::default()
        };
        let mut views = Vec::with_capacity(days.len());
        for day in days {
            // Parts of sums that fit.
            period.debits += day.movement.debits;
            period.credits += day.movement.credits;
            period.postings += day.movement.postings;
            views.push(DayView {
                date: date(day.day).to_string(),
                balance: PeriodView {
                    opening: day.opening,
                    debits: day.movement.debits,
                    credits: day.movement.credits,
                    closing: day.closing,
                    postings: day.movement.postings,
                },
                sealed: sealed(day.day),
                restated: day.restated.map(|r| RestatedView {
                    opening: r.opening,
                    debits: r.movement.debits,
                    credits: r.movement.credits,
                    closing: r.closing,
                    postings: r.postings,
                }),
            });
        }
        Ok(StatementView {
            account: code.to_owned(),
            name: account.name,
            kind: account.kind,
            currency,
            from: date(from).to_string(),
            to: date(to).to_string(),
            period,
            days: views,
            as_of: Instant(as_of),
        })
    }

    /// Opening, movement and closing of every account that moved or has a balance, for a period of any length.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn balances(&self, period: (Option<&str>, Option<&str>)) -> Result<BalancesView, ReportError> {
        let (from, to) = self.period(period)?;
        let as_of = self.as_of().await?;
        for _ in 0..crate::app::MAX_TRIES {
            let (view, state) = self.settled().await?;
            let accounts = self.lines(&*view, &state, (from, to)).await?;
            if self.stands(&state).await? {
                let (from, to) = (date(from).to_string(), date(to).to_string());
                return Ok(BalancesView { from, to, accounts, as_of: Instant(as_of) });
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Every account that moved in a period or has a balance.
    async fn lines(
        &self,
        view: &dyn Store,
        state: &State,
        (from, to): (i32, i32),
    ) -> Result<Vec<BalanceLine>, ReportError> {
        let mut accounts = Vec::new();
        for (name, totals) in self.accounts_of(view, state.generation).await? {
            let Some((code, currency)) = split_name(&name) else { continue };
            let (opening, movement) = self.period_of(view, state, &name, &totals, (from, to)).await?;
            if opening == 0 && movement.postings == 0 {
                continue;
            }
            accounts.push(BalanceLine {
                account: code.to_owned(),
                kind: AccountKind::of_code(code).unwrap_or(AccountKind::Asset),
                currency,
                period: PeriodView {
                    opening,
                    debits: movement.debits,
                    credits: movement.credits,
                    closing: opening.saturating_add(movement.net()),
                    postings: movement.postings,
                },
            });
        }
        Ok(accounts)
    }

    /// The days of a period: today where nothing is said, and the same day where only one is.
    fn period(&self, (from, to): (Option<&str>, Option<&str>)) -> Result<(i32, i32), ReportError> {
        let from = from.map(parse_day).transpose()?;
        let to = to.map(parse_day).transpose()?;
        let today = self.calendar.day_of(self.now());
        let to = to.unwrap_or_else(|| from.unwrap_or(today).max(today));
        let from = from.unwrap_or(to);
        match from <= to {
            true => Ok((from, to)),
            false => Err(ReportError::Parameter("`from` must not be after `to`".into())),
        }
    }
}

pub(super) fn unknown_account(code: &str) -> ReportError {
    ReportError::NotFound { what: "account", id: code.chars().take(64).collect() }
}

/// A date between 1970 and 2199 as a merchant day.
pub(super) fn parse_day(text: &str) -> Result<i32, ReportError> {
    let found = text.parse::<Date>().ok().filter(|date| (1970..2200).contains(&date.year()));
    let cut: String = text.chars().take(32).collect();
    found.map(day).ok_or_else(|| ReportError::Parameter(format!("`{cut}` is no date; write one as 2026-03-01")))
}
