//! The `comanda` command.

mod chance;
mod cli;
mod client;
mod command;
mod config;
mod failure;
mod flows;
mod key;
mod output;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use failure::Failure;
use output::Output;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[cfg(feature = "aws")]
    aws::client::install_tls();
    let cli = Cli::parse();
    let output = Output::new(cli.global.json);
    match run(cli, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.fail(&failure);
            failure.exit_code()
        }
    }
}

fn run(cli: Cli, output: Output) -> Result<(), Failure> {
    let mut flags = cli.global.flags();
    if let Command::Serve(serve) = &cli.command {
        let listen = serve.listen.iter().map(|listen| ("listen".into(), listen.clone(), "--listen".into()));
        flags.values.extend(listen);
    }
    if let (Command::Demo(_) | Command::Bench(_), None) = (&cli.command, &cli.global.data) {
        flags.values.push(("data".into(), own_folder().display().to_string(), "a folder of its own".into()));
    }
    let variables = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let effective = config::load(&flags, variables)?;
    let config = &effective.config;
    match cli.command {
        Command::Serve(arguments) => wait(command::serve::run(config, &arguments, output)),
        Command::Demo(arguments) => wait(command::demo::run(config, &arguments, output)),
        Command::Order(order) => wait(command::order::run(config, order, output)),
        Command::Ledger(ledger) => wait(command::ledger::run(config, ledger, output)),
        Command::Payment(payment) => wait(command::payment::run(config, payment, output)),
        Command::Flow(flow) => command::flow::run(&flow, output),
        Command::DeadLetters(arguments) => wait(command::dead_letters::run(config, &arguments, output)),
        Command::Execution(execution) => wait(command::execution::run(config, execution, output)),
        Command::Audit(arguments) => wait(command::audit::run(config, &arguments, output)),
        Command::Backup { file } => command::backup::run(config, &file, output),
        Command::Bench(arguments) => wait(command::bench::run(config, &arguments, output)),
        Command::BenchVerify(server) => wait(command::bench::verify(config, &server, output)),
        Command::Cost(arguments) => command::cost::run(&arguments, output),
        Command::Health(server) => wait(command::health::run(config, &server, output)),
        Command::Config => command::config::run(&effective, output),
        Command::Openapi => command::openapi::run(output),
    }
}

/// The data folder of a command that brings its own server, unless `--data` names one.
fn own_folder() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("comanda-{}", std::process::id()))
}

fn wait(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
