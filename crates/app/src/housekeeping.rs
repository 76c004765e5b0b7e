//! Periodic work: asking the provider about payments whose webhook has not come, and forgetting old keys.
//!
//! Each ticker is one message that sends its successor in the batch that consumes it; a row says which message is the
//! current one, so that a restart neither doubles nor loses a ticker.

use std::ops::Bound;

use serde::{Deserialize, Serialize};
use store::message::{MESSAGES, Message};
use store::{Batch, Query, Row, Table, Value};

use crate::App;
use crate::error::StoreError;
use crate::provider::ProviderError;
use crate::records::Payment;
use crate::records::key::{IDEMPOTENCY_KEYS, RECEIVED_EVENTS, TICKERS, day};
use crate::records::payment::PAYMENTS;

/// The beats; the body is a [`Beat`].
pub(crate) const TICKER_QUEUE: &str = "tickers";

/// How many payments one beat asks about.
const POLL_PAGE: usize = 100;
/// How many batches of old keys one beat forgets of each table.
const FORGET_BATCHES: usize = 100;

/// The periodic work there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ticker {
    PollPayments,
    ForgetKeys,
}

const ALL: [Ticker; 2] = [Ticker::PollPayments, Ticker::ForgetKeys];

impl Ticker {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Ticker::PollPayments => "poll-payments",
            Ticker::ForgetKeys => "forget-keys",
        }
    }

    fn every_ms(self) -> i64 {
        match self {
            Ticker::PollPayments => 5_000,
            Ticker::ForgetKeys => 10_000,
        }
    }
}

/// One beat.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Beat {
    pub(crate) ticker: Ticker,
}

/// The message of the next beat.
pub(crate) fn beat(ticker: Ticker, now: i64) -> Message {
    Message::new(TICKER_QUEUE, &Beat { ticker }).at(now + ticker.every_ms())
}

impl App {
    /// Makes sure that every ticker has its message.
    pub(crate) async fn start_tickers(&self) -> Result<(), StoreError> {
        for ticker in ALL {
            let row = self.store.get(&TICKERS, &ticker.name().into()).await?;
            let current = row.and_then(|row| row.int("message_id"));
            if let Some(id) = current
                && self.store.get(&MESSAGES, &id.into()).await?.is_some()
            {
                continue;
            }
            let message = beat(ticker, self.now());
            let mut batch = Batch::new();
            batch.put(Row::new(&TICKERS, ticker.name(), vec![Value::Int(message.id)]));
            batch.send(message);
            self.commit(batch).await?;
        }
        Ok(())
    }

    /// Does the work of a beat.
    pub(crate) async fn tick(&self, ticker: Ticker, now: i64) -> Result<(), StoreError> {
        match ticker {
            Ticker::PollPayments => self.poll_payments(now).await.map(|_| ()),
            Ticker::ForgetKeys => self.forget_keys(now).await,
        }
    }

    /// Asks the provider about every payment that has waited too long, and applies the answer as a webhook's.
    ///
    /// Answers how many it asked about.
    ///
    /// # Errors
    /// [`StoreError`](crate::FindError) if the store cannot be used.
    pub(crate) async fn poll_payments(&self, now: i64) -> Result<usize, StoreError> {
        let until = Bound::Included(Value::Int(now - self.settings.poll_after_ms));
        let query = Query::index(&PAYMENTS, "waiting", 1).range(Bound::Unbounded, until);
        let page = self.store.query(query.limit(POLL_PAGE)).await?;
        let asked = page.rows.len();
        for row in page.rows {
            let payment = Payment::from_row(row)?;
            let Some(intent) = payment.intent() else { continue };
            match self.provider.retrieve(intent).await {
                Ok(found) => {
                    self.hear(&found, None).await?;
                }
                Err(ProviderError::Unavailable) => return Ok(asked),
                Err(error) => {
                    tracing::warn!(intent, %error, "the provider does not know a payment of ours");
                }
            }
            self.ask_again_later(payment.order_id, now).await?;
        }
        Ok(asked)
    }

    /// Moves a payment that still waits to the end of the line.
    async fn ask_again_later(&self, order_id: i64, now: i64) -> Result<(), StoreError> {
        let Some(payment) = Payment::load(&*self.store, order_id).await? else {
            return Ok(());
        };
        if payment.is_waiting() {
            let mut batch = Batch::new();
            payment.update().set("asked_at", now).write(&mut batch);
            match self.store.commit(batch).await {
                // Somebody settled it: so much the better.
                Ok(_) | Err(store::CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Forgets keys that are old enough, a bounded number at a time.
    async fn forget_keys(&self, now: i64) -> Result<(), StoreError> {
        let newest = Value::Int(day(now) - self.settings.keep_keys_days.max(1) - 1);
        let tables: [&'static Table; 2] = [&IDEMPOTENCY_KEYS, &RECEIVED_EVENTS];
        for table in tables {
            for _ in 0..FORGET_BATCHES {
                let old = Query::index(table, "by_day", 1).range(Bound::Unbounded, Bound::Included(newest.clone()));
                let page = self.store.query(old.limit(store::MAX_BATCH_OPS)).await?;
                if page.rows.is_empty() {
                    break;
                }
                let mut batch = Batch::new();
                for row in &page.rows {
                    batch.delete(table, row.key().clone());
                }
                // Durable before the next page is read: pages show durable rows.
                self.commit(batch).await?;
            }
        }
        Ok(())
    }
}
