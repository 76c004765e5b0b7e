//! The customer has the order.

use async_trait::async_trait;
use domain::notification::Notice;
use domain::order::OrderStatus;
use serde_json::json;
use store::Batch;

use super::{changed, load_order};
use crate::{Answer, App, Call, Function, FunctionError, mail};

/// See the module.
pub(super) struct CompleteOrder(pub(super) App);

#[async_trait]
impl Function for CompleteOrder {
    fn name(&self) -> &'static str {
        "complete-order"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        let output = json!({ "status": OrderStatus::Completed });
        if order.status == OrderStatus::Completed {
            return changed(output, Batch::new());
        }
        let mut batch = Batch::new();
        let update = order.update(call.now_ms).status(OrderStatus::Completed, None)?;
        update.set("wait_token", store::Value::Null).write(&mut batch);
        mail::write(app, &mut batch, &order, Notice::Delivered, 0, call.now_ms).await?;
        changed(output, batch)
    }
}
