//! Receipts: numbers, documents and links.

mod files;
mod metrics;
mod numbers;
mod pdf;

use bytes::Bytes;
use domain::receipt::{Method, Receipt};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use store::ReadError;

pub(crate) use files::Files;
pub(crate) use numbers::Numbers;

use crate::records::order;
use crate::records::receipt::{self, ReceiptRecord};
use crate::records::{Order, Payment};
use crate::views::ReceiptLink;
use crate::{App, FindError, Instant, Kind, Problem, mail, signature};

/// A receipt's document.
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
    /// There is none, or the store failed.
    #[error(transparent)]
    Find(#[from] FindError),
}

impl Problem for DownloadError {
    fn kind(&self) -> Kind {
        match self {
            DownloadError::Forged => Kind::Unauthenticated,
            DownloadError::Expired => Kind::Gone,
            DownloadError::Find(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            DownloadError::Forged => "invalid-link",
            DownloadError::Expired => "link-expired",
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
        let expires_at = self.now() + self.settings.receipt_link_ms;
        let receipt_id = receipt::public_id(id);
        let expires = expires_at / 1000;
        let signature = self.link_signature(&receipt_id, expires);
        Ok(ReceiptLink {
            number: record.number,
            url: format!("/v1/receipts/{receipt_id}.pdf?expires={expires}&signature={signature}"),
            expires_at: Instant(expires * 1000),
            sha256: record.sha256,
        })
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
        let good = self.link_signature(receipt_id, expires);
        if !signature::same(good.as_bytes(), signature.as_bytes()) {
            return Err(DownloadError::Forged);
        }
        if expires.saturating_mul(1000) < self.now() {
            return Err(DownloadError::Expired);
        }
        let not_found = || FindError::not_found("receipt", receipt_id);
        let id = receipt::private_id(receipt_id).ok_or_else(not_found)?;
        let record = ReceiptRecord::of_order(&*self.store, id).await.map_err(FindError::from)?;
        let record = record.ok_or_else(not_found)?;
        if let Some(bytes) = self.files.get(id).await
            && signature::hex(&Sha256::digest(&bytes)) == record.sha256
        {
            return Ok(ReceiptFile { number: record.number, sha256: record.sha256, bytes });
        }
        // The file is missing or not what was issued: the record makes the same bytes again.
        let document = self.document(id, record.number, record.issued_at).await;
        let document = document.map_err(FindError::from)?.ok_or_else(not_found)?;
        if document.sha256 != record.sha256 {
            tracing::warn!(receipt = record.number, "a receipt's document differs from the one issued");
        }
        self.files.put(id, document.bytes.clone());
        Ok(ReceiptFile { number: record.number, sha256: document.sha256, bytes: document.bytes })
    }

    fn link_signature(&self, receipt_id: &str, expires: i64) -> String {
        let expires = expires.to_string();
        let parts: [&[u8]; 3] = [receipt_id.as_bytes(), b".", expires.as_bytes()];
        signature::hex(&signature::hmac(&self.secrets.receipts, &parts))
    }

    async fn document(&self, id: i64, number: i64, issued_at: i64) -> Result<Option<Document>, ReadError> {
        let order = Order::load(&*self.store, id).await?;
        let payment = Payment::load(&*self.store, id).await?;
        let (Some(order), Some(payment)) = (order, payment) else {
            return Ok(None);
        };
        Ok(Some(self.print(&order, &payment, number, issued_at)?))
    }

    /// Makes the document of an order's receipt.
    pub(crate) fn print(
        &self,
        order: &Order,
        payment: &Payment,
        number: i64,
        issued_at: i64,
    ) -> Result<Document, ReadError> {
        let body = order.body()?;
        let locale = mail::locale(order.customer()?.as_ref());
        let card = payment.text("card").and_then(|card| card.split_once(' '));
        let receipt = Receipt {
            number,
            order_number: order.number(),
            order_id: order.public_id(),
            merchant: self.settings.merchant.clone(),
            issued_at: self.local_time(issued_at, locale),
            lines: body.lines,
            subtotal: body.subtotal,
            delivery_fee: body.delivery_fee,
            tip: body.tip,
            total: order.total(),
            currency: order.currency(),
            method: match (payment.method(), card) {
                ("pix", _) => Method::Pix,
                (_, Some((brand, last4))) => Method::Card { brand: brand.to_owned(), last4: last4.to_owned() },
                _ => Method::Card { brand: String::new(), last4: String::new() },
            },
            locale,
        };
        let bytes = pdf::render(&receipt);
        Ok(Document { sha256: signature::hex(&Sha256::digest(&bytes)), bytes: bytes.into() })
    }

    /// An instant in the merchant's time zone, as people write it.
    fn local_time(&self, at: i64, locale: domain::money::Locale) -> String {
        let instant = Timestamp::from_millisecond(at).unwrap_or_default();
        let local = instant.to_zoned(self.zone.clone());
        let format = match locale {
            domain::money::Locale::Portuguese => "%d/%m/%Y %H:%M",
            domain::money::Locale::English => "%Y-%m-%d %H:%M",
        };
        local.strftime(format).to_string()
    }
}
