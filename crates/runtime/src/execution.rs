//! One execution at work: what arrives for it is applied to its machine, the tasks it wants are run, and everything is
//! committed: the journal's records, the changes of its functions, its timers, and the deletion of the messages that woke
//! it, together.
//!
//! Invariant: the machine equals the replay of the journal plus the records of the [`Draft`]. When a commit conflicts, the
//! draft is taken back and the machine replayed.

mod apply;
mod commit;
mod live;
mod tasks;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use asl::{Event, Outcome, TaskId, TaskStart, TimerId};
use futures::future::{AbortHandle, Abortable};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use parking_lot::Mutex;
use store::message::{MESSAGES, Message};
use store::{Batch, BoxError, CommitError, MAX_BATCH_OPS, Receipt, clock};
use tokio::sync::{Notify, oneshot};

use crate::core::Core;
use crate::flow::Flow;
use crate::services::{Answer, OnEnd};
use crate::tables::EXECUTIONS;
use crate::task::Failure;

pub(crate) use live::Live;
pub(crate) use tasks::{failed, run_call};

/// A draft is committed once its records are larger than this.
const MAX_DRAFT_BYTES: usize = 1 << 20;
/// How long a draft waits for the functions at work, so that most of it goes with their results.
const DRAFT_PATIENCE: Duration = Duration::from_millis(10);
/// How long an execution or the store is left alone before the next attempt.
const PAUSE_MS: i64 = 1_000;
/// The node in `owner`; there is one as long as the store is embedded.
pub(crate) const NODE: i64 = 1;

/// What wakes an execution.
pub(crate) enum Incoming {
    /// It shall start; its id is that of the message.
    Start { flow: Arc<Flow>, name: String, input: serde_json::Value, on_end: Option<OnEnd> },
    /// Something happened.
    Event(Event),
    /// Something happened, and whoever says so wants to know whether it mattered.
    Asked { event: Event, reply: oneshot::Sender<Heard> },
    /// It has failed, and shall go on from there.
    Redrive { token: Option<String>, reply: oneshot::Sender<Heard> },
    /// It was committed by another execution, and begins.
    Begun,
    /// The process was restarted while it was at work.
    Resume,
}

/// What became of an event.
pub(crate) enum Heard {
    /// It is in the journal, durable with this receipt.
    Changed(Receipt),
    /// It changed nothing.
    Stale,
}

/// What has arrived for an execution at work, each with the message that brought it.
#[derive(Default)]
pub(crate) struct Mailbox {
    arrivals: Mutex<VecDeque<(Incoming, Option<i64>)>>,
    /// Messages whose events are applied and not yet committed.
    taken: Mutex<Vec<i64>>,
    notify: Notify,
}

impl Mailbox {
    /// Whether someone wants an ended execution to go on.
    fn redrives(&self) -> bool {
        self.arrivals.lock().iter().any(|(incoming, _)| matches!(incoming, Incoming::Redrive { .. }))
    }
}

/// What is not committed yet.
#[derive(Default, Clone)]
struct Draft {
    records: String,
    /// Messages to delete.
    done: Vec<i64>,
    timers: Vec<(TimerId, Message)>,
    /// Messages that must be in the commit of the records: of the end of the execution.
    ends: Vec<Message>,
    /// Messages that may follow: a restart finds out about them again.
    stops: Vec<Message>,
}

impl Draft {
    /// Notes a message to delete. A timer that is cancelled may have fired by now: then it is the same message again.
    fn finish(&mut self, message: i64) {
        if !self.done.contains(&message) {
            self.done.push(message);
        }
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.done.is_empty()
            && self.timers.is_empty()
            && self.ends.is_empty()
            && self.stops.is_empty()
    }
}

/// A task, how often it was called before because of conflicts, and what became of it.
type Finished = (TaskStart, u32, Result<Answer, Failure>);
type Running = FuturesUnordered<Abortable<Pin<Box<dyn Future<Output = Finished> + Send>>>>;

/// An execution and what it does at the moment.
struct Work {
    live: Live,
    mailbox: Arc<Mailbox>,
    draft: Draft,
    starts: Vec<TaskStart>,
    running: Running,
    aborts: HashMap<TaskId, AbortHandle>,
    /// Tasks that the machine no longer wants. They are ended once that is committed: a conflict may want them back.
    cancelled: Vec<TaskId>,
    /// Whoever waits for the commit of the draft.
    replies: Vec<oneshot::Sender<Heard>>,
}

impl Work {
    fn end_cancelled(&mut self) {
        for task in self.cancelled.drain(..) {
            if let Some(abort) = self.aborts.remove(&task) {
                abort.abort();
            }
        }
    }

    /// Whether something goes on that a restart would have to take up again.
    fn is_busy(&self) -> bool {
        self.live.machine.outcome().is_none() && (!self.running.is_empty() || !self.starts.is_empty())
    }
}

/// Why an execution cannot go on now. It is left as it is and tried again.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error("it could not be read")]
    Read(#[source] BoxError),
    #[error("its journal is damaged: {0}")]
    Damaged(String),
    #[error("its journal was refused")]
    Refused(#[source] CommitError),
    /// It was started before; the second start is a repetition.
    #[error("there is an execution of its id")]
    Exists,
    #[error("the engine panicked; the log tells where")]
    Panicked,
}

impl From<CommitError> for Stuck {
    fn from(error: CommitError) -> Stuck {
        match error {
            CommitError::Conflict { table, .. } if table == EXECUTIONS.name => Stuck::Exists,
            other => Stuck::Refused(other),
        }
    }
}

impl Core {
    /// Puts before an execution what has arrived for it, and sets it to work unless it is at work already.
    pub(crate) fn deliver(self: &Arc<Core>, id: i64, incoming: Incoming, message: Option<i64>) {
        let mut active = self.active.lock();
        if let Some(mailbox) = active.get(&id) {
            mailbox.arrivals.lock().push_back((incoming, message));
            mailbox.notify.notify_one();
            drop(active);
            if let Some(message) = message {
                self.queues.lock().hand_over(message);
            }
            return;
        }
        let mailbox = Arc::new(Mailbox::default());
        mailbox.arrivals.lock().push_back((incoming, message));
        active.insert(id, mailbox.clone());
        drop(active);
        let core = self.clone();
        tokio::spawn(async move { core.run(id, &mailbox).await });
    }

    async fn run(self: Arc<Core>, id: i64, mailbox: &Arc<Mailbox>) {
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let worked = std::panic::AssertUnwindSafe(self.work(id, mailbox)).catch_unwind().await;
        let Err(stuck) = worked.unwrap_or(Err(Stuck::Panicked)) else { return };
        let (arrivals, taken) = {
            let mut active = self.active.lock();
            active.remove(&id);
            (std::mem::take(&mut *mailbox.arrivals.lock()), std::mem::take(&mut *mailbox.taken.lock()))
        };
        let mut messages: VecDeque<i64> =
            taken.into_iter().chain(arrivals.iter().filter_map(|(_, message)| *message)).collect();
        if matches!(stuck, Stuck::Exists) {
            // The first is the repeated start; the others are for the execution that there is.
            self.delete_message(messages.pop_front()).await;
        } else {
            tracing::error!(execution = id, error = ?stuck, "an execution cannot go on; it is tried again");
        }
        let at = clock::now_ms() + PAUSE_MS;
        {
            let mut queues = self.queues.lock();
            for message in messages {
                queues.put_off(message, at);
            }
        }
        self.wake.notify_one();
        let core = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(PAUSE_MS.unsigned_abs())).await;
            // Whatever it was at; for one that is not there or has nothing under way this does nothing.
            core.deliver(id, Incoming::Resume, None);
        });
    }

    async fn delete_message(&self, message: Option<i64>) {
        let Some(message) = message else { return };
        self.commit_until_done(|| {
            let mut batch = Batch::new();
            batch.delete(&MESSAGES, message);
            batch
        })
        .await;
    }

    async fn work(self: &Arc<Core>, id: i64, mailbox: &Arc<Mailbox>) -> Result<(), Stuck> {
        let rested = self.resting.lock().take(id);
        let live = match rested {
            Some(live) => Some(live),
            None => match self.begin(id, mailbox) {
                Some(live) => Some(live),
                None => self.load_live(id).await?,
            },
        };
        let goes_on = |live: &Live| {
            live.machine.outcome().is_none() || live.is_unsettled() || live.owes_stops() || mailbox.redrives()
        };
        let Some(live) = live.filter(goes_on) else {
            return self.discard(id, mailbox).await;
        };
        let mut work = Work {
            live,
            mailbox: mailbox.clone(),
            draft: Draft::default(),
            starts: Vec::new(),
            running: FuturesUnordered::new(),
            aborts: HashMap::new(),
            cancelled: Vec::new(),
            replies: Vec::new(),
        };
        if work.live.is_unsettled() {
            // It ended while it was replayed, so nobody has heard of it yet.
            self.finished.fetch_add(1, Ordering::Relaxed);
            work.draft.ends.extend(work.live.machine.outcome().and_then(|outcome| work.live.end_message(outcome)));
        }
        loop {
            self.take_in(&mut work, mailbox);
            if work.draft.records.len() > MAX_DRAFT_BYTES {
                self.commit_draft(&mut work).await?;
            }
            work.end_cancelled();
            self.start_tasks(&mut work).await?;
            if !work.running.is_empty() {
                tokio::select! {
                    biased;
                    finished = work.running.next() => {
                        if let Some(Ok((start, tries, result))) = finished {
                            self.finish_task(&mut work, start, tries, result).await?;
                        }
                    }
                    () = mailbox.notify.notified() => {}
                    // The timers of a function that takes its time, and of the branches beside it, must be set.
                    () = tokio::time::sleep(DRAFT_PATIENCE), if !work.draft.is_empty() => {
                        self.commit_draft(&mut work).await?;
                    }
                }
                continue;
            }
            if !work.starts.is_empty() {
                continue;
            }
            self.commit_draft(&mut work).await?;
            let mut active = self.active.lock();
            if mailbox.arrivals.lock().is_empty() {
                // In this order, under the lock: whoever wakes it next finds it rested.
                if work.live.machine.outcome().is_none() {
                    // A durable segment is not extended; its text is in the store.
                    work.live.tail = work.live.tail.take().filter(|(receipt, _)| !receipt.is_durable());
                    self.resting.lock().put(work.live, self.config.resting);
                }
                active.remove(&id);
                return Ok(());
            }
        }
    }

    /// What arrives for an execution that has ended, or that never was, is done with.
    async fn discard(&self, id: i64, mailbox: &Mailbox) -> Result<(), Stuck> {
        loop {
            let arrivals: Vec<(Incoming, Option<i64>)> = {
                let mut arrivals = mailbox.arrivals.lock();
                let most = arrivals.len().min(MAX_BATCH_OPS);
                arrivals.drain(..most).collect()
            };
            let messages: Vec<i64> = arrivals.iter().filter_map(|(_, message)| *message).collect();
            for (incoming, _) in arrivals {
                if let Incoming::Asked { reply, .. } | Incoming::Redrive { reply, .. } = incoming {
                    // An error means that nobody waits any more.
                    let _ = reply.send(Heard::Stale);
                }
            }
            if messages.is_empty() {
                let mut active = self.active.lock();
                if mailbox.arrivals.lock().is_empty() {
                    active.remove(&id);
                    return Ok(());
                }
                continue;
            }
            tracing::debug!(execution = id, messages = messages.len(), "late messages for an execution that has ended");
            self.commit_until_done(|| {
                let mut batch = Batch::new();
                for message in &messages {
                    batch.delete(&MESSAGES, *message);
                }
                batch
            })
            .await;
        }
    }
}

/// The status of an execution in the words of the Step Functions API.
pub(crate) fn status(outcome: Option<&Outcome>) -> &'static str {
    match outcome {
        None => "RUNNING",
        Some(Outcome::Succeeded { .. }) => "SUCCEEDED",
        Some(Outcome::Failed { .. }) => "FAILED",
        Some(Outcome::TimedOut { .. }) => "TIMED_OUT",
        Some(Outcome::Aborted { .. }) => "ABORTED",
    }
}
