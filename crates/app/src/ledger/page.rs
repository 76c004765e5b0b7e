//! The months of accounts, and counting rows of entries into them.

use std::collections::{BTreeMap, HashMap};

use domain::ledger::{Late, Movement, Overflow};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::calendar::{Calendar, month_name};
use super::error::ReportError;
use crate::error::StoreError;

/// A month of an account. Days are merchant days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Page {
    /// What moved, by the day on which it counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) days: BTreeMap<i32, Movement>,
    /// Debits less credits, by the day on which they were recorded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) recorded: BTreeMap<i32, i64>,
    /// What came late, in the month of the last day that was sealed then.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) late: Late,
}

impl Page {
    pub(super) fn add(&mut self, other: &Page) -> Result<(), Overflow> {
        for (day, movement) in &other.days {
            self.days.entry(*day).or_default().add(*movement)?;
        }
        for (day, net) in &other.recorded {
            add(self.recorded.entry(*day).or_default(), *net)?;
        }
        for (sealed, by_day) in &other.late {
            let late = self.late.entry(*sealed).or_default();
            for (day, movement) in by_day {
                late.entry(*day).or_default().add(*movement)?;
            }
        }
        Ok(())
    }
}

fn add(sum: &mut i64, amount: i64) -> Result<(), Overflow> {
    *sum = sum.checked_add(amount).ok_or(Overflow)?;
    Ok(())
}

/// The sums of an account's months.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    /// What moved, by the month in which it counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) months: BTreeMap<i32, Movement>,
    /// Debits less credits, by the month in which they were recorded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) recorded: BTreeMap<i32, i64>,
    /// The months whose pages tell of late postings, with their number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) late: BTreeMap<i32, i64>,
}

impl Totals {
    /// Adds the sums of pages. Invariant: the sum of all months fits, so every balance that is made of parts of it does.
    pub(super) fn add(&mut self, pages: &BTreeMap<i32, Page>) -> Result<(), Overflow> {
        for (month, page) in pages {
            for movement in page.days.values() {
                self.months.entry(*month).or_default().add(*movement)?;
            }
            for net in page.recorded.values() {
                add(self.recorded.entry(*month).or_default(), *net)?;
            }
            for movement in page.late.values().flat_map(BTreeMap::values) {
                add(self.late.entry(*month).or_default(), movement.postings)?;
            }
        }
        let mut all = Movement::default();
        self.months.values().try_for_each(|movement| all.add(*movement))
    }
}

/// The key of a month of an account.
pub(super) fn page_key(generation: i64, account: &str, month: i32) -> String {
    format!("{generation:06}/{account}/{}", month_name(month))
}

/// The key of an account's totals.
pub(super) fn totals_key(generation: i64, account: &str) -> String {
    format!("{generation:06}/{account}")
}

/// Adds rows of entries up, by account and month, in memory.
pub(super) struct Counter<'c> {
    calendar: &'c Calendar,
    places: HashMap<String, usize>,
    accounts: Vec<(String, BTreeMap<i32, Page>)>,
    /// Entries that were counted.
    pub(super) entries: i64,
    /// Their postings.
    pub(super) postings: i64,
}

/// What was late in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LateRow {
    /// The earliest day on which one of its entries counts.
    pub(super) first_day: i32,
    /// Postings that came late.
    pub(super) postings: i64,
}

impl<'c> Counter<'c> {
    pub(super) fn new(calendar: &'c Calendar) -> Counter<'c> {
        Counter { calendar, places: HashMap::new(), accounts: Vec::new(), entries: 0, postings: 0 }
    }

    /// Counts a row: its first id and its body. `sealed` is the last day that was sealed when it came; what counts up to
    /// that day is late.
    pub(super) fn count(
        &mut self,
        first: i64,
        body: &str,
        sealed: Option<i32>,
    ) -> Result<Option<LateRow>, ReportError> {
        let damaged = || {
            let problem = format!("`ledger_entries[{first}]` has an unreadable `body`");
            ReportError::Store(StoreError::Unavailable(problem.into()))
        };
        let sums: Sums<'_> = serde_json::from_str(body).map_err(|_| damaged())?;
        let places: Vec<usize> = sums.accounts.iter().map(|name| self.place(name)).collect();
        let mut recorded = vec![0_i64; places.len()];
        let mut late: Option<LateRow> = None;
        let mut last = (i64::MAX, i64::MIN, 0, 0);
        for Effect { at, postings } in &sums.entries {
            if !(last.0..last.1).contains(at) {
                let day = self.calendar.day_of(*at);
                let (start, end) = (self.calendar.start_ms(day), self.calendar.start_ms(day + 1));
                last = (start, end, day, self.calendar.month_of(day));
            }
            let (.., day, month) = last;
            let is_late = sealed.filter(|sealed| day <= *sealed);
            for pair in postings.chunks(2) {
                let &[place, amount] = pair else { return Err(damaged()) };
                let at = usize::try_from(place).map_err(|_| damaged())?;
                let (Some(place), Some(sum)) = (places.get(at), recorded.get_mut(at)) else { return Err(damaged()) };
                add(sum, amount)?;
                let Some((_, pages)) = self.accounts.get_mut(*place) else { return Err(damaged()) };
                pages.entry(month).or_default().days.entry(day).or_default().add(Movement::of(amount))?;
                if let Some(sealed) = is_late {
                    let page = pages.entry(self.calendar.month_of(sealed)).or_default();
                    page.late.entry(sealed).or_default().entry(day).or_default().add(Movement::of(amount))?;
                    let row = late.get_or_insert(LateRow { first_day: day, postings: 0 });
                    *row = LateRow { first_day: row.first_day.min(day), postings: row.postings + 1 };
                }
                self.postings += 1;
            }
        }
        self.entries += i64::try_from(sums.entries.len()).unwrap_or(0);
        let day = self.calendar.day_of(store::id::time_ms(first));
        let month = self.calendar.month_of(day);
        for (place, net) in places.iter().zip(recorded).filter(|(_, net)| *net != 0) {
            if let Some((_, pages)) = self.accounts.get_mut(*place) {
                add(pages.entry(month).or_default().recorded.entry(day).or_default(), net)?;
            }
        }
        Ok(late)
    }

    fn place(&mut self, name: &str) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        let place = self.accounts.len();
        self.accounts.push((name.to_owned(), BTreeMap::new()));
        self.places.insert(name.to_owned(), place);
        place
    }

    /// What was counted, in the order of accounts.
    pub(super) fn into_accounts(mut self) -> Vec<(String, BTreeMap<i32, Page>)> {
        self.accounts.sort_by(|a, b| a.0.cmp(&b.0));
        self.accounts
    }
}

/// As much of a row's body as the sums need; `super::body` says what it looks like.
#[derive(Deserialize)]
pub(super) struct Sums<'b> {
    /// Accounts in their currencies.
    #[serde(borrow)]
    pub(super) accounts: Vec<&'b str>,
    /// In the order of their ids.
    pub(super) entries: Vec<Effect>,
}

/// When an entry counts, and its postings: place and amount in turn.
pub(super) struct Effect {
    pub(super) at: i64,
    pub(super) postings: Vec<i64>,
}

impl<'de> Deserialize<'de> for Effect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Effect, D::Error> {
        struct Line;
        impl<'de> Visitor<'de> for Line {
            type Value = Effect;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an entry")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut line: A) -> Result<Effect, A::Error> {
                let missing = |at| serde::de::Error::invalid_length(at, &"an entry");
                let at = line.next_element()?.ok_or_else(|| missing(0))?;
                let postings = line.next_element()?.ok_or_else(|| missing(1))?;
                while line.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Effect { at, postings })
            }
        }
        deserializer.deserialize_seq(Line)
    }
}
