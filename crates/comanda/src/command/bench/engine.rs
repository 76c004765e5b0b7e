//! `--job engine`: state transitions per second of the engine alone, durable Standard executions and Express ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use runtime::{Builder, MachineKind, NewMachine, Runtime, Target, TaskAnswer, TaskCall, TaskHandler};
use serde::Serialize;
use serde_json::{Value, json};
use store::{Batch, BoxError, Schema, sqlite::SqliteStore};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::process::{self, SELF};
use crate::cli;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Rounds of the loop, as other engines are measured with.
const ROUNDS: u64 = 100;
/// Calls of functions in a row.
const CALLS: u64 = 10;
/// How often ended executions are counted.
const POLL: Duration = Duration::from_millis(1);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    kind: &'static str,
    flow: &'static str,
    executions: u64,
    executions_per_s: f64,
    transitions_per_s: f64,
    cpu_us_per_transition: f64,
    cpu_us_per_execution: f64,
}

/// A flow to measure with, and how many states an execution of it enters.
struct Flow {
    name: &'static str,
    definition: Value,
    transitions: u64,
}

fn flows() -> [Flow; 2] {
    let pass = json!({"StartAt": "Init", "States": {
        "Init": {"Type": "Pass", "Parameters": {"i": 0, "n.$": "$.n"}, "Next": "More"},
        "More": {"Type": "Choice", "Default": "Done", "Choices": [
            {"Variable": "$.i", "NumericLessThanPath": "$.n", "Next": "Add"}]},
        "Add": {"Type": "Pass", "Parameters": {"i.$": "States.MathAdd($.i, 1)", "n.$": "$.n"}, "Next": "More"},
        "Done": {"Type": "Succeed"}}});
    let call = |n: u64| {
        let mut state = json!({"Type": "Task", "Resource": "arn:aws:lambda:local:000000000000:function:echo",
            "ResultPath": "$.answer"});
        let (field, value) = if n == CALLS { ("End", json!(true)) } else { ("Next", json!(format!("C{}", n + 1))) };
        if let Some(state) = state.as_object_mut() {
            state.insert(field.into(), value);
        }
        (format!("C{n}"), state)
    };
    let calls: serde_json::Map<String, Value> = (1..=CALLS).map(call).collect();
    [
        Flow { name: "loop of Pass and Choice", definition: pass, transitions: 2 * ROUNDS + 3 },
        Flow { name: "ten functions", definition: json!({"StartAt": "C1", "States": calls}), transitions: CALLS },
    ]
}

struct Echo;

#[async_trait]
impl TaskHandler for Echo {
    fn reaches_out(&self) -> bool {
        false
    }

    async fn call(&self, call: TaskCall) -> Result<TaskAnswer, runtime::Failure> {
        let output = call.input.get("n").cloned().unwrap_or_default();
        Ok(TaskAnswer { output, changes: Batch::new() })
    }
}

/// An engine over a store in this folder, with the functions of the benchmark.
pub(super) fn open(config: &Config) -> Result<Runtime, Failure> {
    std::fs::create_dir_all(&config.data)?;
    let schema = Schema::new(1, runtime::tables()).map_err(anyhow::Error::from)?;
    let store = Arc::new(SqliteStore::open(&config.data.join("engine.db"), &schema)?);
    let builder = Builder::new(store, [0; 32], runtime::Config::default());
    Ok(builder.function("echo", Arc::new(Echo)).function("ask", Arc::new(Echo)).build())
}

pub(super) fn failed(error: BoxError) -> Failure {
    anyhow::Error::from_boxed(error).into()
}

/// Measures each flow as each kind of execution.
pub(super) async fn run(config: &Config, arguments: &cli::Bench, output: Output) -> Result<(), Failure> {
    let runtime = Arc::new(open(config)?);
    runtime.start().await.map_err(failed)?;
    for (kind, kind_name) in [(MachineKind::Standard, "Standard, durable"), (MachineKind::Express, "Express")] {
        for flow in flows() {
            let new = NewMachine {
                name: format!("{}-{}", flow.name.replace(' ', "-"), kind_name.split(',').next().unwrap_or_default()),
                definition: flow.definition.to_string(),
                role_arn: "arn:aws:iam::000000000000:role/bench".into(),
                kind,
                settings: json!({}),
                tags: BTreeMap::new(),
            };
            let machine = runtime.create_state_machine(&new).await.map_err(anyhow::Error::from)?;
            let target = Arc::new(runtime.target(machine, None, None).await.map_err(anyhow::Error::from)?);
            if kind == MachineKind::Standard {
                check(&runtime, &target, &flow).await?;
            }
            load(&runtime, &target, kind, arguments.in_flight, Duration::from_secs(1)).await?;
            let (cpu, begin) = (process::cpu_s(SELF), Instant::now());
            let executions = load(&runtime, &target, kind, arguments.in_flight, arguments.time.std()).await?;
            let (elapsed, cpu) = (begin.elapsed().as_secs_f64(), process::cpu_s(SELF) - cpu);
            let transitions = executions.max(1) * flow.transitions;
            let measured = Measured {
                kind: kind_name,
                flow: flow.name,
                executions,
                executions_per_s: executions as f64 / elapsed,
                transitions_per_s: transitions as f64 / elapsed,
                cpu_us_per_transition: cpu * 1e6 / transitions as f64,
                cpu_us_per_execution: cpu * 1e6 / executions.max(1) as f64,
            };
            output.say(&measured, describe(&measured))?;
        }
    }
    runtime.stop(Duration::from_secs(60)).await.map_err(failed)?;
    if config.data == crate::own_folder() {
        std::fs::remove_dir_all(&config.data)?;
    }
    Ok(())
}

/// Runs one execution, and makes sure that it does what is counted.
async fn check(runtime: &Runtime, target: &Target, flow: &Flow) -> Result<(), Failure> {
    runtime.start_execution(target, Some("check"), json!({"n": ROUNDS})).await.map_err(anyhow::Error::from)?;
    let place = runtime.find_execution(&target.machine, "check").await.map_err(failed)?;
    let id = place.map_or(0, |place| place.id);
    while runtime.describe(id).await.map_err(failed)?.is_some_and(|execution| execution.status == "RUNNING") {
        tokio::time::sleep(POLL).await;
    }
    let history = runtime.history(id).await.map_err(failed)?.unwrap_or_default();
    let entered = history.iter().filter(|event| event.kind.ends_with("StateEntered")).count() as u64;
    match (history.last().map(|event| event.kind), entered == flow.transitions) {
        (Some("ExecutionSucceeded"), true) => Ok(()),
        (end, _) => Err(Failure::new(Kind::Failed, format!("`{}` ended as {end:?} after {entered} states", flow.name))),
    }
}

fn describe(m: &Measured) -> String {
    format!(
        "{:<18} {:<24} {:>9.0} transitions/s {:>7.2} CPU-us each; {:>7.0} executions/s {:>7.1} CPU-us each",
        m.kind, m.flow, m.transitions_per_s, m.cpu_us_per_transition, m.executions_per_s, m.cpu_us_per_execution
    )
}

/// Keeps so many executions in flight for this time; answers how many ended, all of them durable.
async fn load(
    runtime: &Arc<Runtime>,
    target: &Arc<Target>,
    kind: MachineKind,
    in_flight: u32,
    time: Duration,
) -> Result<u64, Failure> {
    let stopping = Arc::new(AtomicBool::new(false));
    let started = Arc::new(AtomicU64::new(0));
    let places = Arc::new(Semaphore::new(in_flight as usize));
    let mut workers: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for _ in 0..in_flight {
        let (runtime, target) = (runtime.clone(), target.clone());
        let (stopping, started, places) = (stopping.clone(), started.clone(), places.clone());
        workers.spawn(async move {
            while !stopping.load(Ordering::Relaxed) {
                let Ok(place) = places.acquire().await else { break };
                place.forget();
                let input = json!({"n": ROUNDS});
                if kind == MachineKind::Express {
                    let run = runtime.run_express(&target, None, input).await.map_err(anyhow::Error::from_boxed)?;
                    anyhow::ensure!(run.status == "SUCCEEDED", "an execution ended as {}", run.status);
                    places.add_permits(1);
                } else {
                    runtime.start_execution(&target, None, input).await?;
                }
                started.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
    }
    let before = runtime.stats().finished;
    let (begin, mut seen) = (Instant::now(), 0);
    loop {
        tokio::time::sleep(POLL).await;
        let ended = runtime.stats().finished - before;
        places.add_permits((ended - seen) as usize);
        seen = ended;
        if begin.elapsed() > time && !stopping.swap(true, Ordering::Relaxed) {
            places.close();
        }
        while let Some(worker) = workers.try_join_next() {
            worker.map_err(anyhow::Error::from)??;
        }
        let all = kind == MachineKind::Express || ended >= started.load(Ordering::Relaxed);
        if workers.is_empty() && all {
            break;
        }
    }
    runtime.store().flush().await?;
    Ok(started.load(Ordering::Relaxed))
}
