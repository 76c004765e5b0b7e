//! `comanda audit`.

use std::fmt::Write;

use app::Auditor;
use app::views::AuditReport;
use indicatif::ProgressBar;

use super::progress::{bar, follow, show};
use crate::cli;
use crate::client::Client;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;

/// Compares everything with everything: through a running server, or in the store's file, which a server may be using.
pub(crate) async fn run(config: &Config, arguments: &cli::Audit, output: Output) -> Result<(), Failure> {
    let bar = bar(output);
    let report = match &arguments.server {
        Some(server) => follow(&Client::new(Some(server), config), "/v1/audit/events", &bar).await,
        None => local(config, arguments, &bar).await,
    };
    bar.finish_and_clear();
    let report = report?;
    output.say(&report, describe(&report))?;
    match (report.differences.len(), report.more) {
        (0, _) => Ok(()),
        (n, more) => {
            let least = if more { "at least " } else { "" };
            Err(Failure::new(Kind::Refused, format!("the audit found {least}{n} differences")))
        }
    }
}

async fn local(config: &Config, arguments: &cli::Audit, bar: &ProgressBar) -> Result<AuditReport, Failure> {
    let auditor = auditor(config, arguments)?;
    let report = auditor.run(&|progress| show(bar, progress.what, progress.part)).await;
    Ok(report.map_err(anyhow::Error::from)?)
}

#[cfg(feature = "aws")]
fn auditor(config: &Config, arguments: &cli::Audit) -> Result<Auditor, Failure> {
    match &arguments.store {
        Some(store) => Ok(crate::serve::cloud::Installation::new(store)?.auditor(config)),
        None => crate::serve::auditor(config),
    }
}

#[cfg(not(feature = "aws"))]
fn auditor(config: &Config, _: &cli::Audit) -> Result<Auditor, Failure> {
    crate::serve::auditor(config)
}

/// The report for people.
pub(crate) fn describe(report: &AuditReport) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for (what, count) in &report.counts {
        let _ = writeln!(text, "{count:>10} {what}");
    }
    let _ = writeln!(text, "{:>10} orders still open, {} wait for a person", report.open, report.needs_attention);
    let money = &report.money;
    let _ = writeln!(
        text,
        "Captured {} and refunded {} (minor units); the provider's books say {} and {}.",
        money.captured, money.refunded, money.provider_captured, money.provider_refunded
    );
    for difference in &report.differences {
        let _ = writeln!(text, "DIFFERENCE {} {}: {}", difference.code, difference.subject, difference.detail);
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "WARNING {} {}: {}", warning.code, warning.subject, warning.detail);
    }
    if report.more {
        text.push_str("There are more differences than are shown.\n");
    }
    match (report.differences.is_empty(), report.books_compared) {
        (true, true) => text.push_str("Everything agrees."),
        (true, false) => text.push_str("Our records agree; the provider has no books to compare them with."),
        (false, _) => {}
    }
    text
}
