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

/// `validate-order` -> `ValidateOrder`.
fn pascal(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(word).collect()
}

#[tokio::test]
async fn every_placeholder_is_a_function_and_every_function_stands_in_a_flow() {
    let shop = Shop::open().await;
    let mut used = Vec::new();
    for flow in app::FLOWS.map(|(_, flow)| flow).into_iter().chain([app::BENCH_FLOW]) {
        placeholders(&serde_json::from_str(flow).unwrap(), &mut used);
    }
    let mut used: Vec<String> = used.iter().map(|name| kebab(name)).collect();
    used.sort();
    used.dedup();
    let mut known: Vec<String> = shop.app.functions().iter().map(|f| f.name().to_owned()).collect();
    known.sort();
    assert_eq!(used, known);
}

/// What goes to AWS has a function for each of ours, and a queue with its consumer. The benchmark stays at home, and beats
/// there come from a schedule.
#[tokio::test]
async fn the_template_has_every_function_and_every_queue() {
    let template = include_str!("../../../../deploy/template.yaml");
    let shop = Shop::open().await;
    let functions = shop.app.functions();
    let functions = functions.iter().map(|f| f.name()).filter(|name| !name.starts_with("bench-"));
    let functions = functions.map(|name| format!("fn.{}", pascal(name)));
    let consumers = shop.app.consumers();
    let queues =
        consumers.iter().map(|c| c.queue()).filter(|queue| *queue != "tickers").map(|queue| format!("queue.{queue}"));
    let mut wanted: Vec<String> = functions.chain(queues).collect();
    wanted.sort();
    wanted.dedup();
    let handlers = template.lines().filter_map(|line| line.trim().strip_prefix("Handler: "));
    let mut there: Vec<&str> = handlers.filter(|h| h.starts_with("fn.") || h.starts_with("queue.")).collect();
    there.sort_unstable();
    assert_eq!(there, wanted, "change deploy/functions.mjs and run `node deploy/generate.mjs`");
}

/// The flow that undoes is the end of the order's flow: what is changed in one is changed in the other.
#[test]
fn an_order_is_undone_in_one_way() {
    let order: Json = serde_json::from_str(app::ORDER_FLOW).unwrap();
    let undo: Json = serde_json::from_str(app::UNDO_FLOW).unwrap();
    for (name, state) in undo["States"].as_object().unwrap() {
        assert_eq!(state, &order["States"][name], "{name}");
    }
}

/// No step can wait forever, and no failure of a call goes untried.
#[test]
fn every_task_has_a_time_limit_and_tries_again() {
    fn check(flow: &Json) {
        for (name, state) in flow["States"].as_object().unwrap() {
            state["Branches"].as_array().into_iter().flatten().for_each(check);
            if state["Type"] != "Task" {
                continue;
            }
            let waits = state["Resource"].as_str().unwrap().ends_with(".waitForTaskToken");
            assert!(state["TimeoutSeconds"].is_u64() || state["TimeoutSecondsPath"].is_string(), "{name}");
            let tried = state["Retry"].to_string();
            let all = tried.contains("States.ALL");
            for error in ["Sandbox.Timedout", "Lambda.Unknown", "StoreUnavailable"] {
                assert!(all || tried.contains(error), "{name}: {error}");
            }
            assert!(all || tried.contains("States.Timeout") != waits, "{name}");
        }
    }
    for (_, flow) in app::FLOWS {
        check(&serde_json::from_str(flow).unwrap());
    }
}
