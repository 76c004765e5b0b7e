//! Asking the provider about refunds whose webhook has not come.

use store::{Batch, CommitError, ReadError, Row, Table, Value};

use super::halt::HaltedError;
use super::news::Around;
use crate::App;
use crate::app::MAX_TRIES;
use crate::error::StoreError;
use crate::polling::Waiting;
use crate::provider::ProviderError;
use crate::records::Order;
use crate::records::refund::{REFUNDS, Refund};

/// The longest pause between two questions about one refund, in milliseconds.
const LONGEST_PAUSE_MS: i64 = 3_600_000;

impl App {
    /// Asks about one refund; answers whether the provider did.
    async fn poll_refund(&self, refund: &Refund) -> Result<bool, StoreError> {
        let provider = match self.provider_of(refund.text("provider").unwrap_or_default()) {
            Ok(provider) => provider,
            Err(error) => return self.refund_elsewhere(refund, &error).await.map(|()| true),
        };
        let found = match refund.text("provider_refund") {
            Some(id) => provider.retrieve_refund(id).await.map(Some).map_err(HaltedError::from),
            None => self.find_halted(refund).await,
        };
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(true),
            Err(HaltedError::Provider(ProviderError::Unavailable)) => return Ok(false),
            Err(HaltedError::Store(error)) => return Err(error),
            Err(HaltedError::Provider(error)) => {
                tracing::warn!(refund = refund.public_id(), %error, "the provider does not know a refund of ours");
                return Ok(true);
            }
        };
        for _ in 0..MAX_TRIES {
            let Some(around) = Around::load(self, refund.order_id, refund.number).await? else { return Ok(true) };
            // What was found is about that try: somebody may have begun another one meanwhile.
            if around.refund.attempt != refund.attempt {
                return Ok(true);
            }
            let mut batch = Batch::new();
            let waiter = around.refund.wait_token();
            self.settle_refund(&around, &found, waiter, self.now(), &mut batch).await?;
            if batch.is_empty() {
                return Ok(true);
            }
            match self.commit(batch).await {
                Ok(()) => return Ok(true),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy)
    }

    /// Nobody can be asked about a refund of another provider: a person settles it, and it is not asked about any more.
    async fn refund_elsewhere(&self, refund: &Refund, error: &ProviderError) -> Result<(), StoreError> {
        let now = self.now();
        let Some(order) = Order::load(&*self.store, refund.order_id).await? else { return Ok(()) };
        let reason = format!("nothing is heard of the refund {}: {error}", refund.public_id());
        let mut batch = Batch::new();
        refund.update(vec![("waiting", Value::Null), ("ask_at", Value::Null)], &mut batch);
        order.update(now).note(order.status, Some(&reason)).attention(&reason).write(&mut batch);
        match self.commit(batch).await {
            // Somebody moved it: the next beat looks again.
            Ok(()) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Waiting for Refund {
    fn table() -> &'static Table {
        &REFUNDS
    }

    fn of_row(row: Row) -> Result<Refund, ReadError> {
        Refund::from_row(row)
    }

    fn public_id(&self) -> String {
        self.public_id()
    }

    async fn ask(&self, app: &App) -> Result<bool, StoreError> {
        app.poll_refund(self).await
    }

    /// At growing pauses.
    async fn put_off(&self, app: &App, now: i64, batch: &mut Batch) -> Result<(), StoreError> {
        let refund = Refund::load(&*app.store, self.order_id, self.number).await?;
        if let Some(refund) = refund.filter(|refund| refund.int("waiting").is_some()) {
            let age = now - refund.int("requested_at").unwrap_or(now);
            let pause = (age / 4).max(app.settings.poll_after_ms.abs()).min(LONGEST_PAUSE_MS);
            refund.update(vec![("ask_at", Value::Int(now + pause))], batch);
        }
        Ok(())
    }
}
