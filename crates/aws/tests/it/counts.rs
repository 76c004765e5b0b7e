//! What a whole order asks of AWS, counted: its functions over DynamoDB behind a proxy that sums the units of each request,
//! its flows walked as their definitions say. `deploy/cost.json` has these figures.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use app::{
    App, CallbackSender, Consumer, CourierSettings, Function, Mailer, OutgoingMail, Ports, Secrets, Settings, commands,
};
use async_trait::async_trait;
use aws::keys::{DATA_KEYS, KMS, Keyring};
use aws::{delivery, step};
use object_store::memory::InMemory;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use store::message::{MESSAGES, START_FLOW, TASK_RESULT};
use store::{Batch, BoxError, Query, Schema, Store};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::emulator::{Kind, aws, store_at};
use crate::faults::read_message;

/// The looks of a customer's page at the order, and of the kitchen at its list, that `deploy/cost.json` supposes.
const LOOKS: usize = 30;
const KITCHEN_LOOKS: usize = 2;

/// How far a count may be from the table: an identifier more or less is a unit more or less where an item is near a limit.
const TOLERANCE: f64 = 0.03;

/// What was asked, by kind.
type Tally = Arc<Mutex<BTreeMap<String, f64>>>;

fn add(tally: &Tally, what: &str, n: f64) {
    *tally.lock().entry(what.to_owned()).or_default() += n;
}

/// A proxy before DynamoDB that asks for the consumed units and sums them.
async fn proxy(target: &str, tally: Tally) -> String {
    let target = target.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (target, tally) = (target.clone(), tally.clone());
            tokio::spawn(async move {
                let mut server = TcpStream::connect(&target).await.unwrap();
                while let Some(request) = read_message(&mut client).await {
                    let (request, operation, body) = asking(&request);
                    server.write_all(&request).await.unwrap();
                    let Some(answer) = read_message(&mut server).await else { return };
                    count(&tally, &operation, &body, &answer);
                    if client.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn split(message: &[u8]) -> (String, &[u8]) {
    let end = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    (String::from_utf8_lossy(&message[..end]).into_owned(), &message[end + 4..])
}

/// The request with the wish for its units, its operation and its body.
fn asking(request: &[u8]) -> (Vec<u8>, String, Json) {
    let (head, body) = split(request);
    let mut body: Json = serde_json::from_slice(body).unwrap();
    let target = head.lines().find(|line| line.to_lowercase().starts_with("x-amz-target:")).unwrap();
    let operation = target.rsplit('.').next().unwrap().trim().to_owned();
    if operation != "CreateTable" {
        body["ReturnConsumedCapacity"] = "INDEXES".into();
    }
    let text = body.to_string();
    let lines = head.lines().filter(|line| !line.to_lowercase().starts_with("content-length:"));
    let head: Vec<String> = lines.map(str::to_owned).chain([format!("content-length: {}", text.len())]).collect();
    (format!("{}\r\n\r\n{text}", head.join("\r\n")).into_bytes(), operation, body)
}

fn count(tally: &Tally, operation: &str, request: &Json, answer: &[u8]) {
    let (_, body) = split(answer);
    let Ok(answer) = serde_json::from_slice::<Json>(body) else { return };
    let consumed = &answer["ConsumedCapacity"];
    let all: Vec<&Json> = consumed.as_array().map_or_else(|| vec![consumed], |all| all.iter().collect());
    let units: f64 = all.iter().filter_map(|one| one["CapacityUnits"].as_f64()).sum();
    let is_read = matches!(operation, "GetItem" | "Query" | "BatchGetItem" | "Scan");
    add(tally, operation, 1.0);
    add(tally, if is_read { "read units" } else { "write units" }, units);
    // What the relay's filter lets through is one invocation for each commit, when orders are few.
    let items = request["TransactItems"].as_array().into_iter().flatten();
    let relayed = items.filter(|item| {
        let pk = |kind: &str, part: &str| item[kind][part]["pk"]["S"].as_str().unwrap_or_default().to_owned();
        pk("Put", "Item").starts_with("messages#")
            || pk("Put", "Item").starts_with("orders#")
            || pk("Update", "Key").starts_with("orders#")
    });
    if relayed.count() > 0 {
        add(tally, "relay", 1.0);
    }
}

/// Takes mails, and calls the application back as API Gateway would.
struct World {
    app: Mutex<Option<App>>,
    tally: Tally,
}

#[async_trait]
impl Mailer for World {
    async fn send(&self, _: OutgoingMail) -> Result<(), BoxError> {
        add(&self.tally, "mails", 1.0);
        Ok(())
    }
}

#[async_trait]
impl CallbackSender for World {
    async fn post(&self, url: &str, header: (&'static str, String), body: String) -> Result<u16, BoxError> {
        let app = self.app.lock().clone().ok_or("nobody listens")?;
        add(&self.tally, "HTTP requests", 1.0);
        let taken = match url.ends_with("/v1/webhooks/simulator") {
            true => {
                let signature = |_: &str| header.1.clone();
                app.provider_webhook("simulator", &signature, body.as_bytes()).await.is_ok()
            }
            false => app.delivery_callback(&header.1, body.as_bytes()).await.is_ok(),
        };
        Ok(if taken { 200 } else { 400 })
    }
}

/// An installation, and what is asked of it.
struct Installation {
    app: App,
    store: Arc<dyn Store>,
    functions: HashMap<&'static str, Arc<dyn Function>>,
    consumers: HashMap<&'static str, Arc<dyn Consumer>>,
    tally: Tally,
}

impl Installation {
    async fn messages(&self, queue: &str) -> Vec<(i64, Json)> {
        // Looking for them is the test's own.
        let before = self.tally.lock().clone();
        let page = self.store.query(Query::index(&MESSAGES, "by_queue", queue)).await.unwrap();
        *self.tally.lock() = before;
        let read =
            |row: &store::Row| (row.key().int().unwrap(), serde_json::from_str(row.text("body").unwrap()).unwrap());
        page.rows.iter().map(read).collect()
    }

    /// Deletes a message as the relay does once it is on its way.
    async fn relayed(&self, message: i64) {
        let mut batch = Batch::new();
        batch.delete(&MESSAGES, message);
        self.store.commit(batch).await.unwrap();
    }

    /// Hands the messages of a queue to their consumer.
    async fn drain(&self, queue: &str) -> usize {
        let messages = self.messages(queue).await;
        for (id, _) in &messages {
            let consumer = &*self.consumers[queue];
            let outcome = delivery::deliver(&*self.store, consumer, *id, 1, store::clock::now_ms).await.unwrap();
            assert_eq!(outcome, delivery::Outcome::Done, "{queue}");
            add(&self.tally, &format!("consumed {queue}"), 1.0);
        }
        messages.len()
    }

    /// A request by people.
    async fn asks<T>(&self, request: impl Future<Output = T>) -> T {
        add(&self.tally, "HTTP requests", 1.0);
        request.await
    }

    /// Runs the flow of a message that starts one, as its definition says; answers what it was given.
    async fn run(&self, flow: &str) -> Json {
        let (message, start) = self.messages(START_FLOW).await.pop().unwrap();
        assert_eq!(start["flow"], flow);
        self.relayed(message).await;
        let path = format!("{}/../../flows/{flow}.asl.json", env!("CARGO_MANIFEST_DIR"));
        let definition: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        // The start is a transition, too.
        add(&self.tally, "state transitions", 1.0);
        let mut data = start["input"].clone();
        Box::pin(self.walk(&definition, &mut data)).await;
        data
    }

    async fn walk(&self, machine: &Json, data: &mut Json) {
        let mut at = machine["StartAt"].as_str().unwrap().to_owned();
        loop {
            let state = &machine["States"][&at];
            add(&self.tally, "state transitions", 1.0);
            let next = match state["Type"].as_str().unwrap() {
                "Task" => {
                    self.task(&at, state, data).await;
                    &state["Next"]
                }
                "Choice" => {
                    let holds = |choice: &&Json| {
                        let path = choice["Variable"].as_str().unwrap().trim_start_matches('$').replace('.', "/");
                        data.pointer(&path) == Some(&choice["BooleanEquals"])
                    };
                    let choices = state["Choices"].as_array().unwrap();
                    choices.iter().find(holds).map_or(&state["Default"], |choice| &choice["Next"])
                }
                "Parallel" => {
                    for branch in state["Branches"].as_array().unwrap() {
                        Box::pin(self.walk(branch, &mut data.clone())).await;
                    }
                    &state["Next"]
                }
                other => panic!("a walk meets no {other}"),
            };
            match next.as_str() {
                Some(next) => at = next.to_owned(),
                None => return,
            }
        }
    }

    async fn task(&self, at: &str, state: &Json, data: &mut Json) {
        let named = state["Parameters"]["FunctionName"].as_str().or(state["Resource"].as_str()).unwrap();
        let name = named.trim_start_matches("${").trim_end_matches('}');
        let kebab: String = name
            .chars()
            .flat_map(|c| if c.is_uppercase() { vec!['-', c.to_ascii_lowercase()] } else { vec![c] })
            .collect();
        let waits = state["Resource"].as_str().unwrap().ends_with("waitForTaskToken");
        let mut input = json!({ "step": format!("arn:aws:states:us-east-1:123456789012:execution:shop-order:{}/{at}/2026-01-01T00:00:00.000Z", data["orderId"]) });
        for member in ["orderId", "refundId"] {
            if let Some(value) = data.get(member) {
                input[member] = value.clone();
            }
        }
        if waits {
            input["taskToken"] = format!("AQC{}", "x".repeat(700)).into();
        }
        let function = &*self.functions[kebab.trim_start_matches('-')];
        let answer = step::run(&*self.store, function, input, store::clock::now_ms).await;
        let answer = answer.unwrap_or_else(|error| panic!("{at}: {error}"));
        add(&self.tally, "steps", 1.0);
        if let Some(path) = state["ResultPath"].as_str() {
            data[path.trim_start_matches("$.")] = answer;
        }
        if waits {
            self.outside(at, data["orderId"].as_str().unwrap()).await;
            let answers = self.messages(TASK_RESULT).await;
            assert_eq!(answers.len(), 1, "{at}");
            self.relayed(answers[0].0).await;
        }
    }

    /// What others do while a state waits.
    async fn outside(&self, at: &str, order: &str) {
        let revision = async || {
            let before = self.tally.lock().clone();
            let order = self.app.order(order).await.unwrap();
            *self.tally.lock() = before;
            order.revision
        };
        match at {
            "RequestPayment" => assert!(self.drain("simulator-webhooks").await > 0),
            "AwaitPreparation" => {
                for _ in 0..KITCHEN_LOOKS {
                    self.asks(self.app.kitchen()).await.unwrap();
                }
                let seen = revision().await;
                self.asks(self.app.kitchen_start(order, seen)).await.unwrap();
                let seen = revision().await;
                self.asks(self.app.kitchen_ready(order, seen)).await.unwrap();
            }
            "AwaitDelivery" => {
                assert!(self.drain("simulator-courier").await > 0);
                assert!(self.drain("simulator-courier").await > 0);
            }
            // The simulator decides at once.
            "RequestRefund" => drop(self.drain("simulator-webhooks").await),
            other => panic!("nobody answers {other}"),
        }
    }
}

async fn installation(url: &str, kms: &str, key: &str, tally: Tally) -> Installation {
    let own = [&MESSAGES, &step::STEPS, &DATA_KEYS];
    let schema = Schema::new(1, app::tables().into_iter().chain(own).collect()).unwrap();
    let keyring = Keyring::new(aws(), kms.to_owned(), key, "comanda-test", store::clock::now_ms);
    let store: Arc<dyn Store> = Arc::new(store_at(url, &schema, vec![step::EXPIRY]).await.with_keys(keyring));
    let courier = CourierSettings { pick_up_after_ms: 0, deliver_after_ms: 0, ..Settings::default().courier };
    let settings = Settings { shared: true, courier, ..Settings::default() };
    let secrets = Secrets::new(b"0123456789abcdef");
    let world = Arc::new(World { app: Mutex::new(None), tally: tally.clone() });
    let mut ports = Ports::embedded(store, Arc::new(InMemory::new()), &secrets, &settings);
    ports.mailer = Some(world.clone());
    ports.sender = world.clone();
    let app = App::open(ports, secrets, settings).await.unwrap();
    *world.app.lock() = Some(app.clone());
    app.set_callback_base("http://shop.example");
    Installation {
        store: app.store(),
        functions: app.functions().into_iter().map(|function| (function.name(), function)).collect(),
        consumers: app.consumers().into_iter().map(|consumer| (consumer.queue(), consumer)).collect(),
        app,
        tally,
    }
}

/// The counts of `deploy/cost.json`, by what is counted.
fn table(part: &str) -> BTreeMap<String, String> {
    let table: Json = serde_json::from_str(include_str!("../../../../deploy/cost.json")).unwrap();
    let line = |line: &Json| (line["what"].as_str().unwrap().to_owned(), line["count"].as_str().unwrap().to_owned());
    table[part].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_and_a_refund_ask_what_the_table_says() {
    let Some(emulator) = Kind::Dynoxide.start() else { return };
    let Some(kms) = Kind::Ministack.start() else { return };
    let key = aws().call(KMS, &kms.url, "CreateKey", &json!({})).await.unwrap();
    let key = key["KeyMetadata"]["Arn"].as_str().unwrap();
    let tally = Tally::default();
    let url = proxy(&emulator.url, tally.clone()).await;
    let first = installation(&url, &kms.url, key, tally.clone()).await;
    first.app.seed_catalogue().await.unwrap();
    tally.lock().clear();
    // Another process opens what is there.
    let shop = installation(&url, &kms.url, key, tally.clone()).await;
    println!("a cold start: {:?}", std::mem::take(&mut *tally.lock()));
    let command: commands::PlaceOrder = serde_json::from_value(json!({
        "lines": [{ "sku": "guarana", "quantity": 2 }, { "sku": "xis-salada", "quantity": 1, "options": { "ponto": "ao-ponto" } }],
        "payment": { "type": "card", "number": "4242424242424242", "expMonth": 12, "expYear": 2034, "cvc": "123" },
        "customer": { "name": "Ana Souza", "email": "ana@example.com" },
        "delivery": { "type": "courier", "address": { "street": "Rua Aurora", "number": "7", "city": "Porto Alegre" } },
    }))
    .unwrap();
    shop.asks(shop.app.catalogue()).await.unwrap();
    let order = shop.asks(shop.app.place_order(command, None)).await.unwrap().order.order_id;
    shop.run("order").await;
    for _ in 0..LOOKS {
        shop.asks(shop.app.order(&order)).await.unwrap();
    }
    shop.asks(shop.app.receipt(&order)).await.unwrap();
    shop.drain("mail").await;
    let ordered = std::mem::take(&mut *tally.lock());
    let view = shop.app.order(&order).await.unwrap();
    assert_eq!(view.status.as_str(), "COMPLETED");
    let mut statuses: Vec<&str> = view.timeline.iter().map(|entry| entry.status.as_str()).collect();
    statuses.dedup();
    tally.lock().clear();
    println!("an order: {ordered:#?}");

    let refund: commands::RequestRefund =
        serde_json::from_value(json!({ "amount": 500, "reason": "quality" })).unwrap();
    shop.asks(shop.app.request_refund(&order, refund, None, None)).await.unwrap();
    shop.run("refund").await;
    shop.drain("mail").await;
    let refunded = std::mem::take(&mut *tally.lock());
    println!("a refund: {refunded:#?}");

    tally.lock().clear();
    let entries = shop.app.ledger().consolidate().await.unwrap();
    let counted = std::mem::take(&mut *tally.lock());
    println!("{entries} entries consolidated: {counted:#?}");

    // What the ticker does when nothing happens, besides its look at the queues (counted in `aws::layout`).
    const MINUTES: i64 = 10;
    for minute in 0..MINUTES {
        // From the first minute of this hour on: at its beginning there is more to do.
        let hour = store::clock::now_ms().div_euclid(3_600_000) * 3_600_000;
        let now = hour + (1 + minute) * 60_000;
        shop.app.inbox(commands::ListOrders { limit: Some(200), ..Default::default() }).await.unwrap();
        shop.app.tick_all(now, std::time::Duration::from_secs(10)).await.unwrap();
        shop.app.ledger().recover().await.unwrap();
        shop.app.ledger().consolidate().await.unwrap();
    }
    let idle = std::mem::take(&mut *tally.lock());
    println!("{MINUTES} minutes of nothing: {idle:#?}");

    let table_says = |part: &str, what: &str, expected: f64| {
        let written: f64 = table(part)[what].parse().unwrap();
        assert!(
            (written - expected).abs() <= TOLERANCE * expected,
            "`{what}` in deploy/cost.json ({part}) is {written}, counted are {expected}"
        );
    };
    table_says("rest", "read units of the ticker", 43_830.0 * (118.0 + idle["read units"] / MINUTES as f64));
    table_says("rest", "write units of the ticker", 43_830.0 * idle["write units"] / MINUTES as f64);
    table_says("each", "changes published", statuses.len() as f64);
    table_says("each", "write units of the consolidation", counted["write units"]);
    table_says("each", "read units of the consolidation", counted["read units"]);
    for (part, found) in [("each", &ordered), ("refund", &refunded)] {
        for (what, expected) in [
            ("state transitions", found["state transitions"]),
            ("write units", found["write units"]),
            ("read units", found["read units"]),
            ("HTTP requests", found["HTTP requests"]),
            ("mails", found["mails"]),
            ("invocations", found["HTTP requests"] + found["steps"] + found["relay"] + found["consumed mail"]),
        ] {
            table_says(part, what, expected);
        }
    }
}
