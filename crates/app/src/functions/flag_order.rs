//! Puts an order before a person: something did not work, or takes too long. With `halted`, its flow ends with this.

use async_trait::async_trait;
use serde_json::{Value, json};
use store::Batch;

use super::{changed, load_order, reason};
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct FlagOrder(pub(super) App);

#[async_trait]
impl Function for FlagOrder {
    fn name(&self) -> &'static str {
        "flag-order"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        let reason = reason(&call, "the flow could not go on");
        let mut batch = Batch::new();
        let mut update = order.update(call.now_ms).note(order.status, Some(&reason)).attention(&reason);
        if call.input.get("halted").and_then(Value::as_bool) == Some(true) {
            update = update.set("halted_at", call.now_ms);
        }
        update.write(&mut batch);
        changed(json!({}), batch)
    }
}
