//! The tasks of an execution at work: called, their results applied and committed with their changes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use asl::{Event, TaskStart, TimerId};
use futures::future::{AbortHandle, Abortable};
use store::{Batch, CommitError, MAX_BATCH_OPS};

use super::apply::{MAX_ITEMS_RECORD_BYTES, MAX_RECORD_BYTES};
use super::commit::OWN_OPS;
use super::{Finished, MAX_DRAFT_BYTES, Stuck, Work};
use crate::core::{Core, MAX_CONFLICTS};
use crate::journal::{self, Record};
use crate::services::{Answer, Call};
use crate::tables::EXECUTIONS;
use crate::task::{Failure, caught};

/// How long a function may take if its state has no shorter timeout: as long as a Lambda function.
const TASK_LIMIT: Duration = Duration::from_secs(900);

impl Core {
    /// Calls the functions that the machine has asked for.
    pub(super) async fn start_tasks(self: &Arc<Core>, work: &mut Work) -> Result<(), Stuck> {
        if work.starts.is_empty() {
            return Ok(());
        }
        let starts = std::mem::take(&mut work.starts);
        let call_of =
            |start: TaskStart| (self.call_of(work.live.id, &work.live.key(), work.live.machine.info(), &start), start);
        let calls: Vec<(Result<Call, Failure>, TaskStart)> = starts.into_iter().map(call_of).collect();
        if calls.iter().any(|(call, _)| call.as_ref().is_ok_and(Call::reaches_out)) {
            work.starts = calls.iter().map(|(_, start)| start.clone()).collect();
            self.commit_draft(work).await?;
            work.starts.clear();
        }
        for (call, start) in calls {
            self.launch(work, start, call, 0);
        }
        Ok(())
    }

    fn launch(self: &Arc<Core>, work: &mut Work, start: TaskStart, call: Result<Call, Failure>, tries: u32) {
        let (abort, registration) = AbortHandle::new_pair();
        work.aborts.insert(start.task, abort);
        let core = self.clone();
        let future: Pin<Box<dyn Future<Output = Finished> + Send>> = Box::pin(async move {
            let result = match call {
                Ok(call) => run_call(&core, call).await,
                Err(failure) => Err(failure),
            };
            (start, tries, result)
        });
        work.running.push(Abortable::new(future, registration));
    }

    /// Applies the result of a task and commits its changes with it.
    pub(super) async fn finish_task(
        self: &Arc<Core>,
        work: &mut Work,
        start: TaskStart,
        tries: u32,
        result: Result<Answer, Failure>,
    ) -> Result<(), Stuck> {
        work.aborts.remove(&start.task);
        let awaited = start.resource.pattern.is_awaited();
        let wanted = if awaited || is_fetched(&start) {
            !work.live.submitted.contains(&start.task)
        } else {
            work.live.machine.is_pending(start.task)
        };
        if !wanted {
            // Nobody waits for it any more: then its changes must not happen either.
            return Ok(());
        }
        let task = start.task;
        let (event, changes, child) = match result {
            Err(failure) => (Some(failed(&start, failure)), Batch::new(), None),
            // A worker fetches it; only then something has happened.
            Ok(answer) if is_fetched(&start) => (None, answer.changes, None),
            Ok(Answer { output, changes, child }) if awaited => {
                (Some(Event::TaskSubmitted { task, output }), changes, child)
            }
            Ok(Answer { output, changes, .. }) => (Some(Event::TaskSucceeded { task, output }), changes, None),
        };
        if changes.is_empty() {
            self.note_result(work, &start, event, child);
            if work.draft.records.len() > MAX_DRAFT_BYTES {
                self.commit_draft(work).await?;
            }
            return Ok(());
        }
        if changes.len() + work.draft.done.len() + work.draft.ends.len() + OWN_OPS >= MAX_BATCH_OPS {
            // No room for the messages that are done with: they and their records go first. The task counts as not yet
            // begun, so that a crash in between repeats it.
            work.starts.push(start.clone());
            self.commit_draft(work).await?;
            work.starts.retain(|other| other.task != start.task);
        }
        let draft = work.draft.clone();
        self.note_result(work, &start, event, child);
        let error = match self.try_commit(work, &changes).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if matches!(&error, CommitError::Conflict { table, .. } if *table == EXECUTIONS.name) {
            return Err(Stuck::Exists);
        }
        let set: Vec<(TimerId, i64)> = draft.timers.iter().map(|(timer, message)| (*timer, message.id)).collect();
        let records = draft.records.clone();
        work.draft = draft;
        work.starts.clear();
        work.cancelled.clear();
        work.live.stopped_at = None;
        self.replay(&mut work.live, &records).await?;
        work.live.timers.extend(set);
        let failure = match error {
            CommitError::Invalid(problem) => Failure::new("States.Runtime", problem),
            _ if tries >= MAX_CONFLICTS => {
                Failure::new("StoreConflict", "its changes conflicted with other writers every time")
            }
            _ => {
                let call = self.call_of(work.live.id, &work.live.key(), work.live.machine.info(), &start);
                self.launch(work, start, call, tries + 1);
                return Ok(());
            }
        };
        self.apply(work, failed(&start, failure));
        Ok(())
    }
}

impl Core {
    /// Applies the result of a task, and notes the execution whose end it waits for.
    fn note_result(&self, work: &mut Work, start: &TaskStart, event: Option<Event>, child: Option<i64>) {
        let Some(event) = event else { return };
        let most_bytes = match start.work {
            asl::Work::ReadItems(_) => MAX_ITEMS_RECORD_BYTES,
            _ => MAX_RECORD_BYTES,
        };
        self.apply_within(work, event, most_bytes);
        if let Some(execution) = child {
            journal::write(&Record::Child { task: start.task, execution }, &mut work.draft.records);
            work.live.children.insert(start.task, execution);
        }
    }
}

/// Runs a call. What reaches out waits until everything applied so far is durable.
pub(crate) async fn run_call(core: &Arc<Core>, call: Call) -> Result<Answer, Failure> {
    if call.reaches_out() {
        core.store.flush().await.map_err(|e| Failure::new("StoreUnavailable", e.to_string()))?;
    }
    match tokio::time::timeout(TASK_LIMIT, caught(call.run(core))).await {
        Ok(result) => result,
        Err(_) => Err(Failure::new("States.Timeout", format!("the function took longer than {TASK_LIMIT:?}"))),
    }
}

/// Whether a worker fetches the task when it likes.
fn is_fetched(start: &TaskStart) -> bool {
    matches!(start.resource.kind, asl::resource::Kind::Activity { .. })
}

pub(crate) fn failed(start: &TaskStart, failure: Failure) -> Event {
    Event::TaskFailed { task: start.task, error: Some(failure.error), cause: Some(failure.cause) }
}
