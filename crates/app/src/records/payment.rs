//! Payments, one per order; the key is the order's id.

use domain::basket::Totals;
use domain::payment::{CaptureOn, IllegalTransition, PaymentStatus, Taken};
use store::{Batch, Column, Index, KeyShape, ReadError, Row, Store, Table, Value};

use super::{damaged, order};
use crate::provider::{Authorise, Method};
use crate::settle::{AUTHORISE, step_key};

/// The payments. `refund_pending` is what is set apart for refunds that are not decided, `refund_tip` what those and the
/// ones that went take of the tip, `refunds` how many there ever were. `held` is 1 while an amount is held, until
/// `capture_before`. `waiting` is 1 while the provider may still have news; it is asked for them at `ask_at`.
pub(crate) static PAYMENTS: Table = Table {
    name: "payments",
    key: KeyShape::Int("order_id"),
    columns: &[
        Column::text("status"),
        Column::int("revision"),
        Column::text("method"),
        Column::text("card").null(),
        Column::text("token").null(),
        Column::int("amount"),
        Column::int("items"),
        Column::int("delivery_fee"),
        Column::int("service_fee"),
        Column::int("tip"),
        Column::text("currency"),
        Column::int("captured"),
        Column::int("refunded"),
        Column::int("refund_pending"),
        Column::int("refund_tip"),
        Column::int("refunds"),
        Column::int("disputed"),
        Column::int("fee").null(),
        Column::int("attempts"),
        Column::int("expires_at"),
        Column::text("provider"),
        Column::text("intent").null(),
        Column::text("capture_on"),
        Column::int("held").null(),
        Column::int("capture_before").null(),
        Column::int("alarmed_at").null(),
        Column::int("waiting").null(),
        Column::int("ask_at").null(),
        Column::text("wait_token").null(),
        Column::text("failure_code").null(),
        Column::text("failure_message").null(),
        Column::text("qr").null(),
        Column::text("action_url").null(),
        Column::text("client_secret").null(),
    ],
    indexes: &[
        Index { name: "waiting", columns: &["waiting", "ask_at"] },
        Index { name: "held", columns: &["held", "capture_before"] },
    ],
};

/// What a payment by Pix is called.
pub(crate) const PIX: &str = "pix";

/// A new payment.
pub(crate) struct NewPayment<'a> {
    pub(crate) order_id: i64,
    pub(crate) method: &'static str,
    pub(crate) card: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) totals: Totals,
    pub(crate) currency: &'static str,
    pub(crate) expires_at: i64,
    pub(crate) provider: &'a str,
    pub(crate) capture_on: CaptureOn,
}

impl NewPayment<'_> {
    pub(crate) fn row(self) -> Row {
        let values = vec![
            Value::from(PaymentStatus::Pending.as_str()),
            Value::Int(1),
            Value::from(self.method),
            Value::from(self.card),
            Value::from(self.token),
            Value::Int(self.totals.total),
            Value::Int(self.totals.subtotal),
            Value::Int(self.totals.delivery_fee),
            Value::Int(self.totals.service_fee),
            Value::Int(self.totals.tip),
            Value::from(self.currency),
            Value::Int(0),
            Value::Int(0),
            Value::Int(0),
            Value::Int(0),
            Value::Int(0),
            Value::Int(0),
            Value::Null,
            Value::Int(1),
            Value::Int(self.expires_at),
            Value::from(self.provider),
            Value::Null,
            Value::from(self.capture_on.as_str()),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
        ];
        Row::new(&PAYMENTS, self.order_id, values)
    }
}

/// A payment as it stands in the store.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    row: Row,
    pub(crate) order_id: i64,
    pub(crate) status: PaymentStatus,
    pub(crate) revision: i64,
    pub(crate) amount: i64,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
    /// What is set apart for refunds that are not decided.
    pub(crate) refund_pending: i64,
    /// What the customer's bank has taken back.
    pub(crate) disputed: i64,
    pub(crate) attempts: i64,
    pub(crate) expires_at: i64,
}

impl Payment {
    pub(crate) async fn load(store: &dyn Store, order_id: i64) -> Result<Option<Payment>, ReadError> {
        let row = store.get(&PAYMENTS, &order_id.into()).await?;
        row.map(Payment::from_row).transpose()
    }

    pub(crate) fn from_row(row: Row) -> Result<Payment, ReadError> {
        let status = row.text("status").and_then(PaymentStatus::from_name);
        let status = status.ok_or_else(|| damaged(&row, "status"))?;
        let int = |column: &str| row.int(column).ok_or_else(|| damaged(&row, column));
        Ok(Payment {
            order_id: row.key().int().ok_or_else(|| damaged(&row, "order_id"))?,
            status,
            revision: int("revision")?,
            amount: int("amount")?,
            captured: int("captured")?,
            refunded: int("refunded")?,
            refund_pending: int("refund_pending")?,
            disputed: int("disputed")?,
            attempts: int("attempts")?,
            expires_at: int("expires_at")?,
            row,
        })
    }

    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        self.row.text(column)
    }

    /// The provider that its current try is with.
    pub(crate) fn provider(&self) -> &str {
        self.row.text("provider").unwrap_or_default()
    }

    pub(crate) fn method(&self) -> &str {
        self.row.text("method").unwrap_or("card")
    }

    pub(crate) fn currency(&self) -> &str {
        self.row.text("currency").unwrap_or_default()
    }

    pub(crate) fn intent(&self) -> Option<&str> {
        self.row.text("intent")
    }

    pub(crate) fn wait_token(&self) -> Option<&str> {
        self.row.text("wait_token")
    }

    /// What the amount is made of.
    pub(crate) fn totals(&self) -> Totals {
        let part = |column: &str| self.row.int(column).unwrap_or(0);
        Totals {
            subtotal: part("items"),
            delivery_fee: part("delivery_fee"),
            service_fee: part("service_fee"),
            tip: part("tip"),
            total: self.amount,
        }
    }

    /// What the provider keeps of the captured amount, once it has said so.
    pub(crate) fn fee(&self) -> Option<i64> {
        self.row.int("fee")
    }

    /// Whether the provider is asked about it slowly: nothing of it is urgent, or ever comes.
    pub(crate) fn is_over(&self) -> bool {
        self.is_written_off() || self.status.is_taken()
    }

    /// What was taken, and what became of it.
    pub(crate) fn taken(&self) -> Taken {
        Taken {
            captured: self.captured,
            refunded: self.refunded,
            refunding: self.refund_pending,
            disputed: self.disputed,
        }
    }

    /// How many refunds there were, those that failed included: the number of the last one.
    pub(crate) fn refunds(&self) -> i64 {
        self.row.int("refunds").unwrap_or(0)
    }

    /// How much of the tip its refunds take, those that failed left out.
    pub(crate) fn refund_tip(&self) -> i64 {
        self.row.int("refund_tip").unwrap_or(0)
    }

    /// The request of the current try, the same whenever it is made, except for where the customer comes back to.
    pub(crate) fn authorise_request(&self, return_url: Option<String>) -> Authorise {
        Authorise {
            key: step_key(self, AUTHORISE),
            order_id: order::public_id(self.order_id),
            attempt: self.attempts,
            amount: self.amount,
            currency: self.currency().to_owned(),
            method: match (self.method(), self.text("token")) {
                (PIX, _) => Method::Pix,
                (_, Some(token)) => Method::Card { token: token.into() },
                (_, None) => Method::Hosted,
            },
            expires_at: self.expires_at,
            capture_on: self.capture_on(),
            return_url,
        }
    }

    /// When the amount is taken.
    pub(crate) fn capture_on(&self) -> CaptureOn {
        self.row.text("capture_on").and_then(CaptureOn::from_name).unwrap_or(CaptureOn::Acceptance)
    }

    /// Whether a person was told that the hold is about to end.
    pub(crate) fn is_alarmed(&self) -> bool {
        self.row.int("alarmed_at").is_some()
    }

    /// Until when the provider lets a held amount be taken.
    pub(crate) fn capture_before(&self) -> Option<i64> {
        self.row.int("capture_before")
    }

    /// Whether it ended without money, so that money that still comes goes back.
    pub(crate) fn is_written_off(&self) -> bool {
        matches!(self.status, PaymentStatus::Expired | PaymentStatus::Voided)
    }

    /// Whether the provider may still have news.
    pub(crate) fn is_waiting(&self) -> bool {
        self.row.int("waiting").is_some()
    }

    /// When the provider is asked about it next, while it may still have news.
    pub(crate) fn ask_at(&self) -> Option<i64> {
        self.row.int("ask_at")
    }

    /// How many whole seconds are left to pay, at least one.
    pub(crate) fn seconds_left(&self, now: i64) -> i64 {
        ((self.expires_at - now + 999) / 1000).max(1)
    }

    /// Begins a change of this revision.
    pub(crate) fn update(&self) -> PaymentUpdate<'_> {
        PaymentUpdate { payment: self, set: vec![("revision", Value::Int(self.revision + 1))] }
    }
}

/// `pay_...`
pub(crate) fn public_id(order_id: i64) -> String {
    super::public_id("pay_", order_id)
}

/// A change of a payment, under the condition that nobody else changed it.
pub(crate) struct PaymentUpdate<'p> {
    payment: &'p Payment,
    set: Vec<(&'static str, Value)>,
}

impl PaymentUpdate<'_> {
    pub(crate) fn set(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.set.push((column, value.into()));
        self
    }

    /// Moves to another status, if the table of transitions has it.
    pub(crate) fn status(self, next: PaymentStatus) -> Result<Self, IllegalTransition> {
        let next = self.payment.status.become_status(next)?;
        let held = (next == PaymentStatus::Authorized).then_some(1);
        Ok(self.set("status", next.as_str()).set("held", held))
    }

    /// The provider answered for good: nobody polls it, nobody waits, nothing is left to show the customer.
    pub(crate) fn settled(self) -> Self {
        self.over().set("waiting", Value::Null).set("ask_at", Value::Null)
    }

    /// Nobody waits any more, and the provider is asked at that time: money can still come late.
    pub(crate) fn watched(self, ask_at: i64) -> Self {
        self.over().set("waiting", 1).set("ask_at", ask_at)
    }

    fn over(self) -> Self {
        let update = self.set("wait_token", Value::Null).set("action_url", Value::Null);
        update.set("client_secret", Value::Null).set("qr", Value::Null)
    }

    pub(crate) fn write(self, batch: &mut Batch) {
        let when = Some(("revision", Value::Int(self.payment.revision)));
        batch.update(&PAYMENTS, self.payment.order_id, self.set, when);
    }
}
