//! `comanda bench`: complete orders per second over HTTP, closed loop. bench/README.md says what is measured and how.

mod engine;
mod job;
mod ledger;
mod process;
mod server;
mod waiting;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use app::views::BenchVerdict;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::cli;
use crate::client::Client;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::serve::Backend;
use job::Job;
use server::Server;
use wire::Connection;

/// How often completed orders are counted.
const POLL: Duration = Duration::from_millis(2);
/// Connections that place orders.
const CONNECTIONS: u32 = 64;
/// Orders placed before anything is measured.
const WARM_UP: u64 = 2_000;
/// How long the last orders may take.
const DRAIN_TIME: Duration = Duration::from_secs(120);

/// What was measured.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    job: String,
    in_flight: u32,
    stored_before: u64,
    orders: u64,
    orders_per_s: f64,
    accept_p50_ms: f64,
    accept_p99_ms: f64,
    complete_p50_ms: f64,
    complete_p99_ms: f64,
    cpu_s_per_1000: f64,
    peak_memory_mib: f64,
    start_ms: f64,
    disk_mib: f64,
    disk_mib_per_100k: f64,
    problems: Vec<String>,
}

/// Runs one job.
pub(crate) async fn run(config: &Config, arguments: &cli::Bench, output: Output) -> Result<(), Failure> {
    match arguments.job.as_str() {
        "ledger" => ledger::run(config, arguments, output).await,
        "engine" => engine::run(config, arguments, output).await,
        "waiting" => waiting::run(config, arguments, output).await,
        "waiting-open" => waiting::open(config, output).await,
        other => match other.strip_prefix("waiting-") {
            Some(flow) => waiting::fill(config, flow, arguments.stored, output).await,
            None => orders(config, arguments, output).await,
        },
    }
}

/// Runs a job of orders against a server on a folder of its own, and checks what it left.
async fn orders(config: &Config, arguments: &cli::Bench, output: Output) -> Result<(), Failure> {
    let job = Job::new(&arguments.job);
    let server = Server::start(&config.data).await?;
    job.prepare(&server.address).await?;
    let load = Arc::new(Load::new(job, server.address.clone()));
    load.run(arguments.in_flight, Until::Count(arguments.stored + WARM_UP), arguments.seed).await?;
    let stored_before = load.completed.load(Ordering::Relaxed);
    let (cpu, begin) = (server.cpu_s(), Instant::now());
    load.restart();
    load.run(arguments.in_flight, Until::Time(arguments.time.std()), arguments.seed + 1).await?;
    let elapsed = begin.elapsed().as_secs_f64();
    let orders = load.completed.load(Ordering::Relaxed);
    let cpu = server.cpu_s() - cpu;
    let complete = load.completion_times().await?;
    let peak_memory_mib = server.peak_memory_mib();
    let start_ms = server.started_ms;
    let disk_mib = server.stop().await?;
    let accepted = std::mem::take(&mut *load.accepted_ms.lock());
    let measured = Measured {
        job: arguments.job.clone(),
        in_flight: arguments.in_flight,
        stored_before,
        orders,
        orders_per_s: orders as f64 / elapsed,
        accept_p50_ms: percentile(&accepted, 50),
        accept_p99_ms: percentile(&accepted, 99),
        complete_p50_ms: percentile(&complete, 50),
        complete_p99_ms: percentile(&complete, 99),
        cpu_s_per_1000: cpu * 1000.0 / orders.max(1) as f64,
        peak_memory_mib,
        start_ms,
        disk_mib,
        disk_mib_per_100k: disk_mib * 100_000.0 / (orders + stored_before).max(1) as f64,
        problems: problems(config, job, orders + stored_before).await?,
    };
    output.say(&measured, describe(&measured))?;
    if config.data == crate::own_folder() {
        std::fs::remove_dir_all(&config.data)?;
    }
    match measured.problems.len() {
        0 => Ok(()),
        n => Err(Failure::new(Kind::Refused, format!("{n} invariants are broken"))),
    }
}

/// What the folder of a stopped server shows to be wrong.
async fn problems(config: &Config, job: Job, completed: u64) -> Result<Vec<String>, Failure> {
    let backend = Backend::open(config, "").await?;
    let found = match job {
        Job::Steps => {
            let verdict = backend.app.bench_verify().await.map_err(anyhow::Error::from)?;
            let stock = job::SKUS * job::STOCK - verdict.taken_sum;
            [
                (verdict.confirmed != completed)
                    .then(|| format!("{} are confirmed, not {completed}", verdict.confirmed)),
                (verdict.stock_sum != stock).then(|| format!("the stock is {}, not {stock}", verdict.stock_sum)),
                (verdict.incomplete > 0).then(|| format!("{} orders are incomplete", verdict.incomplete)),
            ]
            .into_iter()
            .flatten()
            .collect()
        }
        Job::Order => {
            let report = backend.app.audit().await.map_err(anyhow::Error::from)?;
            report.differences.iter().map(|d| format!("{} {}: {}", d.code, d.subject, d.detail)).collect()
        }
    };
    Ok(found)
}

/// Prints what the durable state holds, for the loader of other systems' benchmarks.
pub(crate) async fn verify(config: &Config, server: &cli::Audit, output: Output) -> Result<(), Failure> {
    let verdict: BenchVerdict = match &server.server {
        Some(server) => Client::new(Some(server), config).get("/bench/verify").await?,
        None => {
            let backend = Backend::open(config, "").await?;
            backend.app.bench_verify().await.map_err(anyhow::Error::from)?
        }
    };
    let found =
        json!({"confirmed": verdict.confirmed, "stock_sum": verdict.stock_sum, "incomplete": verdict.incomplete});
    output.say(&found, found.to_string())
}

/// When to stop placing orders.
#[derive(Debug, Clone, Copy)]
enum Until {
    Count(u64),
    Time(Duration),
}

/// Placed and completed orders of one run.
struct Load {
    job: Job,
    address: String,
    placed: AtomicU64,
    completed: AtomicU64,
    /// What the server counted before this run.
    base: AtomicU64,
    stopping: AtomicBool,
    accepted_ms: Mutex<Vec<f64>>,
    /// Some orders, with the instant (microseconds since the epoch) at which each was sent.
    samples: Mutex<Vec<(String, i64)>>,
}

/// One of so many orders is sampled for the time of its completion.
const SAMPLED: u64 = 16;

impl Load {
    fn new(job: Job, address: String) -> Load {
        Load {
            job,
            address,
            placed: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            base: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            accepted_ms: Mutex::default(),
            samples: Mutex::default(),
        }
    }

    /// Begins to count anew.
    fn restart(&self) {
        self.base.fetch_add(self.completed.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        self.placed.store(0, Ordering::Relaxed);
        self.stopping.store(false, Ordering::Relaxed);
        self.accepted_ms.lock().clear();
        self.samples.lock().clear();
    }

    /// Keeps so many orders in flight, then waits for the last ones.
    async fn run(self: &Arc<Load>, in_flight: u32, until: Until, seed: u64) -> Result<(), Failure> {
        let places = Arc::new(Semaphore::new(in_flight as usize));
        let mut workers = JoinSet::new();
        for at in 0..CONNECTIONS.min(in_flight) {
            let chance = Chance::new(seed.wrapping_mul(1000) + u64::from(at));
            workers.spawn(self.clone().place(places.clone(), until, chance));
        }
        let end = match until {
            Until::Time(time) => Instant::now() + time,
            Until::Count(_) => Instant::now() + Duration::from_secs(24 * 3600),
        };
        let mut counter = Connection::open(&self.address).await?;
        let mut last_progress = Instant::now();
        loop {
            tokio::time::sleep(POLL).await;
            let total = self.job.completed(&mut counter).await? - self.base.load(Ordering::Relaxed);
            let before = self.completed.swap(total, Ordering::Relaxed);
            if total > before {
                places.add_permits((total - before) as usize);
                last_progress = Instant::now();
            }
            if Instant::now() >= end {
                self.stopping.store(true, Ordering::Relaxed);
                places.close();
            }
            if workers.is_empty() && total >= self.placed.load(Ordering::Relaxed) {
                return Ok(());
            }
            while let Some(worker) = workers.try_join_next() {
                worker.map_err(anyhow::Error::from)??;
            }
            if last_progress.elapsed() > DRAIN_TIME {
                let placed = self.placed.load(Ordering::Relaxed);
                return Err(Failure::new(
                    Kind::Failed,
                    format!("{total} of {placed} orders came to their end, then none"),
                ));
            }
        }
    }

    async fn place(self: Arc<Load>, places: Arc<Semaphore>, until: Until, mut chance: Chance) -> anyhow::Result<()> {
        let mut connection = Connection::open(&self.address).await?;
        let mut accepted = Vec::new();
        // A closed semaphore says that it is over.
        while let Ok(place) = places.acquire().await {
            place.forget();
            let number = self.placed.fetch_add(1, Ordering::Relaxed);
            let enough = matches!(until, Until::Count(count) if number >= count);
            if enough || self.stopping.load(Ordering::Relaxed) {
                self.placed.fetch_sub(1, Ordering::Relaxed);
                break;
            }
            let body = self.job.order(&mut chance);
            let sent_us = jiff::Timestamp::now().as_microsecond();
            let begin = Instant::now();
            let (status, answer) = connection.post(self.job.path(), &body).await?;
            accepted.push(begin.elapsed().as_secs_f64() * 1000.0);
            anyhow::ensure!(status == 201, "the server answered {status}: {}", String::from_utf8_lossy(answer));
            if number.is_multiple_of(SAMPLED) {
                let id = job::order_id(answer)?;
                self.samples.lock().push((id, sent_us));
            }
        }
        self.accepted_ms.lock().extend(accepted);
        Ok(())
    }

    /// From sending to completion, in milliseconds, of the sampled orders.
    async fn completion_times(&self) -> Result<Vec<f64>, Failure> {
        let mut connection = Connection::open(&self.address).await?;
        let samples = std::mem::take(&mut *self.samples.lock());
        let mut times = Vec::with_capacity(samples.len());
        for (id, sent_us) in samples {
            if let Some(at_us) = self.job.completed_at_us(&mut connection, &id).await? {
                times.push((at_us - sent_us) as f64 / 1000.0);
            }
        }
        Ok(times)
    }
}

fn describe(measured: &Measured) -> String {
    let m = measured;
    let mut text = format!(
        "{} orders in flight, {} stored before: {} orders, {:.0} a second\n\
         accept     p50 {:.1} ms, p99 {:.1} ms\n\
         completion p50 {:.1} ms, p99 {:.1} ms\n\
         CPU {:.3} s per 1,000 orders; peak memory {:.0} MiB; start {:.0} ms; disk {:.0} MiB ({:.0} per 100,000 orders)\n",
        m.in_flight,
        m.stored_before,
        m.orders,
        m.orders_per_s,
        m.accept_p50_ms,
        m.accept_p99_ms,
        m.complete_p50_ms,
        m.complete_p99_ms,
        m.cpu_s_per_1000,
        m.peak_memory_mib,
        m.start_ms,
        m.disk_mib,
        m.disk_mib_per_100k,
    );
    for problem in &m.problems {
        text.push_str(&format!("PROBLEM {problem}\n"));
    }
    if m.problems.is_empty() {
        text.push_str("All invariants hold.");
    }
    text
}

fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(0.0)
}
