//! Flows that ended without success: an order or a refund that its flow left behind goes before a person, so that an order can
//! be cancelled, a refund be tried again, and a payment be voided again.
//!
//! A flow that gives up marks what it carried before it fails. One that is stopped by hand, runs out of time or fails of
//! itself cannot, and nobody would carry the order on.

use async_trait::async_trait;
use serde::Deserialize;
use store::Batch;

use super::read;
use crate::records::{Order, order, refund};
use crate::refunds::{Around, halted};
use crate::{
    App, Consumer, Delivery, ENDED_FLOWS_QUEUE, FunctionError, LATE_PAYMENT_FLOW_NAME, ORDER_FLOW_NAME,
    REFUND_FLOW_NAME, UNDO_FLOW_NAME, VOID_FLOW_NAME,
};

/// The most characters of an execution's own error and cause in the reason for a person.
const MAX_WHY_CHARS: usize = 200;

/// The end of an execution, as the runtime tells it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    execution_id: String,
    flow: String,
    name: String,
    status: String,
    error: Option<String>,
    cause: Option<String>,
}

impl Ended {
    /// Why a person has to look.
    fn reason(&self) -> String {
        let words = [self.error.as_deref(), self.cause.as_deref()];
        let why = words.into_iter().flatten().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(": ");
        let why: String = why.chars().take(MAX_WHY_CHARS).collect();
        let ended = format!("the flow `{}` ended before its work was done ({})", self.flow, self.status);
        if why.is_empty() { ended } else { format!("{ended}: {why}") }
    }
}

/// See the module.
pub(super) struct EndedFlows(pub(super) App);

#[async_trait]
impl Consumer for EndedFlows {
    fn queue(&self) -> &'static str {
        ENDED_FLOWS_QUEUE
    }

    async fn consume(&self, message: Delivery) -> Result<Batch, FunctionError> {
        let ended: Ended = read(&message.body)?;
        let invalid = |what: &str| FunctionError::new("InvalidMessage", format!("`{what}` cannot be read"));
        let execution = store::id::decode(&ended.execution_id).ok_or_else(|| invalid("executionId"))?;
        match ended.flow.as_str() {
            ORDER_FLOW_NAME | UNDO_FLOW_NAME => {
                // `ord_...`, and more if it is not the order's first flow.
                let id = ended.name.split('-').next().and_then(order::private_id);
                self.halt_order(id.ok_or_else(|| invalid("name"))?, execution, &ended, message.now_ms).await
            }
            VOID_FLOW_NAME | LATE_PAYMENT_FLOW_NAME => {
                let id = ended.name.split('-').next().and_then(order::private_id);
                self.flag_order(id.ok_or_else(|| invalid("name"))?, &ended, message.now_ms).await
            }
            REFUND_FLOW_NAME => {
                // `rfd_...-NUMBER-TRY_...`.
                let id = ended.name.rsplit_once('-').and_then(|(id, _)| refund::private_id(id));
                self.halt_refund(id.ok_or_else(|| invalid("name"))?, execution, &ended, message.now_ms).await
            }
            _ => Err(invalid("flow")),
        }
    }
}

impl EndedFlows {
    /// Invariant: an order names the execution that carries it, and whoever starts another writes that in the commit of the
    /// start. So an end counts only while the order names it: a late or repeated message changes nothing.
    async fn halt_order(&self, id: i64, execution: i64, ended: &Ended, now_ms: i64) -> Result<Batch, FunctionError> {
        let mut batch = Batch::new();
        let Some(order) = Order::load(&*self.0.store, id).await? else { return Ok(batch) };
        if order.execution_id() == execution && !order.status.is_final() && !order.is_halted() {
            let reason = ended.reason();
            let update = order.update(now_ms).set("halted_at", now_ms);
            update.note(order.status, Some(&reason)).attention(&reason).write(&mut batch);
        }
        Ok(batch)
    }

    /// Money may have stayed behind: a person looks, whatever became of the order. One that stands in the inbox is looked at
    /// already.
    async fn flag_order(&self, id: i64, ended: &Ended, now_ms: i64) -> Result<Batch, FunctionError> {
        let mut batch = Batch::new();
        let Some(order) = Order::load(&*self.0.store, id).await? else { return Ok(batch) };
        if order.attention().is_none() {
            let reason = ended.reason();
            order.update(now_ms).note(order.status, Some(&reason)).attention(&reason).write(&mut batch);
        }
        Ok(batch)
    }

    /// As with orders. One that is done, or failed and said so, stays as it is.
    async fn halt_refund(
        &self,
        (order_id, number): (i64, i64),
        execution: i64,
        ended: &Ended,
        now_ms: i64,
    ) -> Result<Batch, FunctionError> {
        let mut batch = Batch::new();
        let Some(Around { order, refund, .. }) = Around::load(&self.0, order_id, number).await? else {
            return Ok(batch);
        };
        let carried = refund.int("execution_id") == Some(execution);
        if carried && !refund.is_halted() && !self.0.is_done(&order, &refund).await? {
            let reason = format!("{} ({})", ended.reason(), refund.public_id());
            order.update(now_ms).note(order.status, Some(&reason)).attention(&reason).write(&mut batch);
            refund.update(halted(&refund, now_ms), &mut batch);
        }
        Ok(batch)
    }
}
