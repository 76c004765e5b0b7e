//! `comanda health`.

use crate::cli;
use crate::client::Client;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Output;

/// Asks a server whether it can take orders: for containers and service managers, which know exit codes only.
pub(crate) async fn run(config: &Config, server: &cli::Server, output: Output) -> Result<(), Failure> {
    let health: serde_json::Value = Client::new(server.server.as_deref(), config).get("/readyz").await?;
    output.say(&health, "ok")
}
