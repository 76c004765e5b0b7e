//! Who follows the orders: a store that sees every commit, and tells of changes once they are durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use domain::order::OrderStatus;
use store::{Batch, CommitError, Key, Op, Page, Query, ReadError, Receipt, Row, Store, Table, Value};
use tokio::sync::{Notify, broadcast, mpsc};

use crate::catalogue::Menu;
use crate::records::{bench, delivery, ledger, order, payment, product};
use crate::views::{OrderChange, Stats};

/// How many changes a slow follower may be behind before it loses the oldest.
const FOLLOWER_LAG: usize = 4_096;
/// How many commits may wait for their durability before further ones wait to be told of.
const UNTOLD: usize = 65_536;

/// Counts and followers, and the catalogue in memory, which follows the products.
pub(crate) struct Feed {
    menu: Arc<Menu>,
    changes: broadcast::Sender<OrderChange>,
    placed: AtomicU64,
    confirmed: AtomicU64,
    completed: AtomicU64,
    rejected: AtomicU64,
    cancelled: AtomicU64,
    expired: AtomicU64,
    bench_confirmed: AtomicU64,
}

/// What a commit did that somebody follows.
enum News {
    Order {
        id: i64,
        status: Option<OrderStatus>,
        revision: Option<i64>,
    },
    /// The payment or the delivery of an order.
    Around {
        order_id: i64,
    },
    BenchConfirmed,
    Catalogue,
}

impl Feed {
    fn new(menu: Arc<Menu>) -> Feed {
        Feed {
            menu,
            changes: broadcast::channel(FOLLOWER_LAG).0,
            placed: AtomicU64::new(0),
            confirmed: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            expired: AtomicU64::new(0),
            bench_confirmed: AtomicU64::new(0),
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<OrderChange> {
        self.changes.subscribe()
    }

    pub(crate) fn bench_confirmed(&self) -> u64 {
        self.bench_confirmed.load(Ordering::Relaxed)
    }

    pub(crate) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            placed: read(&self.placed),
            confirmed: read(&self.confirmed),
            completed: read(&self.completed),
            rejected: read(&self.rejected),
            cancelled: read(&self.cancelled),
            expired: read(&self.expired),
        }
    }

    fn count(&self, status: OrderStatus) {
        let counter = match status {
            OrderStatus::Checkout => &self.placed,
            OrderStatus::Received => &self.confirmed,
            OrderStatus::Completed => &self.completed,
            OrderStatus::Rejected => &self.rejected,
            OrderStatus::Cancelled => &self.cancelled,
            OrderStatus::Expired => &self.expired,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn tell(&self, all: &[News]) {
        for news in all {
            let change = match news {
                News::BenchConfirmed => {
                    self.bench_confirmed.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                News::Catalogue => {
                    self.menu.forget();
                    continue;
                }
                News::Order { id, status, revision } => {
                    if let Some(status) = status {
                        self.count(*status);
                    }
                    (*id, *status, *revision)
                }
                News::Around { order_id } => (*order_id, None, None),
            };
            if self.changes.receiver_count() > 0 {
                let (id, status, revision) = change;
                // Nobody listening any more is fine.
                drop(self.changes.send(OrderChange { order_id: order::public_id(id), status, revision }));
            }
        }
    }
}

/// Whether a batch records entries of the ledger.
fn records_entries(batch: &Batch) -> bool {
    batch.ops().iter().any(|op| matches!(op, Op::Insert(row) if row.table().name == ledger::PENDING.name))
}

/// The news in a batch.
fn news(batch: &Batch) -> Vec<News> {
    let mut all = Vec::new();
    for op in batch.ops() {
        let (table, key) = op.item();
        if *table == product::PRODUCTS {
            all.push(News::Catalogue);
        }
        let Some(id) = key.int() else { continue };
        if *table == order::ORDERS {
            let (status, revision) = match op {
                Op::Insert(row) => (row.value("status").clone(), row.value("revision").clone()),
                Op::Update(update) => (find(&update.set, "status"), find(&update.set, "revision")),
                _ => continue,
            };
            all.push(News::Order {
                id,
                status: status.as_text().and_then(OrderStatus::from_name),
                revision: revision.as_int(),
            });
        } else if (*table == payment::PAYMENTS || *table == delivery::DELIVERIES) && matches!(op, Op::Update(_)) {
            all.push(News::Around { order_id: id });
        } else if *table == bench::ORDERS
            && let Op::Update(update) = op
            && find(&update.set, "status").as_text() == Some("CONFIRMED")
        {
            all.push(News::BenchConfirmed);
        }
    }
    all
}

fn find(set: &[(&'static str, Value)], column: &str) -> Value {
    let found = set.iter().find(|(name, _)| *name == column);
    found.map_or(Value::Null, |(_, value)| value.clone())
}

/// The store that everybody commits through.
pub(crate) struct Observed {
    inner: Arc<dyn Store>,
    feed: Arc<Feed>,
    untold: mpsc::Sender<(Receipt, Vec<News>)>,
    /// Told when entries of the ledger were recorded, before they are durable.
    entries: Arc<Notify>,
}

impl Observed {
    /// Wraps a store; needs a Tokio runtime for the task that tells.
    pub(crate) fn new(inner: Arc<dyn Store>, menu: Arc<Menu>, entries: Arc<Notify>) -> (Arc<Observed>, Arc<Feed>) {
        let feed = Arc::new(Feed::new(menu));
        let (untold, mut receiver) = mpsc::channel::<(Receipt, Vec<News>)>(UNTOLD);
        let teller = feed.clone();
        tokio::spawn(async move {
            while let Some((receipt, news)) = receiver.recv().await {
                // What never became durable never happened.
                if receipt.durable().await.is_ok() {
                    teller.tell(&news);
                }
            }
        });
        let observed = Observed { inner, feed: feed.clone(), untold, entries };
        (Arc::new(observed), feed)
    }
}

#[async_trait]
impl Store for Observed {
    async fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError> {
        self.inner.get(table, key).await
    }

    async fn query(&self, query: Query) -> Result<Page, ReadError> {
        self.inner.query(query).await
    }

    async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        let news = news(&batch);
        let records = records_entries(&batch);
        let receipt = self.inner.commit(batch).await?;
        if records {
            self.entries.notify_one();
        }
        if news.is_empty() {
            return Ok(receipt);
        }
        if receipt.is_durable() {
            self.feed.tell(&news);
        } else if self.untold.send((receipt.clone(), news)).await.is_err() {
            tracing::error!("the task that tells of changes has ended");
        }
        Ok(receipt)
    }

    async fn flush(&self) -> Result<(), CommitError> {
        self.inner.flush().await
    }

    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError> {
        self.inner.snapshot().await
    }
}
