//! `comanda order`: the interface from a shell.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli;
use crate::client::{Client, Order};
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Statuses after which nothing more happens to an order.
const FINAL: &[&str] = &["COMPLETED", "REJECTED", "CANCELLED", "EXPIRED"];

pub(crate) async fn run(config: &Config, order: cli::Order, output: Output) -> Result<(), Failure> {
    let client = |server: &cli::Server| Client::new(server.server.as_deref(), config);
    match order {
        cli::Order::Place(arguments) => place(&client(&arguments.server), &arguments, output).await,
        cli::Order::Show { id, server } => show(&client(&server), &id, output).await,
        cli::Order::Follow { id, server } => follow(&client(&server), &id, output).await,
        cli::Order::Pay { id, method, server } => pay(&client(&server), &id, &method, output).await,
        cli::Order::Cancel { id, reason, server } => cancel(&client(&server), &id, &reason, output).await,
        cli::Order::List { status, limit, server } => list(&client(&server), status.as_deref(), limit, output).await,
    }
}

async fn place(client: &Client, arguments: &cli::Place, output: Output) -> Result<(), Failure> {
    let lines: Result<Vec<Value>, Failure> = arguments.lines.iter().map(|text| line(text)).collect();
    let mut body = json!({
        "lines": lines?,
        "payment": payment(&arguments.pay),
        "delivery": if arguments.courier { courier() } else { json!({"type": "pickup"}) },
    });
    if let (Some(name), Some(body)) = (&arguments.name, body.as_object_mut()) {
        body.insert("customer".into(), json!({"name": name, "email": arguments.email}));
    }
    let key = arguments.idempotency_key.as_deref().map(|key| ("Idempotency-Key", key));
    let placed: Value = client.post("/place-order", &body, key.as_slice()).await?;
    let order: Order = serde_json::from_value(placed.clone()).map_err(anyhow::Error::from)?;
    output.say(
        &placed,
        format!(
            "Order {} ({}): {}, {}\n{}",
            order.number,
            order.order_id,
            money(order.total, &order.currency),
            order.status,
            placed.get("trackingUrl").and_then(Value::as_str).unwrap_or_default()
        ),
    )?;
    match arguments.follow {
        true => follow(client, &order.order_id, output).await,
        false => Ok(()),
    }
}

/// `SKU[=QUANTITY][,OPTION=CHOICE]...[,+EXTRA]...`
fn line(text: &str) -> Result<Value, Failure> {
    let wrong = |part: &str, cure: String| Failure::new(Kind::Usage, format!("`{text}`: `{part}` {cure}"));
    let (product, rest) = text.split_once(',').unwrap_or((text, ""));
    let (sku, quantity) = product.split_once('=').unwrap_or((product, "1"));
    let quantity: u32 =
        quantity.parse().map_err(|_| wrong(quantity, format!("is no quantity; write for example `{sku}=2`")))?;
    let (mut options, mut extras) = (serde_json::Map::new(), Vec::new());
    for part in rest.split(',').filter(|part| !part.is_empty()) {
        match (part.strip_prefix('+'), part.split_once('=')) {
            (Some(extra), _) => extras.push(Value::from(extra)),
            (None, Some((option, choice))) => {
                options.insert(option.into(), choice.into());
            }
            (None, None) => return Err(wrong(part, "is neither `OPTION=CHOICE` nor `+EXTRA`".into())),
        }
    }
    Ok(json!({"sku": sku, "quantity": quantity, "options": options, "extras": extras}))
}

fn payment(method: &str) -> Value {
    match method {
        "pix" => json!({"type": "pix"}),
        number => json!({"type": "card", "number": number, "expMonth": 12, "expYear": 2034, "cvc": "123"}),
    }
}

/// The sample address: that of the market hall of Porto Alegre.
pub(crate) fn courier() -> Value {
    json!({"type": "courier", "address": {
        "street": "Largo Jornalista Glênio Peres", "number": "s/n", "district": "Centro Histórico",
        "city": "Porto Alegre", "state": "RS", "postalCode": "90010-120"
    }})
}

async fn show(client: &Client, id: &str, output: Output) -> Result<(), Failure> {
    let view: Value = client.get(&path(id, "")).await?;
    output.say(&view, describe(&view)?)
}

async fn follow(client: &Client, id: &str, output: Output) -> Result<(), Failure> {
    let mut last = String::new();
    let each = |view: Value| {
        let order: Order = serde_json::from_value(view.clone()).map_err(anyhow::Error::from)?;
        if order.status != last {
            let when = view.get("updatedAt").and_then(Value::as_str).unwrap_or_default();
            output.say(&view, format!("{when}  {}", order.status))?;
            last.clone_from(&order.status);
        }
        Ok(!FINAL.contains(&order.status.as_str()))
    };
    client.events(&path(id, "/events"), each).await
}

async fn pay(client: &Client, id: &str, method: &str, output: Output) -> Result<(), Failure> {
    let body = json!({"method": payment(method)});
    let view: Value = client.post(&path(id, "/payments"), &body, &[]).await?;
    let status = view.get("status").and_then(Value::as_str).unwrap_or_default();
    output.say(&view, format!("Payment {status}"))
}

async fn cancel(client: &Client, id: &str, reason: &str, output: Output) -> Result<(), Failure> {
    let view: Value = client.get(&path(id, "")).await?;
    let revision = format!("\"{}\"", view.get("revision").and_then(Value::as_i64).unwrap_or_default());
    let body = json!({"reason": reason});
    let view: Value = client.post(&path(id, "/cancel"), &body, &[("If-Match", &revision)]).await?;
    output.say(&view, describe(&view)?)
}

async fn list(client: &Client, status: Option<&str>, limit: u32, output: Output) -> Result<(), Failure> {
    let status = status.map(|s| format!("&status={}", encode(s))).unwrap_or_default();
    let page: Value = client.get(&format!("/v1/orders?limit={limit}{status}")).await?;
    let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut text = String::new();
    for item in items {
        let order: Order = serde_json::from_value(item).map_err(anyhow::Error::from)?;
        let total = money(order.total, &order.currency);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:>8}  {}  {:<16} {total:>14}", order.number.to_string(), order.order_id, order.status);
    }
    output.say(&page, if text.is_empty() { "No orders.".into() } else { text })
}

fn describe(view: &Value) -> Result<String, Failure> {
    let order: Order = serde_json::from_value(view.clone()).map_err(anyhow::Error::from)?;
    let total = money(order.total, &order.currency);
    let mut text = format!("Order {} ({}): {}, {total}\n", order.number, order.order_id, order.status);
    let entries = |key: &str| view.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let field = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    for line in entries("lines") {
        let quantity = line.get("quantity").and_then(Value::as_i64).unwrap_or_default();
        let total = line.get("total").and_then(Value::as_i64).unwrap_or_default();
        let _ = writeln!(text, "  {quantity} x {:<32} {:>12}", field(&line, "name"), money(total, &order.currency));
    }
    for entry in entries("timeline") {
        let _ = writeln!(text, "  {}  {} {}", field(&entry, "at"), field(&entry, "status"), field(&entry, "detail"));
    }
    Ok(text)
}

fn path(id: &str, rest: &str) -> String {
    format!("/v1/orders/{}{rest}", encode(id))
}

/// Percent-encodes what may not stand in a segment or a query.
pub(crate) fn encode(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

/// Minor units as people write them: both currencies of Comanda's defaults have two digits.
pub(crate) fn money(minor: i64, currency: &str) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{currency} {}.{:02}", minor / 100, minor % 100)
}
