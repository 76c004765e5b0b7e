//! `comanda flow`: check, test, draw and run flow files, without a server.

mod check;
mod files;
mod graph;
mod place;
mod run;
mod test;

use crate::cli;
use crate::failure::Failure;
use crate::output::Output;

/// Does what the command line says.
pub(crate) fn run(command: &cli::Flow, output: Output) -> Result<(), Failure> {
    match command {
        cli::Flow::Check { paths } => check::run(paths, output),
        cli::Flow::Test(arguments) => test::run(arguments, output),
        cli::Flow::Graph { file, out } => graph::run(file, out.as_deref(), output),
        cli::Flow::Run(arguments) => crate::wait(run::run(arguments, output)),
    }
}
