//! Looking at orders.

use domain::delivery::{DeliveryKind, DeliveryStatus};
use domain::order::{Party, actions};
use store::{Page, Query, ReadError, Row, Store};

use crate::commands::ListOrders;
use crate::records::order::{self, ORDERS};
use crate::records::receipt::ReceiptRecord;
use crate::records::{DeliveryRecord, Order, Payment, delivery, payment};
use crate::views::{
    DeliveryView, Failure, OrderPage, OrderSummary, OrderView, PaymentView, ReceiptSummary, TimelineEntry,
};
use crate::{App, FindError, Instant, ListError, signature};

/// The most rows of a page.
pub(crate) const MAX_LIST: usize = 200;
/// How many rows one call reads at most when it looks for some among them.
const MAX_SCAN: usize = 5_000;

/// What customers read instead of the reason why a person has to look.
const LOOKED_AFTER: &str = "a person looks after this order";

impl App {
    /// One order, by `ord_...`, as the staff sees it.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn order(&self, id: &str) -> Result<OrderView, FindError> {
        self.order_for(id, Party::Staff).await
    }

    /// One order with what that party may do with it.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn order_for(&self, id: &str, by: Party) -> Result<OrderView, FindError> {
        let not_found = || FindError::not_found("order", id);
        let key = order::private_id(id).ok_or_else(not_found)?;
        let order = Order::load(&*self.store, key).await?.ok_or_else(not_found)?;
        let payment = Payment::load(&*self.store, key).await?.ok_or_else(not_found)?;
        let delivery = match order.delivery() {
            DeliveryKind::Courier => DeliveryRecord::load(&*self.store, key).await?,
            DeliveryKind::Pickup => None,
        };
        let receipt = if payment.captured > 0 { ReceiptRecord::of_order(&*self.store, key).await? } else { None };
        Ok(order_view(&order, &payment, delivery.as_ref(), receipt, by)?)
    }

    /// A page of orders, newest first.
    ///
    /// A page of a final status may hold fewer orders than its limit and still have a next one: one call reads 5,000 orders
    /// at most.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn orders(&self, list: ListOrders) -> Result<OrderPage, ListError> {
        let limit = page_limit(list.limit)?;
        match list.status {
            Some(status) if !status.is_final() => {
                let query = Query::index(&ORDERS, "open", status.as_str());
                self.page(query.descending().limit(limit).after(list.cursor)).await
            }
            Some(status) => self.scan(status.as_str(), limit, list.cursor).await,
            None => {
                let query = Query::table(&ORDERS).descending();
                self.page(query.limit(limit).after(list.cursor)).await
            }
        }
    }

    /// Orders that wait for a person, newest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn inbox(&self, list: ListOrders) -> Result<OrderPage, ListError> {
        let query = Query::index(&ORDERS, "inbox", 1).descending();
        let limit = page_limit(list.limit)?;
        self.page(query.limit(limit).after(list.cursor)).await
    }

    async fn page(&self, query: Query) -> Result<OrderPage, ListError> {
        let page = self.store.query(query).await?;
        let items = page.rows.into_iter().map(|row| summary(&Order::from_row(row)?));
        Ok(OrderPage { items: items.collect::<Result<_, ReadError>>()?, next: page.next })
    }

    async fn scan(&self, status: &str, limit: usize, cursor: Option<String>) -> Result<OrderPage, ListError> {
        let query = Query::table(&ORDERS).descending();
        let found = scan(&*self.store, query, limit, cursor, |row| row.text("status") == Some(status)).await?;
        let items = found.rows.into_iter().map(|row| summary(&Order::from_row(row)?));
        Ok(OrderPage { items: items.collect::<Result<_, ReadError>>()?, next: found.next })
    }

    /// Proves that its bearer placed the order: 128 bits in hex.
    #[must_use]
    pub fn tracking_token(&self, order_id: &str) -> String {
        let mac = signature::hmac(&self.secrets.tracking, &[order_id.as_bytes()]);
        signature::hex(&mac).chars().take(32).collect()
    }

    /// Where the customer follows the order; `None` while nobody knows where the page is.
    pub(crate) fn tracking_url(&self, order_id: &str) -> Option<String> {
        let public = &self.settings.public_url;
        (!public.is_empty()).then(|| format!("{public}/orders/{order_id}?t={}", self.tracking_token(order_id)))
    }

    /// Whether a tracking token is that of the order, in constant time.
    #[must_use]
    pub fn is_tracking_token(&self, order_id: &str, token: &str) -> bool {
        signature::same(self.tracking_token(order_id).as_bytes(), token.as_bytes())
    }
}

/// Up to `limit` of the rows that are to be kept, out of at most [`MAX_SCAN`], and where to go on.
pub(crate) async fn scan(
    store: &dyn Store,
    query: Query,
    limit: usize,
    mut cursor: Option<String>,
    keep: impl Fn(&Row) -> bool,
) -> Result<Page, ReadError> {
    let mut kept = Page::default();
    let mut read = 0;
    while read < MAX_SCAN {
        let from = cursor.clone();
        let page = store.query(query.clone().limit(MAX_LIST).after(cursor)).await?;
        read += page.rows.len().max(1);
        let (last, missing) = (page.rows.len(), limit - kept.rows.len());
        let mut good = page.rows.iter().enumerate().filter(|(_, row)| keep(row)).map(|(at, _)| at + 1);
        // Cut where the last row that is wanted stands, so that the next page begins right after it.
        if let Some(end) = good.nth(missing - 1)
            && end < last
        {
            let cut = store.query(query.limit(end).after(from)).await?;
            kept.rows.extend(page.rows.into_iter().take(end).filter(keep));
            kept.next = cut.next;
            return Ok(kept);
        }
        kept.rows.extend(page.rows.into_iter().filter(&keep));
        cursor = page.next;
        if cursor.is_none() || kept.rows.len() >= limit {
            break;
        }
    }
    kept.next = cursor;
    Ok(kept)
}

pub(crate) fn page_limit(limit: Option<usize>) -> Result<usize, ListError> {
    match limit.unwrap_or(50) {
        limit @ 1..=MAX_LIST => Ok(limit),
        _ => Err(ListError::Limit),
    }
}

fn order_view(
    order: &Order,
    payment: &Payment,
    delivery: Option<&DeliveryRecord>,
    receipt: Option<ReceiptRecord>,
    by: Party,
) -> Result<OrderView, ReadError> {
    let body = order.body()?;
    let handed_over = order.is_handed_over();
    let status = match (delivery, handed_over) {
        (Some(delivery), _) => delivery.status,
        (None, true) => DeliveryStatus::Delivered,
        (None, false) => DeliveryStatus::Waiting,
    };
    let mut timeline = order.timeline()?;
    let theirs = by == Party::Customer;
    if theirs {
        // What is written down without a step of the order is for the people who work on it.
        timeline.dedup_by_key(|entry| entry.1);
    }
    let entry = |entry: order::Entry| TimelineEntry { at: Instant(entry.0), status: entry.1, detail: entry.2 };
    Ok(OrderView {
        order_id: order.public_id(),
        number: order.number(),
        status: order.status,
        revision: order.revision,
        placed_at: Instant(order.placed_at()),
        updated_at: Instant(order.updated_at()),
        customer: order.customer()?,
        lines: body.lines,
        note: body.note,
        subtotal: body.subtotal,
        delivery_fee: body.delivery_fee,
        service_fee: body.service_fee,
        tip: body.tip,
        total: order.total(),
        currency: order.currency(),
        payment: payment_view(payment),
        delivery: DeliveryView {
            kind: order.delivery(),
            status,
            delivery_id: delivery.map(|delivery| delivery::public_id(delivery.order_id)),
            address: body.address,
            courier: delivery.and_then(|delivery| delivery.courier().map(str::to_owned)),
        },
        receipt: receipt.map(|receipt| ReceiptSummary {
            number: receipt.number,
            issued_at: Instant(receipt.issued_at),
            sha256: receipt.sha256,
        }),
        timeline: timeline.into_iter().map(entry).collect(),
        execution_id: store::id::encode(order.execution_id()),
        actions: actions(order.standing(payment.status), by),
        needs_attention: order.attention().map(|reason| if theirs { LOOKED_AFTER } else { reason }.to_owned()),
        cancel_reason: order.cancel_reason().map(str::to_owned),
    })
}

pub(crate) fn payment_view(payment: &Payment) -> PaymentView {
    let text = |column: &str| payment.text(column).map(str::to_owned);
    PaymentView {
        payment_id: payment::public_id(payment.order_id),
        status: payment.status,
        method: payment.method().to_owned(),
        card: text("card"),
        attempts: payment.attempts,
        amount: payment.amount,
        captured: payment.captured,
        refunded: payment.refunded,
        currency: domain::Currency::from_code(payment.currency()).unwrap_or(domain::Currency::BRL),
        failure: text("failure_code")
            .map(|code| Failure { code, message: text("failure_message").unwrap_or_default() }),
        qr: text("qr"),
        action_url: text("action_url"),
        client_secret: text("client_secret"),
        expires_at: Instant(payment.expires_at),
    }
}

fn summary(order: &Order) -> Result<OrderSummary, ReadError> {
    Ok(OrderSummary {
        order_id: order.public_id(),
        number: order.number(),
        status: order.status,
        revision: order.revision,
        placed_at: Instant(order.placed_at()),
        updated_at: Instant(order.updated_at()),
        customer_name: order.customer()?.and_then(|customer| customer.name),
        items: order.body()?.lines.iter().map(|line| line.quantity).sum(),
        total: order.total(),
        currency: order.currency(),
        delivery: order.delivery(),
        needs_attention: order.attention().map(str::to_owned),
    })
}
