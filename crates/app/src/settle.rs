//! What a provider's news does to a payment: once, for browser, webhook, poller and flow.

use domain::notification::Notice;
use domain::payment::{self, News, PaymentStatus, Verdict};
use serde_json::json;
use store::{Batch, CommitError};

use crate::app::MAX_TRIES;
use crate::error::StoreError;
use crate::postings::{SettleError, captured, charged};
use crate::provider::{Intent, IntentStatus, ProviderError};
use crate::records::{Order, Payment, order};
use crate::undo::{start_late_payment, start_void};
use crate::{App, WebhookOutcome, mail};

/// The step that asks the provider to hold the amount.
pub(crate) const AUTHORISE: &str = "authorise";

/// The step that asks the provider to hold or take what the customer approved.
const COMPLETE: &str = "complete";

/// The error of a payment that the provider refused.
pub(crate) const REFUSED: &str = "PaymentRefused";

/// The idempotency key of a step toward the provider: deterministic per order, step and try.
pub(crate) fn step_key(payment: &Payment, step: &str) -> String {
    attempt_key(payment.order_id, step, payment.attempts)
}

/// The same of any try.
pub(crate) fn attempt_key(order_id: i64, step: &str, attempt: i64) -> String {
    format!("{}/{step}/{attempt}", order::public_id(order_id))
}

/// The news in an intent's status.
pub(crate) fn news(status: IntentStatus) -> News {
    match status {
        IntentStatus::Pending | IntentStatus::Approved => News::Waiting,
        IntentStatus::Held => News::Held,
        IntentStatus::Taken => News::Taken,
        IntentStatus::Refused => News::Refused,
        IntentStatus::Cancelled => News::CalledOff,
    }
}

/// Applies what the provider says about an intent to the payment of an order. `waiter` is the task that waits for the
/// outcome. What is not about this order, this amount and this currency is not believed, whoever says it.
pub(crate) fn settle(
    payment: &Payment,
    intent: &Intent,
    waiter: Option<&str>,
    now: i64,
    batch: &mut Batch,
) -> Result<WebhookOutcome, SettleError> {
    if !matches(payment, intent) {
        return Ok(WebhookOutcome::Mismatch);
    }
    let give_back = |batch: &mut Batch| {
        let held = intent.status == IntentStatus::Held;
        start_void(batch, payment.order_id, intent.attempt, Some(&intent.id), held);
    };
    let another = payment.intent().is_some_and(|known| known != intent.id);
    if intent.attempt != payment.attempts || another {
        // An older try that the customer has given up, or a second intent of this one: nothing of it may stay.
        if !matches!(intent.status, IntentStatus::Held | IntentStatus::Taken) {
            return Ok(WebhookOutcome::Ignored);
        }
        give_back(batch);
        return Ok(WebhookOutcome::Applied);
    }
    let next = match payment::hear(payment.status, news(intent.status)) {
        Verdict::Ignore => return settle_fee(payment, intent, now, batch),
        Verdict::GiveBackAttempt => {
            give_back(batch);
            return Ok(WebhookOutcome::Applied);
        }
        Verdict::GiveBack(next) => {
            start_late_payment(batch, payment);
            next
        }
        Verdict::Become(next) => next,
    };
    let mut update = match next {
        PaymentStatus::Confirmed => captured(payment, intent, now, batch)?,
        _ => payment.update().status(next)?.settled().set("intent", intent.id.as_str()),
    };
    match next {
        PaymentStatus::Authorized => {
            let until = intent.capture_before.unwrap_or(now + payment::HOLD_MS);
            update = update.set("capture_before", until);
        }
        PaymentStatus::Rejected => {
            let (code, message) = intent.failure.clone().unwrap_or_else(|| ("canceled".into(), String::new()));
            if let Some(token) = waiter {
                batch.task_failed(token, REFUSED, &code);
            }
            update = update.set("failure_code", code).set("failure_message", message);
        }
        _ => {}
    }
    if let (true, Some(token)) = (next.is_good(), waiter) {
        batch.task_succeeded(token, json!({}));
    }
    update.write(batch);
    Ok(WebhookOutcome::Applied)
}

/// Posts the fee of what was taken, once the provider tells it.
fn settle_fee(payment: &Payment, intent: &Intent, now: i64, batch: &mut Batch) -> Result<WebhookOutcome, SettleError> {
    let known = payment.fee().is_some() || payment.intent() != Some(intent.id.as_str());
    match intent.fee.filter(|_| payment.status.is_taken() && !known) {
        Some(fee) => {
            charged(payment.update().settled(), payment, fee, now, batch)?.write(batch);
            Ok(WebhookOutcome::Applied)
        }
        None => Ok(WebhookOutcome::Ignored),
    }
}

/// Whether an intent is about this order, amount and currency.
pub(crate) fn matches(payment: &Payment, intent: &Intent) -> bool {
    let taken = intent.status == IntentStatus::Taken;
    intent.order_id == order::public_id(payment.order_id)
        && intent.amount == payment.amount
        && intent.currency == payment.currency()
        && (!taken || intent.captured == payment.amount)
}

impl App {
    /// Hears of an intent by asking.
    pub(crate) async fn hear(&self, intent: &Intent) -> Result<WebhookOutcome, StoreError> {
        let intent = &self.completed(intent).await?;
        for _ in 0..MAX_TRIES {
            let mut batch = Batch::new();
            let outcome = self.decide(intent, self.now(), &mut batch).await?;
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

    /// An intent that the customer approved, after its amount was held or taken, if its payment still waits for that. One
    /// that nobody waits for is left: nothing of it is held.
    ///
    /// Invariant: completing is asked for under a key of the try, so webhook, poller and browser have one effect; whoever
    /// calls the order off meanwhile hears of the hold by its event, and lets it go.
    pub(crate) async fn completed(&self, intent: &Intent) -> Result<Intent, StoreError> {
        let approved = intent.status == IntentStatus::Approved;
        let Some(order_id) = order::private_id(&intent.order_id).filter(|_| approved) else {
            return Ok(intent.clone());
        };
        let order = Order::load(&*self.store, order_id).await?;
        let payment = Payment::load(&*self.store, order_id).await?;
        let (Some(order), Some(payment)) = (order, payment) else { return Ok(intent.clone()) };
        let current = payment.status == PaymentStatus::Pending
            && payment.attempts == intent.attempt
            && payment.intent() == Some(intent.id.as_str());
        let wanted = current && order.cancel_reason().is_none() && self.now() < payment.expires_at;
        if !wanted || !matches(&payment, intent) {
            return Ok(intent.clone());
        }
        // What leads to the call is durable before it.
        self.store.flush().await?;
        match self.provider.complete(&intent.id, &step_key(&payment, COMPLETE)).await {
            Ok(done) => Ok(done),
            Err(ProviderError::Unavailable) => Err(StoreError::Unavailable(ProviderError::Unavailable.into())),
            Err(error) => {
                tracing::warn!(order = order.public_id(), %error, "an approved payment cannot be completed");
                Ok(intent.clone())
            }
        }
    }

    pub(crate) async fn decide(
        &self,
        intent: &Intent,
        now: i64,
        batch: &mut Batch,
    ) -> Result<WebhookOutcome, StoreError> {
        let Some(order_id) = order::private_id(&intent.order_id) else {
            return Ok(WebhookOutcome::Mismatch);
        };
        let Some(payment) = Payment::load(&*self.store, order_id).await? else {
            return Ok(WebhookOutcome::Mismatch);
        };
        // An event shows what was. A hold of a payment that is written off may have been let go since, so it is looked at.
        let held_now = match payment.is_written_off() && intent.status == IntentStatus::Held {
            true => match self.intent_of(&intent.id).await? {
                Some(found) => Some(found),
                None => return Ok(WebhookOutcome::Ignored),
            },
            false => None,
        };
        let intent = held_now.as_ref().unwrap_or(intent);
        let outcome = settle(&payment, intent, payment.wait_token(), now, batch)?;
        if outcome == WebhookOutcome::Mismatch
            && let Some(order) = Order::load(&*self.store, order_id).await?
        {
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
        if outcome != WebhookOutcome::Applied {
            return Ok(outcome);
        }
        if let (None, Some(fee), true) = (payment.fee(), intent.fee, payment.status.is_taken()) {
            self.compare_fee(&payment, fee, now, batch).await?;
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
}
