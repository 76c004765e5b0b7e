//! Takes the amount that is held. A Pix is taken already.

use async_trait::async_trait;
use domain::payment::PaymentStatus;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, load_payment, refuse_cancelled};
use crate::postings::captured;
use crate::settle::step_key;
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct CapturePayment(pub(super) App);

#[async_trait]
impl Function for CapturePayment {
    fn name(&self) -> &'static str {
        "capture-payment"
    }

    fn reaches_out(&self) -> bool {
        true
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let payment = load_payment(app, &order).await?;
        let intent = match (payment.status, payment.intent()) {
            (PaymentStatus::Confirmed, _) => return changed(json!({}), Batch::new()),
            (PaymentStatus::Authorized, Some(intent)) => intent,
            (status, _) => {
                let cause = format!("the payment is {}", status.as_str());
                return Err(FunctionError::new("PaymentNotAuthorized", cause));
            }
        };
        let key = step_key(&payment, "capture");
        let intent = app.provider.capture(intent, &key).await?;
        if intent.captured != payment.amount {
            let cause = format!("the provider took {} instead of {}", intent.captured, payment.amount);
            return Err(FunctionError::new("CaptureMismatch", cause));
        }
        let mut batch = Batch::new();
        captured(&payment, &intent, call.now_ms, &mut batch)?.write(&mut batch);
        changed(json!({}), batch)
    }
}
