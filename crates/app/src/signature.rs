//! Signatures over raw bytes, in Stripe's scheme: `t=<seconds>,v1=<hex HMAC-SHA256 of "t.body">`.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How far a signature's time may be from ours.
pub const TOLERANCE_MS: i64 = 5 * 60_000;

/// Why a signature is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is missing or not `t=..,v1=..`.
    #[error("the signature header must read `t=<seconds>,v1=<hex>`")]
    Malformed,
    /// More than five minutes away.
    #[error("the signature's time is more than five minutes away; check the clock and sign anew")]
    Stale,
    /// Made with another secret, or over other bytes.
    #[error("the signature does not match; sign the raw body with the shared secret")]
    Mismatch,
}

/// HMAC-SHA256 over the parts one after the other.
pub(crate) fn hmac(secret: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // A key of any length is fine for HMAC, so the error cannot occur; the empty key stands in for it.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

/// Compares without telling by its time where the difference is.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// The signature header of a body.
#[must_use]
pub fn sign(secret: &[u8], body: &[u8], now_ms: i64) -> String {
    let seconds = (now_ms / 1000).to_string();
    let mac = hmac(secret, &[seconds.as_bytes(), b".", body]);
    format!("t={seconds},v1={}", hex(&mac))
}

/// Checks a signature header. Several `v1` are tried, as during a change of secrets.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(secret: &[u8], header: &str, body: &[u8], now_ms: i64) -> Result<(), SignatureError> {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let seconds = parts().find(|(name, _)| *name == "t").map(|(_, value)| value);
    let seconds = seconds.ok_or(SignatureError::Malformed)?;
    let at: i64 = seconds.parse().map_err(|_| SignatureError::Malformed)?;
    if !parts().any(|(name, _)| name == "v1") {
        return Err(SignatureError::Malformed);
    }
    let good = hex(&hmac(secret, &[seconds.as_bytes(), b".", body]));
    let matches = parts().filter(|(name, _)| *name == "v1");
    let matches = matches.fold(false, |found, (_, value)| found | same(value.as_bytes(), good.as_bytes()));
    if !matches {
        return Err(SignatureError::Mismatch);
    }
    if at.saturating_mul(1000).abs_diff(now_ms) > TOLERANCE_MS.unsigned_abs() {
        return Err(SignatureError::Stale);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_checked_over_the_raw_bytes() {
        let now = 1_700_000_000_000;
        let good = sign(b"secret", b"{}", now);
        #[track_caller]
        fn check(header: &str, body: &[u8], now: i64, expected: Result<(), SignatureError>) {
            assert_eq!(verify(b"secret", header, body, now), expected);
        }
        check(&good, b"{}", now, Ok(()));
        check(&good, b"{}", now + TOLERANCE_MS, Ok(()));
        check(&good, b"{}", now - TOLERANCE_MS, Ok(()));
        check(&good, b"{}", now + TOLERANCE_MS + 1, Err(SignatureError::Stale));
        check(&good, b"{ }", now, Err(SignatureError::Mismatch));
        check(&sign(b"other", b"{}", now), b"{}", now, Err(SignatureError::Mismatch));
        check(&format!("{good},v1=00"), b"{}", now, Ok(()));
        check("t=1700000000", b"{}", now, Err(SignatureError::Malformed));
        check("v1=00", b"{}", now, Err(SignatureError::Malformed));
        check("", b"{}", now, Err(SignatureError::Malformed));
        check("t=99999999999999999999,v1=00", b"{}", now, Err(SignatureError::Malformed));
        check(&sign(b"secret", b"{}", 0), b"{}", now, Err(SignatureError::Stale));
    }
}
