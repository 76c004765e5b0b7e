//! The children of distributed Maps as executions of their own: how their histories begin and end, and how the limits of
//! their run change.

use super::Machine;
use super::fork::{at_once, tolerable};
use super::run::Run;
use super::thread::{ChildId, Phase, Thread};
use crate::data;
use crate::definition::Kind;
use crate::event::{Applied, MapRunUpdate, Outcome};
use crate::history::Details;
use crate::map_runs::{MapRunChange, RunStatus};

impl Run<'_> {
    /// A thread begins the history of a child.
    pub(super) fn child_begins(&mut self, thread: &mut Thread, run: u32, index: usize) {
        let id: ChildId = (run, u32::try_from(index).unwrap_or(u32::MAX));
        thread.child = Some(id);
        self.tell(run, || MapRunChange::ChildStarted(id.1, thread.input.clone()));
        let role_arn = std::sync::Arc::clone(&self.machine.info);
        self.event_in(Some(id), 0, "ExecutionStarted", || Details::ExecutionStarted {
            input: data::text(&thread.input),
            role_arn: role_arn.role_arn.clone(),
        });
    }

    /// A child goes on after a redrive of the execution.
    pub(super) fn child_again(&mut self, thread: &mut Thread) {
        let Some(id) = thread.child else { return };
        self.tell(id.0, || MapRunChange::ChildStarted(id.1, thread.input.clone()));
        let previous = self.machine.children.get(&id).copied().unwrap_or(0);
        let count = self.machine.info.redrive_count;
        thread.last_event =
            self.event_in(Some(id), previous, "ExecutionRedriven", || Details::Redriven { count, map_run: None });
    }

    /// A child has ended.
    pub(super) fn child_ends(&mut self, thread: &Thread, outcome: &Outcome) {
        let Some(id) = thread.child else { return };
        let ended = |error: &Option<String>, cause: &Option<String>| Details::ExecutionEnded {
            error: error.clone(),
            cause: cause.clone(),
        };
        match outcome {
            Outcome::Succeeded { output } => {
                self.event_in(Some(id), thread.last_event, "ExecutionSucceeded", || Details::ExecutionSucceeded {
                    output: data::text(output),
                });
                // It is not redriven, so nothing follows.
                self.machine.children.remove(&id);
            }
            Outcome::Failed { error, cause } => {
                self.event_in(Some(id), thread.last_event, "ExecutionFailed", || ended(error, cause));
            }
            Outcome::TimedOut { error, cause } => {
                self.event_in(Some(id), thread.last_event, "ExecutionTimedOut", || ended(error, cause));
            }
            Outcome::Aborted { error, cause } => {
                let last = self.machine.children.get(&id).copied().unwrap_or(0);
                self.event_in(Some(id), last, "ExecutionAborted", || ended(error, cause));
            }
        }
        self.tell(id.0, || MapRunChange::ChildEnded(id.1, outcome.clone()));
    }

    /// The execution ends: so do the runs under way, and their children.
    pub(super) fn end_map_runs(&mut self) {
        let threads = std::mem::take(&mut self.machine.threads);
        for thread in threads.iter().flatten() {
            let around = thread.parent.and_then(|slot| threads.get(slot)).and_then(Option::as_ref);
            if thread.child.is_some() && around.is_none_or(|around| around.child != thread.child) {
                self.child_ends(thread, &Outcome::Aborted { error: None, cause: None });
            }
            if let Some(run) = Machine::run_of(thread) {
                self.tell(run, || MapRunChange::Ended(RunStatus::Aborted));
            }
        }
        self.machine.threads = threads;
    }

    /// Sets limits of a run under way.
    pub(super) fn map_run_updated(&mut self, run: u32, update: &MapRunUpdate) -> Applied {
        let found = self.machine.threads.iter().position(|thread| {
            thread
                .as_ref()
                .is_some_and(|thread| matches!(thread.phase, Phase::Forked(_)) && Machine::run_of(thread) == Some(run))
        });
        let Some((slot, mut thread)) = found.and_then(|slot| Some((slot, self.machine.take(slot)?))) else {
            return Applied::Stale;
        };
        let state = self.definition.state(thread.scope, thread.state);
        let (Some(state), Phase::Forked(fork)) = (state, &mut thread.phase) else {
            self.machine.put(slot, thread);
            return Applied::Stale;
        };
        let Kind::Map(map) = &state.kind else {
            self.machine.put(slot, thread);
            return Applied::Stale;
        };
        let limits = &mut fork.limits;
        limits.max_concurrency = update.max_concurrency.unwrap_or(limits.max_concurrency);
        limits.tolerated_count = update.tolerated_count.or(limits.tolerated_count);
        limits.tolerated_percentage = update.tolerated_percentage.or(limits.tolerated_percentage);
        let limits = *limits;
        fork.limit = at_once(map, limits);
        fork.tolerated = tolerable(limits, fork.results.len());
        self.tell(run, || MapRunChange::Limited(limits));
        let previous = thread.last_event;
        let step = self.start_items(slot, &mut thread, state, map, previous);
        let step = step.unwrap_or_else(|failure| self.failed(slot, &mut thread, state, failure));
        self.run_thread(slot, thread, step);
        self.run_ready();
        Applied::Changed
    }
}

impl Machine {
    /// The run of a distributed Map that a thread waits for.
    fn run_of(thread: &Thread) -> Option<u32> {
        match &thread.phase {
            Phase::Forked(fork) => fork.map_run.as_ref().map(|run| run.number),
            Phase::Asked(asked) => asked.map_run.as_ref().map(|run| run.number),
            _ => None,
        }
    }
}
