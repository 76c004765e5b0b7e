//! Processes that share a store: each entry is counted once, also when one of them is paused for longer than its lease.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use app::ledger::Ledger;
use app::ledger::views::{BalanceBy, PostBatch};
use async_trait::async_trait;
use domain::Currency;
use store::memory::MemoryStore;
use store::{Batch, CommitError, Key, Page, Query, ReadError, Receipt, Row, Store, Table};
use tokio::sync::Semaphore;

use super::books::{Books, Dice, accounts, open_as, random};

/// What the clock of these tests says besides the time.
static LATER_MS: AtomicI64 = AtomicI64::new(0);

fn clock() -> i64 {
    store::clock::now_ms() + LATER_MS.load(Ordering::Relaxed)
}

#[tokio::test]
async fn an_account_of_another_process_is_known_and_a_closed_one_is_refused() {
    use std::sync::atomic::AtomicI64;
    static AHEAD_MS: AtomicI64 = AtomicI64::new(0);
    fn ahead() -> i64 {
        store::clock::now_ms() + AHEAD_MS.load(Ordering::Relaxed)
    }
    let store = Arc::new(MemoryStore::new());
    let one = open_as(store.clone(), "one", ahead).await;
    let other = open_as(store.clone(), "other", ahead).await;
    let code = "expenses:rent";
    let open = app::ledger::views::OpenAccount { code: code.into(), name: "Rent".into(), currency: None };
    one.open_account(open).await.unwrap();
    let rent = || super::books::transfer("assets:cash", code, 5, domain::Currency::BRL, 1_760_000_000_000);
    other.post(rent(), None).await.unwrap();
    one.close_account(code, true).await.unwrap();
    assert!(one.post(rent(), None).await.is_err());
    AHEAD_MS.store(5_000, Ordering::Relaxed);
    let refused = other.post(rent(), None).await;
    assert!(matches!(refused, Err(app::ledger::PostError::ClosedAccount { .. })), "{refused:?}");
}

/// Longer than a silent holder keeps a lease.
const SILENCE_MS: i64 = 61_000;
/// Of two days before now.
const DAY_MS: i64 = 86_400_000;

/// The store as a process sees it that is paused before its n-th commit from now on.
struct Paused {
    inner: Arc<MemoryStore>,
    left: AtomicUsize,
    /// Closed when the pause begins.
    begun: Semaphore,
    /// Closed to end it.
    end: Semaphore,
}

impl Paused {
    fn new(inner: &Arc<MemoryStore>) -> Arc<Paused> {
        let (begun, end) = (Semaphore::new(0), Semaphore::new(0));
        Arc::new(Paused { inner: inner.clone(), left: AtomicUsize::new(usize::MAX), begun, end })
    }
}

#[async_trait]
impl Store for Paused {
    async fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError> {
        self.inner.get(table, key).await
    }

    async fn query(&self, query: Query) -> Result<Page, ReadError> {
        self.inner.query(query).await
    }

    async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.begun.close();
            let _ = self.end.acquire().await;
        }
        self.inner.commit(batch).await
    }

    async fn flush(&self) -> Result<(), CommitError> {
        self.inner.flush().await
    }

    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError> {
        Err(ReadError::Unavailable("whoever shares a store may not copy it".into()))
    }
}

/// Posts entries of so many accounts and months that a run takes several commits.
async fn fill(ledger: &Ledger, codes: &[String], dice: &mut Dice, books: &mut Books) {
    let until = store::clock::now_ms() - 3 * DAY_MS;
    let entries: Vec<_> = (0..150).map(|_| random(dice, codes, 300, until)).collect();
    ledger.post_batch(PostBatch { entries: entries.clone() }, None).await.unwrap();
    entries.iter().for_each(|entry| books.add(entry));
}

async fn check(ledger: &Ledger, books: &Books, context: &str) {
    ledger.consolidate().await.unwrap();
    let found = ledger.verify().await.unwrap();
    assert_eq!((found.differences.as_slice(), found.entries as u64), ([].as_slice(), books.entries), "{context}");
    for line in ledger.balances((Some("2020-01-01"), None)).await.unwrap().accounts {
        let expected = books.balance(&line.account, line.currency, |_| true);
        assert_eq!(line.period.closing, expected, "{context} {}", line.account);
    }
}

/// Balances are those of one state of the books, though nothing is copied and others consolidate meanwhile: all that was
/// debited was credited.
#[tokio::test(flavor = "multi_thread")]
async fn balances_of_a_shared_store_fit_together_without_a_copy() {
    let store = Arc::new(MemoryStore::new());
    let writer = Arc::new(open_as(store.clone(), "writer", store::clock::now_ms).await);
    let codes = accounts(&writer, 30).await;
    let reader = open_as(Paused::new(&store), "reader", store::clock::now_ms).await;
    let work = tokio::spawn({
        let (writer, codes) = (writer.clone(), codes.clone());
        async move {
            let (mut dice, mut books) = (Dice::new(7), Books::default());
            for _ in 0..6 {
                fill(&writer, &codes, &mut dice, &mut books).await;
                writer.consolidate().await.unwrap();
            }
            books
        }
    });
    let mut looks = 0;
    while !work.is_finished() || looks == 0 {
        // One that finds the books changed every time says so.
        let Ok(balances) = reader.balances((Some("2020-01-01"), None)).await else { continue };
        for currency in [Currency::BRL, Currency::USD] {
            let lines = balances.accounts.iter().filter(|line| line.currency == currency);
            assert_eq!(lines.map(|line| line.period.closing).sum::<i64>(), 0, "{currency:?} at look {looks}");
        }
        looks += 1;
    }
    let books = work.await.unwrap();
    for line in reader.balances((Some("2020-01-01"), None)).await.unwrap().accounts {
        let expected = books.balance(&line.account, line.currency, |_| true);
        assert_eq!(line.period.closing, expected, "{}", line.account);
        let now = reader.balance(&line.account, Some(line.currency), None, BalanceBy::Effective).await.unwrap();
        assert_eq!(now.balance, expected, "{}", line.account);
    }
}

/// Several processes post, consolidate, rebuild and verify at once.
#[tokio::test(flavor = "multi_thread")]
async fn processes_at_once_count_every_entry_once() {
    let store = Arc::new(MemoryStore::new());
    let first = open_as(store.clone(), "first", store::clock::now_ms).await;
    let codes = accounts(&first, 30).await;
    let mut tasks = tokio::task::JoinSet::new();
    for seed in 1..=3 {
        let (store, codes) = (store.clone(), codes.clone());
        tasks.spawn(async move {
            let ledger = open_as(store, &format!("process {seed}"), store::clock::now_ms).await;
            let (mut dice, mut books) = (Dice::new(seed), Books::default());
            for _ in 0..4 {
                fill(&ledger, &codes, &mut dice, &mut books).await;
                ledger.consolidate().await.unwrap();
                match dice.below(3) {
                    // Another process may have been faster: then it says so.
                    0 => drop(ledger.rebuild().await),
                    1 => assert_eq!(
                        ledger.verify().await.map_or(Vec::new(), |view| view.differences),
                        Vec::<String>::new()
                    ),
                    _ => {}
                }
            }
            books.entries
        });
    }
    let entries: u64 = tasks.join_all().await.iter().sum();
    first.consolidate().await.unwrap();
    let found = first.verify().await.unwrap();
    assert_eq!((found.differences.as_slice(), found.entries as u64), ([].as_slice(), entries));
}

/// One that is paused before any of its commits, and comes back after another has done its work and more, harms nothing.
#[tokio::test]
async fn who_comes_back_from_a_long_pause_changes_nothing() {
    for rebuild in [false, true] {
        let mut commits = 0;
        while paused_before(commits, rebuild).await {
            commits += 1;
        }
        assert!(commits >= 4, "only {commits} commits");
    }
}

/// Answers whether the work has so many commits that it was paused.
async fn paused_before(commits: usize, rebuild: bool) -> bool {
    let store = Arc::new(MemoryStore::new());
    let slow_store = Paused::new(&store);
    let slow = Arc::new(open_as(slow_store.clone(), "slow", clock).await);
    let codes = accounts(&slow, 60).await;
    let (mut dice, mut books) = (Dice::new(5), Books::default());
    fill(&slow, &codes, &mut dice, &mut books).await;
    if rebuild {
        slow.consolidate().await.unwrap();
        fill(&slow, &codes, &mut dice, &mut books).await;
    }
    slow_store.left.store(commits, Ordering::Relaxed);
    let work = slow.clone();
    let work = tokio::spawn(async move {
        match rebuild {
            true => work.rebuild().await.map(drop),
            false => work.consolidate().await.map(drop),
        }
    });
    let paused = tokio::select! {
        _ = slow_store.begun.acquire() => true,
        () = async { while !work.is_finished() { tokio::task::yield_now().await } } => false,
    };
    let context = format!("commit {commits}, rebuild {rebuild}");
    slow_store.left.store(usize::MAX, Ordering::Relaxed);
    if paused {
        LATER_MS.fetch_add(SILENCE_MS, Ordering::Relaxed);
        let quick = open_as(store.clone(), "quick", clock).await;
        check(&quick, &books, &context).await;
        fill(&quick, &codes, &mut dice, &mut books).await;
        check(&quick, &books, &context).await;
        slow_store.end.close();
    }
    // It may say that another process was faster.
    drop(work.await.unwrap());
    check(&slow, &books, &context).await;
    let third = open_as(store, "third", clock).await;
    third.rebuild().await.unwrap();
    check(&third, &books, &context).await;
    paused
}
