//! Sells what was set apart. What was given back meanwhile is taken from the shelf again, if it is still there.

use async_trait::async_trait;
use domain::stock::{ReservationStatus, commit};
use serde_json::json;
use store::Batch;

use super::{changed, load_order, refuse_cancelled};
use crate::records::stock::{Reservation, short};
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct CommitStock(pub(super) App);

#[async_trait]
impl Function for CommitStock {
    fn name(&self) -> &'static str {
        "commit-stock"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let reservation = Reservation::load(&*app.store, order.id).await?;
        let reservation =
            reservation.ok_or_else(|| FunctionError::new("OutOfStock", "nothing was reserved for the order"))?;
        let Some(unit) = commit(reservation.status) else {
            return changed(json!({}), Batch::new());
        };
        if unit.available < 0 {
            let short = short(&*app.store, &reservation.needs).await?;
            if !short.is_empty() {
                return Err(FunctionError::new("OutOfStock", short.join(", ")));
            }
        }
        let mut batch = Batch::new();
        reservation.become_status(ReservationStatus::Committed, unit, &mut batch);
        changed(json!({}), batch)
    }
}
