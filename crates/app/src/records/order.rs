//! Orders.

use std::borrow::Cow;

use domain::Currency;
use domain::basket::Line;
use domain::customer::Customer;
use domain::delivery::{Address, DeliveryKind};
use domain::order::{IllegalTransition, OrderStatus, Standing};
use domain::payment::PaymentStatus;
use serde::{Deserialize, Serialize};
use store::{Batch, Column, Index, KeyShape, ReadError, Row, Store, Table, Value};

use super::{damaged, json};

/// The orders. `halted_at` is set while no flow carries an open order. `open` repeats the status until it is final, so that its index holds the open orders only.
pub(crate) static ORDERS: Table = Table {
    name: "orders",
    key: KeyShape::Int("id"),
    columns: &[
        Column::int("number"),
        Column::text("status"),
        Column::text("open").null(),
        Column::int("revision"),
        Column::int("updated_at"),
        Column::int("total"),
        Column::text("currency"),
        Column::text("delivery"),
        Column::int("execution_id"),
        Column::text("wait_token").null(),
        Column::int("handed_over_at").null(),
        Column::text("cancel_reason").null(),
        Column::int("halted_at").null(),
        Column::int("attention").null(),
        Column::text("attention_reason").null(),
        Column::text("customer").null().personal(),
        Column::text("private").null().personal(),
        Column::text("timeline"),
        Column::text("body"),
    ],
    indexes: &[Index { name: "open", columns: &["open"] }, Index { name: "inbox", columns: &["attention"] }],
};

/// What is frozen at checkout and never searched.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    pub(crate) lines: Vec<Line>,
    pub(crate) subtotal: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) delivery_fee: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) service_fee: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) tip: i64,
    /// What the customer tells the kitchen. In the column `private`, as the address; orders of before schema version 4 have
    /// both in `body`.
    #[serde(default, skip_serializing)]
    pub(crate) note: String,
    #[serde(default, skip_serializing)]
    pub(crate) address: Option<Address>,
}

/// What of [`Body`] tells about a person.
#[derive(Serialize, Deserialize)]
struct Private<'b> {
    #[serde(default, skip_serializing_if = "str::is_empty")]
    note: Cow<'b, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<Cow<'b, Address>>,
}

impl Body {
    fn private(&self) -> Option<String> {
        let is_some = !self.note.is_empty() || self.address.is_some();
        let address = self.address.as_ref().map(Cow::Borrowed);
        is_some.then(|| json(&Private { note: Cow::Borrowed(&self.note), address }))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// One entry of the timeline: when, which status, and more about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry(pub(crate) i64, pub(crate) OrderStatus, pub(crate) Option<String>);

/// The most entries of a timeline; later ones are dropped, never the early ones.
const MAX_ENTRIES: usize = 64;

/// An order as it stands in the store. Its JSON is parsed only when asked for.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    row: Row,
    pub(crate) id: i64,
    pub(crate) status: OrderStatus,
    pub(crate) revision: i64,
}

/// A new order.
pub(crate) struct NewOrder<'a> {
    pub(crate) id: i64,
    pub(crate) number: i64,
    pub(crate) total: i64,
    pub(crate) currency: Currency,
    pub(crate) delivery: DeliveryKind,
    pub(crate) execution_id: i64,
    pub(crate) customer: Option<&'a Customer>,
    pub(crate) body: &'a Body,
    pub(crate) now: i64,
}

impl NewOrder<'_> {
    pub(crate) fn row(self) -> Row {
        let status = OrderStatus::Checkout;
        let values = vec![
            Value::Int(self.number),
            Value::from(status.as_str()),
            Value::from(status.as_str()),
            Value::Int(1),
            Value::Int(self.now),
            Value::Int(self.total),
            Value::from(self.currency.code()),
            Value::from(kind_name(self.delivery)),
            Value::Int(self.execution_id),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::from(self.customer.map(json)),
            Value::from(self.body.private()),
            Value::from(json(&[Entry(self.now, status, None)])),
            Value::from(json(self.body)),
        ];
        Row::new(&ORDERS, self.id, values)
    }
}

fn kind_name(kind: DeliveryKind) -> &'static str {
    match kind {
        DeliveryKind::Pickup => "pickup",
        DeliveryKind::Courier => "courier",
    }
}

impl Order {
    pub(crate) async fn load(store: &dyn Store, id: i64) -> Result<Option<Order>, ReadError> {
        let row = store.get(&ORDERS, &id.into()).await?;
        row.map(Order::from_row).transpose()
    }

    pub(crate) fn from_row(row: Row) -> Result<Order, ReadError> {
        let status = row.text("status").and_then(OrderStatus::from_name);
        let status = status.ok_or_else(|| damaged(&row, "status"))?;
        let revision = row.int("revision").ok_or_else(|| damaged(&row, "revision"))?;
        let id = row.key().int().ok_or_else(|| damaged(&row, "id"))?;
        Ok(Order { row, id, status, revision })
    }

    pub(crate) fn public_id(&self) -> String {
        public_id(self.id)
    }

    pub(crate) fn number(&self) -> i64 {
        self.row.int("number").unwrap_or(0)
    }

    pub(crate) fn total(&self) -> i64 {
        self.row.int("total").unwrap_or(0)
    }

    pub(crate) fn currency(&self) -> Currency {
        let currency = self.row.text("currency").and_then(Currency::from_code);
        currency.unwrap_or(Currency::BRL)
    }

    pub(crate) fn delivery(&self) -> DeliveryKind {
        match self.row.text("delivery") {
            Some("courier") => DeliveryKind::Courier,
            _ => DeliveryKind::Pickup,
        }
    }

    /// When it was placed: the instant of the first entry of its timeline, which stands first in the text.
    pub(crate) fn placed_at(&self) -> i64 {
        let text = self.row.text("timeline").unwrap_or_default();
        let digits = text.trim_start_matches('[').split(',').next();
        let at = digits.and_then(|digits| digits.parse().ok());
        at.unwrap_or_else(|| store::id::time_ms(self.id))
    }

    pub(crate) fn updated_at(&self) -> i64 {
        self.row.int("updated_at").unwrap_or(0)
    }

    pub(crate) fn execution_id(&self) -> i64 {
        self.row.int("execution_id").unwrap_or(0)
    }

    pub(crate) fn wait_token(&self) -> Option<&str> {
        self.row.text("wait_token")
    }

    pub(crate) fn is_handed_over(&self) -> bool {
        self.row.int("handed_over_at").is_some()
    }

    pub(crate) fn cancel_reason(&self) -> Option<&str> {
        self.row.text("cancel_reason")
    }

    /// Whether its flow has given up, so that nobody carries it on.
    pub(crate) fn is_halted(&self) -> bool {
        self.row.int("halted_at").is_some()
    }

    pub(crate) fn attention(&self) -> Option<&str> {
        self.row.int("attention")?;
        self.row.text("attention_reason")
    }

    pub(crate) fn customer(&self) -> Result<Option<Customer>, ReadError> {
        let parse = |text: &str| serde_json::from_str(text).map_err(|_| damaged(&self.row, "customer"));
        self.row.text("customer").map(parse).transpose()
    }

    pub(crate) fn body(&self) -> Result<Body, ReadError> {
        let text = self.row.text("body").unwrap_or_default();
        let body: Body = serde_json::from_str(text).map_err(|_| damaged(&self.row, "body"))?;
        let Some(text) = self.row.text("private").filter(|text| *text != store::LOCKED) else { return Ok(body) };
        let private: Private<'_> = serde_json::from_str(text).map_err(|_| damaged(&self.row, "private"))?;
        Ok(Body { note: private.note.into_owned(), address: private.address.map(Cow::into_owned), ..body })
    }

    pub(crate) fn timeline(&self) -> Result<Vec<Entry>, ReadError> {
        let text = self.row.text("timeline").unwrap_or_default();
        serde_json::from_str(text).map_err(|_| damaged(&self.row, "timeline"))
    }

    /// What its actions depend on.
    pub(crate) fn standing(&self, payment: PaymentStatus) -> Standing {
        Standing {
            status: self.status,
            payment,
            delivery: self.delivery(),
            handed_over: self.is_handed_over(),
            cancelling: self.cancel_reason().is_some(),
            halted: self.is_halted(),
            attention: self.attention().is_some(),
        }
    }

    /// Begins a change of this revision.
    pub(crate) fn update(&self, now: i64) -> OrderUpdate<'_> {
        OrderUpdate {
            order: self,
            now,
            set: vec![("revision", Value::Int(self.revision + 1)), ("updated_at", Value::Int(now))],
        }
    }
}

/// `ord_...`
pub(crate) fn public_id(id: i64) -> String {
    super::public_id("ord_", id)
}

/// The id in `ord_...`.
pub(crate) fn private_id(text: &str) -> Option<i64> {
    super::private_id("ord_", text)
}

/// A change of an order, under the condition that nobody else changed it.
pub(crate) struct OrderUpdate<'o> {
    order: &'o Order,
    now: i64,
    set: Vec<(&'static str, Value)>,
}

impl OrderUpdate<'_> {
    pub(crate) fn set(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.set.push((column, value.into()));
        self
    }

    /// Moves to another status, if the table of transitions has it, and writes the timeline.
    pub(crate) fn status(self, next: OrderStatus, detail: Option<&str>) -> Result<Self, IllegalTransition> {
        let next = self.order.status.become_status(next)?;
        let open = (!next.is_final()).then(|| next.as_str());
        Ok(self.set("status", next.as_str()).set("open", open).note(next, detail))
    }

    /// Writes the timeline without moving.
    pub(crate) fn note(mut self, status: OrderStatus, detail: Option<&str>) -> Self {
        let text = self.order.row.text("timeline").unwrap_or("[]");
        let entry = json(&Entry(self.now, status, detail.map(|d| d.chars().take(280).collect())));
        // Appended as text: the entries before it need not be parsed.
        if text.matches("],[").count() < MAX_ENTRIES
            && let Some(rest) = text.strip_suffix(']')
        {
            let comma = if rest.ends_with('[') { "" } else { "," };
            self.set.push(("timeline", Value::from(format!("{rest}{comma}{entry}]"))));
        }
        self
    }

    /// Asks a person to look.
    pub(crate) fn attention(self, reason: &str) -> Self {
        self.set("attention", 1).set("attention_reason", reason)
    }

    /// A person has looked.
    pub(crate) fn resolved(self) -> Self {
        self.set("attention", Value::Null).set("attention_reason", Value::Null)
    }

    pub(crate) fn write(self, batch: &mut Batch) {
        let when = Some(("revision", Value::Int(self.order.revision)));
        batch.update(&ORDERS, self.order.id, self.set, when);
    }
}
