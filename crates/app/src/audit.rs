//! The audit: orders, payments, stock, receipts and the provider's books agree.

use std::collections::{BTreeMap, BTreeSet};

use domain::order::OrderStatus;
use domain::payment::PaymentStatus;
use domain::stock::ReservationStatus;
use store::{Query, ReadError, Row, Table};

use crate::provider::ProviderError;
use crate::records::order::{self, ORDERS};
use crate::records::receipt::{RECEIPTS, ReceiptRecord};
use crate::records::stock::{ADJUSTMENTS, Reservation, STOCK};
use crate::records::{Order, Payment};
use crate::views::{AuditReport, Difference};
use crate::{App, FindError};

/// How many differences a report names.
const MAX_DIFFERENCES: usize = 1_000;
/// Rows of one page.
const PAGE: usize = 500;

/// What is summed up on the way.
#[derive(Default)]
struct Ledger {
    report: AuditReport,
    /// SKU -> units held, units sold, by the reservations.
    reserved: BTreeMap<String, (i64, i64)>,
    /// Order -> captured and refunded, where any money moved, until the provider's books are compared.
    money: BTreeMap<i64, (i64, i64)>,
    /// Orders whose payment is settled, so that nothing of theirs moves while the books are read.
    receipts: BTreeSet<i64>,
}

impl Ledger {
    fn differ(&mut self, code: &str, subject: impl Into<String>, detail: impl Into<String>) {
        if self.report.differences.len() < MAX_DIFFERENCES {
            self.report.differences.push(Difference {
                code: code.into(),
                subject: subject.into(),
                detail: detail.into(),
            });
        } else {
            self.report.more = true;
        }
    }

    fn count(&mut self, what: &str) {
        *self.report.counts.entry(what.into()).or_default() += 1;
    }
}

impl App {
    /// Reads the whole store in pages and names every difference. Exact when nothing moves meanwhile.
    ///
    /// # Errors
    /// [`FindError::Store`].
    pub async fn audit(&self) -> Result<AuditReport, FindError> {
        let mut ledger = Ledger::default();
        self.audit_receipts(&mut ledger).await?;
        self.audit_orders(&mut ledger).await?;
        self.audit_stock(&mut ledger).await?;
        self.audit_provider(&mut ledger).await?;
        Ok(ledger.report)
    }

    /// Receipt numbers have no holes, and no order has two receipts.
    async fn audit_receipts(&self, ledger: &mut Ledger) -> Result<(), ReadError> {
        let mut pages = Pages::new(&RECEIPTS);
        let mut expected = 1;
        while let Some(row) = pages.next(self).await? {
            let receipt = ReceiptRecord::from_row(&row)?;
            ledger.count("receipts");
            if receipt.number != expected {
                let detail = format!("receipts {expected} to {} are missing", receipt.number - 1);
                ledger.differ("receipt-number-gap", receipt.number.to_string(), detail);
            }
            expected = receipt.number + 1;
            if !ledger.receipts.insert(receipt.order_id) {
                let detail = format!("receipt {} is a second one", receipt.number);
                ledger.differ("two-receipts", order::public_id(receipt.order_id), detail);
            }
            let payment = Payment::load(&*self.store, receipt.order_id).await?;
            let captured = payment.map_or(0, |payment| payment.captured);
            if captured != receipt.total {
                let detail = format!("the receipt says {}, {captured} was taken", receipt.total);
                ledger.differ("receipt-amount", order::public_id(receipt.order_id), detail);
            }
        }
        Ok(())
    }

    async fn audit_orders(&self, ledger: &mut Ledger) -> Result<(), ReadError> {
        let mut pages = Pages::new(&ORDERS);
        while let Some(row) = pages.next(self).await? {
            let order = Order::from_row(row)?;
            ledger.count("orders");
            let id = order.public_id();
            if !order.status.is_final() {
                ledger.report.open += 1;
            }
            if order.attention().is_some() {
                ledger.report.needs_attention += 1;
            }
            let Some(payment) = Payment::load(&*self.store, order.id).await? else {
                ledger.differ("order-without-payment", id, "there is no payment record");
                continue;
            };
            ledger.count("payments");
            ledger.report.money.captured += payment.captured;
            ledger.report.money.refunded += payment.refunded;
            if payment.captured > 0 {
                ledger.money.insert(order.id, (payment.captured, payment.refunded));
            }
            audit_payment(ledger, &order, &payment);
            // The receipts were read before: one that came since is looked up.
            if is_served(order.status) && !ledger.receipts.contains(&order.id) {
                let receipt = ReceiptRecord::of_order(&*self.store, order.id).await?;
                if receipt.is_none() {
                    ledger.differ("paid-without-receipt", id, "there is no receipt");
                }
            }
            let reservation = Reservation::load(&*self.store, order.id).await?;
            self.audit_reservation(ledger, &order, reservation.as_ref());
        }
        Ok(())
    }

    fn audit_reservation(&self, ledger: &mut Ledger, order: &Order, reservation: Option<&Reservation>) {
        let Some(reservation) = reservation else {
            let needed =
                !matches!(order.status, OrderStatus::Checkout | OrderStatus::Rejected | OrderStatus::Cancelled);
            if needed {
                ledger.differ("order-without-stock", order.public_id(), "nothing was reserved");
            }
            return;
        };
        ledger.count("reservations");
        for (sku, units) in &reservation.needs {
            let sums = ledger.reserved.entry(sku.clone()).or_default();
            match reservation.status {
                ReservationStatus::Held => sums.0 += units,
                ReservationStatus::Committed => sums.1 += units,
                ReservationStatus::Released | ReservationStatus::Returned => {}
            }
        }
        let wrong = match reservation.status {
            // Cancelled after the kitchen began: the goods are gone, the money is back.
            ReservationStatus::Committed => matches!(order.status, OrderStatus::Expired | OrderStatus::Checkout),
            ReservationStatus::Held => order.status != OrderStatus::PaymentPending,
            ReservationStatus::Released | ReservationStatus::Returned => is_served(order.status),
        };
        if wrong && order.attention().is_none() && order.cancel_reason().is_none() {
            let detail =
                format!("the order is {}, its stock is {}", order.status.as_str(), reservation.status.as_str());
            ledger.differ("stock-against-order", order.public_id(), detail);
        }
    }

    /// The counters of each product are what came less what orders hold.
    async fn audit_stock(&self, ledger: &mut Ledger) -> Result<(), ReadError> {
        let mut received: BTreeMap<String, i64> = BTreeMap::new();
        let mut pages = Pages::new(&ADJUSTMENTS);
        while let Some(row) = pages.next(self).await? {
            ledger.count("stock-adjustments");
            let sku = row.text("sku").unwrap_or_default().to_owned();
            *received.entry(sku).or_default() += row.int("delta").unwrap_or(0);
        }
        let mut pages = Pages::new(&STOCK);
        while let Some(row) = pages.next(self).await? {
            let sku = row.key().text().unwrap_or_default().to_owned();
            ledger.count("products");
            let read = |column: &str| row.int(column).unwrap_or(0);
            let (available, reserved, sold) = (read("available"), read("reserved"), read("sold"));
            let (held, committed) = ledger.reserved.remove(&sku).unwrap_or_default();
            let came = received.remove(&sku).unwrap_or(0);
            if available < 0 || reserved < 0 {
                let detail = format!("available {available}, reserved {reserved}");
                ledger.differ("negative-stock", sku.clone(), detail);
            }
            if reserved != held {
                let detail = format!("the counter says {reserved}, orders hold {held}");
                ledger.differ("reserved-stock", sku.clone(), detail);
            }
            if sold != committed {
                let detail = format!("the counter says {sold}, orders took {committed}");
                ledger.differ("sold-stock", sku.clone(), detail);
            }
            if came != available + reserved + sold {
                let detail = format!("{came} came, {available} + {reserved} + {sold} are accounted for");
                ledger.differ("stock-balance", sku, detail);
            }
        }
        let unknown: Vec<String> = ledger.reserved.keys().cloned().collect();
        for sku in unknown {
            ledger.differ("stock-of-unknown-product", sku, "orders hold units of a product without counters");
        }
        Ok(())
    }

    /// What the provider took and gave back for each order is what we say.
    async fn audit_provider(&self, ledger: &mut Ledger) -> Result<(), FindError> {
        let mut cursor = None;
        // Order -> captured and refunded in the provider's books: an order can have several tries, but only one that counts.
        let mut books: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
        loop {
            let page = self.provider.books(cursor).await.map_err(unavailable)?;
            let Some((intents, next)) = page else { return Ok(()) };
            for intent in intents {
                ledger.count("provider-payments");
                ledger.report.money.provider_captured += intent.captured;
                ledger.report.money.provider_refunded += intent.refunded;
                let Some(id) = order::private_id(&intent.order_id) else { continue };
                if intent.captured > 0 {
                    let sums = books.entry(id).or_default();
                    sums.0 += intent.captured;
                    sums.1 += intent.refunded;
                }
                if intent.refunded > intent.captured {
                    let detail = format!("{} of {} given back", intent.refunded, intent.captured);
                    ledger.differ("refund-above-capture", intent.id.clone(), detail);
                }
            }
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        for (id, (captured, refunded)) in std::mem::take(&mut ledger.money) {
            let (theirs_captured, theirs_refunded) = books.remove(&id).unwrap_or_default();
            if captured - refunded != theirs_captured - theirs_refunded && self.still_differs(id).await? {
                let detail = format!(
                    "we took {captured} and gave back {refunded}, the provider {theirs_captured} and {theirs_refunded}"
                );
                ledger.differ("money-against-provider", order::public_id(id), detail);
            }
        }
        for (id, (captured, refunded)) in books {
            if captured != refunded && self.still_differs(id).await? {
                let detail = format!("the provider took {captured} and gave back {refunded}, we know of nothing");
                ledger.differ("money-unknown-to-us", order::public_id(id), detail);
            }
        }
        Ok(())
    }
}

impl App {
    /// Looks at both sides again: money that moved while the books were read is no difference.
    async fn still_differs(&self, order_id: i64) -> Result<bool, FindError> {
        let Some(payment) = Payment::load(&*self.store, order_id).await? else {
            return Ok(true);
        };
        let Some(intent) = payment.intent() else {
            return Ok(true);
        };
        let theirs = self.provider.retrieve(intent).await.map_err(unavailable)?;
        Ok(payment.captured - payment.refunded != theirs.captured - theirs.refunded)
    }
}

fn audit_payment(ledger: &mut Ledger, order: &Order, payment: &Payment) {
    let id = order.public_id();
    if payment.amount != order.total() {
        let detail = format!("the order costs {}, the payment is {}", order.total(), payment.amount);
        ledger.differ("amount", id.clone(), detail);
    }
    if payment.captured > payment.amount || payment.refunded > payment.captured || payment.refunded < 0 {
        let detail =
            format!("of {}, {} was taken and {} given back", payment.amount, payment.captured, payment.refunded);
        ledger.differ("taken-too-much", id.clone(), detail);
    }
    let paid = payment.status == PaymentStatus::Confirmed && payment.captured == payment.amount;
    let settled = !matches!(payment.status, PaymentStatus::Confirmed | PaymentStatus::Authorized);
    let served = is_served(order.status);
    let off = matches!(order.status, OrderStatus::Rejected | OrderStatus::Cancelled | OrderStatus::Expired);
    let flagged = order.attention().is_some() || order.cancel_reason().is_some();
    if served && !paid && !flagged {
        let detail = format!("the order is {}, the payment {}", order.status.as_str(), payment.status.as_str());
        ledger.differ("served-without-payment", id.clone(), detail);
    }
    if off && !settled && order.attention().is_none() {
        let detail = format!("the order is {}, the payment {}", order.status.as_str(), payment.status.as_str());
        ledger.differ("money-kept", id.clone(), detail);
    }
}

/// Whether the shop works on the order, or has.
fn is_served(status: OrderStatus) -> bool {
    matches!(
        status,
        OrderStatus::Received
            | OrderStatus::InPreparation
            | OrderStatus::Ready
            | OrderStatus::OutForDelivery
            | OrderStatus::Completed
    )
}

fn unavailable(error: ProviderError) -> FindError {
    FindError::Store(ReadError::Unavailable(error.into()))
}

/// A table read in key order, page by page.
struct Pages {
    table: &'static Table,
    page: std::vec::IntoIter<Row>,
    cursor: Option<String>,
    ended: bool,
}

impl Pages {
    fn new(table: &'static Table) -> Pages {
        Pages { table, page: Vec::new().into_iter(), cursor: None, ended: false }
    }

    async fn next(&mut self, app: &App) -> Result<Option<Row>, ReadError> {
        loop {
            if let Some(row) = self.page.next() {
                return Ok(Some(row));
            }
            if self.ended {
                return Ok(None);
            }
            let query = Query::table(self.table).limit(PAGE).after(self.cursor.take());
            let page = app.store.query(query).await?;
            self.ended = page.next.is_none();
            self.cursor = page.next;
            self.page = page.rows.into_iter();
        }
    }
}
