//! `comanda flow check`.

use std::path::{Path, PathBuf};

use asl::{Diagnostic, Severity};
use serde::Serialize;

use super::{files, place};
use crate::failure::{Failure, Kind};
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
    line: usize,
    message: String,
}

/// Says what is wrong with flow files, where, and what cures it.
///
/// # Errors
/// One of them is not valid or cannot be read.
pub(super) fn run(paths: &[PathBuf], output: Output) -> Result<(), Failure> {
    let mut invalid = Vec::new();
    for file in files::find(paths, files::FLOW)? {
        let report = check(&file)?;
        if !report.valid {
            invalid.push(report.file.clone());
        }
        output.say(&report, describe(&report))?;
    }
    match invalid.as_slice() {
        [] => Ok(()),
        [one] => Err(Failure::new(Kind::Refused, format!("`{one}` is not valid"))),
        many => Err(Failure::new(Kind::Refused, format!("{} flows are not valid: {}", many.len(), many.join(", ")))),
    }
}

fn check(path: &Path) -> Result<Report, Failure> {
    let (file, parsed) = files::open(path)?;
    let (states, found) = match &parsed {
        Ok(definition) => (definition.all_states().count(), definition.warnings()),
        Err(findings) => (0, findings.as_slice()),
    };
    Ok(Report {
        file: path.display().to_string(),
        valid: parsed.is_ok(),
        states,
        findings: found.iter().map(|one| finding(&file.text, one)).collect(),
    })
}

fn finding(text: &str, one: &Diagnostic) -> Finding {
    // Texts that are no JSON, and placeholders, name their line themselves.
    let named = one.message.split("line ").nth(1).and_then(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    let line = named.filter(|_| one.pointer.is_empty()).unwrap_or_else(|| place::line(text, &one.pointer));
    Finding {
        severity: match one.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        code: one.code,
        pointer: one.pointer.clone(),
        line,
        message: one.message.clone(),
    }
}

fn describe(report: &Report) -> String {
    let mut text = String::new();
    for Finding { severity, code, pointer, line, message } in &report.findings {
        let at = if pointer.is_empty() { "/" } else { pointer };
        text.push_str(&format!("{}:{line}: {severity} {code} at {at}: {message}\n", report.file));
    }
    if report.valid {
        text.push_str(&format!("`{}` is valid: {} states\n", report.file, report.states));
    }
    text
}
