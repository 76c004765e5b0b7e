//! What happens to an execution at work: applied to its machine, and noted in the draft with what it entails.

use std::sync::atomic::Ordering;

use asl::{Applied, Command, Event, Moment, NoHistory, TaskId, TimerId};
use store::clock;
use store::message::Message;

use super::{Heard, Incoming, MAX_DRAFT_BYTES, Mailbox, Work};
use crate::core::Core;
use crate::dispatch::{TIMERS, Timer};
use crate::journal::{self, Record};
use crate::services::StopExecution;

/// No record of a result is larger than this; the limit of a payload, 262,144 bytes, is the machine's to judge.
pub(super) const MAX_RECORD_BYTES: usize = 1 << 20;
/// The same for the items of a Map, which that limit does not bound.
pub(super) const MAX_ITEMS_RECORD_BYTES: usize = crate::services::MAX_ITEMS_BYTES + (64 << 10);
/// The most arrivals taken in before the next commit.
const MAX_ARRIVALS: usize = 32;

impl Core {
    /// Applies what has arrived.
    pub(super) fn take_in(&self, work: &mut Work, mailbox: &Mailbox) {
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
                Incoming::Begun => {
                    self.started.fetch_add(1, Ordering::Relaxed);
                    self.resume(work);
                }
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
    pub(super) fn resume(&self, work: &mut Work) {
        let id = work.live.id;
        let token = |task: TaskId| self.tokens.mint(id, task);
        let moment = Moment { now_ms: clock::now_ms(), task_token: &token };
        for start in work.live.machine.pending_tasks(&moment) {
            let known = work.aborts.contains_key(&start.task) || work.starts.iter().any(|s| s.task == start.task);
            if !known && !work.live.submitted.contains(&start.task) {
                work.starts.push(start);
            }
        }
        // Whose end no task waits for any more is stopped; to stop what has ended changes nothing.
        let machine = &work.live.machine;
        let over: Vec<TaskId> = work.live.children.keys().copied().filter(|task| !machine.is_pending(*task)).collect();
        for child in over.iter().filter_map(|task| work.live.children.remove(task)) {
            work.draft.stops.push(StopExecution::of_child(child));
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
    pub(super) fn apply(&self, work: &mut Work, event: Event) -> Applied {
        self.apply_within(work, event, MAX_RECORD_BYTES)
    }

    /// The same for an event whose record may be of this size.
    pub(super) fn apply_within(&self, work: &mut Work, event: Event, most_bytes: usize) -> Applied {
        let now_ms = clock::now_ms();
        let before = work.draft.records.len();
        let mut record = Record::Event { at_ms: now_ms, event };
        journal::write(&record, &mut work.draft.records);
        if work.draft.records.len() - before > most_bytes
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
                    if let Some(child) = work.live.children.remove(&task) {
                        work.draft.stops.push(StopExecution::of_child(child));
                    }
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
                    work.draft.ends.extend(work.live.end_message(&outcome));
                    self.finished.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(execution = id, ?outcome, "finished");
                }
            }
        }
    }
}
