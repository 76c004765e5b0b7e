//! Takes an expired order up again whose money came late: reserves its goods once more and starts its flow anew.

use async_trait::async_trait;
use domain::notification::Notice;
use domain::order::OrderStatus;
use domain::stock::ReservationStatus;
use serde_json::json;
use store::{Batch, Value};

use super::{changed, load_order, load_payment};
use crate::records::stock::{Reservation, short};
use crate::settings::LatePaymentPolicy;
use crate::{Answer, App, Call, Function, FunctionError, mail};

/// See the module.
pub(super) struct ReopenOrder(pub(super) App);

#[async_trait]
impl Function for ReopenOrder {
    fn name(&self) -> &'static str {
        "reopen-order"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        let payment = load_payment(app, &order).await?;
        let refuse = |why: &str| Err(FunctionError::new("NotReopened", why));
        let late = call.now_ms - payment.expires_at;
        let policy = &app.settings.late_payment;
        if policy.policy == LatePaymentPolicy::Refund {
            return refuse("late payments are given back");
        }
        match order.status {
            OrderStatus::Expired => {}
            // Its flow is still writing the end.
            OrderStatus::Checkout | OrderStatus::PaymentPending if !order.is_halted() => {
                return Err(FunctionError::new("OrderClosing", "the order is still being closed"));
            }
            status => return refuse(&format!("the order is {}", status.as_str())),
        }
        if !payment.status.is_good() {
            return refuse("the payment is not there any more");
        }
        if late > policy.within_ms {
            return refuse("nobody waits for the order any more");
        }
        let reservation = Reservation::load(&*app.store, order.id).await?;
        let reservation = reservation.filter(|reservation| reservation.status == ReservationStatus::Released);
        let Some(reservation) = reservation else { return refuse("its goods were never set apart") };
        let short = short(&*app.store, &reservation.needs).await?;
        if !short.is_empty() {
            return Err(FunctionError::new("OutOfStock", short.join(", ")));
        }
        let mut batch = Batch::new();
        let until = call.now_ms + app.settings.payment_window_ms;
        reservation.reserve_again(until, &mut batch);
        // The flow gets as long as that of a new order.
        payment.update().set("expires_at", until).write(&mut batch);
        let name = crate::execution_name(&format!("{}-again-{}", order.public_id(), order.revision));
        let execution = batch.start_flow_telling(
            crate::ORDER_FLOW_NAME,
            &name,
            json!({ "orderId": order.public_id() }),
            crate::ENDED_FLOWS_QUEUE,
        );
        let update =
            order.update(call.now_ms).status(OrderStatus::PaymentPending, Some("paid late and taken up again"))?;
        update.set("execution_id", execution).set("cancel_reason", Value::Null).write(&mut batch);
        mail::write(app, &mut batch, &order, Notice::Reopened, payment.attempts, call.now_ms).await?;
        changed(json!({ "reopened": true }), batch)
    }
}
