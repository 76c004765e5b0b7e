//! The courier simulator: accepts a delivery and reports by signed callbacks, as a courier service does.

use serde::{Deserialize, Serialize};
use store::id;
use store::message::Message;

use crate::App;
use crate::commands::CourierCallback;
use crate::records::delivery;
use domain::delivery::CourierEvent;

/// Reports to post; the body is a [`Report`].
pub(crate) const COURIER_QUEUE: &str = "simulator-courier";

/// Couriers of the simulator.
const NAMES: [&str; 4] = ["Bruno", "Carla", "Diego", "Elisa"];

/// A report that is due: the callback as it is posted.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) callback: CourierCallback,
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
    Message::new(COURIER_QUEUE, &Report { callback }).at(at)
}

/// The report after one that was posted.
pub(crate) fn next(app: &App, report: &Report, now: i64) -> Option<Message> {
    if report.callback.event == CourierEvent::Delivered {
        return None;
    }
    let callback = CourierCallback {
        id: format!("cur_{}", id::encode(id::next())),
        event: CourierEvent::Delivered,
        ..report.callback.clone()
    };
    let at = now + app.settings().courier.deliver_after_ms;
    Some(Message::new(COURIER_QUEUE, &Report { callback }).at(at))
}
