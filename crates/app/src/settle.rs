//! What a provider's news does to a payment, and how a payment is undone: once, for browser, webhook, poller and flow.

use domain::notification::Notice;
use domain::payment::{self, News, PaymentStatus, Undo, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::message::Message;
use store::{Batch, CommitError};

use crate::app::MAX_TRIES;
use crate::error::StoreError;
use crate::provider::{Intent, IntentStatus, ProviderError};
use crate::records::key::{RECEIVED_EVENTS, event_key, received_event};
use crate::records::{Order, Payment, order};
use crate::{App, WebhookOutcome, mail};

/// Money that came when nobody waited for it; the body is a [`LatePayment`].
pub(crate) const LATE_QUEUE: &str = "late-payments";

/// Money to give back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LatePayment {
    pub(crate) order_id: String,
    pub(crate) intent: String,
}

/// The step that asks the provider to hold the amount.
pub(crate) const AUTHORISE: &str = "authorise";

/// The idempotency key of a step toward the provider: deterministic per order, step and try.
pub(crate) fn step_key(payment: &Payment, step: &str) -> String {
    format!("{}/{step}/{}", order::public_id(payment.order_id), payment.attempts)
}

/// The news in an intent's status.
pub(crate) fn news(status: IntentStatus) -> News {
    match status {
        IntentStatus::Pending => News::Waiting,
        IntentStatus::Held => News::Held,
        IntentStatus::Taken => News::Taken,
        IntentStatus::Refused => News::Refused,
        IntentStatus::Cancelled => News::CalledOff,
    }
}

/// Applies what the provider says about an intent to the payment. `waiter` is the task that waits for the outcome.
///
/// Answers whether anything changed.
pub(crate) fn settle(payment: &Payment, intent: &Intent, waiter: Option<&str>, batch: &mut Batch) -> bool {
    let give_back = |batch: &mut Batch| {
        let late = LatePayment { order_id: order::public_id(payment.order_id), intent: intent.id.clone() };
        batch.send(Message::new(LATE_QUEUE, &late).group(intent.id.clone()));
    };
    if intent.attempt != payment.attempts {
        // An older try that the customer has given up: nothing of it may stay.
        let real = matches!(intent.status, IntentStatus::Held | IntentStatus::Taken);
        if real {
            give_back(batch);
        }
        return real;
    }
    let next = match payment::hear(payment.status, news(intent.status)) {
        Verdict::Ignore => return false,
        Verdict::GiveBackAttempt => {
            give_back(batch);
            return true;
        }
        Verdict::GiveBack(next) => {
            give_back(batch);
            next
        }
        Verdict::Become(next) => next,
    };
    let mut update = payment.update().status(next).settled().set("intent", intent.id.as_str());
    match next {
        PaymentStatus::Confirmed => update = update.set("captured", intent.captured),
        PaymentStatus::Authorized => update = update.set("capture_before", intent.capture_before),
        PaymentStatus::Rejected => {
            let (code, message) = intent.failure.clone().unwrap_or_else(|| ("canceled".into(), String::new()));
            if let Some(token) = waiter {
                batch.task_failed(token, "PaymentRefused", &code);
            }
            update = update.set("failure_code", code).set("failure_message", message);
        }
        _ => {}
    }
    if let (true, Some(token)) = (next.is_good(), waiter) {
        batch.task_succeeded(token, json!({}));
    }
    update.write(batch);
    true
}

impl App {
    /// Hears of an intent, from a webhook (`event` is its source and id) or by asking.
    pub(crate) async fn hear(
        &self,
        intent: &Intent,
        event: Option<(&str, &str)>,
    ) -> Result<WebhookOutcome, StoreError> {
        for _ in 0..MAX_TRIES {
            let mut batch = Batch::new();
            let now = self.now();
            if let Some((source, id)) = event {
                let key = event_key(source, id);
                if self.store.get(&RECEIVED_EVENTS, &key.as_str().into()).await?.is_some() {
                    return Ok(WebhookOutcome::Duplicate);
                }
                batch.insert(received_event(source, id, now));
            }
            let outcome = self.decide(intent, now, &mut batch).await?;
            if batch.is_empty() {
                return Ok(outcome);
            }
            match self.commit(batch).await {
                Ok(()) => return Ok(outcome),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy)
    }

    async fn decide(&self, intent: &Intent, now: i64, batch: &mut Batch) -> Result<WebhookOutcome, StoreError> {
        let Some(order_id) = order::private_id(&intent.order_id) else {
            return Ok(WebhookOutcome::Mismatch);
        };
        let Some(payment) = Payment::load(&*self.store, order_id).await? else {
            return Ok(WebhookOutcome::Mismatch);
        };
        let taken = intent.status == IntentStatus::Taken;
        let amount_differs = intent.amount != payment.amount || (taken && intent.captured != payment.amount);
        if amount_differs || intent.currency != payment.currency() {
            if let Some(order) = Order::load(&*self.store, order_id).await? {
                let reason = format!(
                    "the provider reports {} {} for {}, the order has {} {}",
                    intent.amount,
                    intent.currency,
                    intent.id,
                    payment.amount,
                    payment.currency()
                );
                order.update(now).attention(&reason).write(batch);
            }
            return Ok(WebhookOutcome::Mismatch);
        }
        if !settle(&payment, intent, payment.wait_token(), batch) {
            return Ok(WebhookOutcome::Ignored);
        }
        // Told here and not only by the flow: a quick customer may pay again before the flow hears of the refusal.
        if intent.status == IntentStatus::Refused
            && intent.attempt == payment.attempts
            && let Some(order) = Order::load(&*self.store, order_id).await?
        {
            mail::write(self, batch, &order, Notice::PaymentRefused, payment.attempts, now).await?;
        }
        Ok(WebhookOutcome::Applied)
    }

    /// Undoes a payment with the provider and writes what became of it: void before capture, refund after. What was never
    /// asked for, or never taken, ends in `unpaid`. Answers whether money goes back to the customer.
    pub(crate) async fn undo_payment(
        &self,
        payment: &Payment,
        unpaid: PaymentStatus,
        batch: &mut Batch,
    ) -> Result<bool, ProviderError> {
        let key = |step: &str| step_key(payment, step);
        let intent = match payment.intent() {
            Some(intent) => Some(intent.to_owned()),
            // The step that asked was cut off before it could write down the answer: the provider may know all the same.
            None => self.provider.find(&key(AUTHORISE)).await?.map(|intent| intent.id),
        };
        let undo = payment::undo(payment.status, intent.is_some(), payment.captured, payment.refunded);
        let (next, captured, refunded) = match (undo, intent.as_deref()) {
            (Undo::Nothing, _) | (_, None) => {
                let open = matches!(payment.status, PaymentStatus::Pending | PaymentStatus::Rejected);
                if !open {
                    return Ok(false);
                }
                (unpaid, 0, 0)
            }
            (Undo::Refund(amount), Some(intent)) => {
                self.provider.refund(intent, amount, &key("refund")).await?;
                (PaymentStatus::Refunded, payment.captured, payment.refunded + amount)
            }
            (Undo::Void, Some(intent)) => {
                let after = self.provider.void(intent, &key("void")).await?;
                if after.status == IntentStatus::Taken {
                    // The customer paid in this very moment.
                    let amount = after.captured - after.refunded;
                    if amount > 0 {
                        self.provider.refund(intent, amount, &key("refund")).await?;
                    }
                    (PaymentStatus::Refunded, after.captured, after.captured)
                } else if payment.status == PaymentStatus::Authorized {
                    (PaymentStatus::Voided, 0, 0)
                } else {
                    (unpaid, 0, 0)
                }
            }
        };
        let update = payment.update().status(next).settled().set("intent", intent);
        update.set("captured", captured).set("refunded", refunded).write(batch);
        Ok(next == PaymentStatus::Refunded)
    }

    /// Gives back what an intent holds or took that is not the payment's current one.
    pub(crate) async fn give_back_attempt(&self, intent: &str) -> Result<(), ProviderError> {
        let found = self.provider.retrieve(intent).await?;
        match found.status {
            IntentStatus::Held => {
                self.provider.void(intent, &format!("{intent}/void")).await?;
            }
            IntentStatus::Taken if found.captured > found.refunded => {
                let amount = found.captured - found.refunded;
                self.provider.refund(intent, amount, &format!("{intent}/refund")).await?;
            }
            _ => {}
        }
        Ok(())
    }
}
