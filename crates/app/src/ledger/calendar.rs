//! Merchant days: from the cut-off on one local day to the cut-off on the next.

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

const DAY_MS: i64 = 86_400_000;
/// Days whose beginnings are found at once.
const BLOCK: i32 = 512;
/// From 1968-08 to after 2199: every effective time that an entry may have, in any zone.
const BLOCKS: i32 = 167;
/// The first block holds the days before 1970.
const SHIFT: i32 = BLOCK;

/// The merchant's zone and cut-off, and where its days begin.
///
/// A day begins when the local clock shows the cut-off; where that time is left out (the clock goes forward) it begins as
/// much later, where it comes twice the first time counts. So days of 23 and 25 hours are days like all others.
pub struct Calendar {
    zone: TimeZone,
    zone_name: String,
    cut_off: Time,
    blocks: Box<[OnceLock<Box<[Begin]>>]>,
}

#[derive(Debug, Clone, Copy)]
struct Begin {
    ms: i64,
    month: i32,
}

impl Calendar {
    /// The calendar of a zone and a cut-off in minutes after midnight, less than a day.
    #[must_use]
    pub fn new(zone: TimeZone, zone_name: &str, cut_off_minutes: u16) -> Calendar {
        let minutes = i8::try_from(cut_off_minutes % 60).unwrap_or(0);
        let hours = i8::try_from((cut_off_minutes / 60) % 24).unwrap_or(0);
        let cut_off = Time::new(hours, minutes, 0, 0).unwrap_or(Time::midnight());
        let blocks = (0..BLOCKS).map(|_| OnceLock::new()).collect();
        Calendar { zone, zone_name: zone_name.to_owned(), cut_off, blocks }
    }

    /// As the projection remembers it: `America/Sao_Paulo 04:00`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {:02}:{:02}", self.zone_name, self.cut_off.hour(), self.cut_off.minute())
    }

    /// The day of an instant.
    #[must_use]
    pub fn day_of(&self, at_ms: i64) -> i32 {
        // The guess is off by the zone and the cut-off: two days at most.
        let mut day = i32::try_from(at_ms.div_euclid(DAY_MS)).unwrap_or(0) - 2;
        while self.start_ms(day + 1) <= at_ms && day < LAST_DAY {
            day += 1;
        }
        day
    }

    /// When a day begins, in milliseconds since the epoch.
    #[must_use]
    pub fn start_ms(&self, day: i32) -> i64 {
        self.begin(day).ms
    }

    /// The month of a day: twelve times the year and the month from 0.
    #[must_use]
    pub fn month_of(&self, day: i32) -> i32 {
        self.begin(day).month
    }

    fn begin(&self, day: i32) -> Begin {
        let at = (day.clamp(-SHIFT, LAST_DAY) + SHIFT).unsigned_abs();
        let (block, within) = (at / BLOCK.unsigned_abs(), at % BLOCK.unsigned_abs());
        let find = || {
            let first = i32::try_from(block).unwrap_or(0) * BLOCK - SHIFT;
            (first..first + BLOCK).map(|day| self.find(day)).collect()
        };
        let begins = self.blocks.get(block as usize).map(|cell| cell.get_or_init(find));
        begins.and_then(|begins| begins.get(within as usize)).copied().unwrap_or(Begin { ms: i64::MAX, month: 0 })
    }

    fn find(&self, day: i32) -> Begin {
        let date = date(day);
        let ms = self.zone.to_timestamp(date.to_datetime(self.cut_off)).map_or(i64::MAX, Timestamp::as_millisecond);
        Begin { ms, month: i32::from(date.year()) * 12 + i32::from(date.month()) - 1 }
    }
}

/// The last day of the calendar.
const LAST_DAY: i32 = BLOCKS * BLOCK - SHIFT - 1;

/// The date of a day.
pub(super) fn date(day: i32) -> Date {
    let instant = Timestamp::from_second(i64::from(day) * 86_400).unwrap_or(Timestamp::UNIX_EPOCH);
    instant.to_zoned(TimeZone::UTC).date()
}

/// The day of a date.
pub(super) fn day(date: Date) -> i32 {
    let seconds = TimeZone::UTC.to_timestamp(date.to_datetime(Time::midnight())).map_or(0, Timestamp::as_second);
    i32::try_from(seconds.div_euclid(86_400)).unwrap_or(0)
}

/// The first day of a month.
pub(super) fn first_of(month: i32) -> i32 {
    let year = i16::try_from(month.div_euclid(12)).unwrap_or(1970);
    let month = i8::try_from(month.rem_euclid(12) + 1).unwrap_or(1);
    Date::new(year, month, 1).map_or(0, day)
}

/// A month as `2026-03`.
pub(super) fn month_name(month: i32) -> String {
    format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(zone: &str, cut_off: u16) -> Calendar {
        Calendar::new(TimeZone::get(zone).unwrap(), zone, cut_off)
    }

    #[test]
    fn an_instant_belongs_to_the_day_that_the_cut_off_began() {
        #[track_caller]
        fn check(zone: &str, cut_off: u16, at: &str, expected: &str) {
            let at: Timestamp = at.parse().unwrap();
            let calendar = calendar(zone, cut_off);
            let found = calendar.day_of(at.as_millisecond());
            assert_eq!(date(found).to_string(), expected, "{zone} {cut_off} {at}");
            assert!(calendar.start_ms(found) <= at.as_millisecond());
            assert!(calendar.start_ms(found + 1) > at.as_millisecond());
        }
        check("UTC", 0, "2026-03-01T00:00:00Z", "2026-03-01");
        check("UTC", 0, "2026-02-28T23:59:59.999Z", "2026-02-28");
        check("UTC", 0, "2028-02-29T12:00:00Z", "2028-02-29");
        check("America/Sao_Paulo", 240, "2026-03-02T06:59:59.999Z", "2026-03-01");
        check("America/Sao_Paulo", 240, "2026-03-02T07:00:00Z", "2026-03-02");
        check("Pacific/Kiritimati", 0, "2026-03-01T10:00:00Z", "2026-03-02");
        check("Pacific/Kiritimati", 1_439, "2026-03-02T09:58:59Z", "2026-03-01");
        check("Pacific/Pago_Pago", 1_439, "2026-03-01T10:58:00Z", "2026-02-27");
        // The night of 23 hours and that of 25, with a cut-off inside and after the change.
        check("America/New_York", 150, "2026-03-08T06:59:59Z", "2026-03-07");
        check("America/New_York", 150, "2026-03-08T07:29:59Z", "2026-03-07");
        check("America/New_York", 150, "2026-03-08T07:30:00Z", "2026-03-08");
        check("America/New_York", 90, "2026-11-01T05:30:00Z", "2026-11-01");
        check("America/New_York", 240, "2026-11-01T08:59:59Z", "2026-10-31");
        check("America/New_York", 240, "2026-11-01T09:00:00Z", "2026-11-01");
        // Midnight itself was left out in São Paulo.
        check("America/Sao_Paulo", 0, "2018-11-04T02:59:59Z", "2018-11-03");
        check("America/Sao_Paulo", 0, "2018-11-04T03:00:00Z", "2018-11-04");
        // A day that Samoa left out is no day.
        check("Pacific/Apia", 0, "2011-12-30T09:59:59Z", "2011-12-29");
        check("Pacific/Apia", 0, "2011-12-30T10:00:00Z", "2011-12-31");
        check("Pacific/Pago_Pago", 1_439, "1970-01-02T00:00:00Z", "1969-12-31");
        check("UTC", 0, "2199-12-31T23:59:59Z", "2199-12-31");
    }

    #[test]
    fn days_follow_each_other_in_every_zone() {
        for zone in ["America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "Europe/Lisbon"] {
            for cut_off in [0, 240, 1_439] {
                let calendar = calendar(zone, cut_off);
                let mut last = calendar.start_ms(17_000);
                for day in 17_001..22_000 {
                    let start = calendar.start_ms(day);
                    assert!((79_200_000..=93_600_000).contains(&(start - last)), "{zone} {cut_off} {day}");
                    assert_eq!(calendar.day_of(start), day);
                    assert_eq!(calendar.day_of(start - 1), day - 1);
                    last = start;
                }
            }
        }
    }

    #[test]
    fn months_and_dates() {
        let calendar = calendar("UTC", 0);
        let leap = day("2028-02-29".parse().unwrap());
        assert_eq!(month_name(calendar.month_of(leap)), "2028-02");
        assert_eq!(date(first_of(calendar.month_of(leap))).to_string(), "2028-02-01");
        assert_eq!(day(date(leap)), leap);
        assert_eq!(calendar.name(), "UTC 00:00");
    }
}
