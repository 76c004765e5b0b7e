//! The functions of the flows, one file each: load, decide, answer with changes.
//!
//! They read by key only. Everything they read and depend on is a condition of their changes, so a step that raced with a
//! webhook, a cancellation or the kitchen is simply called again.

mod await_delivery;
mod await_handover;
mod await_payment;
mod await_preparation;
mod bench;
mod capture_payment;
mod close_order;
mod commit_stock;
mod complete_order;
mod dispatch_delivery;
mod flag_order;
mod flag_refund;
mod generate_receipt;
mod give_back;
mod issue_credit_note;
mod refuse_payment;
mod release_stock;
mod reopen_order;
mod request_payment;
mod request_refund;
mod reserve_stock;
mod reverse_payment;
mod send_notification;
mod settle_later;
mod tell_refund;
mod validate_order;

use std::sync::Arc;

use domain::order::IllegalTransition;
use domain::payment::PaymentStatus;
use serde_json::Value;
use store::{Batch, ReadError};

use crate::cancel::CANCELLED;
use crate::error::StoreError;
use crate::provider::ProviderError;
use crate::records::order::{self, ORDERS};
use crate::records::refund::Refund;
use crate::records::{Order, Payment, refund};
use crate::refunds::{Around, REFUND_FAILED};
use crate::{Answer, App, Call, Function, FunctionError};

pub(crate) fn all(app: &App) -> Vec<Arc<dyn Function>> {
    let mut all: Vec<Arc<dyn Function>> = vec![
        Arc::new(validate_order::ValidateOrder(app.clone())),
        Arc::new(reserve_stock::ReserveStock(app.clone())),
        Arc::new(request_payment::RequestPayment(app.clone())),
        Arc::new(refuse_payment::RefusePayment(app.clone())),
        Arc::new(await_payment::AwaitPayment(app.clone())),
        Arc::new(commit_stock::CommitStock(app.clone())),
        Arc::new(capture_payment::CapturePayment(app.clone())),
        Arc::new(send_notification::SendNotification(app.clone())),
        Arc::new(generate_receipt::GenerateReceipt(app.clone())),
        Arc::new(await_preparation::AwaitPreparation(app.clone())),
        Arc::new(dispatch_delivery::DispatchDelivery(app.clone())),
        Arc::new(await_delivery::AwaitDelivery(app.clone())),
        Arc::new(await_handover::AwaitHandover(app.clone())),
        Arc::new(complete_order::CompleteOrder(app.clone())),
        Arc::new(reverse_payment::ReversePayment(app.clone())),
        Arc::new(settle_later::SettleLater(app.clone())),
        Arc::new(release_stock::ReleaseStock(app.clone())),
        Arc::new(close_order::CloseOrder(app.clone())),
        Arc::new(flag_order::FlagOrder(app.clone())),
        Arc::new(request_refund::RequestRefund(app.clone())),
        Arc::new(flag_refund::FlagRefund(app.clone())),
        Arc::new(issue_credit_note::IssueCreditNote(app.clone())),
        Arc::new(tell_refund::TellRefund(app.clone())),
        Arc::new(give_back::GiveBack(app.clone())),
        Arc::new(reopen_order::ReopenOrder(app.clone())),
    ];
    all.extend(bench::all(app));
    all
}

/// A call that answers with changes only.
fn changed(output: Value, changes: Batch) -> Result<Answer, FunctionError> {
    Ok(Answer { output, changes })
}

/// The order that a call is about.
async fn load_order(app: &App, call: &Call) -> Result<Order, FunctionError> {
    let id = call.input.get("orderId").and_then(Value::as_str);
    let id = id.and_then(order::private_id);
    let id = id.ok_or_else(|| FunctionError::new("InvalidInput", "`orderId` is missing or no `ord_...`"))?;
    let order = Order::load(&*app.store, id).await?;
    order.ok_or_else(|| FunctionError::new("OrderNotFound", "the order is not in the store"))
}

async fn load_payment(app: &App, order: &Order) -> Result<Payment, FunctionError> {
    let payment = Payment::load(&*app.store, order.id).await?;
    payment.ok_or_else(|| FunctionError::new("PaymentNotFound", "the payment is not in the store"))
}

/// The refund that a call is about, with its order and payment.
async fn load_refund(app: &App, call: &Call) -> Result<Around, FunctionError> {
    let id = call.input.get("refundId").and_then(Value::as_str).and_then(refund::private_id);
    let (order, number) =
        id.ok_or_else(|| FunctionError::new("InvalidInput", "`refundId` is missing or no `rfd_...`"))?;
    let around = Around::load(app, order, number).await?;
    around.ok_or_else(|| FunctionError::new("RefundNotFound", "the refund is not in the store"))
}

/// The money did not go, or came back: the flow ends as one of a refund that failed.
fn not_succeeded(refund: &Refund) -> FunctionError {
    let cause = format!("the refund {} is {}", refund.public_id(), refund.status.as_str());
    FunctionError::new(REFUND_FAILED, cause)
}

/// What becomes of a payment that brought no money, by the outcome of its order.
fn unpaid(call: &Call) -> PaymentStatus {
    match call.input.get("outcome").and_then(Value::as_str) {
        Some("EXPIRED") => PaymentStatus::Expired,
        _ => PaymentStatus::Voided,
    }
}

/// Why a person has to look: the flow's reason, or this one, and the error that led there.
fn reason(call: &Call, otherwise: &str) -> String {
    let field = |name: &str| call.input.pointer(name).and_then(Value::as_str);
    let reason = field("/reason").unwrap_or(otherwise);
    match (field("/error/Error"), field("/error/Cause")) {
        (Some(error), Some(cause)) => format!("{reason}: {error}: {cause}"),
        (Some(error), None) => format!("{reason}: {error}"),
        _ => reason.to_owned(),
    }
}

/// The token of a call that waits.
fn task_token(call: &Call) -> Result<&str, FunctionError> {
    let token = call.input.get("taskToken").and_then(Value::as_str);
    token.ok_or_else(|| FunctionError::new("InvalidInput", "`taskToken` is missing"))
}

/// Ends a step of an order that is being called off.
fn refuse_cancelled(order: &Order) -> Result<(), FunctionError> {
    match order.cancel_reason() {
        Some(_) => Err(FunctionError::new(CANCELLED, "the order is being cancelled")),
        None => Ok(()),
    }
}

/// Makes the order's revision a condition, for changes that touch other rows only: a cancellation that comes meanwhile is
/// then seen.
fn unchanged(order: &Order, batch: &mut Batch) {
    batch.check(&ORDERS, order.id, "revision", order.revision);
}

impl From<ReadError> for FunctionError {
    fn from(error: ReadError) -> FunctionError {
        tracing::error!(error = &error as &dyn std::error::Error, "a function could not read");
        FunctionError::new("StoreUnavailable", error.to_string())
    }
}

impl From<StoreError> for FunctionError {
    fn from(error: StoreError) -> FunctionError {
        let name = match &error {
            StoreError::Internal(_) => "Internal",
            StoreError::Unavailable(_) | StoreError::Busy => "StoreUnavailable",
        };
        FunctionError::new(name, error.to_string())
    }
}

impl From<ProviderError> for FunctionError {
    fn from(error: ProviderError) -> FunctionError {
        let name = match &error {
            ProviderError::Unavailable => "ProviderUnavailable",
            ProviderError::Card { .. } | ProviderError::Invalid(_) => "ProviderRefused",
            ProviderError::Elsewhere { .. } => "OtherProvider",
        };
        FunctionError::new(name, error.to_string())
    }
}

impl From<domain::payment::IllegalTransition> for FunctionError {
    fn from(error: domain::payment::IllegalTransition) -> FunctionError {
        FunctionError::new("IllegalTransition", error.to_string())
    }
}

impl From<IllegalTransition> for FunctionError {
    fn from(error: IllegalTransition) -> FunctionError {
        FunctionError::new("IllegalTransition", error.to_string())
    }
}
