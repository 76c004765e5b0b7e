//! Posts the courier simulator's reports.

use async_trait::async_trait;
use store::{Batch, Row};

use super::{post, read};
use crate::courier::{COURIER_QUEUE, Errand, next};
use crate::records::simulator::CALLED_OFF;
use crate::records::{delivery, json};
use crate::{App, Consumer, Delivery, FunctionError};

/// See the module.
pub(super) struct SimulatorCourier(pub(super) App);

#[async_trait]
impl Consumer for SimulatorCourier {
    fn queue(&self) -> &'static str {
        COURIER_QUEUE
    }

    fn reaches_out(&self) -> bool {
        true
    }

    fn concurrency(&self) -> usize {
        32
    }

    async fn consume(&self, message: Delivery) -> Result<Batch, FunctionError> {
        let app = &self.0;
        let mut batch = Batch::new();
        match read(&message.body)? {
            Errand::Report(callback) => {
                let order = delivery::private_id(&callback.delivery_id).unwrap_or(0);
                if app.store.get(&CALLED_OFF, &order.into()).await?.is_some() {
                    return Ok(batch);
                }
                let (path, header) = ("/v1/delivery/callbacks", "courier-signature");
                let body = json(&callback);
                post(app, path, header, &app.secrets.courier, body, message.now_ms).await?;
                if let Some(message) = next(app, &callback, message.now_ms) {
                    batch.send(message);
                }
            }
            Errand::CallOff(order) => {
                batch.put(Row::new(&CALLED_OFF, order, vec![message.now_ms.into()]));
            }
        }
        Ok(batch)
    }
}
