//! The embedded adapter.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use store::conformance::{LINES, ORDERS, STOCK, check_all, schema};
use store::sqlite::SqliteStore;
use store::{Batch, Column, CommitError, Index, Key, KeyShape, OpenError, Query, Row, Schema, Store, Table, Value};
use tempfile::TempDir;

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(&folder.join("comanda.db"), &schema()).unwrap()
}

fn order(id: i64) -> Row {
    Row::new(&ORDERS, id, vec![Value::from("NEW"), Value::Null, Value::Int(id), Value::Int(1), Value::Null])
}

fn insert(id: i64) -> Batch {
    let mut batch = Batch::new();
    batch.insert(order(id));
    batch
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_conforms() {
    let folder = TempDir::new().unwrap();
    check_all(Arc::new(open(folder.path()))).await;
}

#[tokio::test]
async fn what_is_durable_is_there_after_reopening() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for id in 1..=200 {
        store.commit(insert(id)).await.unwrap();
    }
    let mut change = Batch::new();
    change.delete(&ORDERS, 7);
    change.update(&ORDERS, 8, vec![("status", "DONE".into())], None);
    store.commit(change).await.unwrap().durable().await.unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.get(&ORDERS, &7.into()).await.unwrap(), None);
    assert_eq!(store.get(&ORDERS, &8.into()).await.unwrap().unwrap().text("status"), Some("DONE"));
    assert_eq!(store.query(Query::table(&ORDERS).limit(1000)).await.unwrap().rows.len(), 199);
    // Keys below the greatest are looked up, above it they are known to be absent.
    assert!(matches!(store.commit(insert(9)).await, Err(CommitError::Conflict { .. })));
    store.commit(insert(7)).await.unwrap().durable().await.unwrap();
    store.commit(insert(201)).await.unwrap().durable().await.unwrap();
}

#[tokio::test]
async fn a_row_that_comes_and_goes_in_one_group_leaves_no_trace_and_nothing_stale() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    for round in 0..50 {
        store.commit(insert(1)).await.unwrap();
        if round % 3 == 0 {
            store.flush().await.unwrap();
        }
        let mut delete = Batch::new();
        delete.delete(&ORDERS, 1);
        store.commit(delete).await.unwrap();
        if round % 2 == 0 {
            store.flush().await.unwrap();
        }
        assert_eq!(store.get(&ORDERS, &1.into()).await.unwrap(), None);
    }
    drop(store);
    assert_eq!(open(folder.path()).get(&ORDERS, &1.into()).await.unwrap(), None);
}

#[tokio::test]
async fn rows_beyond_the_cache_are_read_from_the_file() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let body = "x".repeat(100 << 10);
    for id in 1..=400 {
        let mut batch = Batch::new();
        batch.insert(order(id).with(&[("body", body.as_str().into())]));
        store.commit(batch).await.unwrap();
    }
    store.flush().await.unwrap();
    store.commit(insert(1000)).await.unwrap().durable().await.unwrap();
    let usage = store.usage();
    assert!(usage.cached_bytes <= 17 << 20, "{usage:?}");
    assert!(usage.cached_rows < 400, "{usage:?}");
    for id in 1..=400 {
        let mut change = Batch::new();
        change.update(&ORDERS, id, vec![("revision", 2.into())], Some(("revision", 1.into())));
        store.commit(change).await.unwrap();
        let row = store.get(&ORDERS, &id.into()).await.unwrap().unwrap();
        assert_eq!((row.int("revision"), row.text("body").map(str::len)), (Some(2), Some(100 << 10)));
    }
}

#[test]
fn the_file_reads_with_plain_sql() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { store.commit(insert(5)).await.unwrap().durable().await.unwrap() });
    let connection = rusqlite::Connection::open(folder.path().join("comanda.db")).unwrap();
    let sql = "SELECT status, placed_at FROM conformance_orders WHERE id = 5";
    let row: (String, i64) = connection.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    assert_eq!(row, ("NEW".into(), 5));
}

#[test]
fn a_second_process_a_newer_file_and_a_foreign_file_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("comanda.db");
    let first = open(folder.path());
    assert!(matches!(SqliteStore::open(&path, &schema()), Err(OpenError::InUse(_))));
    drop(first);
    let newer = Schema::new(2, schema().tables).unwrap();
    drop(SqliteStore::open(&path, &newer).unwrap());
    assert!(matches!(SqliteStore::open(&path, &schema()), Err(OpenError::Newer { found: 2, known: 1, .. })));
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(matches!(SqliteStore::open(&foreign, &schema()), Err(OpenError::Unusable { .. })));
    let text = folder.path().join("text.db");
    std::fs::write(&text, "this is no database, but long enough to be read as the header of one, surely so.").unwrap();
    assert!(matches!(SqliteStore::open(&text, &schema()), Err(OpenError::Unusable { .. })));
    let nowhere = folder.path().join("no/such/folder.db");
    assert!(matches!(SqliteStore::open(&nowhere, &schema()), Err(OpenError::Unusable { .. })));
}

#[tokio::test]
async fn an_older_file_gains_the_new_columns_and_indexes() {
    static BEFORE: Table =
        Table { name: "things", key: KeyShape::Int("id"), columns: &[Column::text("name")], indexes: &[] };
    static AFTER: Table = Table {
        name: "things",
        key: KeyShape::Int("id"),
        columns: &[Column::text("name"), Column::int("size"), Column::text("colour").null()],
        indexes: &[Index { name: "by_name", columns: &["name", "size"] }],
    };
    static CHANGED: Table =
        Table { name: "things", key: KeyShape::Int("id"), columns: &[Column::int("name")], indexes: &[] };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("comanda.db");
    let store = SqliteStore::open(&path, &Schema::new(1, vec![&BEFORE]).unwrap()).unwrap();
    let mut batch = Batch::new();
    batch.insert(Row::new(&BEFORE, 1, vec![Value::from("box")]));
    store.commit(batch).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&path, &Schema::new(2, vec![&AFTER]).unwrap()).unwrap();
    let page = store.query(Query::index(&AFTER, "by_name", "box")).await.unwrap();
    assert_eq!(page.rows[0].values(), [Value::from("box"), Value::Int(0), Value::Null]);
    drop(store);
    let changed = SqliteStore::open(&path, &Schema::new(3, vec![&CHANGED]).unwrap());
    assert!(matches!(changed, Err(OpenError::Unusable { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_while_serving_is_a_whole_store() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(open(folder.path()));
    for id in 1..=100 {
        store.commit(insert(id)).await.unwrap();
    }
    store.flush().await.unwrap();
    let busy = store.clone();
    let writing = tokio::spawn(async move {
        for id in 101..=2000 {
            busy.commit(insert(id)).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let (from, to) = (folder.path().join("comanda.db"), folder.path().join("copy.db"));
    let copy = to.clone();
    let from_again = from.clone();
    tokio::task::spawn_blocking(move || SqliteStore::backup(&from, &copy).unwrap()).await.unwrap();
    writing.await.unwrap();
    assert!(SqliteStore::backup(&from_again, &to).is_err(), "a backup overwrites nothing");
    let copy = SqliteStore::open(&to, &schema()).unwrap();
    assert!(copy.get(&ORDERS, &100.into()).await.unwrap().is_some());
}

/// A writer that another program blocks refuses new work, keeps what it has, and goes on when it can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_file_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path());
    store.commit(insert(1)).await.unwrap().durable().await.unwrap();
    let other = rusqlite::Connection::open(folder.path().join("comanda.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = store.commit(insert(2)).await.unwrap();
    let refused = loop {
        let mut change = Batch::new();
        change.update(&ORDERS, 1, vec![("revision", 2.into())], None);
        match store.commit(change).await {
            Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            Err(CommitError::Unavailable(e)) => break e.to_string(),
            Err(e) => panic!("{e}"),
        }
    };
    assert!(!waiting.is_durable());
    assert!(refused.contains("cannot write"), "{refused}");
    other.execute_batch("ROLLBACK").unwrap();
    waiting.durable().await.unwrap();
    drop(store);
    assert!(open(folder.path()).get(&ORDERS, &2.into()).await.unwrap().is_some());
}

/// A child that commits as fast as it can and prints what is durable is killed; all that it printed is there.
#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    if let Ok(folder) = std::env::var("STORE_CRASH_CHILD") {
        return child(Path::new(&folder));
    }
    for round in 0..5 {
        let folder = TempDir::new().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sqlite::a_killed_process_loses_nothing_acknowledged", "--nocapture"])
            .env("STORE_CRASH_CHILD", folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = Vec::new();
        let output = std::io::BufReader::new(child.stdout.take().unwrap());
        for line in std::io::BufRead::lines(output) {
            if let Some(id) = line.unwrap().strip_prefix("durable ").and_then(|n| n.parse::<i64>().ok()) {
                acknowledged.push(id);
            }
            if acknowledged.len() == 100 * (round + 1) {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(acknowledged.len() >= 100 * (round + 1));
        let store = open(folder.path());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        for id in acknowledged {
            let row = runtime.block_on(store.get(&ORDERS, &id.into())).unwrap();
            assert_eq!(row, Some(order(id)), "round {round}");
            let line = runtime.block_on(store.get(&LINES, &Key::Pair(id, 1))).unwrap();
            assert!(line.is_some(), "round {round}: half a batch of order {id}");
        }
    }
}

fn child(folder: &Path) {
    let store = Arc::new(open(folder));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut tea = Batch::new();
        tea.insert(Row::new(&STOCK, "tea", vec![Value::Int(0), Value::Int(0)]));
        store.commit(tea).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for lane in 0..8_i64 {
            let store = store.clone();
            tasks.spawn(async move {
                for n in 0..100_000 {
                    let id = n * 8 + lane;
                    let mut batch = insert(id);
                    batch.insert(Row::new(&LINES, (id, 1), vec![Value::from("tea"), Value::Int(1)]));
                    batch.add(&STOCK, "tea", "on_hand", 1, 0);
                    store.commit(batch).await.unwrap().durable().await.unwrap();
                    println!("durable {id}");
                }
            });
        }
        tasks.join_all().await;
    });
}
