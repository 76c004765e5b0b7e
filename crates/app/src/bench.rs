//! The benchmark's job: what every peer of the bench does, as a flow of ours.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use store::{Batch, Query, Row, Table, Value, id};

use crate::commands::BenchOrder;
use crate::error::StoreError;
use crate::records::bench::{MESSAGES, ORDERS, PAYMENTS, RECEIPTS, STOCK};
use crate::views::{BenchStatus, BenchVerdict};
use crate::{App, FindError, Kind, Problem};

/// The most lines of a benchmark order.
const MAX_LINES: usize = 50;
/// The most units of a line.
const MAX_QUANTITY: i64 = 1_000_000;
/// Rows of one seeding batch.
const SEED_BATCH: i64 = 100;

/// Why a benchmark order was not placed.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No line, too many, or a quantity below one.
    #[error("a benchmark order has 1 to 50 lines with quantities of 1 to 1000000")]
    Lines,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for BenchError {
    fn kind(&self) -> Kind {
        match self {
            BenchError::Lines => Kind::Invalid,
            BenchError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            BenchError::Lines => "lines-out-of-range",
            BenchError::Store(error) => error.code(),
        }
    }
}

/// The lines as they stand in the store: `sku:quantity,sku:quantity`.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (i64, i64)> {
    let line = |line: &str| {
        let (sku, quantity) = line.split_once(':')?;
        Some((sku.parse().ok()?, quantity.parse().ok()?))
    };
    text.split(',').filter_map(line)
}

/// Microseconds since the epoch.
pub(crate) fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

impl App {
    /// Places a benchmark order and starts its flow; returns once that is durable.
    ///
    /// # Errors
    /// [`BenchError`].
    pub async fn bench_place(&self, order: BenchOrder) -> Result<BenchStatus, BenchError> {
        let good = |quantity: i64| (1..=MAX_QUANTITY).contains(&quantity);
        let count = order.lines.len();
        if count == 0 || count > MAX_LINES || !order.lines.iter().all(|line| good(line.qty)) {
            return Err(BenchError::Lines);
        }
        let mut text = String::with_capacity(count * 8);
        for line in &order.lines {
            if !text.is_empty() {
                text.push(',');
            }
            text += &format!("{}:{}", line.sku, line.qty);
        }
        let id = id::next();
        let order_id = id::encode(id);
        let customer: String = order.customer_id.chars().take(64).collect();
        let values = vec![Value::from(customer), Value::from(text), Value::from("PLACED"), Value::Null, Value::Null];
        let mut batch = Batch::new();
        batch.insert(Row::new(&ORDERS, id, values));
        batch.start_flow(crate::BENCH_FLOW_NAME, &order_id, json!({ "orderId": order_id }));
        self.commit(batch).await.map_err(StoreError::from)?;
        Ok(BenchStatus { order_id, status: "PLACED".into(), total: None, confirmed_at_us: None })
    }

    /// A benchmark order.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn bench_status(&self, order_id: &str) -> Result<BenchStatus, FindError> {
        let not_found = || FindError::not_found("benchmark order", order_id);
        let id = id::decode(order_id).ok_or_else(not_found)?;
        let row = self.store.get(&ORDERS, &id.into()).await?.ok_or_else(not_found)?;
        Ok(BenchStatus {
            order_id: id::encode(id),
            status: row.text("status").unwrap_or_default().to_owned(),
            total: row.int("total"),
            confirmed_at_us: row.int("confirmed_at_us"),
        })
    }

    /// How many benchmark orders were confirmed since start, each counted once it is durable.
    #[must_use]
    pub fn bench_confirmed(&self) -> u64 {
        self.feed.bench_confirmed()
    }

    /// Makes sure that SKUs 1 to `skus` exist, each with `quantity` units at start and a price of 100 to 999.
    ///
    /// # Errors
    /// [`BenchError::Store`].
    pub async fn bench_seed(&self, skus: i64, quantity: i64) -> Result<(), BenchError> {
        let there = self.store.query(Query::table(&STOCK).limit(1)).await;
        if !there.map_err(StoreError::from)?.rows.is_empty() {
            return Ok(());
        }
        let mut first = 1;
        while first <= skus {
            let mut batch = Batch::new();
            for sku in first..=skus.min(first + SEED_BATCH - 1) {
                let values = vec![Value::Int(quantity), Value::Int(100 + sku % 900)];
                batch.insert(Row::new(&STOCK, sku, values));
            }
            self.commit(batch).await.map_err(StoreError::from)?;
            first += SEED_BATCH;
        }
        Ok(())
    }

    /// What the durable state holds.
    ///
    /// # Errors
    /// [`FindError::Store`].
    pub async fn bench_verify(&self) -> Result<BenchVerdict, FindError> {
        let mut verdict = BenchVerdict { confirmed: 0, stock_sum: 0, taken_sum: 0, incomplete: 0 };
        let mut payments = Pages::new(&PAYMENTS);
        let mut receipts = Pages::new(&RECEIPTS);
        let mut messages = Pages::new(&MESSAGES);
        let mut orders = Pages::new(&ORDERS);
        while let Some(order) = orders.next(self).await? {
            if order.text("status") != Some("CONFIRMED") {
                continue;
            }
            verdict.confirmed += 1;
            let taken: i64 = lines(order.text("lines").unwrap_or_default()).map(|(_, n)| n).sum();
            verdict.taken_sum += taken;
            let Some(id) = order.key().int() else { continue };
            let total = order.int("total");
            let paid = payments.find(self, id).await?.and_then(|row| row.int("amount"));
            let issued = receipts.find(self, id).await?.and_then(|row| row.int("total"));
            let told = messages.find(self, id).await?.is_some();
            if total.is_none() || paid != total || issued != total || !told {
                verdict.incomplete += 1;
            }
        }
        let mut stock = Pages::new(&STOCK);
        while let Some(row) = stock.next(self).await? {
            verdict.stock_sum += row.int("quantity").unwrap_or(0);
        }
        Ok(verdict)
    }
}

/// A table read in key order, page by page.
struct Pages {
    table: &'static Table,
    page: std::vec::IntoIter<Row>,
    ahead: HashMap<i64, Row>,
    cursor: Option<String>,
    ended: bool,
}

impl Pages {
    fn new(table: &'static Table) -> Pages {
        Pages { table, page: Vec::new().into_iter(), ahead: HashMap::new(), cursor: None, ended: false }
    }

    async fn next(&mut self, app: &App) -> Result<Option<Row>, FindError> {
        loop {
            if let Some(row) = self.page.next() {
                return Ok(Some(row));
            }
            if self.ended {
                return Ok(None);
            }
            let query = Query::table(self.table).limit(store::MAX_PAGE).after(self.cursor.take());
            let page = app.store.query(query).await?;
            self.ended = page.next.is_none();
            self.cursor = page.next;
            self.page = page.rows.into_iter();
        }
    }

    /// The row of a key, when keys are asked for in ascending order.
    async fn find(&mut self, app: &App, id: i64) -> Result<Option<Row>, FindError> {
        if let Some(row) = self.ahead.remove(&id) {
            return Ok(Some(row));
        }
        while let Some(row) = self.next(app).await? {
            match row.key().int() {
                Some(found) if found == id => return Ok(Some(row)),
                Some(found) if found > id => {
                    self.ahead.insert(found, row);
                    return Ok(None);
                }
                _ => {}
            }
        }
        Ok(None)
    }
}
