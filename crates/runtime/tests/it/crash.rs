//! A crash at every commit in turn, with none, half or all of the undurable work surviving by turns: the end is always
//! the same.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use store::crash::{CrashPoint, CrashStore, Survives};
use store::message::Message;
use store::{Batch, Query, Store};

use crate::world::{EFFECTS, Outside, counter, ended, start, until};

const FLOW: &str = r#"{"StartAt":"A","States":{
    "A":{"Type":"Task","Resource":"@effect","ResultPath":null,"Next":"B"},
    "B":{"Type":"Task","Resource":"@echo","ResultPath":"$.b","Next":"C"},
    "C":{"Type":"Task","Resource":"@call-out","ResultPath":null,"Next":"P"},
    "P":{"Type":"Parallel","ResultPath":null,"Next":"W","Branches":[
        {"StartAt":"P1","States":{"P1":{"Type":"Task","Resource":"@effect","End":true}}},
        {"StartAt":"P2","States":{"P2":{"Type":"Task","Resource":"@send","Parameters":{"counter":"sent"},"End":true}}}]},
    "W":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","TimeoutSeconds":3600,
        "Parameters":{"FunctionName":"@ask","Payload":{"token.$":"$$.Task.Token"}},"ResultPath":"$.w","Next":"T"},
    "T":{"Type":"Wait","Seconds":1,"Next":"D"},
    "D":{"Type":"Task","Resource":"@effect","ResultPath":null,"End":true}}}"#;

/// One life of the process: it runs until the execution has ended or the store crashes. Answers whether it ended.
async fn life(store: &Arc<CrashStore>, outside: &Arc<Outside>, id: i64) -> bool {
    let running = async {
        let runtime = start(store.clone(), outside.clone(), &[("flow", FLOW)]).await;
        loop {
            // The answer comes again and again, as from a provider that heard of no receipt.
            let token = outside.tokens.lock().values().next().cloned();
            if let Some(token) = token {
                runtime.answer_task(&token, Ok(json!("yes"))).await.unwrap();
            }
            let description = runtime.describe(id).await.unwrap();
            if description.is_some_and(|d| d.status != "RUNNING") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let end = ended(&runtime, id).await;
        assert_eq!(end.output, Some(json!({"x": 1, "b": {"x": 1}, "w": "yes"})));
        until("the message", async || (counter(&*runtime.store(), "sent").await == 1).then_some(())).await;
        runtime.stop(Duration::from_secs(5)).await.unwrap();
    };
    tokio::select! {
        () = running => true,
        () = store.crashed() => false,
    }
}

pub(crate) fn in_a_process<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

#[test]
fn a_crash_at_any_commit_loses_nothing_and_doubles_nothing() {
    let mut start = Batch::new();
    let id = start.start_flow("flow", "run", json!({"x": 1}));
    let first = vec![start];
    let commits = {
        let (outside, batches) = (Arc::new(Outside::default()), first.clone());
        in_a_process(async move {
            let store = CrashStore::new(batches, None).await.unwrap();
            assert!(life(&store, &outside, id).await);
            store.commits().await
        })
    };
    assert!(commits > 8, "{commits} commits");
    let trials = (1..commits).flat_map(|n| {
        let points = [CrashPoint::Before(n), CrashPoint::After(n)];
        let survivals = [Survives::Durable, Survives::Half, Survives::Everything];
        points.into_iter().zip(survivals.into_iter().cycle().skip(n))
    });
    // The trials wait for their timers most of the time: run them side by side.
    let trials: Vec<_> = trials
        .map(|(point, survives)| {
            let first = first.clone();
            std::thread::spawn(move || trial(point, survives, first, id))
        })
        .collect();
    let failed: Vec<String> = trials.into_iter().filter_map(|trial| trial.join().unwrap().err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn trial(point: CrashPoint, survives: Survives, first: Vec<Batch>, id: i64) -> Result<(), String> {
    let outside = Arc::new(Outside::default());
    let (before, after) = (outside.clone(), outside.clone());
    let batches = in_a_process(async move {
        let store = CrashStore::new(first, Some(point)).await.unwrap();
        if life(&store, &before, id).await { None } else { Some(store.survivors(survives).await) }
    });
    // The commits of a run vary a little with what falls together; past the last one there is nothing to crash.
    let Some(batches) = batches else { return Ok(()) };
    let place = format!("crash {point:?}, {survives:?} survives");
    in_a_process(async move {
        let store = CrashStore::new(batches, None).await.unwrap();
        if !life(&store, &after, id).await {
            return Err(format!("{place}: it did not end"));
        }
        let effects = store.query(Query::table(&EFFECTS)).await.unwrap().rows;
        let mut effects: Vec<&str> = effects.iter().filter_map(|row| row.key().text()).collect();
        effects.sort_unstable();
        if effects != ["run/A", "run/D", "run/P[0]/P1", "run/W/asked"] {
            return Err(format!("{place}: effects {effects:?}"));
        }
        let sent = counter(&*store, "sent").await;
        if sent != 1 {
            return Err(format!("{place}: the message was handled {sent} times"));
        }
        let calls = after.calls.lock().get("run/C").copied().unwrap_or(0);
        if !(1..=2).contains(&calls) {
            return Err(format!("{place}: called out {calls} times"));
        }
        Ok(())
    })
}

#[test]
fn messages_are_handled_once_whatever_crash() {
    for n in 1..12 {
        for (point, survives) in [
            (CrashPoint::Before(n), Survives::Durable),
            (CrashPoint::After(n), Survives::Half),
            (CrashPoint::After(n), Survives::Everything),
        ] {
            let mut batch = Batch::new();
            for _ in 0..4 {
                batch.send(Message::new("work", &json!({"counter": "all"})).group("one"));
            }
            let outside = Arc::new(Outside::default());
            let again = outside.clone();
            let batches = in_a_process(async move {
                let store = CrashStore::new(vec![batch], Some(point)).await.unwrap();
                let life = async {
                    let _runtime = start(store.clone(), outside, &[]).await;
                    until("all or the crash", async || {
                        (store.is_crashed() || counter(&*store, "all").await == 4).then_some(())
                    })
                    .await;
                };
                // Also while it starts the store may crash.
                tokio::select! { () = life => {}, () = store.crashed() => {} }
                store.survivors(survives).await
            });
            in_a_process(async move {
                let store = CrashStore::new(batches, None).await.unwrap();
                let runtime = start(store.clone(), again, &[]).await;
                until("all", async || (counter(&*store, "all").await == 4).then_some(())).await;
                runtime.stop(Duration::from_secs(5)).await.unwrap();
                assert_eq!(counter(&*store, "all").await, 4, "crash {point:?}, {survives:?} survives");
            });
        }
    }
}
