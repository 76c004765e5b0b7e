//! Leaves the money of an order that could not be given back to a flow that has more patience, so that its stock and the
//! order itself wait for no provider. A person is asked to look.

use async_trait::async_trait;
use domain::payment::PaymentStatus;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, load_payment, reason, unpaid};
use crate::undo::start_void;
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct SettleLater(pub(super) App);

#[async_trait]
impl Function for SettleLater {
    fn name(&self) -> &'static str {
        "settle-later"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        let payment = load_payment(app, &order).await?;
        let mut batch = Batch::new();
        match payment.status {
            // Undone meanwhile.
            PaymentStatus::Voided | PaymentStatus::Expired | PaymentStatus::Refunded => {
                return changed(json!({}), batch);
            }
            // Written off, so that money that comes from now on is late and goes back.
            PaymentStatus::Pending | PaymentStatus::Rejected => {
                let ask_at = app.ask_again(&payment, Some(payment.expires_at), call.now_ms).unwrap_or(i64::MAX);
                payment.update().status(unpaid(&call))?.watched(ask_at).write(&mut batch);
            }
            // The amount is there: the flow undoes it together with its record.
            PaymentStatus::Authorized
            | PaymentStatus::Confirmed
            | PaymentStatus::PartiallyRefunded
            | PaymentStatus::Disputed => {}
        }
        let held = payment.status == PaymentStatus::Authorized;
        start_void(&mut batch, order.id, payment.attempts, payment.intent(), held);
        let reason = reason(&call, "the money could not be given back yet; it is tried again");
        order.update(call.now_ms).note(order.status, Some(&reason)).attention(&reason).write(&mut batch);
        changed(json!({}), batch)
    }
}
