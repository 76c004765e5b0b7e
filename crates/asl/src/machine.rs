//! The interpreter: (definition, state, event) -> (state, commands).
//!
//! An execution is a tree of threads. The root runs the flow; a Parallel or Map state forks one thread for each branch or
//! item and waits for them. Every thread is at one state and either runs or is blocked on a task, a timer or its children.

mod child;
mod fork;
mod map_run;
mod redrive;
mod run;
mod settle;
mod task;
mod thread;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::definition::Definition;
use crate::event::{Applied, Command, Event, ExecutionInfo, Moment, Outcome, TaskId, TaskStart, TimerId};
use crate::history::HistorySink;
use run::Run;
pub(crate) use run::{invalid_path, select, text, wait_until, whole};
pub(crate) use settle::{check_assigned, delay_ms, within_limits};
use thread::{ChildId, Slot, Thread};

/// One execution of a flow: plain data, cloned as such.
///
/// Invariant: equal events applied at equal moments to equal machines give equal machines and commands.
#[derive(Debug, Clone)]
pub struct Machine {
    definition: Arc<Definition>,
    info: Arc<ExecutionInfo>,
    started_ms: i64,
    /// The execution's input, kept only if the flow reads it from the context object.
    input: Option<Arc<Value>>,
    threads: Vec<Option<Thread>>,
    free: Vec<Slot>,
    /// Pending tasks by id, which only grows, so that this is sorted.
    tasks: Vec<(TaskId, Slot)>,
    /// Set timers by id, which only grows, so that this is sorted.
    timers: Vec<Timer>,
    next_task: TaskId,
    next_timer: TimerId,
    /// How many pseudo-random numbers were drawn.
    draws: u64,
    /// The id of the last history event, whether or not a sink wanted it.
    last_event: u64,
    /// The last history event of each child of a distributed Map that has not succeeded.
    children: BTreeMap<ChildId, u64>,
    /// Events of all children.
    child_events: u64,
    /// How many runs of distributed Maps there were.
    map_runs: u32,
    /// The sizes of all threads' data and collected results, to bound them together.
    live_bytes: usize,
    started: bool,
    outcome: Option<Outcome>,
    /// Where a redrive goes on.
    resume: Option<Box<redrive::Resume>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Timer {
    id: TimerId,
    at_ms: i64,
    slot: Slot,
    purpose: Purpose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Execution,
    Wait,
    Backoff,
    TaskTimeout(TaskId),
    Heartbeat(TaskId),
}

impl Machine {
    /// An execution that has not started; [`Event::Started`] starts it.
    pub fn new(definition: Arc<Definition>, info: ExecutionInfo) -> Machine {
        Machine {
            definition,
            info: Arc::new(info),
            started_ms: 0,
            input: None,
            threads: Vec::new(),
            free: Vec::new(),
            tasks: Vec::new(),
            timers: Vec::new(),
            next_task: 0,
            next_timer: 0,
            draws: 0,
            last_event: 0,
            children: BTreeMap::new(),
            child_events: 0,
            map_runs: 0,
            live_bytes: 0,
            started: false,
            outcome: None,
            resume: None,
        }
    }

    /// Applies one event and runs on until every thread is blocked or the execution has ended.
    ///
    /// Commands are appended in the order in which they arose. An event about a task or timer that is not pending changes
    /// nothing.
    pub fn apply(
        &mut self,
        event: Event,
        moment: &Moment<'_>,
        commands: &mut Vec<Command>,
        history: &mut dyn HistorySink,
    ) -> Applied {
        if self.outcome.is_some() || self.started == matches!(event, Event::Started { .. }) {
            return Applied::Stale;
        }
        let definition = Arc::clone(&self.definition);
        let wants = history.wants();
        let mut run =
            Run { machine: self, definition: &definition, moment, commands, history, wants, ready: Vec::new() };
        match event {
            Event::Started { input } => run.start(input),
            Event::TaskStarted { task, worker } => return run.task_started(task, worker),
            Event::TaskSubmitted { task, output } => return run.task_submitted(task, &output),
            Event::TaskSucceeded { task, output } => return run.task_succeeded(task, output),
            Event::TaskFailed { task, error, cause } => return run.task_failed(task, error, cause),
            Event::TaskTimedOut { task } => return run.task_timed_out(task, false),
            Event::TaskHeartbeat { task } => return run.task_heartbeat(task),
            Event::TimerFired { timer } => return run.timer_fired(timer),
            Event::MapRunUpdated { run: number, update } => return run.map_run_updated(number, &update),
            Event::Stopped { error, cause } => run.stop(error, cause),
        }
        Applied::Changed
    }

    /// How the execution ended, once it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The flow.
    pub fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// The facts given to [`Machine::new`], and how often and when it was redriven.
    pub fn info(&self) -> &ExecutionInfo {
        &self.info
    }

    /// Whether a task's result is wanted.
    pub fn is_pending(&self, task: TaskId) -> bool {
        self.tasks.binary_search_by_key(&task, |(id, _)| *id).is_ok()
    }

    /// The ids of the tasks whose results are wanted, in ascending order.
    pub fn pending_task_ids(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.tasks.iter().map(|(id, _)| *id)
    }

    /// The pending tasks as they were commanded, to command them again after a crash.
    ///
    /// Only `moment.task_token` is used; the arguments are computed again and are what they were.
    pub fn pending_tasks(&self, moment: &Moment<'_>) -> Vec<TaskStart> {
        self.tasks.iter().filter_map(|(_, slot)| self.task_start_again(*slot, moment)).collect()
    }

    /// The timers that are set: id and milliseconds since 1970.
    pub fn pending_timers(&self) -> impl Iterator<Item = (TimerId, i64)> + '_ {
        self.timers.iter().map(|timer| (timer.id, timer.at_ms))
    }

    /// How many history events there are so far, whether or not a sink wanted them.
    pub fn history_events(&self) -> u64 {
        self.last_event
    }

    /// The names of the states that threads are at now, with branch and item indexes as in [`TaskStart::path`].
    pub fn current_states(&self) -> Vec<String> {
        let slots = self.threads.iter().enumerate().filter(|(_, thread)| thread.is_some());
        slots.map(|(slot, _)| self.path_of(slot)).collect()
    }

    fn thread(&self, slot: Slot) -> Option<&Thread> {
        self.threads.get(slot)?.as_ref()
    }

    fn take(&mut self, slot: Slot) -> Option<Thread> {
        self.threads.get_mut(slot)?.take()
    }

    fn put(&mut self, slot: Slot, thread: Thread) {
        if let Some(place) = self.threads.get_mut(slot) {
            *place = Some(thread);
        }
    }

    fn spawn(&mut self, thread: Thread) -> Slot {
        match self.free.pop() {
            Some(slot) => {
                self.put(slot, thread);
                slot
            }
            None => {
                self.threads.push(Some(thread));
                self.threads.len() - 1
            }
        }
    }

    /// `Each[3]/Charge`: the state of a thread under the forks around it.
    fn path_of(&self, slot: Slot) -> String {
        let Some(thread) = self.thread(slot) else { return String::new() };
        self.path_at(thread)
    }

    fn path_at(&self, thread: &Thread) -> String {
        let name = |thread: &Thread| self.definition.state(thread.scope, thread.state).map(|state| &*state.name);
        let own = name(thread).unwrap_or_default();
        if thread.parent.is_none() {
            return own.into();
        }
        let mut parts = Vec::new();
        let mut at = thread;
        while let Some(parent) = at.parent.and_then(|parent| self.thread(parent)) {
            parts.push(format!("{}[{}]/", name(parent).unwrap_or_default(), at.index));
            at = parent;
        }
        parts.reverse();
        parts.push(own.into());
        parts.concat()
    }
}
