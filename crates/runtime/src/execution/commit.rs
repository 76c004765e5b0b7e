//! What an execution at work commits: the journal's records, a task's changes, timers, the messages that are done with.

use std::time::Duration;

use store::message::MESSAGES;
use store::{Batch, CommitError, MAX_BATCH_OPS, Row, Value};

use super::{Heard, Live, NODE, Stuck, Work, status};
use crate::core::Core;
use crate::journal::{self, Record};
use crate::tables::{EXECUTIONS, JOURNAL};

/// A segment of the journal that is not durable yet is extended up to this size instead of beginning another.
const MAX_SEGMENT_BYTES: usize = 16 << 10;
/// What a commit writes beside changes and messages: the execution's row and a segment of its journal.
pub(super) const OWN_OPS: usize = 2;
/// How long to wait before the store is tried again.
const STORE_PAUSE: Duration = Duration::from_millis(100);

impl Core {
    /// Commits the changes of a task with the draft, or as much of the draft as fits one batch: its records always, so
    /// that no change is without its record; messages to delete and timers to set may follow. Waits while the store is
    /// unavailable.
    ///
    /// # Errors
    /// A conflict, or changes that break a limit; the draft is as it was.
    pub(super) async fn try_commit(&self, work: &mut Work, changes: &Batch) -> Result<(), CommitError> {
        loop {
            let live = &work.live;
            let mut batch = changes.clone();
            // The message that started the execution is the first: it goes with the first record.
            let room = MAX_BATCH_OPS.saturating_sub(changes.len() + work.draft.ends.len() + OWN_OPS);
            let done = work.draft.done.len().min(room);
            let timers = work.draft.timers.len().min(room - done);
            let stops = work.draft.stops.len().min(room - done - timers);
            for message in work.draft.ends.iter().chain(work.draft.stops.iter().take(stops)) {
                batch.send(message.clone());
            }
            for message in work.draft.done.iter().take(done) {
                batch.delete(&MESSAGES, *message);
            }
            let mut records = work.draft.records.clone();
            for (timer, message) in work.draft.timers.iter().take(timers) {
                journal::write(&Record::Timer { timer: *timer, message: message.id }, &mut records);
                batch.send(message.clone());
            }
            let (segment, text) = match &live.tail {
                _ if records.is_empty() => (live.segments - 1, None),
                Some((receipt, tail)) if tail.len() + records.len() <= MAX_SEGMENT_BYTES && !receipt.is_durable() => {
                    (live.segments - 1, Some(format!("{tail}{records}")))
                }
                _ => (live.segments, Some(records)),
            };
            let first = live.row.is_none();
            if let Some(text) = &text {
                batch.put(Row::new(&JOURNAL, (live.id, segment), vec![Value::from(text.as_str())]));
            }
            let rest =
                done < work.draft.done.len() || timers < work.draft.timers.len() || stops < work.draft.stops.len();
            let row = execution_row(live, segment + 1, rest || work.is_busy());
            if first {
                // A start that is delivered twice must not begin anew.
                batch.insert(row.clone());
            } else if live.row.as_ref() != Some(&row) {
                batch.put(row.clone());
            }
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    for reply in work.replies.drain(..) {
                        // An error means that nobody waits any more.
                        let _ = reply.send(Heard::Changed(receipt.clone()));
                    }
                    if let Some(text) = text {
                        work.live.tail = Some((receipt, text));
                    }
                    work.live.segments = segment + 1;
                    work.live.row = Some(row);
                    work.draft.records.clear();
                    work.draft.done.drain(..done);
                    work.draft.timers.drain(..timers);
                    work.draft.stops.drain(..stops);
                    work.draft.ends.clear();
                    if work.draft.done.is_empty() {
                        work.mailbox.taken.lock().clear();
                    }
                    return Ok(());
                }
                Err(CommitError::Unavailable(e)) => {
                    tracing::debug!(execution = work.live.id, error = %e, "waiting for the store");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Commits the draft, if there is anything in it or the execution's row is not as it should be.
    ///
    /// # Errors
    /// It was refused: then the machine is ahead of its journal and must be given up.
    pub(super) async fn commit_draft(&self, work: &mut Work) -> Result<(), Stuck> {
        loop {
            let owned = work.live.row.as_ref().is_some_and(|row| row.int("owner").is_some());
            if work.draft.is_empty() && owned == work.is_busy() {
                return Ok(());
            }
            self.try_commit(work, &Batch::new()).await?;
        }
    }
}

fn execution_row(live: &Live, segments: i64, busy: bool) -> Row {
    let status = status(live.machine.outcome());
    let values: Vec<Value> = vec![
        live.flow.id.into(),
        live.name.as_str().into(),
        status.into(),
        live.started_at.into(),
        live.stopped_at.into(),
        segments.into(),
        busy.then_some(NODE).into(),
        Some(live.machine.info().redrive_count).filter(|count| *count > 0).map(i64::from).into(),
        live.machine.info().redriven_ms.into(),
        live.on_end.as_ref().and_then(|on_end| serde_json::to_string(on_end).ok()).into(),
    ];
    Row::new(&EXECUTIONS, live.id, values)
}
