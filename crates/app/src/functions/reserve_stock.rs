//! Sets the stock of an order apart, all of it or none, until the payment is there or its time is over.

use async_trait::async_trait;
use domain::notification::Notice;
use domain::order::OrderStatus;
use domain::stock::{self, needs};
use serde_json::json;
use store::Batch;

use super::{changed, load_order, load_payment, refuse_cancelled};
use crate::records::stock::{Reservation, move_units, new_reservation, short};
use crate::{Answer, App, Call, Function, FunctionError, mail};

/// See the module.
pub(super) struct ReserveStock(pub(super) App);

#[async_trait]
impl Function for ReserveStock {
    fn name(&self) -> &'static str {
        "reserve-stock"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let payment = load_payment(app, &order).await?;
        let output = json!({ "secondsLeft": payment.seconds_left(call.now_ms) });
        if Reservation::load(&*app.store, order.id).await?.is_some() {
            return changed(output, Batch::new());
        }
        let body = order.body()?;
        let needs = needs(body.lines.iter().map(|line| (line.sku.as_str(), line.quantity)));
        let short = short(&*app.store, &needs).await?;
        if !short.is_empty() {
            return Err(FunctionError::new("OutOfStock", short.join(", ")));
        }
        let mut batch = Batch::new();
        move_units(&needs, stock::RESERVE, &mut batch);
        batch.insert(new_reservation(order.id, &needs, payment.expires_at));
        let update = order.update(call.now_ms).status(OrderStatus::PaymentPending, None)?;
        update.write(&mut batch);
        mail::write(app, &mut batch, &order, Notice::Received, 0, call.now_ms).await?;
        changed(output, batch)
    }
}
