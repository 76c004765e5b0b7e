//! The simulator's account with the shop: its lines, and its payouts.

use std::ops::Bound;

use store::{Batch, CommitError, Query, ReadError, Row, Value};

use super::books::{kind_name, kind_of};
use super::{Simulator, unavailable};
use crate::provider::{Movement, MovementKind, Movements, Page, ProviderError};
use crate::records::simulator::{MOVEMENTS, PAYOUTS};
use crate::records::{private_id, public_id};

/// Lines of one page.
const PAGE: usize = 100;

impl Simulator {
    /// Pays out what the account holds to the shop's bank, and answers the payout's id; `None` if it holds nothing.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`].
    pub async fn pay_out(&self) -> Result<Option<String>, ProviderError> {
        self.store.flush().await.map_err(unavailable)?;
        let now = (self.clock)();
        // A line gets its id a moment before it is committed, so the newest ids may not be complete yet.
        let until = store::id::floor(now - self.settings.payout_delay_ms + 1) - 1;
        let last = Query::table(&PAYOUTS).descending().limit(1);
        let last = self.store.query(last).await.map_err(unavailable)?;
        let after = last.rows.first().and_then(|row| row.int("until")).unwrap_or(0);
        let (amount, currency) = self.balance(after, until).await.map_err(unavailable)?;
        if until <= after || amount <= 0 {
            return Ok(None);
        }
        let id = store::id::next();
        let payout = public_id("po_", id);
        let mut batch = Batch::new();
        let values = vec![Value::Int(id), Value::Int(until), Value::Int(amount), Value::Int(now)];
        batch.insert(Row::new(&PAYOUTS, after, values));
        let values = vec![
            Value::from(kind_name(MovementKind::Payout)),
            Value::Int(-amount),
            Value::Int(0),
            Value::from(currency),
            Value::from(payout.as_str()),
            Value::Null,
            Value::Null,
            Value::Int(now),
        ];
        batch.insert(Row::new(&MOVEMENTS, id, values));
        match self.store.commit(batch).await {
            Ok(receipt) => receipt.durable().await.map_err(unavailable).map(|()| Some(payout)),
            // Another call pays out at the same time.
            Err(CommitError::Conflict { .. }) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Pays out if the schedule says so. Whoever else asks at the same time, and however often it is asked again after a
    /// crash, a line is paid out once: a payout begins where the one before ended, and no two can begin there.
    pub(crate) async fn pay_out_when_due(
        &self,
        now: i64,
        day_of: impl Fn(i64) -> i32,
    ) -> Result<Option<String>, ProviderError> {
        let last = self.store.query(Query::table(&PAYOUTS).descending().limit(1)).await.map_err(unavailable)?;
        let since = match last.rows.first() {
            Some(payout) => payout.int("at"),
            None => {
                let first = self.store.query(Query::table(&MOVEMENTS).limit(1)).await.map_err(unavailable)?;
                first.rows.first().and_then(|line| line.int("at"))
            }
        };
        match since {
            Some(since) if self.settings.payouts.is_due(since, now, day_of) => self.pay_out().await,
            _ => Ok(None),
        }
    }

    async fn balance(&self, after: i64, until: i64) -> Result<(i64, String), ReadError> {
        let mut sum: i64 = 0;
        let mut currency = String::new();
        let mut cursor = None;
        loop {
            let query = span(after, until).limit(store::MAX_PAGE).after(cursor);
            let page = self.store.query(query).await?;
            for line in page.rows.iter().filter_map(movement).filter(|line| line.kind != MovementKind::Payout) {
                sum += line.amount - line.fee;
                currency = line.currency;
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok((sum, currency));
            }
        }
    }

    pub(super) async fn lines(
        &self,
        which: &Movements,
        cursor: Option<String>,
    ) -> Result<Page<Movement>, ProviderError> {
        let (query, payout) = match which {
            Movements::Since(at) => (span(store::id::floor(*at) - 1, i64::MAX), None),
            Movements::Payout(payout) => {
                let unknown = || ProviderError::Invalid("there is no such payout".into());
                let id = private_id("po_", payout).ok_or_else(unknown)?;
                let found = self.store.query(Query::index(&PAYOUTS, "by_id", id)).await.map_err(unavailable)?;
                let row = found.rows.first().ok_or_else(unknown)?;
                let until = row.int("until").unwrap_or(0);
                (span(row.key().int().unwrap_or(0), until), Some(payout))
            }
        };
        let query = query.descending().limit(PAGE).after(cursor);
        let page = self.store.query(query).await.map_err(|error| match error {
            ReadError::Invalid(problem) => ProviderError::Invalid(problem),
            other => unavailable(other),
        })?;
        let lines = page.rows.iter().filter_map(movement);
        let lines = lines.filter(|line| payout.is_none() || line.kind != MovementKind::Payout);
        Ok(Page { items: lines.collect(), next: page.next })
    }
}

/// The lines after one id, up to another.
fn span(after: i64, until: i64) -> Query {
    Query::table(&MOVEMENTS).range(Bound::Excluded(Value::Int(after)), Bound::Included(Value::Int(until)))
}

fn movement(row: &Row) -> Option<Movement> {
    let text = |column: &str| row.text(column).map(str::to_owned);
    Some(Movement {
        id: public_id("txn_", row.key().int()?),
        kind: kind_of(row.text("kind")?),
        amount: row.int("amount")?,
        fee: row.int("fee")?,
        currency: text("currency")?,
        source: text("source"),
        intent: row.int("intent").map(|id| public_id("pi_", id)),
        order_id: text("order_id"),
        at: row.int("at")?,
    })
}
