//! Random operations of the Step Functions API under random crashes, in virtual time: Standard and Express executions are
//! started, stopped and redriven while workers of an activity fetch, beat, report and vanish. What was acknowledged is there
//! after every crash, and whatever failed or was stopped comes to its good end once it is redriven.
//!
//! `OPERATIONS_SEED=… OPERATIONS_ROUNDS=…` replays: round n is always the same plan.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use runtime::{Description, MachineKind, NewMachine, Report, Runtime, StartError, StateMachine};
use serde_json::{Value as Json, json};
use store::clock;
use store::crash::{CrashPoint, CrashStore, Survives};

use crate::simulation::chance::Chance;
use crate::simulation::{START_MS, in_a_process, variable};
use crate::world::{Outside, flow, start};

const DEFINITION: &str = r#"{"StartAt":"Both","TimeoutSeconds":900,"States":{
    "Both":{"Type":"Parallel","ResultPath":"$.both","Next":"Rest","Branches":[
        {"StartAt":"Dig","States":{"Dig":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:dig",
            "HeartbeatSeconds":5,"TimeoutSeconds":40,"End":true,
            "Retry":[{"ErrorEquals":["States.Timeout"],"IntervalSeconds":1,"MaxAttempts":2}]}}},
        {"StartAt":"Count","States":{"Count":{"Type":"Task","Resource":"@effect","ResultPath":null,"Next":"Pause"},
            "Pause":{"Type":"Wait","Seconds":3,"End":true}}}]},
    "Rest":{"Type":"Pass","End":true}}}"#;
const EXPRESS: &str = r#"{"StartAt":"Call","States":{"Call":{"Type":"Task","Resource":"@call-out","End":true}}}"#;
/// How long everything may take to end, in virtual time.
const PATIENCE: Duration = Duration::from_secs(7_200);

/// What a client does next.
#[derive(Debug, Clone, Copy)]
enum Act {
    Start(u64),
    StartExpress(u64),
    Stop(u64),
    Redrive(u64),
}

/// What the client knows of one execution; it outlives the crashes.
#[derive(Debug, Default, Clone)]
struct Known {
    started: bool,
    stopped: bool,
    /// Redrives: acknowledged, and asked for.
    redriven: (u32, u32),
}

#[derive(Default)]
struct Client {
    next: usize,
    standard: BTreeMap<u64, Known>,
    /// How many were acknowledged.
    express: usize,
}

struct Round {
    seed: u64,
    acts: Vec<(u64, Act)>,
    crashes: Vec<(usize, bool, Survives)>,
}

impl Round {
    fn new(seed: u64) -> Round {
        let mut chance = Chance::new(seed);
        let acts = (0..6 + chance.below(20)).map(|n| {
            let pause_ms = if chance.percent(60) { chance.below(50) } else { chance.below(20_000) };
            let which = chance.below(4);
            let act = match chance.below(10) {
                0..4 => Act::Start(which),
                4 => Act::StartExpress(n),
                5..7 => Act::Stop(which),
                _ => Act::Redrive(which),
            };
            (pause_ms, act)
        });
        let acts = acts.collect();
        let survivals = [Survives::Durable, Survives::Half, Survives::Everything];
        let crashes = (0..chance.below(6))
            .map(|_| (chance.below(60) as usize, chance.percent(50), survivals[chance.below(3) as usize]))
            .collect();
        Round { seed, acts, crashes }
    }
}

fn machine(name: &str, kind: MachineKind, definition: &str) -> NewMachine {
    NewMachine {
        name: name.into(),
        definition: flow(definition),
        role_arn: "arn:aws:iam::000000000000:role/digger".into(),
        kind,
        settings: json!({}),
        tags: BTreeMap::new(),
    }
}

struct World<'a> {
    runtime: &'a Runtime,
    standard: StateMachine,
    express: StateMachine,
}

impl World<'_> {
    async fn find(&self, n: u64) -> Option<Description> {
        let place = self.runtime.find_execution(&self.standard, &format!("e{n}")).await.unwrap()?;
        self.runtime.describe(place.id).await.unwrap()
    }

    async fn act(&self, act: Act, client: &Mutex<Client>) {
        match act {
            Act::Start(n) => {
                let target = self.runtime.target(self.standard.clone(), None, None).await.unwrap();
                match self.runtime.start_execution(&target, Some(&format!("e{n}")), json!({"n": n})).await {
                    Ok(_) | Err(StartError::AlreadyExists { .. }) => {
                        client.lock().standard.entry(n).or_default().started = true;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            Act::StartExpress(n) => {
                let target = self.runtime.target(self.express.clone(), None, None).await.unwrap();
                self.runtime.start_express(&target, Some(&format!("x{n}")), json!({"n": n})).await.unwrap();
                client.lock().express += 1;
            }
            Act::Stop(n) => {
                let Some(found) = self.find(n).await else { return };
                let stopped = self.runtime.stop_execution(found.id, Some("Enough".into()), None).await.unwrap();
                let now = self.find(n).await.unwrap();
                assert!(stopped.is_some() && now.status != "RUNNING", "{now:?}");
                client.lock().standard.entry(n).or_default().stopped = now.status == "ABORTED";
            }
            Act::Redrive(n) => self.redrive(n, client).await,
        }
    }

    async fn redrive(&self, n: u64, client: &Mutex<Client>) {
        let Some(found) = self.find(n).await else { return };
        client.lock().standard.entry(n).or_default().redriven.1 += 1;
        let redriven = self.runtime.redrive_execution(found.id, None).await.unwrap();
        let mut client = client.lock();
        let known = client.standard.entry(n).or_default();
        if redriven.is_some() {
            known.redriven.0 += 1;
            known.stopped = false;
        }
    }

    /// After a crash: what was acknowledged is there.
    async fn check(&self, client: &Mutex<Client>) {
        let standard = client.lock().standard.clone();
        for (n, known) in standard.iter().filter(|(_, known)| known.started) {
            let found = self.find(*n).await;
            let found = found.unwrap_or_else(|| panic!("e{n} was acknowledged and is lost"));
            assert!(
                !known.stopped || found.status == "ABORTED" || known.redriven.1 > known.redriven.0,
                "{known:?} {found:?}"
            );
            assert!((known.redriven.0..=known.redriven.1).contains(&found.redrives), "{known:?} {found:?}");
        }
    }
}

/// A worker: it does its task, fails at it, is slow and beats, or vanishes. In the end it does all.
async fn worker(runtime: &Runtime, seed: u64, calm: &Mutex<bool>) {
    let mut chance = Chance::new(seed);
    loop {
        let Some(task) = runtime.fetch_task("dig", Some("w"), Duration::from_secs(2)).await.unwrap() else { continue };
        let report = match chance.below(10) {
            _ if *calm.lock() => Report::Success(task.input.clone()),
            0 | 1 => continue,
            2 => Report::Failure { error: Some("Stone".into()), cause: None },
            3 | 4 => {
                tokio::time::sleep(Duration::from_secs(4)).await;
                drop(runtime.report(&task.token, Report::Heartbeat).await);
                tokio::time::sleep(Duration::from_secs(chance.below(8))).await;
                Report::Success(task.input.clone())
            }
            _ => Report::Success(task.input.clone()),
        };
        // It may have been stopped, or timed out.
        drop(runtime.report(&task.token, report).await);
    }
}

/// One life of the server, until everything has ended.
async fn life(store: Arc<CrashStore>, round: &Round, client: &Mutex<Client>, outside: &Arc<Outside>) {
    let runtime = start(store, outside.clone(), &[]).await;
    runtime.create_activity("dig", &BTreeMap::new()).await.unwrap();
    let standard = machine("digging", MachineKind::Standard, DEFINITION);
    let express = machine("calling", MachineKind::Express, EXPRESS);
    let world = World {
        runtime: &runtime,
        standard: runtime.create_state_machine(&standard).await.unwrap(),
        express: runtime.create_state_machine(&express).await.unwrap(),
    };
    world.check(client).await;
    let calm = Mutex::new(false);
    let plan = async {
        loop {
            let at = client.lock().next;
            let Some((pause_ms, act)) = round.acts.get(at) else { break };
            tokio::time::sleep(Duration::from_millis(*pause_ms)).await;
            world.act(*act, client).await;
            client.lock().next = at + 1;
        }
        world.check(client).await;
        *calm.lock() = true;
        all_end_well(&world, client, outside).await;
    };
    tokio::select! {
        () = plan => {}
        () = worker(&runtime, round.seed ^ 1, &calm) => {}
        () = worker(&runtime, round.seed ^ 2, &calm) => {}
    }
}

/// Whatever has ended badly is redriven, until all have ended well; each did its effect once, and its output is its own.
async fn all_end_well(world: &World<'_>, client: &Mutex<Client>, outside: &Outside) {
    let started: Vec<u64> = client.lock().standard.iter().filter(|(_, k)| k.started).map(|(n, _)| *n).collect();
    let begin = tokio::time::Instant::now();
    for n in started {
        loop {
            let found = world.find(n).await.unwrap();
            match found.status.as_str() {
                "SUCCEEDED" => {
                    let output: Json = found.output.unwrap();
                    assert_eq!((&output["n"], &output["both"][0]["n"]), (&json!(n), &json!(n)), "{output}");
                    break;
                }
                "RUNNING" => tokio::time::sleep(Duration::from_millis(500)).await,
                _ => world.redrive(n, client).await,
            }
            assert!(begin.elapsed() < PATIENCE, "e{n} does not end: {:?}", world.find(n).await);
        }
        let place = world.runtime.find_execution(&world.standard, &format!("e{n}")).await.unwrap().unwrap();
        let history = world.runtime.history(place.id).await.unwrap().unwrap();
        let count = |kind: &str| history.iter().filter(|event| event.kind == kind).count();
        let redrives = world.find(n).await.unwrap().redrives as usize;
        let ends = (count("ExecutionStarted"), count("ExecutionRedriven"), count("ExecutionSucceeded"));
        assert_eq!(ends, (1, redrives, 1), "e{n}");
        let ended_badly = count("ExecutionFailed") + count("ExecutionTimedOut") + count("ExecutionAborted");
        assert_eq!(ended_badly, redrives, "e{n}");
    }
    // Their keys are of an execution each, whose name may be anybody's.
    let express = client.lock().express;
    while outside.calls.lock().len() < express {
        assert!(begin.elapsed() < PATIENCE, "{express} were acknowledged, and these ran: {:?}", outside.calls.lock());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Carries a round out; answers how often the process died, and how much was redriven.
fn carry_out(round: &Round) -> (usize, u32) {
    let (client, outside) = (Mutex::new(Client::default()), Arc::new(Outside::default()));
    let mut now_ms = START_MS;
    let mut batches = Vec::new();
    let mut died = 0;
    for crash in round.crashes.iter().map(Some).chain([None]) {
        let point = crash.map(|(after, before, _)| match before {
            true => CrashPoint::Before(batches.len() + after),
            false => CrashPoint::After(batches.len() + after),
        });
        let survivors = in_a_process(&mut now_ms, async {
            let store = CrashStore::new(std::mem::take(&mut batches), point).await.unwrap();
            tokio::select! {
                biased;
                () = store.crashed() => {}
                () = life(store.clone(), round, &client, &outside) => return None,
            }
            Some(store.survivors(crash.map_or(Survives::Everything, |(.., survives)| *survives)).await)
        });
        match survivors {
            Some(survivors) => (batches, died) = (survivors, died + 1),
            None => break,
        }
    }
    let redriven = client.lock().standard.values().map(|known| known.redriven.0).sum();
    (died, redriven)
}

#[test]
fn what_is_started_stopped_and_redriven_survives_crashes() {
    let (seed, rounds) = (variable("OPERATIONS_SEED", 1), variable("OPERATIONS_ROUNDS", 60));
    let (mut died, mut redriven) = (0, 0);
    for seed in seed..seed + rounds {
        let round = Round::new(seed);
        let caught = std::panic::catch_unwind(|| carry_out(&round));
        clock::simulated::end();
        let Ok(figures) = caught else {
            panic!(
                "it failed, see above: {:?} {:?}\nagain: OPERATIONS_SEED={seed} OPERATIONS_ROUNDS=1 cargo nextest run -p \
                 runtime what_is_started",
                round.acts, round.crashes
            );
        };
        (died, redriven) = (died + figures.0, redriven + figures.1);
    }
    println!("{rounds} rounds: {died} crashes, {redriven} redrives");
    assert!(rounds < 50 || died > 20 && redriven > 20, "too little happened: {died} crashes, {redriven} redrives");
}
