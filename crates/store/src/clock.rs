//! The time, as the adapters and the runtime read it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch.
#[must_use]
pub fn now_ms() -> i64 {
    #[cfg(feature = "conformance")]
    if let Some(now_ms) = simulated::now_ms() {
        return now_ms;
    }
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// For simulations: the clock of a thread follows that of tokio, which can stand still and jump.
#[cfg(feature = "conformance")]
pub mod simulated {
    use std::cell::Cell;

    use tokio::time::Instant;

    thread_local! {
        static CLOCK: Cell<Option<(i64, Instant)>> = const { Cell::new(None) };
    }

    /// From here on it is this time on this thread, and goes on as tokio's time does.
    pub fn begin(now_ms: i64) {
        CLOCK.set(Some((now_ms, Instant::now())));
    }

    /// From here on this thread reads the real clock again.
    pub fn end() {
        CLOCK.set(None);
    }

    pub(super) fn now_ms() -> Option<i64> {
        let (began_ms, began) = CLOCK.get()?;
        Some(began_ms + i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}
