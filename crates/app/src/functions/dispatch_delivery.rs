//! Asks a courier to fetch the order.

use async_trait::async_trait;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, refuse_cancelled};
use crate::records::{DeliveryRecord, delivery};
use crate::{Answer, App, Call, Function, FunctionError, courier};

/// See the module.
pub(super) struct DispatchDelivery(pub(super) App);

#[async_trait]
impl Function for DispatchDelivery {
    fn name(&self) -> &'static str {
        "dispatch-delivery"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        if DeliveryRecord::load(&*app.store, order.id).await?.is_some() {
            return changed(json!({}), Batch::new());
        }
        let mut batch = Batch::new();
        batch.insert(delivery::new_row(order.id, call.now_ms));
        if app.settings.courier.simulated {
            batch.send(courier::accept(app, order.id, call.now_ms));
        }
        changed(json!({}), batch)
    }
}
