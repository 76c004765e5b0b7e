//! Ends an order that did not come through, with the reason.

use async_trait::async_trait;
use domain::delivery::{DeliveryKind, DeliveryStatus};
use domain::notification::Notice;
use domain::order::OrderStatus;
use serde_json::{Value, json};
use store::Batch;

use super::{changed, load_order};
use crate::records::DeliveryRecord;
use crate::{Answer, App, Call, Function, FunctionError, mail};

/// See the module.
pub(super) struct CloseOrder(pub(super) App);

#[async_trait]
impl Function for CloseOrder {
    fn name(&self) -> &'static str {
        "close-order"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        let next = match call.input.get("outcome").and_then(Value::as_str) {
            Some("EXPIRED") => OrderStatus::Expired,
            Some("CANCELLED") => OrderStatus::Cancelled,
            _ => OrderStatus::Rejected,
        };
        let output = json!({ "status": next });
        if order.status == next {
            return changed(output, Batch::new());
        }
        let field = |name: &str| call.input.pointer(&format!("/error/{name}")).and_then(Value::as_str);
        let detail = match (order.cancel_reason(), field("Error"), field("Cause")) {
            (Some(reason), ..) => Some(reason.to_owned()),
            (None, Some("OutOfStock"), Some(short)) => Some(format!("out of stock: {short}")),
            (None, Some("InvalidOrder"), Some(cause)) => Some(cause.to_owned()),
            (None, Some("States.Timeout" | "PaymentExpired" | "PaymentExhausted"), _) => {
                Some("not paid in time".into())
            }
            (None, Some(error), _) => Some(format!("the order could not go on: {error}")),
            (None, None, _) => None,
        };
        let mut batch = Batch::new();
        let update = order.update(call.now_ms).status(next, detail.as_deref())?;
        update.set("wait_token", store::Value::Null).write(&mut batch);
        if order.delivery() == DeliveryKind::Courier
            && let Some(delivery) = DeliveryRecord::load(&*app.store, order.id).await?
        {
            delivery.update(vec![("status", DeliveryStatus::Cancelled.as_str().into())], &mut batch);
        }
        if let Some(notice) = Notice::of_status(next) {
            mail::write(app, &mut batch, &order, notice, 0, call.now_ms).await?;
        }
        changed(output, batch)
    }
}
