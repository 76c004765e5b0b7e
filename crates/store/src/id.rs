//! Time-ordered 63-bit identifiers.
//!
//! The upper 41 bits are milliseconds since 2024-01-01 (until 2093), the lower 22 a counter that starts at a random
//! place in each millisecond's first half. Rows keyed by them land at the end of their table.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, Ordering};

#[cfg(feature = "conformance")]
use crate::clock::simulated;

const EPOCH_MS: i64 = 1_704_067_200_000;
const COUNTER_BITS: u32 = 22;

static LAST: AtomicI64 = AtomicI64::new(0);

/// A new identifier, greater than all before it in this process, and than those of a process whose clock was behind.
#[must_use]
pub fn next() -> i64 {
    next_many(1)
}

/// The first of `count` new identifiers in a row, for things that are stored together.
#[must_use]
pub fn next_many(count: u32) -> i64 {
    let more = i64::from(count.max(1)) - 1;
    let now = (crate::clock::now_ms() - EPOCH_MS).max(1) << COUNTER_BITS;
    #[cfg(feature = "conformance")]
    if let Some(last) = simulated::last_id() {
        let first = (last + 1).max(now + 1);
        simulated::set_last_id(first + more);
        return first;
    }
    let noise = i64::from((RandomState::new().hash_one(now) & 0xFFFF) as u16);
    let first = |last: i64| if last >= now { last + 1 } else { now + noise };
    match LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(first(last) + more)) {
        Ok(last) | Err(last) => first(last),
    }
}

/// Makes sure that all identifiers from here on are greater than one that is stored: the clock may have been set back.
/// One from more than a day ahead is no identifier of ours and is left out of account.
pub fn advance_past(id: i64) {
    if id < floor(crate::clock::now_ms() + 86_400_000) {
        #[cfg(feature = "conformance")]
        if let Some(last) = simulated::last_id() {
            simulated::set_last_id(last.max(id));
            return;
        }
        LAST.fetch_max(id, Ordering::Relaxed);
    }
}

/// The instant inside an identifier, in milliseconds since the epoch.
#[must_use]
pub fn time_ms(id: i64) -> i64 {
    (id >> COUNTER_BITS) + EPOCH_MS
}

/// The smallest identifier of an instant.
#[must_use]
pub fn floor(time_ms: i64) -> i64 {
    (time_ms - EPOCH_MS).max(0) << COUNTER_BITS
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The identifier as 13 characters of Crockford's base 32, in the same order as the numbers.
#[must_use]
pub fn encode(id: i64) -> String {
    let id = id.unsigned_abs();
    let digit = |shift: u32| ALPHABET.get((id >> shift & 31) as usize).map_or('0', |b| char::from(*b));
    (0..13).rev().map(|at| digit(at * 5)).collect()
}

/// The identifier in 13 characters of [`encode`]; case does not matter, `i`, `l` read as 1 and `o` as 0.
#[must_use]
pub fn decode(text: &str) -> Option<i64> {
    if text.len() != 13 {
        return None;
    }
    let value = text.bytes().try_fold(0u64, |value, byte| {
        let byte = match byte.to_ascii_lowercase() {
            b'i' | b'l' => b'1',
            b'o' => b'0',
            other => other,
        };
        let digit = ALPHABET.iter().position(|b| *b == byte)?;
        value.checked_mul(32)?.checked_add(digit as u64)
    })?;
    i64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_travel_as_text() {
        let ids: Vec<i64> = (0..10_000).map(|_| next()).collect();
        assert!(ids.windows(2).all(|w| w[0] < w[1]));
        for id in ids {
            assert_eq!(decode(&encode(id)), Some(id));
            assert_eq!(decode(&encode(id).to_uppercase()), Some(id));
        }
        assert!(encode(1) < encode(2) && encode(31) < encode(32));
        let first = next_many(1_000);
        assert!(next() >= first + 1_000);
        assert_eq!(decode("zzzzzzzzzzzzz"), None);
        assert_eq!(decode("short"), None);
    }
}
