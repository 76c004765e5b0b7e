//! Random flows with random results of tasks and random crashes, in virtual time: an execution with crashes equals one
//! without, and both equal what the bare machine does.
//!
//! `SIM_SEED=… SIM_ROUNDS=…` replays: round n of a seed is always the same flow, the same results and the same crashes.

#[path = "simulation/chance.rs"]
pub(crate) mod chance;
#[path = "simulation/flows.rs"]
mod flows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use asl::rehearsal::{Rehearsal, Rehearsed};
use asl::{Definition, Event, ExecutionInfo, HistoryEvent, Outcome, TaskStart};
use async_trait::async_trait;
use parking_lot::Mutex;
use runtime::{Builder, Config, EXECUTIONS, Failure, Runtime, TaskAnswer, TaskCall, TaskHandler, Tokens};
use serde_json::{Value as Json, json};
use store::crash::{CrashPoint, CrashStore, Survives};
use store::message::{Message, START_FLOW, StartFlow};
use store::{Batch, Key, Row, Store, Value, clock};

use crate::world::COUNTERS;
use chance::{Chance, digest};

/// 2026-01-01T12:00:00Z.
pub(crate) const START_MS: i64 = 1_767_268_800_000;
/// Things that happen independently of each other are at least so far apart.
const APART_MS: i64 = 1_500;
/// How often other times are tried for that, and then other flows.
const TRIES: u64 = 40;
/// How much later than the bare machine an execution may end, for each crash and once more: syncs and the clock's rest.
const LATE_MS: i64 = 400;
/// And for each of its tasks.
const LATE_PER_TASK_MS: i64 = 20;
/// Longer than any execution takes, in virtual time.
const LONGEST: Duration = Duration::from_secs(200_000);
const KEY: [u8; 32] = [9; 32];

/// A task's result, or its error and cause.
type Answered = Result<Json, (String, String)>;

/// What becomes of a call: decided by the call alone.
struct Fate {
    after_ms: i64,
    /// `None`: nobody ever answers.
    result: Option<Answered>,
}

/// What differs from one life to the next.
const OF_A_LIFE: [&str; 2] = ["token", "entered"];

/// The rest of an input is what counts.
fn masked(input: &Json) -> String {
    let mut input = input.clone();
    if let Some(fields) = input.as_object_mut() {
        fields.retain(|field, _| !OF_A_LIFE.contains(&field.as_str()));
    }
    input.to_string()
}

fn fate(seed: u64, path: &str, attempt: u32, input: &Json, may_hang: bool) -> Fate {
    let mut chance = Chance::new(digest(seed, &format!("{path}|{attempt}|{}", masked(input))));
    let after_ms = i64::try_from(chance.below(1_200_000)).unwrap() / 2;
    let result = match chance.below(20) {
        0 | 1 => Some(Err(("E1".to_owned(), "once more".to_owned()))),
        2 => Some(Err(("E2".to_owned(), format!("{path} could not")))),
        3 => Some(Err(("E3".to_owned(), String::new()))),
        4..8 if may_hang => None,
        _ => Some(Ok(json!({"v": chance.below(9), "by": path}))),
    };
    Fate { after_ms, result }
}

/// What the call of a task is given, and whether it may hang.
fn payload(start: &TaskStart) -> (&Json, bool) {
    let named = start.arguments.get("FunctionName").and_then(Json::as_str);
    let may_hang = named.unwrap_or(&start.resource.raw).ends_with("hang");
    (start.arguments.get("Payload").unwrap_or(&start.arguments), may_hang)
}

/// A round: a flow, its input, and what decides everything else.
struct Round {
    seed: u64,
    flow: Json,
    input: Json,
    /// What it shall be like.
    alone: Rehearsed,
}

impl Round {
    /// The round of a seed: the first flow and times that fit.
    fn new(seed: u64, states: u32) -> Round {
        for flow_try in 0..TRIES {
            let (flow, input) = flows::random(chance::mix(seed ^ (flow_try << 40)), states);
            let definition = match Definition::parse(&flow.to_string()) {
                Ok(definition) => Arc::new(definition),
                Err(findings) => panic!("seed {seed}: the flow is not valid: {findings:?}\n{flow:#}"),
            };
            for time_try in 0..TRIES {
                let seed = chance::mix(seed.wrapping_add(time_try << 48));
                let alone = rehearse(seed, definition.clone(), input.clone());
                let is_apart = alone.nearest_ms.is_none_or(|nearest| nearest >= APART_MS);
                if alone.outcome.is_some() && is_apart {
                    return Round { seed, flow, input, alone };
                }
            }
        }
        panic!("seed {seed}: no flow has its happenings apart; make them rarer");
    }

    fn execution_id() -> i64 {
        store::id::floor(START_MS)
    }
}

fn info() -> ExecutionInfo {
    ExecutionInfo {
        id: "arn:aws:states:us-east-1:000000000000:execution:flow:run".into(),
        name: "run".into(),
        role_arn: "arn:aws:iam::000000000000:role/comanda".into(),
        state_machine_id: "arn:aws:states:us-east-1:000000000000:stateMachine:flow".into(),
        state_machine_name: "flow".into(),
        seed: Round::execution_id().unsigned_abs(),
        ..ExecutionInfo::default()
    }
}

/// What the bare machine does.
fn rehearse(seed: u64, definition: Arc<Definition>, input: Json) -> Rehearsed {
    let rehearsal = Rehearsal { definition, info: info(), input, start_ms: START_MS, later: Vec::new() };
    rehearsal.run(&mut |start, _| {
        let task = start.task;
        let wrapped = |output: Json| match start.resource.kind {
            asl::resource::Kind::Service(known) if known.service == asl::resource::Service::Lambda => {
                json!({"ExecutedVersion": "$LATEST", "Payload": output, "StatusCode": 200})
            }
            _ => output,
        };
        let (input, may_hang) = payload(start);
        let fate = fate(seed, &start.path, start.attempt, input, may_hang);
        let mut reports = Vec::new();
        let waits = start.wait_for_token;
        if waits {
            reports.push((0, Event::TaskSubmitted { task, output: wrapped(json!("asked")) }));
        }
        reports.extend(fate.result.map(|result| {
            let event = match result {
                Ok(output) => Event::TaskSucceeded { task, output: if waits { output } else { wrapped(output) } },
                Err((error, cause)) => Event::TaskFailed { task, error: Some(error), cause: Some(cause) },
            };
            (fate.after_ms, event)
        }));
        reports
    })
}

/// The world outside: it survives the crashes, and remembers when each call came first.
#[derive(Default)]
struct Outside {
    first_ms: Mutex<BTreeMap<String, i64>>,
    /// Answers to give by token, and when.
    owed: Mutex<BTreeMap<String, (i64, Answered)>>,
}

struct Function {
    seed: u64,
    store: Arc<dyn Store>,
    outside: Arc<Outside>,
    /// It only takes the token, and answers later.
    asks: bool,
    may_hang: bool,
}

impl Function {
    /// When it answers: as if there had been no crash. The input says when the state was entered, which tells calls apart.
    fn answers_at(&self, call: &TaskCall, after_ms: i64) -> i64 {
        let key = format!("{}|{}|{}", call.key, call.attempt, call.input);
        *self.outside.first_ms.lock().entry(key).or_insert(call.now_ms) + after_ms
    }
}

#[async_trait]
impl TaskHandler for Function {
    fn reaches_out(&self) -> bool {
        self.asks
    }

    async fn call(&self, call: TaskCall) -> Result<TaskAnswer, Failure> {
        let path = call.key.strip_prefix("run/").unwrap();
        let fate = fate(self.seed, path, call.attempt, &call.input, self.may_hang);
        let at_ms = self.answers_at(&call, fate.after_ms);
        if self.asks {
            if let Some(result) = fate.result {
                let token = call.input["token"].as_str().unwrap().to_owned();
                self.outside.owed.lock().insert(token, (at_ms, result));
            }
            return Ok(TaskAnswer { output: json!("asked"), changes: Batch::new() });
        }
        let Some(result) = fate.result else { std::future::pending().await };
        tokio::time::sleep(Duration::from_millis(u64::try_from(at_ms - clock::now_ms()).unwrap_or(0))).await;
        let output = result.map_err(|(error, cause)| Failure::new(error, cause))?;
        let mut changes = Batch::new();
        match self.store.get(&COUNTERS, &Key::from(path)).await.unwrap() {
            Some(_) => changes.add(&COUNTERS, path, "n", 1, 0),
            None => changes.insert(Row::new(&COUNTERS, path, vec![Value::Int(1)])),
        };
        Ok(TaskAnswer { output, changes })
    }
}

/// How an execution went.
struct Ran {
    outcome: Outcome,
    history: Vec<HistoryEvent>,
    effects: BTreeMap<String, i64>,
    elapsed_ms: i64,
}

async fn start(round: &Round, store: Arc<CrashStore>, outside: &Arc<Outside>) -> Runtime {
    let mut builder = Builder::new(store, KEY, Config::default());
    for (name, asks, may_hang) in
        [("work", false, false), ("hang", false, true), ("ask", true, false), ("ask-and-hang", true, true)]
    {
        let function = Function { seed: round.seed, store: builder.store(), outside: outside.clone(), asks, may_hang };
        builder = builder.function(name, Arc::new(function));
    }
    let runtime = builder.build();
    runtime.register_flow("flow", &round.flow.to_string()).await.unwrap();
    runtime.start().await.unwrap();
    runtime
}

/// Gives the answers that are owed, again and again until they are durable.
async fn answer(runtime: &Runtime, outside: &Outside) {
    loop {
        let now_ms = clock::now_ms();
        let due =
            outside.owed.lock().iter().find(|(_, (at_ms, _))| *at_ms <= now_ms).map(|(k, v)| (k.clone(), v.1.clone()));
        match due {
            Some((token, result)) => {
                assert!(Tokens::new(&KEY).open(&token).is_some());
                let result = result.map_err(|(error, cause)| Failure::new(error, cause));
                runtime.answer_task(&token, result).await.unwrap();
                outside.owed.lock().remove(&token);
            }
            None => {
                let next_ms = outside.owed.lock().values().map(|(at_ms, _)| at_ms - now_ms).min().unwrap_or(100);
                tokio::time::sleep(Duration::from_millis(next_ms.clamp(1, 100).unsigned_abs())).await;
            }
        }
    }
}

/// One life of the process: until the execution has ended, or the store crashes.
async fn life(round: &Round, store: &Arc<CrashStore>, outside: &Arc<Outside>) -> Option<Ran> {
    let id = Round::execution_id();
    let living = async {
        let runtime = start(round, store.clone(), outside).await;
        let ended = async {
            loop {
                let row = store.get(&EXECUTIONS, &Key::Int(id)).await.unwrap();
                if row.is_some_and(|row| row.text("status") != Some("RUNNING")) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            ended = tokio::time::timeout(LONGEST, ended) => assert!(ended.is_ok(), "it does not end"),
            () = answer(&runtime, outside) => {}
        }
        let description = runtime.describe(id).await.unwrap().unwrap();
        let (error, cause) = (description.error, description.cause);
        let outcome = match description.status.as_str() {
            "SUCCEEDED" => Outcome::Succeeded { output: description.output.unwrap() },
            "FAILED" => Outcome::Failed { error, cause },
            "TIMED_OUT" => Outcome::TimedOut { error, cause },
            other => panic!("it ended as {other}"),
        };
        let history = runtime.history(id).await.unwrap().unwrap();
        let counters = store.query(store::Query::table(&COUNTERS).limit(1_000));
        store.flush().await.unwrap();
        let rows = counters.await.unwrap().rows;
        let effects = rows.iter().map(|row| (row.key().text().unwrap().to_owned(), row.int("n").unwrap())).collect();
        let elapsed_ms = description.stopped_at.unwrap() - START_MS;
        Ran { outcome, history, effects, elapsed_ms }
    };
    tokio::select! {
        ran = living => Some(ran),
        () = store.crashed() => None,
    }
}

/// Runs a part of the simulation in a process of its own, as it were: what it leaves behind are what it returns, and the time.
pub(crate) fn in_a_process<T>(now_ms: &mut i64, work: impl Future<Output = T>) -> T {
    let process = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    process.block_on(async {
        clock::simulated::begin(*now_ms);
        let result = work.await;
        *now_ms = clock::now_ms();
        clock::simulated::end();
        result
    })
}

/// Runs a round with these crashes: after how many commits of a life, and what survives.
fn execute(round: &Round, crashes: &[(usize, bool, Survives)]) -> (Ran, usize) {
    let outside = Arc::new(Outside::default());
    let mut now_ms = START_MS;
    let start = StartFlow { flow: "flow".into(), name: "run".into(), input: round.input.clone(), tell: None };
    let message = Message { id: Round::execution_id(), ..Message::new(START_FLOW, &start) };
    let mut first = Batch::new();
    first.send(message);
    let mut batches = vec![first];
    let mut crashed = 0;
    for crash in crashes.iter().map(Some).chain([None]) {
        let point = crash.map(|(after, before, _)| {
            let at = batches.len() + after;
            if *before { CrashPoint::Before(at) } else { CrashPoint::After(at) }
        });
        let survives = crash.map_or(Survives::Everything, |(_, _, survives)| *survives);
        let lived = in_a_process(&mut now_ms, async {
            let store = CrashStore::new(std::mem::take(&mut batches), point).await.unwrap();
            match life(round, &store, &outside).await {
                Some(ran) => Ok(ran),
                None => Err(store.survivors(survives).await),
            }
        });
        match lived {
            Ok(ran) => return (ran, crashed),
            Err(survivors) => {
                crashed += 1;
                batches = survivors;
            }
        }
    }
    unreachable!("the last life has no crash")
}

/// What a history says, whatever the order and the time: each event's type and details, without ids and tokens.
fn content(history: &[HistoryEvent]) -> Vec<String> {
    let of_a_life = |mut text: String| {
        for field in OF_A_LIFE {
            let start = format!("\\\"{field}\\\":\\\"");
            let mut out = String::new();
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once(start.as_str()) {
                out.push_str(before);
                rest = after.split_once("\\\"").map_or("", |(_, rest)| rest);
            }
            text = out + rest;
        }
        text
    };
    // A failure's text may name the event at which its state was entered, which depends on the order.
    let ids = |text: String| {
        let parts: Vec<&str> = text.split("(entered at the event id #").collect();
        let mut out = parts[0].to_owned();
        for part in &parts[1..] {
            out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        out
    };
    let mut lines: Vec<String> =
        history.iter().map(|event| ids(of_a_life(format!("{} {:?}", event.kind, event.details)))).collect();
    lines.sort();
    lines
}

/// What is wrong with a round, if anything is.
fn check(seed: u64, states: u32) -> Result<Figures, String> {
    let round = Round::new(seed, states);
    let alone = round.alone.outcome.clone().unwrap();
    let history = content(&round.alone.history);
    let (plain, _) = execute(&round, &[]);
    let mut figures = Figures { events: plain.history.len(), ..Figures::default() };
    let mut chance = Chance::new(round.seed ^ 0xC0FFEE);
    let crashes: Vec<(usize, bool, Survives)> = (0..1 + chance.below(5))
        .map(|_| {
            let survives = [Survives::Durable, Survives::Half, Survives::Everything];
            (chance.below(7) as usize, chance.percent(50), survives[chance.below(3) as usize])
        })
        .collect();
    let (broken, crashed) = execute(&round, &crashes);
    figures.crashes = crashed;
    for (what, ran, crashed) in [("without crashes", &plain, 0), ("with crashes", &broken, crashed)] {
        let wrong = |problem: String| {
            let flow = serde_json::to_string(&round.flow).unwrap();
            Err(format!(
                "seed {seed}, {states} states, {what} {crashes:?}: {problem}\nflow {flow}\ninput {}",
                round.input
            ))
        };
        if ran.outcome != alone {
            return wrong(format!("it ended as {:?}\nthe machine alone as {alone:?}", ran.outcome));
        }
        let told = content(&ran.history);
        if told != history {
            let missing: Vec<_> = history.iter().filter(|line| !told.contains(line)).collect();
            let extra: Vec<_> = told.iter().filter(|line| !history.contains(line)).collect();
            return wrong(format!(
                "its history has {} events, not {}; missing {missing:#?}; not expected {extra:#?}",
                told.len(),
                history.len()
            ));
        }
        if ran.effects != plain.effects {
            return wrong(format!("its tasks had the effects {:?}, not {:?}", ran.effects, plain.effects));
        }
        let late_ms = ran.elapsed_ms - round.alone.elapsed_ms;
        let most_ms = LATE_MS * (1 + crashed as i64) + LATE_PER_TASK_MS * round.alone.tasks.len() as i64;
        if !(0..=most_ms).contains(&late_ms) {
            return wrong(format!("it took {} ms, the machine alone {} ms", ran.elapsed_ms, round.alone.elapsed_ms));
        }
    }
    let succeeded = plain.history.iter().filter(|event| event.kind == "LambdaFunctionSucceeded").count();
    figures.effects = plain.effects.values().sum::<i64>() as usize;
    if figures.effects < succeeded {
        return Err(format!("seed {seed}: {succeeded} functions succeeded and had {} effects", figures.effects));
    }
    Ok(figures)
}

/// The machine checks itself in debug builds: a panic is a finding like any other.
fn checked(seed: u64, states: u32) -> Result<Figures, String> {
    std::panic::catch_unwind(|| check(seed, states)).unwrap_or_else(|_| Err("it panicked, see above".to_owned()))
}

#[derive(Debug, Default)]
struct Figures {
    events: usize,
    crashes: usize,
    effects: usize,
}

pub(crate) fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn crashes_change_nothing() {
    let (seed, rounds) = (variable("SIM_SEED", 1), variable("SIM_ROUNDS", 150));
    let states = u32::try_from(variable("SIM_STATES", 14)).unwrap();
    let mut all = Figures::default();
    for round in seed..seed + rounds {
        let figures = checked(round, states).unwrap_or_else(|problem| {
            // The same seed with fewer states is another, smaller flow: perhaps one of them fails, too.
            let smaller = (1..states).find_map(|fewer| checked(round, fewer).err());
            panic!(
                "{}\nagain: SIM_SEED={round} SIM_ROUNDS=1 cargo nextest run -p runtime crashes_change_nothing",
                smaller.unwrap_or(problem)
            );
        });
        all.events += figures.events;
        all.crashes += figures.crashes;
        all.effects += figures.effects;
    }
    println!("{rounds} rounds: {} events, {} effects, {} crashes", all.events, all.effects, all.crashes);
    assert!(
        rounds < 50 || all.crashes > rounds as usize && all.events > 10 * rounds as usize,
        "too little happened: {all:?}"
    );
}
