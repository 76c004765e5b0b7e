//! Undoes a payment: void before capture, refund after, nothing if it never happened.

use async_trait::async_trait;
use domain::notification::Notice;
use domain::payment::PaymentStatus;
use serde_json::{Value, json};
use store::Batch;

use super::{changed, load_order, load_payment};
use crate::{Answer, App, Call, Function, FunctionError, mail};

/// See the module.
pub(super) struct ReversePayment(pub(super) App);

#[async_trait]
impl Function for ReversePayment {
    fn name(&self) -> &'static str {
        "reverse-payment"
    }

    fn reaches_out(&self) -> bool {
        true
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        let payment = load_payment(app, &order).await?;
        let unpaid = match call.input.get("outcome").and_then(Value::as_str) {
            Some("EXPIRED") => PaymentStatus::Expired,
            _ => PaymentStatus::Voided,
        };
        let mut batch = Batch::new();
        let refunded = app.undo_payment(&payment, unpaid, &mut batch).await?;
        if refunded {
            mail::write(app, &mut batch, &order, Notice::Refunded, 0, call.now_ms).await?;
        }
        changed(json!({ "refunded": refunded }), batch)
    }
}
