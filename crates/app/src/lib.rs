//! Use cases and functions: load, decide, commit. Knows no runtime and no HTTP server.

mod app;
mod audit;
mod bench;
mod call;
mod callbacks;
mod cancel;
mod capture;
mod catalogue;
pub mod commands;
mod consumers;
mod courier;
mod error;
mod events;
mod feed;
mod functions;
mod housekeeping;
mod idempotency;
mod instant;
mod kitchen;
mod lease;
pub mod ledger;
mod mail;
mod mailbox;
mod news;
mod order_numbers;
mod orders;
mod pay;
mod payments;
mod place;
mod polling;
mod postings;
mod problem;
pub mod provider;
mod receipts;
mod reconciliation;
mod records;
mod refunds;
mod resolve;
mod sender;
mod settings;
mod settle;
mod signature;
mod undo;
pub mod views;
mod webhooks;

pub use app::{App, Ports};
pub use audit::{Auditor, Progress, Source};
pub use bench::BenchError;
pub use call::{Answer, Call, Consumer, Delivery, Function, FunctionError};
pub use callbacks::CallbackError;
pub use cancel::CancelError;
pub use catalogue::{AdjustError, Adjusted, PutError};
pub use error::{FindError, ListError, StoreError};
pub use instant::Instant;
pub use kitchen::KitchenError;
#[cfg(feature = "smtp")]
pub use mail::smtp::SmtpMailer;
pub use mail::{Mailer, OutgoingMail};
pub use pay::PayError;
pub use payments::TakeError;
pub use place::{PlaceError, Placed};
pub use problem::{Kind, Problem};
pub use receipts::{DownloadError, Links, ReceiptFile};
pub use reconciliation::ExplainError;
pub use records::{SCHEMA_VERSION, tables, views};
pub use refunds::{OpenRefundError, RefundError, Requested};
pub use resolve::ResolveError;
pub use sender::{CallbackSender, HttpSender};
pub use settings::{
    CourierSettings, LatePaymentPolicy, LatePaymentSettings, PayoutSchedule, Secrets, Settings, SimulatorSettings,
};
pub use signature::{SignatureError, TOLERANCE_MS, sign, verify};
pub use webhooks::{WebhookError, WebhookOutcome};

/// The flow of an order, as both engines run it.
pub const ORDER_FLOW: &str = include_str!("../../../flows/order.asl.json");
/// The flow that undoes an order whose own flow has given up.
pub const UNDO_FLOW: &str = include_str!("../../../flows/undo.asl.json");
/// The flow of a refund.
pub const REFUND_FLOW: &str = include_str!("../../../flows/refund.asl.json");
/// The flow that makes sure that the money of one try to pay is not kept.
pub const VOID_FLOW: &str = include_str!("../../../flows/void.asl.json");
/// The flow of money that came when the time to pay was over.
pub const LATE_PAYMENT_FLOW: &str = include_str!("../../../flows/late-payment.asl.json");
/// The flow of the benchmark.
pub const BENCH_FLOW: &str = include_str!("../../../flows/bench.asl.json");
/// The name under which the flow of an order is started.
pub const ORDER_FLOW_NAME: &str = "order";
/// The name under which the flow that undoes is started.
pub const UNDO_FLOW_NAME: &str = "undo";
/// The name under which the flow of a refund is started.
pub const REFUND_FLOW_NAME: &str = "refund";
/// The name under which the flow that calls off a payment is started.
pub const VOID_FLOW_NAME: &str = "void";
/// The name under which the flow of a late payment is started.
pub const LATE_PAYMENT_FLOW_NAME: &str = "late-payment";
/// The name under which the flow of the benchmark is started.
pub const BENCH_FLOW_NAME: &str = "bench";
/// The queue that is told of every order's, undoing and refund's flow that ends without success.
pub(crate) const ENDED_FLOWS_QUEUE: &str = "ended-flows";
/// The name of an execution that is about something whose own name it begins with. The id at its end was made shortly before
/// that of the execution, which is how the runtime finds an execution by its name.
pub(crate) fn execution_name(about: &str) -> String {
    format!("{about}_{}", store::id::encode(store::id::next()))
}

/// Every flow of orders and their money: name and text.
pub const FLOWS: [(&str, &str); 5] = [
    (ORDER_FLOW_NAME, ORDER_FLOW),
    (UNDO_FLOW_NAME, UNDO_FLOW),
    (REFUND_FLOW_NAME, REFUND_FLOW),
    (VOID_FLOW_NAME, VOID_FLOW),
    (LATE_PAYMENT_FLOW_NAME, LATE_PAYMENT_FLOW),
];

/// The public id of an order, `ord_…`.
#[must_use]
pub fn order_id(id: i64) -> String {
    records::order::public_id(id)
}
