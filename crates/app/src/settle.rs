//! What a provider's news does to a payment, and how a payment is undone: once, for browser, webhook, poller and flow.

use domain::notification::Notice;
use domain::payment::{self, News, PaymentStatus, Taken, Undo, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::message::Message;
use store::{Batch, CommitError};

use crate::app::MAX_TRIES;
use crate::error::StoreError;
use crate::postings::{SettleError, captured, charged};
use crate::provider::{Intent, IntentStatus, ProviderError, Refund, RefundRequest, RefundStatus};
use crate::records::{Order, Payment, order};
use crate::{App, WebhookOutcome, mail};

/// Money that came when nobody waited for it, and money that could not be given back at once; the body is a
/// [`LatePayment`].
pub(crate) const LATE_QUEUE: &str = "late-payments";

/// Money to give back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LatePayment {
    pub(crate) order_id: String,
    /// Which try of the order.
    pub(crate) attempt: i64,
    /// The provider's id; `None` if its answer was lost, and the provider is asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) intent: Option<String>,
    /// Since when it is tried, in milliseconds since the epoch; 0 before the first try.
    #[serde(default)]
    pub(crate) since: i64,
    /// How often it was tried.
    #[serde(default)]
    pub(crate) tries: u32,
    /// Whether a person has been asked to look.
    #[serde(default)]
    pub(crate) flagged: bool,
}

impl LatePayment {
    pub(crate) fn of(payment: &Payment, attempt: i64, intent: Option<String>) -> LatePayment {
        let order_id = order::public_id(payment.order_id);
        LatePayment { order_id, attempt, intent, since: 0, tries: 0, flagged: false }
    }

    pub(crate) fn message(&self) -> Message {
        let group = self.intent.as_deref().unwrap_or(&self.order_id);
        Message::new(LATE_QUEUE, self).group(group)
    }
}

/// The step that asks the provider to hold the amount.
pub(crate) const AUTHORISE: &str = "authorise";

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
        IntentStatus::Pending => News::Waiting,
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
        batch.send(LatePayment::of(payment, intent.attempt, Some(intent.id.clone())).message());
    };
    if intent.attempt != payment.attempts {
        // An older try that the customer has given up: nothing of it may stay.
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
            give_back(batch);
            next
        }
        Verdict::Become(next) => next,
    };
    let mut update = match next {
        PaymentStatus::Confirmed => captured(payment, intent, now, batch)?,
        _ => payment.update().status(next)?.settled().set("intent", intent.id.as_str()),
    };
    match next {
        PaymentStatus::Authorized => update = update.set("capture_before", intent.capture_before),
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
fn matches(payment: &Payment, intent: &Intent) -> bool {
    let taken = intent.status == IntentStatus::Taken;
    intent.order_id == order::public_id(payment.order_id)
        && intent.amount == payment.amount
        && intent.currency == payment.currency()
        && (!taken || intent.captured == payment.amount)
}

impl App {
    /// Hears of an intent by asking.
    pub(crate) async fn hear(&self, intent: &Intent) -> Result<WebhookOutcome, StoreError> {
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
    /// asked for, or never taken, ends in `unpaid`. `asked` tells whether the provider can have been asked. Answers whether
    /// money goes back to the customer.
    pub(crate) async fn undo_payment(
        &self,
        payment: &Payment,
        unpaid: PaymentStatus,
        asked: bool,
        batch: &mut Batch,
    ) -> Result<bool, ProviderError> {
        let key = |step: &str| step_key(payment, step);
        let intent = match payment.intent() {
            Some(intent) => Some(intent.to_owned()),
            // The step that asked was cut off before it could write down the answer: the provider may know all the same.
            None => self.provider.find(&payment.authorise_request()).await?.map(|intent| intent.id),
        };
        let undo = payment::undo(payment.status, intent.is_some(), payment.taken());
        let (next, captured, refunded) = match (undo, intent.as_deref()) {
            (Undo::Nothing, _) | (_, None) => {
                let open = matches!(payment.status, PaymentStatus::Pending | PaymentStatus::Rejected);
                if !open {
                    return Ok(false);
                }
                (unpaid, 0, 0)
            }
            (Undo::Refund(amount), Some(intent)) => {
                self.give_back_amount(intent, amount, key("refund")).await?;
                let refunded = payment.refunded + amount;
                (Taken { refunded, ..payment.taken() }.status(), payment.captured, refunded)
            }
            (Undo::Void, Some(intent)) => {
                let after = self.provider.void(intent, &key("void")).await?;
                match after.status {
                    IntentStatus::Taken => {
                        // The customer paid in this very moment.
                        let amount = after.captured - after.refunded;
                        if amount > 0 {
                            self.give_back_amount(intent, amount, key("refund")).await?;
                        }
                        (PaymentStatus::Refunded, after.captured, after.captured)
                    }
                    IntentStatus::Cancelled | IntentStatus::Refused if payment.status == PaymentStatus::Authorized => {
                        (PaymentStatus::Voided, 0, 0)
                    }
                    IntentStatus::Cancelled | IntentStatus::Refused => (unpaid, 0, 0),
                    // Still open or held: it is not undone.
                    IntentStatus::Pending | IntentStatus::Held => return Err(ProviderError::Unavailable),
                }
            }
        };
        // A Pix can be paid after it was called off, and a request whose answer was lost can still arrive.
        let watched = payment.status == PaymentStatus::Pending
            && !next.is_taken()
            && (intent.is_some() && payment.method() == "pix" || intent.is_none() && asked);
        let update = payment.update().status(next).map_err(|error| ProviderError::Invalid(error.to_string()))?;
        let update = match watched {
            true => update.watched(self.ask_again(payment, true, self.now()).unwrap_or(i64::MAX)),
            false => update.settled(),
        };
        let update = update.set("intent", intent).set("captured", captured).set("refunded", refunded);
        update.write(batch);
        Ok(refunded > payment.refunded)
    }

    /// Asks the provider to give back an amount. One that is pending goes its way; its end comes by webhook.
    async fn give_back_amount(&self, intent: &str, amount: i64, key: String) -> Result<Refund, ProviderError> {
        let refund = self.provider.refund(&RefundRequest { key, intent: intent.to_owned(), amount }).await?;
        match refund.status {
            RefundStatus::Pending | RefundStatus::Succeeded => Ok(refund),
            RefundStatus::Failed => {
                let why = refund.failure.as_deref().unwrap_or("no reason given");
                Err(ProviderError::Invalid(format!("the refund {} failed: {why}", refund.id)))
            }
        }
    }

    /// Makes sure that the money of one try is not kept, whether the payment's record still counts with it or not. Answers
    /// whether money goes back that the customer knew of.
    pub(crate) async fn give_back(
        &self,
        payment: &Payment,
        late: &LatePayment,
        batch: &mut Batch,
    ) -> Result<bool, ProviderError> {
        let intent = match &late.intent {
            Some(intent) => Some(intent.clone()),
            // Only the current try can have lost its answer: whoever pays again has heard of the one before.
            None => self.provider.find(&payment.authorise_request()).await?.map(|intent| intent.id),
        };
        // Never asked for; if the request is still on its way, the poller finds it.
        let Some(intent) = intent else { return Ok(false) };
        // What the record counts with is undone with the record; an earlier try has none any more.
        if payment.intent() == Some(intent.as_str()) && (payment.status.is_good() || payment.status.is_taken()) {
            return self.undo_payment(payment, PaymentStatus::Voided, true, batch).await;
        }
        self.give_back_attempt(&intent).await.map(|()| false)
    }

    /// Gives back what an intent holds or took that is not the payment's current one.
    pub(crate) async fn give_back_attempt(&self, intent: &str) -> Result<(), ProviderError> {
        let found = self.provider.retrieve(intent).await?;
        match found.status {
            IntentStatus::Held | IntentStatus::Pending => {
                let after = self.provider.void(intent, &format!("{intent}/void")).await?;
                if !matches!(after.status, IntentStatus::Cancelled | IntentStatus::Refused) {
                    // Paid in this moment, or not undone: look again.
                    return Err(ProviderError::Unavailable);
                }
            }
            IntentStatus::Taken if found.captured > found.refunded => {
                let amount = found.captured - found.refunded;
                self.give_back_amount(intent, amount, format!("{intent}/refund")).await?;
            }
            _ => {}
        }
        Ok(())
    }
}
