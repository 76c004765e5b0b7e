//! The server under test: a process of its own, so that its time and memory can be told apart.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::process;

/// A running server.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) started_ms: f64,
    folder: PathBuf,
    child: Child,
}

impl Server {
    /// Starts this program on a folder.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Server> {
        let begin = Instant::now();
        let mut child = Command::new(std::env::current_exe()?)
            .args([
                "--json",
                "--log",
                "warn",
                "--set",
                "simulator.webhook=0s",
                "--set",
                "limits.request_time=5m",
                "--data",
            ])
            .arg(folder)
            .args(["serve", "--listen", "127.0.0.1:0", "--sample", "--bench"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let out = child.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).await?;
        let started_ms = begin.elapsed().as_secs_f64() * 1000.0;
        let started: serde_json::Value = serde_json::from_str(&line).context("the server did not start")?;
        let url = started.get("listening").and_then(serde_json::Value::as_str).unwrap_or_default();
        Ok(Server { address: url.trim_start_matches("http://").into(), started_ms, folder: folder.into(), child })
    }

    /// User and system time so far, in seconds.
    pub(crate) fn cpu_s(&self) -> f64 {
        process::cpu_s(&self.id())
    }

    /// The most memory it has held, in MiB.
    pub(crate) fn peak_memory_mib(&self) -> f64 {
        process::peak_memory_mib(&self.id())
    }

    fn id(&self) -> String {
        self.child.id().map(|id| id.to_string()).unwrap_or_default()
    }

    /// Stops it in good order, and answers how much its folder takes, in MiB.
    pub(crate) async fn stop(mut self) -> anyhow::Result<f64> {
        if let Some(pid) = self.child.id() {
            Command::new("kill").arg(pid.to_string()).status().await?;
        }
        tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await.context("the server did not stop")??;
        Ok(size_bytes(&self.folder) as f64 / f64::from(1 << 20))
    }
}

pub(super) fn size_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}
