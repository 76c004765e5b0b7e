//! What every adapter must do. A test of an adapter makes a store of [`schema`] and calls [`check_all`].

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a suite of assertions")]

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use crate::{
    Add, Batch, Column, CommitError, Index, Key, KeyShape, MAX_BATCH_OPS, Op, Query, ReadError, Row, Schema, Store,
    Table, Value,
};

/// Integer keys, a sparse index, a revision and a body.
pub static ORDERS: Table = Table {
    name: "conformance_orders",
    key: KeyShape::Int("id"),
    columns: &[
        Column::text("status"),
        Column::text("open").null(),
        Column::int("placed_at"),
        Column::int("revision"),
        Column::text("body").null(),
    ],
    indexes: &[
        Index { name: "by_open", columns: &["open", "placed_at"] },
        Index { name: "by_status", columns: &["status"] },
    ],
};

/// Pairs.
pub static LINES: Table = Table {
    name: "conformance_lines",
    key: KeyShape::Pair("order_id", "line"),
    columns: &[Column::text("sku"), Column::int("quantity")],
    indexes: &[Index { name: "by_sku", columns: &["sku", "quantity"] }],
};

/// Text keys and a counter.
pub static STOCK: Table = Table {
    name: "conformance_stock",
    key: KeyShape::Text("sku"),
    columns: &[Column::int("on_hand"), Column::int("reserved")],
    indexes: &[],
};

/// The schema of the suite.
///
/// # Panics
/// Never: the declarations are fixed.
#[must_use]
pub fn schema() -> Schema {
    Schema::new(1, vec![&ORDERS, &LINES, &STOCK]).unwrap()
}

fn order(id: i64, status: &str, open: Option<&str>, placed_at: i64) -> Row {
    let values: Vec<Value> =
        vec![status.into(), open.into(), placed_at.into(), 1.into(), Value::from(Some(format!("{{\"id\":{id}}}")))];
    Row::new(&ORDERS, id, values)
}

fn stock(sku: &str, on_hand: i64) -> Row {
    Row::new(&STOCK, sku, vec![Value::Int(on_hand), Value::Int(0)])
}

fn batch(ops: impl IntoIterator<Item = Op>) -> Batch {
    let mut batch = Batch::new();
    for op in ops {
        batch.push(op);
    }
    batch
}

/// Runs the whole suite on an empty store.
///
/// # Panics
/// With the first behaviour that differs.
pub async fn check_all(store: Arc<dyn Store>) {
    check_conditions(&*store).await;
    check_all_or_nothing(&*store).await;
    check_counters(&*store).await;
    check_limits(&*store).await;
    check_queries(&*store).await;
    check_long_pages(&*store).await;
    check_snapshots(&*store).await;
    check_writers(store.clone()).await;
    check_buyers(store).await;
}

async fn check_snapshots(store: &dyn Store) {
    let row = order(7_001, "SEEN", None, 1);
    store.commit(batch([Op::Insert(row.clone())])).await.unwrap().durable().await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    let mut change = Batch::new();
    change.replace(&row, &row.with(&[("status", "CHANGED".into()), ("revision", 2.into())]), "revision");
    change.insert(order(7_002, "SEEN", None, 2));
    store.commit(change).await.unwrap().durable().await.unwrap();
    assert_eq!(snapshot.get(&ORDERS, &7_001.into()).await.unwrap(), Some(row.clone()), "it never changes");
    assert_eq!(snapshot.get(&ORDERS, &7_002.into()).await.unwrap(), None);
    let seen = snapshot.query(Query::index(&ORDERS, "by_status", "SEEN")).await.unwrap();
    assert_eq!(seen.rows, [row]);
    let written = snapshot.commit(batch([Op::Insert(order(7_003, "SEEN", None, 3))])).await;
    if let Ok(receipt) = written {
        receipt.durable().await.unwrap();
        assert_eq!(store.get(&ORDERS, &7_003.into()).await.unwrap(), None, "nothing is written through it");
    }
    let later = store.snapshot().await.unwrap();
    assert_eq!(later.query(Query::index(&ORDERS, "by_status", "SEEN")).await.unwrap().rows.len(), 1);
    assert!(later.get(&ORDERS, &7_002.into()).await.unwrap().is_some());
}

async fn check_conditions(store: &dyn Store) {
    let row = order(1, "RECEIVED", Some("RECEIVED"), 10);
    assert_eq!(store.get(&ORDERS, &1.into()).await.unwrap(), None);
    store.commit(batch([Op::Insert(row.clone())])).await.unwrap().durable().await.unwrap();
    assert_eq!(store.get(&ORDERS, &1.into()).await.unwrap(), Some(row.clone()));
    let again = store.commit(batch([Op::Insert(row.clone())])).await;
    assert!(matches!(again, Err(CommitError::Conflict { .. })), "insert over a row: {again:?}");

    let ready = row.with(&[("status", "READY".into()), ("revision", 2.into())]);
    let mut change = Batch::new();
    change.replace(&row, &ready, "revision");
    store.commit(change.clone()).await.unwrap();
    assert_eq!(store.get(&ORDERS, &1.into()).await.unwrap(), Some(ready.clone()));
    let stale = store.commit(change).await;
    assert!(matches!(stale, Err(CommitError::Conflict { .. })), "update under a stale revision: {stale:?}");

    let check = |value: i64| Op::Check(&ORDERS, 1.into(), "revision", value.into());
    store.commit(batch([check(2), Op::Insert(order(2, "NEW", None, 20))])).await.unwrap();
    store.commit(Batch::new()).await.unwrap().durable().await.unwrap();
    store.flush().await.unwrap();
    store.commit(batch([check(2)])).await.unwrap().durable().await.unwrap();
    let failed = store.commit(batch([check(1), Op::Insert(order(3, "NEW", None, 20))])).await;
    assert!(matches!(failed, Err(CommitError::Conflict { .. })), "check of another value: {failed:?}");
    let mut absent = Batch::new();
    absent.update(&ORDERS, 77, vec![("revision", 1.into())], None);
    let absent = store.commit(absent).await;
    assert!(matches!(absent, Err(CommitError::Conflict { .. })), "update of no row: {absent:?}");

    let put = ready.with(&[("open", Value::Null)]);
    store.commit(batch([Op::Put(put.clone()), Op::Delete(&ORDERS, 2.into())])).await.unwrap();
    assert_eq!(store.get(&ORDERS, &1.into()).await.unwrap(), Some(put));
    assert_eq!(store.get(&ORDERS, &2.into()).await.unwrap(), None);
    store.commit(batch([Op::Delete(&ORDERS, 2.into()), Op::Delete(&ORDERS, 1.into())])).await.unwrap();
    store.commit(batch([Op::Insert(order(4, "NEW", None, 20))])).await.unwrap();
    let take = |status: &str| batch([Op::Take(&ORDERS, 4.into(), "status", status.into())]);
    let other = store.commit(take("OTHER")).await;
    assert!(matches!(other, Err(CommitError::Conflict { .. })), "take of another value: {other:?}");
    store.commit(take("NEW")).await.unwrap();
    assert_eq!(store.get(&ORDERS, &4.into()).await.unwrap(), None);
    let gone = store.commit(take("NEW")).await;
    assert!(matches!(gone, Err(CommitError::Conflict { .. })), "take of no row: {gone:?}");
    store.commit(batch([Op::Insert(row)])).await.unwrap();
    store.commit(batch([Op::Delete(&ORDERS, 1.into())])).await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(store.get(&ORDERS, &1.into()).await.unwrap(), None);
}

async fn check_all_or_nothing(store: &dyn Store) {
    store.commit(batch([Op::Insert(stock("tea", 5))])).await.unwrap();
    let ops = [
        Op::Insert(order(10, "NEW", None, 1)),
        Op::Add(Add { table: &STOCK, key: "tea".into(), amounts: vec![("on_hand", -6)], floor: 0 }),
    ];
    assert!(store.commit(batch(ops)).await.is_err());
    assert_eq!(store.get(&ORDERS, &10.into()).await.unwrap(), None);
    assert_eq!(store.get(&STOCK, &"tea".into()).await.unwrap(), Some(stock("tea", 5)));
}

async fn check_counters(store: &dyn Store) {
    let add = |amounts: Vec<(&'static str, i64)>| {
        batch([Op::Add(Add { table: &STOCK, key: "tea".into(), amounts, floor: 0 })])
    };
    store.commit(add(vec![("on_hand", -2), ("reserved", 2)])).await.unwrap();
    let tea = Row::new(&STOCK, "tea", vec![Value::Int(3), Value::Int(2)]);
    assert_eq!(store.get(&STOCK, &"tea".into()).await.unwrap(), Some(tea));
    let below = store.commit(add(vec![("on_hand", -4)])).await;
    assert!(matches!(below, Err(CommitError::BelowFloor { .. })), "{below:?}");
    let overflow = store.commit(add(vec![("on_hand", i64::MAX)])).await;
    assert!(overflow.is_err(), "past 64 bits: {overflow:?}");
    store.commit(add(vec![("on_hand", 7)])).await.unwrap();
    assert_eq!(store.get(&STOCK, &"tea".into()).await.unwrap().unwrap().int("on_hand"), Some(10));
}

async fn check_limits(store: &dyn Store) {
    let many: Vec<Op> = (0..=MAX_BATCH_OPS).map(|n| Op::Insert(order(1000 + n as i64, "NEW", None, 1))).collect();
    let invalid = |result: Result<crate::Receipt, CommitError>| matches!(result, Err(CommitError::Invalid(_)));
    assert!(invalid(store.commit(batch(many)).await), "a batch past the limit");
    let twice = [Op::Insert(order(1000, "NEW", None, 1)), Op::Delete(&ORDERS, 1000.into())];
    assert!(invalid(store.commit(batch(twice)).await), "an item twice");
    let misfit = Row::new(&STOCK, "x", vec![Value::from("many"), Value::Int(0)]);
    assert!(invalid(store.commit(batch([Op::Insert(misfit)])).await), "a text in an integer column");
    let short = Row::new(&STOCK, "x", vec![Value::Int(0)]);
    assert!(invalid(store.commit(batch([Op::Insert(short)])).await), "a missing column");
    assert!(invalid(store.commit(batch([Op::Delete(&STOCK, 1.into())])).await), "a key of another shape");
    assert!(invalid(store.commit(batch([Op::Delete(&STOCK, "x".repeat(513).as_str().into())])).await), "a long key");
    let mut typo = Batch::new();
    typo.update(&STOCK, "tea", vec![("on_hand", 1.into())], Some(("revison", Value::Null)));
    assert!(invalid(store.commit(typo).await), "a condition on an unknown column");
    let large = order(1, "NEW", None, 1).with(&[("body", "x".repeat(5 << 20).into())]);
    assert!(invalid(store.commit(batch([Op::Insert(large)])).await), "a batch of 5 MiB");
    assert!(matches!(store.get(&STOCK, &1.into()).await, Err(ReadError::Invalid(_))));
    assert!(matches!(store.query(Query::table(&STOCK).limit(0)).await, Err(ReadError::Invalid(_))));
    assert!(matches!(store.query(Query::table(&STOCK).limit(1001)).await, Err(ReadError::Invalid(_))));
    let unknown = Query::index(&STOCK, "by_nothing", "x");
    assert!(matches!(store.query(unknown).await, Err(ReadError::Invalid(_))));
    let cursor = Query::table(&STOCK).after(Some("nonsense".into()));
    assert!(matches!(store.query(cursor).await, Err(ReadError::Invalid(_))));
}

async fn pages(store: &dyn Store, query: Query) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut after = None;
    for _ in 0..1000 {
        let page = store.query(query.clone().after(after)).await.unwrap();
        assert!(page.rows.len() <= query.limit);
        keys.extend(page.rows.iter().map(|row| row.key().clone()));
        after = page.next;
        if after.is_none() {
            return keys;
        }
    }
    panic!("a query that never ends");
}

async fn check_queries(store: &dyn Store) {
    for n in 0..30_i64 {
        let open = (n % 3 != 0).then_some(if n % 2 == 0 { "READY" } else { "RECEIVED" });
        let mut ops = vec![Op::Insert(order(100 + n, "PLACED", open, 1000 - n / 4))];
        ops.extend((0..n % 4).map(|line| {
            let values = vec![Value::from(if line == 0 { "tea" } else { "cake" }), Value::Int(n)];
            Op::Insert(Row::new(&LINES, (100 + n, line), values))
        }));
        store.commit(batch(ops)).await.unwrap();
    }
    store.flush().await.unwrap();
    let ready: Vec<(i64, i64)> = (0..30)
        .filter(|n| n % 3 != 0 && n % 2 == 0)
        .map(|n| (1000 - n / 4, 100 + n))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let keys: Vec<Key> = ready.iter().map(|(_, id)| Key::Int(*id)).collect();
    let reversed: Vec<Key> = keys.iter().rev().cloned().collect();
    for limit in [1, 3, 100] {
        let query = Query::index(&ORDERS, "by_open", "READY").limit(limit);
        assert_eq!(pages(store, query.clone()).await, keys, "pages of {limit}");
        assert_eq!(pages(store, query.descending()).await, reversed, "pages of {limit}, newest first");
    }
    let range = (Bound::Included(Value::Int(995)), Bound::Excluded(Value::Int(998)));
    let within: Vec<Key> =
        ready.iter().filter(|(at, _)| (995..998).contains(at)).map(|(_, id)| Key::Int(*id)).collect();
    assert!(!within.is_empty());
    let query = Query::index(&ORDERS, "by_open", "READY").range(range.0, range.1).limit(2);
    assert_eq!(pages(store, query).await, within);
    let placed: Vec<Key> = (100..130).map(Key::Int).collect();
    assert_eq!(pages(store, Query::index(&ORDERS, "by_status", "PLACED").limit(7)).await, placed);
    assert_eq!(pages(store, Query::table(&ORDERS).limit(7)).await, placed);
    let newest = store.query(Query::table(&ORDERS).descending().limit(2)).await.unwrap();
    assert_eq!(newest.rows.iter().map(|r| r.key().clone()).collect::<Vec<_>>(), [Key::Int(129), Key::Int(128)]);
    let from = Query::table(&ORDERS).range(Bound::Excluded(Value::Int(127)), Bound::Unbounded);
    assert_eq!(pages(store, from).await, [Key::Int(128), Key::Int(129)]);
    assert_eq!(
        pages(store, Query::partition(&LINES, 103).limit(2)).await,
        [Key::Pair(103, 0), Key::Pair(103, 1), Key::Pair(103, 2)]
    );
    let tea = Query::index(&LINES, "by_sku", "tea").range(Bound::Unbounded, Bound::Included(Value::Int(3)));
    assert_eq!(pages(store, tea.limit(1)).await, [Key::Pair(101, 0), Key::Pair(102, 0), Key::Pair(103, 0)]);
    let all = pages(store, Query::table(&LINES).limit(10)).await;
    assert_eq!(all.len(), (0..30).map(|n| n % 4).sum::<usize>());
    assert!(all.windows(2).all(|w| w[0] < w[1]));

    let row = store.get(&ORDERS, &104.into()).await.unwrap().unwrap();
    let moved = row.with(&[("open", Value::Null), ("revision", 2.into())]);
    let mut change = Batch::new();
    change.replace(&row, &moved, "revision");
    store.commit(change).await.unwrap();
    store.flush().await.unwrap();
    assert!(!pages(store, Query::index(&ORDERS, "by_open", "READY")).await.contains(&Key::Int(104)));
}

/// More rows than an adapter reads from one place at once: every row is listed, and none twice, however large the pages.
async fn check_long_pages(store: &dyn Store) {
    const ROWS: i64 = 230;
    let ids: Vec<i64> = (20_000..20_000 + ROWS).collect();
    for chunk in ids.chunks(MAX_BATCH_OPS / 2) {
        let of = |id: &i64| {
            let line = Row::new(&LINES, (9_000, *id), vec![Value::from("long"), Value::Int(id / 7)]);
            [Op::Insert(order(*id, "LONG", Some("LONG"), id / 5)), Op::Insert(line)]
        };
        store.commit(batch(chunk.iter().flat_map(of))).await.unwrap();
    }
    store.flush().await.unwrap();
    let orders: Vec<Key> = ids.iter().copied().map(Key::Int).collect();
    let lines: Vec<Key> = ids.iter().map(|id| Key::Pair(9_000, *id)).collect();
    let from = || (Bound::Included(Value::Int(20_000)), Bound::Unbounded);
    let queries = [
        (Query::index(&ORDERS, "by_open", "LONG"), &orders),
        (Query::index(&ORDERS, "by_status", "LONG"), &orders),
        (Query::table(&ORDERS).range(from().0, from().1), &orders),
        (Query::partition(&LINES, 9_000), &lines),
        (Query::index(&LINES, "by_sku", "long"), &lines),
    ];
    for (query, keys) in queries {
        let reversed: Vec<Key> = keys.iter().rev().cloned().collect();
        for limit in [64, 100, 1_000] {
            let query = query.clone().limit(limit);
            assert_eq!(&pages(store, query.clone()).await, keys, "pages of {limit}: {query:?}");
            assert_eq!(
                pages(store, query.clone().descending()).await,
                reversed,
                "pages of {limit}, last first: {query:?}"
            );
        }
    }
}

/// Forty writers set one row under its revision: each success is one step of the revision.
async fn check_writers(store: Arc<dyn Store>) {
    store.commit(batch([Op::Insert(order(500, "NEW", None, 0))])).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let store = store.clone();
        writers.spawn(async move {
            let mut won = 0;
            for _ in 0..25 {
                let row = store.get(&ORDERS, &500.into()).await.unwrap().unwrap();
                let revision = row.int("revision").unwrap();
                let next = row.with(&[("revision", (revision + 1).into())]);
                let mut change = Batch::new();
                change.replace(&row, &next, "revision");
                match store.commit(change).await {
                    Ok(_) => won += 1,
                    Err(CommitError::Conflict { .. }) => {}
                    Err(e) => panic!("{e}"),
                }
                tokio::task::yield_now().await;
            }
            won
        });
    }
    let won: i64 = writers.join_all().await.iter().sum();
    let row = store.get(&ORDERS, &500.into()).await.unwrap().unwrap();
    assert!(won > 0);
    assert_eq!(row.int("revision"), Some(1 + won));
}

/// A hundred buyers want one of seven: seven get one.
async fn check_buyers(store: Arc<dyn Store>) {
    store.commit(batch([Op::Insert(stock("last", 7))])).await.unwrap();
    let mut buyers = tokio::task::JoinSet::new();
    for n in 0..100_i64 {
        let store = store.clone();
        buyers.spawn(async move {
            let take = Op::Add(Add { table: &STOCK, key: "last".into(), amounts: vec![("on_hand", -1)], floor: 0 });
            let result = store.commit(batch([take, Op::Insert(order(600 + n, "BOUGHT", None, n))])).await;
            match result {
                Ok(receipt) => receipt.durable().await.is_ok(),
                Err(CommitError::BelowFloor { .. }) => false,
                Err(e) => panic!("{e}"),
            }
        });
    }
    let bought = buyers.join_all().await.into_iter().filter(|bought| *bought).count();
    assert_eq!(bought, 7);
    assert_eq!(store.get(&STOCK, &"last".into()).await.unwrap().unwrap().int("on_hand"), Some(0));
    assert_eq!(pages(&*store, Query::index(&ORDERS, "by_status", "BOUGHT")).await.len(), 7);
}
