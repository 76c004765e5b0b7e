//! Sets messages to work: the clock, the loading of queues, and what is done with one message.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use asl::Event;
use serde::{Deserialize, Serialize};
use store::message::{MESSAGES, START_FLOW, StartFlow, TASK_RESULT, TaskResult};
use store::{Batch, CommitError, Query, Row, Value, clock};

use crate::core::{Core, MAX_CONFLICTS};
use crate::execution::Incoming;
use crate::queue::{Item, Work};
use crate::services::{OnEnd, START_EXECUTION, STOP_EXECUTION, StartExecution, StopExecution};
use crate::task::{Failure, QueueHandler, Received, caught};

/// The queue of timers; the body is a [`Timer`].
pub(crate) const TIMERS: &str = "timers";
/// A message is dead after this many receives.
pub const MAX_RECEIVES: u32 = 3;
/// What a queue's name is followed by in the name of its dead-letter queue.
pub const DEAD: &str = ".dead";
/// The pause before the second receive; doubled before the third.
const FIRST_PAUSE_MS: i64 = 1_000;
/// How long to wait before the store is tried again.
const STORE_PAUSE: Duration = Duration::from_millis(100);
/// No message to an execution is larger than this.
const MAX_BODY_BYTES: usize = 1 << 20;
/// The most characters kept of why a message failed.
const MAX_REASON: usize = 1_000;
/// How long the clock sleeps at most.
const LONGEST_SLEEP_MS: i64 = 1_000;
/// The most messages of one loading.
const MAX_LOAD: usize = 20_000;
const LOAD_PAGE: usize = 500;

/// Which timer of which execution is due.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Timer {
    pub(crate) execution: i64,
    pub(crate) timer: asl::TimerId,
}

/// The queues of the runtime itself, which nobody else may send to.
const OWN_QUEUES: [&str; 6] = [START_FLOW, TASK_RESULT, TIMERS, START_EXECUTION, STOP_EXECUTION, crate::express::QUEUE];

/// Whether a queue is one of the runtime's own, or a dead-letter queue.
pub(crate) fn is_own_queue(name: &str) -> bool {
    OWN_QUEUES.contains(&name) || name.starts_with(crate::activities::QUEUE) || name.ends_with(DEAD)
}

/// Why a message failed, for people.
fn reason(failure: &Failure) -> String {
    failure.to_string().chars().take(MAX_REASON).collect()
}

impl Core {
    /// Sets messages to work. What is for executions is put before them here and now, in the order of the messages.
    pub(crate) fn set_to(self: &Arc<Core>, work: Vec<Work>) {
        for Work { queue, item } in work {
            match self.incoming(&queue, &item) {
                Ok(Some((execution, incoming))) => self.deliver(execution, incoming, Some(item.id)),
                Ok(None) => {
                    let core = self.clone();
                    tokio::spawn(async move { core.consume(&queue, item).await });
                }
                Err(failure) => {
                    let core = self.clone();
                    tokio::spawn(async move { core.bury(&queue, &item, &failure).await });
                }
            }
        }
    }

    /// What a message of the runtime's own queues brings to which execution; `None` for all other queues.
    fn incoming(&self, queue: &str, item: &Item) -> Result<Option<(i64, Incoming)>, Failure> {
        fn parse<'b, T: Deserialize<'b>>(item: &'b Item) -> Result<T, Failure> {
            serde_json::from_str(item.body()).map_err(|e| Failure::new("InvalidMessage", e.to_string()))
        }
        match queue {
            START_FLOW if item.body().len() > MAX_BODY_BYTES => {
                Err(Failure::new("InvalidMessage", "the input is larger than 262,144 bytes"))
            }
            START_FLOW => {
                let start: StartFlow = parse(item)?;
                let flow = self.flows.latest(&start.flow).ok_or_else(|| {
                    let cause = format!("there is no flow `{}`; register it and redrive", start.flow);
                    Failure::new("UnknownFlow", cause)
                })?;
                let on_end = start.tell.map(|queue| OnEnd::Tell { queue });
                Ok(Some((item.id, Incoming::Start { flow, name: start.name, input: start.input, on_end })))
            }
            TASK_RESULT => {
                let result: TaskResult = parse(item)?;
                let cause = "the task token is not one of this store";
                let (execution, task) =
                    self.tokens.open(&result.token).ok_or_else(|| Failure::new("InvalidToken", cause))?;
                let event = match result.output {
                    Some(output) => Event::TaskSucceeded { task, output },
                    None => Event::TaskFailed { task, error: result.error, cause: result.cause },
                };
                Ok(Some((execution, Incoming::Event(event))))
            }
            START_EXECUTION => {
                let StartExecution { execution } = parse(item)?;
                Ok(Some((execution, Incoming::Begun)))
            }
            STOP_EXECUTION => {
                let StopExecution { execution, error, cause } = parse(item)?;
                Ok(Some((execution, Incoming::Event(Event::Stopped { error, cause }))))
            }
            TIMERS => {
                let Timer { execution, timer } = parse(item)?;
                Ok(Some((execution, Incoming::Event(Event::TimerFired { timer }))))
            }
            _ => Ok(None),
        }
    }

    /// Runs until the runtime is dropped: wakes what is due and loads what will be.
    pub(crate) async fn run_clock(self: Arc<Core>) {
        loop {
            // Whatever is set from here on wakes the clock, until it knows how long to sleep.
            self.sleeps_until.store(i64::MAX, Ordering::Relaxed);
            let now_ms = clock::now_ms();
            let (work, next, loads) = {
                let mut queues = self.queues.lock();
                let next = queues.tick(now_ms);
                let loads = queues.begin_loads(now_ms);
                (queues.work(), next, loads)
            };
            self.set_to(work);
            for (queue, from, to) in loads {
                let core = self.clone();
                tokio::spawn(async move { core.load(&queue, from, to).await });
            }
            let until = next.unwrap_or(i64::MAX).min(now_ms + LONGEST_SLEEP_MS);
            self.sleeps_until.store(until, Ordering::Relaxed);
            let pause = u64::try_from(until - clock::now_ms()).unwrap_or(0);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(pause)) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    /// Loads the messages of a queue that become visible after `from` and until `to`.
    async fn load(self: Arc<Core>, queue: &str, from: i64, to: i64) {
        let (rows, mark) = match self.read_messages(queue, from, to).await {
            Ok((rows, None)) => (rows, Some(to)),
            Ok((rows, Some(last))) => (rows, (from > i64::MIN).then_some(last.saturating_sub(1).max(from))),
            Err(e) => {
                tracing::warn!(queue, error = %e, "messages could not be loaded; trying again");
                tokio::time::sleep(Duration::from_millis(LONGEST_SLEEP_MS.unsigned_abs())).await;
                (Vec::new(), (from > i64::MIN).then_some(from))
            }
        };
        let work = {
            let mut queues = self.queues.lock();
            queues.loaded(queue, rows, mark, clock::now_ms());
            queues.work()
        };
        self.wake.notify_one();
        if queue.starts_with(crate::activities::QUEUE) {
            self.fetchers.notify_waiters();
        }
        self.set_to(work);
    }

    /// The messages; and if these are not all, when the last of them becomes visible.
    async fn read_messages(&self, queue: &str, from: i64, to: i64) -> Result<(Vec<Row>, Option<i64>), store::BoxError> {
        // A query sees what is durable: what was applied before the load began shall be in it.
        self.store.flush().await?;
        let lower = if from == i64::MIN { Bound::Unbounded } else { Bound::Excluded(Value::Int(from)) };
        let query =
            Query::index(&MESSAGES, "by_queue", queue).range(lower, Bound::Included(Value::Int(to))).limit(LOAD_PAGE);
        let mut rows = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.query(query.clone().after(after)).await?;
            let last = page.rows.last().and_then(|row| row.int("visible_at"));
            for row in page.rows {
                let known = row.key().int().is_some_and(|id| self.queues.lock().knows(id));
                // It may have been handled, moved or put off since it became durable.
                if !known
                    && let Some(now) = self.store.get(&MESSAGES, row.key()).await?
                    && now.text("queue") == Some(queue)
                {
                    rows.push(now);
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok((rows, None));
            }
            if rows.len() >= MAX_LOAD {
                return Ok((rows, last));
            }
        }
    }

    async fn consume(self: &Arc<Core>, queue: &str, item: Item) {
        let Some(consumer) = self.consumers.get(queue).cloned() else {
            return self.queues.lock().put_off(item.id, clock::now_ms() + FIRST_PAUSE_MS);
        };
        if item.receives() >= MAX_RECEIVES {
            // It was received so often and never came back: it may have ended the process each time.
            let cause = "its last receive was never answered";
            return self.bury(queue, &item, &Failure::new("NeverAnswered", cause)).await;
        }
        let receives = item.receives().saturating_add(1);
        // The receive is counted before the handling, so that a message that kills the process is dead after three.
        let Some(item) = self.change_message(&item, &[("receives", i64::from(receives).into())]).await else { return };
        let failure = match self.handle_message(&item, receives, &*consumer).await {
            Ok(()) => return,
            Err(failure) => failure,
        };
        tracing::warn!(queue, message = item.id, receives, error = failure.error, "a message could not be handled");
        if receives >= MAX_RECEIVES {
            return self.bury(queue, &item, &failure).await;
        }
        let at = clock::now_ms() + FIRST_PAUSE_MS * i64::from(receives);
        let set = [("visible_at", at.into()), ("error", reason(&failure).into())];
        if self.change_message(&item, &set).await.is_some() {
            self.queues.lock().put_off(item.id, at);
            self.wake.notify_one();
        }
    }

    async fn handle_message(&self, item: &Item, receives: u32, consumer: &dyn QueueHandler) -> Result<(), Failure> {
        let body = serde_json::from_str(item.body()).map_err(|e| Failure::new("InvalidMessage", e.to_string()))?;
        let mut message = Received { id: item.id, body, receives, now_ms: clock::now_ms() };
        for _ in 0..MAX_CONFLICTS {
            if consumer.reaches_out() || receives > 1 {
                // All that it builds on, what it read anew after a conflict included; and the count of a message that may
                // have ended the process before.
                self.store.flush().await.map_err(|e| Failure::new("StoreUnavailable", e.to_string()))?;
            }
            let limit = consumer.limit();
            let handled = tokio::time::timeout(limit, caught(consumer.handle(message.clone())));
            let mut changes = match handled.await {
                Ok(result) => result?,
                Err(_) => return Err(Failure::new("Timeout", format!("it took longer than {limit:?}"))),
            };
            changes.delete(&MESSAGES, item.id);
            loop {
                match self.store.commit(changes.clone()).await {
                    Ok(_) => return Ok(()),
                    Err(CommitError::Conflict { .. } | CommitError::BelowFloor { .. }) => break,
                    Err(CommitError::Unavailable(_)) => tokio::time::sleep(STORE_PAUSE).await,
                    Err(e @ CommitError::Invalid(_)) => return Err(Failure::new("InvalidChanges", e.to_string())),
                }
            }
            message.now_ms = clock::now_ms();
        }
        Err(Failure::new("Conflict", "its changes conflicted with other writers every time"))
    }

    /// Moves a message to the dead-letter queue of its queue, with the reason.
    async fn bury(self: &Arc<Core>, queue: &str, item: &Item, failure: &Failure) {
        tracing::error!(queue, message = item.id, error = failure.error, "a message is dead");
        let set = [("queue", format!("{queue}{DEAD}").into()), ("error", reason(failure).into())];
        self.change_message(item, &set).await;
    }

    /// Sets columns of a message if it is as it was when it was received; `None` if somebody else deleted, moved or
    /// received it meanwhile: then it is theirs. Waits while the store is unavailable.
    async fn change_message(&self, item: &Item, set: &[(&'static str, Value)]) -> Option<Item> {
        loop {
            let mut batch = Batch::new();
            let when = Some(("receives", item.row.value("receives").clone()));
            batch.update(&MESSAGES, item.id, set.to_vec(), when);
            match self.store.commit(batch).await {
                Ok(_) => return Some(Item { id: item.id, row: item.row.with(set) }),
                Err(CommitError::Unavailable(e)) => tracing::debug!(error = %e, "waiting for the store"),
                Err(e) => {
                    tracing::debug!(message = item.id, error = %e, "a message is somebody else's now");
                    self.queues.lock().forget(item.id);
                    return None;
                }
            }
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }

    /// Commits a batch without conditions, waiting for as long as the store is unavailable.
    pub(crate) async fn commit_until_done(&self, batch: impl Fn() -> Batch) {
        loop {
            match self.store.commit(batch()).await {
                Ok(_) => return,
                Err(e @ CommitError::Unavailable(_)) => tracing::debug!(error = %e, "waiting for the store"),
                Err(e) => return tracing::error!(error = %e, "a batch without conditions was refused"),
            }
            tokio::time::sleep(STORE_PAUSE).await;
        }
    }
}
