//! Gives back what an order took, unless the kitchen has begun with it. Nothing taken is fine.

use async_trait::async_trait;
use domain::stock::release;
use serde_json::json;
use store::Batch;

use super::{changed, load_order};
use crate::records::stock::Reservation;
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct ReleaseStock(pub(super) App);

#[async_trait]
impl Function for ReleaseStock {
    fn name(&self) -> &'static str {
        "release-stock"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        let mut batch = Batch::new();
        if let Some(reservation) = Reservation::load(&*app.store, order.id).await?
            && let Some((unit, next)) = release(reservation.status, order.status.goods_are_whole())
        {
            reservation.become_status(next, unit, &mut batch);
        }
        changed(json!({}), batch)
    }
}
