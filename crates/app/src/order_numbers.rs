//! The numbers that people call out. They need no gapless sequence: one whose order was refused is left out.

use parking_lot::Mutex;
use store::{Query, ReadError, Store};

use crate::error::StoreError;
use crate::records::counter;
use crate::records::order::ORDERS;

/// How many of the newest orders are looked at for the highest number.
const NEWEST: usize = 256;
/// How many numbers a process takes at once if it shares the store. Those that it does not use are left out.
const BLOCK: i64 = 16;
/// The counter of the blocks.
const COUNTER: &str = "order-numbers";

/// Hands them out.
pub(crate) struct OrderNumbers {
    /// The next number, and the first that is not ours.
    block: Mutex<(i64, i64)>,
}

impl OrderNumbers {
    /// For the only process on the store: all numbers above those of the newest orders.
    pub(crate) async fn alone(store: &dyn Store) -> Result<OrderNumbers, ReadError> {
        Ok(OrderNumbers { block: Mutex::new((last(store).await? + 1, i64::MAX)) })
    }

    /// For one of many processes: blocks are taken from the store when they are needed.
    pub(crate) fn shared() -> OrderNumbers {
        OrderNumbers { block: Mutex::new((0, 0)) }
    }

    /// The next number.
    pub(crate) async fn take(&self, store: &dyn Store) -> Result<i64, StoreError> {
        if let Some(number) = self.next() {
            return Ok(number);
        }
        let first = counter::take(store, COUNTER, BLOCK).await?;
        let mut block = self.block.lock();
        // Another request of this process may have taken a block at the same time: one of them is left out.
        *block = (first + 1, first + BLOCK);
        Ok(first)
    }

    fn next(&self) -> Option<i64> {
        let mut block = self.block.lock();
        let (next, end) = *block;
        (next < end).then(|| {
            block.0 += 1;
            next
        })
    }
}

/// The highest number among the newest orders. Numbers and ids are handed out apart from each other, so the newest order
/// need not have the highest number; but both are taken one right after the other, so no order is [`NEWEST`] off.
async fn last(store: &dyn Store) -> Result<i64, ReadError> {
    let page = store.query(Query::table(&ORDERS).descending().limit(NEWEST)).await?;
    let numbers = page.rows.iter().filter_map(|row| row.int("number"));
    Ok(numbers.max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use store::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn processes_that_share_a_store_never_give_out_a_number_twice() {
        let store = MemoryStore::new();
        let processes = [OrderNumbers::shared(), OrderNumbers::shared()];
        let mut taken = BTreeSet::new();
        for _ in 0..50 {
            for process in &processes {
                assert!(taken.insert(process.take(&store).await.unwrap()));
            }
        }
        assert_eq!(taken.first(), Some(&1));
    }
}
