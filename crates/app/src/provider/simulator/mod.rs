//! The payment simulator: a provider that behaves, with its own books and webhooks, and takes no money.
//!
//! A card's number chooses what happens, by Stripe's test numbers (<https://docs.stripe.com/testing>) and some of our own;
//! see [`Behaviour`]. As with a real provider the books know the outcome at once, the answer says `Pending`, and a signed
//! webhook brings the outcome later.

mod behaviour;
mod pix;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use store::message::Message;
use store::{Batch, CommitError, Query, Row, Store, Value};

pub use behaviour::Behaviour;
pub use wire::{PIX_QUEUE, PixTimer, WEBHOOK_QUEUE};

use super::{Authorise, Card, Event, Intent, IntentStatus, Method, PaymentProvider, ProviderError, Token};
use crate::SimulatorSettings;
use crate::records::simulator::{INTENTS, KEYS};
use crate::records::{private_id, public_id};

/// How often a call decides again after a conflict.
const MAX_TRIES: usize = 16;

/// A payment provider that behaves, with its own books and webhooks, and takes no money.
pub struct Simulator {
    store: Arc<dyn Store>,
    settings: SimulatorSettings,
    clock: fn() -> i64,
}

impl Simulator {
    /// A simulator with its books in that store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, settings: SimulatorSettings, clock: fn() -> i64) -> Simulator {
        Simulator { store, settings, clock }
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
            Ok(Some(Change { status, failure, tell: true, ..Change::of(book) }))
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
            (Behaviour::Pix, "pending" | "cancelled") => {
                Ok(Some(Change { status: "taken", captured: book.amount, tell: true, ..Change::of(book) }))
            }
            _ => Err(ProviderError::Invalid("the payment is no Pix that waits".into())),
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
            let next = book.changed(&change, &mut batch);
            if change.tell {
                for message in wire::webhooks(&next, &self.settings, (self.clock)()) {
                    batch.send(message);
                }
            }
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await.map_err(unavailable)?;
                    return Ok(next.intent());
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
        let id = row.int("intent").unwrap_or(0);
        let book = self.load(&public_id("pi_", id)).await?;
        Ok(Some(book.first_answer()))
    }
}

fn unknown(intent: &str) -> ProviderError {
    let intent: String = intent.chars().take(32).collect();
    ProviderError::Invalid(format!("there is no intent `{intent}`"))
}

fn unavailable(_: impl std::error::Error) -> ProviderError {
    ProviderError::Unavailable
}

/// An intent in the books. Statuses: `pending`, `action`, `held`, `taken`, `refused`, `cancelled`.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    id: i64,
    order_id: String,
    attempt: i64,
    status: String,
    revision: i64,
    behaviour: Behaviour,
    amount: i64,
    currency: String,
    captured: i64,
    refunded: i64,
    created_at: i64,
    failure: Option<String>,
    qr: Option<String>,
}

/// What a call changes in the books.
struct Change {
    status: &'static str,
    captured: i64,
    refunded: i64,
    failure: Option<&'static str>,
    tell: bool,
}

impl Change {
    fn of(book: &Book) -> Change {
        Change { status: "pending", captured: book.captured, refunded: book.refunded, failure: None, tell: false }
    }
}

impl Book {
    fn row(&self) -> Row {
        let values = vec![
            Value::from(self.order_id.as_str()),
            Value::Int(self.attempt),
            Value::from(self.status.as_str()),
            Value::Int(self.revision),
            Value::from(self.behaviour.as_str()),
            Value::Int(self.amount),
            Value::from(self.currency.as_str()),
            Value::Int(self.captured),
            Value::Int(self.refunded),
            Value::Int(self.created_at),
            Value::from(self.failure.as_deref()),
            Value::from(self.qr.as_deref()),
        ];
        Row::new(&INTENTS, self.id, values)
    }

    fn from_row(row: &Row) -> Option<Book> {
        let text = |column: &str| row.text(column).map(str::to_owned);
        Some(Book {
            id: row.key().int()?,
            order_id: text("order_id")?,
            attempt: row.int("attempt")?,
            status: text("status")?,
            revision: row.int("revision")?,
            behaviour: Behaviour::from_name(row.text("behaviour")?)?,
            amount: row.int("amount")?,
            currency: text("currency")?,
            captured: row.int("captured")?,
            refunded: row.int("refunded")?,
            created_at: row.int("created_at")?,
            failure: text("failure_code"),
            qr: text("qr"),
        })
    }

    fn changed(&self, change: &Change, batch: &mut Batch) -> Book {
        let next = Book {
            status: change.status.into(),
            captured: change.captured,
            refunded: change.refunded,
            failure: change.failure.map(str::to_owned),
            revision: self.revision + 1,
            ..self.clone()
        };
        let set = vec![
            ("status", Value::from(change.status)),
            ("captured", Value::Int(change.captured)),
            ("refunded", Value::Int(change.refunded)),
            ("failure_code", Value::from(change.failure)),
            ("revision", Value::Int(next.revision)),
        ];
        let when = Some(("revision", Value::Int(self.revision)));
        batch.update(&INTENTS, self.id, set, when);
        next
    }

    fn intent(&self) -> Intent {
        let id = public_id("pi_", self.id);
        let status = match self.status.as_str() {
            "held" => IntentStatus::Held,
            "taken" => IntentStatus::Taken,
            "refused" => IntentStatus::Refused,
            "cancelled" => IntentStatus::Cancelled,
            _ => IntentStatus::Pending,
        };
        let words = |code: &String| (code.clone(), behaviour::words(code).to_owned());
        Intent {
            order_id: self.order_id.clone(),
            attempt: self.attempt,
            status,
            amount: self.amount,
            currency: self.currency.clone(),
            captured: self.captured,
            refunded: self.refunded,
            failure: self.failure.as_ref().map(words),
            qr: self.qr.clone(),
            action_url: (self.status == "action").then(|| format!("/v1/simulator/intents/{id}")),
            capture_before: (status == IntentStatus::Held).then_some(self.created_at + 7 * 86_400_000),
            id,
        }
    }

    /// What `authorise` answers, the first time and every time: the outcome comes by webhook.
    fn first_answer(&self) -> Intent {
        Intent {
            status: IntentStatus::Pending,
            captured: 0,
            refunded: 0,
            failure: None,
            capture_before: None,
            ..self.intent()
        }
    }
}

#[async_trait]
impl PaymentProvider for Simulator {
    fn name(&self) -> &'static str {
        "simulator"
    }

    async fn tokenise(&self, card: Card) -> Result<Token, ProviderError> {
        behaviour::tokenise(&card, (self.clock)())
    }

    async fn authorise(&self, request: Authorise) -> Result<Intent, ProviderError> {
        let behaviour = match &request.method {
            Method::Pix => Behaviour::Pix,
            Method::Card { token } => behaviour::of_token(token)
                .ok_or(ProviderError::Card { field: "token", problem: "The card is not known. Enter it again." })?,
        };
        let fingerprint = format!("{} {} {}", request.amount, request.currency, behaviour.as_str());
        for _ in 0..MAX_TRIES {
            if let Some(intent) = self.replay(&request, &fingerprint).await? {
                return Ok(intent);
            }
            let now = (self.clock)();
            let book = self.new_book(&request, behaviour, now);
            let mut batch = Batch::new();
            batch.insert(book.row());
            let values = vec![Value::Int(book.id), Value::from(fingerprint.as_str())];
            batch.insert(Row::new(&KEYS, request.key.as_str(), values));
            for message in wire::webhooks(&book, &self.settings, now) {
                batch.send(message);
            }
            if let (Behaviour::Pix, Some(delay)) = (behaviour, self.settings.pix_paid_after_ms) {
                let timer = PixTimer { intent: public_id("pi_", book.id) };
                batch.send(Message::new(PIX_QUEUE, &timer).at(now + delay));
            }
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await.map_err(unavailable)?;
                    return Ok(book.first_answer());
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
            "held" => Ok(Some(Change { status: "taken", captured: book.amount, ..Change::of(book) })),
            "taken" => Ok(None),
            other => Err(ProviderError::Invalid(format!("a payment that is {other} cannot be captured"))),
        })
        .await
    }

    async fn void(&self, intent: &str, _key: &str) -> Result<Intent, ProviderError> {
        self.change(intent, |book| match book.status.as_str() {
            "held" if book.behaviour == Behaviour::UndoFails => Err(ProviderError::Invalid("the bank refuses".into())),
            "held" | "pending" | "action" => Ok(Some(Change { status: "cancelled", ..Change::of(book) })),
            _ => Ok(None),
        })
        .await
    }

    async fn refund(&self, intent: &str, amount: i64, key: &str) -> Result<Intent, ProviderError> {
        let replayed = self.store.get(&KEYS, &key.into()).await.map_err(unavailable)?;
        if replayed.is_some() {
            return self.retrieve(intent).await;
        }
        for _ in 0..MAX_TRIES {
            let book = self.load(intent).await?;
            if book.behaviour == Behaviour::UndoFails {
                return Err(ProviderError::Invalid("the bank refuses".into()));
            }
            let checked = domain::payment::check_refund(amount, book.captured, book.refunded, 0);
            checked.map_err(|error| ProviderError::Invalid(error.to_string()))?;
            let mut batch = Batch::new();
            let change = Change { status: "taken", refunded: book.refunded + amount, ..Change::of(&book) };
            let next = book.changed(&change, &mut batch);
            let request = format!("refund {amount}");
            batch.insert(Row::new(&KEYS, key, vec![Value::Int(book.id), Value::from(request)]));
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await.map_err(unavailable)?;
                    return Ok(next.intent());
                }
                Err(CommitError::Conflict { .. }) => {
                    let replayed = self.store.get(&KEYS, &key.into()).await.map_err(unavailable)?;
                    if replayed.is_some() {
                        return self.retrieve(intent).await;
                    }
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
        Err(ProviderError::Unavailable)
    }

    async fn retrieve(&self, intent: &str) -> Result<Intent, ProviderError> {
        Ok(self.load(intent).await?.intent())
    }

    async fn find(&self, key: &str) -> Result<Option<Intent>, ProviderError> {
        let row = self.store.get(&KEYS, &key.into()).await.map_err(unavailable)?;
        match row.and_then(|row| row.int("intent")) {
            Some(id) => self.retrieve(&public_id("pi_", id)).await.map(Some),
            None => Ok(None),
        }
    }

    async fn books(&self, after: Option<String>) -> Result<Option<(Vec<Intent>, Option<String>)>, ProviderError> {
        let query = Query::table(&INTENTS).limit(500).after(after);
        let page = self.store.query(query).await.map_err(unavailable)?;
        let intents = page.rows.iter().filter_map(Book::from_row).map(|book| book.intent());
        Ok(Some((intents.collect(), page.next)))
    }

    fn read_event(&self, body: &[u8]) -> Result<Event, ProviderError> {
        wire::read(body)
    }
}
