//! The audit: orders, payments, stock, receipts and the provider's books agree.

use std::collections::BTreeMap;

use domain::order::OrderStatus;
use domain::payment::PaymentStatus;
use domain::stock::ReservationStatus;
use store::{Query, ReadError, Row, Table};

use crate::provider::{Intent, IntentStatus, ProviderError};
use crate::records::order::{self, ORDERS};
use crate::records::payment::PAYMENTS;
use crate::records::receipt::{RECEIPTS, ReceiptRecord};
use crate::records::stock::{ADJUSTMENTS, Reservation, STOCK};
use crate::records::{Order, Payment};
use crate::views::{AuditReport, Difference};
use crate::{App, FindError, Instant};

/// How many differences a report names.
const MAX_DIFFERENCES: usize = 1_000;
/// How long stock may stay set apart after the time to pay is over, while the end of its order is being written.
const HOLD_GRACE_MS: i64 = 3_600_000;
/// Rows of one page.
const PAGE: usize = 500;

/// What is summed up on the way.
#[derive(Default)]
struct Ledger {
    report: AuditReport,
    /// SKU -> units held, units sold, by the reservations.
    reserved: BTreeMap<String, (i64, i64)>,
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
    /// Reads the whole store in pages and names every difference, those of orders that a person looks at included. Exact
    /// when nothing moves meanwhile. Memory does not grow with the orders.
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

    /// Receipt numbers have no holes, and each says what was taken.
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
            audit_payment(ledger, &order, &payment);
            if is_served(order.status) || payment.captured > 0 {
                match ReceiptRecord::count_of_order(&*self.store, order.id).await? {
                    0 if is_served(order.status) => ledger.differ("paid-without-receipt", id, "there is no receipt"),
                    0 | 1 => {}
                    more => ledger.differ("two-receipts", id, format!("there are {more}")),
                }
            }
            let reservation = Reservation::load(&*self.store, order.id).await?;
            self.audit_reservation(ledger, &order, reservation.as_ref())?;
        }
        Ok(())
    }

    fn audit_reservation(
        &self,
        ledger: &mut Ledger,
        order: &Order,
        reservation: Option<&Reservation>,
    ) -> Result<(), ReadError> {
        let Some(reservation) = reservation else {
            let needed =
                !matches!(order.status, OrderStatus::Checkout | OrderStatus::Rejected | OrderStatus::Cancelled);
            if needed {
                ledger.differ("order-without-stock", order.public_id(), "nothing was reserved");
            }
            return Ok(());
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
            ReservationStatus::Committed => match order.status {
                OrderStatus::Expired | OrderStatus::Checkout | OrderStatus::Rejected => true,
                // Once the kitchen has begun the goods are gone, and the money goes back all the same.
                OrderStatus::Cancelled => {
                    let timeline = order.timeline()?;
                    !timeline.iter().any(|entry| entry.1 == OrderStatus::InPreparation)
                }
                _ => false,
            },
            ReservationStatus::Held => order.status != OrderStatus::PaymentPending,
            ReservationStatus::Released | ReservationStatus::Returned => is_served(order.status),
        };
        if wrong && !is_being_undone(order) {
            let detail =
                format!("the order is {}, its stock is {}", order.status.as_str(), reservation.status.as_str());
            ledger.differ("stock-against-order", order.public_id(), detail);
        }
        let until = reservation.expires_at;
        if reservation.status == ReservationStatus::Held && self.now() - until > HOLD_GRACE_MS {
            let detail = format!("it was set apart until {}", Instant(until).to_rfc3339());
            ledger.differ("stock-held-too-long", order.public_id(), detail);
        }
        Ok(())
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

    /// What the provider took and gave back for each order, over all its tries, is what we say.
    async fn audit_provider(&self, ledger: &mut Ledger) -> Result<(), FindError> {
        let mut cursor = None;
        // What our payments say of the intents that they count with: less than all of it means that books are missing.
        let mut seen = 0;
        loop {
            let page = self.provider.books(cursor).await.map_err(unavailable)?;
            let Some(page) = page else { return Ok(()) };
            ledger.report.books_compared = true;
            for intent in page.items {
                ledger.count("provider-payments");
                ledger.report.money.provider_captured += intent.captured;
                ledger.report.money.provider_refunded += intent.refunded;
                if intent.refunded > intent.captured {
                    let detail = format!("{} of {} given back", intent.refunded, intent.captured);
                    ledger.differ("refund-above-capture", intent.id.clone(), detail);
                }
                let (captured, difference) = self.compare(&intent).await?;
                seen += captured;
                if difference.is_some() {
                    // Money that moved while the books were read is no difference: both sides once more.
                    let again = self.provider.retrieve(&intent.id).await.map_err(unavailable)?;
                    if let (_, Some((code, detail))) = self.compare(&again).await? {
                        ledger.differ(code, again.order_id, detail);
                    }
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if seen != ledger.report.money.captured {
            self.audit_missing_books(ledger).await?;
        }
        Ok(())
    }

    /// One intent of the provider's books against our record: what we say was taken by it, and the difference.
    async fn compare(&self, intent: &Intent) -> Result<(i64, Option<(&'static str, String)>), ReadError> {
        let kept = intent.captured - intent.refunded;
        let held = intent.status == IntentStatus::Held;
        let stray = |code: &'static str| {
            let what = if held { "holds" } else { "keeps" };
            let detail = format!("the provider {what} {} of {}", if held { intent.amount } else { kept }, intent.id);
            (held || kept != 0).then_some((code, detail))
        };
        let records = match order::private_id(&intent.order_id) {
            Some(id) => Order::load(&*self.store, id).await?.zip(Payment::load(&*self.store, id).await?),
            None => None,
        };
        let Some((order, payment)) = records else {
            return Ok((0, stray("money-unknown-to-us")));
        };
        if payment.intent() != Some(intent.id.as_str()) {
            // While the order is under way, an older try may be about to go back.
            let over = order.status.is_final() || kept != 0;
            return Ok((0, stray("money-of-another-try").filter(|_| over)));
        }
        let ours = payment.captured - payment.refunded;
        // A refund under way is about to leave, or has left and we do not know it yet.
        let difference = if !(ours - payment.refund_pending..=ours).contains(&kept) {
            let detail = format!(
                "we took {} and gave back {}, the provider {} and {}",
                payment.captured, payment.refunded, intent.captured, intent.refunded
            );
            Some(("money-against-provider", detail))
        } else if held && order.status.is_final() {
            stray("hold-kept")
        } else {
            None
        };
        Ok((payment.captured, difference))
    }

    /// Money that we say was taken and that stands in no book.
    async fn audit_missing_books(&self, ledger: &mut Ledger) -> Result<(), FindError> {
        let mut pages = Pages::new(&PAYMENTS);
        while let Some(row) = pages.next(self).await? {
            let payment = Payment::from_row(row)?;
            if payment.captured == 0 {
                continue;
            }
            let found = match payment.intent() {
                Some(intent) => match self.provider.retrieve(intent).await {
                    Ok(_) => true,
                    Err(ProviderError::Unavailable) => return Err(unavailable(ProviderError::Unavailable)),
                    Err(_) => false,
                },
                None => false,
            };
            if !found {
                let detail = format!("we took {}, the provider knows of nothing", payment.captured);
                ledger.differ("money-unknown-to-the-provider", order::public_id(payment.order_id), detail);
            }
        }
        Ok(())
    }
}

/// Whether an order is on its way back, so that money and goods are ahead of its status.
fn is_being_undone(order: &Order) -> bool {
    order.cancel_reason().is_some() && !order.status.is_final() && !order.is_halted()
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
    if payment.status.is_taken() && payment.status != payment.taken().status() {
        let detail = format!(
            "it is {}, and of {} {} went back and {} is disputed",
            payment.status.as_str(),
            payment.captured,
            payment.refunded,
            payment.disputed
        );
        ledger.differ("payment-status", id.clone(), detail);
    }
    // Whatever went back later, with a row of its own, was paid.
    let paid = payment.status.is_taken() && payment.captured == payment.amount;
    let over = match payment.status {
        PaymentStatus::Voided | PaymentStatus::Expired => true,
        status => status.is_taken() && payment.taken().left() == 0,
    };
    let off = matches!(order.status, OrderStatus::Rejected | OrderStatus::Cancelled | OrderStatus::Expired);
    let stands = || format!("the order is {}, the payment {}", order.status.as_str(), payment.status.as_str());
    if is_served(order.status) && !paid && !is_being_undone(order) {
        ledger.differ("served-without-payment", id.clone(), stands());
    }
    if off && !over {
        ledger.differ("money-kept", id, stands());
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
