//! Credit notes: a document for each refund that went back.

use bytes::Bytes;
use domain::basket::Line;
use domain::receipt::CreditNote;
use sha2::{Digest, Sha256};
use store::{Query, ReadError, Store};

use super::credit_note_pdf::render;
use super::{Document, DownloadError, ReceiptFile, TEMPLATE, local_time, method};
use crate::commands::ListPage;
use crate::orders::page_limit;
use crate::records::credit_note::{self, CREDIT_NOTES, CreditNoteRecord};
use crate::records::issuer::Issuer;
use crate::records::receipt::ReceiptRecord;
use crate::records::refund::{self, Refund};
use crate::records::{Order, Payment, order};
use crate::views::{CreditNoteLink, CreditNotePage, CreditNoteSummary};
use crate::{App, FindError, Instant, ListError, mail, signature};

impl App {
    /// A link to the credit note of a refund, `rfd_...`, good for a while.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn credit_note(&self, refund_id: &str) -> Result<CreditNoteLink, FindError> {
        let not_found = || FindError::not_found("credit note of refund", refund_id);
        let (order_id, number) = refund::private_id(refund_id).ok_or_else(not_found)?;
        let record = self.credit_note_of(order_id, number).await?.ok_or_else(not_found)?;
        let (url, expires_at) = self.link("/v1/credit-notes", &credit_note::public_id(order_id, number));
        Ok(CreditNoteLink {
            number: record.number,
            refund_id: refund::public_id(order_id, number),
            receipt: record.receipt,
            url,
            expires_at,
            sha256: record.sha256,
        })
    }

    /// A page of credit notes, newest first.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn credit_notes(&self, list: ListPage) -> Result<CreditNotePage, ListError> {
        let limit = page_limit(list.limit)?;
        let query = Query::table(&CREDIT_NOTES).descending().limit(limit).after(list.cursor);
        let page = self.store.query(query).await?;
        let summary = |record: CreditNoteRecord| CreditNoteSummary {
            number: record.number,
            refund_id: refund::public_id(record.order_id, record.refund),
            order_id: order::public_id(record.order_id),
            receipt: record.receipt,
            amount: record.amount,
            issued_at: Instant(record.issued_at),
            sha256: record.sha256,
        };
        let records = page.rows.iter().map(CreditNoteRecord::from_row);
        let items = records.map(|record| record.map(summary)).collect::<Result<_, _>>()?;
        Ok(CreditNotePage { items, next: page.next })
    }

    /// The document behind a link: `id` is `crn_...` without `.pdf`, the rest comes from its query.
    ///
    /// # Errors
    /// [`DownloadError`].
    pub async fn credit_note_file(
        &self,
        id: &str,
        expires: i64,
        signature: &str,
    ) -> Result<ReceiptFile, DownloadError> {
        self.check_link(id, expires, signature)?;
        let not_found = || FindError::not_found("credit note", id);
        let (order_id, number) = credit_note::private_id(id).ok_or_else(not_found)?;
        let record = self.credit_note_of(order_id, number).await.map_err(FindError::from)?.ok_or_else(not_found)?;
        if let Some(file) = self.stored(id, record.number, &record.sha256).await {
            return Ok(file);
        }
        let document = credit_note_again(&*self.store, &record).await.map_err(FindError::from)?;
        self.restored(id, order_id, record.number, &record.sha256, document).await
    }

    async fn credit_note_of(&self, order_id: i64, number: i64) -> Result<Option<CreditNoteRecord>, ReadError> {
        let refund = Refund::load(&*self.store, order_id, number).await?;
        match refund.and_then(|refund| refund.int("credit_note")) {
            Some(note) => CreditNoteRecord::load(&*self.store, note).await,
            None => Ok(None),
        }
    }

    /// Issues the credit note of a refund under that number: its record and its document.
    pub(crate) async fn issue_credit_note(
        &self,
        order: &Order,
        payment: &Payment,
        refund: &Refund,
        number: i64,
        now: i64,
    ) -> Result<(CreditNoteRecord, Bytes), ReadError> {
        // A receipt that is not durable yet is left out: it cannot have left the process.
        let receipt = ReceiptRecord::of_order(&*self.store, order.id).await?.filter(|_| !refund.is_stray());
        let mut record = CreditNoteRecord {
            number,
            order_id: order.id,
            refund: refund.number,
            receipt: receipt.map(|receipt| receipt.number),
            issued_at: now,
            utc_offset_s: self.utc_offset_s(now),
            issuer_id: self.issuer.id,
            locale: mail::locale(order.customer()?.as_ref()),
            amount: refund.amount,
            sha256: String::new(),
        };
        let document = print(order, payment, refund, &record, &self.issuer)?;
        record.sha256 = document.sha256;
        Ok((record, document.bytes))
    }
}

/// The document of a credit note once more, as [`super::receipt_again`].
pub(crate) async fn credit_note_again(
    store: &dyn Store,
    record: &CreditNoteRecord,
) -> Result<Option<Document>, ReadError> {
    let order = Order::load(store, record.order_id).await?;
    let payment = Payment::load(store, record.order_id).await?;
    let refund = Refund::load(store, record.order_id, record.refund).await?;
    let issuer = Issuer::load(store, record.issuer_id).await?;
    let (Some(order), Some(payment), Some(refund), Some(issuer)) = (order, payment, refund, issuer) else {
        return Ok(None);
    };
    if issuer.template != TEMPLATE {
        return Ok(None);
    }
    Ok(Some(print(&order, &payment, &refund, record, &issuer)?))
}

/// Makes the document of a credit note: the same records, the same bytes.
fn print(
    order: &Order,
    payment: &Payment,
    refund: &Refund,
    record: &CreditNoteRecord,
    issuer: &Issuer,
) -> Result<Document, ReadError> {
    let sold = order.body()?.lines;
    let back = refund.lines()?.into_iter().filter_map(|back| {
        let line = sold.get(back.line)?.clone();
        Some(Line { quantity: back.quantity, total: line.unit_price.saturating_mul(back.quantity), ..line })
    });
    let note = CreditNote {
        number: record.number,
        receipt: record.receipt,
        order_number: order.number(),
        refund_id: refund.public_id(),
        merchant: issuer.merchant.clone(),
        issued_at: local_time(record.issued_at, record.utc_offset_s, record.locale),
        reason: refund.reason,
        lines: back.collect(),
        amount: record.amount,
        currency: order.currency(),
        method: (!refund.is_stray()).then(|| method(payment)),
        locale: record.locale,
    };
    let bytes = render(&note);
    Ok(Document { sha256: signature::hex(&Sha256::digest(&bytes)), bytes: bytes.into() })
}
