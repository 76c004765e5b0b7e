//! Asking the provider about everything that waits for its word: payments and refunds whose webhook has not come.
//!
//! What waits stands in the index `waiting` of its table at the time to ask about it. It is asked about, the answer is applied
//! as a webhook's, and what still waits moves to its place further down the line.

use std::ops::Bound;
use std::time::{Duration, Instant};

use store::{Batch, CommitError, Query, Row, Table, Value};

use crate::App;
use crate::error::StoreError;

/// How many rows are read at once.
const PAGE: usize = 100;
/// How long one beat works on before it leaves the rest to the next.
pub(crate) const BUDGET: Duration = Duration::from_secs(20);
/// After how many calls in a row that the provider did not answer a beat leaves it alone.
const MAX_SILENT: usize = 5;

/// A kind of record that waits for the provider.
pub(crate) trait Waiting: Sized {
    /// Where it stands, with the index `waiting` of (`waiting`, `ask_at`).
    fn table() -> &'static Table;

    fn of_row(row: Row) -> Result<Self, store::ReadError>;

    /// Its id in logs.
    fn public_id(&self) -> String;

    /// Asks about it, and applies the answer; whether the provider answered.
    async fn ask(&self, app: &App) -> Result<bool, StoreError>;

    /// Adds to the batch its place in the line; nothing, if it waits no longer.
    async fn put_off(&self, app: &App, now: i64, batch: &mut Batch) -> Result<(), StoreError>;
}

impl App {
    /// Asks about every record of a kind whose time has come. A provider that does not answer is left alone until the next
    /// beat.
    pub(crate) async fn poll<W: Waiting + Sync>(&self, now: i64, begin: Instant) -> Result<(), StoreError> {
        let mut silent = 0;
        while begin.elapsed() < BUDGET {
            let until = Bound::Included(Value::Int(now));
            let query = Query::index(W::table(), "waiting", 1).range(Bound::Unbounded, until);
            let page = self.store.query(query.limit(PAGE)).await?;
            let more = page.next.is_some();
            for row in page.rows {
                let waiting = W::of_row(row)?;
                // The trouble of one is not the others': it moves to the end of the line.
                match waiting.ask(self).await {
                    Ok(true) => silent = 0,
                    Ok(false) => silent += 1,
                    Err(error) => {
                        let (subject, error) = (waiting.public_id(), &error as &dyn std::error::Error);
                        tracing::warn!(subject, error, "the provider's word could not be applied");
                    }
                }
                let mut batch = Batch::new();
                waiting.put_off(self, now, &mut batch).await?;
                match self.store.commit(batch).await {
                    // Somebody settled it: so much the better.
                    Ok(_) | Err(CommitError::Conflict { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
                if silent >= MAX_SILENT || begin.elapsed() >= BUDGET {
                    return Ok(());
                }
            }
            if !more {
                break;
            }
            // The next page shows durable rows.
            self.store.flush().await?;
        }
        Ok(())
    }
}
