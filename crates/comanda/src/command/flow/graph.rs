//! `comanda flow graph`.

use std::path::Path;

use super::files;
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Draws a flow.
///
/// # Errors
/// It cannot be read or is not valid, or the drawing cannot be written.
pub(super) fn run(path: &Path, out: Option<&Path>, output: Output) -> Result<(), Failure> {
    let (file, _) = files::valid(path)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let title = name.strip_suffix(files::FLOW).unwrap_or(name);
    let svg = asl::graph::svg(&file.filled, title)
        .map_err(|_| Failure::new(Kind::Refused, format!("`{}` is not valid", path.display())))?;
    let Some(out) = out else {
        return output.say(&serde_json::json!({ "svg": svg }), &svg);
    };
    std::fs::write(out, &svg)
        .map_err(|e| Failure::new(Kind::Failed, format!("cannot write `{}`: {e}", out.display())))?;
    output.say(&serde_json::json!({ "file": out.display().to_string() }), format!("drawn in `{}`", out.display()))
}
