//! `comanda audit`.

use std::fmt::Write;

use app::views::AuditReport;

use crate::cli;
use crate::client::Client;
use crate::config::Config;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::serve::Backend;

/// Compares orders, payments, stock and receipts: of a running server, or of the data folder of one that has stopped.
pub(crate) async fn run(config: &Config, arguments: &cli::Audit, output: Output) -> Result<(), Failure> {
    let report = match &arguments.server {
        Some(server) => Client::new(Some(server), config).get("/v1/audit").await?,
        None => offline(config).await?,
    };
    output.say(&report, describe(&report))?;
    match report.differences.len() {
        0 => Ok(()),
        n => Err(Failure::new(Kind::Refused, format!("the audit found {n} differences"))),
    }
}

async fn offline(config: &Config) -> Result<AuditReport, Failure> {
    if !crate::serve::store_path(config).exists() {
        let problem = format!("there is no store in `{}`; name the folder with --data", config.data.display());
        return Err(Failure::new(Kind::NotFound, problem));
    }
    let backend = Backend::open(config, "").await?;
    Ok(backend.app.audit().await.map_err(anyhow::Error::from)?)
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
