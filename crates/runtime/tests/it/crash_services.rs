//! The same for what flows call beside functions: a crash at every commit, and the end is that of a run without one.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::{Value as Json, json};
use store::crash::{CrashPoint, CrashStore, Survives};
use store::{Batch, Query, Store};

use crate::crash::in_a_process;
use crate::world::{EFFECTS, Outside, counter, ended, start, until};

/// Adds to an item, starts a child and waits for it, publishes, puts an event; then reads items of an object, works on
/// each and writes the results.
const FLOW: &str = r#"{"StartAt":"Add","States":{
    "Add":{"Type":"Task","Resource":"arn:aws:states:::dynamodb:updateItem","ResultPath":"$.added","ResultSelector":{"n.$":"$.Attributes.n.N"},
        "Parameters":{"TableName":"stock","Key":{"sku":{"S":"a"}},"UpdateExpression":"ADD n :one","ReturnValues":"ALL_NEW",
        "ExpressionAttributeValues":{":one":{"N":"1"}}},"Next":"Start"},
    "Start":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2","ResultPath":"$.child",
        "ResultSelector":{"output.$":"$.Output"},"TimeoutSeconds":3600,
        "Parameters":{"StateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","Name":"only","Input":{"n.$":"$.added.n"}},
        "Next":"Publish"},
    "Publish":{"Type":"Task","Resource":"arn:aws:states:::sns:publish","ResultPath":null,
        "Parameters":{"TopicArn":"arn:aws:sns:us-east-1:000000000000:news","Message":{"counter":"news"}},"Next":"Put"},
    "Put":{"Type":"Task","Resource":"arn:aws:states:::events:putEvents","ResultPath":null,
        "Parameters":{"Entries":[{"Source":"shop","DetailType":"d","Detail":{"counter":"events"}}]},"Next":"Map"},
    "Map":{"Type":"Map","ResultPath":"$.map","ResultSelector":{"bucket.$":"$.ResultWriterDetails.Bucket"},"End":true,
        "ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON"},
            "Parameters":{"Bucket":"my-bucket","Key":"in.json"}},
        "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"Count","States":{
            "Count":{"Type":"Task","Resource":"arn:aws:states:::dynamodb:updateItem","ResultPath":null,"End":true,
            "Parameters":{"TableName":"stock","Key":{"sku":{"S":"items"}},"UpdateExpression":"ADD n :one",
            "ExpressionAttributeValues":{":one":{"N":"1"}}}}}},
        "ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"my-bucket","Prefix":"out"}}}}}"#;
/// One effect, which would conflict with a second one.
const CHILD: &str = r#"{"StartAt":"E","States":{"E":{"Type":"Task","Resource":"@effect","ResultPath":null,"Next":"W"},
    "W":{"Type":"Wait","Seconds":1,"Next":"P"},"P":{"Type":"Pass","End":true}}}"#;
const FLOWS: &[(&str, &str)] = &[("flow", FLOW), ("child", CHILD)];

/// One life of the process; answers the output, if the execution has ended.
async fn life(store: &Arc<CrashStore>, outside: &Arc<Outside>, id: i64) -> Option<Json> {
    let running = async {
        outside.objects.put(&Path::from("my-bucket/in.json"), "[1,2,3]".into()).await.unwrap();
        let runtime = start(store.clone(), outside.clone(), FLOWS).await;
        until("the execution", async || runtime.describe(id).await.unwrap()).await;
        let end = ended(&runtime, id).await;
        assert_eq!(end.error, None, "{:?}", end.cause);
        until("the news", async || (counter(&*runtime.store(), "news").await == 1).then_some(())).await;
        runtime.stop(Duration::from_secs(5)).await.unwrap();
        end.output
    };
    tokio::select! {
        output = running => output,
        () = store.crashed() => None,
    }
}

/// Everything that the flow did, as a person would look for it.
async fn done(store: &Arc<CrashStore>, outside: &Arc<Outside>) -> Json {
    // Nothing reads the archive and the events, so what was sent is there.
    store.flush().await.unwrap();
    let rows = async |query: Query| store.query(query.limit(1_000)).await.unwrap().rows;
    let items =
        rows(Query::table(runtime::tables().into_iter().find(|table| table.name == "table_items").unwrap())).await;
    let items: Vec<&str> = items.iter().filter_map(|row| row.text("item")).collect();
    let effects = rows(Query::table(&EFFECTS)).await.len();
    let executions = rows(Query::table(&runtime::EXECUTIONS)).await.len();
    let sent = async |queue: &'static str| rows(Query::index(&store::message::MESSAGES, "by_queue", queue)).await.len();
    let (archive, events) = (sent("archive").await, sent("events").await);
    let left = [sent("task-result").await, sent("start-execution").await, sent("stop-execution").await];
    let objects = outside.objects.clone();
    let listed =
        object_store::ObjectStore::list_with_delimiter(&*objects, Some(&Path::from("my-bucket/out"))).await.unwrap();
    let runs = listed.common_prefixes.len();
    json!({"items": items, "effects": effects, "executions": executions, "archive": archive, "events": events,
        "left": left, "runs written": runs, "news": counter(&**store, "news").await})
}

#[test]
fn what_services_do_is_done_once_whatever_crashes() {
    let mut start = Batch::new();
    let id = start.start_flow("flow", "run", json!({}));
    let first = vec![start];
    let batches = first.clone();
    let (commits, want) = in_a_process(async move {
        let (store, outside) = (CrashStore::new(batches, None).await.unwrap(), Arc::new(Outside::default()));
        let output = life(&store, &outside, id).await.unwrap();
        let want = json!({"added": {"n": "1"}, "child": {"output": {"n": "1"}}, "map": {"bucket": "my-bucket"}});
        assert_eq!(output, want);
        (store.commits().await, done(&store, &outside).await)
    });
    let once = json!({"items": [r#"{"n":{"N":"1"},"sku":{"S":"a"}}"#, r#"{"n":{"N":"3"},"sku":{"S":"items"}}"#],
        "effects": 1, "executions": 2, "archive": 1, "events": 1, "left": [0, 0, 0], "runs written": 1, "news": 1});
    assert_eq!(want, once);
    assert!(commits > 12, "{commits} commits");
    let trials = (1..commits).flat_map(|n| {
        let points = [CrashPoint::Before(n), CrashPoint::After(n)];
        let survivals = [Survives::Durable, Survives::Half, Survives::Everything];
        points.into_iter().zip(survivals.into_iter().cycle().skip(n))
    });
    let trials: Vec<_> = trials
        .map(|(point, survives)| {
            let (first, want) = (first.clone(), want.clone());
            std::thread::spawn(move || trial(point, survives, first, id, &want))
        })
        .collect();
    let failed: Vec<String> = trials.into_iter().filter_map(|trial| trial.join().unwrap().err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn trial(point: CrashPoint, survives: Survives, first: Vec<Batch>, id: i64, want: &Json) -> Result<(), String> {
    let outside = Arc::new(Outside::default());
    let (before, after) = (outside.clone(), outside);
    let batches = in_a_process(async move {
        let store = CrashStore::new(first, Some(point)).await.unwrap();
        match life(&store, &before, id).await {
            Some(_) => None,
            None => Some(store.survivors(survives).await),
        }
    });
    let Some(batches) = batches else { return Ok(()) };
    let place = format!("crash {point:?}, {survives:?} survives");
    let got = in_a_process(async move {
        let store = CrashStore::new(batches, None).await.unwrap();
        let output = life(&store, &after, id).await;
        output.map(|_| ()).ok_or_else(|| format!("{place}: it did not end"))?;
        Ok::<_, String>((place, done(&store, &after).await))
    })?;
    match got.1 == *want {
        true => Ok(()),
        false => Err(format!("{}: {}", got.0, got.1)),
    }
}
