//! `comanda payment`: the money of orders from a shell.

use std::fmt::Write;

use serde_json::{Value, json};

use super::order::{encode, money};
use crate::cli;
use crate::client::Client;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;

pub(crate) async fn run(config: &Config, payment: cli::Payment, output: Output) -> Result<(), Failure> {
    let client = |server: &cli::Server| Client::new(server.server.as_deref(), config);
    match payment {
        cli::Payment::List { status, limit, server } => list(&client(&server), status.as_deref(), limit, output).await,
        cli::Payment::Show { order, server } => {
            let view: Value = client(&server).get(&format!("/v1/payments/{}", encode(&order))).await?;
            output.say(&view, describe(&view))
        }
        cli::Payment::Capture { order, server } => {
            // Whatever changed meanwhile, the whole amount is taken, and once: a second time is refused.
            let path = format!("/v1/payments/{}/capture", encode(&order));
            let view: Value = client(&server).post(&path, &json!({}), &[("If-Match", "*")]).await?;
            output.say(&view, describe(&view))
        }
        cli::Payment::Refund(arguments) => refund(&client(&arguments.server), &arguments, output).await,
        cli::Payment::Refunds { order, status, halted, server } => {
            let path = match (order, status) {
                (Some(order), _) => format!("/v1/payments/{}/refunds", encode(&order)),
                (None, Some(status)) => format!("/v1/refunds?status={}", encode(&status)),
                (None, None) if halted => "/v1/refunds?halted=true".to_owned(),
                (None, None) => "/v1/refunds".to_owned(),
            };
            refunds(&client(&server), &path, output).await
        }
        cli::Payment::Retry { refund, server } => {
            let path = format!("/v1/refunds/{}/retry", encode(&refund));
            let view: Value = client(&server).post(&path, &json!({}), &[("If-Match", "*")]).await?;
            output.say(&view, line(&view))
        }
        cli::Payment::Void { order, intent, server } => {
            let intent = intent.map(|intent| format!("?intent={}", encode(&intent))).unwrap_or_default();
            let path = format!("/v1/payments/{}/void{intent}", encode(&order));
            let view: Value = client(&server).post(&path, &json!({}), &[("If-Match", "*")]).await?;
            output.say(&view, format!("The payment of {order} is being called off."))
        }
        cli::Payment::Disputes { status, server } => disputes(&client(&server), status.as_deref(), output).await,
        cli::Payment::Payouts { server } => payouts(&client(&server), output).await,
        cli::Payment::Events { retry, server } => events(&client(&server), retry.as_deref(), output).await,
        cli::Payment::Explain { difference, reason, by, entry, server } => {
            let command = json!({ "id": difference, "reason": reason, "by": by, "entry": entry });
            let view: Value = client(&server).post("/v1/reconciliation/explain", &command, &[]).await?;
            output.say(&view, format!("{difference} is settled."))
        }
        cli::Payment::Reconcile { server } => reconcile(&client(&server), output).await,
    }
}

async fn list(client: &Client, status: Option<&str>, limit: u32, output: Output) -> Result<(), Failure> {
    let status = status.map(|s| format!("&status={}", encode(s))).unwrap_or_default();
    let page: Value = client.get(&format!("/v1/payments?limit={limit}{status}")).await?;
    let text: String = items(&page).iter().map(|payment| summary(payment) + "\n").collect();
    output.say(&page, if text.is_empty() { "No payments.".into() } else { text })
}

/// One payment on a line.
fn summary(payment: &Value) -> String {
    let text = |key: &str| payment.get(key).and_then(Value::as_str).unwrap_or_default();
    let amount = money(payment.get("amount").and_then(Value::as_i64).unwrap_or_default(), text("currency"));
    // Brand and last digits say more than `card`.
    let method = if text("card").is_empty() { text("method") } else { text("card") };
    format!("{}  {:<18} {amount:>14}  {}  {method}", text("orderId"), text("status"), text("provider"))
}

/// The amounts of a payment that people are told, as the API names them. Nothing is said of those that are zero.
const AMOUNTS: [(&str, &str); 10] = [
    ("subtotal", "lines"),
    ("deliveryFee", "delivery fee"),
    ("serviceFee", "service fee"),
    ("tip", "tip"),
    ("captured", "taken"),
    ("fee", "the provider's fee"),
    ("refunded", "given back"),
    ("refundPending", "being given back"),
    ("disputed", "disputed"),
    ("left", "can still go back"),
];

/// A payment with its amounts, a line each.
fn describe(payment: &Value) -> String {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let currency = text(payment, "currency");
    let mut lines = summary(payment);
    // Writing to a string cannot fail.
    for (key, name) in AMOUNTS {
        let amount = payment.get(key).and_then(Value::as_i64).unwrap_or_default();
        if amount != 0 {
            let _ = write!(lines, "\n  {name:<18} {:>14}", money(amount, &currency));
        }
    }
    if text(payment, "status") == "AUTHORIZED" {
        let _ = write!(lines, "\n  held until {}", text(payment, "captureBefore"));
    }
    if let Some(failure) = payment.get("failure") {
        let _ = write!(lines, "\n  refused: {} ({})", text(failure, "message"), text(failure, "code"));
    }
    for dispute in payment.get("disputes").and_then(Value::as_array).into_iter().flatten() {
        let amount = dispute.get("amount").and_then(Value::as_i64).unwrap_or_default();
        let _ = write!(lines, "\n  dispute {} {}", text(dispute, "status"), money(amount, &currency));
    }
    lines
}

async fn refund(client: &Client, arguments: &cli::Refund, output: Output) -> Result<(), Failure> {
    let mut body = json!({"reason": arguments.reason, "note": arguments.note});
    let mut lines = Vec::new();
    for text in &arguments.line {
        let wrong = || {
            Failure::new(
                Kind::Usage,
                format!("`{text}` is no line; write the place of a line and how many units, as `0=1`"),
            )
        };
        let (place, quantity) = text.split_once('=').ok_or_else(wrong)?;
        let (place, quantity): (usize, i64) =
            (place.parse().map_err(|_| wrong())?, quantity.parse().map_err(|_| wrong())?);
        lines.push(json!({"line": place, "quantity": quantity, "restock": arguments.restock}));
    }
    if let Some(body) = body.as_object_mut() {
        if let Some(amount) = arguments.amount {
            body.insert("amount".into(), amount.into());
        }
        if !lines.is_empty() {
            body.insert("lines".into(), lines.into());
        }
    }
    let path = format!("/v1/payments/{}/refunds", encode(&arguments.order));
    // What is left is looked at once, so that two people do not give the same back twice.
    let list: Value = client.get(&path).await?;
    let revision = format!("\"{}\"", list.get("revision").and_then(Value::as_i64).unwrap_or_default());
    let mut headers = vec![("If-Match", revision.as_str())];
    if let Some(key) = &arguments.idempotency_key {
        // A repeated request is answered again, whatever happened since.
        headers = vec![("If-Match", "*"), ("Idempotency-Key", key.as_str())];
    }
    let view: Value = client.post(&path, &body, &headers).await?;
    output.say(&view, line(&view))
}

async fn refunds(client: &Client, path: &str, output: Output) -> Result<(), Failure> {
    let page: Value = client.get(path).await?;
    let text: String = items(&page).iter().map(|refund| line(refund) + "\n").collect();
    output.say(&page, if text.is_empty() { "No refunds.".into() } else { text })
}

/// One refund on a line.
fn line(refund: &Value) -> String {
    let text = |key: &str| refund.get(key).and_then(Value::as_str).unwrap_or_default();
    let amount = money(refund.get("amount").and_then(Value::as_i64).unwrap_or_default(), text("currency"));
    let note = refund.get("creditNote").and_then(Value::as_i64);
    let note = note.map_or_else(String::new, |number| format!("  credit note {number}"));
    let halted = refund.get("halted").and_then(Value::as_bool) == Some(true);
    let halted = if halted { "  HALTED: try it again" } else { "" };
    format!(
        "{}  {:<9} {amount:>14}  {}{note}{}{halted}",
        text("refundId"),
        text("status"),
        text("reason"),
        prefixed(text("failure"))
    )
}

fn prefixed(failure: &str) -> String {
    if failure.is_empty() { String::new() } else { format!("  {failure}") }
}

async fn disputes(client: &Client, status: Option<&str>, output: Output) -> Result<(), Failure> {
    let status = status.map(|s| format!("&status={}", encode(s))).unwrap_or_default();
    let page: Value = client.get(&format!("/v1/disputes?limit=200{status}")).await?;
    let mut text = String::new();
    for dispute in items(&page) {
        let field = |key: &str| dispute.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let amount = money(dispute.get("amount").and_then(Value::as_i64).unwrap_or_default(), &field("currency"));
        let answer = field("respondBy");
        let until = if answer.is_empty() { answer } else { format!("  answer until {answer}") };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}  {}  {}  {amount:>14}  {}  {}{until}",
            field("openedAt"),
            field("disputeId"),
            field("status"),
            field("orderId"),
            field("reason")
        );
    }
    output.say(&page, if text.is_empty() { "No disputes.".into() } else { text })
}

async fn payouts(client: &Client, output: Output) -> Result<(), Failure> {
    let page: Value = client.get("/v1/payouts").await?;
    let mut text = String::new();
    for payout in items(&page) {
        let field = |key: &str| payout.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let amount = money(payout.get("amount").and_then(Value::as_i64).unwrap_or_default(), &field("currency"));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}  {}  {amount:>14}", field("at"), field("payoutId"));
    }
    output.say(&page, if text.is_empty() { "No payouts yet.".into() } else { text })
}

/// Lists the events that were set aside, or has one tried again.
async fn events(client: &Client, retry: Option<&str>, output: Output) -> Result<(), Failure> {
    if let Some(event) = retry {
        let path = format!("/v1/provider-events/{}/retry", encode(event));
        let view: Value = client.post(&path, &json!({}), &[]).await?;
        return output.say(&view, format!("{event} is tried again with the next pass over the events."));
    }
    let page: Value = client.get("/v1/provider-events").await?;
    let mut text = String::new();
    for event in items(&page) {
        let field = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
        let _ = writeln!(text, "{}  {}  {}: {}", field("at"), field("eventId"), field("about"), field("problem"));
    }
    output.say(&page, if text.is_empty() { "No event was set aside.".into() } else { text })
}

/// Reads the provider's account, and fails if something in it does not fit.
async fn reconcile(client: &Client, output: Output) -> Result<(), Failure> {
    let page: Value = client.post("/v1/reconciliation", &json!({}), &[]).await?;
    let unmatched = items(&page);
    let mut text = String::new();
    for item in &unmatched {
        let field = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
        let amount = |key: &str| {
            item.get(key).and_then(Value::as_i64).map_or_else(|| "nothing".into(), |n| money(n, field("currency")))
        };
        let _ = writeln!(
            text,
            "{} {} {}: we say {}, the provider {}",
            field("reason"),
            field("subject"),
            field("id"),
            amount("ours"),
            amount("theirs")
        );
    }
    let as_of = page.get("asOf").and_then(Value::as_str).unwrap_or("never");
    let _ = writeln!(text, "The provider's account was read to its end: {as_of}.");
    output.say(&page, text)?;
    match unmatched.len() {
        0 => Ok(()),
        n => Err(Failure::new(Kind::Refused, format!("{n} lines or records do not fit"))),
    }
}

fn items(page: &Value) -> Vec<Value> {
    page.get("items").and_then(Value::as_array).cloned().unwrap_or_default()
}
