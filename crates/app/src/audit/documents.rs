//! Receipts and credit notes: their numbers have no holes, they say what was taken and given back, and the rows still make the
//! documents that were issued.

use store::ReadError;

use super::{Pages, Run, difference};
use crate::receipts::{credit_note_again, receipt_again};
use crate::records::credit_note::{CREDIT_NOTES, CreditNoteRecord};
use crate::records::receipt::{RECEIPTS, ReceiptRecord};
use crate::records::refund::Refund;
use crate::records::{Payment, order, refund};

impl Run<'_> {
    pub(super) async fn receipts(&mut self) -> Result<(), ReadError> {
        let mut pages = Pages::open(&*self.view, &RECEIPTS).await?;
        let mut expected = 1;
        while let Some(row) = pages.next(self, "receipts").await? {
            self.count("receipts");
            let number = row.key().int().unwrap_or(0);
            self.gap("receipt-number-gap", "receipts", &mut expected, number);
            let Ok(receipt) = ReceiptRecord::from_row(&row) else {
                self.differ(difference("unreadable-receipt", number.to_string(), "its row cannot be read"));
                continue;
            };
            let subject = order::public_id(receipt.order_id);
            let captured = Payment::load(&*self.view, receipt.order_id).await.ok().flatten().map_or(0, |p| p.captured);
            if captured != receipt.total {
                let detail = format!("the receipt says {}, {captured} was taken", receipt.total);
                self.differ(difference("receipt-amount", subject.clone(), detail));
            }
            // One of an older template keeps its file, and cannot be made again.
            match receipt_again(&*self.view, &receipt).await {
                Ok(Some(document)) if document.sha256 != receipt.sha256 => {
                    let detail = format!("the rows make another document than receipt {number}");
                    self.differ(difference("receipt-document", subject, detail));
                }
                Ok(_) => {}
                Err(_) => self.differ(difference("receipt-document", subject, "the rows make no document")),
            }
        }
        Ok(())
    }

    pub(super) async fn credit_notes(&mut self) -> Result<(), ReadError> {
        let mut pages = Pages::open(&*self.view, &CREDIT_NOTES).await?;
        let mut expected = 1;
        while let Some(row) = pages.next(self, "credit-notes").await? {
            self.count("credit-notes");
            let number = row.key().int().unwrap_or(0);
            self.gap("credit-note-number-gap", "credit notes", &mut expected, number);
            let Ok(note) = CreditNoteRecord::from_row(&row) else {
                self.differ(difference("unreadable-credit-note", number.to_string(), "its row cannot be read"));
                continue;
            };
            let subject = refund::public_id(note.order_id, note.refund);
            let refund = Refund::load(&*self.view, note.order_id, note.refund).await.ok().flatten();
            if refund.and_then(|refund| refund.int("credit_note")) != Some(number) {
                let detail = format!("credit note {number} over {} is of no refund that has it", note.amount);
                self.differ(difference("credit-note-without-refund", subject.clone(), detail));
                continue;
            }
            match credit_note_again(&*self.view, &note).await {
                Ok(Some(document)) if document.sha256 != note.sha256 => {
                    let detail = format!("the rows make another document than credit note {number}");
                    self.differ(difference("credit-note-document", subject, detail));
                }
                Ok(_) => {}
                Err(_) => self.differ(difference("credit-note-document", subject, "the rows make no document")),
            }
        }
        Ok(())
    }

    fn gap(&mut self, code: &str, what: &str, expected: &mut i64, number: i64) {
        if number != *expected {
            let detail = format!("{what} {expected} to {} are missing", number - 1);
            self.differ(difference(code, number.to_string(), detail));
        }
        *expected = number + 1;
    }
}
