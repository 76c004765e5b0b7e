//! Checks an order once more where it counts: its products are still sold and there is enough of each.

use async_trait::async_trait;
use domain::delivery::DeliveryKind;
use domain::order::OrderStatus;
use domain::payment::CaptureOn;
use domain::stock::needs;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, load_payment, refuse_cancelled};
use crate::records::stock::short;
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct ValidateOrder(pub(super) App);

#[async_trait]
impl Function for ValidateOrder {
    fn name(&self) -> &'static str {
        "validate-order"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let body = order.body()?;
        let menu = app.menu.load(&*app.store).await?;
        let sold = |sku: &str| menu.product(sku).is_some_and(|product| product.active);
        if let Some(line) = body.lines.iter().find(|line| !sold(&line.sku)) {
            let cause = format!("`{}` is no longer for sale", line.sku);
            return Err(FunctionError::new("InvalidOrder", cause));
        }
        // The goods of an order that was taken up again are set apart already.
        if order.status == OrderStatus::Checkout {
            let needs = needs(body.lines.iter().map(|line| (line.sku.as_str(), line.quantity)));
            let short = short(&*app.store, &needs).await?;
            if !short.is_empty() {
                return Err(FunctionError::new("OutOfStock", short.join(", ")));
            }
        }
        let courier = order.delivery() == DeliveryKind::Courier;
        let capture_on_dispatch = load_payment(app, &order).await?.capture_on() == CaptureOn::Dispatch;
        changed(json!({ "courier": courier, "captureOnDispatch": capture_on_dispatch }), Batch::new())
    }
}
