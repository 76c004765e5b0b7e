//! Makes sure that the money of one try to pay is not kept.

use async_trait::async_trait;
use serde_json::{Value, json};
use store::Batch;

use super::{changed, load_order, load_payment};
use crate::undo::Try;
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct GiveBack(pub(super) App);

#[async_trait]
impl Function for GiveBack {
    fn name(&self) -> &'static str {
        "give-back"
    }

    fn reaches_out(&self) -> bool {
        true
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        let payment = load_payment(app, &order).await?;
        let attempt = call.input.get("attempt").and_then(Value::as_i64).unwrap_or(payment.attempts);
        let intent = call.input.get("intent").and_then(Value::as_str);
        let held = call.input.pointer("/input/held").and_then(Value::as_bool).unwrap_or(false);
        let mut batch = Batch::new();
        app.give_back(&order, &payment, Try { attempt, intent, held }, call.now_ms, &mut batch).await?;
        changed(json!({}), batch)
    }
}
