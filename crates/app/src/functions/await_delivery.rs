//! Waits until the courier reports that the customer has the order.

use async_trait::async_trait;
use domain::delivery::DeliveryStatus;
use serde_json::json;
use store::{Batch, Value};

use super::{changed, load_order, refuse_cancelled, task_token, unchanged};
use crate::records::DeliveryRecord;
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct AwaitDelivery(pub(super) App);

#[async_trait]
impl Function for AwaitDelivery {
    fn name(&self) -> &'static str {
        "await-delivery"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        let token = task_token(&call)?;
        let delivery = DeliveryRecord::load(&*app.store, order.id).await?;
        let delivery =
            delivery.ok_or_else(|| FunctionError::new("DeliveryNotFound", "no courier was asked for this order"))?;
        let mut batch = Batch::new();
        if delivery.status == DeliveryStatus::Delivered {
            batch.task_succeeded(token, json!({}));
            return changed(json!({}), batch);
        }
        refuse_cancelled(&order)?;
        unchanged(&order, &mut batch);
        delivery.update(vec![("wait_token", Value::from(token))], &mut batch);
        changed(json!({}), batch)
    }
}
