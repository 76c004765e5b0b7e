//! Redriving an execution that did not succeed: what failed or was aborted runs again, what succeeded is kept.
//!
//! When a thread fails for good, its place is remembered; a fork remembers the results that it has and the places of its
//! other children. A redrive sets the threads up again and begins their states anew, without entering them again ("Redriving
//! executions" in AWS's guide).

use std::sync::Arc;

use super::run::{Run, after};
use super::thread::{Fork, Phase, Slot, Thread};
use super::{Machine, Purpose};
use crate::definition::Kind;
use crate::event::{Applied, Command, Moment, Outcome};
use crate::history::{Details, HistorySink};
use crate::map_runs::MapRunChange;

/// Where a thread goes on.
#[derive(Debug, Clone)]
pub(super) struct Resume {
    thread: Thread,
    /// What a fork has reached: itself, and its children that did not succeed.
    fork: Option<Box<(Fork, Children)>>,
}

/// Children by their index.
type Children = Vec<(usize, Resume)>;

impl Resume {
    /// The state that the thread is at, from its beginning.
    pub(super) fn at(thread: &Thread) -> Resume {
        let mut copy = thread.clone();
        copy.phase = Phase::Ready;
        copy.resume = None;
        Resume { thread: copy, fork: None }
    }

    /// Whether the input of every state is still what it was.
    fn is_whole(&self) -> bool {
        !self.thread.spoiled && self.fork.iter().all(|fork| fork.1.iter().all(|(_, child)| child.is_whole()))
    }
}

impl Machine {
    /// Goes on with an execution that failed, timed out or was aborted; see [`Machine::can_redrive`].
    ///
    /// The host journals that and when it did, as it journals events.
    pub fn redrive(
        &mut self,
        moment: &Moment<'_>,
        commands: &mut Vec<Command>,
        history: &mut dyn HistorySink,
    ) -> Applied {
        if !self.can_redrive() {
            return Applied::Stale;
        }
        let Some(resume) = self.resume.take() else { return Applied::Stale };
        let definition = Arc::clone(&self.definition);
        let wants = history.wants();
        let mut run =
            Run { machine: self, definition: &definition, moment, commands, history, wants, ready: Vec::new() };
        run.redrive(*resume);
        Applied::Changed
    }

    /// Whether the execution has ended without success and can go on from there.
    ///
    /// It cannot after its history was full, and not where a state had used up its input when its output failed.
    pub fn can_redrive(&self) -> bool {
        let ended =
            matches!(self.outcome, Some(Outcome::Failed { .. } | Outcome::TimedOut { .. } | Outcome::Aborted { .. }));
        ended && self.resume.as_ref().is_some_and(|resume| resume.is_whole())
    }

    /// Where a thread and all below it would go on.
    fn resume_of(&self, thread: &Thread) -> Resume {
        match &thread.phase {
            Phase::Forked(_) => self.resume_fork(thread, None).unwrap_or_else(|| Resume::at(thread)),
            _ => Resume::at(thread),
        }
    }

    /// Where a fork would go on, of whose children `failed` has just failed.
    fn resume_fork(&self, thread: &Thread, failed: Option<&Thread>) -> Option<Resume> {
        let Phase::Forked(fork) = &thread.phase else { return None };
        let mut children = fork.unsuccessful.clone();
        for (index, slot) in &fork.running {
            children.extend(self.thread(*slot).map(|child| (*index, self.resume_of(child))));
        }
        if let Some(child) = failed {
            let resume = child.resume.as_deref().cloned().unwrap_or_else(|| Resume::at(child));
            children.push((child.index, resume));
        }
        if children.is_empty() {
            return None;
        }
        children.sort_by_key(|(index, _)| *index);
        let mut own = Fork::clone(fork);
        own.running.clear();
        own.unsuccessful.clear();
        own.failed = 0;
        Some(Resume { fork: Some(Box::new((own, children))), ..Resume::at(thread) })
    }
}

impl Run<'_> {
    /// Remembers where a fork would go on, before its other children are aborted.
    pub(super) fn remember_fork(&self, thread: &mut Thread, failed: &Thread) {
        thread.resume = self.machine.resume_fork(thread, Some(failed)).map(Box::new);
    }

    /// Remembers where the execution would go on: all of it, as it stands.
    pub(super) fn remember_all(&mut self) {
        let root = self.machine.threads.iter().flatten().find(|thread| thread.parent.is_none());
        self.machine.resume = root.map(|root| Box::new(self.machine.resume_of(root)));
    }

    fn redrive(&mut self, resume: Resume) {
        let now_ms = self.moment.now_ms;
        let machine = &mut *self.machine;
        machine.outcome = None;
        machine.live_bytes = 0;
        let info = Arc::make_mut(&mut machine.info);
        info.redrive_count += 1;
        info.redriven_ms = Some(now_ms);
        let count = info.redrive_count;
        let previous = machine.last_event;
        let previous = self.event(previous, "ExecutionRedriven", || Details::Redriven { count, map_run: None });
        if let Some(timeout_s) = self.definition.timeout_s {
            self.set_timer(after(now_ms, timeout_s), 0, Purpose::Execution);
        }
        let mut leaves = Vec::new();
        self.restore(resume, None, previous, &mut leaves);
        for slot in leaves {
            if self.machine.outcome.is_some() {
                return;
            }
            let Some(mut thread) = self.machine.take(slot) else { continue };
            let Some(state) = self.definition.state(thread.scope, thread.state) else { continue };
            let step = self.begin(slot, &mut thread, state);
            self.run_thread(slot, thread, step);
        }
        self.run_ready();
    }

    /// Sets up a thread and all below it; `leaves` are those that begin their states.
    fn restore(&mut self, resume: Resume, parent: Option<Slot>, previous: u64, leaves: &mut Vec<Slot>) -> Slot {
        let mut thread = resume.thread;
        let parent_child = parent.and_then(|slot| self.machine.thread(slot)).and_then(|parent| parent.child);
        thread.parent = parent;
        thread.retry_count = 0;
        thread.retries.clear();
        // A child goes on with its own history.
        if parent_child == thread.child {
            thread.last_event = previous;
        } else {
            self.child_again(&mut thread);
        }
        self.machine.live_bytes += thread.size.bytes;
        let Some(fork) = resume.fork else {
            let slot = self.machine.spawn(thread);
            leaves.push(slot);
            return slot;
        };
        let (mut fork, children) = *fork;
        self.machine.live_bytes += fork.size.bytes - 2;
        let state = self.definition.state(thread.scope, thread.state);
        if state.is_some_and(|state| matches!(&state.kind, Kind::Map(map) if map.distributed)) {
            let count = self.machine.info.redrive_count;
            let map_run = fork.map_run.clone();
            let arn = map_run.as_ref().map(|run| run.arn.clone());
            self.note(&mut thread, "MapRunRedriven", || Details::Redriven { count, map_run: arn });
            if let Some(run) = map_run {
                self.tell(run.number, || MapRunChange::Redriven);
            }
        }
        fork.last_done = thread.last_event;
        let previous = thread.last_event;
        let slot = self.machine.spawn(thread);
        for (index, child) in children {
            let child = self.restore(child, Some(slot), previous, leaves);
            fork.running.insert(index, child);
        }
        if let Some(thread) = self.machine.threads.get_mut(slot).and_then(Option::as_mut) {
            thread.phase = Phase::Forked(Box::new(fork));
        }
        slot
    }
}
