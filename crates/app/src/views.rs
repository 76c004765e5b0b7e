//! What callers see: the answers of the API.

use std::collections::BTreeMap;

use domain::Currency;
use domain::basket::Line;
use domain::catalogue::Product;
use domain::customer::Customer;
use domain::delivery::{Address, DeliveryKind, DeliveryStatus};
use domain::dispute::DisputeStatus;
use domain::money::Locale;
use domain::notification::Notice;
use domain::order::{Action, OrderStatus};
use domain::payment::{CaptureOn, PaymentStatus};
use domain::refund::{RefundLine, RefundReason, RefundStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Instant;

/// The answer to a placed order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacedOrder {
    /// `ord_...`
    pub order_id: String,
    /// The number that people call out.
    pub number: i64,
    /// Always CHECKOUT: follow the order for more.
    pub status: OrderStatus,
    /// Minor units.
    pub total: i64,
    /// Of the total.
    pub currency: Currency,
    /// Where the customer follows the order, without host.
    pub tracking_url: String,
    /// Proves that the caller may see this order without signing in.
    pub tracking_token: String,
    /// Until when it must be paid.
    pub expires_at: Instant,
}

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderView {
    /// `ord_...`
    pub order_id: String,
    /// The number that people call out.
    pub number: i64,
    /// Where it stands.
    pub status: OrderStatus,
    /// Grows with every change; the ETag.
    pub revision: i64,
    /// When it was placed.
    pub placed_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
    /// Absent for an anonymous order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
    /// The frozen lines.
    pub lines: Vec<Line>,
    /// For the kitchen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Of the lines, in minor units.
    pub subtotal: i64,
    /// Of the courier.
    pub delivery_fee: i64,
    /// For the service.
    pub service_fee: i64,
    /// For the staff.
    pub tip: i64,
    /// What is charged.
    pub total: i64,
    /// Of all amounts.
    pub currency: Currency,
    /// The payment.
    pub payment: PaymentView,
    /// The delivery.
    pub delivery: DeliveryView,
    /// Once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptSummary>,
    /// What happened so far, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// The workflow that carries the order.
    pub execution_id: String,
    /// What may be done with it now.
    pub actions: Vec<Action>,
    /// Set when a person has to look: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_attention: Option<String>,
    /// Set when cancelling was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_reason: Option<String>,
}

/// One step in the life of an order.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// When.
    pub at: Instant,
    /// The status it reached.
    pub status: OrderStatus,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A payment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentView {
    /// `pay_...`
    pub payment_id: String,
    /// Where it stands.
    pub status: PaymentStatus,
    /// `card`, `pix`, or the provider's own way, as `paypal`.
    pub method: String,
    /// Brand and last four digits, for a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// How often the customer has tried.
    pub attempts: i64,
    /// Minor units.
    pub amount: i64,
    /// What was taken.
    pub captured: i64,
    /// What was given back.
    pub refunded: i64,
    /// Of all amounts.
    pub currency: Currency,
    /// Why the last attempt was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The Pix payload ("copia e cola"), also drawn as a QR code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qr: Option<String>,
    /// Where the customer authenticates, or pays, if the provider asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_url: Option<String>,
    /// What the provider's form on the page needs to take the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Until when it must be paid.
    pub expires_at: Instant,
}

/// A payment as the staff sees it: the customer's view, and what stands behind it. Amounts are minor units.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentDetail {
    /// `ord_...`
    pub order_id: String,
    /// The ETag.
    pub revision: i64,
    /// What the customer sees.
    #[serde(flatten)]
    pub payment: PaymentView,
    /// Who takes the money, as `stripe`.
    pub provider: String,
    /// The provider's id of the current try.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// When the amount is taken.
    pub capture_on: CaptureOn,
    /// Until when a held amount can be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture_before: Option<Instant>,
    /// What the provider keeps, once it has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee: Option<i64>,
    /// Set apart for refunds that are not decided.
    pub refund_pending: i64,
    /// What the customer's bank has taken back.
    pub disputed: i64,
    /// What can still be given back.
    pub left: i64,
    /// What the amount is made of: the lines.
    pub subtotal: i64,
    /// The courier.
    pub delivery_fee: i64,
    /// The service.
    pub service_fee: i64,
    /// For the staff.
    pub tip: i64,
    /// Its disputes; empty in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disputes: Vec<DisputeView>,
}

/// A dispute: the customer's bank asks for the money back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DisputeView {
    /// The provider's id.
    pub dispute_id: String,
    /// Where it stands.
    pub status: DisputeStatus,
    /// Minor units.
    pub amount: i64,
    /// What the provider took for it so far, minor units.
    pub fee: i64,
    /// Of the amounts.
    pub currency: Currency,
    /// The customer's reason by the provider's code, as `fraudulent`.
    pub reason: String,
    /// Until when the shop can answer, in the provider's console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub respond_by: Option<Instant>,
    /// When it was heard of.
    pub opened_at: Instant,
}

/// A page of payments.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PaymentPage {
    /// Those of the newest orders first.
    pub items: Vec<PaymentDetail>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Why a payment was refused.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Stable: the provider's code, as `card_declined`.
    pub code: String,
    /// For the customer.
    pub message: String,
}

/// A delivery.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryView {
    /// Pickup or courier.
    #[serde(rename = "type")]
    pub kind: DeliveryKind,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// `dlv_...`, once a courier was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_id: Option<String>,
    /// Where to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Who brings it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub courier: Option<String>,
}

/// A refund.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundView {
    /// `rfd_...`
    pub refund_id: String,
    /// `ord_...`
    pub order_id: String,
    /// Where it stands.
    pub status: RefundStatus,
    /// Grows with every change.
    pub revision: i64,
    /// Minor units.
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
    /// Why.
    pub reason: RefundReason,
    /// More about it, for the staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Which units of which lines; empty for a refund of an amount only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<RefundLine>,
    /// Which try with the provider, from 1.
    pub attempt: i64,
    /// The provider's own id, once it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_refund: Option<String>,
    /// When it was asked for.
    pub requested_at: Instant,
    /// When the provider decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Instant>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Whether its flow has given up, so that a person has to try again.
    pub halted: bool,
    /// The number of its credit note, once it is issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit_note: Option<i64>,
}

/// The refunds of one payment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundList {
    /// Oldest first.
    pub items: Vec<RefundView>,
    /// Of the payment, for If-Match.
    pub revision: i64,
    /// What was taken, in minor units.
    pub captured: i64,
    /// What went back.
    pub refunded: i64,
    /// What is set apart for refunds that are not decided.
    pub pending: i64,
    /// What can still be given back.
    pub left: i64,
}

/// A page of refunds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RefundPage {
    /// Those of the newest orders first, or with a status the newest first.
    pub items: Vec<RefundView>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A credit note.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreditNoteSummary {
    /// Gapless.
    pub number: i64,
    /// `rfd_...`
    pub refund_id: String,
    /// `ord_...`
    pub order_id: String,
    /// The number of the receipt that it corrects; absent if the money went back before there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<i64>,
    /// Minor units.
    pub amount: i64,
    /// When it was issued.
    pub issued_at: Instant,
    /// SHA-256 of the document, in hex.
    pub sha256: String,
}

/// A page of credit notes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreditNotePage {
    /// Newest first.
    pub items: Vec<CreditNoteSummary>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Where to download a credit note.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreditNoteLink {
    /// Gapless.
    pub number: i64,
    /// `rfd_...`
    pub refund_id: String,
    /// The number of the receipt that it corrects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<i64>,
    /// Path and query, signed.
    pub url: String,
    /// Until when the link works.
    pub expires_at: Instant,
    /// SHA-256 of the document, in hex.
    pub sha256: String,
}

/// An event of the provider that could not be taken, however often it was tried.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventSetAside {
    /// The provider's id of the event.
    pub event_id: String,
    /// The provider's name.
    pub provider: String,
    /// The provider's id of the payment, refund or dispute that it tells of.
    pub about: String,
    /// What went wrong the last time.
    pub problem: String,
    /// When it happened.
    pub at: Instant,
    /// How often it was tried.
    pub tries: i64,
    /// When it was tried last.
    pub failed_at: Instant,
}

/// A page of events that were set aside.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// Newest first.
    pub items: Vec<EventSetAside>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A payout of the provider to the shop's bank account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PayoutView {
    /// The provider's id.
    pub payout_id: String,
    /// The provider's name.
    pub provider: String,
    /// Minor units.
    pub amount: i64,
    /// What the provider took for it.
    pub fee: i64,
    /// ISO 4217.
    pub currency: String,
    /// When.
    pub at: Instant,
}

/// A page of payouts.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PayoutPage {
    /// Newest first.
    pub items: Vec<PayoutView>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A line of the provider's account, or a record of ours, that does not fit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unmatched {
    /// The line, `PROVIDER/ID`, or our record.
    pub id: String,
    /// `missing-here`, `missing-at-provider`, `amount-differs`, `currency-differs`, `fee-unexpected` or `unknown-kind`.
    pub reason: String,
    /// What it is about, as `refund/rfd_.../1`.
    pub subject: String,
    /// What we say, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ours: Option<i64>,
    /// What the provider says, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<i64>,
    /// ISO 4217, as the provider says it.
    pub currency: String,
    /// Since when it is known.
    pub found_at: Instant,
}

/// What does not fit.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationPage {
    /// The provider's name.
    pub provider: String,
    /// When its account was last read to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Instant>,
    /// Oldest first; empty when everything fits.
    pub items: Vec<Unmatched>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// That there is a receipt.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptSummary {
    /// Gapless.
    pub number: i64,
    /// When it was issued.
    pub issued_at: Instant,
    /// SHA-256 of the document, in hex.
    pub sha256: String,
}

/// Where to download a receipt.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptLink {
    /// Gapless.
    pub number: i64,
    /// Path and query, signed.
    pub url: String,
    /// Until when the link works.
    pub expires_at: Instant,
    /// SHA-256 of the document, in hex.
    pub sha256: String,
}

/// A page of orders.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OrderPage {
    /// Newest first.
    pub items: Vec<OrderSummary>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An order in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderSummary {
    /// `ord_...`
    pub order_id: String,
    /// The number that people call out.
    pub number: i64,
    /// Where it stands.
    pub status: OrderStatus,
    /// The ETag.
    pub revision: i64,
    /// When it was placed.
    pub placed_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
    /// How the customer is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// How many units in all.
    pub items: i64,
    /// Minor units.
    pub total: i64,
    /// Of the total.
    pub currency: Currency,
    /// Pickup or courier.
    pub delivery: DeliveryKind,
    /// Set when a person has to look: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_attention: Option<String>,
}

/// What the kitchen sees: READY, then IN_PREPARATION, then RECEIVED, each oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct KitchenList {
    /// At most 300.
    pub items: Vec<KitchenOrder>,
}

/// An order as the kitchen sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KitchenOrder {
    /// `ord_...`
    pub order_id: String,
    /// The number that people call out.
    pub number: i64,
    /// Where it stands.
    pub status: OrderStatus,
    /// For If-Match.
    pub revision: i64,
    /// When it was placed.
    pub placed_at: Instant,
    /// How the customer is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// What to make.
    pub lines: Vec<Line>,
    /// For the kitchen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Pickup or courier.
    pub delivery: DeliveryKind,
    /// What may be done now.
    pub actions: Vec<Action>,
}

/// Everything that is sold.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogueView {
    /// Of all prices.
    pub currency: Currency,
    /// The merchant's name.
    pub merchant: String,
    /// What a courier costs, in minor units.
    pub delivery_fee: i64,
    /// What the service costs, in hundredths of a per cent of the lines, rounded half up.
    pub service_fee_basis_points: i64,
    /// The largest tip, in minor units.
    pub max_tip: i64,
    /// How it can be paid.
    pub checkout: CheckoutView,
    /// By category, then name.
    pub products: Vec<ProductView>,
}

/// How orders can be paid.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutView {
    /// Who takes the money, as `stripe`.
    pub provider: String,
    /// The types of `payment` that can be sent: `card`, `token`, `pix`, `hosted`.
    pub types: Vec<String>,
    /// The provider's form for `hosted`; without it the customer goes to the payment's `actionUrl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub form: Option<CheckoutForm>,
}

/// A form that the provider shows on the page, given a payment's `clientSecret`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckoutForm {
    /// The address of the script that shows it.
    pub script: String,
    /// The key that the script is given; everybody may see it.
    pub publishable_key: String,
}

/// A product with its stock.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductView {
    /// The product.
    #[serde(flatten)]
    pub product: Product,
    /// For If-Match.
    pub revision: i64,
    /// Its stock.
    pub stock: StockView,
}

/// The counters of a product.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockView {
    /// Available and reserved.
    pub on_hand: i64,
    /// Set apart for orders that are not paid yet.
    pub reserved: i64,
    /// What can still be ordered.
    pub available: i64,
}

/// A page of mails.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MailPage {
    /// Newest orders first.
    pub items: Vec<MailView>,
    /// The cursor of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A mail.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MailView {
    /// `mail_...`
    pub mail_id: String,
    /// About this order.
    pub order_id: String,
    /// What it tells.
    pub event: Notice,
    /// To whom.
    pub to: String,
    /// When it was written.
    pub at: Instant,
    /// In this language.
    pub locale: Locale,
    /// `kept`, `queued`, `sent` or `failed`.
    pub status: String,
    /// Subject.
    pub subject: String,
    /// Plain text; empty in lists.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// HTML; empty in lists.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub html: String,
}

/// Counts since start.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// Orders placed.
    pub placed: u64,
    /// Orders paid and handed to the kitchen.
    pub confirmed: u64,
    /// Orders with the customer.
    pub completed: u64,
    /// Orders that could not be accepted.
    pub rejected: u64,
    /// Orders called off.
    pub cancelled: u64,
    /// Orders not paid in time.
    pub expired: u64,
}

/// What an audit found.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditReport {
    /// How many of each kind were read.
    pub counts: BTreeMap<String, u64>,
    /// Orders that are not final.
    pub open: u64,
    /// Orders that wait for a person.
    pub needs_attention: u64,
    /// What was taken, given back and kept, in minor units.
    pub money: AuditMoney,
    /// Whether the provider has books that ours were compared with.
    pub books_compared: bool,
    /// At most 1,000; empty when everything agrees.
    pub differences: Vec<Difference>,
    /// Whether differences were left out.
    pub more: bool,
    /// What may still come right by itself; at most 1,000.
    #[serde(default)]
    pub warnings: Vec<Difference>,
}

/// The sums of an audit, in minor units.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditMoney {
    /// Taken from customers.
    pub captured: i64,
    /// Given back.
    pub refunded: i64,
    /// The same, as the provider's own books say.
    pub provider_captured: i64,
    /// The same, as the provider's own books say.
    pub provider_refunded: i64,
}

/// Two records that disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Stable, as `paid-without-receipt`.
    pub code: String,
    /// The order, product or receipt.
    pub subject: String,
    /// Both sides.
    pub detail: String,
}

/// One change of one order, for those who follow.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderChange {
    /// `ord_...`
    pub order_id: String,
    /// The order's status, when it changed; absent when the payment, the delivery or a detail did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<OrderStatus>,
    /// The order's revision, when the order itself changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
}

/// An order of the benchmark.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BenchStatus {
    /// Its id.
    pub order_id: String,
    /// PLACED, CONFIRMED or REJECTED.
    pub status: String,
    /// Minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// Microseconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_at_us: Option<i64>,
}

/// What a benchmark left in the store.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct BenchVerdict {
    /// Orders that are CONFIRMED.
    pub confirmed: u64,
    /// Units left, over all products.
    pub stock_sum: i64,
    /// What was taken by confirmed orders.
    pub taken_sum: i64,
    /// Confirmed orders without exactly one payment, message and receipt of the right amount.
    pub incomplete: u64,
}
