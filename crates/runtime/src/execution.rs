//! One execution at work: what arrives for it is applied to its machine, the tasks it wants are run, and everything is
//! committed: the journal's records, the changes of its functions, its timers, and the deletion of the messages that woke
//! it, together.
//!
//! Invariant: the machine equals the replay of the journal plus the records of the [`Draft`]. When a commit conflicts, the
//! draft is taken back and the machine replayed.

mod commit;
mod tasks;

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use asl::{Applied, Command, Event, ExecutionInfo, Machine, Moment, NoHistory, Outcome, TaskId, TaskStart, TimerId};
use futures::future::{AbortHandle, Abortable};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use parking_lot::Mutex;
use store::message::{MESSAGES, Message};
use store::{Batch, BoxError, CommitError, Key, MAX_BATCH_OPS, Receipt, Row, clock};
use tokio::sync::{Notify, oneshot};

use crate::core::Core;
use crate::dispatch::{TIMERS, Timer};
use crate::flow::Flow;
use crate::journal::{self, Record};
use crate::tables::{EXECUTIONS, JOURNAL};
use crate::task::{Failure, TaskAnswer};

pub(crate) use tasks::{MAX_CONFLICTS, failed, run_call};

/// No record of a result is larger than this; the limit of a payload, 262,144 bytes, is the machine's to judge.
const MAX_RECORD_BYTES: usize = 1 << 20;
/// A draft is committed once its records are larger than this.
const MAX_DRAFT_BYTES: usize = 1 << 20;
/// The most arrivals taken in before the next commit.
const MAX_ARRIVALS: usize = 32;
/// How long a draft waits for the functions at work, so that most of it goes with their results.
const DRAFT_PATIENCE: Duration = Duration::from_millis(10);
/// How long an execution or the store is left alone before the next attempt.
const PAUSE_MS: i64 = 1_000;
/// The node in `owner`; there is one as long as the store is embedded.
pub(crate) const NODE: i64 = 1;

/// What wakes an execution.
pub(crate) enum Incoming {
    /// It shall start; its id is that of the message.
    Start { flow: Arc<Flow>, name: String, input: serde_json::Value },
    /// Something happened.
    Event(Event),
    /// Something happened, and whoever says so wants to know whether it mattered.
    Asked { event: Event, reply: oneshot::Sender<Heard> },
    /// It has failed, and shall go on from there.
    Redrive { token: Option<String>, reply: oneshot::Sender<Heard> },
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

/// An execution in memory.
pub(crate) struct Live {
    pub(crate) id: i64,
    flow: Arc<Flow>,
    pub(crate) machine: Machine,
    name: String,
    started_at: i64,
    stopped_at: Option<i64>,
    segments: i64,
    /// The last segment, while it may still be extended.
    tail: Option<(Receipt, String)>,
    /// The messages of the timers that are set.
    timers: HashMap<TimerId, i64>,
    /// Tasks that wait for their token and whose request is done.
    submitted: Vec<TaskId>,
    /// The row as it was last committed.
    row: Option<Row>,
}

impl Live {
    /// What the idempotency keys of its steps begin with. The application gives its executions names of their own; of
    /// those started through the API, two may have the same name under two state machines.
    fn key(&self) -> String {
        match self.flow.role_arn {
            None => self.name.clone(),
            Some(_) => store::id::encode(self.id),
        }
    }

    /// Whether it has ended, and its row does not say so: it was over with its start.
    fn is_unsettled(&self) -> bool {
        let running = |row: &Row| row.text("status") == Some(status(None));
        self.machine.outcome().is_some() && self.row.as_ref().is_some_and(running)
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::TaskSubmitted { task, .. } | Event::TaskStarted { task, .. } => self.submitted.push(*task),
            Event::TimerFired { timer } => drop(self.timers.remove(timer)),
            Event::TaskSucceeded { task, .. } | Event::TaskFailed { task, .. } | Event::TaskTimedOut { task } => {
                self.submitted.retain(|other| other != task);
            }
            _ => {}
        }
    }
}

/// What is not committed yet.
#[derive(Default, Clone)]
struct Draft {
    records: String,
    /// Messages to delete.
    done: Vec<i64>,
    timers: Vec<(TimerId, Message)>,
}

impl Draft {
    /// Notes a message to delete. A timer that is cancelled may have fired by now: then it is the same message again.
    fn finish(&mut self, message: i64) {
        if !self.done.contains(&message) {
            self.done.push(message);
        }
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.done.is_empty() && self.timers.is_empty()
    }
}

/// A task, how often it was called before because of conflicts, and what became of it.
type Finished = (TaskStart, u32, Result<TaskAnswer, Failure>);
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
        let goes_on = |live: &Live| live.machine.outcome().is_none() || live.is_unsettled() || mailbox.redrives();
        let Some(live) = live.filter(goes_on) else {
            return self.discard(id, mailbox).await;
        };
        if live.is_unsettled() {
            self.finished.fetch_add(1, Ordering::Relaxed);
        }
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

    /// A new execution, if that is what has arrived first.
    fn begin(&self, id: i64, mailbox: &Mailbox) -> Option<Live> {
        let arrivals = mailbox.arrivals.lock();
        let Some((Incoming::Start { flow, name, .. }, _)) = arrivals.front() else { return None };
        let machine = Machine::new(flow.definition.clone(), self.info(id, flow, name));
        Some(Live {
            id,
            flow: flow.clone(),
            machine,
            name: name.clone(),
            started_at: clock::now_ms(),
            stopped_at: None,
            segments: 0,
            tail: None,
            timers: HashMap::new(),
            submitted: Vec::new(),
            row: None,
        })
    }

    pub(crate) fn info(&self, id: i64, flow: &Flow, name: &str) -> ExecutionInfo {
        ExecutionInfo {
            id: self.execution_arn(&flow.name, name),
            name: name.to_owned(),
            role_arn: flow.role_arn.clone().unwrap_or_else(|| self.own_role_arn()),
            state_machine_id: self.machine_arn(&flow.name),
            state_machine_name: flow.name.clone(),
            seed: id.unsigned_abs(),
            ..ExecutionInfo::default()
        }
    }

    /// The execution as the journal tells it; `None` if there is none of that id.
    async fn load_live(&self, id: i64) -> Result<Option<Live>, Stuck> {
        let read = |e: store::ReadError| Stuck::Read(e.into());
        let Some(row) = self.store.get(&EXECUTIONS, &Key::Int(id)).await.map_err(read)? else { return Ok(None) };
        let flow_id = row.int("flow_id").unwrap_or_default();
        let flow = self.flows.version(flow_id).await.map_err(|e| Stuck::Read(e.into()))?;
        let flow = flow.ok_or_else(|| Stuck::Damaged(format!("flow version {flow_id} is missing")))?;
        let name = row.text("name").unwrap_or_default().to_owned();
        let machine = Machine::new(flow.definition.clone(), self.info(id, &flow, &name));
        let mut live = Live {
            id,
            flow,
            machine,
            name,
            started_at: row.int("started_at").unwrap_or_default(),
            stopped_at: row.int("stopped_at"),
            segments: row.int("segments").unwrap_or_default(),
            tail: None,
            timers: HashMap::new(),
            submitted: Vec::new(),
            row: Some(row),
        };
        self.replay(&mut live, "").await?;
        Ok(Some(live))
    }

    /// Sets the machine to what the journal and the records of the draft tell.
    async fn replay(&self, live: &mut Live, draft: &str) -> Result<(), Stuck> {
        live.machine = Machine::new(live.flow.definition.clone(), self.info(live.id, &live.flow, &live.name));
        live.timers.clear();
        live.submitted.clear();
        for segment in 0..live.segments {
            let text = self.segment(live.id, segment).await?;
            self.replay_text(live, &text)?;
        }
        self.replay_text(live, draft)
    }

    pub(crate) async fn segment_text(&self, id: i64, segment: i64) -> Result<String, BoxError> {
        let row = self.store.get(&JOURNAL, &Key::Pair(id, segment)).await?;
        let row = row.ok_or_else(|| format!("segment {segment} of the journal is missing"))?;
        Ok(row.text("records").unwrap_or_default().to_owned())
    }

    async fn segment(&self, id: i64, segment: i64) -> Result<String, Stuck> {
        self.segment_text(id, segment).await.map_err(Stuck::Read)
    }

    fn replay_text(&self, live: &mut Live, text: &str) -> Result<(), Stuck> {
        let mut commands = Vec::new();
        for record in journal::read(text).map_err(Stuck::Damaged)? {
            match record {
                Record::Timer { timer, message } => {
                    live.timers.insert(timer, message);
                }
                Record::Redriven { at_ms, .. } => {
                    let token = |task: TaskId| self.tokens.mint(live.id, task);
                    let moment = Moment { now_ms: at_ms, task_token: &token };
                    live.machine.redrive(&moment, &mut commands, &mut NoHistory);
                    commands.clear();
                    live.stopped_at = None;
                }
                Record::Event { at_ms, event } => {
                    live.note(&event);
                    let token = |task: TaskId| self.tokens.mint(live.id, task);
                    let moment = Moment { now_ms: at_ms, task_token: &token };
                    live.machine.apply(event, &moment, &mut commands, &mut NoHistory);
                    commands.clear();
                    if live.machine.outcome().is_some() && live.stopped_at.is_none() {
                        live.stopped_at = Some(at_ms);
                    }
                }
            }
        }
        Ok(())
    }

    /// Applies what has arrived.
    fn take_in(&self, work: &mut Work, mailbox: &Mailbox) {
        for _ in 0..MAX_ARRIVALS {
            if work.draft.records.len() > MAX_DRAFT_BYTES {
                break;
            }
            let Some((incoming, message)) = mailbox.arrivals.lock().pop_front() else { return };
            match incoming {
                Incoming::Start { input, .. } => {
                    self.started.fetch_add(1, Ordering::Relaxed);
                    self.apply(work, Event::Started { input });
                }
                Incoming::Event(event) => drop(self.apply(work, event)),
                Incoming::Asked { event, reply } => match self.apply(work, event) {
                    Applied::Changed => work.replies.push(reply),
                    // An error means that nobody waits any more.
                    Applied::Stale => drop(reply.send(Heard::Stale)),
                },
                Incoming::Redrive { token, reply } => match self.take_up_again(work, token) {
                    Applied::Changed => work.replies.push(reply),
                    // An error means that nobody waits any more.
                    Applied::Stale => drop(reply.send(Heard::Stale)),
                },
                Incoming::Resume => self.resume(work),
            }
            if let Some(message) = message {
                work.draft.finish(message);
                mailbox.taken.lock().push(message);
            }
        }
        // More than fits one commit: come back at once.
        mailbox.notify.notify_one();
    }

    /// Takes up again what was under way when the process ended.
    fn resume(&self, work: &mut Work) {
        let id = work.live.id;
        let token = |task: TaskId| self.tokens.mint(id, task);
        let moment = Moment { now_ms: clock::now_ms(), task_token: &token };
        for start in work.live.machine.pending_tasks(&moment) {
            let known = work.aborts.contains_key(&start.task) || work.starts.iter().any(|s| s.task == start.task);
            if !known && !work.live.submitted.contains(&start.task) {
                work.starts.push(start);
            }
        }
        let unset: Vec<(TimerId, i64)> =
            work.live.machine.pending_timers().filter(|(timer, _)| !work.live.timers.contains_key(timer)).collect();
        for (timer, at_ms) in unset {
            self.set_timer(work, timer, at_ms);
        }
    }

    fn set_timer(&self, work: &mut Work, timer: TimerId, at_ms: i64) {
        let message = Message::new(TIMERS, &Timer { execution: work.live.id, timer }).at(at_ms.max(1));
        work.live.timers.insert(timer, message.id);
        work.draft.timers.push((timer, message));
    }

    /// Applies an event to the machine and notes it in the draft, with what it entails.
    fn apply(&self, work: &mut Work, event: Event) -> Applied {
        let now_ms = clock::now_ms();
        let before = work.draft.records.len();
        let mut record = Record::Event { at_ms: now_ms, event };
        journal::write(&record, &mut work.draft.records);
        if work.draft.records.len() - before > MAX_RECORD_BYTES
            && let Record::Event {
                event: Event::TaskSucceeded { task, .. } | Event::TaskSubmitted { task, .. }, ..
            } = record
        {
            // Far beyond what a payload may be: the journal gets the failure that it is, not the value.
            let cause = "The result is larger than the service limit of 262144 bytes.";
            let (error, cause) = (Some("States.DataLimitExceeded".to_owned()), Some(cause.to_owned()));
            record = Record::Event { at_ms: now_ms, event: Event::TaskFailed { task, error, cause } };
            work.draft.records.truncate(before);
            journal::write(&record, &mut work.draft.records);
        }
        let Record::Event { event, .. } = record else { return Applied::Stale };
        let mut commands = Vec::new();
        work.live.note(&event);
        let id = work.live.id;
        let token = |task: TaskId| self.tokens.mint(id, task);
        let moment = Moment { now_ms, task_token: &token };
        if work.live.machine.apply(event, &moment, &mut commands, &mut NoHistory) == Applied::Stale {
            work.draft.records.truncate(before);
            return Applied::Stale;
        }
        self.carry_out(work, commands, now_ms);
        Applied::Changed
    }

    /// Lets a failed execution go on, and notes it in the draft.
    fn take_up_again(&self, work: &mut Work, client_token: Option<String>) -> Applied {
        let now_ms = clock::now_ms();
        let mut commands = Vec::new();
        let id = work.live.id;
        let token = |task: TaskId| self.tokens.mint(id, task);
        let moment = Moment { now_ms, task_token: &token };
        if work.live.machine.redrive(&moment, &mut commands, &mut NoHistory) == Applied::Stale {
            return Applied::Stale;
        }
        let record = Record::Redriven { at_ms: now_ms, token: client_token };
        journal::write(&record, &mut work.draft.records);
        work.live.stopped_at = None;
        self.carry_out(work, commands, now_ms);
        Applied::Changed
    }

    /// Notes what the machine wants done.
    fn carry_out(&self, work: &mut Work, commands: Vec<Command>, now_ms: i64) {
        let id = work.live.id;
        for command in commands {
            match command {
                Command::StartTask(start) => work.starts.push(start),
                Command::CancelTask { task } => {
                    work.starts.retain(|start| start.task != task);
                    work.cancelled.push(task);
                }
                Command::SetTimer { timer, at_ms } => self.set_timer(work, timer, at_ms),
                Command::CancelTimer { timer } => {
                    let set = work.draft.timers.iter().position(|(other, _)| *other == timer);
                    match (work.live.timers.remove(&timer), set) {
                        (_, Some(at)) => drop(work.draft.timers.remove(at)),
                        (Some(message), None) => work.draft.finish(message),
                        (None, None) => {}
                    }
                }
                Command::Finish(outcome) => {
                    work.live.stopped_at = Some(now_ms);
                    self.finished.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(execution = id, ?outcome, "finished");
                }
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
