//! `comanda serve`.

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::serve::{Extras, Server};

/// Serves until SIGINT or SIGTERM; a second one stops at once.
pub(crate) async fn run(config: &Config, arguments: &cli::Serve, output: Output) -> Result<(), Failure> {
    log(config, output)?;
    let extras = Extras { sample: arguments.sample, bench: arguments.bench };
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let server = Server::start(config, extras).await?;
    let url = server.url();
    output.say(
        &json!({"listening": url, "data": config.data, "pid": std::process::id()}),
        format!("Comanda serves {url} from `{}`. Its interface: {url}/docs. Ctrl-C stops it.", config.data.display()),
    )?;
    let failed = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        reason = server.failed() => Some(reason),
    };
    let stopping = server.stop();
    tokio::select! {
        stopped = stopping => stopped?,
        _ = interrupt.recv() => return Err(Failure::new(Kind::Failed, "stopped before all was finished; the next start goes on")),
    }
    match failed {
        Some(reason) => Err(Failure::new(Kind::Unavailable, reason.as_ref())),
        None => Ok(()),
    }
}

/// Logs go to standard error; standard output is for results.
pub(crate) fn log(config: &Config, output: Output) -> Result<(), Failure> {
    let filter: tracing_subscriber::EnvFilter = config.log.parse().map_err(|_| {
        let problem = format!("`log`: `{}` is no filter; write for example `info` or `info,runtime=debug`", config.log);
        Failure::new(Kind::Usage, problem)
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match output.is_json() {
        true => builder.json().init(),
        false => builder.with_ansi(output.is_watched()).with_target(false).init(),
    }
    Ok(())
}
