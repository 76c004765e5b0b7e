//! Gapless numbers of documents (receipts, credit notes) without a hot row.
//!
//! Why not a counter row: every order would change it, and with hundreds in flight nearly all their commits would conflict.
//! Why not `Op::Add` on one: it does not tell which number it made. Here a number is held for its document in memory and
//! becomes the key of the document's row in the commit of its step.
//!
//! Invariant: two documents never share a number, because the number is the key and its insert demands that it is absent.
//!
//! Invariant: no number is lost. A number whose commit did not happen stays with its holder, whose step runs again with it.
//! A crash forgets who held what, but nothing else: on opening, every number below the highest that has no row is free, and
//! the lowest free number goes out first, to the steps that run again or to the next document. The holes that a crash leaves
//! are therefore filled before any new number is used. A holder that never comes back for its number (its flow was ended by
//! hand between call and commit) loses it after [`HOLD_MS`]; if it comes back all the same, the insert decides.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use store::{Batch, Query, ReadError, Store, Table};

use crate::records::counter;

/// How many of the newest documents are looked through for holes before the first is issued: as many as are in flight at most.
const LOOK_BACK: usize = 4_000;
/// How many more are looked through beside the first orders, for a step that was tried for minutes before the crash.
const LOOK_FURTHER: usize = 200_000;
/// After how long a number that was not used is handed on.
const HOLD_MS: i64 = 10 * 60_000;
/// How many held numbers are looked at each time one is taken.
const SWEEP: usize = 4;

/// What a number is held for: an order and the refund of it, 0 for the order itself.
pub(crate) type Holder = (i64, i64);

/// Hands out the numbers of one table, whose key is the number.
pub(crate) struct Numbers {
    table: &'static Table,
    store: Arc<dyn Store>,
    /// `None` where processes share the store: then a counter row is changed with each document, and the conflicts of those
    /// that issue at the same time are the price of a sequence without gaps.
    state: Option<Arc<Mutex<State>>>,
}

#[derive(Default)]
struct State {
    next: i64,
    free: BTreeSet<i64>,
    /// Holder -> its number and since when.
    held: HashMap<Holder, (i64, i64)>,
    /// Holders in the order of their holds, for the sweep.
    queue: std::collections::VecDeque<Holder>,
}

impl Numbers {
    /// Finds the highest number and the holes below it, unless other processes share the store. Needs a Tokio runtime for the
    /// look further back.
    pub(crate) async fn open(store: Arc<dyn Store>, table: &'static Table, shared: bool) -> Result<Numbers, ReadError> {
        if shared {
            return Ok(Numbers { table, store, state: None });
        }
        let mut look = Look::new(table);
        look.back(&*store, LOOK_BACK).await?;
        let state = State { next: look.highest + 1, free: std::mem::take(&mut look.holes), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let numbers = Numbers { table, state: Some(state.clone()), store: store.clone() };
        if !look.ended {
            tokio::spawn(async move {
                match look.back(&*store, LOOK_FURTHER).await {
                    Ok(()) => state.lock().free.append(&mut look.holes),
                    Err(error) => tracing::warn!(%error, "old numbers could not be looked through"),
                }
            });
        }
        Ok(numbers)
    }

    /// The number of a holder: the one it holds, else the lowest that is free.
    pub(crate) async fn take(&self, holder: Holder, now: i64) -> Result<i64, ReadError> {
        let Some(held) = &self.state else {
            return Ok(counter::value(&*self.store, self.table.name).await? + 1);
        };
        let (number, stale) = {
            let mut state = held.lock();
            let stale = state.sweep(now);
            (state.take(holder, now), stale)
        };
        for (holder, number) in stale {
            let used = self.store.get(self.table, &number.into()).await?.is_some();
            held.lock().settle(holder, number, used);
        }
        Ok(number)
    }

    /// Makes the number this document's in the batch that issues it.
    pub(crate) fn claim(&self, number: i64, batch: &mut Batch) {
        if self.state.is_none() {
            counter::advance(self.table.name, number - 1, number, batch);
        }
    }

    /// The document is committed, or its number turned out to be another's: it need not be held any more.
    pub(crate) fn forget(&self, holder: Holder) {
        if let Some(state) = &self.state {
            state.lock().held.remove(&holder);
        }
    }
}

/// A look through the documents, newest first.
struct Look {
    table: &'static Table,
    highest: i64,
    /// The number that would come next on the way down.
    expected: Option<i64>,
    holes: BTreeSet<i64>,
    cursor: Option<String>,
    ended: bool,
}

impl Look {
    fn new(table: &'static Table) -> Look {
        Look { table, highest: 0, expected: None, holes: BTreeSet::new(), cursor: None, ended: false }
    }

    async fn back(&mut self, store: &dyn Store, rows: usize) -> Result<(), ReadError> {
        let mut seen = 0;
        while seen < rows && !self.ended {
            let query = Query::table(self.table).descending().limit(store::MAX_PAGE);
            let page = store.query(query.after(self.cursor.take())).await?;
            seen += store::MAX_PAGE;
            for number in page.rows.iter().filter_map(|row| row.key().int()) {
                self.highest = self.highest.max(number);
                if let Some(expected) = self.expected {
                    self.holes.extend(number + 1..=expected);
                }
                self.expected = Some(number - 1);
            }
            self.cursor = page.next;
            self.ended = self.cursor.is_none();
        }
        if let (true, Some(expected)) = (self.ended, self.expected) {
            // The start of the table: numbers begin with 1.
            self.holes.extend(1..=expected);
        }
        Ok(())
    }
}

impl State {
    fn take(&mut self, holder: Holder, now: i64) -> i64 {
        if let Some((number, since)) = self.held.get_mut(&holder) {
            *since = now;
            return *number;
        }
        let number = self.free.pop_first().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        self.held.insert(holder, (number, now));
        self.queue.push_back(holder);
        number
    }

    /// A few holds that are old: most were used and can be forgotten.
    fn sweep(&mut self, now: i64) -> Vec<(Holder, i64)> {
        let mut stale = Vec::new();
        for _ in 0..SWEEP {
            let Some(holder) = self.queue.front().copied() else { break };
            match self.held.get(&holder) {
                Some((_, since)) if now - since < HOLD_MS => break,
                Some((number, _)) => stale.push((holder, *number)),
                None => {}
            }
            self.queue.pop_front();
        }
        stale
    }

    fn settle(&mut self, holder: Holder, number: i64, used: bool) {
        if self.held.get(&holder).is_some_and(|(held, _)| *held == number) {
            self.held.remove(&holder);
            if !used {
                self.free.insert(number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use store::Batch;
    use store::memory::MemoryStore;

    use super::*;
    use crate::records::receipt::{RECEIPTS, ReceiptRecord};

    async fn write(store: &MemoryStore, numbers: &[i64]) {
        for number in numbers {
            let record = ReceiptRecord {
                number: *number,
                order_id: 1_000 + number,
                issued_at: 0,
                utc_offset_s: 0,
                issuer_id: 0,
                locale: domain::money::Locale::English,
                total: 1,
                sha256: String::new(),
            };
            let mut batch = Batch::new();
            batch.insert(record.row());
            store.commit(batch).await.unwrap();
        }
    }

    #[tokio::test]
    async fn holes_of_a_crash_are_filled_first() {
        #[track_caller]
        fn check(found: &[i64], expected: &[i64]) {
            assert_eq!(found, expected);
        }
        for (written, expected) in [
            (vec![], [1, 2, 3, 4]),
            (vec![1, 2, 3], [4, 5, 6, 7]),
            (vec![1, 2, 5, 6], [3, 4, 7, 8]),
            (vec![2, 4], [1, 3, 5, 6]),
        ] {
            let store = Arc::new(MemoryStore::new());
            write(&store, &written).await;
            let numbers = Numbers::open(store, &RECEIPTS, false).await.unwrap();
            let mut found = Vec::new();
            for order in 0..4 {
                found.push(numbers.take((order, 0), 0).await.unwrap());
            }
            check(&found, &expected);
            assert_eq!(numbers.take((2, 0), 1).await.unwrap(), expected[2], "the same order, the same number");
        }
    }

    #[tokio::test]
    async fn an_unused_number_is_handed_on_and_a_used_one_is_not() {
        let store = Arc::new(MemoryStore::new());
        let numbers = Numbers::open(store.clone(), &RECEIPTS, false).await.unwrap();
        assert_eq!(numbers.take((1, 0), 0).await.unwrap(), 1);
        assert_eq!(numbers.take((2, 0), 0).await.unwrap(), 2);
        write(&store, &[2]).await;
        assert_eq!(numbers.take((3, 0), HOLD_MS + 1).await.unwrap(), 3);
        assert_eq!(numbers.take((4, 0), HOLD_MS + 1).await.unwrap(), 1);
        assert_eq!(numbers.take((5, 0), HOLD_MS + 1).await.unwrap(), 4);
    }
}
