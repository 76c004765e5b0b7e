//! Receipts and credit notes: numbers, documents and links.

mod credit_note_pdf;
mod credit_notes;
mod files;
mod metrics;
mod numbers;
mod pdf;

use std::time::Duration;

use bytes::Bytes;
use domain::money::Locale;
use domain::receipt::{Method, Receipt};
use jiff::Timestamp;
use jiff::tz::Offset;
use sha2::{Digest, Sha256};
use store::{Batch, ReadError, Store};

pub(crate) use credit_note_pdf::reason_words;
pub(crate) use credit_notes::credit_note_again;
pub(crate) use files::Files;
pub use files::Links;
pub(crate) use numbers::Numbers;
pub(crate) use pdf::TEMPLATE;

use crate::records::issuer::Issuer;
use crate::records::order;
use crate::records::receipt::{self, ReceiptRecord};
use crate::records::{Order, Payment};
use crate::views::ReceiptLink;
use crate::{App, FindError, Instant, Kind, Problem, mail, signature};

/// The document of a receipt or a credit note.
#[derive(Debug, Clone)]
pub struct ReceiptFile {
    /// Gapless.
    pub number: i64,
    /// SHA-256 in hex; the ETag.
    pub sha256: String,
    /// A PDF.
    pub bytes: Bytes,
}

/// Why a receipt could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The signature is not that of the link.
    #[error("the link is not one of ours; ask the order for a new one")]
    Forged,
    /// Too old.
    #[error("the link has expired; ask the order for a new one")]
    Expired,
    /// The document is gone, and what would be made now is not what was issued.
    #[error("the document `{0}` is lost and cannot be made again as it was; ask the shop")]
    Lost(i64),
    /// There is none, or the store failed.
    #[error(transparent)]
    Find(#[from] FindError),
}

impl Problem for DownloadError {
    fn kind(&self) -> Kind {
        match self {
            DownloadError::Forged => Kind::Unauthenticated,
            DownloadError::Expired | DownloadError::Lost(_) => Kind::Gone,
            DownloadError::Find(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            DownloadError::Forged => "invalid-link",
            DownloadError::Expired => "link-expired",
            DownloadError::Lost(_) => "receipt-lost",
            DownloadError::Find(error) => error.code(),
        }
    }
}

/// A document and its hash.
pub(crate) struct Document {
    pub(crate) bytes: Bytes,
    pub(crate) sha256: String,
}

impl App {
    /// A link to the receipt of an order, good for a while.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn receipt(&self, order_id: &str) -> Result<ReceiptLink, FindError> {
        let not_found = || FindError::not_found("receipt of order", order_id);
        let id = order::private_id(order_id).ok_or_else(not_found)?;
        let record = ReceiptRecord::of_order(&*self.store, id).await?.ok_or_else(not_found)?;
        let receipt_id = receipt::public_id(id);
        let (mut url, expires_at) = self.link("/v1/receipts", &receipt_id);
        if let Some(direct) = self.direct_link(&receipt_id, &record).await? {
            url = direct;
        }
        Ok(ReceiptLink { number: record.number, url, expires_at, sha256: record.sha256 })
    }

    /// A link to a document that works for a while: path and query, and until when.
    fn link(&self, folder: &str, id: &str) -> (String, Instant) {
        let expires = (self.now() + self.settings.receipt_link_ms) / 1000;
        let signature = self.link_signature(id, expires);
        (format!("{folder}/{id}.pdf?expires={expires}&signature={signature}"), Instant(expires * 1000))
    }

    /// A link that works without this server, where the store of the documents makes such links.
    async fn direct_link(&self, receipt_id: &str, record: &ReceiptRecord) -> Result<Option<String>, FindError> {
        if !self.files.has_links() {
            return Ok(None);
        }
        if !self.files.exists(receipt_id).await
            && let Some(document) = receipt_again(&*self.store, record).await?
        {
            self.files.put(receipt_id, document.bytes).await;
        }
        let time = Duration::from_millis(self.settings.receipt_link_ms.unsigned_abs());
        let link = self.files.link(receipt_id, time).await.transpose();
        link.map_err(|error| ReadError::Unavailable(error).into())
    }

    /// Whether a link is ours and still good.
    fn check_link(&self, id: &str, expires: i64, signature: &str) -> Result<(), DownloadError> {
        let good = self.link_signature(id, expires);
        if !signature::same(good.as_bytes(), signature.as_bytes()) {
            return Err(DownloadError::Forged);
        }
        if expires.saturating_mul(1000) < self.now() {
            return Err(DownloadError::Expired);
        }
        Ok(())
    }

    /// The document behind a link: `receipt_id` without `.pdf`, `expires` (seconds since the epoch) and `signature` from its
    /// query.
    ///
    /// # Errors
    /// [`DownloadError`].
    pub async fn receipt_file(
        &self,
        receipt_id: &str,
        expires: i64,
        signature: &str,
    ) -> Result<ReceiptFile, DownloadError> {
        self.check_link(receipt_id, expires, signature)?;
        let not_found = || FindError::not_found("receipt", receipt_id);
        let id = receipt::private_id(receipt_id).ok_or_else(not_found)?;
        let record = ReceiptRecord::of_order(&*self.store, id).await.map_err(FindError::from)?;
        let record = record.ok_or_else(not_found)?;
        if let Some(file) = self.stored(receipt_id, record.number, &record.sha256).await {
            return Ok(file);
        }
        // The file is missing or not what was issued: the record makes the same bytes again.
        let document = receipt_again(&*self.store, &record).await.map_err(FindError::from)?;
        self.restored(receipt_id, id, record.number, &record.sha256, document).await
    }

    /// The stored document, if it is what was issued.
    async fn stored(&self, document_id: &str, number: i64, sha256: &str) -> Option<ReceiptFile> {
        let bytes = self.files.get(document_id).await?;
        let same = signature::hex(&Sha256::digest(&bytes)) == sha256;
        same.then(|| ReceiptFile { number, sha256: sha256.to_owned(), bytes })
    }

    /// The document that was made again, if it is what was issued.
    async fn restored(
        &self,
        document_id: &str,
        order_id: i64,
        number: i64,
        sha256: &str,
        document: Option<Document>,
    ) -> Result<ReceiptFile, DownloadError> {
        let Some(document) = document.filter(|document| document.sha256 == sha256) else {
            self.flag_lost(order_id, document_id, number).await;
            return Err(DownloadError::Lost(number));
        };
        self.files.put(document_id, document.bytes.clone()).await;
        Ok(ReceiptFile { number, sha256: document.sha256, bytes: document.bytes })
    }

    /// Puts the order of a lost document before a person; if that cannot be written now, the next download tries again.
    async fn flag_lost(&self, id: i64, document_id: &str, number: i64) {
        let what = if document_id.starts_with("crn_") { "credit note" } else { "receipt" };
        let reason = format!("the document of {what} {number} is lost and cannot be made again as it was");
        tracing::error!(what, number, "a document is lost");
        if let Ok(Some(order)) = Order::load(&*self.store, id).await
            && order.attention().is_none()
        {
            let now = self.now();
            let mut batch = Batch::new();
            order.update(now).note(order.status, Some(&reason)).attention(&reason).write(&mut batch);
            drop(self.store.commit(batch).await);
        }
    }

    fn link_signature(&self, receipt_id: &str, expires: i64) -> String {
        let expires = expires.to_string();
        let parts: [&[u8]; 3] = [receipt_id.as_bytes(), b".", expires.as_bytes()];
        signature::hex(&signature::hmac(&self.secrets.receipts, &parts))
    }

    /// How far the merchant's time is ahead of UTC at an instant.
    fn utc_offset_s(&self, now: i64) -> i64 {
        let instant = Timestamp::from_millisecond(now).unwrap_or_default();
        self.zone.to_offset(instant).seconds().into()
    }

    /// Issues the receipt of an order under that number: its record and its document.
    pub(crate) fn issue(
        &self,
        order: &Order,
        payment: &Payment,
        number: i64,
        now: i64,
    ) -> Result<(ReceiptRecord, Bytes), ReadError> {
        let mut record = ReceiptRecord {
            number,
            order_id: order.id,
            issued_at: now,
            utc_offset_s: self.utc_offset_s(now),
            issuer_id: self.issuer.id,
            locale: mail::locale(order.customer()?.as_ref()),
            total: payment.captured,
            sha256: String::new(),
        };
        let document = print(order, payment, &record, &self.issuer)?;
        record.sha256 = document.sha256;
        Ok((record, document.bytes))
    }
}

/// The document of a receipt once more, out of what was written down when it was issued; `None` if that is gone, or of an
/// older template.
pub(crate) async fn receipt_again(store: &dyn Store, record: &ReceiptRecord) -> Result<Option<Document>, ReadError> {
    let order = Order::load(store, record.order_id).await?;
    let payment = Payment::load(store, record.order_id).await?;
    let issuer = Issuer::load(store, record.issuer_id).await?;
    let (Some(order), Some(payment), Some(issuer)) = (order, payment, issuer) else {
        return Ok(None);
    };
    if issuer.template != TEMPLATE {
        return Ok(None);
    }
    Ok(Some(print(&order, &payment, record, &issuer)?))
}

/// Makes the document of a receipt: the same records, the same bytes.
fn print(order: &Order, payment: &Payment, record: &ReceiptRecord, issuer: &Issuer) -> Result<Document, ReadError> {
    let body = order.body()?;
    let receipt = Receipt {
        number: record.number,
        order_number: order.number(),
        order_id: order.public_id(),
        merchant: issuer.merchant.clone(),
        issued_at: local_time(record.issued_at, record.utc_offset_s, record.locale),
        lines: body.lines,
        subtotal: body.subtotal,
        delivery_fee: body.delivery_fee,
        service_fee: body.service_fee,
        tip: body.tip,
        total: order.total(),
        currency: order.currency(),
        method: method(payment),
        locale: record.locale,
    };
    let bytes = pdf::render(&receipt);
    Ok(Document { sha256: signature::hex(&Sha256::digest(&bytes)), bytes: bytes.into() })
}

/// How an order was paid, as documents say it.
fn method(payment: &Payment) -> Method {
    let card = payment.text("card").and_then(|card| card.split_once(' '));
    match (payment.method(), card) {
        ("pix", _) => Method::Pix,
        ("paypal", _) => Method::PayPal,
        (_, Some((brand, last4))) => Method::Card { brand: brand.to_owned(), last4: last4.to_owned() },
        _ => Method::Card { brand: String::new(), last4: String::new() },
    }
}

/// When a document was issued in the merchant's time then, as people write it.
fn local_time(issued_at: i64, utc_offset_s: i64, locale: Locale) -> String {
    let instant = Timestamp::from_millisecond(issued_at).unwrap_or_default();
    let offset = i32::try_from(utc_offset_s).ok().and_then(|seconds| Offset::from_seconds(seconds).ok());
    let local = instant.to_zoned(offset.unwrap_or(Offset::UTC).to_time_zone());
    let format = match locale {
        Locale::Portuguese => "%d/%m/%Y %H:%M",
        Locale::English => "%Y-%m-%d %H:%M",
    };
    local.strftime(format).to_string()
}
