//! The beats of the periodic work.

use std::time::Duration;

use async_trait::async_trait;
use store::{Batch, Value};

use super::read;
use crate::housekeeping::{self, Beat, TICKER_QUEUE};
use crate::records::key::TICKERS;
use crate::{App, Consumer, Delivery, FunctionError};

/// The longest one beat may take: a provider that never answers must not stop the clock.
const LONGEST: Duration = Duration::from_secs(30);

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
        4
    }

    /// Fails only if the message is none of ours: a beat that fell out would be the last.
    async fn consume(&self, message: Delivery) -> Result<Batch, FunctionError> {
        let app = &self.0;
        let beat: Beat = read(&message.body)?;
        // Where the row cannot be read, the condition of the changes decides.
        if let Ok(row) = app.store.get(&TICKERS, &beat.ticker.name().into()).await
            && row.and_then(|row| row.int("message_id")) != Some(message.id)
        {
            // Another message carries this ticker.
            return Ok(Batch::new());
        }
        match tokio::time::timeout(LONGEST, app.tick(beat.ticker, message.now_ms)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(ticker = beat.ticker.name(), %error, "periodic work failed; the next beat tries again");
            }
            Err(_) => tracing::warn!(ticker = beat.ticker.name(), "periodic work took too long and was cut off"),
        }
        let mut batch = Batch::new();
        let next = housekeeping::beat(beat.ticker, app.now());
        let set = vec![("message_id", Value::Int(next.id))];
        let when = Some(("message_id", Value::Int(message.id)));
        batch.update(&TICKERS, beat.ticker.name(), set, when);
        batch.send(next);
        Ok(batch)
    }
}
