//! Money under random orders, faults and crashes, in virtual time: customers, the kitchen, the staff, banks and the provider do
//! what they do in any order; calls and webhooks get lost, late and doubled; the process dies at any commit and comes back with
//! none, half or all of what was not durable. At every moment the caps hold, and in the end all books agree.
//!
//! `MONEY_SEED=… MONEY_ROUNDS=…` replays: round n is always the same plan. A failure prints its seed and the shortest plan
//! that still fails.

mod books;
#[path = "../../../../runtime/tests/it/simulation/chance.rs"]
#[allow(dead_code, reason = "shared with the simulation of flows, which uses the rest")]
mod chance;
mod live;
mod outside;
mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use object_store::memory::InMemory;
use parking_lot::Mutex;
use store::clock;
use store::crash::{CrashPoint, CrashStore, Survives};

use live::{Ended, Life};
use outside::Outside;
use plan::Plan;

/// 2026-03-02T15:00:00Z.
const START_MS: i64 = 1_772_463_600_000;
/// After how many failing plans it is enough.
const MAX_FAILURES: usize = 10;
/// How long a failing plan is made shorter.
const SHORTENING: Duration = Duration::from_secs(90);

/// Runs a part in a process of its own, as it were: what it leaves behind are what it returns, and the time.
fn in_a_process<T>(now_ms: &mut i64, work: impl Future<Output = T>) -> T {
    let process = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    process.block_on(async {
        clock::simulated::begin(*now_ms);
        let result = work.await;
        *now_ms = clock::now_ms();
        clock::simulated::end();
        result
    })
}

/// How much of each kind happened.
type Figures = BTreeMap<&'static str, usize>;
/// What must happen in any run of some rounds, and what else in a long one.
const OFTEN: [&str; 6] = ["crashes", "captured", "refunds", "disputes", "expired", "cancelled"];
const SELDOM: [&str; 5] = ["confirmed on dispatch", "refused and paid again", "failed refunds", "reopened", "payouts"];

/// Carries a plan out; answers what happened.
fn carry_out(plan: &Plan) -> Result<Figures, String> {
    let (outside, receipts, progress) = (Outside::new(plan.seed), Arc::new(InMemory::new()), Mutex::default());
    let life = Life { plan, outside: &outside, receipts: &receipts, progress: &progress };
    let mut now_ms = START_MS;
    let mut batches = Vec::new();
    let mut crashes = plan.crashes.iter();
    let mut crash = crashes.next();
    let mut died = 0;
    loop {
        let point = crash.map(|crash| match crash.before {
            true => CrashPoint::Before(batches.len() + crash.after),
            false => CrashPoint::After(batches.len() + crash.after),
        });
        let (ended, survivors) = in_a_process(&mut now_ms, async {
            let store = CrashStore::new(std::mem::take(&mut batches), point).await.unwrap();
            let ended = tokio::select! {
                biased;
                () = store.crashed() => None,
                ended = life.live(store.clone()) => Some(ended),
            };
            let survives = match (&ended, crash) {
                (None, Some(crash)) => crash.survives,
                _ => Survives::Everything,
            };
            (ended, store.survivors(survives).await)
        });
        batches = survivors;
        match ended {
            None => {
                died += 1;
                now_ms += crash.map_or(0, |crash| crash.down_ms);
                crash = crashes.next();
            }
            Some(Ok(Ended::Stopped { down_ms })) => now_ms += down_ms,
            Some(Ok(Ended::Settled(mut figures))) => {
                figures.insert("crashes", died);
                return Ok(figures);
            }
            Some(Err(problem)) => return Err(problem),
        }
    }
}

/// A panic is a finding like any other.
fn checked(plan: &Plan) -> Result<Figures, String> {
    let caught = std::panic::catch_unwind(|| carry_out(plan));
    clock::simulated::end();
    caught.unwrap_or_else(|_| Err("it panicked, see above".to_owned()))
}

/// The shortest plan found that still fails, and what it fails with: crashes and steps are left out as long as that helps.
fn shortest(mut plan: Plan, mut problem: String) -> (Plan, String) {
    let begin = Instant::now();
    let mut try_out = |shorter: Plan, plan: &mut Plan| {
        let failed = begin.elapsed() < SHORTENING && checked(&shorter).map_err(|found| problem = found).is_err();
        if failed {
            *plan = shorter;
        }
        failed
    };
    let mut length = plan.steps.len();
    while length > 0 {
        let mut at = 0;
        while at < plan.steps.len() {
            let mut shorter = plan.clone();
            shorter.steps.drain(at..(at + length).min(shorter.steps.len()));
            if !try_out(shorter, &mut plan) {
                at += length;
            }
        }
        length /= 2;
    }
    for at in (0..plan.crashes.len()).rev() {
        let mut shorter = plan.clone();
        shorter.crashes.remove(at);
        try_out(shorter, &mut plan);
    }
    for at in 0..plan.steps.len() {
        let mut shorter = plan.clone();
        shorter.steps[at].pause_ms = 0;
        try_out(shorter, &mut plan);
    }
    (plan, problem)
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[test]
fn books_agree_whatever_happens_and_wherever_it_crashes() {
    let (seed, rounds) = (variable("MONEY_SEED", 1), variable("MONEY_ROUNDS", 40));
    let (next, happened, failed) = (AtomicU64::new(seed), Mutex::new(Figures::new()), Mutex::new(Vec::new()));
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                while failed.lock().len() < MAX_FAILURES {
                    let round = next.fetch_add(1, Ordering::SeqCst);
                    if round >= seed + rounds {
                        break;
                    }
                    match checked(&Plan::new(round)) {
                        Ok(figures) => {
                            let mut happened = happened.lock();
                            figures.iter().for_each(|(kind, n)| *happened.entry(kind).or_default() += n);
                        }
                        Err(problem) => {
                            eprintln!("seed {round}: {problem}");
                            failed.lock().push((round, problem));
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    if let Some((round, problem)) = failed.first() {
        let (plan, problem) = shortest(Plan::new(*round), problem.clone());
        panic!(
            "{failed:#?}\nthe shortest plan found for {round}: {plan}{problem}\nagain: MONEY_SEED={round} \
             MONEY_ROUNDS=1 cargo nextest run -p comanda books_agree_whatever_happens"
        );
    }
    let happened = happened.into_inner();
    println!("{rounds} rounds: {happened:?}");
    let expected = OFTEN.iter().filter(|_| rounds >= 40).chain(SELDOM.iter().filter(|_| rounds >= 400));
    let missing: Vec<_> = expected.filter(|kind| happened.get(*kind).is_none_or(|n| *n == 0)).collect();
    assert!(missing.is_empty(), "nothing of this happened: {missing:?}");
}
