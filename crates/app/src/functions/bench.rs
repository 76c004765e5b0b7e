//! The functions of the benchmark's flow: the five steps that all peers do, and the one that refuses.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use store::{Batch, Key, Row, Value};

use crate::bench::{lines, now_us};
use crate::records::bench::{MESSAGES, ORDERS, PAYMENTS, RECEIPTS, STOCK};
use crate::{Answer, App, Call, Function, FunctionError};

/// A step: its name and what it does.
struct Step {
    app: App,
    name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Validate,
    Pay,
    Deduct,
    Message,
    Receipt,
    Reject,
}

pub(super) fn all(app: &App) -> Vec<Arc<dyn Function>> {
    let steps = [
        ("bench-validate", Kind::Validate),
        ("bench-pay", Kind::Pay),
        ("bench-deduct", Kind::Deduct),
        ("bench-message", Kind::Message),
        ("bench-receipt", Kind::Receipt),
        ("bench-reject", Kind::Reject),
    ];
    let step = |(name, kind)| {
        let app = app.clone();
        Arc::new(Step { app, name, kind }) as Arc<dyn Function>
    };
    steps.into_iter().map(step).collect()
}

#[async_trait]
impl Function for Step {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let id = call.input.get("orderId").and_then(Json::as_str).and_then(store::id::decode);
        let id = id.ok_or_else(|| FunctionError::new("InvalidInput", "`orderId` is missing"))?;
        let total = call.input.get("total").and_then(Json::as_i64).unwrap_or(0);
        match self.kind {
            Kind::Validate => self.validate(id).await,
            Kind::Pay => Ok(pay(id, total)),
            Kind::Deduct => self.deduct(id).await,
            Kind::Message => Ok(message(id)),
            Kind::Receipt => Ok(receipt(id, total)),
            Kind::Reject => Ok(reject(id)),
        }
    }
}

impl Step {
    async fn order(&self, id: i64) -> Result<Row, FunctionError> {
        let row = self.app.store.get(&ORDERS, &Key::Int(id)).await?;
        row.ok_or_else(|| FunctionError::new("OrderNotFound", "the order is not in the store"))
    }

    /// Every product is there in that quantity; answers the total at today's prices.
    async fn validate(&self, id: i64) -> Result<Answer, FunctionError> {
        let order = self.order(id).await?;
        let mut total: i64 = 0;
        for (sku, quantity) in lines(order.text("lines").unwrap_or_default()) {
            let stock = self.app.store.get(&STOCK, &Key::Int(sku)).await?;
            let stock = stock.ok_or_else(|| FunctionError::new("OutOfStock", format!("no product {sku}")))?;
            if stock.int("quantity").unwrap_or(0) < quantity {
                return Err(FunctionError::new("OutOfStock", sku.to_string()));
            }
            let price = stock.int("price").unwrap_or(0);
            total = price.checked_mul(quantity).and_then(|line| total.checked_add(line)).unwrap_or(i64::MAX);
        }
        Ok(Answer { output: json!(total), changes: Batch::new() })
    }

    /// Takes the units away, all or none, never below zero.
    async fn deduct(&self, id: i64) -> Result<Answer, FunctionError> {
        let order = self.order(id).await?;
        let mut changes = Batch::new();
        let mut needs = std::collections::BTreeMap::new();
        for (sku, quantity) in lines(order.text("lines").unwrap_or_default()) {
            *needs.entry(sku).or_insert(0) += quantity;
        }
        for (sku, quantity) in needs {
            let stock = self.app.store.get(&STOCK, &Key::Int(sku)).await?;
            if stock.and_then(|row| row.int("quantity")).unwrap_or(0) < quantity {
                return Err(FunctionError::new("OutOfStock", sku.to_string()));
            }
            changes.add(&STOCK, sku, "quantity", -quantity, 0);
        }
        Ok(Answer { output: Json::Null, changes })
    }
}

/// The stub that answers OK, as every peer's does.
fn pay(id: i64, total: i64) -> Answer {
    let mut changes = Batch::new();
    changes.insert(Row::new(&PAYMENTS, id, vec![Value::Int(total), Value::from("OK")]));
    Answer { output: Json::Null, changes }
}

fn message(id: i64) -> Answer {
    let mut changes = Batch::new();
    let text = format!("Your order {} is confirmed", store::id::encode(id));
    changes.insert(Row::new(&MESSAGES, id, vec![Value::from(text)]));
    Answer { output: Json::Null, changes }
}

fn receipt(id: i64, total: i64) -> Answer {
    let mut changes = Batch::new();
    let at = now_us();
    changes.insert(Row::new(&RECEIPTS, id, vec![Value::Int(total), Value::Int(at)]));
    let set =
        vec![("status", Value::from("CONFIRMED")), ("total", Value::Int(total)), ("confirmed_at_us", Value::Int(at))];
    changes.update(&ORDERS, id, set, Some(("status", Value::from("PLACED"))));
    Answer { output: Json::Null, changes }
}

fn reject(id: i64) -> Answer {
    let mut changes = Batch::new();
    let set = vec![("status", Value::from("REJECTED"))];
    changes.update(&ORDERS, id, set, Some(("status", Value::from("PLACED"))));
    Answer { output: Json::Null, changes }
}
