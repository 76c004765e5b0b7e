//! A shop in memory whose functions are called one by one, as a flow would.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use app::commands::{CancelOrder, PayOrder, PlaceOrder};
use app::provider::{
    Authorise, Card, Checkout, Event, Intent, Movement, Movements, Page, PaymentProvider, ProviderError, ReceiveError,
    Refund, RefundRequest, Simulator, Subject, Token, Webhook,
};
use app::views::{AuditReport, OrderView};
use app::{
    App, Auditor, Call, CallbackSender, Consumer, Delivery, Function, LatePaymentPolicy, Mailer, OutgoingMail, Ports,
    Secrets, Settings, Source,
};
use async_trait::async_trait;
use domain::order::Party;
use domain::refund::RefundStatus;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use store::memory::MemoryStore;
use store::message::MESSAGES;
use store::{Batch, BoxError, CommitError, Query, Store};

/// Posts straight into the application.
#[derive(Default)]
pub(crate) struct Loopback(Mutex<Option<App>>);

#[async_trait]
impl CallbackSender for Loopback {
    async fn post(&self, url: &str, header: (&'static str, String), body: String) -> Result<u16, BoxError> {
        let app = self.0.lock().clone().ok_or("nobody listens")?;
        let outcome = if url.ends_with("/v1/webhooks/simulator") {
            let signature = |_: &str| header.1.clone();
            let posted = app.provider_webhook("simulator", &signature, body.as_bytes()).await;
            posted.map(|_| ()).map_err(|e| e.to_string())
        } else {
            let posted = app.delivery_callback(&header.1, body.as_bytes()).await;
            posted.map(|_| ()).map_err(|e| e.to_string())
        };
        Ok(outcome.map_or(400, |()| 200))
    }
}

/// What is wrong with the provider now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// It does not answer.
    Down,
    /// It says that it called a payment off and did not.
    VoidsNothing,
    /// It answers a request with another amount.
    WrongAmount,
}

/// The simulator, which can be made to fail.
pub(crate) struct Moody {
    inner: Arc<dyn PaymentProvider>,
    pub(crate) mood: Mutex<Mood>,
    /// Payments and refunds that it does not answer about.
    pub(crate) silent: Mutex<BTreeSet<String>>,
    /// Its list of events, if it keeps one.
    pub(crate) told: Mutex<Option<Vec<Event>>>,
    /// The beginnings of what was asked for of that list.
    pub(crate) asked_since: Mutex<Vec<i64>>,
}

impl Moody {
    fn is(&self, mood: Mood) -> bool {
        *self.mood.lock() == mood
    }

    fn answers(&self) -> Result<&dyn PaymentProvider, ProviderError> {
        if self.is(Mood::Down) { Err(ProviderError::Unavailable) } else { Ok(&*self.inner) }
    }

    fn answers_about(&self, id: &str) -> Result<&dyn PaymentProvider, ProviderError> {
        if self.silent.lock().contains(id) { Err(ProviderError::Unavailable) } else { self.answers() }
    }
}

#[async_trait]
impl PaymentProvider for Moody {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn checkout(&self) -> Checkout {
        self.inner.checkout()
    }

    async fn complete(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        self.answers()?.complete(intent, key).await
    }

    async fn look_up(&self, name: &str) -> Result<Subject, ProviderError> {
        self.answers()?.look_up(name).await
    }

    async fn trace(&self, line: Movement) -> Result<Movement, ProviderError> {
        self.answers()?.trace(line).await
    }

    async fn tokenise(&self, card: Card) -> Result<Token, ProviderError> {
        self.answers()?.tokenise(card).await
    }

    async fn authorise(&self, request: &Authorise) -> Result<Intent, ProviderError> {
        let intent = self.answers()?.authorise(request).await?;
        let amount = intent.amount + i64::from(self.is(Mood::WrongAmount));
        Ok(Intent { amount, ..intent })
    }

    async fn find(&self, request: &Authorise) -> Result<Option<Intent>, ProviderError> {
        self.answers()?.find(request).await
    }

    async fn retrieve(&self, intent: &str) -> Result<Intent, ProviderError> {
        self.answers_about(intent)?.retrieve(intent).await
    }

    async fn capture(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        self.answers()?.capture(intent, key).await
    }

    async fn void(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        if self.is(Mood::VoidsNothing) {
            return self.inner.retrieve(intent).await;
        }
        self.answers()?.void(intent, key).await
    }

    async fn refund(&self, request: &RefundRequest) -> Result<Refund, ProviderError> {
        self.answers()?.refund(request).await
    }

    async fn retrieve_refund(&self, refund: &str) -> Result<Refund, ProviderError> {
        self.answers_about(refund)?.retrieve_refund(refund).await
    }

    async fn receive(&self, webhook: Webhook<'_>) -> Result<Event, ReceiveError> {
        self.inner.receive(webhook).await
    }

    async fn events(&self, since: i64, after: Option<String>) -> Result<Option<Page<Event>>, ProviderError> {
        let Some(told) = self.told.lock().clone() else { return self.answers()?.events(since, after).await };
        self.asked_since.lock().push(since);
        let items = told.into_iter().filter(|event| event.at >= since).collect();
        Ok(Some(Page { items, next: None }))
    }

    async fn books(&self, after: Option<String>) -> Result<Option<Page<Intent>>, ProviderError> {
        self.answers()?.books(after).await
    }

    async fn movements(&self, which: &Movements, after: Option<String>) -> Result<Page<Movement>, ProviderError> {
        self.answers()?.movements(which, after).await
    }
}

/// Takes mails, or does not.
#[derive(Default)]
pub(crate) struct Carrier {
    pub(crate) broken: Mutex<bool>,
    pub(crate) taken: Mutex<Vec<String>>,
}

#[async_trait]
impl Mailer for Carrier {
    async fn send(&self, mail: OutgoingMail) -> Result<(), BoxError> {
        if *self.broken.lock() {
            return Err("the carrier is away".into());
        }
        self.taken.lock().push(mail.message_id);
        Ok(())
    }
}

pub(crate) struct Shop {
    pub(crate) app: App,
    pub(crate) provider: Arc<Moody>,
    pub(crate) simulator: Arc<Simulator>,
    memory: Arc<MemoryStore>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) secrets: Secrets,
    functions: HashMap<&'static str, Arc<dyn Function>>,
    consumers: HashMap<&'static str, Arc<dyn Consumer>>,
}

pub(crate) fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.simulator.pix_paid_after_ms = None;
    settings.late_payment.policy = LatePaymentPolicy::Refund;
    settings
}

impl Shop {
    pub(crate) async fn open() -> Shop {
        Shop::with(settings()).await
    }

    pub(crate) async fn with(settings: Settings) -> Shop {
        Shop::over(Arc::new(MemoryStore::new()), settings).await
    }

    pub(crate) async fn over(store: Arc<MemoryStore>, settings: Settings) -> Shop {
        Shop::build(store, settings, None).await
    }

    /// The same shop after a restart that lost its files.
    pub(crate) async fn over_again(shop: &Shop) -> Shop {
        Shop::build(shop.memory.clone(), shop.app.settings().clone(), None).await
    }

    pub(crate) async fn build(store: Arc<MemoryStore>, settings: Settings, mailer: Option<Arc<dyn Mailer>>) -> Shop {
        Shop::with_provider(store, settings, mailer, None).await
    }

    /// A shop that takes its money through that provider.
    pub(crate) async fn with_provider(
        store: Arc<MemoryStore>,
        settings: Settings,
        mailer: Option<Arc<dyn Mailer>>,
        provider: Option<Arc<dyn PaymentProvider>>,
    ) -> Shop {
        Shop::through(store.clone(), store, settings, mailer, provider).await
    }

    /// A shop over a store in memory that it reaches through another one.
    pub(crate) async fn through(
        memory: Arc<MemoryStore>,
        store: Arc<dyn Store>,
        settings: Settings,
        mailer: Option<Arc<dyn Mailer>>,
        provider: Option<Arc<dyn PaymentProvider>>,
    ) -> Shop {
        let loopback = Arc::new(Loopback::default());
        let objects = Arc::new(object_store::memory::InMemory::new());
        let secrets = Secrets::new(b"a secret of this test only");
        let mut ports = Ports::embedded(store, objects, &secrets, &settings);
        ports.sender = loopback.clone();
        ports.mailer = mailer;
        let simulator = ports.simulator.clone().unwrap();
        let provider = Arc::new(Moody {
            inner: provider.unwrap_or(ports.provider),
            mood: Mutex::new(Mood::Well),
            silent: Mutex::default(),
            told: Mutex::default(),
            asked_since: Mutex::default(),
        });
        ports.provider = provider.clone();
        let app = App::open(ports, secrets.clone(), settings).await.unwrap();
        *loopback.0.lock() = Some(app.clone());
        app.set_callback_base("http://loopback/");
        app.seed_catalogue().await.unwrap();
        Shop {
            store: app.store(),
            functions: app.functions().into_iter().map(|f| (f.name(), f)).collect(),
            consumers: app.consumers().into_iter().map(|c| (c.queue(), c)).collect(),
            secrets,
            memory,
            provider,
            simulator,
            app,
        }
    }

    pub(crate) async fn place(&self, order: Json) -> String {
        let command: PlaceOrder = serde_json::from_value(order).unwrap();
        self.app.place_order(command, None).await.unwrap().order.order_id
    }

    pub(crate) async fn order(&self, id: &str) -> OrderView {
        self.app.order(id).await.unwrap()
    }

    /// Calls a function and commits its changes, again after a conflict; answers its output or the name of its error.
    pub(crate) async fn call(&self, name: &str, input: Json) -> Result<Json, String> {
        let function = self.functions.get(name).unwrap_or_else(|| panic!("no function `{name}`"));
        for attempt in 1..20 {
            let call =
                Call { input: input.clone(), key: format!("test/{name}"), attempt, now_ms: store::clock::now_ms() };
            let answer = function.call(call).await.map_err(|error| error.error)?;
            match self.store.commit(answer.changes).await {
                Ok(_) => return Ok(answer.output),
                Err(CommitError::Conflict { .. } | CommitError::BelowFloor { .. }) => {}
                Err(error) => panic!("{name}: {error}"),
            }
        }
        panic!("{name} keeps conflicting");
    }

    /// Calls a function whose process crashes before its changes are committed: what it did outside stays done.
    pub(crate) async fn call_and_crash(&self, name: &str, input: Json) {
        let now_ms = store::clock::now_ms();
        let call = Call { input, key: format!("test/{name}"), attempt: 1, now_ms };
        drop(self.functions[name].call(call).await);
    }

    /// The messages of a queue.
    pub(crate) async fn messages(&self, queue: &str) -> Vec<(i64, Json)> {
        let page = self.store.query(Query::index(&MESSAGES, "by_queue", queue)).await.unwrap();
        let read = |row: &store::Row| {
            let body = serde_json::from_str(row.text("body").unwrap()).unwrap();
            (row.key().int().unwrap(), body)
        };
        page.rows.iter().map(read).collect()
    }

    pub(crate) async fn delete(&self, message: i64) {
        let mut batch = Batch::new();
        batch.delete(&MESSAGES, message);
        self.store.commit(batch).await.unwrap();
    }

    /// Consumes every message of a queue once, whenever it is due.
    pub(crate) async fn drain(&self, queue: &str, receives: u32) -> usize {
        let consumer = self.consumers.get(queue).unwrap_or_else(|| panic!("no queue `{queue}`"));
        let messages = self.messages(queue).await;
        for (id, body) in &messages {
            let delivery = Delivery { id: *id, body: body.clone(), receives, now_ms: store::clock::now_ms() };
            let mut batch = consumer.consume(delivery).await.unwrap();
            batch.delete(&MESSAGES, *id);
            self.store.commit(batch).await.unwrap();
        }
        messages.len()
    }

    /// Consumes every message of a queue once at that time; answers the errors of those that stay.
    pub(crate) async fn consume_at(&self, queue: &str, now_ms: i64) -> Vec<String> {
        let consumer = self.consumers.get(queue).unwrap_or_else(|| panic!("no queue `{queue}`"));
        let mut errors = Vec::new();
        for (id, body) in self.messages(queue).await {
            match consumer.consume(Delivery { id, body, receives: 1, now_ms }).await {
                Ok(mut batch) => {
                    batch.delete(&MESSAGES, id);
                    self.store.commit(batch).await.unwrap();
                }
                Err(error) => errors.push(error.error),
            }
        }
        errors
    }

    /// The answers to task tokens so far: `ok`, or the name of the error. Taken once.
    pub(crate) async fn results(&self) -> Vec<String> {
        let mut results = Vec::new();
        for (id, body) in self.messages("task-result").await {
            // Those of refunds are not the order's.
            if !body["token"].as_str().unwrap().starts_with("token-rfd_") {
                results.push(body["error"].as_str().unwrap_or("ok").to_owned());
            }
            self.delete(id).await;
        }
        results
    }

    /// Carries out one word of a script on an order.
    pub(crate) async fn act(&self, id: &str, word: &str) {
        match word.split_once(':').unwrap_or((word, "")) {
            // A beat of the periodic work, whenever it is due.
            ("tick", ticker) => {
                let mut beats = self.messages("tickers").await;
                beats.retain(|(_, beat)| beat["ticker"] == ticker);
                let (message, body) = beats.pop().unwrap();
                let delivery = Delivery { id: message, body, receives: 1, now_ms: store::clock::now_ms() };
                let mut batch = self.consumers["tickers"].consume(delivery).await.unwrap();
                batch.delete(&MESSAGES, message);
                self.store.commit(batch).await.unwrap();
            }
            ("webhook", "") => assert!(self.drain("simulator-webhooks", 1).await > 0, "no webhook"),
            ("courier", "") => assert!(self.drain("simulator-courier", 1).await > 0, "no report"),
            ("timer", "") => assert!(self.drain("simulator-timers", 1).await > 0, "no timer"),
            ("dispute", answer) => {
                let intent = self.intent(id).await;
                let simulator = self.simulator.as_ref();
                match answer {
                    "" => simulator.dispute(&intent).await.map(drop),
                    answer => simulator.decide_dispute(&intent, answer == "won").await.map(drop),
                }
                .unwrap();
            }
            ("late", "") => assert!(self.late(id).await > 0, "no late payment"),
            ("refund", "") => assert!(self.refunds().await > 0, "no refund"),
            ("well", "") => *self.provider.mood.lock() = Mood::Well,
            ("down", "") => *self.provider.mood.lock() = Mood::Down,
            ("voids-nothing", "") => *self.provider.mood.lock() = Mood::VoidsNothing,
            ("wrong-amount", "") => *self.provider.mood.lock() = Mood::WrongAmount,
            // The flow gives up.
            ("halt", "") => {
                let input = json!({ "orderId": id, "reason": "the flow could not go on", "halted": true });
                self.call("flag-order", input).await.unwrap();
            }
            // The flow that undoes was asked for.
            ("undo", "") => {
                let starts = self.messages("start-flow").await;
                let (message, start) = starts.last().unwrap();
                assert_eq!((&start["flow"], &start["input"]["orderId"]), (&json!("undo"), &json!(id)));
                self.delete(*message).await;
            }
            ("pix", "") => {
                let intent = self.intent(id).await;
                self.app.simulate_pix(&intent).await.unwrap();
            }
            ("bank", answer) => {
                let intent = self.intent(id).await;
                self.app.simulate_authentication(&intent, answer == "yes").await.unwrap();
            }
            ("pay", number) => {
                let method = match number.strip_prefix("token-") {
                    Some(token) => json!({ "type": "token", "token": token }),
                    None => card(number),
                };
                let method = serde_json::from_value(method).unwrap();
                self.app.pay(id, PayOrder { method }).await.unwrap();
            }
            ("cancel", "") => {
                let reason = "changed my mind".into();
                self.app.cancel(id, CancelOrder { reason }, None, Party::Staff).await.unwrap();
            }
            ("start", "") => drop(self.app.kitchen_start(id, self.order(id).await.revision).await.unwrap()),
            ("ready", "") => drop(self.app.kitchen_ready(id, self.order(id).await.revision).await.unwrap()),
            ("handover", "") => drop(self.app.kitchen_handover(id, self.order(id).await.revision).await.unwrap()),
            ("results", expected) => assert_eq!(self.results().await.join(","), expected),
            (function, argument) => {
                let (function, expected) = function.split_once('!').map_or((function, None), |(f, e)| (f, Some(e)));
                let mut input = json!({ "orderId": id, "taskToken": format!("token-{function}") });
                if !argument.is_empty() {
                    input["outcome"] = argument.into();
                    input["error"] = json!({ "Error": "Test", "Cause": "a test" });
                }
                let outcome = self.call(function, input).await;
                assert_eq!(outcome.err().as_deref(), expected, "{word}");
                if function == "reverse-payment" {
                    self.refunds().await;
                }
            }
        }
    }

    /// What each account of the ledger holds.
    pub(crate) async fn books(&self) -> BTreeMap<String, i64> {
        let table = app::tables().into_iter().find(|table| table.name == "ledger_entries").unwrap();
        let page = self.store.query(Query::table(table).limit(store::MAX_PAGE)).await.unwrap();
        let mut sums = BTreeMap::new();
        for row in page.rows {
            let first = row.key().int().unwrap();
            for id in first..first + row.int("entries").unwrap() {
                let recorded = app::ledger::entry(&*self.store, id).await.unwrap().unwrap();
                for posting in recorded.entry.postings {
                    *sums.entry(posting.account).or_default() += posting.amount;
                }
            }
        }
        sums
    }

    /// Lets the time come to ask the provider about a payment; answers whether it is waited for.
    pub(crate) async fn due_now(&self, id: &str) -> bool {
        let key = store::id::decode(&id[4..]).unwrap();
        let table = app::tables().into_iter().find(|table| table.name == "payments").unwrap();
        let row = self.store.get(table, &key.into()).await.unwrap().unwrap();
        if row.int("waiting").is_none() {
            return false;
        }
        let mut batch = Batch::new();
        batch.update(table, key, vec![("ask_at", store::Value::Int(0))], None);
        self.store.commit(batch).await.unwrap();
        true
    }

    /// The starts of a flow that were asked for and not taken.
    async fn starts(&self, flow: &str) -> Vec<(i64, Json)> {
        let starts = self.messages("start-flow").await.into_iter();
        starts.filter(|(_, start)| start["flow"] == flow).map(|(id, start)| (id, start["input"].clone())).collect()
    }

    /// Runs the flow of every refund that was asked for, as far as the provider lets it; answers how many there were.
    pub(crate) async fn refunds(&self) -> usize {
        let starts = self.starts("refund").await;
        for (message, input) in &starts {
            let mut input = input.clone();
            input["taskToken"] = format!("token-{}", input["refundId"].as_str().unwrap()).into();
            match self.call("request-refund", input.clone()).await {
                Ok(_) => self.delete(*message).await,
                Err(error) if error == "RefundFailed" => self.delete(*message).await,
                Err(_) => continue,
            }
            let waits = self.app.refund(input["refundId"].as_str().unwrap()).await.unwrap();
            if waits.status == RefundStatus::Succeeded {
                self.call("issue-credit-note", input.clone()).await.unwrap();
                self.call("tell-refund", input).await.unwrap();
            }
        }
        starts.len()
    }

    /// Runs the flows of late payments and of tries that are to be called off; answers how many there were.
    pub(crate) async fn late(&self, id: &str) -> usize {
        let mut done = 0;
        for (message, input) in self.starts("void").await {
            let mut given = input.clone();
            given["input"] = input;
            if self.call("give-back", given).await.is_ok() {
                self.delete(message).await;
            }
            done += 1;
        }
        for (message, _) in self.starts("late-payment").await {
            if self.call("reopen-order", json!({ "orderId": id })).await.is_err() {
                let input = json!({ "orderId": id, "outcome": "EXPIRED" });
                self.call("reverse-payment", input).await.unwrap();
            }
            self.delete(message).await;
            done += 1;
        }
        self.refunds().await;
        done
    }

    /// The newest row of a table.
    pub(crate) async fn newest(&self, table: &str) -> store::Row {
        let table = app::tables().into_iter().find(|t| t.name == table).unwrap();
        self.store.query(Query::table(table).descending().limit(1)).await.unwrap().rows.remove(0)
    }

    /// Deletes the newest row of a table, behind everybody's back.
    pub(crate) async fn take_out(&self, table: &str) -> store::Row {
        let row = self.newest(table).await;
        let mut batch = Batch::new();
        batch.delete(row.table(), row.key().clone());
        self.store.commit(batch).await.unwrap();
        row
    }

    /// Writes a row that was taken out.
    pub(crate) async fn put_back(&self, row: &store::Row) {
        let mut batch = Batch::new();
        batch.insert(row.clone());
        self.store.commit(batch).await.unwrap();
    }

    /// The provider's payment of an order, as its books have it.
    pub(crate) async fn simulator_intent(&self, id: &str) -> Intent {
        let intent = self.intent(id).await;
        self.simulator.retrieve(&intent).await.unwrap()
    }

    /// Sends the newest message of a queue once more.
    pub(crate) async fn double_newest(&self, queue: &'static str) {
        if let Some((_, body)) = self.messages(queue).await.pop() {
            let mut batch = Batch::new();
            batch.send(store::message::Message::new(queue, &body));
            self.store.commit(batch).await.unwrap();
        }
    }

    /// Consumes the messages of a queue, the newest first; those that fail stay.
    pub(crate) async fn drain_newest_first(&self, queue: &str) {
        let consumer = self.consumers.get(queue).unwrap_or_else(|| panic!("no queue `{queue}`"));
        for (id, body) in self.messages(queue).await.into_iter().rev() {
            let delivery = Delivery { id, body, receives: 1, now_ms: store::clock::now_ms() };
            if let Ok(mut batch) = consumer.consume(delivery).await {
                batch.delete(&MESSAGES, id);
                self.store.commit(batch).await.unwrap();
            }
        }
    }

    /// Takes the flows of refunds on whose word came by webhook or poll; answers how many there were.
    pub(crate) async fn finish_refunds(&self) -> usize {
        let mut done = 0;
        for (message, body) in self.messages("task-result").await {
            let Some(refund) = body["token"].as_str().unwrap().strip_prefix("token-") else { continue };
            if !refund.starts_with("rfd_") {
                continue;
            }
            if body["error"].is_null() {
                let input = json!({ "orderId": format!("ord_{}", &refund[4..17]), "refundId": refund });
                self.call("issue-credit-note", input.clone()).await.unwrap();
                self.call("tell-refund", input).await.unwrap();
            }
            self.delete(message).await;
            done += 1;
        }
        done
    }

    /// An audit that does not wait.
    pub(crate) async fn audit(&self) -> AuditReport {
        let provider: Arc<dyn PaymentProvider> = self.provider.clone();
        let auditor = Auditor::new(Source::Live(self.store.clone()), move |_| provider.clone());
        auditor.again_after([Duration::ZERO; 3]).run(&|_| {}).await.unwrap()
    }

    /// Sets columns of the newest row of a table, behind everybody's back.
    pub(crate) async fn set(&self, table: &str, set: Vec<(&'static str, store::Value)>) {
        let table = app::tables().into_iter().find(|t| t.name == table).unwrap();
        let row = self.store.query(Query::table(table).descending().limit(1)).await.unwrap().rows.remove(0);
        let mut batch = Batch::new();
        batch.update(table, row.key().clone(), set, None);
        self.store.commit(batch).await.unwrap();
    }

    /// Sets how much of a product is available.
    pub(crate) async fn set_stock(&self, sku: &str, available: i64) {
        let table = app::tables().into_iter().find(|t| t.name == "stock").unwrap();
        let mut batch = Batch::new();
        batch.update(table, sku, vec![("available", available.into())], None);
        self.store.commit(batch).await.unwrap();
    }

    pub(crate) async fn intent(&self, id: &str) -> String {
        let key = store::id::decode(&id[4..]).unwrap();
        let table = app::tables().into_iter().find(|table| table.name == "payments").unwrap();
        let row = self.store.get(table, &key.into()).await.unwrap().unwrap();
        row.text("intent").unwrap().to_owned()
    }

    pub(crate) async fn run(&self, id: &str, script: &str) {
        for word in script.split_whitespace() {
            self.act(id, word).await;
        }
    }

    /// `STATUS PAYMENT available/reserved/sold mails`, of the product of [`lunch`].
    pub(crate) async fn summary(&self, id: &str) -> String {
        let order = self.order(id).await;
        let table = app::tables().into_iter().find(|table| table.name == "stock").unwrap();
        let row = self.store.get(table, &"xis-salada".into()).await.unwrap().unwrap();
        let n = |column: &str| row.int(column).unwrap();
        let list = app::commands::ListMails { order: Some(id.into()), ..app::commands::ListMails::default() };
        let mails = self.app.mails(list).await.unwrap().items;
        let mails: Vec<&str> = mails.iter().map(|mail| mail.event.as_str()).collect();
        format!(
            "{} {} {}/{}/{} {}",
            order.status.as_str(),
            order.payment.status.as_str(),
            n("available"),
            n("reserved"),
            n("sold"),
            mails.join(",")
        )
    }
}

pub(crate) fn card(number: &str) -> Json {
    json!({ "type": "card", "number": number, "expMonth": 12, "expYear": 2099, "cvc": "123" })
}

/// Two of one product for 51.80, picked up.
pub(crate) fn lunch(number: &str) -> Json {
    json!({
        "customer": { "name": "Ana", "email": "ana@example.com", "locale": "pt-BR" },
        "lines": [{ "sku": "xis-salada", "quantity": 2, "options": { "ponto": "mal-passado" } }],
        "payment": if number == "pix" { json!({ "type": "pix" }) } else { card(number) },
    })
}

/// The same, brought by a courier.
pub(crate) fn brought(number: &str) -> Json {
    let mut order = lunch(number);
    order["delivery"] = json!({
        "type": "courier",
        "address": { "street": "Rua da Praia", "number": "100", "city": "Porto Alegre" }
    });
    order
}

/// With the mails in the order of the alphabet: those of one millisecond have no other.
pub(crate) fn sorted(summary: &str) -> String {
    let (rest, mails) = summary.rsplit_once(' ').unwrap();
    let mut mails: Vec<&str> = mails.split(',').collect();
    mails.sort_unstable();
    format!("{rest} {}", mails.join(","))
}
