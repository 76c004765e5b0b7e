//! Tells the customer that the payment is confirmed.

use async_trait::async_trait;
use domain::notification::Notice;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, refuse_cancelled};
use crate::{Answer, App, Call, Function, FunctionError, mail};

/// See the module.
pub(super) struct SendNotification(pub(super) App);

#[async_trait]
impl Function for SendNotification {
    fn name(&self) -> &'static str {
        "send-notification"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let mut batch = Batch::new();
        mail::write(app, &mut batch, &order, Notice::PaymentConfirmed, 0, call.now_ms).await?;
        changed(json!({}), batch)
    }
}
