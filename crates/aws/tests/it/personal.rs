//! Personal data on DynamoDB is encrypted under keys of KMS, and read by those only who may ask KMS.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use app::{App, Ports, Secrets, Settings, commands};
use aws::DynamoStore;
use aws::client::DYNAMODB;
use aws::keys::{DATA_KEYS, KMS, Keyring, MAX_AGE_MS, MAX_USES};
use object_store::memory::InMemory;
use serde_json::{Value as Json, json};
use store::{Batch, CommitError, LOCKED, Query, Row, Schema, Store, Table, Value};

use crate::emulator::{Emulator, Kind, aws, store_at};

const TABLE: &str = "comanda-test";
/// What must not lie in the table as it is.
const SECRETS: [&str; 4] = ["Ana Souza", "ana@example.com", "Rua Aurora", "leave it at the door"];

fn schema() -> Schema {
    let own = [&store::message::MESSAGES, &aws::step::STEPS, &DATA_KEYS];
    Schema::new(1, app::tables().into_iter().chain(own).collect()).unwrap()
}

fn table(name: &str) -> &'static Table {
    app::tables().into_iter().find(|table| table.name == name).unwrap()
}

async fn kms_key(emulator: &Emulator) -> String {
    let made = aws().call(KMS, &emulator.url, "CreateKey", &json!({})).await.unwrap();
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

fn keyring(emulator: &Emulator, key: &str, table: &str, clock: fn() -> i64) -> Keyring {
    Keyring::new(aws(), emulator.url.clone(), key, table, clock)
}

async fn store(emulator: &Emulator, key: &str) -> DynamoStore {
    let store = store_at(&emulator.url, &schema(), Vec::new()).await;
    store.with_keys(keyring(emulator, key, TABLE, store::clock::now_ms))
}

async fn open(store: DynamoStore) -> App {
    let settings = Settings { shared: true, ..Settings::default() };
    let secrets = Secrets::new(b"0123456789abcdef");
    let ports = Ports::embedded(Arc::new(store), Arc::new(InMemory::new()), &secrets, &settings);
    App::open(ports, secrets, settings).await.unwrap()
}

fn order() -> commands::PlaceOrder {
    serde_json::from_value(json!({
        "lines": [{ "sku": "guarana", "quantity": 1 }],
        "payment": { "type": "pix" },
        "customer": { "name": "Ana Souza", "email": "ana@example.com" },
        "note": "leave it at the door",
        "delivery": { "type": "courier", "address": { "street": "Rua Aurora", "number": "7", "city": "Porto Alegre" } },
    }))
    .unwrap()
}

async fn orders(store: &dyn Store) -> Vec<Row> {
    store.query(Query::table(table("orders"))).await.unwrap().rows
}

async fn scan(emulator: &Emulator) -> String {
    let scan = json!({ "TableName": TABLE, "ConsistentRead": true });
    aws().call(DYNAMODB, &emulator.url, "Scan", &scan).await.unwrap()["Items"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_a_customer_is_can_be_read_with_the_right_to_decrypt_only() {
    let Some(emulator) = Kind::Ministack.start() else { return };
    let key = kms_key(&emulator).await;
    let app = open(store(&emulator, &key).await).await;
    app.seed_catalogue().await.unwrap();
    app.place_order(order(), None).await.unwrap();

    let items = scan(&emulator).await;
    for secret in SECRETS {
        assert!(!items.contains(secret), "`{secret}` lies in the table as it is");
    }
    // Another process, with the same right.
    let store = store(&emulator, &key).await;
    let found = orders(&store).await;
    let texts = format!("{:?}", found.iter().map(Row::values).collect::<Vec<_>>());
    assert!(SECRETS.iter().all(|secret| texts.contains(secret)), "{texts}");

    // A process without it sees that there is something, works with the rest, and cannot overwrite it.
    let locked = store_at(&emulator.url, &schema(), Vec::new()).await;
    let row = orders(&locked).await.pop().unwrap();
    assert_eq!((row.text("customer"), row.text("private")), (Some(LOCKED), Some(LOCKED)));
    let revision = row.int("revision").unwrap();
    let mut batch = Batch::new();
    batch.update(row.table(), row.key().clone(), vec![("revision", Value::Int(revision + 1))], None);
    locked.commit(batch).await.unwrap();
    for put in [row.clone(), row.with(&[("customer", "{}".into()), ("private", Value::Null)])] {
        let mut batch = Batch::new();
        batch.put(put);
        let refused = locked.commit(batch).await;
        assert!(matches!(refused, Err(CommitError::Invalid(_))), "{refused:?}");
    }
    let still = orders(&store).await.pop().unwrap();
    assert_eq!(still.text("customer"), found[0].text("customer"));
    assert_eq!(still.int("revision"), Some(revision + 1));
}

/// A text that somebody moves into another row, or whose key KMS does not unwrap for this table, is no text.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_encrypted_is_bound_to_its_place() {
    let Some(emulator) = Kind::Ministack.start() else { return };
    let key = kms_key(&emulator).await;
    let store = store(&emulator, &key).await;
    let app = open(store.clone()).await;
    app.seed_catalogue().await.unwrap();
    app.place_order(order(), None).await.unwrap();
    app.place_order(order(), None).await.unwrap();
    let scan = json!({ "TableName": TABLE, "ConsistentRead": true });
    let items = aws().call(DYNAMODB, &emulator.url, "Scan", &scan).await.unwrap();
    let is_order = |item: &&Json| item["pk"]["S"].as_str().unwrap().starts_with("orders#");
    let found: Vec<Json> = items["Items"].as_array().unwrap().iter().filter(is_order).cloned().collect();
    let mut moved = found[0].clone();
    moved["customer"] = found[1]["customer"].clone();
    aws().call(DYNAMODB, &emulator.url, "PutItem", &json!({ "TableName": TABLE, "Item": moved })).await.unwrap();
    let error = store.query(Query::table(table("orders"))).await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("belongs elsewhere"), "{error:?}");

    let bare = store_at(&emulator.url, &schema(), Vec::new()).await;
    let other = bare.with_keys(keyring(&emulator, &key, "another-table", store::clock::now_ms));
    let error = other.query(Query::table(table("orders"))).await.unwrap_err();
    assert!(format!("{error:?}").contains("InvalidCiphertext"), "{error:?}");
}

/// The clock of the next test.
static NOW: AtomicI64 = AtomicI64::new(10 * MAX_AGE_MS);

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shared_for_an_hour_and_used_so_often_at_most() {
    let Some(emulator) = Kind::Ministack.start() else { return };
    let key = kms_key(&emulator).await;
    let store = store_at(&emulator.url, &schema(), Vec::new()).await;
    let ring = || keyring(&emulator, &key, TABLE, || NOW.load(Ordering::Relaxed));
    let (one, two) = (ring(), ring());
    let (first, again, other) =
        tokio::join!(one.sealing(&store, 1), one.sealing(&store, MAX_USES), two.sealing(&store, 1));
    let (first, again, other) = (first.unwrap(), again.unwrap(), other.unwrap());
    assert_eq!((first.id, again.id, other.id), (10, 10, 10));
    let place = "orders/customer/1";
    let opened = two.opening(&store, [10].into_iter()).await.unwrap();
    assert_eq!(opened.open(place, &first.seal(place, "Ana").unwrap()), Ok(Some("Ana".into())));
    // Used up in the one process, good still in the other.
    let own = one.sealing(&store, 1).await.unwrap().id;
    assert!(own > 1_000);
    assert_eq!(one.sealing(&store, 1).await.unwrap().id, own);
    assert_eq!(two.sealing(&store, 1).await.unwrap().id, 10);
    NOW.fetch_add(MAX_AGE_MS, Ordering::Relaxed);
    assert_eq!((one.sealing(&store, 1).await.unwrap().id, two.sealing(&store, 1).await.unwrap().id), (11, 11));
    for id in [10, 11, own] {
        assert!(store.get(&DATA_KEYS, &id.into()).await.unwrap().is_some(), "{id}");
    }
}
