//! Work that takes a while: a bar on the terminal, fed by this process or by a server's events.

use indicatif::{ProgressBar, ProgressStyle};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::Client;
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Shown on a terminal only.
pub(super) fn bar(output: Output) -> ProgressBar {
    if !output.is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(WHOLE);
    if let Ok(style) = ProgressStyle::with_template("{msg:20} [{bar:40}] {percent:>3} %  {elapsed_precise}") {
        bar.set_style(style);
    }
    bar
}

/// How many marks the whole work has.
const WHOLE: u64 = 1_000;

pub(super) fn show(bar: &ProgressBar, what: &str, part: f64) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1,000")]
    bar.set_position((part.clamp(0.0, 1.0) * WHOLE as f64) as u64);
    bar.set_message(what.to_owned());
}

/// Follows a work of the server to its report.
pub(super) async fn follow<T: DeserializeOwned>(client: &Client, path: &str, bar: &ProgressBar) -> Result<T, Failure> {
    let mut end = None;
    client
        .events(path, |mut told| {
            if let Some(progress) = told.get("progress") {
                let what = progress.get("what").and_then(Value::as_str).unwrap_or_default();
                show(bar, what, progress.get("part").and_then(Value::as_f64).unwrap_or(0.0));
                return Ok(true);
            }
            if let Some(problem) = told.get("problem") {
                let detail = problem.get("detail").and_then(Value::as_str).unwrap_or("the work failed");
                return Err(Failure::new(Kind::Unavailable, detail.to_owned()));
            }
            let report = told.get_mut("report").map(Value::take).unwrap_or_default();
            end = Some(serde_json::from_value(report).map_err(anyhow::Error::from)?);
            Ok(false)
        })
        .await?;
    end.ok_or_else(|| Failure::new(Kind::Unavailable, "the server stopped before the work ended"))
}
