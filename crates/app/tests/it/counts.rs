//! What an order asks of the store, in units of DynamoDB: the numbers behind `comanda cost`.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use store::memory::MemoryStore;
use store::{Batch, CommitError, Key, Op, Page, Query, ReadError, Receipt, Row, Store, Table, Value};

use crate::shop::{Carrier, Shop, brought, settings};

/// How far a count may be from `deploy/cost.json`, in parts of a hundred: the table is an estimate, not a promise.
const TOLERANCE: u64 = 15;

/// Requests, and the units that DynamoDB bills for them.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    gets: u64,
    commits: u64,
    operations: u64,
    read_units: u64,
    write_units: u64,
}

/// Counts what passes through.
struct Counting {
    inner: Arc<MemoryStore>,
    tally: Mutex<Tally>,
}

fn units(size_bytes: usize, unit: usize) -> u64 {
    size_bytes.div_ceil(unit).max(1) as u64
}

/// The entries that a row has in indexes, the listing of its table among them (docs/aws-store.md).
fn entries(row: &Row) -> u64 {
    let indexed = |index: &&store::Index| index.columns.first().is_some_and(|column| *row.value(column) != Value::Null);
    1 + row.table().indexes.iter().filter(indexed).count() as u64
}

impl Counting {
    /// The units of one operation: its item once, twice in a transaction, and the index entries that it changes.
    async fn cost(&self, op: &Op, times: u64) -> u64 {
        let (table, key) = op.item();
        let before = self.inner.get(table, key).await.unwrap();
        let size = before.as_ref().map_or(0, Row::size_bytes);
        match op {
            Op::Insert(row) | Op::Put(row) => {
                let rewritten = if before.is_some() { 0 } else { entries(row) };
                times * units(row.size_bytes().max(size), 1024) + rewritten
            }
            Op::Update(update) => {
                let changed = |index: &&store::Index| {
                    let differs = |column: &str| {
                        let new = update.set.iter().find(|(name, _)| *name == column).map(|(_, value)| value);
                        new.is_some_and(|new| before.as_ref().map(|row| row.value(column)) != Some(new))
                    };
                    index.columns.iter().any(|column| differs(column))
                };
                // An entry that moves is deleted and written.
                times * units(size + op.size_bytes(), 1024) + 2 * table.indexes.iter().filter(changed).count() as u64
            }
            Op::Delete(..) => times * units(size, 1024) + before.as_ref().map_or(0, entries),
            _ => times * units(size, 1024),
        }
    }
}

#[async_trait]
impl Store for Counting {
    async fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError> {
        let row = self.inner.get(table, key).await?;
        let mut tally = self.tally.lock();
        tally.gets += 1;
        tally.read_units += units(row.as_ref().map_or(0, Row::size_bytes), 4096);
        Ok(row)
    }

    async fn query(&self, query: Query) -> Result<Page, ReadError> {
        self.inner.query(query).await
    }

    async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        let times = if batch.ops().len() > 1 { 2 } else { 1 };
        let mut write_units = 0;
        for op in batch.ops() {
            write_units += self.cost(op, times).await;
        }
        {
            let mut tally = self.tally.lock();
            tally.commits += 1;
            tally.operations += batch.ops().len() as u64;
            tally.write_units += write_units;
        }
        self.inner.commit(batch).await
    }

    async fn flush(&self) -> Result<(), CommitError> {
        self.inner.flush().await
    }

    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError> {
        self.inner.snapshot().await
    }
}

/// The count of that line of `deploy/cost.json`.
fn counted(what: &str) -> u64 {
    let table: Json = serde_json::from_str(include_str!("../../../../deploy/cost.json")).unwrap();
    let line = table["each"].as_array().unwrap().iter().find(|line| line["what"] == what).unwrap();
    line["count"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_order_costs_what_the_table_says() {
    let counting = Arc::new(Counting { inner: Arc::new(MemoryStore::new()), tally: Mutex::default() });
    let shop =
        Shop::through(counting.inner.clone(), counting.clone(), settings(), Some(Arc::new(Carrier::default())), None)
            .await;
    *counting.tally.lock() = Tally::default();
    let id = shop.place(brought("4242424242424242")).await;
    let steps = "validate-order reserve-stock request-payment webhook commit-stock capture-payment send-notification \
                 generate-receipt await-preparation start ready dispatch-delivery await-delivery courier courier \
                 complete-order";
    shop.run(&id, steps).await;
    assert_eq!(shop.order(&id).await.status.as_str(), "COMPLETED");
    let mails = shop.drain("mail", 1).await as u64;
    assert_eq!(mails, counted("mails"));
    for _ in 0..10 {
        shop.order(&id).await;
    }
    let mut tally = *counting.tally.lock();
    // On AWS each step looks for its record and writes it with its changes: an item of 1 KB in a transaction, its entry in
    // the listing of its table; a step without changes writes it all the same.
    let functions = steps.split_whitespace().filter(|word| word.contains('-')).count() as u64;
    tally.read_units += functions;
    tally.write_units += functions * 3;
    // The messages that the runtime, not a consumer, takes: deleted alone, with their entries in two indexes.
    let messages = shop.messages("start-flow").await.len() + shop.messages("task-result").await.len();
    tally.write_units += messages as u64 * 3;
    let told = json!(format!("{tally:?}, {functions} steps, {messages} answers"));
    for (what, found) in [("write units", tally.write_units), ("read units", tally.read_units)] {
        let written = counted(what);
        assert!(
            found.abs_diff(written) * 100 <= written * TOLERANCE,
            "`{what}` in deploy/cost.json is {written}, counted are {found}: {told}"
        );
    }
}
