//! Undoes a payment: void before capture, refund after, nothing if it never happened.

use async_trait::async_trait;
use domain::notification::Notice;
use domain::order::OrderStatus;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, load_payment, unpaid};
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
        // Before its stock is reserved nothing was asked of the provider.
        let asked = order.status != OrderStatus::Checkout;
        let mut batch = Batch::new();
        let refunded = app.undo_payment(&payment, unpaid(&call), asked, &mut batch).await?;
        if refunded {
            mail::write(app, &mut batch, &order, Notice::Refunded, 0, call.now_ms).await?;
        }
        changed(json!({ "refunded": refunded }), batch)
    }
}
