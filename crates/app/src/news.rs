//! What the provider tells: payments, refunds, disputes. Webhooks and the poller come through here.

use domain::dispute::{self, Told, Verdict};
use domain::payment::Taken;
use store::{Batch, CommitError};

use crate::app::MAX_TRIES;
use crate::error::StoreError;
use crate::provider::{Dispute, Event, Intent, ProviderError, Refund, Subject};
use crate::records::dispute::{DisputeRecord, new_row};
use crate::records::key::{FAILED_EVENTS, RECEIVED_EVENTS, event_key, received_event};
use crate::records::{Order, Payment, order};
use crate::{App, Instant, WebhookOutcome, postings};

impl App {
    /// Takes an event of the provider, each once. Returns when what it changed is durable.
    ///
    /// # Errors
    /// [`StoreError`]; nothing changed, and the event may come again.
    pub(crate) async fn take_event(&self, source: &str, event: &Event) -> Result<WebhookOutcome, StoreError> {
        let subject = match &event.subject {
            Subject::Named(name) => match self.named(source, event, name).await? {
                Ok(subject) => subject,
                Err(outcome) => return Ok(outcome),
            },
            known => known.clone(),
        };
        let subject = match subject {
            Subject::Intent(intent) => Subject::Intent(self.completed(&intent).await?),
            other => other,
        };
        // Asked before anything is decided: neither a dispute nor a refund names our order.
        let about = match &subject {
            Subject::Other | Subject::Named(_) => return Ok(WebhookOutcome::Ignored),
            Subject::Intent(_) => None,
            Subject::Refund(Refund { intent, .. }) | Subject::Dispute(Dispute { intent, .. }) => {
                Some(self.intent_of(intent).await?)
            }
        };
        for _ in 0..MAX_TRIES {
            let mut batch = Batch::new();
            let now = self.now();
            if self.is_known(source, event).await? {
                return Ok(WebhookOutcome::Duplicate);
            }
            batch.insert(received_event(source, &event.id, now));
            let key = event_key(source, &event.id);
            if self.store.get(&FAILED_EVENTS, &key.as_str().into()).await?.is_some() {
                batch.delete(&FAILED_EVENTS, key.as_str());
            }
            let outcome = match (&subject, &about) {
                (Subject::Intent(intent), _) => self.decide(intent, now, &mut batch).await?,
                (Subject::Refund(refund), Some(intent)) => {
                    self.hear_refund(refund, intent.as_ref(), now, &mut batch).await?
                }
                (Subject::Dispute(dispute), Some(intent)) => {
                    self.hear_dispute(dispute, intent, event.at, now, &mut batch).await?
                }
                _ => WebhookOutcome::Ignored,
            };
            match self.commit(batch).await {
                Ok(()) => return Ok(outcome),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy)
    }

    /// Whether an event was handled before.
    async fn is_known(&self, source: &str, event: &Event) -> Result<bool, StoreError> {
        let key = event_key(source, &event.id);
        let known = self.store.get(&RECEIVED_EVENTS, &key.as_str().into()).await?.is_some();
        if known {
            // The sender forgets the event once it is answered: the first one must be durable by then.
            self.store.flush().await?;
        }
        Ok(known)
    }

    /// What an event names, or what becomes of the event without it: it is asked about only once.
    async fn named(
        &self,
        source: &str,
        event: &Event,
        name: &str,
    ) -> Result<Result<Subject, WebhookOutcome>, StoreError> {
        if self.is_known(source, event).await? {
            return Ok(Err(WebhookOutcome::Duplicate));
        }
        match self.provider.look_up(name).await {
            Ok(subject) => Ok(Ok(subject)),
            Err(ProviderError::Unavailable) => Err(StoreError::Unavailable(ProviderError::Unavailable.into())),
            Err(error) => {
                tracing::warn!(event = event.id, %error, "what an event names is not known to the payment provider");
                Ok(Err(WebhookOutcome::Ignored))
            }
        }
    }

    /// The payment that a refund or dispute is about; `None` if the provider knows of none.
    pub(crate) async fn intent_of(&self, intent: &str) -> Result<Option<Intent>, StoreError> {
        match self.provider.retrieve(intent).await {
            Ok(intent) => Ok(Some(intent)),
            Err(ProviderError::Unavailable) => Err(StoreError::Unavailable(ProviderError::Unavailable.into())),
            Err(_) => Ok(None),
        }
    }

    /// Hears of a dispute: the payment says what the bank has of it, and a person has to answer.
    async fn hear_dispute(
        &self,
        dispute: &Dispute,
        intent: &Option<Intent>,
        told_at: i64,
        now: i64,
        batch: &mut Batch,
    ) -> Result<WebhookOutcome, StoreError> {
        let id = intent.as_ref().and_then(|intent| order::private_id(&intent.order_id));
        let records = match id {
            Some(id) => Order::load(&*self.store, id).await?.zip(Payment::load(&*self.store, id).await?),
            None => None,
        };
        let Some((order, payment)) = records else { return Ok(WebhookOutcome::Mismatch) };
        let known = DisputeRecord::load(&*self.store, &dispute.id).await?;
        let news = Told { status: dispute.status, fee: dispute.fee, at: told_at };
        let verdict = dispute::hear(known.as_ref().map(DisputeRecord::told), news);
        if verdict == Verdict::Ignore {
            return Ok(WebhookOutcome::Ignored);
        }
        let counts = payment.intent() == Some(dispute.intent.as_str());
        if counts && !payment.status.is_taken() {
            // The news of the payment itself is on its way: this one comes again.
            return Err(StoreError::Busy);
        }
        // What the bank took stays what it took, whatever later news call it: so what comes back, or is lost, is that.
        let held = known.as_ref().map_or(0, DisputeRecord::withdrawn);
        let amount = if held > 0 { held } else { dispute.amount };
        let dispute = &Dispute { amount, ..dispute.clone() };
        match &known {
            Some(known) => known.update(dispute, amount, told_at, now, batch),
            None => drop(batch.insert(new_row(dispute, payment.order_id, told_at, now))),
        }
        // Money of a try that the payment does not count with is in the books all the same.
        postings::disputed(&payment, known.as_ref(), dispute, now, batch)?;
        if verdict == Verdict::Fee {
            return Ok(WebhookOutcome::Applied);
        }
        if counts {
            let after = if dispute.status.is_withdrawn() { amount } else { 0 };
            let taken = Taken { disputed: payment.disputed - held + after, ..payment.taken() };
            let update = payment.update().set("disputed", taken.disputed);
            let next = taken.status();
            let update = if next == payment.status { update } else { update.status(next)? };
            update.write(batch);
        }
        let until =
            dispute.respond_by.map_or_else(String::new, |at| format!(", answer by {}", Instant(at).to_rfc3339()));
        let reason = format!(
            "the payment is disputed ({}): {} {amount} {}{until}",
            dispute.reason,
            dispute.status.as_str(),
            dispute.currency
        );
        order.update(now).note(order.status, Some(&reason)).attention(&reason).write(batch);
        Ok(WebhookOutcome::Applied)
    }
}
