//! Exporting entries, a piece at a time: CSV, JSON lines, hledger's journal.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::{Query, Value};
use utoipa::ToSchema;

use super::Ledger;
use super::calendar::date;
use super::entries::{Recorded, public_id, read_row};
use super::error::ReportError;
use super::statement::parse_day;
use super::views::EntryView;
use crate::Instant;
use crate::records::json;
use crate::records::ledger::ENTRIES;

/// Rows of entries that are read for one piece.
const ROWS: usize = 32;

/// How entries are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// A line for every posting, amounts with two decimals.
    #[default]
    Csv,
    /// An entry a line, as the API shows it.
    Json,
    /// A journal that hledger reads. An entry's date is its merchant day.
    Hledger,
}

/// An export that is under way. It holds all entries that were durable when it began, and perhaps some that came later.
pub struct Export {
    ledger: Arc<Ledger>,
    format: ExportFormat,
    days: (i32, i32),
    /// The id after which to go on; `None` once all is written.
    after: Option<i64>,
    begun: bool,
}

impl Ledger {
    /// Begins an export of the entries that count from one day to another, both included; by default of all. They come in the
    /// order in which they were recorded.
    ///
    /// # Errors
    /// [`ReportError::Parameter`].
    pub fn export(
        self: &Arc<Ledger>,
        format: ExportFormat,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Export, ReportError> {
        let from = from.map_or(Ok(i32::MIN), parse_day)?;
        let to = to.map_or(Ok(i32::MAX), parse_day)?;
        Ok(Export { ledger: self.clone(), format, days: (from, to), after: Some(i64::MIN), begun: false })
    }
}

impl Export {
    /// The next piece of text; `None` at the end.
    ///
    /// # Errors
    /// [`ReportError`].
    pub async fn next(&mut self) -> Result<Option<String>, ReportError> {
        let mut text = String::new();
        if !self.begun {
            self.begun = true;
            text.push_str(&self.head());
        }
        while let Some(after) = self.after {
            let query = Query::table(&ENTRIES).range(Bound::Excluded(Value::Int(after)), Bound::Unbounded).limit(ROWS);
            let page = self.ledger.store.query(query).await?;
            self.after = page.rows.last().and_then(|row| row.key().int()).filter(|_| page.next.is_some());
            for row in &page.rows {
                for recorded in read_row(row)? {
                    let day = self.ledger.calendar.day_of(recorded.entry.effective_at);
                    if (self.days.0..=self.days.1).contains(&day) {
                        self.write(&mut text, recorded, day);
                    }
                }
            }
            if !text.is_empty() {
                break;
            }
        }
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn head(&self) -> String {
        match self.format {
            ExportFormat::Json => String::new(),
            ExportFormat::Csv => {
                "entry,day,effective_at,recorded_at,kind,description,account,amount,currency,key,reverses,reason\n"
                    .into()
            }
            ExportFormat::Hledger => {
                let mut text = String::from("; the ledger of Comanda\ndecimal-mark .\n");
                for currency in ["BRL", "USD", "EUR"] {
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "commodity {currency} 1000.00");
                }
                for account in self.ledger.chart.list() {
                    let _ = writeln!(text, "account {}", account.code);
                }
                text.push('\n');
                text
            }
        }
    }

    fn write(&self, text: &mut String, recorded: Recorded, day: i32) {
        match self.format {
            ExportFormat::Json => {
                text.push_str(&json(&EntryView::of(recorded, None)));
                text.push('\n');
            }
            ExportFormat::Csv => csv(text, &recorded, day),
            ExportFormat::Hledger => journal(text, &recorded, day),
        }
    }
}

fn csv(text: &mut String, recorded: &Recorded, day: i32) {
    let entry = &recorded.entry;
    let optional = |value: &Option<String>| field(value.as_deref().unwrap_or_default());
    for posting in &entry.postings {
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{}",
            public_id(recorded.id),
            date(day),
            Instant(entry.effective_at).to_rfc3339(),
            Instant(store::id::time_ms(recorded.id)).to_rfc3339(),
            entry.kind.as_str(),
            field(&entry.description),
            posting.account,
            decimal(posting.amount),
            posting.currency.code(),
            optional(&entry.key),
            optional(&entry.reverses),
            optional(&entry.reason),
        );
    }
}

/// A text as a field of CSV, quoted where it must be. Spreadsheets take a text for a formula that begins with one of these
/// signs, so it gets an apostrophe in front; one that begins with apostrophes and such a sign gets one more, so that a reader who
/// takes one off has the text again.
fn field(text: &str) -> String {
    let is_formula = text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into_owned(),
    }
}

fn journal(text: &mut String, recorded: &Recorded, day: i32) {
    let entry = &recorded.entry;
    // A semicolon begins a comment, a bar splits payee and note.
    let description = entry.description.replace(';', ",").replace('|', "/");
    let _ =
        writeln!(text, "{} {description}  ; id:{}, kind:{}", date(day), public_id(recorded.id), entry.kind.as_str());
    for posting in &entry.postings {
        let _ = writeln!(text, "    {}  {} {}", posting.account, posting.currency.code(), decimal(posting.amount));
    }
    text.push('\n');
}

/// Minor units with a point and two decimals.
fn decimal(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}
