//! What stands in the simulator's books, and how it changes.

use store::{Batch, Row, Value};

use super::{Behaviour, behaviour};
use crate::provider::{Intent, IntentStatus, MovementKind, Refund, RefundStatus};
use crate::records::public_id;
use crate::records::simulator::{INTENTS, MOVEMENTS, REFUNDS};

/// How long a hold lasts.
const HOLD_MS: i64 = 7 * 86_400_000;

/// An intent in the books. Statuses: `pending`, `action`, `held`, `taken`, `refused`, `cancelled`.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pub(super) id: i64,
    pub(super) order_id: String,
    pub(super) attempt: i64,
    pub(super) status: String,
    pub(super) revision: i64,
    pub(super) behaviour: Behaviour,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    /// What the provider keeps once the amount is taken.
    pub(super) fee: i64,
    pub(super) created_at: i64,
    pub(super) failure: Option<String>,
    pub(super) qr: Option<String>,
    /// Where a dispute stands, as Stripe names it.
    pub(super) dispute: Option<String>,
}

/// What a call changes in the books.
pub(super) struct Change {
    pub(super) status: &'static str,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) failure: Option<&'static str>,
    pub(super) dispute: Option<String>,
    /// Whether a webhook tells of it.
    pub(super) tell: bool,
    /// What the account gains (or loses) by it: the kind, the amount, the fee.
    pub(super) movement: Option<(MovementKind, i64, i64)>,
}

impl Change {
    /// Leaves everything but the status.
    pub(super) fn to(book: &Book, status: &'static str) -> Change {
        let Book { captured, refunded, .. } = *book;
        let dispute = book.dispute.clone();
        Change { status, captured, refunded, failure: None, dispute, tell: false, movement: None }
    }

    /// Takes the amount.
    pub(super) fn take(book: &Book) -> Change {
        let movement = Some((MovementKind::Capture, book.amount, book.fee));
        Change { captured: book.amount, movement, ..Change::to(book, "taken") }
    }
}

impl Book {
    pub(super) fn public_id(&self) -> String {
        public_id("pi_", self.id)
    }

    pub(super) fn row(&self) -> Row {
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
            Value::Int(self.fee),
            Value::Int(self.created_at),
            Value::from(self.failure.as_deref()),
            Value::from(self.qr.as_deref()),
            Value::from(self.dispute.as_deref()),
        ];
        Row::new(&INTENTS, self.id, values)
    }

    pub(super) fn from_row(row: &Row) -> Option<Book> {
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
            fee: row.int("fee")?,
            created_at: row.int("created_at")?,
            failure: text("failure_code"),
            qr: text("qr"),
            dispute: text("dispute"),
        })
    }

    /// Writes a change, and the line of the account that it makes.
    pub(super) fn changed(&self, change: &Change, now: i64, batch: &mut Batch) -> Book {
        let next = Book {
            status: change.status.into(),
            captured: change.captured,
            refunded: change.refunded,
            failure: change.failure.map(str::to_owned),
            dispute: change.dispute.clone(),
            revision: self.revision + 1,
            ..self.clone()
        };
        let set = vec![
            ("status", Value::from(change.status)),
            ("captured", Value::Int(change.captured)),
            ("refunded", Value::Int(change.refunded)),
            ("failure_code", Value::from(change.failure)),
            ("dispute", Value::from(change.dispute.as_deref())),
            ("revision", Value::Int(next.revision)),
        ];
        let when = Some(("revision", Value::Int(self.revision)));
        batch.update(&INTENTS, self.id, set, when);
        if let Some((kind, amount, fee)) = change.movement {
            let source = match kind {
                MovementKind::Dispute | MovementKind::DisputeReversal => self.dispute_id(),
                _ => public_id("ch_", self.id),
            };
            batch.insert(self.movement(kind, amount, fee, &source, now));
        }
        next
    }

    /// The line of the account that a movement of this intent's money makes.
    pub(super) fn movement(&self, kind: MovementKind, amount: i64, fee: i64, source: &str, now: i64) -> Row {
        let values = vec![
            Value::from(kind_name(kind)),
            Value::Int(amount),
            Value::Int(fee),
            Value::from(self.currency.as_str()),
            Value::from(source),
            Value::Int(self.id),
            Value::from(self.order_id.as_str()),
            Value::Int(now),
        ];
        Row::new(&MOVEMENTS, store::id::next(), values)
    }

    pub(super) fn dispute_id(&self) -> String {
        public_id("dp_", self.id)
    }

    pub(super) fn intent(&self) -> Intent {
        let id = self.public_id();
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
            client_secret: None,
            capture_before: (status == IntentStatus::Held).then_some(self.created_at + HOLD_MS),
            fee: (status == IntentStatus::Taken).then_some(self.fee),
            card: None,
            id,
        }
    }

    /// What `authorise` answers, the first time and every time: the outcome comes by webhook.
    pub(super) fn first_answer(&self) -> Intent {
        Intent {
            status: IntentStatus::Pending,
            captured: 0,
            refunded: 0,
            failure: None,
            capture_before: None,
            fee: None,
            ..self.intent()
        }
    }
}

/// A refund in the books. Statuses: `pending`, `succeeded`, `failed`.
#[derive(Debug, Clone)]
pub(super) struct RefundBook {
    pub(super) id: i64,
    pub(super) intent: i64,
    pub(super) key: String,
    pub(super) status: String,
    pub(super) amount: i64,
    pub(super) created_at: i64,
}

impl RefundBook {
    pub(super) fn public_id(&self) -> String {
        public_id("re_", self.id)
    }

    pub(super) fn row(&self) -> Row {
        let values = vec![
            Value::Int(self.intent),
            Value::from(self.key.as_str()),
            Value::from(self.status.as_str()),
            Value::Int(self.amount),
            Value::Int(self.created_at),
        ];
        Row::new(&REFUNDS, self.id, values)
    }

    pub(super) fn from_row(row: &Row) -> Option<RefundBook> {
        let text = |column: &str| row.text(column).map(str::to_owned);
        Some(RefundBook {
            id: row.key().int()?,
            intent: row.int("intent")?,
            key: text("idempotency_key")?,
            status: text("status")?,
            amount: row.int("amount")?,
            created_at: row.int("created_at")?,
        })
    }

    pub(super) fn refund(&self, book: &Book) -> Refund {
        Refund {
            id: self.public_id(),
            intent: book.public_id(),
            key: Some(self.key.clone()),
            status: match self.status.as_str() {
                "succeeded" => RefundStatus::Succeeded,
                "failed" => RefundStatus::Failed,
                _ => RefundStatus::Pending,
            },
            amount: self.amount,
            currency: book.currency.clone(),
            failure: (self.status == "failed").then(|| "expired_or_canceled_card".into()),
        }
    }
}

const KINDS: &[(MovementKind, &str)] = &[
    (MovementKind::Capture, "capture"),
    (MovementKind::Refund, "refund"),
    (MovementKind::RefundFailure, "refund-failure"),
    (MovementKind::Dispute, "dispute"),
    (MovementKind::DisputeReversal, "dispute-reversal"),
    (MovementKind::Fee, "fee"),
    (MovementKind::Payout, "payout"),
    (MovementKind::PayoutFailure, "payout-failure"),
];

pub(super) fn kind_name(kind: MovementKind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("other", |(_, name)| name)
}

pub(super) fn kind_of(name: &str) -> MovementKind {
    KINDS.iter().find(|(_, known)| *known == name).map_or(MovementKind::Other, |(kind, _)| *kind)
}
