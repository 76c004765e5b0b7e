//! What happens by itself at the payment simulator after a while: a Pix is paid, a refund ends, a payment is disputed.

use async_trait::async_trait;
use store::Batch;

use super::read;
use crate::provider::ProviderError;
use crate::provider::simulator::{TIMER_QUEUE, Timer};
use crate::{App, Consumer, Delivery, FunctionError};

/// See the module.
pub(super) struct SimulatorTimers(pub(super) App);

#[async_trait]
impl Consumer for SimulatorTimers {
    fn queue(&self) -> &'static str {
        TIMER_QUEUE
    }

    async fn consume(&self, message: Delivery) -> Result<Batch, FunctionError> {
        let Some(simulator) = &self.0.simulator else {
            return Ok(Batch::new());
        };
        let timer: Timer = read(&message.body)?;
        let done = match &timer {
            Timer::PayPix { intent } => simulator.pay_pix(intent).await.map(drop),
            Timer::EndRefund { refund } => simulator.end_refund(refund).await,
            Timer::Dispute { intent } => simulator.dispute(intent).await.map(drop),
        };
        match done {
            // What cannot happen any more does not happen.
            Ok(()) | Err(ProviderError::Invalid(_)) => Ok(Batch::new()),
            Err(error) => Err(error.into()),
        }
    }
}
