//! What callers see: the answers of the API.

mod account;
mod audit;
mod bench;
mod catalogue;
mod document;
mod mail;
mod order;
mod payment;
mod refund;

pub use account::{EventPage, EventSetAside, Explanation, PayoutPage, PayoutView, ReconciliationPage, Unmatched};
pub use audit::{AuditMoney, AuditReport, Difference, Stats};
pub use bench::{BenchStatus, BenchVerdict};
pub use catalogue::{CatalogueView, CheckoutForm, CheckoutView, ProductView, StockView};
pub use document::{CreditNoteLink, CreditNotePage, CreditNoteSummary, ReceiptLink, ReceiptSummary};
pub use mail::{MailPage, MailView};
pub use order::{
    DeliveryView, KitchenList, KitchenOrder, OrderChange, OrderPage, OrderSummary, OrderView, PlacedOrder,
    TimelineEntry,
};
pub use payment::{DisputePage, DisputeView, Failure, PaymentDetail, PaymentPage, PaymentView};
pub use refund::{RefundList, RefundPage, RefundView};
