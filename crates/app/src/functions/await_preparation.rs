//! Hands the order to the kitchen, and waits until it is ready.

use async_trait::async_trait;
use domain::order::OrderStatus;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, refuse_cancelled, task_token};
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct AwaitPreparation(pub(super) App);

#[async_trait]
impl Function for AwaitPreparation {
    fn name(&self) -> &'static str {
        "await-preparation"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let token = task_token(&call)?;
        app.receipt_numbers.forget((order.id, 0));
        let mut batch = Batch::new();
        let update = order.update(call.now_ms);
        match order.status {
            OrderStatus::PaymentPending => {
                let update = update.status(OrderStatus::Received, None)?;
                update.set("wait_token", token).write(&mut batch);
            }
            // A second wait, after the first went on for too long.
            OrderStatus::Received | OrderStatus::InPreparation => update.set("wait_token", token).write(&mut batch),
            _ => {
                batch.task_succeeded(token, json!({}));
            }
        }
        changed(json!({}), batch)
    }
}
