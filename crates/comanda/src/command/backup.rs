//! `comanda backup`.

use std::path::Path;

use serde_json::json;
use store::sqlite::SqliteStore;

use crate::config::Config;
use crate::failure::Failure;
use crate::output::Output;
use crate::serve;

/// Copies the store while it may be in use.
pub(crate) fn run(config: &Config, file: &Path, output: Output) -> Result<(), Failure> {
    SqliteStore::backup(&serve::store_path(config), file)?;
    let size_bytes = std::fs::metadata(file)?.len();
    output.say(
        &json!({"file": file, "sizeBytes": size_bytes}),
        format!(
            "{} holds everything that was durable when the copy began ({size_bytes} bytes).\n\
             Receipts and the key are files of the data folder; copy them too.",
            file.display()
        ),
    )
}
