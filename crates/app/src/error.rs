//! Errors that several reading use cases share.

use store::{CommitError, ReadError};

use crate::{Kind, Problem};

/// Why something could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is no such thing.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// As the caller wrote it, cut.
        id: String,
    },
    /// The store cannot read now.
    #[error("the store is unavailable; try again")]
    Store(#[from] ReadError),
}

impl FindError {
    pub(crate) fn not_found(what: &'static str, id: &str) -> FindError {
        let id = id.chars().take(64).collect();
        FindError::NotFound { what, id }
    }
}

impl Problem for FindError {
    fn kind(&self) -> Kind {
        match self {
            FindError::NotFound { .. } => Kind::NotFound,
            FindError::Store(_) => Kind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            FindError::NotFound { .. } => "not-found",
            FindError::Store(_) => "store-unavailable",
        }
    }
}

/// Why a list could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Not a cursor of this list.
    #[error("the cursor is not one of this list; start without it")]
    Cursor,
    /// Outside 1 to 200.
    #[error("the limit must be 1 to 200")]
    Limit,
    /// The store cannot read now.
    #[error("the store is unavailable; try again")]
    Store(#[source] ReadError),
}

impl From<ReadError> for ListError {
    fn from(error: ReadError) -> ListError {
        match error {
            ReadError::Invalid(_) => ListError::Cursor,
            other => ListError::Store(other),
        }
    }
}

impl Problem for ListError {
    fn kind(&self) -> Kind {
        match self {
            ListError::Cursor | ListError::Limit => Kind::Invalid,
            ListError::Store(_) => Kind::Unavailable,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            ListError::Cursor => "invalid-cursor",
            ListError::Limit => "invalid-limit",
            ListError::Store(_) => "store-unavailable",
        }
    }

    fn pointer(&self) -> Option<String> {
        None
    }
}

/// A failure of the store underneath a use case that changes something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot read or write now.
    #[error("the store is unavailable; try again")]
    Unavailable(#[source] store::BoxError),
    /// Others kept changing the same thing.
    #[error("others keep changing the same thing; try again")]
    Busy,
    /// A mistake in the program.
    #[error("internal error")]
    Internal(#[source] store::BoxError),
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> StoreError {
        match error {
            ReadError::Unavailable(source) => StoreError::Unavailable(source),
            invalid => StoreError::Internal(Box::new(invalid)),
        }
    }
}

impl From<domain::payment::IllegalTransition> for StoreError {
    fn from(error: domain::payment::IllegalTransition) -> StoreError {
        StoreError::Internal(error.into())
    }
}

impl From<CommitError> for StoreError {
    fn from(error: CommitError) -> StoreError {
        match error {
            CommitError::Unavailable(source) => StoreError::Unavailable(source),
            CommitError::Conflict { .. } | CommitError::BelowFloor { .. } => StoreError::Busy,
            invalid @ CommitError::Invalid(_) => StoreError::Internal(Box::new(invalid)),
        }
    }
}

impl StoreError {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            StoreError::Unavailable(_) | StoreError::Busy => Kind::Unavailable,
            StoreError::Internal(_) => Kind::Internal,
        }
    }

    pub(crate) fn code(&self) -> &'static str {
        match self {
            StoreError::Unavailable(_) => "store-unavailable",
            StoreError::Busy => "busy",
            StoreError::Internal(_) => "internal",
        }
    }
}
