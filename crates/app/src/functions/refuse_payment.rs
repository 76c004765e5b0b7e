//! Tells the customer that the payment was refused, and how long there is to try again.

use async_trait::async_trait;
use domain::notification::Notice;
use domain::payment::PaymentStatus;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, load_payment, refuse_cancelled};
use crate::{Answer, App, Call, Function, FunctionError, mail};

/// See the module.
pub(super) struct RefusePayment(pub(super) App);

#[async_trait]
impl Function for RefusePayment {
    fn name(&self) -> &'static str {
        "refuse-payment"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let payment = load_payment(app, &order).await?;
        let refused = payment.status == PaymentStatus::Rejected;
        if refused && payment.attempts >= app.settings.max_payment_attempts {
            return Err(FunctionError::new("PaymentExhausted", "the payment was tried too often"));
        }
        if call.now_ms >= payment.expires_at {
            return Err(FunctionError::new("PaymentExpired", "the time to pay is over"));
        }
        // A customer who was quick is trying again already: the refusal was that of the try before.
        let attempt = if refused { payment.attempts } else { payment.attempts - 1 };
        let code = payment.text("failure_code").unwrap_or("payment refused");
        let mut batch = Batch::new();
        order.update(call.now_ms).note(order.status, Some(code)).write(&mut batch);
        mail::write(app, &mut batch, &order, Notice::PaymentRefused, attempt, call.now_ms).await?;
        changed(json!({ "secondsLeft": payment.seconds_left(call.now_ms) }), batch)
    }
}
