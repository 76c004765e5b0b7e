//! The binary of all Lambda functions; the handler's name says which it is.

use std::process::ExitCode;

use aws::lambda::{self, Entry};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Targets, not `EnvFilter`: no regular expressions to link and load.
    let filter = std::env::var("COMANDA_LOG").ok().and_then(|text| text.parse().ok());
    let filter: Targets = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let log = tracing_subscriber::fmt::layer().json().with_ansi(false).with_filter(filter);
    // Spans are recorded only where somebody takes them.
    let traced = std::env::var_os("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").is_some_and(|url| !url.is_empty());
    let spans = traced.then(|| lambda::recorder().with_filter(LevelFilter::INFO));
    tracing_subscriber::registry().with(log).with(spans).init();
    let handler = std::env::var("_HANDLER").unwrap_or_default();
    let Some(entry) = Entry::of(&handler) else {
        tracing::error!(handler, "no such handler; use api, fn.NAME, relay, queue.NAME, ticker or seed");
        return ExitCode::FAILURE;
    };
    // One thread: an instance of a function handles one event at a time, and waits for the network most of it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(lambda::run(entry)).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error, "the function cannot go on");
            ExitCode::FAILURE
        }
    }
}
