//! Stock: counters of one product, and what an order takes from them.

use std::collections::BTreeMap;

/// The most units of one product in one order.
pub const MAX_QUANTITY: i64 = 100;

/// What an order needs of each product: duplicates summed, in a fixed order, so that two orders never wait crosswise.
pub type Needs = BTreeMap<String, i64>;

/// Sums the lines of an order by product.
pub fn needs<'a>(lines: impl Iterator<Item = (&'a str, i64)>) -> Needs {
    let mut needs = Needs::new();
    for (sku, quantity) in lines {
        let sum = needs.entry(sku.to_owned()).or_insert(0);
        *sum = quantity.saturating_add(*sum);
    }
    needs
}

/// The products that fall short: `available` tells how many units of one are neither reserved nor sold.
#[must_use]
pub fn short(needs: &Needs, available: impl Fn(&str) -> i64) -> Vec<&str> {
    let falls_short = |(sku, quantity): &(&String, &i64)| available(sku) < **quantity;
    needs.iter().filter(falls_short).map(|(sku, _)| sku.as_str()).collect()
}

/// What became of what an order took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservationStatus {
    /// Set apart until the payment is there.
    Held,
    /// Sold.
    Committed,
    /// Given back before it was sold.
    Released,
    /// Given back after it was sold.
    Returned,
}

use ReservationStatus::{Committed, Held, Released, Returned};

impl ReservationStatus {
    /// Its name in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Held => "HELD",
            Committed => "COMMITTED",
            Released => "RELEASED",
            Returned => "RETURNED",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<ReservationStatus> {
        [Held, Committed, Released, Returned].into_iter().find(|status| status.as_str() == name)
    }
}

/// How one unit moves between the counters of its product: `available`, `reserved`, `sold`.
///
/// Invariant: received = available + reserved + sold, so the three amounts of a move sum to zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Change of `available`.
    pub available: i64,
    /// Change of `reserved`.
    pub reserved: i64,
    /// Change of `sold`.
    pub sold: i64,
}

/// Sets units apart.
pub const RESERVE: Move = Move { available: -1, reserved: 1, sold: 0 };
/// Puts sold units back on the shelf.
pub const RESTOCK: Move = Move { available: 1, reserved: 0, sold: -1 };

/// What is left of `needs` once units of it went back to the shelf, and what really goes back: never more than is held.
#[must_use]
pub fn take_out(needs: &Needs, back: &Needs) -> (Needs, Needs) {
    let (mut left, mut moved) = (needs.clone(), Needs::new());
    for (sku, quantity) in back {
        let Some(held) = left.get_mut(sku) else { continue };
        let units = (*quantity).clamp(0, *held);
        *held -= units;
        if units > 0 {
            moved.insert(sku.clone(), units);
        }
    }
    left.retain(|_, units| *units > 0);
    (left, moved)
}

/// How to sell what a reservation in this state holds; `None` if it is sold already. What was given back is taken from the
/// shelf again, if it is still there.
#[must_use]
pub fn commit(status: ReservationStatus) -> Option<Move> {
    match status {
        Held => Some(Move { available: 0, reserved: -1, sold: 1 }),
        Released | Returned => Some(Move { available: -1, reserved: 0, sold: 1 }),
        Committed => None,
    }
}

/// How to give back what a reservation holds and the state after; `None` if nothing is to be given back. Goods that the
/// kitchen has begun with stay sold.
#[must_use]
pub fn release(status: ReservationStatus, goods_are_whole: bool) -> Option<(Move, ReservationStatus)> {
    match status {
        Held => Some((Move { available: 1, reserved: -1, sold: 0 }, Released)),
        Committed if goods_are_whole => Some((Move { available: 1, reserved: 0, sold: -1 }, Returned)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_summed_in_a_fixed_order() {
        #[track_caller]
        fn check(lines: &[(&str, i64)], expected: &[(&str, i64)]) {
            let needs = needs(lines.iter().copied());
            let needs: Vec<(&str, i64)> = needs.iter().map(|(sku, n)| (sku.as_str(), *n)).collect();
            assert_eq!(needs, expected);
        }
        check(&[("b", 1), ("a", 2), ("b", 3)], &[("a", 2), ("b", 4)]);
        check(&[("a", i64::MAX), ("a", 1)], &[("a", i64::MAX)]);
        check(&[], &[]);
    }

    #[test]
    fn shortage_names_the_products() {
        let needs = needs([("a", 2), ("b", 1), ("a", 1)].into_iter());
        let available = |sku: &str| if sku == "a" { 2 } else { 1 };
        assert_eq!(short(&needs, available), ["a"]);
        assert!(short(&needs, |_| 3).is_empty());
    }

    #[test]
    fn no_more_is_taken_out_than_is_held() {
        let needs = needs([("a", 2), ("b", 1)].into_iter());
        let back = super::needs([("a", 1), ("b", 3), ("c", 1)].into_iter());
        let (left, moved) = take_out(&needs, &back);
        assert_eq!(left.into_iter().collect::<Vec<_>>(), [("a".to_owned(), 1)]);
        assert_eq!(moved.into_iter().collect::<Vec<_>>(), [("a".to_owned(), 1), ("b".to_owned(), 1)]);
    }

    #[test]
    fn moves_keep_the_sum_and_happen_once() {
        #[track_caller]
        fn check(moved: Option<Move>, expected: Option<(i64, i64, i64)>) {
            assert_eq!(moved.map(|m| (m.available, m.reserved, m.sold)), expected);
            assert!(moved.is_none_or(|m| m.available + m.reserved + m.sold == 0));
        }
        check(Some(RESERVE), Some((-1, 1, 0)));
        check(Some(RESTOCK), Some((1, 0, -1)));
        check(commit(Held), Some((0, -1, 1)));
        check(commit(Released), Some((-1, 0, 1)));
        check(commit(Committed), None);
        check(release(Held, true).map(|r| r.0), Some((1, -1, 0)));
        check(release(Committed, true).map(|r| r.0), Some((1, 0, -1)));
        check(release(Committed, false).map(|r| r.0), None);
        check(release(Released, true).map(|r| r.0), None);
        check(release(Returned, true).map(|r| r.0), None);
    }
}
