//! Posts the courier simulator's reports.

use async_trait::async_trait;
use store::Batch;

use super::{post, read};
use crate::courier::{COURIER_QUEUE, Report, next};
use crate::records::json;
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
        let report: Report = read(&message.body)?;
        let (path, header) = ("/v1/delivery/callbacks", "courier-signature");
        let body = json(&report.callback);
        post(app, path, header, &app.secrets.courier, body, message.now_ms).await?;
        let mut batch = Batch::new();
        if let Some(message) = next(app, &report, message.now_ms) {
            batch.send(message);
        }
        Ok(batch)
    }
}
