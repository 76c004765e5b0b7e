//! Puts a refund before a person. With `halted`, its flow ends with this, and only a person carries it on.

use async_trait::async_trait;
use serde_json::{Value, json};
use store::Batch;

use super::{changed, load_refund, reason};
use crate::refunds::halted;
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct FlagRefund(pub(super) App);

#[async_trait]
impl Function for FlagRefund {
    fn name(&self) -> &'static str {
        "flag-refund"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let around = load_refund(app, &call).await?;
        let (order, refund) = (&around.order, &around.refund);
        let reason = format!("{} ({})", reason(&call, "the refund could not go on"), refund.public_id());
        let mut batch = Batch::new();
        order.update(call.now_ms).note(order.status, Some(&reason)).attention(&reason).write(&mut batch);
        let ends = call.input.get("halted").and_then(Value::as_bool) == Some(true);
        if ends && !app.is_done(order, refund).await? {
            refund.update(halted(refund, call.now_ms), &mut batch);
        }
        changed(json!({}), batch)
    }
}
