//! Undoes a payment: void before capture, refund after, nothing if it never happened.

use async_trait::async_trait;
use domain::order::OrderStatus;
use domain::refund::RefundReason;
use serde_json::{Value, json};
use store::Batch;

use super::{changed, load_order, load_payment, unpaid};
use crate::undo::Undoing;
use crate::{Answer, App, Call, Function, FunctionError};

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
        let undoing = Undoing {
            unpaid: unpaid(&call),
            asked: order.status != OrderStatus::Checkout,
            reason: why(&call),
            note: order.cancel_reason().map(str::to_owned),
            // The end of the order, which comes after this, says that nothing is kept.
            tells: order.status.is_final(),
        };
        let mut batch = Batch::new();
        let refunded = app.undo_payment(&order, &payment, undoing, call.now_ms, &mut batch).await?;
        changed(json!({ "refunded": refunded }), batch)
    }
}

/// Why money goes back, by how the order ends.
fn why(call: &Call) -> RefundReason {
    let field = |name: &str| call.input.pointer(name).and_then(Value::as_str);
    match (field("/outcome"), field("/error/Error")) {
        (Some("CANCELLED"), _) => RefundReason::OrderCancelled,
        (Some("EXPIRED"), _) => RefundReason::LatePayment,
        (_, Some("OutOfStock")) => RefundReason::OutOfStock,
        _ => RefundReason::OrderRejected,
    }
}
