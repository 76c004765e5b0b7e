//! Workers report: by the task token, with an answer that tells whether the report was still wanted.

use std::sync::Arc;

use asl::Event;
use serde_json::Value as Json;
use store::{BoxError, Key};

use crate::core::Core;
use crate::tables::EXECUTIONS;
use crate::task::Failure;

/// What a worker reports about its task.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// It is done, with this result.
    Success(Json),
    /// It failed; both parts may be missing.
    Failure {
        /// The error's name.
        error: Option<String>,
        /// Why.
        cause: Option<String>,
    },
    /// The worker is alive.
    Heartbeat,
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Report {
        Report::Failure { error: Some(failure.error), cause: Some(failure.cause) }
    }
}

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The token is not one of this store.
    #[error("the task token is not one of this store")]
    InvalidToken,
    /// There is no such task.
    #[error("there is no such task")]
    DoesNotExist,
    /// Nobody waits for the task any more.
    #[error("nobody waits for the task any more")]
    TimedOut,
    /// The store failed.
    #[error("the store is unavailable")]
    Store(#[source] BoxError),
}

impl Core {
    /// Takes a report. Durable when it returns.
    pub(crate) async fn report(self: &Arc<Core>, token: &str, report: Report) -> Result<(), ReportError> {
        let (execution, task) = self.tokens.open(token).ok_or(ReportError::InvalidToken)?;
        let event = match report {
            Report::Success(output) => Event::TaskSucceeded { task, output },
            Report::Failure { error, cause } => Event::TaskFailed { task, error, cause },
            Report::Heartbeat => Event::TaskHeartbeat { task },
        };
        let row = self.store.get(&EXECUTIONS, &Key::Int(execution)).await;
        if row.map_err(|e| ReportError::Store(e.into()))?.is_none() {
            return Err(ReportError::DoesNotExist);
        }
        match self.tell(execution, event, None).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ReportError::TimedOut),
            Err(e) => Err(ReportError::Store(e)),
        }
    }
}
