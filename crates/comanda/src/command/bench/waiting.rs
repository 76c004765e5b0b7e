//! `--job waiting`: what many executions cost that only wait, in memory and on disk, before and after a restart.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Batch;

use super::process::{self, SELF};
use super::{engine, server};
use crate::cli;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Executions per commit.
const AT_ONCE: u64 = store::MAX_BATCH_OPS as u64;
/// How long the memory is left to settle.
const SETTLE: Duration = Duration::from_secs(3);
/// How long the last ones may take to rest.
const REST_LIMIT: Duration = Duration::from_secs(600);

const FLOWS: [(&str, &str); 2] = [
    ("wait", r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 864000, "End": true}}}"#),
    (
        "token",
        r#"{"StartAt": "T", "States": {"T": {"Type": "Task", "TimeoutSeconds": 864000, "End": true,
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}}}}}"#,
    ),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    waits_for: &'static str,
    executions: u64,
    started_per_s: f64,
    empty: Memory,
    full: Memory,
    bytes_each: f64,
    disk_mib: f64,
    again: Opened,
}

#[derive(Serialize, Deserialize, Clone, Copy)]
#[serde(rename_all = "camelCase")]
struct Memory {
    rss_mib: f64,
    pss_mib: f64,
}

/// What a restart costs.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Opened {
    open_ms: f64,
    memory: Memory,
}

fn memory() -> Memory {
    let (rss_mib, pss_mib) = process::memory_mib(SELF);
    Memory { rss_mib, pss_mib }
}

/// Measures one kind of waiting after the other, each in a process of its own.
pub(super) async fn run(config: &Config, arguments: &cli::Bench, output: Output) -> Result<(), Failure> {
    for (name, _) in FLOWS {
        let folder = config.data.join(name);
        let filled: serde_json::Value = again(&folder, &format!("waiting-{name}"), arguments.stored).await?;
        let opened: Opened = again(&folder, "waiting-open", 0).await?;
        let number = |pointer: &str| filled.pointer(pointer).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        let memory = |place: &str| Memory {
            rss_mib: number(&format!("/{place}/rssMib")),
            pss_mib: number(&format!("/{place}/pssMib")),
        };
        let (empty, full) = (memory("empty"), memory("full"));
        let measured = Measured {
            waits_for: name,
            executions: arguments.stored,
            started_per_s: number("/startedPerS"),
            empty,
            full,
            bytes_each: (full.rss_mib - empty.rss_mib) * f64::from(1 << 20) / arguments.stored.max(1) as f64,
            disk_mib: server::size_bytes(&folder) as f64 / f64::from(1 << 20),
            again: opened,
        };
        output.say(&measured, describe(&measured))?;
    }
    if config.data == crate::own_folder() {
        std::fs::remove_dir_all(&config.data)?;
    }
    Ok(())
}

fn describe(m: &Measured) -> String {
    format!(
        "{} executions waiting ({}): {:.0} started a second; memory {:.0} MiB before, {:.0} MiB with them ({:.0} bytes \
         each), PSS {:.0} MiB; {:.0} MiB on disk\n  after a restart: open in {:.0} ms, memory {:.0} MiB, PSS {:.0} MiB",
        m.executions,
        m.waits_for,
        m.started_per_s,
        m.empty.rss_mib,
        m.full.rss_mib,
        m.bytes_each,
        m.full.pss_mib,
        m.disk_mib,
        m.again.open_ms,
        m.again.memory.rss_mib,
        m.again.memory.pss_mib
    )
}

/// Runs a part in a process of its own, on this folder.
async fn again<T: serde::de::DeserializeOwned>(folder: &Path, job: &str, stored: u64) -> anyhow::Result<T> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    command.args(["--json", "--log", "warn", "--data"]).arg(folder).args(["bench", "--job", job]);
    let output = command.args(["--stored", &stored.to_string()]).kill_on_drop(true).output().await?;
    anyhow::ensure!(output.status.success(), "`{job}` failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the part gave no figures")
}

/// Starts so many executions, and waits until all of them wait.
pub(super) async fn fill(config: &Config, flow: &str, executions: u64, output: Output) -> Result<(), Failure> {
    let runtime = engine::open(config)?;
    for (name, text) in FLOWS {
        runtime.register_flow(name, text).await.map_err(anyhow::Error::from)?;
    }
    runtime.start().await.map_err(engine::failed)?;
    let (empty, begin) = (memory(), Instant::now());
    let mut started = 0;
    while started < executions {
        let mut batch = Batch::new();
        for n in started..(started + AT_ONCE).min(executions) {
            batch.start_flow(flow, &format!("w-{n}"), json!({"n": n}));
        }
        started += AT_ONCE;
        runtime.store().commit(batch).await?.durable().await?;
    }
    let end = Instant::now() + REST_LIMIT;
    while runtime.stats().started < executions || runtime.stats().active > 0 {
        if Instant::now() > end {
            return Err(Failure::new(Kind::Failed, format!("{} of them have started", runtime.stats().started)));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    runtime.store().flush().await?;
    let started_per_s = executions as f64 / begin.elapsed().as_secs_f64();
    tokio::time::sleep(SETTLE).await;
    let figures = json!({"empty": empty, "full": memory(), "startedPerS": started_per_s});
    output.say(&figures, figures.to_string())?;
    runtime.stop(Duration::from_secs(60)).await.map_err(engine::failed)
}

/// Opens what is there, and looks at the memory when everything has come to rest.
pub(super) async fn open(config: &Config, output: Output) -> Result<(), Failure> {
    let begin = Instant::now();
    let runtime = engine::open(config)?;
    for (name, text) in FLOWS {
        runtime.register_flow(name, text).await.map_err(anyhow::Error::from)?;
    }
    runtime.start().await.map_err(engine::failed)?;
    let open_ms = begin.elapsed().as_secs_f64() * 1000.0;
    tokio::time::sleep(SETTLE).await;
    let opened = Opened { open_ms, memory: memory() };
    output.say(&opened, format!("open in {open_ms:.0} ms"))?;
    runtime.stop(Duration::from_secs(60)).await.map_err(engine::failed)
}
