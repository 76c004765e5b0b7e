//! The kitchen: what is to be made, and its three actions.

use domain::delivery::DeliveryKind;
use domain::notification::Notice;
use domain::order::{self as rules, OrderStatus, Party};
use domain::payment::PaymentStatus;
use serde_json::json;
use store::{Batch, CommitError, Query, ReadError, Value};

use crate::error::StoreError;
use crate::records::Order;
use crate::records::order::{self, ORDERS};
use crate::views::{KitchenList, KitchenOrder, OrderView};
use crate::{App, FindError, Instant, Kind, Problem, mail};

/// The most orders the kitchen sees of each status.
const MAX_EACH: usize = 100;

/// Why a kitchen action did not happen.
#[derive(Debug, thiserror::Error)]
pub enum KitchenError {
    /// There is no such order.
    #[error("there is no order `{0}`")]
    NotFound(String),
    /// It changed since it was read.
    #[error("the order changed since it was read; read it again and decide anew")]
    Stale,
    /// The order does not stand there.
    #[error("an order that is `{status}` cannot `{action}`")]
    NotNow {
        /// Where it stands.
        status: &'static str,
        /// What was asked.
        action: &'static str,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for KitchenError {
    fn kind(&self) -> Kind {
        match self {
            KitchenError::NotFound(_) => Kind::NotFound,
            KitchenError::Stale => Kind::Stale,
            KitchenError::NotNow { .. } => Kind::Conflict,
            KitchenError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            KitchenError::NotFound(_) => "not-found",
            KitchenError::Stale => "stale-revision",
            KitchenError::NotNow { .. } => "illegal-transition",
            KitchenError::Store(error) => error.code(),
        }
    }
}

/// What the kitchen does with an order.
#[derive(Clone, Copy)]
enum Step {
    Start,
    Ready,
    Handover,
}

impl Step {
    fn verb(self) -> &'static str {
        match self {
            Step::Start => "start",
            Step::Ready => "ready",
            Step::Handover => "handover",
        }
    }
}

impl App {
    /// What the kitchen sees: the latest READY, then IN_PREPARATION, then RECEIVED, each oldest first, at most 300.
    ///
    /// # Errors
    /// [`FindError::Store`].
    pub async fn kitchen(&self) -> Result<KitchenList, FindError> {
        let mut items = Vec::new();
        for status in [OrderStatus::Ready, OrderStatus::InPreparation, OrderStatus::Received] {
            let query = Query::index(&ORDERS, "open", status.as_str()).limit(MAX_EACH);
            // What nobody fetches stays READY, and must not hide what was made today.
            let mut rows = match status {
                OrderStatus::Ready => self.store.query(query.descending()).await?.rows,
                _ => self.store.query(query).await?.rows,
            };
            rows.sort_by_key(|row| row.key().int());
            for row in rows {
                items.push(kitchen_order(&Order::from_row(row)?)?);
            }
        }
        Ok(KitchenList { items })
    }

    /// The kitchen starts with an order.
    ///
    /// # Errors
    /// [`KitchenError`].
    pub async fn kitchen_start(&self, order_id: &str, revision: i64) -> Result<OrderView, KitchenError> {
        self.kitchen_step(order_id, revision, Step::Start).await
    }

    /// The kitchen is done with an order.
    ///
    /// # Errors
    /// [`KitchenError`].
    pub async fn kitchen_ready(&self, order_id: &str, revision: i64) -> Result<OrderView, KitchenError> {
        self.kitchen_step(order_id, revision, Step::Ready).await
    }

    /// The customer has the order in hand.
    ///
    /// # Errors
    /// [`KitchenError`].
    pub async fn kitchen_handover(&self, order_id: &str, revision: i64) -> Result<OrderView, KitchenError> {
        self.kitchen_step(order_id, revision, Step::Handover).await
    }

    /// One try only: a revision that is no longer there is the caller's to read again.
    async fn kitchen_step(&self, order_id: &str, revision: i64, step: Step) -> Result<OrderView, KitchenError> {
        let not_found = || KitchenError::NotFound(order_id.chars().take(64).collect());
        let id = order::private_id(order_id).ok_or_else(not_found)?;
        let order = Order::load(&*self.store, id).await.map_err(StoreError::from)?;
        let order = order.ok_or_else(not_found)?;
        if order.revision != revision {
            return Err(KitchenError::Stale);
        }
        let batch = self.kitchen_changes(&order, step).await?;
        match self.commit(batch).await {
            Ok(()) => {}
            Err(CommitError::Conflict { .. }) => return Err(KitchenError::Stale),
            Err(error) => return Err(StoreError::from(error).into()),
        }
        self.order(order_id).await.map_err(|error| match error {
            FindError::NotFound { .. } => not_found(),
            FindError::Store(error) => StoreError::from(error).into(),
        })
    }

    async fn kitchen_changes(&self, order: &Order, step: Step) -> Result<Batch, KitchenError> {
        let not_now = || KitchenError::NotNow { status: order.status.as_str(), action: step.verb() };
        if order.cancel_reason().is_some() || order.is_halted() {
            return Err(not_now());
        }
        let now = self.now();
        let mut batch = Batch::new();
        let update = order.update(now);
        let (update, notice) = match step {
            Step::Start => {
                let update = update.status(OrderStatus::InPreparation, None);
                (update.map_err(|_| not_now())?, Some(Notice::InPreparation))
            }
            Step::Ready => {
                let update = update.status(OrderStatus::Ready, None).map_err(|_| not_now())?;
                (update, Some(Notice::Ready))
            }
            Step::Handover => {
                let pickup = order.delivery() == DeliveryKind::Pickup;
                if order.status != OrderStatus::Ready || !pickup || order.is_handed_over() {
                    return Err(not_now());
                }
                (update.set("handed_over_at", now), None)
            }
        };
        // Start does not end the wait for the kitchen; ready and handover end the wait they belong to. Without a token the
        // flow is still on its way to wait; it will see what happened.
        let update = match (step, order.wait_token()) {
            (Step::Ready | Step::Handover, Some(token)) => {
                batch.task_succeeded(token, json!({}));
                update.set("wait_token", Value::Null)
            }
            _ => update,
        };
        update.write(&mut batch);
        if let Some(notice) = notice {
            let written = mail::write(self, &mut batch, order, notice, 0, now).await;
            written.map_err(StoreError::from)?;
        }
        Ok(batch)
    }
}

fn kitchen_order(order: &Order) -> Result<KitchenOrder, ReadError> {
    let body = order.body()?;
    Ok(KitchenOrder {
        order_id: order.public_id(),
        number: order.number(),
        status: order.status,
        revision: order.revision,
        placed_at: Instant(order.placed_at()),
        customer_name: order.customer()?.and_then(|customer| customer.name),
        lines: body.lines,
        note: body.note,
        delivery: order.delivery(),
        actions: rules::actions(order.standing(PaymentStatus::Confirmed), Party::Staff),
    })
}
