//! What receipts and credit notes say, before they become documents. They name no person: erasing a customer need not
//! touch them.

use crate::basket::Line;
use crate::money::{Currency, Locale};
use crate::refund::RefundReason;

/// Who sells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merchant {
    /// The name over the door.
    pub name: String,
    /// Tax number (CNPJ, VAT number), as it is printed.
    pub tax_id: String,
    /// One line.
    pub address: String,
}

/// Everything that is printed. The same model always makes the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Gapless.
    pub number: i64,
    /// The order's number.
    pub order_number: i64,
    /// The order's id.
    pub order_id: String,
    /// Who sells.
    pub merchant: Merchant,
    /// When it was issued, in the merchant's time zone, as it is printed.
    pub issued_at: String,
    /// The lines, frozen.
    pub lines: Vec<Line>,
    /// Of the lines.
    pub subtotal: i64,
    /// Of the courier.
    pub delivery_fee: i64,
    /// For the service.
    pub service_fee: i64,
    /// For the staff.
    pub tip: i64,
    /// What was paid.
    pub total: i64,
    /// Of all amounts.
    pub currency: Currency,
    /// How it was paid.
    pub method: Method,
    /// The language.
    pub locale: Locale,
}

/// Everything that is printed of a refund. The same model always makes the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditNote {
    /// Gapless.
    pub number: i64,
    /// The number of the receipt that it corrects; `None` if the money went back before a receipt was issued.
    pub receipt: Option<i64>,
    /// The order's number.
    pub order_number: i64,
    /// The refund's id.
    pub refund_id: String,
    /// Who sells.
    pub merchant: Merchant,
    /// When it was issued, in the merchant's time zone, as it is printed.
    pub issued_at: String,
    /// Why.
    pub reason: RefundReason,
    /// The lines with the quantities that go back; empty if the refund is of an amount only.
    pub lines: Vec<Line>,
    /// What goes back.
    pub amount: i64,
    /// Of all amounts.
    pub currency: Currency,
    /// How it was paid, and goes back; `None` for money of a try that the order does not count with.
    pub method: Option<Method>,
    /// The language.
    pub locale: Locale,
}

/// How it was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// By card.
    Card {
        /// The brand, if known.
        brand: String,
        /// The last four digits.
        last4: String,
    },
    /// By Pix.
    Pix,
    /// With PayPal.
    PayPal,
}
