//! Calling an order off.

use domain::basket;
use domain::delivery::DeliveryStatus;
use domain::order::{OrderStatus, Party, may_cancel};
use serde_json::json;
use store::{Batch, CommitError, ReadError, Value};

use crate::app::MAX_TRIES;
use crate::commands::CancelOrder;
use crate::error::StoreError;
use crate::records::{DeliveryRecord, Order, Payment, order};
use crate::views::OrderView;
use crate::{App, FindError, Kind, Problem, courier};

/// The error that ends whatever a cancelled order waits for.
pub(crate) const CANCELLED: &str = "OrderCancelled";

/// Why an order was not called off.
#[derive(Debug, thiserror::Error)]
pub enum CancelError {
    /// There is no such order.
    #[error("there is no order `{0}`")]
    NotFound(String),
    /// It changed since it was read.
    #[error("the order changed since it was read; read it again and decide anew")]
    Stale,
    /// Too late.
    #[error("an order that is `{0}` cannot be cancelled")]
    TooLate(&'static str),
    /// Empty, too long, or with control characters.
    #[error("the reason must have 1 to 280 characters")]
    Reason,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for CancelError {
    fn kind(&self) -> Kind {
        match self {
            CancelError::NotFound(_) => Kind::NotFound,
            CancelError::Stale => Kind::Stale,
            CancelError::TooLate(_) => Kind::Conflict,
            CancelError::Reason => Kind::Invalid,
            CancelError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            CancelError::NotFound(_) => "not-found",
            CancelError::Stale => "stale-revision",
            CancelError::TooLate(_) => "not-cancellable",
            CancelError::Reason => "invalid-reason",
            CancelError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        matches!(self, CancelError::Reason).then(|| "/reason".into())
    }
}

impl App {
    /// Calls an order off: whatever it waits for fails, and its flow gives back money and stock in reverse. An order
    /// between two steps is called off at its next one. Returns once the request is durable.
    ///
    /// An order whose flow has given up is undone by a flow of its own.
    ///
    /// With `revision`, only if the order still has it. The customer can cancel until the kitchen begins, the staff later.
    ///
    /// # Errors
    /// [`CancelError`].
    pub async fn cancel(
        &self,
        order_id: &str,
        command: CancelOrder,
        revision: Option<i64>,
        by: Party,
    ) -> Result<OrderView, CancelError> {
        let reason = command.reason.trim();
        if reason.is_empty() || !basket::is_note(reason) {
            return Err(CancelError::Reason);
        }
        let not_found = || CancelError::NotFound(order_id.chars().take(64).collect());
        let id = order::private_id(order_id).ok_or_else(not_found)?;
        for _ in 0..MAX_TRIES {
            let order = Order::load(&*self.store, id).await.map_err(StoreError::from)?;
            let order = order.ok_or_else(not_found)?;
            if revision.is_some_and(|revision| revision != order.revision) {
                return Err(CancelError::Stale);
            }
            let under_way = order.cancel_reason().is_some() && !order.is_halted();
            if under_way || order.is_handed_over() || !may_cancel(order.status, by) {
                return Err(CancelError::TooLate(order.status.as_str()));
            }
            let mut batch = Batch::new();
            let mut update = order.update(self.now()).set("cancel_reason", reason);
            if let Some(token) = order.wait_token() {
                batch.task_failed(token, CANCELLED, "cancelled while waiting");
                update = update.set("wait_token", Value::Null);
            }
            if order.is_halted() {
                let name = crate::execution_name(&format!("{}-undo-{}", order.public_id(), order.revision));
                let input = json!({
                    "orderId": order.public_id(),
                    "outcome": OrderStatus::Cancelled,
                    "error": { "Error": CANCELLED, "Cause": "cancelled after the flow had given up" },
                });
                let execution = batch.start_flow_telling(crate::UNDO_FLOW_NAME, &name, input, crate::ENDED_FLOWS_QUEUE);
                update = update.set("execution_id", execution).set("halted_at", Value::Null).resolved();
            }
            update.write(&mut batch);
            let others = self.fail_other_waits(id, &mut batch).await;
            others.map_err(StoreError::from)?;
            match self.commit(batch).await {
                Ok(()) => {
                    return self.order_for(order_id, by).await.map_err(|error| match error {
                        FindError::NotFound { .. } => not_found(),
                        FindError::Store(error) => StoreError::from(error).into(),
                    });
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(StoreError::from(error).into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Fails the tasks that wait on the payment and the delivery of an order. Their rows are part of the condition: a step
    /// that begins or ends to wait meanwhile makes the whole cancellation decide again.
    async fn fail_other_waits(&self, id: i64, batch: &mut Batch) -> Result<(), ReadError> {
        if let Some(payment) = Payment::load(&*self.store, id).await? {
            match payment.wait_token() {
                Some(token) => {
                    batch.task_failed(token, CANCELLED, "cancelled while waiting for the payment");
                    payment.update().set("wait_token", Value::Null).write(batch);
                }
                None => {
                    let table = &crate::records::payment::PAYMENTS;
                    batch.check(table, id, "revision", payment.revision);
                }
            }
        }
        if let Some(delivery) = DeliveryRecord::load(&*self.store, id).await? {
            if let Some(token) = delivery.wait_token() {
                batch.task_failed(token, CANCELLED, "cancelled while waiting for the courier");
                delivery.update(vec![("wait_token", Value::Null)], batch);
            }
            if self.settings.courier.simulated && delivery.status == DeliveryStatus::Requested {
                batch.send(courier::call_off(id));
            }
        }
        Ok(())
    }
}
