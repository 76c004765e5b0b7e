//! The two jobs.

use anyhow::Context;
use serde_json::{Value, json};

use super::wire::Connection;
use crate::chance::Chance;
pub(crate) use crate::serve::{BENCH_SKUS as SKUS, BENCH_STOCK as STOCK};

/// What is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    /// The five steps that all peers of the shared benchmark do.
    Steps,
    /// The real order, up to its confirmation.
    Order,
}

impl Job {
    pub(crate) fn new(name: &str) -> Job {
        match name {
            "order" => Job::Order,
            _ => Job::Steps,
        }
    }

    pub(crate) fn path(self) -> &'static str {
        match self {
            Job::Steps => "/bench/orders",
            Job::Order => "/place-order",
        }
    }

    /// Makes sure that there is enough to sell.
    pub(crate) async fn prepare(self, address: &str) -> anyhow::Result<()> {
        if self == Job::Steps {
            return Ok(());
        }
        let mut connection = Connection::open(address).await?;
        let (_, catalogue) = connection.get("/v1/catalogue").await?;
        let catalogue: Value = serde_json::from_slice(catalogue)?;
        let products = catalogue.get("products").and_then(Value::as_array).cloned().unwrap_or_default();
        for product in products {
            let sku = product.get("sku").and_then(Value::as_str).unwrap_or_default();
            let body = json!({"delta": STOCK, "reason": "benchmark"}).to_string();
            let (status, answer) = connection.post(&format!("/v1/catalogue/products/{sku}/stock"), &body).await?;
            anyhow::ensure!(status == 200, "no stock of `{sku}`: {}", String::from_utf8_lossy(answer));
        }
        Ok(())
    }

    /// The body of an order: two lines.
    pub(crate) fn order(self, chance: &mut Chance) -> String {
        match self {
            Job::Steps => {
                let mut line = || (1 + chance.below(SKUS as usize), 1 + chance.below(3));
                let ((first, a), (second, b)) = (line(), line());
                let second = if second == first { first % SKUS as usize + 1 } else { second };
                format!(
                    r#"{{"customerId":"c{first}","lines":[{{"sku":{first},"qty":{a}}},{{"sku":{second},"qty":{b}}}]}}"#
                )
            }
            Job::Order => {
                let (first, second) = (1 + chance.below(3), 1 + chance.below(3));
                format!(
                    r#"{{"customer":{{"name":"Ana","email":"ana@example.com"}},"lines":[{{"sku":"{}","quantity":{first}}},{{"sku":"{}","quantity":{second}}}],"payment":{{"type":"card","number":"4242424242424242","expMonth":12,"expYear":2034,"cvc":"123"}}}}"#,
                    FOOD, DRINK
                )
            }
        }
    }

    /// How many orders the server has completed since it started.
    pub(crate) async fn completed(self, connection: &mut Connection) -> anyhow::Result<u64> {
        let path = match self {
            Job::Steps => "/bench/stats",
            Job::Order => "/v1/stats",
        };
        let (_, body) = connection.get(path).await?;
        let stats: Value = serde_json::from_slice(body)?;
        stats.get("confirmed").and_then(Value::as_u64).context("the server counts nothing")
    }

    /// When an order was completed, in microseconds since the epoch.
    pub(crate) async fn completed_at_us(self, connection: &mut Connection, id: &str) -> anyhow::Result<Option<i64>> {
        let path = match self {
            Job::Steps => format!("/bench/orders/{id}"),
            Job::Order => format!("/v1/orders/{id}"),
        };
        let (_, body) = connection.get(&path).await?;
        let order: Value = serde_json::from_slice(body)?;
        if self == Job::Steps {
            return Ok(order.get("confirmedAtUs").and_then(Value::as_i64));
        }
        let timeline = order.get("timeline").and_then(Value::as_array).cloned().unwrap_or_default();
        let received = timeline.iter().find(|entry| entry.get("status").is_some_and(|status| status == "RECEIVED"));
        let at = received.and_then(|entry| entry.get("at")?.as_str()?.parse::<jiff::Timestamp>().ok());
        Ok(at.map(jiff::Timestamp::as_microsecond))
    }
}

/// Two products of the sample catalogue that need no options.
const FOOD: &str = "xis-calabresa";
const DRINK: &str = "guarana";

/// The id in the answer to a placed order.
pub(crate) fn order_id(answer: &[u8]) -> anyhow::Result<String> {
    let answer: Value = serde_json::from_slice(answer)?;
    let id = answer.get("orderId").and_then(Value::as_str);
    id.map(str::to_owned).context("the answer has no order id")
}
