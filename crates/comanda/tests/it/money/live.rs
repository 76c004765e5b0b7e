//! One life of the process: the plan goes on where the life before was cut off, and in the last one everything settles.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app::commands::{CancelOrder, PayOrder, PlaceOrder, RequestRefund, ResolveOrder};
use app::provider::PaymentProvider;
use app::views::OrderView;
use app::{Kind, Problem};
use domain::refund::RefundStatus;
use object_store::memory::InMemory;
use parking_lot::Mutex;
use serde_json::{Value, json};
use store::crash::CrashStore;

use super::Figures;
use super::outside::{Lines, Outside};
use super::plan::{Act, Back, Plan};
use crate::in_process::{self, World, intent, rows};

/// What is sold.
pub(super) const SKU: &str = "xis-calabresa";
/// What a person says who has looked at an order.
pub(super) const LOOKED_AT: &str = "looked at";
/// How often a caller asks again who gets no answer.
const MAX_ASKS: usize = 400;
/// How long everything may take to settle, in virtual time.
const PATIENCE: Duration = Duration::from_secs(40 * 3_600);
/// For how long the pollers and the reconciliation look once everything has settled.
const AFTERWARDS: Duration = Duration::from_secs(900);

/// How far the plan has come, whatever the process forgets.
#[derive(Debug, Default, Clone)]
pub(super) struct Progress {
    next: usize,
    /// Orders by slot, once acknowledged.
    pub(super) orders: BTreeMap<u64, String>,
    /// Acknowledged refunds: order, refund.
    pub(super) refunds: Vec<(String, String)>,
}

/// Why a life ends before everything has settled.
pub(super) enum Ended {
    /// Stopped in good order, and started again after so long.
    Stopped {
        down_ms: i64,
    },
    Settled(Figures),
}

pub(super) struct Life<'a> {
    pub(super) plan: &'a Plan,
    pub(super) outside: &'a Arc<Outside>,
    pub(super) receipts: &'a Arc<InMemory>,
    pub(super) progress: &'a Mutex<Progress>,
}

impl Life<'_> {
    /// Lives until the plan says to stop, or until everything has settled and the books agree.
    pub(super) async fn live(&self, store: Arc<CrashStore>) -> Result<Ended, String> {
        let around = Lines(self.outside.clone());
        let world = in_process::open(store, self.receipts.clone(), self.plan.settings(), &around).await;
        world.app.ledger().start();
        self.nothing_acknowledged_is_lost(&world).await?;
        loop {
            let at = self.progress.lock().next;
            let Some(step) = self.plan.steps.get(at) else { break };
            tokio::time::sleep(Duration::from_millis(step.pause_ms)).await;
            if let Act::Stop { down_ms } = step.act {
                self.progress.lock().next += 1;
                world.app.ledger().halt().await;
                world.engine.stop(Duration::from_secs(5)).await.map_err(|error| error.to_string())?;
                return Ok(Ended::Stopped { down_ms });
            }
            self.act(&world, &step.act).await?;
            self.progress.lock().next = at + 1;
            self.caps_hold(&world).await.map_err(|problem| format!("after step {at}, {:?}: {problem}", step.act))?;
        }
        self.outside.weather(0, 0);
        self.settle(&world).await?;
        self.caps_hold(&world).await?;
        let progress = self.progress.lock().clone();
        super::books::agree(&world, &progress).await.map(Ended::Settled)
    }

    fn order(&self, slot: u64) -> Option<String> {
        self.progress.lock().orders.get(&slot).cloned()
    }

    async fn act(&self, world: &World, act: &Act) -> Result<(), String> {
        let app = &world.app;
        match act {
            Act::Place { slot, .. } => return self.place(world, *slot, act).await,
            Act::PayOut => drop(world.simulator.pay_out().await),
            Act::Weather { calls, webhooks } => self.outside.weather(*calls, *webhooks),
            Act::Consolidation { running } => drop(app.ledger().set_stopped(!running).await),
            Act::Rebuild => drop(app.ledger().rebuild().await.map_err(|error| error.to_string())?),
            Act::Refund { slot, how, key } => {
                if let Some(id) = self.order(*slot) {
                    return self.refund(world, &id, *how, *key).await;
                }
            }
            Act::Stop { .. } => {}
            Act::PayAgain { slot, .. }
            | Act::PayPix { slot }
            | Act::Authenticate { slot, .. }
            | Act::Cook { slot }
            | Act::Cancel { slot, .. }
            | Act::RetryRefunds { slot }
            | Act::Capture { slot }
            | Act::Void { slot }
            | Act::Resolve { slot }
            | Act::HoldEnds { slot }
            | Act::Dispute { slot }
            | Act::Decide { slot, .. } => {
                if let Some(id) = self.order(*slot) {
                    self.touch(world, &id, act).await?;
                }
            }
        }
        Ok(())
    }

    /// What somebody does with an order; what is refused changes nothing.
    async fn touch(&self, world: &World, id: &str, act: &Act) -> Result<(), String> {
        let (app, simulator) = (&world.app, &world.simulator);
        let intent = intent(app, id).await.unwrap_or_default();
        match act {
            Act::PayAgain { card: number, .. } => {
                let method = serde_json::from_value(card(number)).unwrap();
                drop(app.pay(id, PayOrder { method }).await);
            }
            Act::PayPix { .. } => drop(simulator.pay_pix(&intent).await),
            Act::Authenticate { approve, .. } => drop(simulator.authenticate(&intent, *approve).await),
            Act::Cook { .. } => cook(world, id).await,
            Act::Cancel { by, .. } => {
                let command = CancelOrder { reason: "changed my mind".into() };
                drop(app.cancel(id, command, None, *by).await);
            }
            Act::RetryRefunds { .. } => {
                for refund in app.refunds_of(id).await.map_err(|error| error.to_string())?.items {
                    if refund.status == RefundStatus::Failed || refund.halted {
                        drop(app.retry_refund(&refund.refund_id, None).await);
                    }
                }
            }
            Act::Capture { .. } => drop(app.capture_payment(id, None).await),
            Act::Void { .. } => drop(app.void_payment(id, None, None).await),
            Act::Resolve { .. } => {
                let command = ResolveOrder { note: LOOKED_AT.into() };
                let order = app.order(id).await.map_err(|error| error.to_string())?;
                drop(app.resolve(id, command, order.revision).await);
            }
            Act::HoldEnds { .. } => drop(simulator.end_hold(&intent).await),
            Act::Dispute { .. } => drop(simulator.dispute(&intent).await),
            Act::Decide { won, .. } => drop(simulator.decide_dispute(&intent, *won).await),
            _ => {}
        }
        Ok(())
    }

    /// A customer who asks until there is an answer, under one key.
    async fn place(&self, world: &World, slot: u64, act: &Act) -> Result<(), String> {
        for _ in 0..MAX_ASKS {
            match world.app.place_order(order(act), Some(&format!("order-{slot}"))).await {
                Ok(placed) => {
                    self.progress.lock().orders.insert(slot, placed.order.order_id);
                    return Ok(());
                }
                Err(error) if matches!(error.kind(), Kind::Unavailable | Kind::Conflict) => {
                    // A customer gives up on a provider that does not take cards at all.
                    self.outside.weather(50, 50);
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(error) => return Err(format!("the order is refused: {error}")),
            }
        }
        Err("the order is never taken".into())
    }

    /// The staff asks until there is an answer, under one key.
    async fn refund(&self, world: &World, id: &str, how: Back, key: u64) -> Result<(), String> {
        let mut body = json!({"reason": "quality"});
        match how {
            Back::Amount(amount) => body["amount"] = json!(amount),
            Back::Line { quantity, restock } => {
                body["lines"] = json!([{"line": 0, "quantity": quantity, "restock": restock}]);
            }
            Back::Rest => {}
        }
        let command: RequestRefund = serde_json::from_value(body).unwrap();
        for _ in 0..MAX_ASKS {
            match world.app.request_refund(id, command.clone(), Some(&format!("refund-{key}")), None).await {
                Ok(requested) => {
                    let known = (id.to_owned(), requested.refund.refund_id);
                    let mut progress = self.progress.lock();
                    if !progress.refunds.contains(&known) {
                        progress.refunds.push(known);
                    }
                    return Ok(());
                }
                Err(error) if error.kind() == Kind::Unavailable => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Err(_) => return Ok(()),
            }
        }
        Err("the refund is never answered".into())
    }

    async fn nothing_acknowledged_is_lost(&self, world: &World) -> Result<(), String> {
        let (orders, refunds) = {
            let progress = self.progress.lock();
            (progress.orders.clone(), progress.refunds.clone())
        };
        for id in orders.values() {
            world.app.order(id).await.map_err(|error| format!("{id} was acknowledged and is gone: {error}"))?;
        }
        for (order, refund) in refunds {
            let all = world.app.refunds_of(&order).await.map_err(|error| error.to_string())?.items;
            if !all.iter().any(|known| known.refund_id == refund) {
                return Err(format!("{refund} was acknowledged and is gone"));
            }
        }
        Ok(())
    }

    /// Refunded and pending never exceed what was captured, nor that what was authorised, here and at the provider.
    async fn caps_hold(&self, world: &World) -> Result<(), String> {
        let orders = self.progress.lock().orders.clone();
        for id in orders.values() {
            let list = world.app.refunds_of(id).await.map_err(|error| error.to_string())?;
            let amount = world.app.payment(id).await.map_err(|error| error.to_string())?.payment.amount;
            let parts = [list.refunded, list.pending, list.left];
            if list.refunded + list.pending > list.captured || list.captured > amount || parts.iter().any(|p| *p < 0) {
                return Err(format!("{id}: of {amount} the books say {list:?}"));
            }
            if let Some(intent) = intent(&world.app, id).await {
                let intent = world.simulator.retrieve(&intent).await.map_err(|error| error.to_string())?;
                if intent.refunded > intent.captured || intent.captured > intent.amount {
                    return Err(format!("{id}: the provider says {intent:?}"));
                }
            }
        }
        Ok(())
    }

    /// Everything that can still happen by itself happens, and the kitchen works on.
    async fn settle(&self, world: &World) -> Result<(), String> {
        drop(world.app.ledger().set_stopped(false).await);
        let orders: Vec<String> = self.progress.lock().orders.values().cloned().collect();
        let begin = tokio::time::Instant::now();
        // Since when everything has settled: what the pollers find may begin something anew.
        let mut settled_since = None;
        loop {
            for id in &orders {
                cook(world, id).await;
            }
            world.engine.store().flush().await.map_err(|error| error.to_string())?;
            let open = unsettled(world, &orders).await?;
            let since = *settled_since.get_or_insert_with(tokio::time::Instant::now);
            if !open.is_empty() {
                settled_since = None;
            } else if since.elapsed() > AFTERWARDS {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!("it does not settle: {}", open.join(", ")));
            }
            let pause = if begin.elapsed() < Duration::from_secs(120) { 1_000 } else { 20_000 };
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }
}

/// What still goes on.
async fn unsettled(world: &World, orders: &[String]) -> Result<Vec<String>, String> {
    let mut open = Vec::new();
    let stats = world.engine.stats();
    for queue in &stats.queues {
        let dead = queue.queue.ends_with(runtime::DEAD);
        // A ticker's beat is work that begins anew for ever.
        if queue.ready + queue.running > 0 && !dead && queue.queue != "tickers" {
            open.push(format!("queue {}", queue.queue));
        }
    }
    for row in rows(&*world.engine.store(), "executions").await {
        if row.text("status") == Some("RUNNING") {
            open.push(format!("execution {}", row.text("name").unwrap_or_default()));
        }
    }
    for id in orders {
        let order = world.app.order(id).await.map_err(|error| error.to_string())?;
        let looked_at = order.timeline.iter().any(|entry| entry.detail.as_deref() == Some(LOOKED_AT));
        if !order.status.is_final() && order.needs_attention.is_none() && !looked_at {
            open.push(format!("{id} {}", order.status.as_str()));
        }
        for refund in world.app.refunds_of(id).await.map_err(|error| error.to_string())?.items {
            if refund.status == RefundStatus::Pending && !refund.halted {
                open.push(format!("{} pending", refund.refund_id));
            }
        }
    }
    if world.app.ledger().projection().await.map_err(|error| error.to_string())?.pending > 0 {
        open.push("entries that are not consolidated".into());
    }
    Ok(open)
}

/// The kitchen's next step with an order, if there is one.
async fn cook(world: &World, id: &str) {
    let app = &world.app;
    let Ok(OrderView { revision, actions, .. }) = app.order(id).await else { return };
    let has = |name: &str| actions.iter().any(|action| serde_json::to_value(action).unwrap() == json!(name));
    if has("start") {
        drop(app.kitchen_start(id, revision).await);
    } else if has("ready") {
        drop(app.kitchen_ready(id, revision).await);
    } else if has("handover") {
        drop(app.kitchen_handover(id, revision).await);
    }
}

fn order(act: &Act) -> PlaceOrder {
    let Act::Place { card: number, quantity, courier, tip, .. } = act else { unreachable!("only orders are placed") };
    let order = json!({
        "customer": {"name": "Ana", "email": "ana@example.com"},
        "lines": [{"sku": SKU, "quantity": quantity}],
        "payment": number.map_or_else(|| json!({"type": "pix"}), card),
        "tip": tip,
        "delivery": if *courier {
            json!({"type": "courier", "address": {"street": "Rua da Praia", "number": "100", "district": "Centro",
                "city": "Porto Alegre", "state": "RS", "postalCode": "90020-060"}})
        } else {
            json!({"type": "pickup"})
        },
    });
    serde_json::from_value(order).unwrap()
}

fn card(number: &str) -> Value {
    json!({"type": "card", "number": number, "expMonth": 12, "expYear": 2034, "cvc": "123"})
}
