//! The simulator's refunds: at once, or pending for a while and then good or bad.

use store::{Batch, CommitError, Row, Value};

use super::books::{Book, Change, RefundBook};
use super::{Behaviour, MAX_TRIES, Simulator, Timer, answer, unavailable, wire};
use crate::provider::{MovementKind, ProviderError, Refund, RefundRequest};
use crate::records::simulator::{KEYS, REFUNDS};
use crate::records::{private_id, public_id};

impl Simulator {
    pub(super) async fn load_refund(&self, refund: &str) -> Result<(RefundBook, Book), ProviderError> {
        let unknown = || {
            let refund: String = refund.chars().take(32).collect();
            ProviderError::Invalid(format!("there is no refund `{refund}`"))
        };
        let id = private_id("re_", refund).ok_or_else(unknown)?;
        let row = self.store.get(&REFUNDS, &id.into()).await.map_err(unavailable)?;
        let found = row.as_ref().and_then(RefundBook::from_row).ok_or_else(unknown)?;
        let book = self.load(&public_id("pi_", found.intent)).await?;
        Ok((found, book))
    }

    /// The refund that this key made before; another request under the key is refused.
    async fn refunded_before(&self, request: &RefundRequest) -> Result<Option<Refund>, ProviderError> {
        let row = self.store.get(&KEYS, &request.key.as_str().into()).await.map_err(unavailable)?;
        let Some(row) = row else { return Ok(None) };
        if row.text("request") != Some(fingerprint(request).as_str()) {
            return Err(ProviderError::Invalid("the idempotency key was used for another request".into()));
        }
        self.store.flush().await.map_err(unavailable)?;
        let (refund, book) = self.load_refund(&public_id("re_", row.int("object").unwrap_or(0))).await?;
        Ok(Some(refund.refund(&book)))
    }

    pub(super) async fn give_back(&self, request: &RefundRequest) -> Result<Refund, ProviderError> {
        for _ in 0..MAX_TRIES {
            // The book before the key: a request that came twice at once finds its refund, not that too little is left.
            let book = self.load(&request.intent).await?;
            if let Some(refund) = self.refunded_before(request).await? {
                return Ok(refund);
            }
            if book.behaviour == Behaviour::UndoFails {
                return Err(ProviderError::Invalid("the bank refuses".into()));
            }
            let disputed = if matches!(book.dispute.as_deref(), None | Some("won")) { 0 } else { book.captured };
            let Book { captured, refunded, .. } = book;
            let taken = domain::payment::Taken { captured, refunded, refunding: 0, disputed };
            let checked = taken.check_refund(request.amount);
            checked.map_err(|error| ProviderError::Invalid(error.to_string()))?;
            let now = (self.clock)();
            let later = matches!(book.behaviour, Behaviour::RefundPending | Behaviour::RefundFails);
            let refund = RefundBook {
                id: store::id::next(),
                intent: book.id,
                key: request.key.clone(),
                status: if later { "pending" } else { "succeeded" }.into(),
                amount: request.amount,
                created_at: now,
            };
            let mut batch = Batch::new();
            let change = Change { refunded: refunded + request.amount, ..Change::to(&book, "taken") };
            let next = book.changed(&change, now, &mut batch);
            let kind = MovementKind::Refund;
            batch.insert(book.movement(kind, -request.amount, 0, &refund.public_id(), now));
            batch.insert(refund.row());
            let values = vec![Value::Int(refund.id), Value::from(fingerprint(request))];
            batch.insert(Row::new(&KEYS, request.key.as_str(), values));
            if later {
                let timer = Timer::EndRefund { refund: refund.public_id() };
                batch.send(timer.message(now + self.settings.webhook_delay_ms));
            }
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await.map_err(unavailable)?;
                    return answer(book.behaviour, refund.refund(&next));
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(ProviderError::Unavailable)
    }

    /// A pending refund reaches the customer, or comes back.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`] if there is no such refund.
    pub async fn end_refund(&self, refund: &str) -> Result<(), ProviderError> {
        for _ in 0..MAX_TRIES {
            let (mut refund, book) = self.load_refund(refund).await?;
            if refund.status != "pending" {
                return Ok(());
            }
            let now = (self.clock)();
            let mut batch = Batch::new();
            let mut next = book.clone();
            refund.status = "succeeded".into();
            if book.behaviour == Behaviour::RefundFails {
                refund.status = "failed".into();
                let change = Change { refunded: book.refunded - refund.amount, ..Change::to(&book, "taken") };
                next = book.changed(&change, now, &mut batch);
                let kind = MovementKind::RefundFailure;
                batch.insert(book.movement(kind, refund.amount, 0, &refund.public_id(), now));
            }
            let set = vec![("status", Value::from(refund.status.as_str()))];
            batch.update(&REFUNDS, refund.id, set, Some(("status", "pending".into())));
            batch.send(wire::refund_webhook(&refund, &next, &self.settings, now));
            match self.store.commit(batch).await {
                Ok(_) | Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(ProviderError::Unavailable)
    }
}

fn fingerprint(request: &RefundRequest) -> String {
    format!("refund {} of {}", request.amount, request.intent)
}
