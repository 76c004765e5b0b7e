//! The consumers of the queues, one file each.

mod carry_mail;
mod ended_flows;
mod simulator_courier;
mod simulator_timers;
mod simulator_webhooks;
mod tickers;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{App, Consumer, FunctionError};

/// The first pause before something that did not work is tried again, in milliseconds.
const FIRST_PAUSE_MS: i64 = 2_000;
/// The longest.
const LONGEST_PAUSE_MS: i64 = 15 * 60_000;

/// How long to wait after so many tries that did not work: twice as long each time.
///
/// Why not the queue's own retries: three of them are over in seconds, and the outages of others last hours.
fn pause_ms(tries: u32) -> i64 {
    FIRST_PAUSE_MS.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE_MS)
}

pub(crate) fn all(app: &App) -> Vec<Arc<dyn Consumer>> {
    vec![
        Arc::new(simulator_webhooks::SimulatorWebhooks(app.clone())),
        Arc::new(simulator_timers::SimulatorTimers(app.clone())),
        Arc::new(simulator_courier::SimulatorCourier(app.clone())),
        Arc::new(carry_mail::CarryMail(app.clone())),
        Arc::new(ended_flows::EndedFlows(app.clone())),
        Arc::new(tickers::Tickers(app.clone())),
    ]
}

/// The body of a message. One that cannot be read is handed out again and parked, where a person sees it.
fn read<T: DeserializeOwned>(body: &Value) -> Result<T, FunctionError> {
    T::deserialize(body).map_err(|error| FunctionError::new("InvalidMessage", error.to_string()))
}

/// Posts to one of our endpoints as the service behind a simulator would.
async fn post(
    app: &App,
    path: &str,
    header: &'static str,
    secret: &[u8],
    body: String,
    now: i64,
) -> Result<(), FunctionError> {
    let failed = |cause: String| FunctionError::new("CallbackFailed", cause);
    let base = app.callback_base();
    let base = base.ok_or_else(|| failed("the address of the endpoints is not known yet".into()))?;
    let signature = crate::sign(secret, body.as_bytes(), now);
    let posted = app.sender.post(&format!("{base}{path}"), (header, signature), body).await;
    match posted {
        Ok(status) if status < 300 => Ok(()),
        Ok(status) => Err(failed(format!("`{path}` answered {status}"))),
        Err(error) => Err(failed(format!("`{path}` cannot be reached: {error}"))),
    }
}
