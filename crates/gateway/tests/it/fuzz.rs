//! Arbitrary calls of the Step Functions API: whatever comes, the answer is one of the API's, soon, and the server goes on.
//!
//! `FUZZ_EXAMPLES` sets how many bundles of calls are tried.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::start::Server;

const MODEL: &str = include_str!("../../src/states/model.json");
/// How long one call may take; nothing here waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);
const EXAMPLES: u32 = 48;
const CALLS: usize = 10;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        words().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z$.]{0,8}", inner), 0..4)
                .prop_map(|f| Value::Object(f.into_iter().collect())),
        ]
    })
}

/// Texts that get further than others: names, ARNs, definitions, states, inputs.
fn words() -> impl Strategy<Value = String> {
    let arn = |rest: &str| format!("arn:aws:states:us-east-1:000000000000:{rest}");
    let fixed = vec![
        arn("stateMachine:m"),
        arn("stateMachine:m:1"),
        arn("stateMachine:m:a"),
        arn("stateMachine:express"),
        arn("stateMachine:m/Each"),
        arn("execution:m:run"),
        arn("execution:m/Each:run"),
        arn("express:express:run:1"),
        arn("activity:none"),
        arn("mapRun:m/Each:00000000-0000-8000-8000-000000000000"),
        "arn:aws:iam::0:role/r".into(),
        "m".into(),
        "a".into(),
        "run".into(),
        "EXPRESS".into(),
        "{}".into(),
        "[1, 2]".into(),
        "{\"a\": 1e400}".into(),
        "[".repeat(3_000),
        format!("{}1{}", "[".repeat(3_000), "]".repeat(3_000)),
        "\u{0}".into(),
        flow(json!({"Type": "Pass", "End": true})),
        flow(json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% ($f := function() { $f() }; $f()) %}", "End": true})),
        flow(json!({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $map([1..100000], function($x) { [1..$x] }) %}", "End": true})),
        flow(json!({"Type": "Map", "End": true, "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}})),
        json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "StringMatches": "*a*a*a*a*a*b", "Next": "N"}], "Default": "N"}).to_string(),
        json!({"Type": "Pass", "QueryLanguage": "JSONata", "End": true,
            "Output": format!("{{% $match('{}b', /(a+)+$/) %}}", "a".repeat(64))}).to_string(),
    ];
    prop_oneof![6 => prop::sample::select(fixed), 1 => "[a-z]{1,90}", 1 => "\\PC{0,30}"]
}

fn flow(state: Value) -> String {
    json!({"StartAt": "S", "States": {"S": state}}).to_string()
}

/// The operations, and the names of their fields.
fn operations() -> Vec<(String, Vec<String>)> {
    let model: Map<String, Value> = serde_json::from_str(MODEL).unwrap();
    let names = |fields: &Value| fields.as_object().unwrap().keys().cloned().collect();
    model.iter().map(|(operation, fields)| (operation.clone(), names(fields))).collect()
}

/// A call: mostly with the fields of its operation, sometimes with anything.
fn call() -> impl Strategy<Value = (String, Vec<u8>)> {
    prop::sample::select(operations()).prop_flat_map(|(operation, fields)| {
        let value = prop_oneof![4 => words().prop_map(Value::from), 2 => any_json()];
        let values = prop::collection::vec(prop::option::weighted(0.8, value), fields.len());
        let named = values.prop_map(move |values| {
            let given = fields.iter().cloned().zip(values).filter_map(|(name, value)| Some((name, value?)));
            Value::Object(given.collect()).to_string().into_bytes()
        });
        let body = prop_oneof![
            8 => named,
            1 => any_json().prop_map(|value| value.to_string().into_bytes()),
            1 => prop::collection::vec(any::<u8>(), 0..40),
        ];
        (Just(operation), body)
    })
}

async fn answered(server: &Server, operation: &str, body: &[u8]) -> Result<(), TestCaseError> {
    let request = server.request(Method::POST, "/").header("x-amz-target", format!("AWSStepFunctions.{operation}"));
    let answer = request.timeout(PATIENCE).body(body.to_vec()).send().await;
    let answer = answer.map_err(|error| TestCaseError::fail(format!("{operation} is not answered: {error}")))?;
    let status = answer.status().as_u16();
    let text = answer.text().await.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let answer: Value = serde_json::from_str(&text).map_err(|_| TestCaseError::fail(format!("no JSON: {text}")))?;
    let named = answer["__type"].as_str().is_some_and(|name| !name.is_empty());
    prop_assert!(status == 200 || status == 400 && named, "{operation}: {status} {text}");
    Ok(())
}

#[test]
fn any_call_is_answered() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(Server::start());
    runtime.block_on(async {
        for (name, kind) in [("m", "STANDARD"), ("express", "EXPRESS")] {
            let params = json!({"name": name, "type": kind, "roleArn": "arn:aws:iam::0:role/r", "publish": true,
                "definition": flow(json!({"Type": "Pass", "End": true}))});
            answered(&server, "CreateStateMachine", params.to_string().as_bytes()).await.unwrap();
        }
    });
    let cases = std::env::var("FUZZ_EXAMPLES").ok().and_then(|n| n.parse().ok()).unwrap_or(EXAMPLES);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let calls = prop::collection::vec(call(), CALLS);
    let outcome = runner.run(&calls, |calls| {
        runtime.block_on(async {
            for (operation, body) in &calls {
                answered(&server, operation, body).await?;
            }
            Ok(())
        })
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    runtime.block_on(server.stop());
}
