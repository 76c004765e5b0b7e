//! The flow files and the functions know each other.

use serde_json::Value as Json;

use crate::shop::Shop;

fn placeholders(value: &Json, found: &mut Vec<String>) {
    match value {
        Json::String(text) => {
            if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
                found.push(name.to_owned());
            }
        }
        Json::Array(items) => items.iter().for_each(|item| placeholders(item, found)),
        Json::Object(fields) => fields.values().for_each(|field| placeholders(field, found)),
        _ => {}
    }
}

/// `ValidateOrder` -> `validate-order`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

#[tokio::test]
async fn every_placeholder_is_a_function_and_every_function_stands_in_a_flow() {
    let shop = Shop::open().await;
    let mut used = Vec::new();
    for flow in [app::ORDER_FLOW, app::BENCH_FLOW] {
        placeholders(&serde_json::from_str(flow).unwrap(), &mut used);
    }
    let mut used: Vec<String> = used.iter().map(|name| kebab(name)).collect();
    used.sort();
    used.dedup();
    let mut known: Vec<String> = shop.app.functions().iter().map(|f| f.name().to_owned()).collect();
    known.sort();
    assert_eq!(used, known);
}
