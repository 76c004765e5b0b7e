//! Pays the payment simulator's Pix by itself after a while.

use async_trait::async_trait;
use store::Batch;

use super::read;
use crate::provider::ProviderError;
use crate::provider::simulator::{PIX_QUEUE, PixTimer};
use crate::{App, Consumer, Delivery, FunctionError};

/// See the module.
pub(super) struct SimulatorPix(pub(super) App);

#[async_trait]
impl Consumer for SimulatorPix {
    fn queue(&self) -> &'static str {
        PIX_QUEUE
    }

    async fn consume(&self, message: Delivery) -> Result<Batch, FunctionError> {
        let timer: PixTimer = read(&message.body)?;
        match self.0.simulate_pix(&timer.intent).await {
            // One that cannot be paid any more is not paid.
            Ok(_) | Err(ProviderError::Invalid(_)) => Ok(Batch::new()),
            Err(error) => Err(error.into()),
        }
    }
}
