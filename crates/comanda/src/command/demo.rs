//! `comanda demo`: simulated customers and a kitchen, over the real interface.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use app::views::{AuditReport, CatalogueView, KitchenList, OrderView, ProductView, RefundPage, Stats};
use domain::order::OrderStatus;
use domain::payment::PaymentStatus;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::order::courier;
use crate::chance::Chance;
use crate::cli;
use crate::client::{Client, Order};
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::output::Output;
use crate::serve::{Extras, Server};

/// How often the kitchen looks for work.
const KITCHEN_PAUSE: Duration = Duration::from_millis(250);
/// One of so many customers is not content.
const COMPLAINTS: usize = 8;
/// How long orders may take to come to their end after the last customer.
const SETTLE_TIME: Duration = Duration::from_secs(60);

const GOOD_CARD: &str = "4242424242424242";
/// How customers pay: most cards are good, some are refused, and a few customers use Pix.
const PAYMENTS: &[&str] = &[
    GOOD_CARD,
    GOOD_CARD,
    GOOD_CARD,
    GOOD_CARD,
    GOOD_CARD,
    GOOD_CARD,
    "4000000000000002",
    "4000000000009995",
    "pix",
    "pix",
];
const NAMES: &[&str] =
    &["Ana", "Bruno", "Carla", "Davi", "Elisa", "Fábio", "Giovana", "Heitor", "Íris", "João", "Lara"];

/// What happened.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    url: String,
    data: String,
    placed: usize,
    refused: usize,
    stats: Stats,
    accept_p50_ms: f64,
    accept_p99_ms: f64,
    ready_p50_ms: f64,
    refunds: u64,
    differences: usize,
}

/// What the customers saw.
#[derive(Default)]
struct Seen {
    accepted_ms: Vec<f64>,
    ready_ms: Vec<f64>,
    refused: usize,
    last_refusal: Option<String>,
}

pub(crate) async fn run(config: &Config, arguments: &cli::Demo, output: Output) -> Result<(), Failure> {
    let config = quick(config);
    let server = Server::start(&config, Extras { sample: true, bench: false }).await?;
    let client = Client::new(Some(&server.url()), &config);
    output.tell(format!("Comanda serves {}: open it and watch. Customers are coming.", server.url()))?;
    let kitchen = tokio::spawn(cook(client.clone()));
    let seen = customers(&client, arguments, output).await?;
    settle(&client).await?;
    kitchen.abort();
    let report: AuditReport = client.get("/v1/audit").await?;
    let summary = summarise(&client, &config, server.url(), &seen, &report).await?;
    output.say(&summary, describe(&summary, &seen))?;
    if arguments.stay {
        output.tell("Still serving; Ctrl-C stops it.")?;
        tokio::signal::ctrl_c().await?;
    }
    server.stop().await
}

/// The configuration with a free port, and simulators that do not keep people waiting.
fn quick(config: &Config) -> Config {
    let mut config = config.clone();
    config.listen.set_port(0);
    config.simulator.webhook = config::Duration::milliseconds(300);
    config.simulator.pix = config::Duration::seconds(2);
    config.simulator.courier_pick_up = config::Duration::milliseconds(500);
    config.simulator.courier_delivery = config::Duration::seconds(1);
    config
}

/// Lets customers come at the given rate, and waits until each has food or has given up.
async fn customers(client: &Client, arguments: &cli::Demo, output: Output) -> Result<Seen, Failure> {
    let catalogue: CatalogueView = client.get("/v1/catalogue").await?;
    let products = Arc::new(catalogue.products);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let bar = bar(arguments, output);
    let mut chance = Chance::new(arguments.seed);
    let mut tasks = JoinSet::new();
    let mut pace = tokio::time::interval(Duration::from_secs(1) / arguments.rate);
    let end = Instant::now() + arguments.time.std();
    while Instant::now() < end {
        pace.tick().await;
        let order = basket(&mut chance, &products);
        let complains = chance.below(COMPLAINTS) == 0;
        tasks.spawn(customer(client.clone(), order, complains, seen.clone()));
        bar.inc(1);
        while tasks.try_join_next().is_some() {}
    }
    bar.set_message("waiting for the last meals");
    let rest = async { while tasks.join_next().await.is_some() {} };
    // Who still waits then is counted among the open orders.
    let _ = tokio::time::timeout(SETTLE_TIME, rest).await;
    bar.finish_and_clear();
    let seen = std::mem::take(&mut *seen.lock());
    Ok(seen)
}

fn bar(arguments: &cli::Demo, output: Output) -> ProgressBar {
    let orders = arguments.time.std().as_secs_f64() * f64::from(arguments.rate);
    let bar = ProgressBar::new(orders as u64);
    if !output.is_watched() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} orders, {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// What a customer wants.
fn basket(chance: &mut Chance, products: &[ProductView]) -> Value {
    let mut skus: Vec<&str> = Vec::new();
    for _ in 0..=chance.below(3) {
        let sku = chance.pick(products).map_or("", |product| product.product.sku.as_str());
        if !skus.contains(&sku) {
            skus.push(sku);
        }
    }
    let lines: Vec<Value> = skus
        .into_iter()
        .map(|sku| json!({"sku": sku, "quantity": 1 + chance.below(2), "options": options(chance, products, sku)}))
        .collect();
    let name = chance.pick(NAMES).copied().unwrap_or("Ana");
    let payment = match chance.pick(PAYMENTS).copied() {
        Some("pix") => json!({"type": "pix"}),
        number => json!({"type": "card", "number": number, "expMonth": 12, "expYear": 2034, "cvc": "123"}),
    };
    let delivery = if chance.below(3) == 0 { courier() } else { json!({"type": "pickup"}) };
    json!({
        "customer": {"name": name, "email": format!("customer{}@example.com", chance.below(500))},
        "lines": lines, "payment": payment, "delivery": delivery, "tip": 100 * chance.below(4),
    })
}

/// A choice for every option that must be chosen.
fn options(chance: &mut Chance, products: &[ProductView], sku: &str) -> Value {
    let product = products.iter().find(|product| product.product.sku == sku);
    let options = product.map(|product| product.product.options.as_slice()).unwrap_or_default();
    let chosen = options.iter().filter_map(|option| {
        let choice = chance.pick(&option.choices)?;
        Some((option.code.clone(), Value::from(choice.code.clone())))
    });
    Value::Object(chosen.collect())
}

/// Places the order, pays again if the card is refused, and follows it to its end.
async fn customer(client: Client, order: Value, complains: bool, seen: Arc<Mutex<Seen>>) {
    let start = Instant::now();
    let placed: Result<Order, Failure> = client.post("/place-order", &order, &[]).await;
    let placed = match placed {
        Ok(placed) => placed,
        Err(failure) => {
            let mut seen = seen.lock();
            seen.refused += 1;
            seen.last_refusal = Some(format!("{:#}", failure.error));
            return;
        }
    };
    seen.lock().accepted_ms.push(milliseconds(start));
    let path = format!("/v1/orders/{}", placed.order_id);
    let (wake, mut refused) = tokio::sync::mpsc::unbounded_channel();
    let events = format!("{path}/events");
    let follow = client.events(&events, |view| {
        let Ok(order) = serde_json::from_value::<OrderView>(view) else { return Ok(false) };
        if order.payment.status == PaymentStatus::Rejected && order.status == OrderStatus::PaymentPending {
            // The receiver outlives this closure.
            let _ = wake.send(());
        }
        if order.status == OrderStatus::Ready {
            seen.lock().ready_ms.push(milliseconds(start));
        }
        Ok(!order.status.is_final())
    });
    let pay = async {
        let card = json!({"type": "card", "number": GOOD_CARD, "expMonth": 12, "expYear": 2034, "cvc": "123"});
        while refused.recv().await.is_some() {
            // A race with the order's own end is no problem: then there is nothing to pay.
            let _: Result<Value, Failure> =
                client.post(&format!("{path}/payments"), &json!({"method": card}), &[]).await;
        }
    };
    tokio::select! {
        _ = follow => {}
        () = pay => {}
    }
    if complains {
        // Who paid nothing gets nothing back.
        let refund = json!({"amount": 100, "reason": "quality", "note": "it was cold"});
        let path = format!("/v1/payments/{}/refunds", placed.order_id);
        let _: Result<Value, Failure> = client.post(&path, &refund, &[("If-Match", "*")]).await;
    }
}

/// The kitchen: takes every order one step further, again and again.
async fn cook(client: Client) {
    loop {
        let list: KitchenList =
            client.get("/v1/kitchen/orders").await.unwrap_or_else(|_| KitchenList { items: Vec::new() });
        for order in list.items {
            let action = match order.status {
                OrderStatus::Received => "start",
                OrderStatus::InPreparation => "ready",
                _ => "handover",
            };
            let revision = format!("\"{}\"", order.revision);
            let path = format!("/v1/kitchen/orders/{}/{action}", order.order_id);
            // What changed meanwhile is looked at again in the next round.
            let _: Result<Value, Failure> = client.post(&path, &json!({}), &[("If-Match", &revision)]).await;
        }
        tokio::time::sleep(KITCHEN_PAUSE).await;
    }
}

/// Waits until no order is under way any more.
async fn settle(client: &Client) -> Result<(), Failure> {
    let end = Instant::now() + SETTLE_TIME;
    while Instant::now() < end {
        let stats: Stats = client.get("/v1/stats").await?;
        if stats.placed == stats.completed + stats.rejected + stats.cancelled + stats.expired {
            break;
        }
        tokio::time::sleep(KITCHEN_PAUSE).await;
    }
    while Instant::now() < end {
        let pending: RefundPage = client.get("/v1/refunds?status=PENDING").await?;
        if pending.items.is_empty() {
            break;
        }
        tokio::time::sleep(KITCHEN_PAUSE).await;
    }
    Ok(())
}

async fn summarise(
    client: &Client,
    config: &Config,
    url: String,
    seen: &Seen,
    report: &AuditReport,
) -> Result<Summary, Failure> {
    Ok(Summary {
        url,
        data: config.data.display().to_string(),
        placed: seen.accepted_ms.len(),
        refused: seen.refused,
        stats: client.get("/v1/stats").await?,
        accept_p50_ms: percentile(&seen.accepted_ms, 50),
        accept_p99_ms: percentile(&seen.accepted_ms, 99),
        ready_p50_ms: percentile(&seen.ready_ms, 50),
        refunds: report.counts.get("refunds").copied().unwrap_or(0),
        differences: report.differences.len(),
    })
}

fn describe(summary: &Summary, seen: &Seen) -> String {
    let Summary { stats, data, .. } = summary;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{} orders were placed; half were accepted within {:.1} ms, 99 % within {:.1} ms.",
        summary.placed, summary.accept_p50_ms, summary.accept_p99_ms
    );
    let _ = writeln!(
        text,
        "  {:>6} completed, half of them ready after {:.1} s",
        stats.completed,
        summary.ready_p50_ms / 1000.0
    );
    let _ =
        writeln!(text, "  {:>6} rejected, {} cancelled, {} expired", stats.rejected, stats.cancelled, stats.expired);
    let _ = writeln!(text, "  {:>6} refunds, each with a credit note", summary.refunds);
    if let Some(why) = &seen.last_refusal {
        let _ = writeln!(text, "  {:>6} were not accepted; the last because {why}", seen.refused);
    }
    let _ = match summary.differences {
        0 => writeln!(
            text,
            "The audit finds that orders, payments, refunds, ledger, stock, receipts and provider agree."
        ),
        n => writeln!(text, "The audit finds {n} differences; `comanda audit --data {data}` lists them."),
    };
    let _ = writeln!(text, "Where to look:");
    let _ = writeln!(text, "  comanda serve --data {data}     and open the printed address: orders, kitchen, mailbox");
    let _ = writeln!(text, "  sqlite3 {data}/comanda.db 'select status, count(*) from orders group by status'");
    let _ = writeln!(text, "  ls {data}/receipts");
    text
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(0.0)
}
