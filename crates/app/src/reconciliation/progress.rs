//! How far the reconciliation is, beside what it found.

use store::{Batch, CommitError, Row, Value};

use crate::App;
use crate::error::StoreError;
use crate::records::reconciliation::PROGRESS;

/// How far the reconciliation is.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    revision: i64,
    /// From when on this pass reads the account, in milliseconds since the epoch.
    pub(super) since: i64,
    /// Where it goes on.
    pub(super) cursor: Option<String>,
    /// When the newest line that was read moved money.
    pub(super) newest: i64,
    /// The last entry of the ledger whose line was looked for.
    pub(super) entries_to: i64,
    /// Where the list of what does not fit is looked at again next; `None` at its beginning.
    pub(super) looked_to: Option<String>,
    /// When the last pass that reached the end of the account began.
    pub(super) completed_at: Option<i64>,
    /// Whether the provider did not answer. Not kept.
    pub(super) silent: bool,
}

impl App {
    pub(super) async fn reconciled(&self) -> Result<Progress, StoreError> {
        let row = self.store.get(&PROGRESS, &self.provider.name().into()).await?;
        let int = |column: &str| row.as_ref().and_then(|row| row.int(column));
        let text = |column: &str| row.as_ref().and_then(|row| row.text(column)).map(str::to_owned);
        Ok(Progress {
            revision: int("revision").unwrap_or(0),
            since: int("since").unwrap_or(0),
            cursor: text("cursor"),
            newest: int("newest").unwrap_or(0),
            entries_to: int("entries_to").unwrap_or(0),
            looked_to: text("looked_to"),
            completed_at: int("completed_at"),
            silent: false,
        })
    }

    /// Writes the progress, with what else is in the batch, if nobody else did; answers whether it was.
    pub(super) async fn keep_progress(&self, progress: &mut Progress, mut batch: Batch) -> Result<bool, StoreError> {
        let values = vec![
            Value::Int(progress.revision + 1),
            Value::Int(progress.since),
            Value::from(progress.cursor.as_deref()),
            Value::Int(progress.newest),
            Value::Int(progress.entries_to),
            Value::from(progress.looked_to.as_deref()),
            Value::from(progress.completed_at),
        ];
        let row = Row::new(&PROGRESS, self.provider.name(), values);
        if progress.revision == 0 {
            batch.insert(row);
        } else {
            let set = PROGRESS.columns.iter().zip(row.values()).map(|(column, value)| (column.name, value.clone()));
            let when = Some(("revision", Value::Int(progress.revision)));
            batch.update(&PROGRESS, self.provider.name(), set.collect(), when);
        }
        match self.commit(batch).await {
            Ok(()) => {
                progress.revision += 1;
                Ok(true)
            }
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
