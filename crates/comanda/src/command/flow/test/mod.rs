//! `comanda flow test`: the cases beside flow files, in virtual time.

pub(super) mod cases;
mod coverage;
mod judge;
mod junit;
mod play;
pub(super) mod script;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use asl::{Definition, Turn};
use serde::Serialize;

use super::files;
use crate::cli;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use cases::CASES;
use coverage::Coverage;
use play::Played;

/// What became of a case.
#[derive(Serialize)]
struct Result {
    file: String,
    name: String,
    passed: bool,
    status: &'static str,
    /// In virtual time.
    seconds: f64,
    /// In real time.
    milliseconds: f64,
    path: Vec<String>,
    differences: Vec<String>,
}

/// Runs the cases of flows.
///
/// # Errors
/// A case fails, or a file is not as it must be.
pub(super) fn run(arguments: &cli::FlowTest, output: Output) -> std::result::Result<(), Failure> {
    let begin = Instant::now();
    let mut results = Vec::new();
    for file in case_files(&arguments.paths)? {
        let (flow, found) = run_file(&file, arguments, output)?;
        results.extend(found);
        if let Some(coverage) = flow.filter(|_| arguments.coverage) {
            output.say(&coverage, coverage.describe())?;
        }
    }
    if let Some(file) = &arguments.junit {
        std::fs::write(file, junit::report(&results))
            .map_err(|e| Failure::new(Kind::Failed, format!("cannot write `{}`: {e}", file.display())))?;
    }
    let failed = results.iter().filter(|result| !result.passed).count();
    let took = begin.elapsed().as_secs_f64() * 1000.0;
    output.tell(format!("{} passed, {failed} failed, in {took:.0} ms", results.len() - failed))?;
    match (results.len(), failed) {
        (0, _) => Err(Failure::new(Kind::NotFound, "no case has such a name")),
        (_, 0) => Ok(()),
        (all, failed) => Err(Failure::new(Kind::Refused, format!("{failed} of {all} cases failed"))),
    }
}

/// The files of cases: those named, those beside the flows named, those in the folders named.
fn case_files(paths: &[PathBuf]) -> std::result::Result<Vec<PathBuf>, Failure> {
    let beside = |path: &PathBuf| match path.to_str().and_then(|text| text.strip_suffix(files::FLOW)) {
        Some(stem) => PathBuf::from(format!("{stem}{CASES}")),
        None => path.clone(),
    };
    files::find(&paths.iter().map(beside).collect::<Vec<_>>(), CASES)
}

/// The flow that a file of cases is about.
fn flow_of(file: &Path, named: Option<&str>) -> PathBuf {
    match named {
        Some(flow) => file.with_file_name(flow),
        None => {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            file.with_file_name(format!("{}{}", name.strip_suffix(CASES).unwrap_or(name), files::FLOW))
        }
    }
}

fn run_file(
    path: &Path,
    arguments: &cli::FlowTest,
    output: Output,
) -> std::result::Result<(Option<Coverage>, Vec<Result>), Failure> {
    let file = cases::read(path)?;
    let flow_path = flow_of(path, file.flow.as_deref());
    let (flow, definition): (_, Definition) = files::valid(&flow_path)?;
    let mut taken: HashSet<(Arc<str>, Turn)> = HashSet::new();
    let mut results = Vec::new();
    for (name, case) in &file.cases {
        if arguments.filter.as_ref().is_some_and(|filter| !name.contains(filter.as_str())) {
            continue;
        }
        let begin = Instant::now();
        let wrong = |problem| Failure::new(Kind::Usage, format!("`{}` at `cases.{name}`: {problem}", path.display()));
        let played = play::play(&flow.filled, name, case, &file.mocks).map_err(wrong)?;
        let differences = judge::judge(&case.expect, &played);
        taken.extend(played.done.turns.iter().cloned());
        let result = Result {
            file: path.display().to_string(),
            name: name.clone(),
            passed: differences.is_empty(),
            status: judge::status(played.done.outcome.as_ref()),
            seconds: judge::seconds(&played),
            milliseconds: begin.elapsed().as_secs_f64() * 1000.0,
            path: played.path.clone(),
            differences,
        };
        if !result.passed || arguments.verbose || output.is_json() {
            output.say(&result, describe(&result, &played, arguments.verbose))?;
        }
        results.push(result);
    }
    let passed = results.iter().filter(|result| result.passed).count();
    output.tell(format!("{}: {passed} of {} cases passed", path.display(), results.len()))?;
    Ok((Some(Coverage::of(flow.path.display().to_string(), &definition, &taken)), results))
}

fn describe(result: &Result, played: &Played, verbose: bool) -> String {
    let verdict = if result.passed { "ok  " } else { "FAIL" };
    let mut text = format!("{verdict} {} ({}, {} s)\n", result.name, result.status, result.seconds);
    for difference in &result.differences {
        text.push_str(&format!("  {difference}\n"));
    }
    if verbose {
        text.push_str(&format!("  path: {}\n", result.path.join(" > ")));
        for task in &played.done.tasks {
            let again = if task.attempt > 0 { format!(" (retry {})", task.attempt) } else { String::new() };
            text.push_str(&format!("  called {}{again}: {}\n", task.path, task.arguments));
        }
        match &played.done.outcome {
            Some(asl::Outcome::Succeeded { output }) => text.push_str(&format!("  output: {output}\n")),
            Some(other) => text.push_str(&format!("  {other:?}\n")),
            None => text.push_str(&format!("  waits at {}\n", played.done.waits_at.join(", "))),
        }
    } else if !result.passed {
        text.push_str(&format!("  see more: comanda flow test {} --filter '{}' --verbose\n", result.file, result.name));
    }
    text
}
