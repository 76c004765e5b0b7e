//! Settling what will never fit: a person says why, once, and which entry books it. The difference is kept with that, and the
//! audit counts it as settled.

use domain::bookkeeping::provider_account;
use store::{Batch, CommitError, Row, Value};

use super::show::unmatched;
use crate::commands::ExplainDifference;
use crate::error::StoreError;
use crate::ledger::{entry, entry_id};
use crate::records::reconciliation::{DIFFERENCES, EXPLAINED, OPEN};
use crate::views::Unmatched;
use crate::{App, Kind, Problem};

/// The most characters of a reason.
const MAX_REASON: usize = 280;
/// The most characters of a name.
const MAX_NAME: usize = 120;

/// Why a difference was not settled.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// Nothing of that name does not fit.
    #[error("`{0}` is no open difference; `comanda payment reconcile` lists them")]
    NotFound(String),
    /// A text is empty, too long, or has control characters.
    #[error(
        "write who settles it and why, in one line each: a name of 1 to {MAX_NAME} and a reason of 1 to {MAX_REASON} characters"
    )]
    Text(&'static str),
    /// There is no such entry.
    #[error("there is no entry `{0}`")]
    NoEntry(String),
    /// The entry is about something else.
    #[error("the entry posts {posted} to `{account}`, the difference is {difference}")]
    OtherAmount {
        /// The provider's account.
        account: String,
        /// What the entry posts there, in minor units.
        posted: i64,
        /// What is missing there.
        difference: i64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<store::ReadError> for ExplainError {
    fn from(error: store::ReadError) -> ExplainError {
        ExplainError::Store(error.into())
    }
}

impl Problem for ExplainError {
    fn kind(&self) -> Kind {
        match self {
            ExplainError::NotFound(_) => Kind::NotFound,
            ExplainError::Text(_) | ExplainError::NoEntry(_) | ExplainError::OtherAmount { .. } => Kind::Invalid,
            ExplainError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            ExplainError::NotFound(_) => "not-found",
            ExplainError::Text(_) => "invalid-text",
            ExplainError::NoEntry(_) => "unknown-entry",
            ExplainError::OtherAmount { .. } => "amount-differs",
            ExplainError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            ExplainError::Text(field) => Some(format!("/{field}")),
            ExplainError::NoEntry(_) | ExplainError::OtherAmount { .. } => Some("/entry".into()),
            ExplainError::NotFound(_) | ExplainError::Store(_) => None,
        }
    }
}

impl App {
    /// Settles a difference: with the entry that books it, whose amount on the provider's account must be the difference, or
    /// with a reason alone. Returns once that is durable.
    ///
    /// # Errors
    /// [`ExplainError`].
    pub async fn explain_difference(&self, command: ExplainDifference) -> Result<Unmatched, ExplainError> {
        let reason = line(&command.reason, MAX_REASON).ok_or(ExplainError::Text("reason"))?;
        let by = line(&command.by, MAX_NAME).ok_or(ExplainError::Text("by"))?;
        let not_found = || ExplainError::NotFound(command.id.chars().take(120).collect());
        if command.id.is_empty() || command.id.len() > 500 {
            return Err(not_found());
        }
        let row = self.store.get(&DIFFERENCES, &command.id.as_str().into()).await?.ok_or_else(not_found)?;
        if row.int("open") != Some(OPEN) {
            return Err(not_found());
        }
        if let Some(id) = &command.entry {
            self.check_entry(id, &row).await?;
        }
        let now = self.now();
        let set = vec![
            ("open", Value::Int(EXPLAINED)),
            ("resolved_at", Value::Int(now)),
            ("explanation", Value::from(reason)),
            ("explained_by", Value::from(by)),
            ("entry", Value::from(command.entry.as_deref())),
        ];
        let explained = row.with(&set);
        let mut batch = Batch::new();
        batch.update(&DIFFERENCES, command.id.as_str(), set, Some(("open", Value::Int(OPEN))));
        match self.commit(batch).await {
            Ok(()) => Ok(unmatched(&explained)),
            // It fits by now, or somebody else settled it.
            Err(CommitError::Conflict { .. }) => Err(not_found()),
            Err(error) => Err(StoreError::from(error).into()),
        }
    }

    /// Whether an entry posts to the provider's account what the difference is.
    async fn check_entry(&self, id: &str, difference: &Row) -> Result<(), ExplainError> {
        let no_entry = || ExplainError::NoEntry(id.chars().take(64).collect());
        let number = entry_id(id).ok_or_else(no_entry)?;
        let recorded = entry(&*self.store, number).await?.ok_or_else(no_entry)?;
        let account = provider_account(self.provider.name());
        let currency = difference.text("currency").unwrap_or_default();
        let own = recorded.entry.postings.iter();
        let own = own.filter(|posting| posting.account == account && posting.currency.code() == currency);
        let posted = own.map(|posting| posting.amount).fold(0, i64::saturating_add);
        let told = |column: &str| difference.int(column).unwrap_or(0);
        // A fee is what the account loses.
        let sign = if difference.text("reason") == Some("fee-unexpected") { -1 } else { 1 };
        let difference = sign * told("theirs").saturating_sub(told("ours"));
        match posted == difference {
            true => Ok(()),
            false => Err(ExplainError::OtherAmount { account, posted, difference }),
        }
    }
}

/// A text of one line.
fn line(text: &str, most: usize) -> Option<&str> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
    fits.then_some(text)
}
