//! A step of a flow as a Lambda function: its effects happen exactly once, however often it is invoked.
//!
//! Step Functions invokes a function again when it did not hear the answer, and Lambda may run two at once. So the function's
//! changes are committed together with a record under the step's key, and whoever finds the record answers what it says.
//!
//! The key is made of the function's name, the step (`$.step` of the input: execution, state, and when the state was entered,
//! which all attempts of one step share) and the rest of the input. Why the input too: a retry of a task with a token has
//! another token, and must see to it that this one is answered.
//!
//! Invariant: an effect and the record of it are one commit. A crash before it leaves nothing, one after it leaves both.

use std::time::Duration;

use app::{Call, Function, FunctionError};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use store::{Column, CommitError, KeyShape, ReadError, Row, Store, Table, Value};

use crate::layout::Expiry;

/// What functions answered: their output as JSON, until when it is kept.
pub static STEPS: Table = Table {
    name: "steps",
    key: KeyShape::Text("key"),
    columns: &[Column::text("output"), Column::int("expires_at")],
    indexes: &[],
};

/// Records are forgotten after that: longer than the longest Retry of a flow goes on.
pub const KEEP_MS: i64 = 7 * 86_400_000;
/// How often a function decides again because its changes conflict with another writer's.
const MAX_DECISIONS: u32 = 20;
/// The longest pause before it does; a part of it by the number of the decision.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// The longest step, in bytes: what the port allows as an idempotency key of providers.
const MAX_STEP_BYTES: usize = 1_024;

/// When DynamoDB forgets the records.
pub const EXPIRY: Expiry = Expiry { table: "steps", column: "expires_at", unit_ms: 1, keep_ms: 0 };

/// Runs a function for an invocation: decides, commits, answers; or answers what was answered before.
///
/// # Errors
/// The function's own error, for the flow's Retry and Catch; `InvalidInput` without a step, `StoreConflict`,
/// `StoreUnavailable` and `InvalidChanges` where nothing was committed.
pub async fn run(
    store: &dyn Store,
    function: &dyn Function,
    input: Json,
    now: fn() -> i64,
) -> Result<Json, FunctionError> {
    let step = input.get("step").and_then(Json::as_str).filter(|step| step.len() <= MAX_STEP_BYTES);
    let step = step.ok_or_else(|| {
        FunctionError::new("InvalidInput", "`step` is missing; the flow must pass execution, state and time of entry")
    })?;
    let record = record_key(function.name(), &input);
    let call_key = call_key(step);
    let input = with_words(input);
    for decision in 0..MAX_DECISIONS {
        if let Some(row) = store.get(&STEPS, &record.as_str().into()).await.map_err(unreadable)? {
            return recorded(&row);
        }
        let call = Call { input: input.clone(), key: call_key.clone(), attempt: 1, now_ms: now() };
        let answer = function.call(call).await?;
        if answer.changes.is_empty() {
            return Ok(answer.output);
        }
        let mut batch = answer.changes;
        let values = vec![Value::from(answer.output.to_string()), Value::Int(now() + KEEP_MS)];
        batch.insert(Row::new(&STEPS, record.as_str(), values));
        match store.commit(batch).await {
            Ok(receipt) => {
                receipt.durable().await.map_err(|error| FunctionError::new("StoreUnavailable", error.to_string()))?;
                return Ok(answer.output);
            }
            Err(CommitError::Conflict { .. } | CommitError::BelowFloor { .. }) => pause(decision).await,
            Err(error @ CommitError::Invalid(_)) => {
                return Err(FunctionError::new("InvalidChanges", error.to_string()));
            }
            Err(error @ CommitError::Unavailable(_)) => {
                return Err(FunctionError::new("StoreUnavailable", error.to_string()));
            }
        }
    }
    Err(FunctionError::new("StoreConflict", "its changes conflicted with other writers every time"))
}

/// The input with the words of an error that the flow caught. Step Functions puts what a Lambda function answered into the
/// cause, as JSON; on the embedded engine the cause is the function's words, and customers read them.
fn with_words(mut input: Json) -> Json {
    let cause = input.pointer_mut("/error/Cause");
    if let Some(cause) = cause
        && let Some(Json::Object(answer)) = cause.as_str().and_then(|text| serde_json::from_str(text).ok())
        && let Some(words) = answer.get("errorMessage").filter(|words| words.is_string())
    {
        *cause = words.clone();
    }
    input
}

/// Two that conflict again and again drift apart: each pause is longer, and by another part.
pub(crate) async fn pause(decision: u32) {
    let longest = LONGEST_PAUSE.mul_f64(f64::from(decision + 1) / f64::from(MAX_DECISIONS));
    let part = f64::from(u8::try_from(store::id::next() & 0xFF).unwrap_or(0)) / 255.0;
    tokio::time::sleep(longest.mul_f64(part)).await;
}

fn unreadable(error: ReadError) -> FunctionError {
    FunctionError::new("StoreUnavailable", error.to_string())
}

fn recorded(row: &Row) -> Result<Json, FunctionError> {
    let output = row.text("output").and_then(|text| serde_json::from_str(text).ok());
    output.ok_or_else(|| FunctionError::new("StoreUnavailable", "the record of the step is damaged"))
}

/// The key of a step's record: the function, and a hash of its input with the members of objects in order.
fn record_key(function: &str, input: &Json) -> String {
    let mut text = String::new();
    canonical(input, &mut text);
    format!("{function}/{}", hex(&Sha256::digest(text.as_bytes())))
}

/// The step as an idempotency key of at most 255 characters.
fn call_key(step: &str) -> String {
    match step.len() <= 255 {
        true => step.to_owned(),
        false => hex(&Sha256::digest(step.as_bytes())),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn canonical(value: &Json, out: &mut String) {
    match value {
        Json::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in sorted {
                out.push_str(&Json::from(name.as_str()).to_string());
                canonical(value, out);
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use app::Answer;
    use async_trait::async_trait;
    use serde_json::json;
    use store::conformance::STOCK;
    use store::memory::MemoryStore;
    use store::{Add, Batch, Op};

    use super::*;

    /// Takes one unit, and answers how many calls there were.
    #[derive(Default)]
    struct Take(AtomicU32);

    #[async_trait]
    impl Function for Take {
        fn name(&self) -> &'static str {
            "take"
        }

        async fn call(&self, _: Call) -> Result<Answer, FunctionError> {
            let calls = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            let mut changes = Batch::new();
            changes.push(Op::Add(Add { table: &STOCK, key: "tea".into(), amounts: vec![("on_hand", -1)], floor: 0 }));
            Ok(Answer { output: json!({ "calls": calls }), changes })
        }
    }

    async fn stocked() -> MemoryStore {
        let store = MemoryStore::new();
        let mut batch = Batch::new();
        batch.insert(Row::new(&STOCK, "tea", vec![Value::Int(9), Value::Int(0)]));
        store.commit(batch).await.unwrap();
        store
    }

    async fn on_hand(store: &MemoryStore) -> i64 {
        store.get(&STOCK, &"tea".into()).await.unwrap().unwrap().int("on_hand").unwrap()
    }

    #[tokio::test]
    async fn a_second_invocation_finds_the_first_answer() {
        let (store, take) = (stocked().await, Take::default());
        let run = async |input: Json| run(&store, &take, input, || 0).await.unwrap();
        let first = run(json!({ "step": "a", "x": { "b": 1, "c": 2 } })).await;
        assert_eq!(run(json!({ "x": { "c": 2, "b": 1 }, "step": "a" })).await, first);
        assert_eq!(on_hand(&store).await, 8);
        assert_ne!(run(json!({ "step": "b" })).await, first);
        assert_ne!(run(json!({ "step": "a", "taskToken": "other" })).await, first);
        assert_eq!(on_hand(&store).await, 6);
    }

    #[tokio::test]
    async fn without_a_step_nothing_happens() {
        let (store, take) = (stocked().await, Take::default());
        let error = run(&store, &take, json!({ "orderId": "x" }), || 0).await.unwrap_err();
        assert_eq!(error.error, "InvalidInput");
        assert_eq!(on_hand(&store).await, 9);
    }

    #[tokio::test(start_paused = true)]
    async fn what_conflicts_every_time_ends() {
        let (store, take) = (MemoryStore::new(), Take::default());
        let error = run(&store, &take, json!({ "step": "a" }), || 0).await.unwrap_err();
        assert_eq!(error.error, "StoreConflict");
        assert_eq!(take.0.load(Ordering::Relaxed), MAX_DECISIONS);
    }

    /// What Lambda answers in a function's place, and passes: those that the Step Functions guide says to retry ("Handle
    /// transient Lambda service exceptions"), and a process that ended or did not start.
    const TRANSIENT: &[&str] = &[
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Sandbox.Timedout",
    ];

    /// Every task of our flows that is a function gets the step, and is tried again after what passes.
    #[test]
    fn flows_pass_the_step() {
        fn check(flow: &str, states: &Json) {
            for (name, state) in states.as_object().into_iter().flatten() {
                for branch in state.get("Branches").and_then(Json::as_array).into_iter().flatten() {
                    check(flow, &branch["States"]);
                }
                check(flow, state.pointer("/ItemProcessor/States").unwrap_or(&Json::Null));
                let resource = state.get("Resource").and_then(Json::as_str).unwrap_or_default();
                let input = match (resource.starts_with("${"), resource.contains(":lambda:invoke")) {
                    (true, _) => state.get("Parameters").or(state.get("Arguments")),
                    (_, true) => state.pointer("/Parameters/Payload").or(state.pointer("/Arguments/Payload")),
                    _ => continue,
                };
                let given = state.get("Parameters").or(state.get("Arguments")).and_then(Json::as_object);
                for retry in state.get("Retry").and_then(Json::as_array).into_iter().flatten() {
                    let named = |error: &str| retry["ErrorEquals"].as_array().unwrap().contains(&error.into());
                    let missing = TRANSIENT.iter().find(|error| named("StoreUnavailable") && !named(error));
                    assert_eq!(missing, None, "`{name}` of flows/{flow}: what passes by itself is tried again");
                }
                let known = ["FunctionName", "Payload", "InvocationType", "Qualifier", "ClientContext"];
                let is_known = |field: &str| known.contains(&field.trim_end_matches(".$"));
                let unknown = given.into_iter().flatten().map(|(field, _)| field).find(|field| !is_known(field));
                if resource.contains(":lambda:invoke") {
                    assert_eq!(unknown, None, "`{name}` of flows/{flow}: lambda:invoke knows no such field");
                }
                let has = input.is_some_and(|input| input.get("step.$").or(input.get("step")).is_some());
                assert!(has, "`{name}` of flows/{flow} passes no `step`; see `step.$` in flows/order.asl.json");
            }
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../flows");
        let mut flows = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // The benchmark is never deployed.
            if name.ends_with(".asl.json") && name != "bench.asl.json" {
                let flow: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
                check(&name, &flow["States"]);
                flows += 1;
            }
        }
        assert!(flows >= 2);
    }

    #[test]
    fn functions_read_the_words_of_an_error() {
        let check = |cause: &str, words: &str| {
            let input = with_words(json!({ "orderId": "o", "error": { "Error": "OutOfStock", "Cause": cause } }));
            assert_eq!(input["error"], json!({ "Error": "OutOfStock", "Cause": words }));
        };
        check(r#"{"errorType":"OutOfStock","errorMessage":"burger","stackTrace":[]}"#, "burger");
        check("burger", "burger");
        check("{}", "{}");
        check("[1]", "[1]");
        assert_eq!(with_words(json!({ "error": null })), json!({ "error": null }));
    }
}
