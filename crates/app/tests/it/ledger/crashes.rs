//! Crashes at every commit: nothing acknowledged is lost, nothing counted twice.

use std::sync::Arc;

use app::ledger::Ledger;
use app::ledger::views::PostBatch;
use store::crash::{CrashPoint, CrashStore, Survives};

use super::books::{Books, Dice, accounts, open, random};

/// What is done to the ledger until it crashes; answers what was acknowledged.
async fn work(ledger: &Ledger, codes: &[String], acknowledged: Arc<parking_lot::Mutex<Books>>) {
    let mut dice = Dice::new(7);
    let until = store::clock::now_ms() - 3 * 86_400_000;
    for round in 0..2 {
        let entry = random(&mut dice, codes, 90, until);
        ledger.post(entry.clone(), None).await.unwrap();
        acknowledged.lock().add(&entry);
        // Enough accounts and months that a run takes several commits.
        let entries: Vec<_> = (0..150).map(|_| random(&mut dice, codes, 90, until)).collect();
        ledger.post_batch(PostBatch { entries: entries.clone() }, Some(&format!("batch {round}"))).await.unwrap();
        entries.iter().for_each(|entry| acknowledged.lock().add(entry));
        ledger.consolidate().await.unwrap();
        let day = ledger.calendar().day_of(until - 40 * 86_400_000) + round;
        ledger.close_day(&date(day)).await.unwrap();
    }
    ledger.rebuild().await.unwrap();
}

fn date(day: i32) -> String {
    let at = jiff::Timestamp::from_second(i64::from(day) * 86_400).unwrap();
    at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

#[tokio::test]
async fn every_commit_may_be_the_last() {
    let first = CrashStore::new(Vec::new(), None).await.unwrap();
    let ledger = open(first.clone(), "America/Sao_Paulo", 240).await;
    let codes = accounts(&ledger, 30).await;
    let base = first.survivors(Survives::Everything).await;
    let whole = CrashStore::new(base.clone(), None).await.unwrap();
    let ledger = open(whole.clone(), "America/Sao_Paulo", 240).await;
    let begin = whole.commits().await;
    work(&ledger, &codes, Arc::default()).await;
    let commits = whole.commits().await;
    assert!(commits > begin + 12, "{begin} {commits}");
    for at in begin..commits {
        for (point, survives) in [
            (CrashPoint::After(at), Survives::Everything),
            (CrashPoint::After(at), Survives::Half),
            (CrashPoint::Before(at), Survives::Durable),
        ] {
            crash(&base, &codes, point, survives).await;
        }
    }
}

async fn crash(base: &[store::Batch], codes: &[String], point: CrashPoint, survives: Survives) {
    let store = CrashStore::new(base.to_vec(), Some(point)).await.unwrap();
    let ledger = open(store.clone(), "America/Sao_Paulo", 240).await;
    let acknowledged = Arc::new(parking_lot::Mutex::new(Books::default()));
    tokio::select! {
        () = work(&ledger, codes, acknowledged.clone()) => {}
        () = store.crashed() => {}
    }
    let survivors = CrashStore::new(store.survivors(survives).await, None).await.unwrap();
    let ledger = open(survivors, "America/Sao_Paulo", 240).await;
    let context = format!("{point:?} {survives:?}");
    ledger.consolidate().await.unwrap();
    let found = ledger.verify().await.unwrap();
    assert_eq!(found.differences, Vec::<String>::new(), "{context}");
    let books = acknowledged.lock().clone();
    // What was under way may have survived: one more request.
    let more = found.entries as u64 - books.entries;
    assert!([0, 1, 150].contains(&more), "{context}: {} entries, {} acknowledged", found.entries, books.entries);
    if more == 0 {
        let balances = ledger.balances((Some("2020-01-01"), None)).await.unwrap();
        for line in balances.accounts {
            let expected = books.balance(&line.account, line.currency, |_| true);
            assert_eq!(line.period.closing, expected, "{context} {}", line.account);
        }
    }
}
