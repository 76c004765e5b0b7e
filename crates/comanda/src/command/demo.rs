//! `comanda demo`.

use crate::cli;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;

pub(crate) async fn run(_: &Config, _: &cli::Demo, _: Output) -> Result<(), Failure> {
    Err(Failure::new(Kind::Failed, "cannot show anything yet"))
}
