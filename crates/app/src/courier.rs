//! The courier simulator: accepts a delivery and reports by signed callbacks, as a courier service does.

use serde::{Deserialize, Serialize};
use store::id;
use store::message::Message;

use crate::App;
use crate::commands::CourierCallback;
use crate::records::delivery;
use domain::delivery::CourierEvent;

/// Orders to the simulated courier; the body is an [`Errand`].
pub(crate) const COURIER_QUEUE: &str = "simulator-courier";

/// Couriers of the simulator.
const NAMES: [&str; 4] = ["Bruno", "Carla", "Diego", "Elisa"];

/// What the courier does next.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Errand {
    /// Posts a report that is due, as it is.
    Report(CourierCallback),
    /// Brings nothing any more: the delivery of this order is called off.
    CallOff(i64),
}

/// Tells the courier that a delivery is called off.
pub(crate) fn call_off(order_id: i64) -> Message {
    Message::new(COURIER_QUEUE, &Errand::CallOff(order_id))
}

/// The first report of a delivery: the pick-up.
pub(crate) fn accept(app: &App, order_id: i64, now: i64) -> Message {
    let name = usize::try_from(order_id).unwrap_or(0) % NAMES.len();
    let callback = CourierCallback {
        id: format!("cur_{}", id::encode(id::next())),
        delivery_id: delivery::public_id(order_id),
        event: CourierEvent::PickedUp,
        courier: NAMES.get(name).map(|name| (*name).to_owned()),
    };
    let at = now + app.settings().courier.pick_up_after_ms;
    Message::new(COURIER_QUEUE, &Errand::Report(callback)).at(at)
}

/// The report after one that was posted.
pub(crate) fn next(app: &App, posted: &CourierCallback, now: i64) -> Option<Message> {
    if posted.event == CourierEvent::Delivered {
        return None;
    }
    let callback = CourierCallback {
        id: format!("cur_{}", id::encode(id::next())),
        event: CourierEvent::Delivered,
        ..posted.clone()
    };
    let at = now + app.settings().courier.deliver_after_ms;
    Some(Message::new(COURIER_QUEUE, &Errand::Report(callback)).at(at))
}
