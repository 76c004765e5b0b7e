//! Periodic work: asking the provider about payments whose webhook has not come, watching holds that end, forgetting old
//! keys.
//!
//! Each ticker is one message that sends its successor in the batch that consumes it; a row says which message is the
//! current one, so that a restart neither doubles nor loses a ticker.

use std::ops::Bound;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use store::message::{MESSAGES, Message};
use store::{Batch, Query, ReadError, Row, Table, Value};

use crate::App;
use crate::error::StoreError;
use crate::polling::{BUDGET, Waiting};
use crate::provider::{IntentStatus, ProviderError};
use crate::records::key::{IDEMPOTENCY_KEYS, RECEIVED_EVENTS, TICKERS, day};
use crate::records::order;
use crate::records::payment::{PAYMENTS, PIX};
use crate::records::refund::Refund;
use crate::records::{Order, Payment};
use crate::undo::start_void;

/// The beats; the body is a [`Beat`].
pub(crate) const TICKER_QUEUE: &str = "tickers";

/// How long a payment that ended without money is asked about: a Pix can be paid after it was called off.
const WATCH_MS: i64 = 48 * 3_600_000;
/// The longest pause between two questions about such a payment.
const LONGEST_PAUSE_MS: i64 = 4 * 3_600_000;
/// The periodic work there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ticker {
    PollPayments,
    PollRefunds,
    Reconcile,
    ForgetKeys,
    WatchHolds,
    PollEvents,
    PayOut,
}

const ALL: [Ticker; 7] = [
    Ticker::PollPayments,
    Ticker::PollRefunds,
    Ticker::Reconcile,
    Ticker::ForgetKeys,
    Ticker::WatchHolds,
    Ticker::PollEvents,
    Ticker::PayOut,
];

impl Ticker {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Ticker::PollPayments => "poll-payments",
            Ticker::PollRefunds => "poll-refunds",
            Ticker::Reconcile => "reconcile",
            Ticker::ForgetKeys => "forget-keys",
            Ticker::WatchHolds => "watch-holds",
            Ticker::PollEvents => "poll-events",
            Ticker::PayOut => "pay-out",
        }
    }

    fn every_ms(self) -> i64 {
        match self {
            Ticker::PollPayments => 5_000,
            Ticker::PollRefunds => 10_000,
            Ticker::Reconcile => 60_000,
            Ticker::ForgetKeys => 10_000,
            Ticker::WatchHolds => 600_000,
            Ticker::PollEvents => 60_000,
            Ticker::PayOut => 5_000,
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
            // A beat that was parked beats no more.
            let message = match current {
                Some(id) => self.store.get(&MESSAGES, &id.into()).await?,
                None => None,
            };
            let waiting = message.filter(|message| message.text("queue") == Some(TICKER_QUEUE));
            let mut batch = Batch::new();
            match waiting {
                Some(message) if message.int("receives") == Some(0) => continue,
                // It was under way when the process ended, which is no fault of its own: after some such ends it would be
                // parked.
                Some(message) => drop(batch.delete(&MESSAGES, message.key().clone())),
                None => {}
            }
            let message = beat(ticker, self.now());
            batch.put(Row::new(&TICKERS, ticker.name(), vec![Value::Int(message.id)]));
            batch.send(message);
            self.commit(batch).await?;
        }
        Ok(())
    }

    /// Does all periodic work whose time comes in the minute that begins now, within `time`, for a scheduler that calls once a
    /// minute in place of beats. Keys are left out: a store that is shared forgets them by itself.
    ///
    /// Work that does not fit its share of the time is cut off, as by a crash: every piece of it commits what it has done, so
    /// the next call goes on from there.
    ///
    /// # Errors
    /// The first failure; the rest is done all the same, and the next call tries again.
    pub async fn tick_all(&self, now: i64, time: Duration) -> Result<(), StoreError> {
        const MINUTE_MS: i64 = 60_000;
        let is_due = |ticker: &Ticker| {
            let due = now.rem_euclid(ticker.every_ms().max(MINUTE_MS)) < MINUTE_MS;
            due && !matches!(ticker, Ticker::ForgetKeys)
        };
        let mut left: Vec<Ticker> = ALL.into_iter().filter(is_due).rev().collect();
        let begin = Instant::now();
        let mut result = Ok(());
        while let Some(ticker) = left.last().copied() {
            // What one leaves over is for those that follow it.
            let share = time.saturating_sub(begin.elapsed()) / u32::try_from(left.len()).unwrap_or(1);
            left.pop();
            match tokio::time::timeout(share, self.tick(ticker, now)).await {
                Ok(done) => result = result.and(done),
                Err(_) => tracing::info!(ticker = ticker.name(), ?share, "periodic work goes on with the next beat"),
            }
        }
        result
    }

    /// Does the work of a beat; what does not fit its time is left to the next.
    pub(crate) async fn tick(&self, ticker: Ticker, now: i64) -> Result<(), StoreError> {
        let begin = Instant::now();
        match ticker {
            Ticker::PollPayments => self.poll::<Payment>(now, begin).await,
            Ticker::PollRefunds => self.poll::<Refund>(now, begin).await,
            Ticker::Reconcile => self.reconcile(now, begin).await.map(drop),
            Ticker::ForgetKeys => self.forget_keys(now, begin).await,
            Ticker::WatchHolds => self.watch_holds(now).await,
            Ticker::PollEvents => self.poll_events(now, begin).await,
            Ticker::PayOut => self.pay_out_when_due(now).await,
        }
    }

    /// Lets the simulator pay out when it is due; a real provider does that by itself.
    async fn pay_out_when_due(&self, now: i64) -> Result<(), StoreError> {
        let Some(simulator) = &self.simulator else { return Ok(()) };
        let calendar = self.ledger().calendar();
        match simulator.pay_out_when_due(now, |at| calendar.day_of(at)).await {
            Ok(Some(payout)) => {
                tracing::info!(payout, "the payment simulator paid out");
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => Err(StoreError::Unavailable(error.into())),
        }
    }

    /// When to ask the provider about a payment again; `None` once nothing can come any more. An open one is asked about at a
    /// steady pace, a Pix more slowly because the customer takes a while; one that is over at growing pauses since `over_at`,
    /// when its time to pay ended or its amount was taken.
    pub(crate) fn ask_again(&self, payment: &Payment, over_at: Option<i64>, now: i64) -> Option<i64> {
        let pace = self.settings.poll_after_ms;
        let Some(over_at) = over_at else {
            return Some(now + if payment.method() == PIX { pace.saturating_mul(4) } else { pace });
        };
        let age = now - over_at;
        let pause = (age / 4).max(pace.saturating_mul(10)).min(LONGEST_PAUSE_MS);
        (age < WATCH_MS).then_some(now + pause)
    }

    /// Asks about one payment; answers whether the provider did.
    pub(crate) async fn poll_payment(&self, payment: &Payment) -> Result<bool, StoreError> {
        let provider = match self.provider_of(payment.provider()) {
            Ok(provider) => provider,
            Err(error) => return self.payment_elsewhere(payment, &error).await.map(|()| true),
        };
        let found = match payment.intent() {
            Some(intent) => provider.retrieve(intent).await.map(Some),
            None => provider.find(&payment.authorise_request(None)).await,
        };
        match found {
            Ok(Some(found))
                if matches!(found.status, IntentStatus::Pending | IntentStatus::Approved)
                    && payment.is_written_off() =>
            {
                let mut batch = Batch::new();
                start_void(&mut batch, payment.order_id, payment.attempts, Some(&found.id), false);
                self.commit(batch).await?;
            }
            Ok(Some(found)) => drop(self.hear(&found).await?),
            Ok(None) => {}
            Err(ProviderError::Unavailable) => return Ok(false),
            Err(error) => {
                let order = order::public_id(payment.order_id);
                tracing::warn!(order, %error, "the provider does not know a payment of ours");
            }
        }
        Ok(true)
    }

    /// Nobody can be asked about a payment of another provider: a person settles it, unless nothing of it is open but news
    /// that may never come.
    async fn payment_elsewhere(&self, payment: &Payment, error: &ProviderError) -> Result<(), StoreError> {
        let now = self.now();
        let mut batch = Batch::new();
        payment.update().set("waiting", Value::Null).set("ask_at", Value::Null).write(&mut batch);
        if let (false, Some(order)) = (payment.is_over(), Order::load(&*self.store, payment.order_id).await?) {
            let reason = format!("nothing is heard of the payment: {error}");
            order.update(now).note(order.status, Some(&reason)).attention(&reason).write(&mut batch);
        }
        match self.commit(batch).await {
            // Somebody moved it: the next beat looks again.
            Ok(()) | Err(store::CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves a payment that still waits to its place in the line.
    pub(crate) async fn ask_again_later(&self, order_id: i64, now: i64) -> Result<(), StoreError> {
        let Some(payment) = Payment::load(&*self.store, order_id).await? else {
            return Ok(());
        };
        let mut batch = Batch::new();
        payment.put_off(self, now, &mut batch).await?;
        match self.store.commit(batch).await {
            // Somebody settled it: so much the better.
            Ok(_) | Err(store::CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Since when a payment is over: the time of its capture, of which only the fee is still missing, or of its end without
    /// money; `None` while it is open.
    async fn over_at(&self, payment: &Payment) -> Result<Option<i64>, StoreError> {
        if !payment.is_over() {
            return Ok(None);
        }
        let captured = match payment.status.is_taken() {
            true => crate::postings::captured_at(&*self.store, payment).await?,
            false => None,
        };
        Ok(Some(captured.unwrap_or(payment.expires_at)))
    }

    /// Forgets keys that are old enough.
    async fn forget_keys(&self, now: i64, begin: Instant) -> Result<(), StoreError> {
        let newest = Value::Int(day(now) - self.settings.keep_keys_days.max(1) - 1);
        let tables: [&'static Table; 2] = [&IDEMPOTENCY_KEYS, &RECEIVED_EVENTS];
        for table in tables {
            while begin.elapsed() < BUDGET {
                let old = Query::index(table, "by_day", 1).range(Bound::Unbounded, Bound::Included(newest.clone()));
                let page = self.store.query(old.limit(store::MAX_PAGE)).await?;
                if page.rows.is_empty() {
                    break;
                }
                for rows in page.rows.chunks(store::MAX_BATCH_OPS) {
                    let mut batch = Batch::new();
                    for row in rows {
                        batch.delete(table, row.key().clone());
                    }
                    self.store.commit(batch).await?;
                }
                // Durable before the next page is read: pages show durable rows.
                self.store.flush().await?;
            }
        }
        Ok(())
    }
}

impl Waiting for Payment {
    fn table() -> &'static Table {
        &PAYMENTS
    }

    fn of_row(row: Row) -> Result<Payment, ReadError> {
        Payment::from_row(row)
    }

    fn public_id(&self) -> String {
        order::public_id(self.order_id)
    }

    async fn ask(&self, app: &App) -> Result<bool, StoreError> {
        app.poll_payment(self).await
    }

    async fn put_off(&self, app: &App, now: i64, batch: &mut Batch) -> Result<(), StoreError> {
        let payment = Payment::load(&*app.store, self.order_id).await?;
        if let Some(payment) = payment.filter(Payment::is_waiting) {
            match app.ask_again(&payment, app.over_at(&payment).await?, now) {
                Some(ask_at) => payment.update().set("ask_at", ask_at).write(batch),
                None => payment.update().settled().write(batch),
            }
        }
        Ok(())
    }
}
