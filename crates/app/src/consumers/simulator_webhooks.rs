//! Posts the payment simulator's webhooks.

use async_trait::async_trait;
use store::Batch;

use super::post;
use crate::provider::simulator::{SIGNATURE_HEADER, WEBHOOK_QUEUE};
use crate::{App, Consumer, Delivery, FunctionError};

/// See the module.
pub(super) struct SimulatorWebhooks(pub(super) App);

#[async_trait]
impl Consumer for SimulatorWebhooks {
    fn queue(&self) -> &'static str {
        WEBHOOK_QUEUE
    }

    fn reaches_out(&self) -> bool {
        true
    }

    fn concurrency(&self) -> usize {
        64
    }

    async fn consume(&self, message: Delivery) -> Result<Batch, FunctionError> {
        let app = &self.0;
        let body = message.body.to_string();
        let secret = &app.secrets.webhooks;
        let (path, header) = ("/v1/webhooks/simulator", SIGNATURE_HEADER);
        post(app, path, header, secret, body, message.now_ms).await?;
        Ok(Batch::new())
    }
}
