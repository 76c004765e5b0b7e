//! The order flow stops at every commit in turn, with none, half or all of the undurable work surviving by turns. After
//! the restart the same customer and the same cook go on, and the books must be those of a run without a crash.
//!
//! In one process: the application and the engine as the server puts them together, over a store that crashes.

use std::sync::Arc;
use std::time::Duration;

use app::commands::{CancelOrder, ListMails, PayOrder, PlaceOrder, RequestRefund};
use app::views::{OrderView, RefundView};
use app::{Answer, App, Call, Function, FunctionError, Settings};
use async_trait::async_trait;
use domain::notification::Notice;
use domain::order::{OrderStatus, Party};
use object_store::memory::InMemory;
use parking_lot::Mutex;
use serde_json::{Value, json};
use store::Batch;
use store::crash::{CrashPoint, CrashStore, Survives};

use crate::in_process::{self, Around, World, intent};

/// How long one life of the process may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Trials that run side by side; most of their time they wait.
const LANES: usize = 12;
const SKU: &str = "xis-calabresa";
const STOCK: i64 = 200;

/// What the customer and the cook do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Story {
    /// Paid by card, delivered by courier.
    Delivered,
    /// Refused once, paid again, fetched.
    PaidAgain,
    /// Paid, then called off by the customer before the kitchen begins.
    CalledOff,
    /// Fetched, then refunded twice in part: an amount, and a unit that goes back to the shelf.
    PartlyRefunded,
    /// A Pix that is paid after the order expired: reserved again, and fetched.
    PaidLate,
}

/// Some functions always fail.
struct Fails<'a>(&'a [&'a str]);

impl Around for Fails<'_> {
    fn function(&self, function: Arc<dyn Function>) -> Arc<dyn Function> {
        if self.0.contains(&function.name()) { Arc::new(Broken(function)) } else { function }
    }
}

/// A function that always fails.
struct Broken(Arc<dyn Function>);

#[async_trait]
impl Function for Broken {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn call(&self, _: Call) -> Result<Answer, FunctionError> {
        Err(FunctionError::new("Broken", "a test"))
    }
}

async fn open(store: Arc<CrashStore>, receipts: Arc<InMemory>, story: Story) -> World {
    let window = if story == Story::PaidLate { 2_000 } else { Settings::default().payment_window_ms };
    open_with(store, receipts, window, &[]).await
}

/// The same with some functions that fail.
async fn open_with(store: Arc<CrashStore>, receipts: Arc<InMemory>, window: i64, broken: &[&str]) -> World {
    let mut settings = Settings { payment_window_ms: window, ..Settings::default() };
    settings.simulator.pix_paid_after_ms = None;
    settings.courier.pick_up_after_ms = 1;
    settings.courier.deliver_after_ms = 1;
    settings.poll_after_ms = 200;
    in_process::open(store, receipts, settings, &Fails(broken)).await
}

fn place(story: Story) -> PlaceOrder {
    let number = if story == Story::PaidAgain { "4000000000000002" } else { "4242424242424242" };
    let delivery = match story {
        Story::Delivered => json!({"type": "courier", "address": {
            "street": "Rua da Praia", "number": "100", "district": "Centro", "city": "Porto Alegre", "state": "RS",
            "postalCode": "90020-060"}}),
        _ => json!({"type": "pickup"}),
    };
    let order = json!({
        "customer": {"name": "Ana", "email": "ana@example.com"},
        "lines": [{"sku": SKU, "quantity": 2}],
        "payment": if story == Story::PaidLate { json!({"type": "pix"}) } else { card(number) },
        "delivery": delivery,
    });
    serde_json::from_value(order).unwrap()
}

fn card(number: &str) -> Value {
    json!({"type": "card", "number": number, "expMonth": 12, "expYear": 2034, "cvc": "123"})
}

/// Customer and cook, who know nothing of crashes: they try until they get an answer. Answers the order in its end.
async fn live(world: &World, story: Story) -> OrderView {
    let app = &world.app;
    let placed = loop {
        if let Ok(placed) = app.place_order(place(story), Some("lunch")).await {
            break placed.order;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    loop {
        let order = app.order(&placed.order_id).await.unwrap();
        let has = |action: &str| order.actions.iter().any(|a| serde_json::to_value(a).unwrap() == json!(action));
        let revision = order.revision;
        // Another step may be faster: then the action is refused, and the next look tells what to do.
        if order.status == OrderStatus::Expired && story == Story::PaidLate {
            if let Some(intent) = intent(app, &placed.order_id).await {
                drop(app.simulate_pix(&intent).await);
            }
        } else if order.status.is_final() {
            if story == Story::PartlyRefunded {
                refund(app, &placed.order_id).await;
            }
            return order;
        } else if has("pay") && order.payment.failure.is_some() {
            let method = serde_json::from_value(card("4242424242424242")).unwrap();
            drop(app.pay(&placed.order_id, PayOrder { method }).await);
        } else if story == Story::CalledOff && has("start") {
            let reason = "changed my mind".into();
            drop(app.cancel(&placed.order_id, CancelOrder { reason }, Some(revision), Party::Customer).await);
        } else if has("start") {
            drop(app.kitchen_start(&placed.order_id, revision).await);
        } else if has("ready") {
            drop(app.kitchen_ready(&placed.order_id, revision).await);
        } else if has("handover") {
            drop(app.kitchen_handover(&placed.order_id, revision).await);
        }
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
}

/// Asks for two refunds until it has an answer to each.
async fn refund(app: &App, order_id: &str) {
    let amount = json!({"amount": 1000, "reason": "quality", "note": "cold"});
    let line = json!({"reason": "item-missing", "lines": [{"line": 0, "quantity": 1, "restock": true}]});
    for (key, command) in [("first", amount), ("second", line)] {
        let command: RequestRefund = serde_json::from_value(command).unwrap();
        while app.request_refund(order_id, command.clone(), Some(key), None).await.is_err() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// What must be the same with and without a crash.
#[derive(Debug, PartialEq, Eq)]
struct Books {
    status: String,
    payment: String,
    captured: i64,
    refunded: i64,
    on_hand: i64,
    reserved: i64,
    receipt: Option<i64>,
    mails: Vec<String>,
    /// Status, amount and credit note of each.
    refunds: Vec<String>,
    differences: Vec<String>,
}

/// Whether everything about the refunds of an order has happened.
async fn refunds_are_done(app: &App, id: &str) -> bool {
    let refunds = app.refunds_of(id).await.unwrap().items;
    let list = ListMails { order: Some(id.to_owned()), ..ListMails::default() };
    let told = app.mails(list).await.unwrap().items.iter().filter(|mail| mail.event == Notice::Refunded).count();
    refunds.iter().all(|refund| refund.credit_note.is_some()) && told == refunds.len()
}

async fn settle(world: &World, order: &OrderView) -> Books {
    let id = &order.order_id;
    // What follows the end: mails, the provider's last webhooks.
    loop {
        world.engine.store().flush().await.unwrap();
        let stats = world.engine.stats();
        let busy = |q: &runtime::QueueFigures| q.ready + q.running > 0 && !q.queue.ends_with(runtime::DEAD);
        if stats.active == 0 && !stats.queues.iter().any(busy) && refunds_are_done(&world.app, id).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let app = &world.app;
    let order = app.order(id).await.unwrap();
    let mails = app.mails(ListMails { order: Some(id.clone()), ..ListMails::default() }).await.unwrap();
    let mut mails: Vec<String> = mails.items.iter().map(|mail| mail.subject.clone()).collect();
    mails.sort();
    let stock = app.product(SKU).await.unwrap().stock;
    let audit = app.audit().await.unwrap();
    let refunds = app.refunds_of(id).await.unwrap().items;
    let refund = |r: &RefundView| format!("{} {} {:?}", r.status.as_str(), r.amount, r.reason);
    let text = |value: &dyn erased::Text| value.text();
    Books {
        status: text(&order.status),
        payment: text(&order.payment.status),
        captured: audit.money.captured,
        refunded: audit.money.refunded,
        on_hand: stock.on_hand,
        reserved: stock.reserved,
        receipt: order.receipt.map(|receipt| receipt.number),
        mails,
        refunds: refunds.iter().map(refund).collect(),
        differences: audit.differences.iter().map(|d| text(d)).collect(),
    }
}

mod erased {
    /// Anything as its JSON text.
    pub(super) trait Text {
        fn text(&self) -> String;
    }

    impl<T: serde::Serialize> Text for T {
        fn text(&self) -> String {
            serde_json::to_string(self).unwrap()
        }
    }
}

fn in_a_process<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

/// One life: until the books are closed, or the crash (`None`). Answers the books, and the commits.
async fn life(store: Arc<CrashStore>, receipts: Arc<InMemory>, story: Story) -> Option<Result<(Books, usize), String>> {
    let whole = async {
        let world = open(store.clone(), receipts, story).await;
        let to_the_end = async {
            let order = live(&world, story).await;
            settle(&world, &order).await
        };
        let Ok(books) = tokio::time::timeout(PATIENCE, to_the_end).await else {
            let orders = world.app.orders(app::commands::ListOrders::default()).await;
            let list = orders.map_or_else(|e| e.to_string(), |page| erased::Text::text(&page.items));
            return Err(format!("no end: {list} {}", erased::Text::text(&world.engine.stats())));
        };
        world.engine.stop(Duration::from_secs(5)).await.unwrap();
        Ok((books, store.commits().await))
    };
    tokio::select! {
        biased;
        () = store.crashed() => None,
        whole = whole => Some(whole),
    }
}

fn trial(story: Story, point: CrashPoint, survives: Survives, expected: &Books) -> Result<(), String> {
    let receipts = Arc::new(InMemory::new());
    let files = receipts.clone();
    let survivors: Option<Vec<Batch>> = in_a_process(async move {
        let store = CrashStore::new(Vec::new(), Some(point)).await.unwrap();
        match life(store.clone(), files, story).await {
            None => Some(store.survivors(survives).await),
            Some(_) => None,
        }
    });
    // The commits of a run vary a little with what falls together; past the last one there is nothing to crash.
    let Some(survivors) = survivors else { return Ok(()) };
    let books = in_a_process(async move {
        let store = CrashStore::new(survivors, None).await.unwrap();
        life(store, receipts, story).await
    });
    match books {
        Some(Ok((books, _))) if books == *expected => Ok(()),
        other => Err(format!("{story:?}, crash {point:?}, {survives:?} survives: {other:?}")),
    }
}

fn check(story: Story) {
    let (expected, commits) = in_a_process(async move {
        let store = CrashStore::new(Vec::new(), None).await.unwrap();
        life(store, Arc::new(InMemory::new()), story).await.unwrap().unwrap()
    });
    assert!(expected.differences.is_empty(), "{expected:?}");
    let (status, on_hand, refunded) = match story {
        Story::Delivered | Story::PaidAgain | Story::PaidLate => ("\"COMPLETED\"", STOCK - 2, 0),
        Story::PartlyRefunded => ("\"COMPLETED\"", STOCK - 1, 1000 + expected.captured / 2),
        Story::CalledOff => ("\"CANCELLED\"", STOCK, expected.captured),
    };
    assert_eq!((expected.status.as_str(), expected.on_hand, expected.refunded), (status, on_hand, refunded));
    assert!(expected.captured > 0 && commits > 20, "{expected:?} in {commits} commits");
    let survivals = [Survives::Durable, Survives::Half, Survives::Everything];
    // That story waits for its expiry in every life.
    let stride = if story == Story::PaidLate && std::env::var_os("COMANDA_LONG").is_none() { 2 } else { 1 };
    let trials: Vec<(CrashPoint, Survives)> = (0..commits)
        .step_by(stride)
        .flat_map(|n| {
            let survives = survivals[n % survivals.len()];
            [(CrashPoint::Before(n), survives), (CrashPoint::After(n), survives)]
        })
        .collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some((point, survives)) = trials.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
                    if let Err(problem) = trial(story, *point, *survives, &expected) {
                        failed.lock().push(problem);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    assert!(failed.is_empty(), "{} of {} trials: {:#?}\nexpected {expected:?}", failed.len(), trials.len(), failed);
}

#[test]
fn an_order_that_is_delivered_survives_a_crash_at_every_commit() {
    check(Story::Delivered);
}

#[test]
fn an_order_that_is_paid_again_survives_a_crash_at_every_commit() {
    check(Story::PaidAgain);
}

#[test]
fn an_order_that_is_called_off_survives_a_crash_at_every_commit() {
    check(Story::CalledOff);
}

#[test]
fn refunds_in_part_survive_a_crash_at_every_commit() {
    check(Story::PartlyRefunded);
}

#[test]
fn an_order_that_is_paid_late_survives_a_crash_at_every_commit() {
    check(Story::PaidLate);
}

/// Waits until an order is as wanted.
async fn until(world: &World, id: &str, wanted: impl Fn(&OrderView) -> bool) -> OrderView {
    let look = async {
        loop {
            let order = world.app.order(id).await.unwrap();
            if wanted(&order) {
                return order;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, look).await {
        Ok(order) => order,
        Err(_) => panic!("waited in vain: {}", erased::Text::text(&world.app.order(id).await.unwrap())),
    }
}

/// A step that fails for good: a good order goes on or stands before a person, and one that is called off is called off.
fn fails(broken: &'static [&'static str], reason: &'static str) {
    in_a_process(async move {
        let store = CrashStore::new(Vec::new(), None).await.unwrap();
        let window = Settings::default().payment_window_ms;
        let world = open_with(store, Arc::new(InMemory::new()), window, broken).await;
        let id = world.app.place_order(place(Story::CalledOff), None).await.unwrap().order.order_id;
        let order = until(&world, &id, |order| {
            let stands = order.needs_attention.is_some() || order.status.as_str() == "RECEIVED";
            stands && order.payment.captured > 0 && (reason.is_empty() || order.needs_attention.is_some())
        })
        .await;
        assert!(order.needs_attention.unwrap_or_default().contains(reason));
        assert_eq!(order.payment.refunded, 0, "a failure of ours gives no money back");
        let reason = "changed my mind".into();
        world.app.cancel(&id, CancelOrder { reason }, None, Party::Staff).await.unwrap();
        until(&world, &id, |order| {
            order.status.as_str() == "CANCELLED" && order.payment.refunded == order.payment.captured
        })
        .await;
        let stock = world.app.product(SKU).await.unwrap().stock;
        assert_eq!((stock.available, stock.reserved), (STOCK, 0));
    });
}

#[test]
fn a_paid_order_goes_on_without_mail_and_receipt() {
    fails(&["send-notification"], "");
    fails(&["generate-receipt"], "the receipt could not be issued");
}

#[test]
fn an_order_whose_flow_gave_up_is_undone_by_another() {
    fails(&["await-preparation"], "the flow could not go on");
}

#[test]
fn money_that_cannot_be_given_back_at_once_goes_back_later() {
    fails(&["reverse-payment"], "");
    fails(&["issue-credit-note"], "");
}
