//! `comanda flow check`.

use std::path::Path;

use asl::{Definition, Diagnostic, Severity};
use serde::Serialize;

use crate::failure::{Failure, Kind};
use crate::flows;
use crate::output::Output;

/// What was found in a file.
#[derive(Serialize)]
struct Report {
    file: String,
    valid: bool,
    states: usize,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    severity: &'static str,
    code: &'static str,
    pointer: String,
    message: String,
}

/// Says what is wrong with a flow file, where, and what cures it.
pub(crate) fn check(file: &Path, output: Output) -> Result<(), Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => Kind::NotFound,
            _ => Kind::Failed,
        };
        Failure::new(kind, format!("cannot read `{}`: {error}", file.display()))
    })?;
    let parsed = asl::substitute(&text, &flows::names(&text)).and_then(|text| Definition::parse(&text));
    let (states, found) = match &parsed {
        Ok(definition) => (definition.all_states().count(), definition.warnings()),
        Err(findings) => (0, findings.as_slice()),
    };
    let report = Report {
        file: file.display().to_string(),
        valid: parsed.is_ok(),
        states,
        findings: found.iter().map(finding).collect(),
    };
    let findings = found.iter().fold(String::new(), |all, one| format!("{all}{one}\n"));
    let verdict = match report.valid {
        true => format!("{findings}`{}` is valid: {states} states", report.file),
        false => findings,
    };
    output.say(&report, verdict)?;
    match report.valid {
        true => Ok(()),
        false => Err(Failure::new(Kind::Refused, format!("`{}` is not valid", report.file))),
    }
}

fn finding(one: &Diagnostic) -> Finding {
    Finding {
        severity: match one.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        code: one.code,
        pointer: one.pointer.clone(),
        message: one.message.clone(),
    }
}
