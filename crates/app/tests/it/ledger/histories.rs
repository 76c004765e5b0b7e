//! Random histories: what the ledger shows is what plain sums show, whatever stops, lags, is closed or built anew meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::ledger::views::{BalanceBy, ReverseEntry};
use domain::Currency;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use store::memory::MemoryStore;

use super::books::{Books, Dice, accounts, open, random, transfer};

/// A zone, and the last year of some in which its clock changed as nowhere else; histories end in one of them.
struct Place {
    zone: &'static str,
    /// First and last year.
    years: (i16, i16),
}

/// Zones on both sides of UTC: with and without changes of the clock, at midnight, by half an hour, of a whole day.
const PLACES: [Place; 13] = [
    // Changed at midnight, until 2019.
    Place { zone: "America/Sao_Paulo", years: (2014, 2020) },
    // Moved its whole time between those of Central and Western Europe.
    Place { zone: "Europe/Lisbon", years: (1992, 1998) },
    Place { zone: "Europe/Lisbon", years: (2023, 2025) },
    Place { zone: "Pacific/Auckland", years: (2006, 2025) },
    Place { zone: "Asia/Kolkata", years: (2023, 2025) },
    Place { zone: "Pacific/Kiritimati", years: (2023, 2025) },
    // Changed a minute after midnight, until 2011.
    Place { zone: "America/St_Johns", years: (2008, 2013) },
    Place { zone: "America/New_York", years: (2006, 2025) },
    // By half an hour.
    Place { zone: "Australia/Lord_Howe", years: (2019, 2025) },
    Place { zone: "Pacific/Pago_Pago", years: (2023, 2025) },
    // Left out a day at the end of 2011.
    Place { zone: "Pacific/Apia", years: (2011, 2014) },
    Place { zone: "Africa/Casablanca", years: (2016, 2025) },
    Place { zone: "UTC", years: (2019, 2025) },
];
/// Cut-offs where clocks change, and elsewhere.
const CUT_OFFS: [u16; 8] = [0, 1, 60, 119, 120, 150, 240, 1_439];
/// How many days before its end a history begins.
const DAYS: i32 = 300;

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// When a day begins, by its definition and nothing of ours: the first instant at which the clock of the zone shows the cut-off;
/// where that is left out, as much later as the clock went forward.
fn begins(zone: &TimeZone, day: i32, cut_off: u16) -> i64 {
    let shown = i64::from(day) * 86_400 + i64::from(cut_off) * 60;
    let offset_at = |second: i64| {
        let instant = jiff::Timestamp::from_second(second).unwrap();
        i64::from(zone.to_offset(instant).seconds())
    };
    // Every offset that the zone has around then.
    let offsets: Vec<i64> = (-60..60).map(|hours| offset_at(shown + hours * 3_600)).collect();
    let shows = offsets.iter().map(|offset| shown - offset).filter(|at| at + offset_at(*at) == shown);
    let first = shows.min().unwrap_or_else(|| {
        // The last instant before the gap has the offset of before.
        let before = (shown - 60 * 3_600..shown + 60 * 3_600).step_by(60).take_while(|at| at + offset_at(*at) < shown);
        shown - offset_at(before.last().unwrap())
    });
    first * 1_000
}

fn currency(code: &str) -> Currency {
    Currency::from_code(code).unwrap()
}

/// `LEDGER_SEED` and `LEDGER_ROUNDS` replay and lengthen it.
#[tokio::test]
async fn statements_are_the_sums_of_what_was_posted() {
    let seed = variable("LEDGER_SEED", 1);
    for seed in seed..seed + variable("LEDGER_ROUNDS", PLACES.len() as u64) {
        history(seed).await;
    }
}

async fn history(seed: u64) {
    let mut dice = Dice::new(seed);
    let Place { zone, years } = &PLACES[seed as usize % PLACES.len()];
    let cut_off = match dice.below(3) {
        0 => dice.below(1_440) as u16,
        _ => CUT_OFFS[dice.below(CUT_OFFS.len() as u64) as usize],
    };
    let ledger = open(Arc::new(MemoryStore::new()), zone, cut_off).await;
    let codes = accounts(&ledger, 12).await;
    let calendar = ledger.calendar();
    let tz = TimeZone::get(zone).unwrap();
    let mut books = Books::default();
    let year = years.0 + dice.below((years.1 - years.0) as u64 + 1) as i16;
    let until = jiff::civil::date(year, 1 + dice.below(12) as i8, 28).at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
    let until = until.timestamp().as_millisecond();
    let mut sealed: BTreeMap<i32, Arc<Books>> = BTreeMap::new();
    let mut last_sealed = None;
    for _ in 0..60 {
        match dice.below(12) {
            0..=5 => books.post(&ledger, random(&mut dice, &codes, DAYS as u64, until)).await,
            6 | 7 => {
                let entries = (0..1 + dice.below(120)).map(|_| random(&mut dice, &codes, DAYS as u64, until)).collect();
                books.post_batch(&ledger, entries).await;
            }
            8 => drop(ledger.consolidate().await.unwrap()),
            9 => drop(ledger.rebuild().await.unwrap()),
            10 => {
                let stopped = dice.below(2) == 0;
                ledger.set_stopped(stopped).await.unwrap();
            }
            _ => {
                ledger.set_stopped(false).await.unwrap();
                let day = calendar.day_of(until - (dice.below(200) * 86_400_000) as i64);
                let first = last_sealed.map_or(day, |last: i32| last + 1);
                ledger.close_day(&date(day)).await.ok();
                let then = Arc::new(books.clone());
                for day in first..=day {
                    sealed.insert(day, then.clone());
                    last_sealed = Some(day);
                }
            }
        }
    }
    ledger.consolidate().await.unwrap();
    if dice.below(2) == 0 {
        ledger.rebuild().await.unwrap();
    }
    let found = ledger.verify().await.unwrap();
    assert_eq!(found.differences, Vec::<String>::new(), "seed {seed}");
    assert_eq!(found.entries as u64, books.entries, "seed {seed}");
    assert_eq!(found.days as usize, sealed.len(), "seed {seed}");
    chained(&ledger, &sealed).await;
    let (first, last) = (calendar.day_of(until) - DAYS - 2, calendar.day_of(until) + 1);
    let starts: Vec<i64> = (first..=last + 1).map(|day| begins(&tz, day, cut_off)).collect();
    for (code, cur) in books.accounts() {
        let statement =
            ledger.statement(&code, Some(currency(cur)), (Some(&date(first)), Some(&date(last)))).await.unwrap();
        assert_eq!(statement.days.len() as i32, last - first + 1);
        let books = books.of(&code, currency(cur));
        for ((day, view), span) in (first..=last).zip(&statement.days).zip(starts.windows(2)) {
            let (start, end) = (span[0], span[1]);
            let context = format!("seed {seed}, {zone} {cut_off}, {code} {cur} on {}", view.date);
            assert_eq!(view.date, date(day), "{context}");
            assert_eq!(view.balance.opening, books.balance(&code, currency(cur), |at| at < start), "{context}");
            assert_eq!(view.balance.closing, books.balance(&code, currency(cur), |at| at < end), "{context}");
            assert_eq!(view.balance.opening + view.balance.debits - view.balance.credits, view.balance.closing);
            assert_eq!(view.sealed, sealed.contains_key(&day), "{context}");
            // What was sealed is what the books showed then.
            if let Some(then) = sealed.get(&day) {
                let late = view.restated.map_or(0, |restated| restated.closing);
                let closing = then.balance(&code, currency(cur), |at| at < end);
                assert_eq!(view.balance.closing - late, closing, "sealed: {context}");
            }
        }
        let at = until - dice.below(DAYS as u64 * 86_400_000) as i64;
        let balance =
            ledger.balance(&code, Some(currency(cur)), Some(app::Instant(at)), BalanceBy::Effective).await.unwrap();
        assert_eq!(balance.balance, books.balance(&code, currency(cur), |effective| effective <= at), "seed {seed}");
    }
    let balances = ledger.balances((Some(&date(first)), Some(&date(last)))).await.unwrap();
    let moved: BTreeMap<(String, &str), i64> = balances
        .accounts
        .iter()
        .map(|line| ((line.account.clone(), line.currency.code()), line.period.closing))
        .collect();
    for (code, cur) in books.accounts() {
        let closing = books.balance(&code, currency(cur), |_| true);
        assert_eq!(moved.get(&(code, cur)), Some(&closing), "seed {seed}");
    }
}

/// Every sealed day holds the hash of the day before, and its own is that of its text.
async fn chained(ledger: &app::ledger::Ledger, sealed: &BTreeMap<i32, Arc<Books>>) {
    let mut before: Option<String> = None;
    for day in sealed.keys() {
        let (seal, text) = ledger.sealed(&date(*day)).await.unwrap();
        let digest: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(seal.hash, digest, "{}", seal.date);
        assert!(text.contains(&format!("\nprevious {}\n", seal.previous)), "{text}");
        assert!(before.is_none_or(|before| before == seal.previous), "{}", seal.date);
        before = Some(seal.hash);
    }
}

fn date(day: i32) -> String {
    let at = jiff::Timestamp::from_second(i64::from(day) * 86_400).unwrap();
    at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

#[tokio::test]
async fn balances_by_the_time_of_recording_show_what_was_known_then() {
    let ledger = open(Arc::new(MemoryStore::new()), "America/Sao_Paulo", 240).await;
    let mut known = Vec::new();
    for at in 0..5 {
        let entry = transfer("income:sales", "assets:bank", 10 + at, Currency::BRL, 1_700_000_000_000);
        let accepted = ledger.post(entry, None).await.unwrap().answer;
        known.push((accepted.recorded_at, 10 + at));
        while store::clock::now_ms() <= accepted.recorded_at.0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        if at == 2 {
            ledger.consolidate().await.unwrap();
        }
    }
    ledger.consolidate().await.unwrap();
    let mut sum = 0;
    for (at, amount) in known {
        sum += amount;
        let balance = ledger.balance("assets:bank", None, Some(at), BalanceBy::Recorded).await.unwrap();
        assert_eq!(balance.balance, sum);
        let before = app::Instant(at.0 - 1);
        let balance = ledger.balance("assets:bank", None, Some(before), BalanceBy::Recorded).await.unwrap();
        assert_eq!(balance.balance, sum - amount);
    }
}

#[tokio::test]
async fn a_stopped_consolidation_refuses_nothing_and_catches_up() {
    let ledger = open(Arc::new(MemoryStore::new()), "America/Sao_Paulo", 0).await;
    ledger.start();
    ledger.set_stopped(true).await.unwrap();
    let now = store::clock::now_ms();
    let entry = ledger.post(transfer("income:sales", "assets:bank", 5, Currency::BRL, now), None).await.unwrap().answer;
    for _ in 0..99 {
        ledger.post(transfer("income:sales", "assets:bank", 5, Currency::BRL, now), None).await.unwrap();
    }
    let status = ledger.projection().await.unwrap();
    assert_eq!((status.running, status.entries, status.pending), (false, 0, 100));
    assert!(status.as_of < entry.recorded_at);
    assert_eq!(ledger.statement("assets:bank", None, (None, None)).await.unwrap().period.closing, 0);
    let reason = ReverseEntry { reason: "meanwhile".into(), effective_at: None };
    ledger.reverse(&entry.id, reason).await.unwrap();
    ledger.set_stopped(false).await.unwrap();
    while ledger.projection().await.unwrap().pending > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!(ledger.statement("assets:bank", None, (None, None)).await.unwrap().period.closing, 495);
    ledger.halt().await;
    assert_eq!(ledger.verify().await.unwrap().differences, Vec::<String>::new());
}

#[tokio::test]
async fn days_are_closed_in_order_and_only_when_they_are_over() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone(), "America/Sao_Paulo", 240).await;
    let calendar = ledger.calendar();
    let now = store::clock::now_ms();
    let today = calendar.day_of(now);
    assert!(ledger.close_day(&date(today)).await.is_err());
    ledger
        .post(transfer("income:sales", "assets:bank", 100, Currency::BRL, calendar.start_ms(today - 5)), None)
        .await
        .unwrap();
    ledger.set_stopped(true).await.unwrap();
    assert!(ledger.close_day(&date(today - 5)).await.is_err(), "the consolidation is stopped");
    ledger.set_stopped(false).await.unwrap();
    let first = ledger.close_day(&date(today - 5)).await.unwrap();
    assert_eq!(ledger.close_day(&date(today - 5)).await.unwrap(), first);
    let third = ledger.close_day(&date(today - 3)).await.unwrap();
    let (second, text) = ledger.sealed(&date(today - 4)).await.unwrap();
    assert_eq!((&second.previous, &third.previous), (&first.hash, &second.hash));
    assert!(text.contains("assets:bank BRL 100 0 0 100 0\n"), "{text}");
    assert!(ledger.close_day(&date(today - 6)).await.is_err(), "before the chain");
    ledger
        .post(transfer("income:sales", "assets:bank", 7, Currency::BRL, calendar.start_ms(today - 4)), None)
        .await
        .unwrap();
    ledger.consolidate().await.unwrap();
    let restatements = ledger.restatements(None).await.unwrap().items;
    assert_eq!(restatements.len(), 1);
    assert_eq!((&restatements[0].first_day, restatements[0].postings), (&date(today - 4), 2));
    let (from, to) = (date(today - 5), date(today));
    let days = ledger.statement("assets:bank", None, (Some(&from), Some(&to))).await.unwrap().days;
    let restated: Vec<Option<i64>> = days.iter().map(|day| day.restated.map(|restated| restated.closing)).collect();
    assert_eq!(restated, [None, Some(7), Some(7), None, None, None]);
    assert_eq!(ledger.sealed(&date(today - 4)).await.unwrap().1, text, "what was sealed stays");
    assert_eq!(ledger.verify().await.unwrap().differences, Vec::<String>::new());
    drop(ledger);
    // Another cut-off would cut the sealed days differently.
    let calendar = app::ledger::Calendar::new(jiff::tz::TimeZone::UTC, "UTC", 0);
    let opened = app::ledger::Ledger::open(store, store::clock::now_ms, Currency::BRL, calendar, &[], "alone").await;
    assert!(opened.is_err_and(|error| error.to_string().contains("America/Sao_Paulo 04:00")));
}

#[tokio::test]
async fn another_calendar_cuts_the_days_anew_while_none_is_sealed() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone(), "UTC", 0).await;
    let at = jiff::civil::date(2026, 3, 1).at(2, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap();
    let at = at.timestamp().as_millisecond();
    ledger.post(transfer("income:sales", "assets:bank", 5, Currency::BRL, at), None).await.unwrap();
    ledger.consolidate().await.unwrap();
    let day = |ledger: Arc<app::ledger::Ledger>, date: &'static str| async move {
        ledger.statement("assets:bank", None, (Some(date), Some(date))).await.unwrap().period.debits
    };
    assert_eq!(day(ledger.clone(), "2026-03-01").await, 5);
    let ledger = open(store, "America/Sao_Paulo", 240).await;
    assert_eq!(day(ledger.clone(), "2026-03-01").await, 0);
    assert_eq!(day(ledger, "2026-02-28").await, 5);
}

/// Waits for a state of the consolidation, never for a time.
async fn until(ledger: &app::ledger::Ledger, wanted: impl Fn(&app::ledger::views::ProjectionView) -> bool) {
    while !wanted(&ledger.projection().await.unwrap()) {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_nobody_waits_for_is_brought_to_its_end() {
    let store = Arc::new(MemoryStore::new());
    let ledger = open(store.clone(), "UTC", 0).await;
    let today = ledger.calendar().day_of(store::clock::now_ms());
    let at = ledger.calendar().start_ms(today - 9);
    ledger.post(transfer("income:sales", "assets:bank", 100, Currency::BRL, at), None).await.unwrap();
    ledger.close_day(&date(today - 9)).await.unwrap();
    ledger.post(transfer("income:sales", "assets:bank", 5, Currency::BRL, at), None).await.unwrap();
    // The client gives up at once; then the process ends.
    let wanted = date(today - 3);
    assert!(futures::FutureExt::now_or_never(ledger.close_day(&wanted)).is_none());
    let begun = ledger.projection().await.unwrap();
    assert_eq!(begun.closing.as_deref(), Some(wanted.as_str()));
    assert!(begun.last_sealed < Some(wanted.clone()));
    drop(ledger);
    let ledger = open(store, "UTC", 0).await;
    assert!(ledger.close_day(&date(today - 5)).await.is_ok(), "an earlier day can be waited for meanwhile");
    ledger.start();
    until(&ledger, |projection| projection.closing.is_none()).await;
    let done = ledger.projection().await.unwrap();
    assert_eq!((done.last_sealed.as_deref(), done.entries), (Some(wanted.as_str()), 2));
    assert_eq!(ledger.close_day(&wanted).await.unwrap().hash, done.seal.unwrap());
    assert_eq!(ledger.verify().await.unwrap().differences, Vec::<String>::new());
    ledger.halt().await;
}

#[tokio::test(start_paused = true)]
async fn an_entry_wakes_the_consolidation() {
    let shop = crate::shop::Shop::open().await;
    let ledger = shop.app.ledger();
    ledger.start();
    // It has nothing to do, and rests.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let begin = tokio::time::Instant::now();
    let entry = transfer("income:unknown", "assets:bank", 5, Currency::BRL, store::clock::now_ms());
    ledger.post(entry, None).await.unwrap();
    until(ledger, |projection| projection.entries == 1).await;
    assert!(begin.elapsed() < std::time::Duration::from_millis(100), "{:?}", begin.elapsed());
    ledger.halt().await;
}
