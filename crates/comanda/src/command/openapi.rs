//! `comanda openapi`.

use crate::failure::Failure;
use crate::output::Output;

/// Prints the document; with `--json` on one line.
pub(crate) fn run(output: Output) -> Result<(), Failure> {
    let text = gateway::openapi(env!("CARGO_PKG_VERSION"));
    let value: serde_json::Value = serde_json::from_str(&text).map_err(anyhow::Error::from)?;
    let pretty = serde_json::to_string_pretty(&value).map_err(anyhow::Error::from)?;
    output.say(&value, pretty)
}
