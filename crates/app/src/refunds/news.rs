//! What the provider says of a refund, once for flow, webhook and poller.

use domain::Currency;
use domain::bookkeeping;
use domain::payment::Taken;
use domain::refund::{RefundStatus, hear, restocked};
use serde_json::json;
use store::{Batch, Value};

use super::entries;
use super::halt::CARRIED_ON;
use super::open::start;
use crate::error::StoreError;
use crate::provider::{self, Intent};
use crate::records::order;
use crate::records::refund::{self, Refund};
use crate::records::stock::Reservation;
use crate::records::{Order, Payment};
use crate::{App, WebhookOutcome, ledger};

/// The error of a refund that the provider did not do.
pub(crate) const REFUND_FAILED: &str = "RefundFailed";

/// What is known of a refund and around it.
pub(crate) struct Around {
    pub(crate) order: Order,
    pub(crate) payment: Payment,
    pub(crate) refund: Refund,
}

impl Around {
    /// Loads a refund with its order and payment; `None` if one of them is not there.
    pub(crate) async fn load(app: &App, order_id: i64, number: i64) -> Result<Option<Around>, store::ReadError> {
        let refund = Refund::load(&*app.store, order_id, number).await?;
        let order = Order::load(&*app.store, order_id).await?;
        let payment = Payment::load(&*app.store, order_id).await?;
        Ok(match (order, payment, refund) {
            (Some(order), Some(payment), Some(refund)) => Some(Around { order, payment, refund }),
            _ => None,
        })
    }
}

/// Where the provider's status leads.
fn status(status: provider::RefundStatus) -> RefundStatus {
    match status {
        provider::RefundStatus::Pending => RefundStatus::Pending,
        provider::RefundStatus::Succeeded => RefundStatus::Succeeded,
        provider::RefundStatus::Failed => RefundStatus::Failed,
    }
}

impl App {
    /// Applies what the provider says of a refund; `waiter` is the task that waits for it. Answers the status it has then.
    ///
    /// In one commit: the refund, the amounts of its payment, the ledger's entry, the goods that go back to the shelf, and
    /// the answer to the flow.
    pub(crate) async fn settle_refund(
        &self,
        around: &Around,
        news: &provider::Refund,
        waiter: Option<&str>,
        now: i64,
        batch: &mut Batch,
    ) -> Result<RefundStatus, StoreError> {
        let Around { refund, .. } = around;
        let Some(next) = hear(refund.status, status(news.status)) else { return Ok(refund.status) };
        let failure = news.failure.clone().filter(|_| next == RefundStatus::Failed);
        let mut set = vec![
            ("status", Value::from(next.as_str())),
            ("settled_at", Value::Int(now)),
            ("provider_refund", Value::from(news.id.as_str())),
            ("failure", Value::from(failure.as_deref())),
            ("waiting", Value::Null),
            ("ask_at", Value::Null),
            ("wait_token", Value::Null),
        ];
        set.extend(CARRIED_ON);
        // Its flow has given up: another issues the credit note and tells the customer.
        if next == RefundStatus::Succeeded && refund.is_halted() {
            let execution = start(refund.order_id, refund.number, refund.attempt, batch);
            set.push(("execution_id", Value::Int(execution)));
        }
        refund.update(set, batch);
        match next {
            RefundStatus::Succeeded => {
                self.money_went(around, now, batch).await?;
                if let Some(token) = waiter {
                    batch.task_succeeded(token, json!({}));
                }
            }
            _ => {
                self.money_stayed(around, failure.as_deref().unwrap_or("no reason given"), now, batch)?;
                if let Some(token) = waiter {
                    batch.task_failed(token, REFUND_FAILED, failure.as_deref().unwrap_or_default());
                }
            }
        }
        Ok(next)
    }

    /// The amount is on its way to the customer.
    async fn money_went(&self, around: &Around, now: i64, batch: &mut Batch) -> Result<(), StoreError> {
        let Around { order, payment, refund } = around;
        ledger::post(batch, &entries::refund(payment, refund, now)?);
        if refund.is_stray() {
            return Ok(());
        }
        let taken = payment.taken();
        let taken = Taken {
            refunded: taken.refunded.saturating_add(refund.amount),
            refunding: taken.refunding.saturating_sub(refund.amount),
            ..taken
        };
        self.write_amounts(payment, taken, payment.refund_tip(), batch)?;
        let back = restocked(&refund.lines()?, &order.body()?.lines);
        // Of a refund that bounced and was tried again the goods are back already.
        if !back.is_empty()
            && !self.went_before(refund).await?
            && let Some(reservation) = Reservation::load(&*self.store, order.id).await?
        {
            reservation.restock(&back, batch);
        }
        Ok(())
    }

    /// Whether an earlier try of the refund went through, and came back.
    async fn went_before(&self, refund: &Refund) -> Result<bool, StoreError> {
        let id = refund.public_id();
        for attempt in 1..refund.attempt {
            if ledger::posted(&*self.store, &bookkeeping::refund_key(&id, attempt)).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The amount did not reach the customer: it can be refunded again, and a person looks. One that had gone before came
    /// back; what its goods did stays.
    fn money_stayed(&self, around: &Around, why: &str, now: i64, batch: &mut Batch) -> Result<(), StoreError> {
        let Around { order, payment, refund } = around;
        let bounced = refund.status == RefundStatus::Succeeded;
        if bounced {
            ledger::post(batch, &entries::bounce(payment, refund, now)?);
        }
        if !refund.is_stray() {
            let taken = payment.taken();
            let taken = match bounced {
                true => Taken { refunded: taken.refunded.saturating_sub(refund.amount), ..taken },
                false => Taken { refunding: taken.refunding.saturating_sub(refund.amount), ..taken },
            };
            self.write_amounts(payment, taken, payment.refund_tip().saturating_sub(refund.tip), batch)?;
        }
        let happened = if bounced { "came back" } else { "failed" };
        let reason =
            format!("the refund {} of {} {} {happened}: {why}", refund.public_id(), refund.amount, refund.currency());
        order.update(now).note(order.status, Some(&reason)).attention(&reason).write(batch);
        Ok(())
    }

    fn write_amounts(&self, payment: &Payment, taken: Taken, tip: i64, batch: &mut Batch) -> Result<(), StoreError> {
        let update = payment.update().set("refunded", taken.refunded).set("refund_pending", taken.refunding);
        let update = update.set("refund_tip", tip);
        let next = taken.status();
        let update = if next == payment.status { update } else { update.status(next)? };
        update.write(batch);
        Ok(())
    }

    /// Hears of a refund by webhook or by asking. One that is none of ours is a case for a person.
    pub(crate) async fn hear_refund(
        &self,
        news: &provider::Refund,
        intent: Option<&Intent>,
        now: i64,
        batch: &mut Batch,
    ) -> Result<WebhookOutcome, StoreError> {
        let known = match news.key.as_deref().and_then(read_key) {
            Some(known) => Some(known),
            None => self.adopted(news, intent).await?,
        };
        let around = match known {
            Some((order_id, number, _)) => Around::load(self, order_id, number).await?,
            None => None,
        };
        let (Some(around), Some((.., attempt))) = (around, known) else {
            return self.strange_refund(news, intent, now, batch).await;
        };
        let refund = &around.refund;
        let meant =
            news.amount == refund.amount && news.currency == refund.currency() && news.intent == refund.intent();
        if !meant {
            let reason = format!(
                "the provider reports a refund of {} {} for {}, which is of {} {}",
                news.amount,
                news.currency,
                refund.public_id(),
                refund.amount,
                refund.currency()
            );
            around.order.update(now).note(around.order.status, Some(&reason)).attention(&reason).write(batch);
            return Ok(WebhookOutcome::Mismatch);
        }
        // News of a try before this one: it failed, and that is known.
        if attempt != refund.attempt {
            return Ok(WebhookOutcome::Ignored);
        }
        let before = refund.status;
        let after = self.settle_refund(&around, news, refund.wait_token(), now, batch).await?;
        Ok(if after == before { WebhookOutcome::Ignored } else { WebhookOutcome::Applied })
    }

    /// The refund that was taken over under the provider's id: order, number and try.
    async fn adopted(
        &self,
        news: &provider::Refund,
        intent: Option<&Intent>,
    ) -> Result<Option<(i64, i64, i64)>, StoreError> {
        let payment = match intent.and_then(|intent| order::private_id(&intent.order_id)) {
            Some(id) => Payment::load(&*self.store, id).await?,
            None => None,
        };
        let Some(payment) = payment else { return Ok(None) };
        let all = super::open::all(&*self.store, &payment).await?;
        let found = all.iter().find(|refund| refund.text("provider_refund") == Some(news.id.as_str()));
        Ok(found.map(|refund| (refund.order_id, refund.number, refund.attempt)))
    }

    /// A refund that was made in the provider's own console is taken over; one that does not fit, or is of nobody we know, is a
    /// case for a person.
    async fn strange_refund(
        &self,
        news: &provider::Refund,
        intent: Option<&Intent>,
        now: i64,
        batch: &mut Batch,
    ) -> Result<WebhookOutcome, StoreError> {
        let order = match intent.and_then(|intent| order::private_id(&intent.order_id)) {
            Some(id) => Order::load(&*self.store, id).await?,
            None => None,
        };
        let Some(order) = order else { return Ok(WebhookOutcome::Mismatch) };
        if self.adopt(&order, news, now, batch).await? {
            return Ok(WebhookOutcome::Applied);
        }
        let reason = format!(
            "the provider reports the refund {} of {} {}, which was not asked for here",
            news.id, news.amount, news.currency
        );
        order.update(now).note(order.status, Some(&reason)).attention(&reason).write(batch);
        Ok(WebhookOutcome::Mismatch)
    }
}

/// The order, the refund's number and the try in a key of ours: `ord_.../refund/NUMBER/TRY`.
pub(crate) fn read_key(key: &str) -> Option<(i64, i64, i64)> {
    let (order_id, rest) = key.split_once("/refund/")?;
    let (number, attempt) = rest.split_once('/')?;
    Some((order::private_id(order_id)?, number.parse().ok()?, attempt.parse().ok()?))
}

/// The currency of a refund's row.
pub(crate) fn currency(refund: &Refund) -> Result<Currency, StoreError> {
    let unknown = || {
        StoreError::Internal(format!("{} has no currency", refund::public_id(refund.order_id, refund.number)).into())
    };
    Currency::from_code(refund.currency()).ok_or_else(unknown)
}
