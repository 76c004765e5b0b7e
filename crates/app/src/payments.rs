//! Looking at payments, and taking a held amount by hand.

use domain::Currency;
use domain::dispute::DisputeStatus;
use store::{Batch, CommitError, Query, ReadError, Row};

use crate::capture::{CaptureError, is_accepted};
use crate::commands::{ListDisputes, ListPayments};
use crate::error::StoreError;
use crate::orders::{page_limit, payment_view, scan};
use crate::provider::ProviderError;
use crate::records::dispute::DISPUTES;
use crate::records::payment::PAYMENTS;
use crate::records::{Order, Payment, damaged, order};
use crate::views::{DisputePage, DisputeView, PaymentDetail, PaymentPage};
use crate::{App, FindError, Instant, Kind, ListError, Problem};

/// The most disputes of one payment that are shown.
const MAX_DISPUTES: usize = 100;

/// Why a held amount was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// There is no such order.
    #[error("there is no payment of order `{0}`")]
    NotFound(String),
    /// It changed since it was read.
    #[error("the payment changed since it was read; read it again and decide anew")]
    Stale,
    /// Nothing is held.
    #[error("a payment that is `{0}` holds nothing that could be taken")]
    NotHeld(&'static str),
    /// The shop does not work on the order.
    #[error("the order is `{0}`: only what an accepted order owes is taken by hand")]
    NotAccepted(&'static str),
    /// The provider will not do it.
    #[error("{0}")]
    Refused(String),
    /// The provider cannot be reached.
    #[error("the payment provider is unavailable; try again")]
    Provider,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for TakeError {
    fn kind(&self) -> Kind {
        match self {
            TakeError::NotFound(_) => Kind::NotFound,
            TakeError::Stale => Kind::Stale,
            TakeError::NotHeld(_) | TakeError::NotAccepted(_) | TakeError::Refused(_) => Kind::Conflict,
            TakeError::Provider => Kind::Unavailable,
            TakeError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            TakeError::NotFound(_) => "not-found",
            TakeError::Stale => "stale-revision",
            TakeError::NotHeld(_) | TakeError::NotAccepted(_) => "not-capturable",
            TakeError::Refused(_) => "capture-refused",
            TakeError::Provider => "provider-unavailable",
            TakeError::Store(error) => error.code(),
        }
    }
}

impl From<CaptureError> for TakeError {
    fn from(error: CaptureError) -> TakeError {
        match error {
            CaptureError::NotHeld(status) => TakeError::NotHeld(status.as_str()),
            CaptureError::Provider(ProviderError::Unavailable) => TakeError::Provider,
            CaptureError::Provider(_) | CaptureError::Mismatch { .. } => TakeError::Refused(error.to_string()),
            CaptureError::Settle(error) => TakeError::Store(error.into()),
        }
    }
}

impl App {
    /// The payment of an order, with its disputes.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn payment(&self, order_id: &str) -> Result<PaymentDetail, FindError> {
        let not_found = || FindError::not_found("payment of order", order_id);
        let id = order::private_id(order_id).ok_or_else(not_found)?;
        let payment = Payment::load(&*self.store, id).await?.ok_or_else(not_found)?;
        let query = Query::index(&DISPUTES, "by_order", id).limit(MAX_DISPUTES);
        let disputes = self.store.query(query).await?.rows;
        let disputes = disputes.iter().map(dispute_view).collect::<Result<_, ReadError>>()?;
        Ok(PaymentDetail { disputes, ..detail(&payment) })
    }

    /// A page of payments, those of the newest orders first. With a status a page may hold fewer than its limit and still
    /// have a next one: one call reads 5,000 payments at most.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn payments(&self, list: ListPayments) -> Result<PaymentPage, ListError> {
        let limit = page_limit(list.limit)?;
        let query = Query::table(&PAYMENTS).descending();
        let page = match list.status {
            Some(status) => {
                let wanted = |row: &Row| row.text("status") == Some(status.as_str());
                scan(&*self.store, query, limit, list.cursor, wanted).await?
            }
            None => self.store.query(query.limit(limit).after(list.cursor)).await?,
        };
        let items = page.rows.into_iter().map(|row| Ok(detail(&Payment::from_row(row)?)));
        Ok(PaymentPage { items: items.collect::<Result<_, ReadError>>()?, next: page.next })
    }

    /// A page of disputes.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn disputes(&self, list: ListDisputes) -> Result<DisputePage, ListError> {
        let query = match list.status {
            Some(status) => Query::index(&DISPUTES, "by_status", status.as_str()),
            None => Query::table(&DISPUTES),
        };
        let query = query.descending().limit(page_limit(list.limit)?).after(list.cursor);
        let page = self.store.query(query).await?;
        let items = page.rows.iter().map(dispute_view).collect::<Result<_, ReadError>>()?;
        Ok(DisputePage { items, next: page.next })
    }

    /// Takes what a payment holds, before the flow comes to it: for an order that the shop works on. With `revision`, only if
    /// the payment still has it. Returns once that is durable.
    ///
    /// # Errors
    /// [`TakeError`].
    pub async fn capture_payment(&self, order_id: &str, revision: Option<i64>) -> Result<PaymentDetail, TakeError> {
        let not_found = || TakeError::NotFound(order_id.chars().take(64).collect());
        let id = order::private_id(order_id).ok_or_else(not_found)?;
        let order = Order::load(&*self.store, id).await.map_err(StoreError::from)?.ok_or_else(not_found)?;
        let payment = Payment::load(&*self.store, id).await.map_err(StoreError::from)?.ok_or_else(not_found)?;
        if revision.is_some_and(|revision| revision != payment.revision) {
            return Err(TakeError::Stale);
        }
        if payment.status.is_taken() {
            return Err(TakeError::NotHeld(payment.status.as_str()));
        }
        if !is_accepted(&order) {
            return Err(TakeError::NotAccepted(order.status.as_str()));
        }
        let now = self.now();
        let mut batch = Batch::new();
        self.capture_held(&payment, now, &mut batch).await?;
        order.update(now).note(order.status, Some("the amount was taken by hand")).write(&mut batch);
        match self.commit(batch).await {
            Ok(()) => {}
            // The flow was faster, or the order was called off: the provider has taken the amount once, and whoever looks
            // next finds it taken.
            Err(CommitError::Conflict { .. }) => return Err(TakeError::Stale),
            Err(error) => return Err(StoreError::from(error).into()),
        }
        self.payment(order_id).await.map_err(|error| match error {
            FindError::NotFound { .. } => not_found(),
            FindError::Store(error) => StoreError::from(error).into(),
        })
    }
}

fn detail(payment: &Payment) -> PaymentDetail {
    let (totals, taken) = (payment.totals(), payment.taken());
    PaymentDetail {
        order_id: order::public_id(payment.order_id),
        revision: payment.revision,
        payment: payment_view(payment),
        provider: payment.text("provider").unwrap_or_default().to_owned(),
        intent: payment.intent().map(str::to_owned),
        capture_on: payment.capture_on(),
        capture_before: payment.capture_before().map(Instant),
        fee: payment.fee(),
        refund_pending: taken.refunding,
        disputed: taken.disputed,
        left: taken.left(),
        subtotal: totals.subtotal,
        delivery_fee: totals.delivery_fee,
        service_fee: totals.service_fee,
        tip: totals.tip,
        disputes: Vec::new(),
    }
}

fn dispute_view(row: &Row) -> Result<DisputeView, ReadError> {
    let int = |column: &str| row.int(column).ok_or_else(|| damaged(row, column));
    let status = row.text("status").and_then(DisputeStatus::from_name);
    Ok(DisputeView {
        dispute_id: row.key().text().unwrap_or_default().to_owned(),
        order_id: order::public_id(int("order_id")?),
        status: status.ok_or_else(|| damaged(row, "status"))?,
        amount: int("amount")?,
        fee: int("fee")?,
        currency: row.text("currency").and_then(Currency::from_code).ok_or_else(|| damaged(row, "currency"))?,
        reason: row.text("reason").unwrap_or_default().to_owned(),
        respond_by: row.int("respond_by").map(Instant),
        opened_at: Instant(int("opened_at")?),
    })
}
