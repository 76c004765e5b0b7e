//! Importing bank statements: CSV and OFX, all lines or none, each line once however often it comes.

mod amount;
mod csv;
mod ofx;
mod transit;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::Currency;
use domain::bookkeeping::BANK;
use domain::ledger::{Draft, Entry, EntryKind};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Batch, CommitError, Op, Row, Value};
use utoipa::ToSchema;

use super::Ledger;
use super::accept::{MAX_STORED_BYTES, Prefix, write_rows};
use super::body::account_name;
use super::calendar::{day, month_name};
use super::entries::public_id;
use super::error::PostError;
use crate::error::StoreError;
use crate::records::ledger::IMPORTED;
use crate::records::{damaged, json};
use crate::{Kind, Problem, signature};

/// The most lines of one file.
pub const MAX_IMPORT_LINES: usize = 10_000;
/// The most bytes of one file.
pub const MAX_IMPORT_BYTES: usize = 8 << 20;
/// The most months that one file may touch.
pub const MAX_IMPORT_MONTHS: usize = 60;
/// The most lines of an account and month that are remembered.
pub const MAX_MONTH_LINES: usize = 15_000;
/// The most rejected lines that an answer names.
const MAX_NAMED: usize = 1_000;

/// How a file is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportFormat {
    /// Comma-separated values with a line of names.
    #[default]
    Csv,
    /// Open Financial Exchange, version 1 (SGML) or 2 (XML).
    Ofx,
}

/// What separates cents in a CSV file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DecimalMark {
    /// `1,234.56`
    #[default]
    Point,
    /// `1.234,56`
    Comma,
}

/// The order of the parts of a date in a CSV file. A year of four digits in front is always understood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// 31/12/2026
    #[default]
    Dmy,
    /// 12/31/2026
    Mdy,
}

/// How to import a file. The names of columns are needed only where the file's are not the usual ones.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportOptions {
    /// How the file is read; by default CSV.
    #[serde(default)]
    pub format: ImportFormat,
    /// The account whose statement it is; by default `assets:bank`.
    pub account: Option<String>,
    /// Its currency; by default that of the file, else of the account, else the merchant's.
    pub currency: Option<Currency>,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
    /// Where deposits come from; by default `income:unknown`.
    pub deposits: Option<String>,
    /// Where withdrawals go; by default `expenses:unknown`.
    pub withdrawals: Option<String>,
    /// What separates columns; by default found out from the line of names.
    pub delimiter: Option<char>,
    /// What separates cents.
    #[serde(default)]
    pub decimal: DecimalMark,
    /// The order of day and month.
    #[serde(default)]
    pub dates: DateOrder,
    /// The column of the date.
    pub date_column: Option<String>,
    /// The column of the amount: above zero is a deposit.
    pub amount_column: Option<String>,
    /// The column of the text.
    pub description_column: Option<String>,
    /// The column of the bank's own id of the line.
    pub id_column: Option<String>,
}

/// One line of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// In the file, from 1.
    number: u64,
    date: Date,
    /// Minor units; above zero is a deposit.
    amount: i64,
    description: String,
    /// The bank's own id.
    id: Option<String>,
}

/// A line that cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rejected {
    /// Its number in the file, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// What a file said.
#[derive(Debug, Default)]
struct Parsed {
    lines: Vec<Line>,
    rejected: Vec<Rejected>,
    currency: Option<Currency>,
}

/// A deposit that was recognised as a payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Arrival {
    /// The number of its line in the file, from 1.
    pub line: u64,
    /// The payout's id.
    pub payout: String,
    /// In minor units.
    pub amount: i64,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportView {
    /// Whether nothing was changed because only the outcome was asked for.
    pub dry_run: bool,
    /// Lines that became entries, or would.
    pub imported: u64,
    /// Lines that an earlier import brought already.
    pub known: u64,
    /// The sum of deposits, in minor units.
    pub deposits: i64,
    /// The sum of withdrawals, in minor units, at least 0.
    pub withdrawals: i64,
    /// The account.
    pub account: String,
    /// Its currency.
    pub currency: Currency,
    /// The id of the first entry; the others follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Deposits that are payouts of a provider: they are booked against `assets:payouts-in-transit`. At most 1,000 are named.
    pub payouts: Vec<Arrival>,
    /// Lines that cannot be imported; with any of them nothing is. At most 1,000 are named.
    pub rejected: Vec<Rejected>,
    /// How many there are.
    pub rejected_count: u64,
}

/// Why a file was not imported. Nothing of it is stored then.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file as a whole cannot be read.
    #[error("{0}")]
    File(String),
    /// Lines cannot be imported.
    #[error("nothing was imported: {}", named(.0))]
    Rejected(Vec<Rejected>),
    /// The entries cannot be posted.
    #[error(transparent)]
    Post(#[from] PostError),
}

fn named(rejected: &[Rejected]) -> String {
    let first: Vec<String> = rejected.iter().take(20).map(|r| format!("line {}: {}", r.line, r.reason)).collect();
    let more = rejected.len().saturating_sub(first.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", first.join("; "))
}

impl From<store::ReadError> for ImportError {
    fn from(error: store::ReadError) -> ImportError {
        ImportError::Post(error.into())
    }
}

impl Problem for ImportError {
    fn kind(&self) -> Kind {
        match self {
            ImportError::File(_) | ImportError::Rejected(_) => Kind::Invalid,
            ImportError::Post(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            ImportError::File(_) => "unreadable-file",
            ImportError::Rejected(_) => "lines-rejected",
            ImportError::Post(error) => error.code(),
        }
    }
}

/// The lines of months that were imported before, with the row and its key.
struct Month {
    key: String,
    row: Option<Row>,
    lines: BTreeSet<String>,
}

impl Ledger {
    /// Imports a file in one commit, or says what that would do. A line that was imported before is left out: by its date,
    /// its amount and the bank's id, or else its text and its place among lines that are equal in all of that.
    ///
    /// # Errors
    /// [`ImportError`].
    pub async fn import(&self, bytes: &[u8], options: &ImportOptions) -> Result<ImportView, ImportError> {
        let parsed = parse(bytes, options)?;
        let account = options.account.clone().unwrap_or_else(|| BANK.into());
        let others = [options.deposits.as_deref(), options.withdrawals.as_deref()];
        let codes = std::iter::once(account.as_str()).chain(others.into_iter().flatten());
        self.chart.refresh(&*self.store, codes, self.now()).await.map_err(PostError::from)?;
        let own = self.chart.get(&account).and_then(|account| account.currency);
        let currency = options.currency.or(parsed.currency).or(own).unwrap_or(self.currency);
        let mut rejected = parsed.rejected;
        let mut entries: Vec<(u64, String, String, Entry)> = Vec::with_capacity(parsed.lines.len());
        let mut twins: HashMap<String, u32> = HashMap::new();
        for line in parsed.lines {
            let number = line.number;
            let month = format!("{}/{}", account_name(&account, currency), month_of(line.date));
            let mark = mark(&line, &mut twins);
            match self.line_entry(line, &account, currency, options) {
                Ok(entry) => entries.push((number, month, mark, entry)),
                Err(PostError::Store(error)) => return Err(PostError::Store(error).into()),
                Err(error) => rejected.push(Rejected { line: number, reason: error.to_string() }),
            }
        }
        rejected.sort_by_key(|rejected| rejected.line);
        if !rejected.is_empty() && !options.dry_run {
            return Err(ImportError::Rejected(rejected));
        }
        let view = |known: u64, first: Option<i64>, imported: &[Entry], payouts: Vec<Arrival>| {
            let amounts = || imported.iter().filter_map(|entry| entry.postings.first()).map(|posting| posting.amount);
            ImportView {
                dry_run: options.dry_run,
                imported: imported.len() as u64,
                known,
                deposits: amounts().filter(|amount| *amount > 0).sum(),
                withdrawals: -amounts().filter(|amount| *amount < 0).sum::<i64>(),
                account: account.clone(),
                currency,
                first: first.map(public_id),
                payouts: payouts.into_iter().take(MAX_NAMED).collect(),
                rejected_count: rejected.len() as u64,
                rejected: rejected.iter().take(MAX_NAMED).cloned().collect(),
            }
        };
        for _ in 0..crate::app::MAX_TRIES {
            let mut months = self.months(entries.iter().map(|(_, month, ..)| month.as_str())).await?;
            let fresh = |month: &str, mark: &String| months.get(month).is_none_or(|month| !month.lines.contains(mark));
            // A file of joined statements may have a line twice.
            let mut seen = BTreeSet::new();
            let new: Vec<&(u64, String, String, Entry)> = entries
                .iter()
                .filter(|(_, month, mark, _)| fresh(month, mark) && seen.insert((month.as_str(), mark.as_str())))
                .collect();
            let known = (entries.len() - new.len()) as u64;
            let mut made: Vec<Entry> = new.iter().map(|(.., entry)| entry.clone()).collect();
            let numbers: Vec<u64> = new.iter().map(|(number, ..)| *number).collect();
            let (arrivals, arrived) = self.recognise(&mut made, &numbers, currency).await?;
            if options.dry_run || new.is_empty() {
                return Ok(view(known, None, &made, arrivals));
            }
            for (_, month, mark, _) in &new {
                if let Some(month) = months.get_mut(month) {
                    month.lines.insert(mark.clone());
                }
            }
            let mut batch = Batch::new();
            let first = write_rows(&mut batch, &made)?;
            for month in months.into_values().chain(arrived.into_values()) {
                month.write(&mut batch)?;
            }
            if batch.ops().len() > store::MAX_BATCH_OPS {
                let problem = "the file touches more months and rows than one commit takes; split it";
                return Err(ImportError::File(problem.into()));
            }
            let found: usize = batch.ops().iter().map(Op::size_bytes).sum();
            if found > MAX_STORED_BYTES {
                return Err(PostError::Size { most: MAX_STORED_BYTES, found }.into());
            }
            match self.commit(batch).await {
                Ok(()) => return Ok(view(known, Some(first), &made, arrivals)),
                // Another import of the account was faster: look again what is new.
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(PostError::from(error).into()),
            }
        }
        Err(PostError::Store(StoreError::Busy).into())
    }

    fn line_entry(
        &self,
        line: Line,
        account: &str,
        currency: Currency,
        options: &ImportOptions,
    ) -> Result<Entry, PostError> {
        let other = match line.amount >= 0 {
            true => options.deposits.as_deref().unwrap_or("income:unknown"),
            false => options.withdrawals.as_deref().unwrap_or("expenses:unknown"),
        };
        let at = self.calendar.start_ms(day(line.date));
        let mut draft = Draft::new(EntryKind::Import, at, line.description)
            .debit(account, line.amount, currency)
            .credit(other, line.amount, currency)
            .metadata("line", line.number.to_string());
        if let Some(id) = line.id {
            draft = draft.metadata("bank id", id.chars().take(domain::ledger::MAX_METADATA_VALUE).collect::<String>());
        }
        self.checked(draft, Prefix::Whole)
    }

    async fn months<'m>(&self, names: impl Iterator<Item = &'m str>) -> Result<BTreeMap<String, Month>, ImportError> {
        let names: BTreeSet<&str> = names.collect();
        if names.len() > MAX_IMPORT_MONTHS {
            let problem =
                format!("the file touches {} months; at most {MAX_IMPORT_MONTHS} at once, split it", names.len());
            return Err(ImportError::File(problem));
        }
        let mut months = BTreeMap::new();
        for name in names {
            let row = self.store.get(&IMPORTED, &name.into()).await?;
            let lines = match &row {
                Some(row) => {
                    let lines = row.text("lines").and_then(|text| serde_json::from_str(text).ok());
                    lines.ok_or_else(|| damaged(row, "lines"))?
                }
                None => BTreeSet::new(),
            };
            months.insert(name.to_owned(), Month { key: name.to_owned(), row, lines });
        }
        Ok(months)
    }
}

impl Month {
    fn write(self, batch: &mut Batch) -> Result<(), ImportError> {
        if self.lines.len() > MAX_MONTH_LINES {
            let problem =
                format!("a month of an account takes {MAX_MONTH_LINES} imported lines; post the rest as batches");
            return Err(ImportError::File(problem));
        }
        let lines = json(&self.lines);
        match self.row {
            Some(row) => {
                let revision = row.int("revision").unwrap_or(0);
                let new = row.with(&[("revision", Value::Int(revision + 1)), ("lines", Value::from(lines))]);
                batch.replace(&row, &new, "revision");
            }
            None => {
                batch.insert(Row::new(&IMPORTED, self.key.as_str(), vec![Value::Int(1), Value::from(lines)]));
            }
        }
        Ok(())
    }
}

fn month_of(date: Date) -> String {
    month_name(i32::from(date.year()) * 12 + i32::from(date.month()) - 1)
}

/// What a line is known by: 20 hex digits. Some banks give the same id to several lines, so date and amount belong to it.
fn mark(line: &Line, twins: &mut HashMap<String, u32>) -> String {
    let text = match &line.id {
        Some(id) => format!("id {id} {} {}", line.date, line.amount),
        None => {
            let text = format!("line {} {} {}", line.date, line.amount, line.description);
            let twin = twins.entry(text.clone()).or_default();
            *twin += 1;
            format!("{text} {twin}")
        }
    };
    signature::hex(&Sha256::digest(text)).chars().take(20).collect()
}

fn parse(bytes: &[u8], options: &ImportOptions) -> Result<Parsed, ImportError> {
    if bytes.len() > MAX_IMPORT_BYTES {
        return Err(ImportError::File(format!("the file has more than {MAX_IMPORT_BYTES} bytes; split it")));
    }
    // Banks write UTF-8 or the encoding of western Windows; in that every byte is a character.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_start_matches('\u{feff}').to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let parsed = match options.format {
        ImportFormat::Csv => csv::parse(&text, options)?,
        ImportFormat::Ofx => ofx::parse(&text)?,
    };
    let lines = parsed.lines.len() + parsed.rejected.len();
    match lines {
        0 => Err(ImportError::File("the file has no lines to import".into())),
        _ if lines > MAX_IMPORT_LINES => {
            Err(ImportError::File(format!("the file has {lines} lines; at most {MAX_IMPORT_LINES} at once, split it")))
        }
        _ => Ok(parsed),
    }
}

/// A text as a description: one line, no control characters, at most what an entry takes; never empty.
fn clean(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let text: String = words.join(" ").chars().take(domain::ledger::MAX_DESCRIPTION).collect();
    if text.is_empty() { "(no text)".into() } else { text }
}
