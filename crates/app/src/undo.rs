//! Undoing a payment: void before capture, refund after. Every refund goes through [`crate::refunds`].

use domain::notification::Notice;
use domain::order::OrderStatus;
use domain::payment::{self, PaymentStatus, Taken, Undo};
use domain::refund::RefundReason;
use serde_json::json;
use store::Batch;

use crate::postings::captured;
use crate::provider::{Intent, IntentStatus, ProviderError};
use crate::records::{Order, Payment, order};
use crate::refunds::{self, OpenRefundError, Wanted};
use crate::settle::{self, step_key};
use crate::{App, FunctionError, ledger, mail};

/// Starts the flow that makes sure that the money of one try is not kept. Without an intent the provider is asked for it.
/// `held` tells whether the amount is known to be held: then the customer is told when it is let go.
pub(crate) fn start_void(batch: &mut Batch, order_id: i64, attempt: i64, intent: Option<&str>, held: bool) -> i64 {
    let id = order::public_id(order_id);
    let input = json!({ "orderId": id, "attempt": attempt, "intent": intent, "held": held });
    let name = crate::execution_name(&format!("{id}-void-{attempt}"));
    batch.start_flow_telling(crate::VOID_FLOW_NAME, &name, input, crate::ENDED_FLOWS_QUEUE)
}

/// Starts the flow of money that came when the time to pay was over.
pub(crate) fn start_late_payment(batch: &mut Batch, payment: &Payment) -> i64 {
    let id = order::public_id(payment.order_id);
    let name = crate::execution_name(&format!("{id}-late-{}", payment.attempts));
    let input = json!({ "orderId": id });
    batch.start_flow_telling(crate::LATE_PAYMENT_FLOW_NAME, &name, input, crate::ENDED_FLOWS_QUEUE)
}

/// How to undo a payment.
pub(crate) struct Undoing {
    /// What becomes of a payment that brought no money.
    pub(crate) unpaid: PaymentStatus,
    /// Whether the provider can have been asked.
    pub(crate) asked: bool,
    /// Why money goes back.
    pub(crate) reason: RefundReason,
    /// For the refund's row.
    pub(crate) note: Option<String>,
    /// Whether a mail tells the customer that what was held is let go; else the mail of the order's end says it.
    pub(crate) tells: bool,
}

/// Which try to pay is given back.
pub(crate) struct Try<'a> {
    /// From 1.
    pub(crate) attempt: i64,
    /// The provider's payment; without it the provider is asked.
    pub(crate) intent: Option<&'a str>,
    /// Whether its amount is known to be held.
    pub(crate) held: bool,
}

impl App {
    /// Undoes a payment and writes what became of it: what is held is called off with the provider, what was taken becomes
    /// a refund with a flow of its own. Answers whether money goes back to the customer.
    pub(crate) async fn undo_payment(
        &self,
        order: &Order,
        payment: &Payment,
        undoing: Undoing,
        now: i64,
        batch: &mut Batch,
    ) -> Result<bool, FunctionError> {
        let Undoing { unpaid, asked, .. } = undoing;
        let intent = match payment.intent() {
            Some(intent) => Some(intent.to_owned()),
            // Before the stock is reserved nothing was asked.
            None if !asked => None,
            // The step that asked was cut off before it could write down the answer: the provider may know all the same.
            None => self
                .provider_of(payment.provider())?
                .find(&payment.authorise_request(None))
                .await?
                .map(|intent| intent.id),
        };
        let undo = payment::undo(payment.status, intent.is_some(), payment.taken());
        let next = match (undo, intent.as_deref()) {
            (Undo::Nothing, _) | (_, None) => {
                let open = matches!(payment.status, PaymentStatus::Pending | PaymentStatus::Rejected);
                if !open {
                    return Ok(false);
                }
                unpaid
            }
            (Undo::Refund(amount), Some(intent)) => {
                let wanted = undoing.wanted(amount, intent);
                let opened = refunds::open(payment.update(), order, payment, payment.taken(), wanted, now, batch)?;
                opened.0.write(batch);
                if undoing.reason == RefundReason::LatePayment {
                    mail::write(self, batch, order, Notice::PaidLate, payment.attempts, now).await?;
                }
                return Ok(true);
            }
            (Undo::Void, Some(intent)) => {
                let after = self.provider_of(payment.provider())?.void(intent, &step_key(payment, "void")).await?;
                match after.status {
                    // The customer paid in this very moment.
                    IntentStatus::Taken => {
                        return self.undo_taken(order, payment, &after, &undoing, now, batch).await;
                    }
                    IntentStatus::Cancelled | IntentStatus::Refused if payment.status == PaymentStatus::Authorized => {
                        if undoing.tells {
                            mail::write(self, batch, order, Notice::Released, payment.attempts, now).await?;
                        }
                        PaymentStatus::Voided
                    }
                    IntentStatus::Cancelled | IntentStatus::Refused => unpaid,
                    // Still open or held: it is not undone.
                    IntentStatus::Pending | IntentStatus::Approved | IntentStatus::Held => {
                        return Err(ProviderError::Unavailable.into());
                    }
                }
            }
        };
        // What the customer pays elsewhere can be paid after it was called off, and a request whose answer was lost can still
        // arrive.
        let elsewhere = payment.text("token").is_none();
        let watched =
            payment.status == PaymentStatus::Pending && (intent.is_some() && elsewhere || intent.is_none() && asked);
        let update = payment.update().status(next)?;
        let update = match watched {
            true => update.watched(self.ask_again(payment, Some(payment.expires_at), now).unwrap_or(i64::MAX)),
            false => update.settled(),
        };
        update.set("intent", intent).write(batch);
        Ok(false)
    }

    /// The amount turned out to be taken: the payment says so, and the same commit opens its refund.
    async fn undo_taken(
        &self,
        order: &Order,
        payment: &Payment,
        intent: &Intent,
        undoing: &Undoing,
        now: i64,
        batch: &mut Batch,
    ) -> Result<bool, FunctionError> {
        // What is booked is the order's amount: another one is a case for a person, and nothing is decided here.
        if !settle::matches(payment, intent) {
            let found = format!("{} {} of {}", intent.captured, intent.currency, intent.id);
            let expected = format!("{} {}", payment.amount, payment.currency());
            let problem = format!("the provider took {found}, the payment is {expected}");
            return Err(FunctionError::new("AmountMismatch", problem));
        }
        let taken = Taken { captured: intent.captured, ..payment.taken() };
        let update = captured(payment, intent, now, batch)?;
        // Paid in the moment of expiry is paid late: the order may go on.
        if undoing.reason == RefundReason::LatePayment {
            update.write(batch);
            start_late_payment(batch, payment);
            return Ok(false);
        }
        let wanted = undoing.wanted(intent.captured, &intent.id);
        let (update, _) = refunds::open(update, order, payment, taken, wanted, now, batch)?;
        update.write(batch);
        Ok(true)
    }

    /// Makes sure that the money of one try is not kept, whether the payment's record counts with it or not, and tells the
    /// customer: of what is let go here, of what goes back with its refund.
    pub(crate) async fn give_back(
        &self,
        order: &Order,
        payment: &Payment,
        what: Try<'_>,
        now: i64,
        batch: &mut Batch,
    ) -> Result<(), FunctionError> {
        let Try { attempt, intent, held } = what;
        let current = attempt == payment.attempts;
        let intent = match intent {
            Some(intent) => Some(intent.to_owned()),
            // Only the current try can have lost its answer: whoever pays again has heard of the one before.
            None if current => self
                .provider_of(payment.provider())?
                .find(&payment.authorise_request(None))
                .await?
                .map(|intent| intent.id),
            None => None,
        };
        // Never asked for; if the request is still on its way, the poller finds it.
        let Some(intent) = intent else { return Ok(()) };
        // What the record counts with is undone with the record; an earlier try has none any more.
        let counts = payment.intent() == Some(intent.as_str());
        if counts && (payment.status.is_good() || payment.status.is_taken()) {
            let reason = match order.status {
                OrderStatus::Cancelled => RefundReason::OrderCancelled,
                OrderStatus::Rejected => RefundReason::OrderRejected,
                _ => RefundReason::LatePayment,
            };
            let undoing = Undoing { unpaid: PaymentStatus::Voided, asked: true, reason, note: None, tells: true };
            return self.undo_payment(order, payment, undoing, now, batch).await.map(drop);
        }
        let provider = self.provider_of(payment.provider())?;
        let mut found = provider.retrieve(&intent).await?;
        // A person may have named it.
        if found.order_id != order.public_id() {
            return Err(FunctionError::new(
                "NotOfThisOrder",
                format!("`{intent}` is no payment of {}", order.public_id()),
            ));
        }
        let open = [IntentStatus::Pending, IntentStatus::Approved, IntentStatus::Held];
        if open.contains(&found.status) {
            found = provider.void(&intent, &format!("{intent}/void")).await?;
        }
        match found.status {
            // Whether it was held is known from the start of the flow: what was found now may be the doing of a step that was
            // cut off before it could write this mail.
            IntentStatus::Cancelled | IntentStatus::Refused if held => {
                Ok(mail::write(self, batch, order, Notice::Released, attempt, now).await?)
            }
            IntentStatus::Cancelled | IntentStatus::Refused => Ok(()),
            // It was not undone: look again.
            IntentStatus::Pending | IntentStatus::Approved | IntentStatus::Held => {
                Err(ProviderError::Unavailable.into())
            }
            // The news of the current try, heard by asking: late money, with a flow of its own.
            IntentStatus::Taken
                if current && (counts || payment.intent().is_none()) && payment.status != PaymentStatus::Rejected =>
            {
                self.decide(&found, now, batch).await?;
                Ok(())
            }
            IntentStatus::Taken => self.refund_stray(order, payment, &found, now, batch).await,
        }
    }

    /// Opens the refund of a try that the payment does not count with, once.
    async fn refund_stray(
        &self,
        order: &Order,
        payment: &Payment,
        intent: &Intent,
        now: i64,
        batch: &mut Batch,
    ) -> Result<(), FunctionError> {
        let known = refunds::all(&*self.store, payment).await?;
        let amount = intent.captured.saturating_sub(intent.refunded);
        if amount <= 0 || known.iter().any(|refund| refund.intent() == intent.id) {
            return Ok(());
        }
        ledger::post(batch, &refunds::stray_entry(payment, &intent.id, amount, now)?);
        let wanted = Wanted {
            amount,
            reason: RefundReason::Duplicate,
            note: None,
            lines: Vec::new(),
            intent: intent.id.clone(),
        };
        refunds::open_stray(payment.update(), order, payment, wanted, now, batch)?.write(batch);
        Ok(())
    }
}

impl Undoing {
    fn wanted(&self, amount: i64, intent: &str) -> Wanted {
        Wanted { amount, reason: self.reason, note: self.note.clone(), lines: Vec::new(), intent: intent.to_owned() }
    }
}

impl From<OpenRefundError> for FunctionError {
    fn from(error: OpenRefundError) -> FunctionError {
        match error {
            OpenRefundError::Read(error) => error.into(),
            other => FunctionError::new("RefundRefused", other.to_string()),
        }
    }
}
