//! Puts an order before a person: something did not work, or takes too long.

use async_trait::async_trait;
use serde_json::{Value, json};
use store::Batch;

use super::{changed, load_order};
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
        let field = |name: &str| call.input.pointer(name).and_then(Value::as_str);
        let reason = field("/reason").unwrap_or("the flow could not go on");
        let reason = match (field("/error/Error"), field("/error/Cause")) {
            (Some(error), Some(cause)) => format!("{reason}: {error}: {cause}"),
            (Some(error), None) => format!("{reason}: {error}"),
            _ => reason.to_owned(),
        };
        let mut batch = Batch::new();
        let update = order.update(call.now_ms).note(order.status, Some(&reason));
        update.attention(&reason).write(&mut batch);
        changed(json!({}), batch)
    }
}
