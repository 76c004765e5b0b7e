//! The beats of the periodic work.

use async_trait::async_trait;
use store::{Batch, Value};

use super::read;
use crate::housekeeping::{self, Beat, TICKER_QUEUE};
use crate::records::key::TICKERS;
use crate::{App, Consumer, Delivery, FunctionError};

/// See the module.
pub(super) struct Tickers(pub(super) App);

#[async_trait]
impl Consumer for Tickers {
    fn queue(&self) -> &'static str {
        TICKER_QUEUE
    }

    fn reaches_out(&self) -> bool {
        true
    }

    fn concurrency(&self) -> usize {
        2
    }

    /// Never fails: a beat that fell out would be the last.
    async fn consume(&self, message: Delivery) -> Result<Batch, FunctionError> {
        let app = &self.0;
        let beat: Beat = read(&message.body)?;
        let row = app.store.get(&TICKERS, &beat.ticker.name().into()).await?;
        if row.and_then(|row| row.int("message_id")) != Some(message.id) {
            // Another message carries this ticker.
            return Ok(Batch::new());
        }
        if let Err(error) = app.tick(beat.ticker, message.now_ms).await {
            tracing::warn!(ticker = beat.ticker.name(), %error, "periodic work failed; the next beat tries again");
        }
        let mut batch = Batch::new();
        let next = housekeeping::beat(beat.ticker, message.now_ms);
        let set = vec![("message_id", Value::Int(next.id))];
        let when = Some(("message_id", Value::Int(message.id)));
        batch.update(&TICKERS, beat.ticker.name(), set, when);
        batch.send(next);
        Ok(batch)
    }
}
