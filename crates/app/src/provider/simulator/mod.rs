//! The payment simulator: a provider that behaves, with its own books and webhooks, and takes no money.
//!
//! A card's number chooses what happens, by Stripe's test numbers (<https://docs.stripe.com/testing>) and some of our own;
//! see [`Behaviour`]. As with a real provider the books know the outcome at once, the answer says `Pending`, and a signed
//! webhook brings the outcome later.

mod account;
mod behaviour;
mod books;
mod pix;
mod refunds;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use store::{Batch, CommitError, Query, Row, Store, Value};

pub use behaviour::Behaviour;
use books::{Book, Change};
pub use wire::{TIMER_QUEUE, Timer, WEBHOOK_QUEUE};

use super::{
    Authorise, Card, Checkout, Event, Intent, Method, Movement, MovementKind, Movements, Page, PaymentProvider,
    ProviderError, ReceiveError, Refund, RefundRequest, Token, Webhook, objects,
};
use crate::records::simulator::{INTENTS, KEYS};
use crate::records::{private_id, public_id};
use crate::{SimulatorSettings, signature};

/// The header of its webhooks' signatures.
pub const SIGNATURE_HEADER: &str = "comanda-signature";

/// How often a call decides again after a conflict.
const MAX_TRIES: usize = 16;

/// A payment provider that behaves, with its own books and webhooks, and takes no money.
pub struct Simulator {
    store: Arc<dyn Store>,
    settings: SimulatorSettings,
    secret: Vec<u8>,
    clock: fn() -> i64,
}

impl Simulator {
    /// A simulator with its books in that store, whose webhooks are signed with that secret.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, settings: SimulatorSettings, secret: &[u8], clock: fn() -> i64) -> Simulator {
        Simulator { store, settings, secret: secret.to_vec(), clock }
    }

    /// The customer authenticates with the bank, or does not.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`] if the intent does not wait for that.
    pub async fn authenticate(&self, intent: &str, approve: bool) -> Result<Intent, ProviderError> {
        self.change(intent, |book| {
            if book.status != "action" {
                return Err(ProviderError::Invalid("the payment does not wait for authentication".into()));
            }
            let (status, failure) = if approve { ("held", None) } else { ("refused", Some("authentication_required")) };
            Ok(Some(Change { failure, tell: true, ..Change::to(book, status) }))
        })
        .await
    }

    /// The customer pays the Pix, in time or late.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`] if the intent is no open Pix.
    pub async fn pay_pix(&self, intent: &str) -> Result<Intent, ProviderError> {
        self.change(intent, |book| match (book.behaviour, book.status.as_str()) {
            (Behaviour::Pix, "taken") => Ok(None),
            // As with real Pix the money moves between banks: a payload that was called off can still be paid by one who
            // kept it. It is the late payment that has to go back.
            (Behaviour::Pix, "pending" | "cancelled") => Ok(Some(Change { tell: true, ..Change::take(book) })),
            _ => Err(ProviderError::Invalid("the payment is no Pix that waits".into())),
        })
        .await
    }

    /// A hold ends before anybody took the amount, as every hold does after some days.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`] if nothing is held.
    pub async fn end_hold(&self, intent: &str) -> Result<Intent, ProviderError> {
        self.change(intent, |book| match book.status.as_str() {
            "held" => Ok(Some(Change { tell: true, ..Change::to(book, "cancelled") })),
            _ => Err(ProviderError::Invalid("the payment is not held".into())),
        })
        .await
    }

    /// The customer's bank takes the money of a payment back until the dispute is decided.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`] if nothing was taken, or it is disputed already.
    pub async fn dispute(&self, intent: &str) -> Result<Intent, ProviderError> {
        self.change(intent, |book| match (book.status.as_str(), &book.dispute) {
            ("taken", None) => {
                let movement = Some((MovementKind::Dispute, -book.captured, self.settings.dispute_fee));
                Ok(Some(Change { dispute: Some("needs_response".into()), movement, ..Change::to(book, "taken") }))
            }
            _ => Err(ProviderError::Invalid("the payment cannot be disputed".into())),
        })
        .await
    }

    /// The bank decides the dispute.
    ///
    /// # Errors
    /// [`ProviderError::Invalid`] if there is no open one.
    pub async fn decide_dispute(&self, intent: &str, won: bool) -> Result<Intent, ProviderError> {
        self.change(intent, |book| match book.dispute.as_deref() {
            Some("needs_response") => {
                let movement = won.then_some((MovementKind::DisputeReversal, book.captured, 0));
                let dispute = Some(if won { "won" } else { "lost" }.into());
                Ok(Some(Change { dispute, movement, ..Change::to(book, "taken") }))
            }
            _ => Err(ProviderError::Invalid("the payment is not disputed".into())),
        })
        .await
    }

    async fn load(&self, intent: &str) -> Result<Book, ProviderError> {
        let id = private_id("pi_", intent).ok_or_else(|| unknown(intent))?;
        let row = self.store.get(&INTENTS, &id.into()).await.map_err(unavailable)?;
        row.as_ref().and_then(Book::from_row).ok_or_else(|| unknown(intent))
    }

    /// Changes an intent by a rule; `None` leaves it as it is.
    async fn change(
        &self,
        intent: &str,
        rule: impl Fn(&Book) -> Result<Option<Change>, ProviderError> + Send,
    ) -> Result<Intent, ProviderError> {
        for _ in 0..MAX_TRIES {
            let book = self.load(intent).await?;
            let Some(change) = rule(&book)? else {
                return Ok(book.intent());
            };
            let mut batch = Batch::new();
            let now = (self.clock)();
            let next = book.changed(&change, now, &mut batch);
            if change.tell {
                for message in wire::webhooks(&next, &self.settings, now) {
                    batch.send(message);
                }
            }
            if next.dispute != book.dispute
                && let Some(message) = wire::dispute_webhook(&next, self.settings.dispute_fee, &self.settings, now)
            {
                batch.send(message);
            }
            if next.behaviour == Behaviour::Disputed && next.captured > book.captured {
                let timer = wire::Timer::Dispute { intent: next.public_id() };
                batch.send(timer.message(now + self.settings.webhook_delay_ms));
            }
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await.map_err(unavailable)?;
                    return answer(next.behaviour, next.intent());
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(ProviderError::Unavailable)
    }

    fn new_book(&self, request: &Authorise, behaviour: Behaviour, now: i64) -> Book {
        let id = store::id::next();
        Book {
            id,
            order_id: request.order_id.clone(),
            attempt: request.attempt,
            status: behaviour.first_status().into(),
            revision: 1,
            behaviour,
            amount: request.amount,
            currency: request.currency.clone(),
            captured: 0,
            refunded: 0,
            fee: self.settings.fee(request.amount),
            dispute: None,
            created_at: now,
            failure: behaviour.failure().map(|(code, _)| code.to_owned()),
            qr: (behaviour == Behaviour::Pix).then(|| pix::payload(&public_id("pi_", id), request.amount)),
        }
    }

    /// The intent that this key made before; another request under the key is refused.
    async fn replay(&self, request: &Authorise, fingerprint: &str) -> Result<Option<Intent>, ProviderError> {
        let key = request.key.as_str().into();
        let Some(row) = self.store.get(&KEYS, &key).await.map_err(unavailable)? else {
            return Ok(None);
        };
        if row.text("request") != Some(fingerprint) {
            let problem = "the idempotency key was used for another request".into();
            return Err(ProviderError::Invalid(problem));
        }
        self.store.flush().await.map_err(unavailable)?;
        let id = row.int("object").unwrap_or(0);
        let book = self.load(&public_id("pi_", id)).await?;
        Ok(Some(book.first_answer()))
    }
}

/// The answer of a call that has just taken effect, unless it is lost.
fn answer<T>(behaviour: Behaviour, answer: T) -> Result<T, ProviderError> {
    if behaviour == Behaviour::LosesAnswers { Err(ProviderError::Unavailable) } else { Ok(answer) }
}

fn unknown(intent: &str) -> ProviderError {
    let intent: String = intent.chars().take(32).collect();
    ProviderError::Invalid(format!("there is no intent `{intent}`"))
}

fn unavailable(_: impl std::error::Error) -> ProviderError {
    ProviderError::Unavailable
}

#[async_trait]
impl PaymentProvider for Simulator {
    fn name(&self) -> &'static str {
        "simulator"
    }

    fn checkout(&self) -> Checkout {
        Checkout { card: true, token: true, pix: true, hosted: None }
    }

    async fn tokenise(&self, card: Card) -> Result<Token, ProviderError> {
        behaviour::tokenise(&card, (self.clock)())
    }

    async fn authorise(&self, request: &Authorise) -> Result<Intent, ProviderError> {
        let behaviour = match &request.method {
            Method::Pix => Behaviour::Pix,
            Method::Hosted => {
                return Err(ProviderError::Card { field: "type", problem: "the simulator has no page of its own" });
            }
            Method::Card { token } => behaviour::of_token(token)
                .ok_or(ProviderError::Card { field: "token", problem: "The card is not known. Enter it again." })?,
        };
        let fingerprint = format!("{} {} {}", request.amount, request.currency, behaviour.as_str());
        for _ in 0..MAX_TRIES {
            if let Some(intent) = self.replay(request, &fingerprint).await? {
                return Ok(intent);
            }
            let now = (self.clock)();
            let book = self.new_book(request, behaviour, now);
            let mut batch = Batch::new();
            batch.insert(book.row());
            let values = vec![Value::Int(book.id), Value::from(fingerprint.as_str())];
            batch.insert(Row::new(&KEYS, request.key.as_str(), values));
            for message in wire::webhooks(&book, &self.settings, now) {
                batch.send(message);
            }
            if let (Behaviour::Pix, Some(delay)) = (behaviour, self.settings.pix_paid_after_ms) {
                batch.send(Timer::PayPix { intent: book.public_id() }.message(now + delay));
            }
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await.map_err(unavailable)?;
                    return answer(behaviour, book.first_answer());
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(ProviderError::Unavailable)
    }

    async fn capture(&self, intent: &str, _key: &str) -> Result<Intent, ProviderError> {
        self.change(intent, |book| match book.status.as_str() {
            "held" if book.behaviour == Behaviour::CaptureFails => {
                Err(ProviderError::Invalid("the hold was lifted by the bank".into()))
            }
            "held" => Ok(Some(Change::take(book))),
            "taken" => Ok(None),
            other => Err(ProviderError::Invalid(format!("a payment that is {other} cannot be captured"))),
        })
        .await
    }

    async fn void(&self, intent: &str, _key: &str) -> Result<Intent, ProviderError> {
        self.change(intent, |book| match book.status.as_str() {
            "held" if book.behaviour == Behaviour::UndoFails => Err(ProviderError::Invalid("the bank refuses".into())),
            "held" | "pending" | "action" => Ok(Some(Change::to(book, "cancelled"))),
            _ => Ok(None),
        })
        .await
    }

    async fn refund(&self, request: &RefundRequest) -> Result<Refund, ProviderError> {
        self.give_back(request).await
    }

    async fn retrieve_refund(&self, refund: &str) -> Result<Refund, ProviderError> {
        let (refund, book) = self.load_refund(refund).await?;
        Ok(refund.refund(&book))
    }

    async fn retrieve(&self, intent: &str) -> Result<Intent, ProviderError> {
        Ok(self.load(intent).await?.intent())
    }

    async fn find(&self, request: &Authorise) -> Result<Option<Intent>, ProviderError> {
        let row = self.store.get(&KEYS, &request.key.as_str().into()).await.map_err(unavailable)?;
        match row.and_then(|row| row.int("object")) {
            Some(id) => self.retrieve(&public_id("pi_", id)).await.map(Some),
            None => Ok(None),
        }
    }

    async fn receive(&self, webhook: Webhook<'_>) -> Result<Event, ReceiveError> {
        let header = (webhook.header)(SIGNATURE_HEADER);
        signature::verify(&self.secret, &header, webhook.body, webhook.now)?;
        objects::read_event(webhook.body)
    }

    async fn events(&self, _since: i64, _after: Option<String>) -> Result<Option<Page<Event>>, ProviderError> {
        Ok(None)
    }

    async fn books(&self, after: Option<String>) -> Result<Option<Page<Intent>>, ProviderError> {
        let query = Query::table(&INTENTS).descending().limit(500).after(after);
        let page = self.store.query(query).await.map_err(unavailable)?;
        let intents = page.rows.iter().filter_map(Book::from_row).map(|book| book.intent());
        Ok(Some(Page { items: intents.collect(), next: page.next }))
    }

    async fn movements(&self, which: &Movements, after: Option<String>) -> Result<Page<Movement>, ProviderError> {
        self.lines(which, after).await
    }
}
