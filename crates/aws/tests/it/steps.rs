//! A function of the order's flow on DynamoDB, invoked as Lambda may invoke it: twice at once, and after a crash.

use std::process::Command;
use std::sync::Arc;

use app::{App, Function, FunctionError, Ports, Secrets, Settings, commands};
use async_trait::async_trait;
use aws::{DynamoStore, step};
use object_store::memory::InMemory;
use serde_json::{Value as Json, json};
use store::{Batch, CommitError, Key, Page, Query, ReadError, Receipt, Row, Schema, Store, Table};

use crate::emulator::{Emulator, Kind, store_at};

fn schema() -> Schema {
    let own = [&store::message::MESSAGES, &step::STEPS];
    Schema::new(1, app::tables().into_iter().chain(own).collect()).unwrap()
}

async fn open(store: Arc<dyn Store>) -> App {
    let settings = Settings { shared: true, ..Settings::default() };
    let secrets = Secrets::new(b"0123456789abcdef");
    let ports = Ports::embedded(store, Arc::new(InMemory::new()), &secrets, &settings);
    App::open(ports, secrets, settings).await.unwrap()
}

fn function(app: &App, name: &str) -> Arc<dyn Function> {
    app.functions().into_iter().find(|function| function.name() == name).unwrap()
}

fn input(order: &str) -> Json {
    json!({ "orderId": order, "step": "arn:aws:states:x:1:execution:order:1/ReserveStock/2026-01-01T00:00:00.000Z" })
}

/// A shop with an order for one guarana.
async fn ordered() -> Option<(Emulator, DynamoStore, App, String)> {
    let emulator = Kind::Dynoxide.start()?;
    let store = store_at(&emulator.url, &schema(), vec![step::EXPIRY]).await;
    let app = open(Arc::new(store.clone())).await;
    app.seed_catalogue().await.unwrap();
    let order = place(&app).await;
    Some((emulator, store, app, order))
}

async fn place(app: &App) -> String {
    let command: commands::PlaceOrder = serde_json::from_value(json!({
        "lines": [{ "sku": "guarana", "quantity": 1 }],
        "payment": { "type": "pix" },
    }))
    .unwrap();
    app.place_order(command, None).await.unwrap().order.order_id
}

/// What the counters of the product say.
async fn reserved(store: &DynamoStore) -> Option<i64> {
    let stock = app::tables().into_iter().find(|table| table.name == "stock").unwrap();
    store.get(stock, &"guarana".into()).await.unwrap().unwrap().int("reserved")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_invocations_at_once_take_effect_once() {
    let Some((_emulator, store, app, order)) = ordered().await else { return };
    let reserve = function(&app, "reserve-stock");
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, reserve, input) = (store.clone(), reserve.clone(), input(&order));
        runs.spawn(async move { step::run(&store, &*reserve, input, store::clock::now_ms).await });
    }
    let answers: Result<Vec<Json>, FunctionError> = runs.join_all().await.into_iter().collect();
    let answers = answers.unwrap();
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    assert_eq!(reserved(&store).await, Some(1));
}

/// The store of a process that ends right after its first commit, before anybody hears of it.
struct Dying(DynamoStore);

#[async_trait]
impl Store for Dying {
    async fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError> {
        self.0.get(table, key).await
    }

    async fn query(&self, query: Query) -> Result<Page, ReadError> {
        self.0.query(query).await
    }

    async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        self.0.commit(batch).await.unwrap();
        std::process::abort();
    }

    async fn flush(&self) -> Result<(), CommitError> {
        Ok(())
    }

    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError> {
        self.0.snapshot().await
    }
}

/// The process that dies; does nothing unless [`a_function_that_dies_after_its_commit_has_taken_effect_once`] starts it.
#[tokio::test]
async fn child() {
    let (Ok(url), Ok(order)) = (std::env::var("AWS_TEST_URL"), std::env::var("AWS_TEST_ORDER")) else { return };
    let store = store_at(&url, &schema(), vec![step::EXPIRY]).await;
    let app = open(Arc::new(store.clone())).await;
    let reserve = function(&app, "reserve-stock");
    drop(step::run(&Dying(store), &*reserve, input(&order), store::clock::now_ms).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_dies_after_its_commit_has_taken_effect_once() {
    let Some((emulator, store, app, order)) = ordered().await else { return };
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "steps::child"]).env("AWS_TEST_URL", &emulator.url).env("AWS_TEST_ORDER", &order);
    let died = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    assert!(!died.status.success(), "it did not die: {}", String::from_utf8_lossy(&died.stdout));
    assert_eq!(reserved(&store).await, Some(1), "it died before its commit");
    let reserve = function(&app, "reserve-stock");
    for _ in 0..2 {
        let answer = step::run(&store, &*reserve, input(&order), store::clock::now_ms).await.unwrap();
        assert!(answer.get("secondsLeft").is_some(), "{answer}");
    }
    assert_eq!(reserved(&store).await, Some(1));
}

/// The first functions of a new installation start at once: each makes what is missing, or finds it made.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_table_is_opened_by_many_at_once() {
    let Some(emulator) = Kind::Ministack.start() else { return };
    let store = store_at(&emulator.url, &schema(), vec![step::EXPIRY]).await;
    let mut openings = tokio::task::JoinSet::new();
    for _ in 0..12 {
        openings.spawn(open(Arc::new(store.clone())));
    }
    let apps = openings.join_all().await;
    let charts: Vec<_> = apps.iter().map(|app| app.ledger().accounts().accounts.len()).collect();
    assert!(charts.iter().all(|accounts| *accounts == charts[0] && *accounts > 15), "{charts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_many_processes_have_no_gaps() {
    let Some((_emulator, store, app, first)) = ordered().await else { return };
    let mut orders = vec![first];
    for _ in 1..6 {
        orders.push(place(&app).await);
    }
    let mut runs = tokio::task::JoinSet::new();
    for order in orders {
        let store = store.clone();
        runs.spawn(async move {
            // Each in a process of its own, as far as memory goes.
            let app = open(Arc::new(store.clone())).await;
            step::run(&store, &*function(&app, "generate-receipt"), input(&order), store::clock::now_ms).await
        });
    }
    let answers: Result<Vec<Json>, FunctionError> = runs.join_all().await.into_iter().collect();
    let mut numbers: Vec<i64> = answers.unwrap().iter().map(|answer| answer["number"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
}
