//! A small world of functions whose effects can be counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use object_store::memory::InMemory;
use parking_lot::Mutex;
use runtime::{
    Builder, Config, Description, Failure, QueueHandler, Received, Resources, Runtime, TaskAnswer, TaskCall,
    TaskHandler,
};
use serde_json::{Value as Json, json};
use store::{Batch, Column, Key, KeyShape, Row, Schema, Store, Table, Value, message::Message};

/// What the functions did: a counter by name.
pub(crate) static COUNTERS: Table =
    Table { name: "counters", key: KeyShape::Text("name"), columns: &[Column::int("n")], indexes: &[] };

/// What was done by whom; a second effect under the same key would conflict.
pub(crate) static EFFECTS: Table =
    Table { name: "effects", key: KeyShape::Text("key"), columns: &[Column::text("by")], indexes: &[] };

pub(crate) fn schema() -> Schema {
    let mut tables = runtime::tables();
    tables.extend([&COUNTERS, &EFFECTS]);
    Schema::new(1, tables).unwrap()
}

/// The outside world: it outlives the crashes of the process.
#[derive(Default)]
pub(crate) struct Outside {
    /// Calls by idempotency key.
    pub(crate) calls: Mutex<BTreeMap<String, u32>>,
    pub(crate) tokens: Mutex<BTreeMap<String, String>>,
    pub(crate) failures_left: AtomicU32,
    /// Objects, which are files or somebody else's.
    pub(crate) objects: Arc<InMemory>,
}

type Body = Box<dyn Fn(&TaskCall) -> Result<TaskAnswer, Failure> + Send + Sync>;

struct Function {
    reaches_out: bool,
    body: Body,
}

#[async_trait]
impl TaskHandler for Function {
    fn reaches_out(&self) -> bool {
        self.reaches_out
    }

    async fn call(&self, call: TaskCall) -> Result<TaskAnswer, Failure> {
        (self.body)(&call)
    }
}

/// A consumer that counts, and fails when the body says so.
struct Consumer {
    store: Arc<dyn Store>,
    outside: Arc<Outside>,
}

#[async_trait]
impl QueueHandler for Consumer {
    fn reaches_out(&self) -> bool {
        false
    }

    fn concurrency(&self) -> usize {
        4
    }

    async fn handle(&self, message: Received) -> Result<Batch, Failure> {
        let name = message.body["counter"].as_str().unwrap_or("handled").to_owned();
        *self.outside.calls.lock().entry(format!("{name}/{}", message.id)).or_default() += 1;
        if message.body["poison"] == json!(true) {
            return Err(Failure::new("Poison", "it cannot be handled"));
        }
        let mut batch = Batch::new();
        count(&*self.store, &mut batch, &name).await;
        Ok(batch)
    }
}

async fn count(store: &dyn Store, batch: &mut Batch, name: &str) {
    let key = Key::from(name);
    match store.get(&COUNTERS, &key).await.unwrap() {
        Some(_) => batch.add(&COUNTERS, key, "n", 1, 0),
        None => batch.insert(Row::new(&COUNTERS, name, vec![Value::Int(1)])),
    };
}

pub(crate) async fn counter(store: &dyn Store, name: &str) -> i64 {
    store.get(&COUNTERS, &name.into()).await.unwrap().and_then(|row| row.int("n")).unwrap_or(0)
}

/// What the world's flows may use. An endpoint of the functions and connections is a port of this machine where nobody
/// answers, unless a test puts another.
pub(crate) fn resources() -> Resources {
    declared(9)
}

/// The same with everything elsewhere at this port.
pub(crate) fn declared(port: u16) -> Resources {
    let text = json!({
        "tables": {"stock": {"partition": "sku:S"}, "lines": {"partition": "order:S", "sort": "line:N"}},
        "topics": {"news": {"subscriptions": [{"queue": "work", "raw": true}, {"queue": "archive"}]}},
        "buses": {"default": {"rules": {"all": {"pattern": {"source": ["shop"]}, "queue": "events"}}},
            "shop": {"rules": {"paid": {"pattern": "{\"detail\":{\"total\":[{\"numeric\":[\">\",10]}]}}", "queue": "events"}}}},
        "connections": {
            "open": {"authorization": {"type": "none"}},
            "key": {"authorization": {"type": "api-key", "header": "X-Key", "value": "env:KEY"}, "hosts": ["127.0.0.1"]},
            "basic": {"authorization": {"type": "basic", "username": "ana", "password": "s3cret"}},
            "oauth": {"authorization": {"type": "oauth", "token_url": format!("http://127.0.0.1:{port}/token"),
                "client_id": "me", "client_secret": "hush", "scope": "read"}},
        },
        "functions": {"endpoints": {"away": {"endpoint": format!("http://127.0.0.1:{port}"), "timeout_seconds": 1}}},
    });
    let resources: Resources = serde_json::from_value(text).unwrap();
    resources.resolve(&|name| (name == "KEY").then(|| "open sesame".to_owned())).unwrap()
}

/// A runtime with the world's functions, started.
pub(crate) async fn start(store: Arc<dyn Store>, outside: Arc<Outside>, flows: &[(&str, &str)]) -> Runtime {
    start_with(store, outside, flows, resources()).await
}

/// The same with other resources.
pub(crate) async fn start_with(
    store: Arc<dyn Store>,
    outside: Arc<Outside>,
    flows: &[(&str, &str)],
    resources: Resources,
) -> Runtime {
    let builder = Builder::new(store, [1; 32], Config::default());
    let builder = builder.resources(resources).objects(outside.objects.clone());
    let relay = builder.store();
    let echo = |call: &TaskCall| Ok(TaskAnswer { output: call.input.clone(), changes: Batch::new() });
    let effect = |call: &TaskCall| {
        let mut changes = Batch::new();
        changes.insert(Row::new(&EFFECTS, call.key.as_str(), vec![Value::from("effect")]));
        Ok(TaskAnswer { output: json!({"did": call.key}), changes })
    };
    let panics = |_: &TaskCall| -> Result<TaskAnswer, Failure> { panic!("a mistake") };
    let fail = |_: &TaskCall| Err(Failure::new("Broken", "it always fails"));
    let (flaky, called, asked) = (outside.clone(), outside.clone(), outside.clone());
    let flaky = move |call: &TaskCall| {
        let left = flaky.failures_left.load(Ordering::SeqCst);
        if left > 0 {
            flaky.failures_left.store(left - 1, Ordering::SeqCst);
            return Err(Failure::new("Flaky", "not yet"));
        }
        Ok(TaskAnswer { output: json!({"attempt": call.attempt}), changes: Batch::new() })
    };
    let call_out = move |call: &TaskCall| {
        *called.calls.lock().entry(call.key.clone()).or_default() += 1;
        Ok(TaskAnswer { output: json!("called"), changes: Batch::new() })
    };
    let ask = move |call: &TaskCall| {
        let token = call.input["token"].as_str().unwrap().to_owned();
        asked.tokens.lock().insert(call.key.clone(), token);
        let mut changes = Batch::new();
        changes.insert(Row::new(&EFFECTS, format!("{}/asked", call.key).as_str(), vec![Value::from("ask")]));
        Ok(TaskAnswer { output: Json::Null, changes })
    };
    let send = |call: &TaskCall| {
        let mut changes = Batch::new();
        changes.send(Message::new("work", &call.input));
        Ok(TaskAnswer { output: Json::Null, changes })
    };
    let functions: Vec<(&str, bool, Body)> = vec![
        ("echo", false, Box::new(echo)),
        ("effect", false, Box::new(effect)),
        ("fail", false, Box::new(fail)),
        ("panic", false, Box::new(panics)),
        ("flaky", false, Box::new(flaky)),
        ("call-out", true, Box::new(call_out)),
        ("ask", false, Box::new(ask)),
        ("send", false, Box::new(send)),
    ];
    let consumer = Arc::new(Consumer { store: relay, outside });
    let mut builder = builder.consumer("work", consumer);
    for (name, reaches_out, body) in functions {
        builder = builder.function(name, Arc::new(Function { reaches_out, body }));
    }
    let runtime = builder.build();
    for (name, text) in flows {
        runtime.register_flow(name, &flow(text)).await.unwrap();
    }
    runtime.start().await.unwrap();
    runtime
}

/// Fills `@name` in for a function's ARN.
pub(crate) fn flow(text: &str) -> String {
    text.replace('@', "arn:aws:lambda:local:000000000000:function:")
}

pub(crate) async fn begin(runtime: &Runtime, flow: &str, input: Json) -> i64 {
    let mut batch = Batch::new();
    let id = batch.start_flow(flow, &format!("run-{}", store::id::encode(store::id::next())), input);
    runtime.store().commit(batch).await.unwrap().durable().await.unwrap();
    id
}

/// Waits until something is there, at most ten seconds.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(10), waiting).await {
        Ok(found) => found,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

pub(crate) async fn ended(runtime: &Runtime, id: i64) -> Description {
    until("the end of an execution", async || {
        runtime.describe(id).await.unwrap().filter(|description| description.status != "RUNNING")
    })
    .await
}
