//! Use cases and functions: load, decide, commit. Knows no runtime and no HTTP server.

mod app;
mod audit;
mod bench;
mod call;
mod callbacks;
mod cancel;
mod catalogue;
pub mod commands;
mod consumers;
mod courier;
mod error;
mod feed;
mod functions;
mod housekeeping;
mod idempotency;
mod instant;
mod kitchen;
pub mod ledger;
mod mail;
mod mailbox;
mod news;
mod orders;
mod pay;
mod place;
mod postings;
mod problem;
pub mod provider;
mod receipts;
mod records;
mod resolve;
mod sender;
mod settings;
mod settle;
mod signature;
pub mod views;
mod webhooks;

pub use app::{App, Ports};
pub use bench::BenchError;
pub use call::{Answer, Call, Consumer, Delivery, Function, FunctionError};
pub use callbacks::CallbackError;
pub use cancel::CancelError;
pub use catalogue::{AdjustError, Adjusted, PutError};
pub use error::{FindError, ListError};
pub use instant::Instant;
pub use kitchen::KitchenError;
#[cfg(feature = "smtp")]
pub use mail::smtp::SmtpMailer;
pub use mail::{Mailer, OutgoingMail};
pub use pay::PayError;
pub use place::{PlaceError, Placed};
pub use problem::{Kind, Problem};
pub use receipts::{DownloadError, ReceiptFile};
pub use records::{SCHEMA_VERSION, tables};
pub use resolve::ResolveError;
pub use sender::{CallbackSender, HttpSender};
pub use settings::{CourierSettings, Secrets, Settings, SimulatorSettings};
pub use signature::{SignatureError, TOLERANCE_MS, sign, verify};
pub use webhooks::{WebhookError, WebhookOutcome};

/// The flow of an order, as both engines run it.
pub const ORDER_FLOW: &str = include_str!("../../../flows/order.asl.json");
/// The flow that undoes an order whose own flow has given up.
pub const UNDO_FLOW: &str = include_str!("../../../flows/undo.asl.json");
/// The flow of the benchmark.
pub const BENCH_FLOW: &str = include_str!("../../../flows/bench.asl.json");
/// The name under which the flow of an order is started.
pub const ORDER_FLOW_NAME: &str = "order";
/// The name under which the flow that undoes is started.
pub const UNDO_FLOW_NAME: &str = "undo";
/// The name under which the flow of the benchmark is started.
pub const BENCH_FLOW_NAME: &str = "bench";
