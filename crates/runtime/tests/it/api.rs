//! The Step Functions API's side of the runtime, with a crash at every commit: what was acknowledged is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use runtime::{Filter, MachineKind, NewMachine, Report, ReportError, Runtime, StartError};
use serde_json::json;
use store::crash::{CrashPoint, CrashStore, Survives};

use crate::world::{Outside, ended, start};

const DEFINITION: &str = r#"{"StartAt":"Work","States":{
    "Work":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:dig","HeartbeatSeconds":1,
        "Retry":[{"ErrorEquals":["States.Timeout"],"IntervalSeconds":1,"MaxAttempts":9}],"Next":"Done"},
    "Done":{"Type":"Pass","End":true}}}"#;

/// What the client knows; it outlives the crashes of the server.
#[derive(Default)]
struct Client {
    created: bool,
    started: bool,
    token: Option<String>,
    reported: bool,
}

fn machine() -> NewMachine {
    NewMachine {
        name: "digging".into(),
        definition: DEFINITION.into(),
        role_arn: "arn:aws:iam::000000000000:role/digger".into(),
        kind: MachineKind::Standard,
        settings: json!({}),
        tags: BTreeMap::new(),
    }
}

/// One life of the server, as long as it goes; answers whether the execution has ended.
async fn life(store: &Arc<CrashStore>, client: &Arc<Mutex<Client>>) -> bool {
    let working = async {
        let runtime = start(store.clone(), Arc::new(Outside::default()), &[]).await;
        let known = runtime.state_machine("digging").await.unwrap();
        assert!(known.is_some() || !client.lock().created, "the machine is lost");
        let started = client.lock().started;
        if let Some(machine) = known.filter(|_| started) {
            assert!(runtime.find_execution(&machine, "one").await.unwrap().is_some(), "the execution is lost");
        }
        let machine = runtime.create_state_machine(&machine()).await.unwrap();
        client.lock().created = true;
        runtime.create_activity("dig", &BTreeMap::new()).await.unwrap();
        let target = runtime.target(machine.clone(), None, None).await.unwrap();
        match runtime.start_execution(&target, Some("one"), json!({"deep": 7})).await {
            Ok(_) | Err(StartError::AlreadyExists { .. }) => client.lock().started = true,
            Err(e) => panic!("{e}"),
        }
        let place = runtime.find_execution(&machine, "one").await.unwrap().unwrap();
        work(&runtime, client, place.id).await;
        let end = ended(&runtime, place.id).await;
        assert_eq!((end.status.as_str(), end.output), ("SUCCEEDED", Some(json!("dug"))));
        runtime.store().flush().await.unwrap();
        let all = runtime.executions(&machine, &Filter::default(), None, 10).await.unwrap().0;
        assert_eq!(all.len(), 1, "{all:?}");
        runtime.stop(Duration::from_secs(5)).await.unwrap();
    };
    tokio::select! {
        () = working => true,
        () = store.crashed() => false,
    }
}

/// A worker that fetches until its report is taken, and never reports twice.
async fn work(runtime: &Runtime, client: &Arc<Mutex<Client>>, id: i64) {
    while !client.lock().reported {
        let token = client.lock().token.clone();
        let token = match token {
            Some(token) => token,
            None => {
                let task = runtime.fetch_task("dig", Some("w"), Duration::from_secs(1)).await.unwrap();
                let Some(task) = task else {
                    // It is reported, and the crash came before the acknowledgement.
                    if runtime.describe(id).await.unwrap().unwrap().status != "RUNNING" {
                        return;
                    }
                    continue;
                };
                assert_eq!(task.input, json!({"deep": 7}));
                client.lock().token = Some(task.token.clone());
                task.token
            }
        };
        match runtime.report(&token, Report::Success(json!("dug"))).await {
            Ok(()) => client.lock().reported = true,
            Err(ReportError::TimedOut) => client.lock().token = None,
            Err(e) => panic!("{e}"),
        }
    }
}

fn in_a_process<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    result
}

#[test]
fn what_the_api_acknowledges_survives_a_crash_at_any_commit() {
    let trials: Vec<_> = (1..9)
        .flat_map(|n| [(CrashPoint::Before(n), Survives::Half), (CrashPoint::After(n), Survives::Durable)])
        .map(|(point, survives)| std::thread::spawn(move || trial(point, survives)))
        .collect();
    let failed = trials.into_iter().filter_map(|trial| trial.join().unwrap().err());
    assert_eq!(failed.collect::<Vec<String>>(), Vec::<String>::new());
}

fn trial(point: CrashPoint, survives: Survives) -> Result<(), String> {
    let client = Arc::new(Mutex::new(Client::default()));
    let (before, after) = (client.clone(), client);
    let batches = in_a_process(async move {
        let store = CrashStore::new(Vec::new(), Some(point)).await.unwrap();
        if life(&store, &before).await { None } else { Some(store.survivors(survives).await) }
    });
    let Some(batches) = batches else { return Ok(()) };
    in_a_process(async move {
        let store = CrashStore::new(batches, None).await.unwrap();
        match life(&store, &after).await {
            true => Ok(()),
            false => Err(format!("crash {point:?}, {survives:?} survives: it did not end")),
        }
    })
}

#[tokio::test]
async fn express_functions_commit_and_fail_as_their_flow_says() {
    let store = Arc::new(store::memory::MemoryStore::new());
    let runtime = start(store, Arc::new(Outside::default()), &[]).await;
    let definition = crate::world::flow(
        r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"@effect","Next":"B"},
            "B":{"Type":"Task","Resource":"@fail","Catch":[{"ErrorEquals":["Broken"],"Next":"C"}],"End":true},
            "C":{"Type":"Pass","Result":"caught","End":true}}}"#,
    );
    let new = NewMachine { definition, kind: MachineKind::Express, ..machine() };
    let machine = runtime.create_state_machine(&new).await.unwrap();
    let target = runtime.target(machine, None, None).await.unwrap();
    let run = runtime.run_express(&target, Some("run"), json!({})).await.unwrap();
    assert_eq!((run.status, run.output), ("SUCCEEDED", Some(json!("caught"))));
    // The same name again is another execution.
    let run = runtime.run_express(&target, Some("run"), json!({})).await.unwrap();
    assert_eq!(run.status, "SUCCEEDED", "{run:?}");
}
