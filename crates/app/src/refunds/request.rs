//! Asking for a refund, trying a failed one again, and calling off a held payment.

use std::collections::BTreeMap;

use domain::basket;
use domain::payment::{PaymentStatus, Taken};
use domain::refund::{self as rules, LinesError, RefundStatus};
use store::{Batch, CommitError, ReadError, Value};

use super::halt::CARRIED_ON;
use super::open::{OpenRefundError, Wanted, all, open, start};
use super::show::view;
use crate::app::MAX_TRIES;
use crate::commands::RequestRefund;
use crate::error::StoreError;
use crate::idempotency::{Before, IdempotencyKey};
use crate::records::refund::{self, REFUNDS, Refund};
use crate::records::{Order, Payment, order};
use crate::undo::start_void;
use crate::views::RefundView;
use crate::{App, Kind, Problem};

/// A refund that is durable and whose flow is started.
#[derive(Debug, Clone)]
pub struct Requested {
    /// The refund.
    pub refund: RefundView,
    /// Whether the same request had been answered before.
    pub replayed: bool,
}

/// Why a refund was not opened.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    /// There is no such order or refund.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// As the caller wrote it, cut.
        id: String,
    },
    /// It changed since it was read.
    #[error("the payment changed since it was read; read it again and decide anew")]
    Stale,
    /// Nothing was taken.
    #[error("a payment that is `{0}` has nothing to give back")]
    NotTaken(&'static str),
    /// More than is left, or nothing.
    #[error(transparent)]
    Cap(#[from] domain::payment::RefundError),
    /// There were too many.
    #[error("the payment has had {limit} refunds; settle the rest by hand", limit = rules::MAX_REFUNDS)]
    TooMany,
    /// Something about the lines.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// Too long, or with control characters.
    #[error("the note must have at most 280 characters, none of them control characters")]
    Note,
    /// Longer than 255 characters, or empty.
    #[error("the idempotency key must have 1 to 255 visible ASCII characters")]
    Key,
    /// The key was used for another body.
    #[error("the idempotency key was used for another refund; use a new key")]
    KeyReused,
    /// It is under way, or it went.
    #[error("a refund that is `{0}` cannot be tried again")]
    NotFailed(&'static str),
    /// Its order is still being carried out.
    #[error("the order is being carried out; cancel it, and its payment is undone with it")]
    InProgress,
    /// Nothing is held.
    #[error("a payment that is `{0}` has nothing to call off")]
    NotHeld(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for RefundError {
    fn kind(&self) -> Kind {
        match self {
            RefundError::NotFound { .. } => Kind::NotFound,
            RefundError::Stale => Kind::Stale,
            RefundError::Lines(_) | RefundError::Note | RefundError::Key | RefundError::KeyReused => Kind::Invalid,
            RefundError::Cap(domain::payment::RefundError::NotPositive) => Kind::Invalid,
            RefundError::Store(error) => error.kind(),
            _ => Kind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            RefundError::NotFound { .. } => "not-found",
            RefundError::Stale => "stale-revision",
            RefundError::NotTaken(_) => "not-refundable",
            RefundError::Cap(domain::payment::RefundError::NotPositive) => "invalid-amount",
            RefundError::Cap(_) => "refund-above-cap",
            RefundError::TooMany => "too-many-refunds",
            RefundError::Lines(_) => "invalid-refund-lines",
            RefundError::Note => "invalid-note",
            RefundError::Key => "invalid-idempotency-key",
            RefundError::KeyReused => "idempotency-key-reused",
            RefundError::NotFailed(_) => "not-failed",
            RefundError::InProgress => "order-in-progress",
            RefundError::NotHeld(_) => "not-voidable",
            RefundError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            RefundError::Cap(_) => Some("/amount".into()),
            RefundError::Lines(error) => Some(format!("/lines/{}", error.line())),
            RefundError::Note => Some("/note".into()),
            _ => None,
        }
    }
}

impl From<OpenRefundError> for RefundError {
    fn from(error: OpenRefundError) -> RefundError {
        match error {
            OpenRefundError::Cap(error) => error.into(),
            OpenRefundError::TooMany => RefundError::TooMany,
            OpenRefundError::Read(error) => StoreError::from(error).into(),
        }
    }
}

impl From<ReadError> for RefundError {
    fn from(error: ReadError) -> RefundError {
        StoreError::from(error).into()
    }
}

fn not_found(what: &'static str, id: &str) -> RefundError {
    RefundError::NotFound { what, id: id.chars().take(64).collect() }
}

impl App {
    /// Asks for a refund of an order's payment: sets the amount apart, writes the refund and starts its flow in one commit.
    /// Returns once that is durable.
    ///
    /// The same `key` with the same body answers the same refund again; it is kept for at least a day. With `revision`, only
    /// if the payment still has it.
    ///
    /// # Errors
    /// [`RefundError`]; nothing was set apart.
    pub async fn request_refund(
        &self,
        order_id: &str,
        command: RequestRefund,
        key: Option<&str>,
        revision: Option<i64>,
    ) -> Result<Requested, RefundError> {
        let id = order::private_id(order_id).ok_or_else(|| not_found("order", order_id))?;
        let scope = format!("refund/{order_id}");
        let key = match key {
            Some(key) => {
                let key = IdempotencyKey::new(&self.secrets, &scope, key, &command);
                Some(key.ok_or(RefundError::Key)?)
            }
            None => None,
        };
        let note = command.note.trim();
        if !basket::is_note(note) {
            return Err(RefundError::Note);
        }
        for _ in 0..MAX_TRIES {
            if let Some(replayed) = self.refunded_before(id, key.as_ref()).await? {
                return Ok(replayed);
            }
            let order = Order::load(&*self.store, id).await?.ok_or_else(|| not_found("order", order_id))?;
            let payment =
                Payment::load(&*self.store, id).await?.ok_or_else(|| not_found("payment of order", order_id))?;
            if revision.is_some_and(|revision| revision != payment.revision) {
                return Err(RefundError::Stale);
            }
            let Some(intent) = payment.intent().filter(|_| payment.status.is_taken()) else {
                return Err(RefundError::NotTaken(payment.status.as_str()));
            };
            let wanted = Wanted {
                amount: self.amount_of(&command, &order, &payment).await?,
                reason: command.reason,
                note: (!note.is_empty()).then(|| note.to_owned()),
                lines: command.lines.clone(),
                intent: intent.to_owned(),
            };
            let now = self.now();
            let mut batch = Batch::new();
            let (update, number) = open(payment.update(), &order, &payment, payment.taken(), wanted, now, &mut batch)?;
            update.write(&mut batch);
            if let Some(key) = &key {
                batch.insert(key.row(number, now));
            }
            match self.commit(batch).await {
                Ok(()) => {
                    let refund = self.refund_view(id, number).await?;
                    return Ok(Requested { refund, replayed: false });
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(StoreError::from(error).into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// The refund that the same request made before.
    async fn refunded_before(&self, id: i64, key: Option<&IdempotencyKey>) -> Result<Option<Requested>, RefundError> {
        let Some(key) = key else { return Ok(None) };
        match key.before(&*self.store).await? {
            Before::Fresh => Ok(None),
            Before::Other => Err(RefundError::KeyReused),
            Before::Same(number) => {
                let refund = self.refund_view(id, number).await?;
                Ok(Some(Requested { refund, replayed: true }))
            }
        }
    }

    /// What is to go back: what was asked for, else what the lines cost, else all that is left.
    async fn amount_of(&self, command: &RequestRefund, order: &Order, payment: &Payment) -> Result<i64, RefundError> {
        if command.lines.is_empty() {
            return Ok(command.amount.unwrap_or_else(|| payment.taken().left()));
        }
        let mut refunded: BTreeMap<usize, i64> = BTreeMap::new();
        for refund in all(&*self.store, payment).await? {
            if refund.status == RefundStatus::Failed {
                continue;
            }
            for line in refund.lines()? {
                let units = refunded.entry(line.line).or_default();
                *units = units.saturating_add(line.quantity);
            }
        }
        let price = rules::price(&command.lines, &order.body()?.lines, &refunded)?;
        Ok(command.amount.unwrap_or(price))
    }

    /// Tries a refund again that failed, or whose flow gave up before it was done. Returns once that is durable.
    ///
    /// # Errors
    /// [`RefundError`].
    pub async fn retry_refund(&self, refund_id: &str, revision: Option<i64>) -> Result<RefundView, RefundError> {
        let absent = || not_found("refund", refund_id);
        let (order_id, number) = refund::private_id(refund_id).ok_or_else(absent)?;
        for _ in 0..MAX_TRIES {
            let refund = Refund::load(&*self.store, order_id, number).await?.ok_or_else(absent)?;
            let payment = Payment::load(&*self.store, order_id).await?.ok_or_else(absent)?;
            if revision.is_some_and(|revision| revision != refund.revision) {
                return Err(RefundError::Stale);
            }
            let mut batch = Batch::new();
            // One that is undecided keeps its key: the provider may have done it. One that failed gets another.
            let attempt = match refund.status {
                RefundStatus::Pending | RefundStatus::Succeeded if refund.is_halted() => refund.attempt,
                RefundStatus::Failed => {
                    self.set_apart_again(&refund, &payment, &mut batch)?;
                    refund.attempt + 1
                }
                other => return Err(RefundError::NotFailed(other.as_str())),
            };
            let execution = start(order_id, number, attempt, &mut batch);
            let mut set = vec![("execution_id", Value::Int(execution))];
            set.extend(CARRIED_ON);
            if attempt != refund.attempt {
                set.extend([
                    ("status", Value::from(RefundStatus::Pending.as_str())),
                    ("attempt", Value::Int(attempt)),
                    ("provider_refund", Value::Null),
                    ("failure", Value::Null),
                    ("settled_at", Value::Null),
                ]);
            }
            refund.update(set, &mut batch);
            match self.commit(batch).await {
                Ok(()) => return self.refund_view(order_id, number).await,
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(StoreError::from(error).into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    fn set_apart_again(&self, refund: &Refund, payment: &Payment, batch: &mut Batch) -> Result<(), RefundError> {
        if refund.is_stray() {
            return Ok(());
        }
        let taken = payment.taken();
        taken.check_refund(refund.amount)?;
        let Taken { refunding, .. } = taken;
        let update = payment.update().set("refund_pending", refunding.saturating_add(refund.amount));
        update.set("refund_tip", payment.refund_tip().saturating_add(refund.tip)).write(batch);
        Ok(())
    }

    /// Calls off what is held of an order that is over or whose flow has given up, also what was called off before: then the
    /// provider is asked once more. Returns once that is durable; the flow that was started asks the provider.
    ///
    /// `intent` names a payment at the provider that the order does not count with, of an earlier try to pay.
    ///
    /// # Errors
    /// [`RefundError::InProgress`] while the order is carried out: cancel it, and its payment is undone with it.
    /// [`RefundError::NotHeld`] if the money was taken: refund it.
    pub async fn void_payment(
        &self,
        order_id: &str,
        intent: Option<&str>,
        revision: Option<i64>,
    ) -> Result<(), RefundError> {
        let id = order::private_id(order_id).ok_or_else(|| not_found("order", order_id))?;
        let order = Order::load(&*self.store, id).await?.ok_or_else(|| not_found("order", order_id))?;
        let payment = Payment::load(&*self.store, id).await?.ok_or_else(|| not_found("payment of order", order_id))?;
        if revision.is_some_and(|revision| revision != payment.revision) {
            return Err(RefundError::Stale);
        }
        let mut batch = Batch::new();
        batch.check(&crate::records::payment::PAYMENTS, id, "revision", payment.revision);
        match (payment.intent(), intent) {
            // Of a try before the current one, whose own payment is known; whether it was held is not.
            (Some(counts), Some(intent)) if counts != intent => {
                start_void(&mut batch, id, payment.attempts - 1, Some(intent), false)
            }
            _ if !order.status.is_final() && !order.is_halted() => return Err(RefundError::InProgress),
            _ if payment.status.is_taken() => return Err(RefundError::NotHeld(payment.status.as_str())),
            (counts, named) => {
                let held = payment.status == PaymentStatus::Authorized;
                start_void(&mut batch, id, payment.attempts, counts.or(named), held)
            }
        };
        match self.commit(batch).await {
            Ok(()) => Ok(()),
            Err(CommitError::Conflict { .. }) => Err(RefundError::Stale),
            Err(error) => Err(StoreError::from(error).into()),
        }
    }

    async fn refund_view(&self, order_id: i64, number: i64) -> Result<RefundView, RefundError> {
        let row = self.store.get(&REFUNDS, &(order_id, number).into()).await?;
        let row = row.ok_or_else(|| not_found("refund", &refund::public_id(order_id, number)))?;
        Ok(view(&Refund::from_row(row)?)?)
    }
}
