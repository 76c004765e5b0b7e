//! Durations as people write them: `15m`, `90s`, `400ms`, `1h 30m`.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize, de};

/// A span of time that is not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Duration(SignedDuration);

impl Duration {
    pub(crate) const fn milliseconds(n: i64) -> Duration {
        Duration(SignedDuration::from_millis(n))
    }

    pub(crate) const fn seconds(n: i64) -> Duration {
        Duration(SignedDuration::from_secs(n))
    }

    pub(crate) const fn minutes(n: i64) -> Duration {
        Duration(SignedDuration::from_secs(n * 60))
    }

    pub(crate) const fn hours(n: i64) -> Duration {
        Duration(SignedDuration::from_secs(n * 3600))
    }

    /// For timers.
    pub(crate) fn std(self) -> std::time::Duration {
        self.0.unsigned_abs()
    }

    /// For instants.
    pub(crate) fn as_ms(self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::str::FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Duration, String> {
        match text.parse::<SignedDuration>() {
            Ok(span) if !span.is_negative() => Ok(Duration(span)),
            _ => Err(format!("`{text}` is no duration; write for example `15m`, `90s` or `400ms`")),
        }
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
