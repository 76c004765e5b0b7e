//! What can go wrong with the ledger.

use domain::ledger::{EntryError, Overflow};
use store::{CommitError, ReadError};

use crate::error::StoreError;
use crate::{Kind, Problem};

/// Why an entry was not accepted. Nothing of the request is stored then.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// It breaks a rule.
    #[error("{error}")]
    Invalid {
        /// Before the field, for an entry of a batch.
        prefix: String,
        /// The rule.
        error: EntryError,
    },
    /// The account is not in the chart.
    #[error("there is no account `{code}`; open it first, or use one of the chart")]
    UnknownAccount {
        /// The field.
        pointer: String,
        /// As the caller wrote it, cut.
        code: String,
    },
    /// The account takes no entries any more.
    #[error("the account `{code}` is closed; reopen it or use another")]
    ClosedAccount {
        /// The field.
        pointer: String,
        /// The account.
        code: String,
    },
    /// The account takes another currency only.
    #[error("the account `{code}` takes {currency} only")]
    OtherCurrency {
        /// The field.
        pointer: String,
        /// The account.
        code: String,
        /// What it takes.
        currency: domain::Currency,
    },
    /// None, or more than a batch takes.
    #[error("a batch takes 1 to {most} entries, not {found}; send more batches")]
    Count {
        /// The limit.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// Longer texts than a batch takes.
    #[error("the batch takes {found} bytes in the store, more than {most}; send smaller batches")]
    Size {
        /// The limit.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// Empty, too long, or not visible ASCII.
    #[error("the idempotency key must have 1 to 255 visible ASCII characters")]
    Key,
    /// The key was used for another body.
    #[error("the idempotency key was used for another request; use a new key")]
    KeyReused,
    /// There is no such entry to reverse.
    #[error("there is no entry `{0}`")]
    NotFound(String),
    /// It follows a payment's own change, and so does its undoing.
    #[error("an entry of the kind `{0}` is undone only by what it tells of; correct it with an entry of your own")]
    Automatic(&'static str),
    /// Somebody else has reversed it.
    #[error("the entry is reversed already, by `{0}`")]
    Reversed(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for PostError {
    fn from(error: ReadError) -> PostError {
        PostError::Store(error.into())
    }
}

impl From<CommitError> for PostError {
    fn from(error: CommitError) -> PostError {
        PostError::Store(error.into())
    }
}

impl Problem for PostError {
    fn kind(&self) -> Kind {
        match self {
            PostError::NotFound(_) => Kind::NotFound,
            PostError::Reversed(_) | PostError::Automatic(_) => Kind::Conflict,
            PostError::Store(error) => error.kind(),
            _ => Kind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            PostError::Invalid { error: EntryError::Unbalanced { .. }, .. } => "unbalanced-entry",
            PostError::Invalid { .. } => "invalid-entry",
            PostError::UnknownAccount { .. } => "unknown-account",
            PostError::ClosedAccount { .. } => "closed-account",
            PostError::OtherCurrency { .. } => "other-currency",
            PostError::Count { .. } | PostError::Size { .. } => "batch-too-large",
            PostError::Key => "invalid-idempotency-key",
            PostError::KeyReused => "idempotency-key-reused",
            PostError::NotFound(_) => "not-found",
            PostError::Reversed(_) => "already-reversed",
            PostError::Automatic(_) => "automatic-entry",
            PostError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            PostError::Invalid { prefix, error } => Some(format!("{prefix}{}", error.pointer())),
            PostError::UnknownAccount { pointer, .. }
            | PostError::ClosedAccount { pointer, .. }
            | PostError::OtherCurrency { pointer, .. } => Some(pointer.clone()),
            PostError::Count { .. } | PostError::Size { .. } => Some("/entries".into()),
            _ => None,
        }
    }
}

/// Why the chart was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no such account.
    #[error("there is no account `{0}`")]
    NotFound(String),
    /// No code of an account.
    #[error("`{0}` is no account code; write one as `assets:bank`, in lower case")]
    Code(String),
    /// Empty, too long, or with control characters.
    #[error("the name must have 1 to 120 characters, none of them a control character")]
    Name,
    /// There is one already that differs.
    #[error("there is an account of this code already; see `GET /v1/ledger/accounts`")]
    Exists,
    /// The chart is full.
    #[error("the chart has its {0} accounts; close what is not needed")]
    Full(usize),
    /// Comanda itself posts to it.
    #[error("payments post to this account, so it cannot be closed")]
    BuiltIn,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for AccountError {
    fn from(error: ReadError) -> AccountError {
        AccountError::Store(error.into())
    }
}

impl Problem for AccountError {
    fn kind(&self) -> Kind {
        match self {
            AccountError::NotFound(_) => Kind::NotFound,
            AccountError::Code(_) | AccountError::Name => Kind::Invalid,
            AccountError::Exists | AccountError::Full(_) | AccountError::BuiltIn => Kind::Conflict,
            AccountError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            AccountError::NotFound(_) => "not-found",
            AccountError::Code(_) | AccountError::Name => "invalid-account",
            AccountError::Exists => "account-exists",
            AccountError::Full(_) => "chart-full",
            AccountError::BuiltIn => "built-in-account",
            AccountError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            AccountError::Code(_) => Some("/code".into()),
            AccountError::Name => Some("/name".into()),
            _ => None,
        }
    }
}

/// Why a report, a day's close or a look into the projection failed.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is no such thing.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// As the caller wrote it, cut.
        id: String,
    },
    /// A date or an instant cannot be used.
    #[error("{0}")]
    Parameter(String),
    /// The day is not over.
    #[error("the day {0} is not over yet; it ends at {1}")]
    NotOver(String, String),
    /// The consolidation is stopped or behind.
    #[error("{0}")]
    Behind(&'static str),
    /// More entries than a look at one instant can read in its time, in seconds.
    #[error(
        "the entries around that instant cannot be read within {0} seconds; ask for a whole day's statement instead"
    )]
    TooMany(u64),
    /// The sums do not fit.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReadError> for ReportError {
    fn from(error: ReadError) -> ReportError {
        match error {
            ReadError::Invalid(_) => {
                ReportError::Parameter("the cursor is not one of this list; start without it".into())
            }
            other => ReportError::Store(other.into()),
        }
    }
}

impl From<CommitError> for ReportError {
    fn from(error: CommitError) -> ReportError {
        ReportError::Store(error.into())
    }
}

impl Problem for ReportError {
    fn kind(&self) -> Kind {
        match self {
            ReportError::NotFound { .. } => Kind::NotFound,
            ReportError::Parameter(_) => Kind::Invalid,
            ReportError::NotOver(..) | ReportError::Behind(_) | ReportError::TooMany(_) => Kind::Conflict,
            ReportError::Overflow(_) => Kind::Internal,
            ReportError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            ReportError::NotFound { .. } => "not-found",
            ReportError::Parameter(_) => "invalid-parameter",
            ReportError::NotOver(..) => "day-not-over",
            ReportError::Behind(_) => "projection-behind",
            ReportError::TooMany(_) => "too-many-entries",
            ReportError::Overflow(_) => "internal",
            ReportError::Store(error) => error.code(),
        }
    }
}
