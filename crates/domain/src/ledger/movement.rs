//! What moves in an account on a merchant day, and what becomes of a day that was sealed.
//!
//! A merchant day is a number: days since 1970-01-01. Balances are debits less credits, so that of a liability is negative.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Sums of debits and of credits, both at least 0, in minor units; and of how many postings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, i64, i64)", into = "(i64, i64, i64)")]
pub struct Movement {
    /// What was debited.
    pub debits: i64,
    /// What was credited.
    pub credits: i64,
    /// Postings that did it.
    pub postings: i64,
}

/// A sum does not fit 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sums of an account do not fit 64 bits any more")]
pub struct Overflow;

impl From<(i64, i64, i64)> for Movement {
    fn from((debits, credits, postings): (i64, i64, i64)) -> Movement {
        Movement { debits, credits, postings }
    }
}

impl From<Movement> for (i64, i64, i64) {
    fn from(movement: Movement) -> (i64, i64, i64) {
        (movement.debits, movement.credits, movement.postings)
    }
}

impl Movement {
    /// Of one posting.
    #[must_use]
    pub fn of(amount: i64) -> Movement {
        Movement { debits: amount.max(0), credits: amount.min(0).saturating_neg(), postings: 1 }
    }

    /// Adds another.
    ///
    /// # Errors
    /// [`Overflow`]; nothing is added.
    pub fn add(&mut self, other: Movement) -> Result<(), Overflow> {
        let sum = |a: i64, b: i64| a.checked_add(b).ok_or(Overflow);
        *self = Movement {
            debits: sum(self.debits, other.debits)?,
            credits: sum(self.credits, other.credits)?,
            postings: sum(self.postings, other.postings)?,
        };
        Ok(())
    }

    /// Without a part of it.
    #[must_use]
    pub fn without(self, part: Movement) -> Movement {
        Movement {
            debits: self.debits.saturating_sub(part.debits),
            credits: self.credits.saturating_sub(part.credits),
            postings: self.postings.saturating_sub(part.postings),
        }
    }

    /// Debits less credits. Both are at least 0, so this fits.
    #[must_use]
    pub fn net(self) -> i64 {
        self.debits.saturating_sub(self.credits)
    }
}

/// Movements that came after days were sealed: by the last sealed day at that time, then by the day on which they count.
/// They change the sealed days from the one to the other.
pub type Late = BTreeMap<i32, BTreeMap<i32, Movement>>;

/// One day of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// The merchant day.
    pub day: i32,
    /// The balance before it.
    pub opening: i64,
    /// What moved.
    pub movement: Movement,
    /// The balance after it.
    pub closing: i64,
    /// How it differs from what was sealed, if it does.
    pub restated: Option<Restated>,
}

/// What came to a day, and to those before it, after it was sealed: now less then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Restated {
    /// Of the opening balance.
    pub opening: i64,
    /// Of the day's movement.
    pub movement: Movement,
    /// Of the closing balance.
    pub closing: i64,
    /// Postings that came late to this day or one before it.
    pub postings: i64,
}

/// The days from `from` to `to`, both included, from the balance before them.
#[must_use]
pub fn statement(
    opening: i64,
    from: i32,
    to: i32,
    movements: &BTreeMap<i32, Movement>,
    late: &Late,
    sealed: Option<(i32, i32)>,
) -> Vec<Day> {
    let mut balance = opening;
    let day = |day: i32| {
        let movement = movements.get(&day).copied().unwrap_or_default();
        let opening = balance;
        balance = balance.saturating_add(movement.net());
        let was_sealed = sealed.is_some_and(|(first, last)| (first..=last).contains(&day));
        let restated = was_sealed.then(|| restated(day, late)).flatten();
        Day { day, opening, movement, closing: balance, restated }
    };
    (from..=to).map(day).collect()
}

/// What came to a sealed day after its seal: everything late that counts up to that day and came when it was sealed.
fn restated(day: i32, late: &Late) -> Option<Restated> {
    let mut found = Restated::default();
    for by_day in late.range(day..).map(|(_, by_day)| by_day) {
        for (counts, movement) in by_day.range(..=day) {
            found.postings += movement.postings;
            found.closing = found.closing.saturating_add(movement.net());
            match *counts == day {
                // Both sums are parts of the day's, which fit.
                true => found.movement.add(*movement).unwrap_or_default(),
                false => found.opening = found.opening.saturating_add(movement.net()),
            }
        }
    }
    (found.postings > 0).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_entry_restates_its_day_and_the_sealed_days_after_it() {
        let movements = BTreeMap::from([(10, Movement::of(100)), (11, Movement::of(-30)), (13, Movement::of(5))]);
        // On day 12 was sealed when 40 of the 100 came for day 10; day 13 was sealed with them.
        let late = BTreeMap::from([(12, BTreeMap::from([(10, Movement::of(40))]))]);
        let days = statement(7, 9, 13, &movements, &late, Some((9, 13)));
        let closings: Vec<i64> = days.iter().map(|day| day.closing).collect();
        assert_eq!(closings, [7, 107, 77, 77, 82]);
        let differences: Vec<Option<(i64, i64, i64)>> =
            days.iter().map(|day| day.restated.map(|r| (r.opening, r.movement.debits, r.closing))).collect();
        assert_eq!(differences, [None, Some((0, 40, 40)), Some((40, 0, 40)), Some((40, 0, 40)), None]);
        let unsealed = statement(7, 9, 13, &movements, &late, None);
        assert!(unsealed.iter().all(|day| day.restated.is_none()));
    }

    #[test]
    fn sums_that_do_not_fit_are_refused() {
        let mut sum = Movement::of(i64::MAX);
        assert_eq!(sum.add(Movement::of(1)), Err(Overflow));
        assert_eq!(sum, Movement::of(i64::MAX));
        assert_eq!(Movement::of(-5), Movement { debits: 0, credits: 5, postings: 1 });
        assert_eq!(Movement::of(-5).net(), -5);
    }
}
