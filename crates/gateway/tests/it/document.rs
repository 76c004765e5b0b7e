//! The OpenAPI document: what is in it, and that every operation is served.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::start::Server;

/// Every operation. A change here is a change of the public interface.
const OPERATIONS: &[&str] = &[
    "GET /healthz",
    "GET /readyz",
    "GET /v1/audit",
    "GET /v1/audit/events",
    "GET /v1/catalogue",
    "GET /v1/catalogue/products/{sku}",
    "GET /v1/credit-notes",
    "GET /v1/credit-notes/{file}",
    "GET /v1/disputes",
    "GET /v1/engine",
    "GET /v1/events",
    "GET /v1/executions/{id}",
    "GET /v1/executions/{id}/history",
    "GET /v1/inbox",
    "GET /v1/kitchen/orders",
    "GET /v1/ledger/accounts",
    "GET /v1/ledger/accounts/{code}",
    "GET /v1/ledger/accounts/{code}/balance",
    "GET /v1/ledger/balances",
    "GET /v1/ledger/days",
    "GET /v1/ledger/days/{date}",
    "GET /v1/ledger/entries",
    "GET /v1/ledger/entries/{id}",
    "GET /v1/ledger/export",
    "GET /v1/ledger/projection",
    "GET /v1/ledger/restatements",
    "GET /v1/ledger/verify",
    "GET /v1/ledger/verify/events",
    "GET /v1/mailbox",
    "GET /v1/mailbox/{id}",
    "GET /v1/orders",
    "GET /v1/orders/{id}",
    "GET /v1/orders/{id}/events",
    "GET /v1/orders/{id}/receipt",
    "GET /v1/orders/{id}/refunds/{refund}/credit-note",
    "GET /v1/payments/{order}/refunds",
    "GET /v1/payouts",
    "GET /v1/provider-events",
    "GET /v1/queues",
    "GET /v1/queues/{queue}/dead",
    "GET /v1/queues/{queue}/messages",
    "GET /v1/receipts/{file}",
    "GET /v1/reconciliation",
    "GET /v1/refunds",
    "GET /v1/refunds/{id}",
    "GET /v1/simulator/intents/{id}",
    "GET /v1/statements/{account}",
    "GET /v1/stats",
    "POST /place-order",
    "POST /v1/catalogue/products/{sku}/stock",
    "POST /v1/delivery/callbacks",
    "POST /v1/kitchen/orders/{id}/handover",
    "POST /v1/kitchen/orders/{id}/ready",
    "POST /v1/kitchen/orders/{id}/start",
    "POST /v1/ledger/accounts",
    "POST /v1/ledger/accounts/{code}/close",
    "POST /v1/ledger/accounts/{code}/reopen",
    "POST /v1/ledger/days/{date}/close",
    "POST /v1/ledger/entries",
    "POST /v1/ledger/entries/{id}/reverse",
    "POST /v1/ledger/entries:batch",
    "POST /v1/ledger/import",
    "POST /v1/ledger/projection/rebuild",
    "POST /v1/orders",
    "POST /v1/orders/{id}/cancel",
    "GET /v1/payments",
    "GET /v1/payments/{order}",
    "POST /v1/payments/{order}/capture",
    "POST /v1/orders/{id}/payments",
    "POST /v1/orders/{id}/payments/check",
    "POST /v1/orders/{id}/resolve",
    "POST /v1/payments/{order}/refunds",
    "POST /v1/payments/{order}/void",
    "POST /v1/provider-events/{id}/retry",
    "POST /v1/queues/{queue}/redrive",
    "POST /v1/reconciliation",
    "POST /v1/reconciliation/explain",
    "POST /v1/refunds/{id}/retry",
    "POST /v1/simulator/intents/{id}",
    "POST /v1/webhooks/{provider}",
    "PUT /v1/catalogue/products/{sku}",
    "PUT /v1/ledger/projection",
];

fn operations(document: &Value) -> Vec<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let operation = |(path, item): (&String, &Value)| {
        let methods: Vec<String> = item.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
        methods.into_iter().map(|method| (method, path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(operation).collect()
}

#[tokio::test]
async fn the_document_names_every_operation() {
    let document: Value = serde_json::from_str(&gateway::openapi("1.2.3")).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], "1.2.3");
    let named: BTreeSet<String> = operations(&document).into_iter().map(|(m, p)| format!("{m} {p}")).collect();
    assert_eq!(named, OPERATIONS.iter().map(|o| (*o).to_owned()).collect());
}

#[tokio::test]
async fn every_reference_has_its_schema() {
    let text = gateway::openapi("0");
    let document: Value = serde_json::from_str(&text).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "`{name}` is missing");
    }
}

#[tokio::test]
async fn every_operation_is_served() {
    let server = Server::start().await;
    let document = server.get("/openapi.json").await.json::<Value>().await.unwrap();
    for (method, path) in operations(&document) {
        let url = path.replace("{id}", "x").replace("{sku}", "x").replace("{queue}", "x");
        let url = url.replace("{provider}", "x").replace("{file}", "x.pdf");
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let answer = server.request(method, &url).send().await.unwrap();
        assert_ne!(answer.status(), 405, "{path}");
        assert_ne!(answer.status(), 500, "{path}");
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let is_page = kind.starts_with("text/html") && !path.starts_with("/v1/simulator");
        assert!(!is_page, "{path} is the page");
    }
}

#[tokio::test]
async fn the_documentation_works_without_a_network() {
    let server = Server::start().await;
    let page = server.get("/docs").await.text().await.unwrap();
    assert!(!page.contains("://"), "the page loads something from elsewhere");
    for path in ["/docs/docs.js", "/docs/docs.css", "/problems"] {
        assert_eq!(server.get(path).await.status(), 200, "{path}");
    }
}
