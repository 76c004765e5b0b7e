//! What commands print: lines for people, or JSON for programs.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Where a command's results go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Output {
        Output { json }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Whether a person watches: then progress bars make sense.
    pub(crate) fn is_watched(self) -> bool {
        !self.json && io::stderr().is_terminal()
    }

    /// One result: as JSON on one line, or as text.
    pub(crate) fn say(self, value: &impl Serialize, text: impl AsRef<str>) -> Result<(), Failure> {
        match self.json {
            true => self.line(&serde_json::to_string(value).map_err(anyhow::Error::from)?),
            false => self.line(text.as_ref().trim_end()),
        }
    }

    /// A line for people only.
    pub(crate) fn tell(self, text: impl AsRef<str>) -> Result<(), Failure> {
        match self.json {
            true => Ok(()),
            false => self.line(text.as_ref()),
        }
    }

    fn line(self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match writeln!(out, "{text}").and_then(|()| out.flush()) {
            // The reader went away, as `head` does: that is no failure of ours.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }

    /// Says on standard error why the command failed.
    pub(crate) fn fail(self, failure: &Failure) {
        let text = match self.json {
            true => {
                serde_json::json!({"error": format!("{:#}", failure.error), "exitCode": failure.kind as u8}).to_string()
            }
            false => format!("comanda: {:#}", failure.error),
        };
        // Nowhere is left to report that standard error is closed.
        let _ = writeln!(io::stderr(), "{text}");
    }
}
