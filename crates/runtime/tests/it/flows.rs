//! Flows from start to end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value as Json, json};
use store::memory::MemoryStore;
use store::sqlite::SqliteStore;
use store::{Query, Store};
use tempfile::TempDir;

use crate::world::{EFFECTS, Outside, begin, ended, flow, schema, start, until};

const CHAIN: &str = r#"{"StartAt":"A","States":{
    "A":{"Type":"Task","Resource":"@echo","ResultPath":"$.a","Next":"B"},
    "B":{"Type":"Task","Resource":"@effect","ResultPath":"$.b","Next":"C"},
    "C":{"Type":"Task","Resource":"@effect","ResultPath":"$.c","End":true}}}"#;
const CATCH: &str = r#"{"StartAt":"A","States":{
    "A":{"Type":"Task","Resource":"@fail","Catch":[{"ErrorEquals":["Broken"],"ResultPath":"$.error","Next":"B"}],"End":true},
    "B":{"Type":"Task","Resource":"@effect","ResultPath":"$.b","End":true}}}"#;
const FAIL: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"@fail","End":true}}}"#;
const RETRY: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"@flaky",
    "Retry":[{"ErrorEquals":["Flaky"],"IntervalSeconds":1,"MaxAttempts":3,"BackoffRate":1.0}],"End":true}}}"#;
const TOKEN: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters":{"FunctionName":"@ask","Payload":{"token.$":"$$.Task.Token"}},"TimeoutSeconds":3600,
    "ResultPath":"$.answer","Next":"B"},"B":{"Type":"Task","Resource":"@effect","ResultPath":null,"End":true}}}"#;
const EXPIRES: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters":{"FunctionName":"@ask","Payload":{"token.$":"$$.Task.Token"}},"TimeoutSeconds":1,"End":true}}}"#;
const PARALLEL: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
    {"StartAt":"X","States":{"X":{"Type":"Task","Resource":"@call-out","End":true}}},
    {"StartAt":"Y","States":{"Y":{"Type":"Task","Resource":"@effect","End":true}}},
    {"StartAt":"Z","States":{"Z":{"Type":"Wait","Seconds":1,"End":true}}}]}}}"#;
const MAP: &str = r#"{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":3,"End":true,
    "ItemProcessor":{"StartAt":"E","States":{"E":{"Type":"Task","Resource":"@effect","End":true}}}}}}"#;
const PANIC: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"@panic","End":true}}}"#;
const MANY_TIMERS: &str = r#"{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","End":true,"ResultPath":"$.done",
    "ItemProcessor":{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"Next":"E"},
    "E":{"Type":"Task","Resource":"@effect","ResultPath":null,"End":true}}}}}}"#;
const EQUAL_TIMERS: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Parallel","Branches":[
    {"StartAt":"W1","States":{"W1":{"Type":"Wait","Seconds":1,"Next":"F"},"F":{"Type":"Fail","Error":"Gone"}}},
    {"StartAt":"W2","States":{"W2":{"Type":"Wait","Seconds":1,"End":true}}}],
    "Catch":[{"ErrorEquals":["Gone"],"ResultPath":null,"Next":"E"}],"End":true},
    "E":{"Type":"Task","Resource":"@effect","ResultPath":"$.e","End":true}}}"#;
const SEND: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage",
    "Parameters":{"QueueUrl":"http://local/000000000000/work","MessageBody":{"counter":"sent"}},"ResultPath":null,"End":true}}}"#;

const FLOWS: &[(&str, &str)] = &[
    ("chain", CHAIN),
    ("catch", CATCH),
    ("fail", FAIL),
    ("retry", RETRY),
    ("token", TOKEN),
    ("expires", EXPIRES),
    ("parallel", PARALLEL),
    ("map", MAP),
    ("send", SEND),
    ("panic", PANIC),
    ("many-timers", MANY_TIMERS),
    ("equal-timers", EQUAL_TIMERS),
];

/// Runs a flow on both stores and compares how it ends: `status output-or-error`.
async fn check(name: &str, input: Json, expected: &str) {
    let folder = TempDir::new().unwrap();
    let embedded = Arc::new(SqliteStore::open(&folder.path().join("comanda.db"), &schema()).unwrap());
    let stores: [Arc<dyn Store>; 2] = [Arc::new(MemoryStore::new()), embedded];
    for store in stores {
        let outside = Arc::new(Outside::default());
        outside.failures_left.store(2, Ordering::SeqCst);
        let runtime = start(store, outside, FLOWS).await;
        let id = begin(&runtime, name, input.clone()).await;
        let end = ended(&runtime, id).await;
        let told = match (&end.output, &end.error) {
            (Some(output), _) => output.to_string(),
            (None, error) => error.clone().unwrap_or_default(),
        };
        let told = told.replace(&end.name, "RUN");
        assert_eq!(format!("{} {told}", end.status), expected, "flow {name}");
        assert_eq!(end.input, input);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flows_end_as_they_should() {
    check("chain", json!({"x": 1}), r#"SUCCEEDED {"x":1,"a":{"x":1},"b":{"did":"RUN/B"},"c":{"did":"RUN/C"}}"#).await;
    let caught = r#"SUCCEEDED {"error":{"Error":"Broken","Cause":"it always fails"},"b":{"did":"RUN/B"}}"#;
    check("catch", json!({}), caught).await;
    check("fail", json!({}), "FAILED Broken").await;
    check("panic", json!({}), "FAILED Panic").await;
    check("equal-timers", json!({}), r#"SUCCEEDED {"e":{"did":"RUN/E"}}"#).await;
    let items: Vec<Json> = (0..350).map(|n| json!(n)).collect();
    let many = json!({"items": items, "done": items});
    check("many-timers", json!({"items": items}), &format!("SUCCEEDED {many}")).await;
    check("retry", json!({}), r#"SUCCEEDED {"attempt":2}"#).await;
    check("expires", json!({}), "FAILED States.Timeout").await;
    check("parallel", json!({"x": 1}), r#"SUCCEEDED ["called",{"did":"RUN/P[1]/Y"},{"x":1}]"#).await;
    let items: Vec<Json> = (0..7).map(|n| json!({"did": format!("RUN/M[{n}]/E")})).collect();
    let items = serde_json::to_string(&items).unwrap();
    check("map", json!({"items": [1, 2, 3, 4, 5, 6, 7]}), &format!("SUCCEEDED {items}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_wakes_an_execution_also_after_a_restart_and_only_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("comanda.db");
    let outside = Arc::new(Outside::default());
    let id = {
        let store = Arc::new(SqliteStore::open(&path, &schema()).unwrap());
        let runtime = start(store, outside.clone(), FLOWS).await;
        let id = begin(&runtime, "token", json!({"x": 1})).await;
        until("the question", async || outside.tokens.lock().values().next().cloned()).await;
        until("the rest", async || runtime.stats().queues.iter().all(|q| q.running == 0).then_some(())).await;
        runtime.stop(std::time::Duration::from_secs(5)).await.unwrap();
        id
    };
    let store = until("the lock", async || SqliteStore::open(&path, &schema()).ok()).await;
    let runtime = start(Arc::new(store), outside.clone(), FLOWS).await;
    assert_eq!(runtime.describe(id).await.unwrap().unwrap().waiting_for, ["A"]);
    let token = outside.tokens.lock().values().next().cloned().unwrap();
    assert!(runtime.answer_task("forged", Ok(json!(1))).await.is_err());
    for answer in [json!({"paid": true}), json!("late"), json!("later")] {
        runtime.answer_task(&token, Ok(answer)).await.unwrap();
    }
    let end = ended(&runtime, id).await;
    assert_eq!(end.output, Some(json!({"x": 1, "answer": {"paid": true}})));
    let effects = until("the effects", async || {
        runtime.store().flush().await.unwrap();
        let page = runtime.store().query(Query::table(&EFFECTS)).await.unwrap();
        (page.rows.len() == 2).then_some(page.rows.len())
    });
    effects.await;
    let types: Vec<&str> = runtime.history(id).await.unwrap().unwrap().iter().map(|e| e.kind).collect();
    assert_eq!(
        types,
        [
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSubmitted",
            "TaskSucceeded",
            "TaskStateExited",
            "TaskStateEntered",
            "LambdaFunctionScheduled",
            "LambdaFunctionStarted",
            "LambdaFunctionSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_may_be_null_and_a_hundred_late_ones_are_done_with() {
    let outside = Arc::new(Outside::default());
    let runtime = start(Arc::new(MemoryStore::new()), outside.clone(), FLOWS).await;
    let id = begin(&runtime, "token", json!({"x": 1})).await;
    let token = until("the question", async || outside.tokens.lock().values().next().cloned()).await;
    runtime.answer_task(&token, Ok(Json::Null)).await.unwrap();
    assert_eq!(ended(&runtime, id).await.output, Some(json!({"x": 1, "answer": null})));
    for n in 0..250 {
        runtime.answer_task(&token, Ok(json!(n))).await.unwrap();
    }
    until("no message", async || {
        runtime.messages("task-result", None, 1).await.unwrap().items.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executions_keep_the_version_they_started_with() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let outside = Arc::new(Outside::default());
    let runtime = start(store, outside.clone(), FLOWS).await;
    let id = begin(&runtime, "token", json!({})).await;
    until("the question", async || outside.tokens.lock().values().next().cloned()).await;
    let first = runtime.describe(id).await.unwrap().unwrap().flow_id;
    runtime.register_flow("token", &flow(FAIL)).await.unwrap();
    let token = outside.tokens.lock().values().next().cloned().unwrap();
    runtime.answer_task(&token, Ok(json!(1))).await.unwrap();
    assert_eq!(ended(&runtime, id).await.status, "SUCCEEDED");
    let next = begin(&runtime, "token", json!({})).await;
    let end = ended(&runtime, next).await;
    assert_eq!((end.status.as_str(), end.flow_id == first), ("FAILED", false));
    let again = runtime.register_flow("token", &flow(FAIL)).await.unwrap();
    assert_eq!(again.id, end.flow_id, "the same text is the same version");
}

#[tokio::test]
async fn a_flow_that_cannot_run_here_is_refused() {
    let runtime = start(Arc::new(MemoryStore::new()), Arc::new(Outside::default()), &[]).await;
    let glue =
        r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::glue:startJobRun","End":true}}}"#;
    let error = runtime.register_flow("glue", glue).await.unwrap_err().to_string();
    assert!(error.contains("/States/A/Resource") && error.contains("lambda:invoke"), "{error}");
    let error = runtime.register_flow("bad", r#"{"StartAt":"B","States":{}}"#).await.unwrap_err().to_string();
    assert!(error.contains("StartAt"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_executions_share_the_places() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(SqliteStore::open(&folder.path().join("comanda.db"), &schema()).unwrap());
    let runtime = start(store, Arc::new(Outside::default()), FLOWS).await;
    let mut ids = Vec::new();
    for n in 0..3_000 {
        let mut batch = store::Batch::new();
        ids.push(batch.start_flow("chain", &format!("run-{n}"), json!({"n": n})));
        runtime.store().commit(batch).await.unwrap();
    }
    until("all to finish", async || (runtime.stats().finished == 3_000).then_some(())).await;
    for id in ids.into_iter().step_by(100) {
        assert_eq!(ended(&runtime, id).await.status, "SUCCEEDED");
    }
    assert_eq!(runtime.backlog(), 0);
}
