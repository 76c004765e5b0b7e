//! Waits until the customer has fetched the order.

use async_trait::async_trait;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, refuse_cancelled, task_token};
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct AwaitHandover(pub(super) App);

#[async_trait]
impl Function for AwaitHandover {
    fn name(&self) -> &'static str {
        "await-handover"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let token = task_token(&call)?;
        let mut batch = Batch::new();
        if order.is_handed_over() {
            batch.task_succeeded(token, json!({}));
        } else {
            order.update(call.now_ms).set("wait_token", token).write(&mut batch);
        }
        changed(json!({}), batch)
    }
}
