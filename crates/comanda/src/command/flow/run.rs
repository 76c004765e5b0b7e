//! `comanda flow run`.

use crate::cli;
use crate::failure::Failure;
use crate::output::Output;

pub(super) async fn run(_arguments: &cli::FlowRun, _output: Output) -> Result<(), Failure> {
    Ok(())
}
