//! Runs of distributed Maps: described, changed and still so after a restart.

use std::sync::Arc;

use asl::MapRunUpdate;
use runtime::{MapRunView, Runtime};
use serde_json::json;
use store::sqlite::SqliteStore;
use tempfile::TempDir;

use crate::world::{Outside, begin, ended, schema, start, until};

const FLOW: &str = r#"{"StartAt":"M","States":{"M":{"Type":"Map","Label":"Asking","MaxConcurrency":1,"End":true,
    "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"A","States":{
        "A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","TimeoutSeconds":3600,
        "Parameters":{"FunctionName":"@ask","Payload":{"token.$":"$$.Task.Token"}},"End":true}}}}}}"#;

async fn the_run(runtime: &Runtime, id: i64) -> MapRunView {
    let runs = runtime.map_runs(id).await.unwrap().unwrap();
    assert_eq!(runs.len(), 1);
    runtime.map_run(&runs[0].run.arn).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_told_changed_and_told_again_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("comanda.db");
    let outside = Arc::new(Outside::default());
    let asked = async |n: usize| until("tokens", async || (outside.tokens.lock().len() == n).then_some(())).await;
    let (id, arn) = {
        let store = Arc::new(SqliteStore::open(&path, &schema()).unwrap());
        let runtime = start(store, outside.clone(), &[("flow", FLOW)]).await;
        let id = begin(&runtime, "flow", json!([1, 2, 3])).await;
        asked(1).await;
        let view = the_run(&runtime, id).await;
        let counts = view.run.item_counts();
        assert_eq!((counts.total, counts.running, counts.pending), (3, 1, 2));
        assert_eq!(view.execution, id);
        let arn = view.run.arn;
        assert!(arn.contains(":mapRun:flow/Asking:"), "{arn}");
        let update = MapRunUpdate { max_concurrency: Some(2), tolerated_count: Some(1.0), ..Default::default() };
        assert_eq!(runtime.update_map_run(&arn, update.clone()).await.unwrap(), Some(true));
        let other = arn.replace("mapRun:flow", "mapRun:other");
        assert_eq!(runtime.update_map_run(&other, update).await.unwrap(), None);
        asked(2).await;
        until("the rest", async || (runtime.at_work() == 0).then_some(())).await;
        runtime.stop(std::time::Duration::from_secs(5)).await.unwrap();
        (id, arn)
    };
    let store = until("the lock", async || SqliteStore::open(&path, &schema()).ok()).await;
    let runtime = start(Arc::new(store), outside.clone(), &[("flow", FLOW)]).await;
    let limits = the_run(&runtime, id).await.run.limits;
    assert_eq!((limits.max_concurrency, limits.tolerated_count), (2, Some(1.0)));
    let tokens: Vec<String> = outside.tokens.lock().values().cloned().collect();
    runtime.answer_task(&tokens[0], Ok(json!("one"))).await.unwrap();
    runtime.answer_task(&tokens[1], Err(runtime::Failure::new("Broken", "as asked"))).await.unwrap();
    asked(3).await;
    let failed = runtime.map_run_executions(&arn, Some("FAILED"), 0, 10).await.unwrap().unwrap();
    let child = failed.0.first().cloned().unwrap();
    assert_eq!((failed.0.len(), failed.1, child.error.as_deref()), (1, None, Some("Broken")));
    assert!(child.state_machine_arn.ends_with(":stateMachine:flow/Asking"), "{}", child.state_machine_arn);
    let (described, history) = runtime.child_execution(&child.arn).await.unwrap().unwrap();
    assert_eq!(described, child);
    let kinds: Vec<&str> = history.iter().map(|event| event.kind).collect();
    let first = ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted"];
    assert_eq!(kinds, [&first[..], &["TaskFailed", "ExecutionFailed"]].concat());
    let page = runtime.map_run_executions(&arn, None, 0, 2).await.unwrap().unwrap();
    assert_eq!((page.0.len(), page.1, page.0[0].input.clone()), (2, Some(2), json!(3)));
    let last = outside.tokens.lock().values().find(|token| !tokens.contains(token)).cloned().unwrap();
    runtime.answer_task(&last, Ok(json!("three"))).await.unwrap();
    assert_eq!(ended(&runtime, id).await.output, Some(json!(["one", "three"])));
    let run = the_run(&runtime, id).await.run;
    assert_eq!((run.status.name(), run.item_counts().succeeded, run.item_counts().failed), ("SUCCEEDED", 2, 1));
    assert_eq!(runtime.update_map_run(&arn, MapRunUpdate::default()).await.unwrap(), Some(false));
}
