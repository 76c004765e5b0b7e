//! Starting the binary and talking to it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The binary with an environment of its own.
pub(crate) fn comanda(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_comanda"));
    let inherited = std::env::vars().filter(|(name, _)| name.starts_with("COMANDA_"));
    for (name, _) in inherited {
        command.env_remove(name);
    }
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    comanda(folder, arguments).output().unwrap()
}

#[track_caller]
pub(crate) fn check(folder: &Path, arguments: &[&str], code: i32, says: &str) {
    let output = run(folder, arguments);
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(says), "{text}");
}

/// A server on a folder of its own, stopped when dropped.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) url: String,
    child: Child,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Server {
        Server::on(tempfile::tempdir().unwrap(), arguments)
    }

    /// Again on the folder of one that has stopped.
    pub(crate) fn on(folder: TempDir, arguments: &[&str]) -> Server {
        // The client of these tests needs it too in a build with AWS.
        #[cfg(feature = "aws")]
        aws::client::install_tls();
        let all = ["--json", "serve", "--listen", "127.0.0.1:0", "--sample"];
        let mut command = comanda(folder.path(), &all);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no start: `{line}`"));
        let url = started["listening"].as_str().unwrap().to_owned();
        Server { folder, url, child }
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(format!("{}{path}", self.url)).await.unwrap()
    }

    /// Runs a command against this server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let mut command = comanda(self.folder.path(), arguments);
        command.env("COMANDA_SERVER", &self.url).output().unwrap()
    }

    /// Sends a signal and waits for the exit code.
    pub(crate) fn signal(mut self, name: &str) -> (TempDir, Option<i32>) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        (folder, status.code())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
