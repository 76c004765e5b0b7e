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
        static LAST_ID: Cell<i64> = const { Cell::new(0) };
    }

    /// From here on it is this time on this thread, and goes on as tokio's time does. Where time goes back another simulation
    /// begins, and with it its identifiers.
    pub fn begin(now_ms: i64) {
        CLOCK.set(Some((now_ms, Instant::now())));
        if crate::id::time_ms(LAST_ID.get()) > now_ms {
            LAST_ID.set(0);
        }
    }

    /// From here on this thread reads the real clock again.
    pub fn end() {
        CLOCK.set(None);
    }

    /// The greatest identifier so far, of this thread alone: simulations side by side do not push each other's time.
    pub(crate) fn last_id() -> Option<i64> {
        CLOCK.get().map(|_| LAST_ID.get())
    }

    pub(crate) fn set_last_id(id: i64) {
        LAST_ID.set(id);
    }

    pub(super) fn now_ms() -> Option<i64> {
        let (began_ms, began) = CLOCK.get()?;
        Some(began_ms + i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}
