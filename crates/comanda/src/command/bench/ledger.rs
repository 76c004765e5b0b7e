//! `comanda bench --job ledger`: entries accepted, the lag of the consolidation, statements read, consolidating many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::percentile;
use super::server::Server;
use super::wire::Connection;
use crate::chance::Chance;
use crate::cli;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Accounts that the transfers go between.
const ACCOUNTS: u64 = 1_000;
/// Days over which the transfers to consolidate are spread.
const DAYS: u64 = 365;
/// Connections that post one entry at a time.
const SINGLES: u32 = 128;
/// Connections that post batches, and bodies that each makes beforehand, so that the loader leaves the cores to the server.
const BATCHERS: u64 = 4;
const BODIES: u64 = 8;
/// Connections that read statements.
const READERS: u64 = 16;
/// Statements read per second.
const RATES: [u64; 3] = [50, 500, 5_000];
/// A read that takes longer is lost.
const LOST_MS: f64 = 1_000.0;
/// How often the lag is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long catching up may take.
const PATIENCE: Duration = Duration::from_secs(600);

const ENTRIES: &str = "/v1/ledger/entries";
const BATCH: &str = "/v1/ledger/entries:batch";
const PROJECTION: &str = "/v1/ledger/projection";

/// Runs all parts one after the other against a server on a folder of its own.
pub(super) async fn run(config: &Config, arguments: &cli::Bench, output: Output) -> Result<(), Failure> {
    let server = Server::start(&config.data).await?;
    let bench = Bench { address: server.address.clone(), time: arguments.time.std(), seed: arguments.seed };
    let mut measured = Vec::new();
    let mut note = |value: Value| -> Result<(), Failure> {
        output.say(&value, describe(&value))?;
        measured.push(value);
        Ok(())
    };
    bench.open_accounts().await?;
    let cpu = server.cpu_s();
    let mut singles = bench.singles().await?;
    let per_1000 = (server.cpu_s() - cpu) * 1_000.0 / entries_of(&singles);
    add(&mut singles, "cpuSPer1000", per_1000);
    note(singles)?;
    note(bench.catch_up("after single entries").await?)?;
    for size in [1_000, 5_000] {
        note(bench.batches(size).await?)?;
        note(bench.catch_up("after batches").await?)?;
    }
    for rate in RATES {
        note(bench.statements(rate).await?)?;
    }
    if arguments.stored > 0 {
        for value in bench.consolidation(arguments.stored).await? {
            note(value)?;
        }
    }
    let mut connection = Connection::open(&bench.address).await?;
    let found = get(&mut connection, "/v1/ledger/verify").await?;
    let peak = server.peak_memory_mib();
    let disk = server.stop().await?;
    let differences = found.get("differences").and_then(Value::as_array).map_or(0, Vec::len);
    note(json!({"part": "afterwards", "entries": found.get("entries"), "differences": differences,
        "peakMemoryMib": peak, "diskMib": disk}))?;
    if config.data == crate::own_folder() {
        std::fs::remove_dir_all(&config.data)?;
    }
    match differences {
        0 => Ok(()),
        n => Err(Failure::new(Kind::Refused, format!("{n} differences between entries and balances"))),
    }
}

struct Bench {
    address: String,
    time: Duration,
    seed: u64,
}

impl Bench {
    async fn open_accounts(&self) -> anyhow::Result<()> {
        let mut connection = Connection::open(&self.address).await?;
        for at in 0..ACCOUNTS {
            let body = json!({"code": account(at), "name": format!("account {at}")}).to_string();
            let (status, answer) = connection.post("/v1/ledger/accounts", &body).await?;
            ensure!(status == 201, "the server answered {status}: {}", String::from_utf8_lossy(answer));
        }
        Ok(())
    }

    /// One entry a request, in a closed loop, while the lag of the consolidation is watched.
    async fn singles(&self) -> anyhow::Result<Value> {
        let end = Instant::now() + self.time;
        let mut workers = JoinSet::new();
        for at in 0..SINGLES {
            let (address, mut chance) = (self.address.clone(), Chance::new(self.seed * 1_000 + u64::from(at)));
            workers.spawn(async move {
                let mut connection = Connection::open(&address).await?;
                let mut times = Vec::new();
                while Instant::now() < end {
                    let body = transfer(&mut chance, None);
                    let begin = Instant::now();
                    let (status, answer) = connection.post(ENTRIES, &body).await?;
                    times.push(begin.elapsed().as_secs_f64() * 1_000.0);
                    ensure!(status == 201, "the server answered {status}: {}", String::from_utf8_lossy(answer));
                }
                anyhow::Ok(times)
            });
        }
        let lag = self.watch_lag(end).await?;
        let mut times = Vec::new();
        while let Some(worker) = workers.join_next().await {
            times.extend(worker??);
        }
        Ok(json!({"part": "single entries", "connections": SINGLES, "entries": times.len(),
            "entriesPerS": times.len() as f64 / self.time.as_secs_f64(),
            "p50Ms": percentile(&times, 50), "p99Ms": percentile(&times, 99),
            "lagP50Ms": percentile(&lag, 50), "lagMaxMs": percentile(&lag, 100)}))
    }

    async fn batches(&self, size: u64) -> anyhow::Result<Value> {
        let mut connections = Vec::new();
        for at in 0..BATCHERS {
            let mut chance = Chance::new(self.seed * 2_000 + at);
            let bodies: Vec<String> = (0..BODIES).map(|_| batch(&mut chance, size, |_| None)).collect();
            connections.push((Connection::open(&self.address).await?, bodies));
        }
        let end = Instant::now() + self.time;
        let mut workers = JoinSet::new();
        for (mut connection, bodies) in connections {
            workers.spawn(async move {
                let mut times = Vec::new();
                for body in bodies.iter().cycle() {
                    if Instant::now() >= end {
                        break;
                    }
                    let begin = Instant::now();
                    let (status, answer) = connection.post(BATCH, body).await?;
                    times.push(begin.elapsed().as_secs_f64() * 1_000.0);
                    ensure!(status == 201, "the server answered {status}: {}", String::from_utf8_lossy(answer));
                }
                anyhow::Ok(times)
            });
        }
        let begin = Instant::now();
        let lag = self.watch_lag(end).await?;
        let mut times = Vec::new();
        while let Some(worker) = workers.join_next().await {
            times.extend(worker??);
        }
        let entries = times.len() as u64 * size;
        Ok(json!({"part": format!("batches of {size}"), "connections": BATCHERS, "entries": entries,
            "entriesPerS": entries as f64 / begin.elapsed().as_secs_f64(),
            "p50Ms": percentile(&times, 50), "p99Ms": percentile(&times, 99),
            "lagP50Ms": percentile(&lag, 50), "lagMaxMs": percentile(&lag, 100)}))
    }

    async fn watch_lag(&self, end: Instant) -> anyhow::Result<Vec<f64>> {
        let mut connection = Connection::open(&self.address).await?;
        let mut lag = Vec::new();
        while Instant::now() < end {
            tokio::time::sleep(LOOK).await;
            let status = get(&mut connection, PROJECTION).await?;
            lag.push(status.get("lagMs").and_then(Value::as_f64).unwrap_or_default());
        }
        Ok(lag)
    }

    /// How long it takes until nothing is pending.
    async fn catch_up(&self, part: &str) -> anyhow::Result<Value> {
        let mut connection = Connection::open(&self.address).await?;
        let begin = Instant::now();
        loop {
            let status = get(&mut connection, PROJECTION).await?;
            if status.get("pending").and_then(Value::as_u64) == Some(0) {
                return Ok(json!({"part": format!("caught up {part}"), "s": begin.elapsed().as_secs_f64(),
                    "entriesCounted": status.get("entries")}));
            }
            ensure!(begin.elapsed() < PATIENCE, "the consolidation does not catch up: {status}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Statements of random accounts over 31 days at a fixed rate; each is timed from when it was due.
    async fn statements(&self, rate: u64) -> anyhow::Result<Value> {
        let begin = Instant::now() + Duration::from_millis(50);
        let total = (rate as f64 * self.time.as_secs_f64()) as u64;
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let from = today.checked_sub(jiff::Span::new().days(30)).context("a month ago")?;
        let period = Arc::new(format!("?from={from}&to={today}"));
        let mut workers = JoinSet::new();
        for reader in 0..READERS {
            let (address, period) = (self.address.clone(), period.clone());
            let mut chance = Chance::new(self.seed * 3_000 + reader);
            workers.spawn(async move {
                let mut connection = Connection::open(&address).await?;
                let (mut times, mut lost) = (Vec::new(), 0_u64);
                for at in (reader..total).step_by(READERS as usize) {
                    let due = begin + Duration::from_nanos(at * 1_000_000_000 / rate);
                    tokio::time::sleep_until(due.into()).await;
                    let path = format!("/v1/statements/{}{period}", account(pick(&mut chance, ACCOUNTS)));
                    let (status, _) = connection.get(&path).await?;
                    let time = due.elapsed().as_secs_f64() * 1_000.0;
                    lost += u64::from(status != 200 || time > LOST_MS);
                    times.push(time);
                }
                anyhow::Ok((times, lost))
            });
        }
        let (mut times, mut lost) = (Vec::new(), 0);
        while let Some(worker) = workers.join_next().await {
            let (some, missed) = worker??;
            times.extend(some);
            lost += missed;
        }
        Ok(json!({"part": format!("statements at {rate} a second"), "reads": times.len(), "lost": lost,
            "p50Ms": percentile(&times, 50), "p99Ms": percentile(&times, 99)}))
    }

    /// Transfers over a year, accepted while the consolidation is stopped; then counted, then counted anew.
    async fn consolidation(&self, transfers: u64) -> anyhow::Result<Vec<Value>> {
        let mut connection = Connection::open(&self.address).await?;
        self.switch(false).await?;
        let begin = Instant::now();
        let mut chance = Chance::new(self.seed * 4_000);
        let now = jiff::Timestamp::now().as_millisecond();
        let size = 5_000;
        for at in (0..transfers).step_by(size as usize) {
            let size = size.min(transfers - at);
            let day = |n: u64| now - ((DAYS - (at + n) * DAYS / transfers) * 86_400_000) as i64;
            let body = batch(&mut chance, size, |n| Some(day(n)));
            let (status, answer) = connection.post(BATCH, &body).await?;
            ensure!(status == 201, "the server answered {status}: {}", String::from_utf8_lossy(answer));
        }
        let load_s = begin.elapsed().as_secs_f64();
        self.switch(true).await?;
        let caught_up = self.catch_up("after a stop").await?;
        let rebuilt = {
            let (status, answer) = connection.post("/v1/ledger/projection/rebuild", "{}").await?;
            ensure!(status == 200, "the server answered {status}: {}", String::from_utf8_lossy(answer));
            serde_json::from_slice::<Value>(answer)?
        };
        let postings = rebuilt.get("postings").cloned();
        Ok(vec![
            json!({"part": "accepted while stopped", "postings": 2 * transfers, "s": load_s}),
            caught_up,
            json!({"part": "rebuilt", "postings": postings,
                "s": rebuilt.get("tookMs").and_then(Value::as_f64).unwrap_or_default() / 1_000.0}),
        ])
    }

    async fn switch(&self, running: bool) -> anyhow::Result<()> {
        let mut connection = Connection::open(&self.address).await?;
        let (status, _) = connection.put(PROJECTION, &json!({"running": running}).to_string()).await?;
        ensure!(status == 200, "the server answered {status} to the switch");
        Ok(())
    }
}

async fn get(connection: &mut Connection, path: &str) -> anyhow::Result<Value> {
    let (status, answer) = connection.get(path).await?;
    ensure!(status == 200, "the server answered {status}: {}", String::from_utf8_lossy(answer));
    Ok(serde_json::from_slice(answer)?)
}

fn pick(chance: &mut Chance, below: u64) -> u64 {
    chance.below(below as usize) as u64
}

fn account(at: u64) -> String {
    format!("assets:a{at}")
}

fn transfer(chance: &mut Chance, at: Option<i64>) -> String {
    let from = pick(chance, ACCOUNTS);
    let to = (from + 1 + pick(chance, ACCOUNTS - 1)) % ACCOUNTS;
    let amount = 1 + pick(chance, 10_000);
    let at = at.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    let at = at.map(|at| format!("\"effectiveAt\":\"{at:.3}\",")).unwrap_or_default();
    format!(
        "{{\"description\":\"t\",{at}\"postings\":[{{\"account\":\"{}\",\"amount\":{amount}}},\
         {{\"account\":\"{}\",\"amount\":-{amount}}}]}}",
        account(to),
        account(from)
    )
}

fn batch(chance: &mut Chance, size: u64, at: impl Fn(u64) -> Option<i64>) -> String {
    let entries: Vec<String> = (0..size).map(|n| transfer(chance, at(n))).collect();
    format!("{{\"entries\":[{}]}}", entries.join(","))
}

fn add(value: &mut Value, name: &str, number: f64) {
    if let Some(object) = value.as_object_mut() {
        object.insert(name.into(), number.into());
    }
}

fn entries_of(value: &Value) -> f64 {
    value.get("entries").and_then(Value::as_f64).unwrap_or(1.0).max(1.0)
}

fn describe(value: &Value) -> String {
    let part = value.get("part").and_then(Value::as_str).unwrap_or_default();
    let rest = value.as_object().into_iter().flatten().filter(|(name, _)| *name != "part");
    let rest: Vec<String> = rest
        .map(|(name, value)| match value.as_f64() {
            Some(number) if value.is_f64() => format!("{name} {number:.3}"),
            _ => format!("{name} {value}"),
        })
        .collect();
    format!("{part:<28} {}", rest.join(", "))
}
