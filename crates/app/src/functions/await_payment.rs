//! Waits for the customer to pay again.

use async_trait::async_trait;
use domain::payment::PaymentStatus;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, load_payment, refuse_cancelled, task_token, unchanged};
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct AwaitPayment(pub(super) App);

#[async_trait]
impl Function for AwaitPayment {
    fn name(&self) -> &'static str {
        "await-payment"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let token = task_token(&call)?;
        let payment = load_payment(app, &order).await?;
        let mut batch = Batch::new();
        unchanged(&order, &mut batch);
        if payment.status == PaymentStatus::Rejected {
            payment.update().set("wait_token", token).write(&mut batch);
        } else {
            let output = json!({ "secondsLeft": payment.seconds_left(call.now_ms) });
            batch.task_succeeded(token, output);
        }
        changed(json!({}), batch)
    }
}
