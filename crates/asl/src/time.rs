//! Instants: RFC 3339 text to and from milliseconds and nanoseconds since 1970.

use jiff::Timestamp;

/// An instant as the context object shows it, in UTC with milliseconds.
pub fn format(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(instant) => format!("{instant:.3}"),
        Err(_) => String::new(),
    }
}

/// Parses what the specification calls a timestamp: RFC 3339 with an upper-case `T` and an offset.
///
/// Nanoseconds since 1970.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    let offset = match bytes.last() {
        Some(b'Z') => true,
        Some(_) => bytes.len() > 6 && matches!(bytes.get(bytes.len() - 6), Some(b'+' | b'-')),
        None => false,
    };
    if bytes.get(10) != Some(&b'T') || !offset || bytes.get(4) != Some(&b'-') {
        return None;
    }
    text.parse::<Timestamp>().ok().map(Timestamp::as_nanosecond)
}

/// The first millisecond that is not before an instant in nanoseconds.
pub(crate) fn ceil_ms(ns: i128) -> i64 {
    let ms = ns.div_euclid(1_000_000) + i128::from(ns.rem_euclid(1_000_000) > 0);
    i64::try_from(ms).unwrap_or(i64::MAX)
}
