//! Threads: where one line of execution stands.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::redrive::Resume;
use crate::data::Size;
use crate::event::{TaskId, TaskStart, TimerId};
use crate::items::Ended;
use crate::map_runs::Limits;
use crate::variables::Variables;

/// A place in the list of threads.
pub(super) type Slot = usize;

/// A child execution: the n-th run of a distributed Map in the execution, and the n-th child of the run.
pub(super) type ChildId = (u32, u32);

/// One line of execution.
#[derive(Debug, Clone)]
pub(super) struct Thread {
    pub(super) scope: usize,
    pub(super) state: usize,
    /// The thread that forked this one.
    pub(super) parent: Option<Slot>,
    /// Which branch or item of the parent this is.
    pub(super) index: usize,
    /// The input of the state, as it came.
    pub(super) input: Value,
    /// At most how large the input is; once the thread has ended, its output.
    pub(super) size: Size,
    pub(super) phase: Phase,
    pub(super) variables: Variables,
    /// The item of the nearest Map around, if the flow reads it.
    pub(super) item: Option<Arc<Item>>,
    pub(super) entered_ms: i64,
    pub(super) entered_event: u64,
    /// The event that the entering followed.
    pub(super) before_event: u64,
    /// The event that the next one of this thread follows.
    pub(super) last_event: u64,
    /// Retries of the state so far, in all and by retrier.
    pub(super) retry_count: u32,
    pub(super) retries: Vec<u32>,
    /// The child of a distributed Map that it belongs to, which has a history of its own.
    pub(super) child: Option<ChildId>,
    /// Where a redrive goes on below this thread, which has failed.
    pub(super) resume: Option<Box<Resume>>,
    /// The state has used up its input.
    pub(super) spoiled: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// About to run, or running.
    Ready,
    Waiting(TimerId),
    BackingOff(TimerId),
    Task(Attempt),
    Forked(Box<Fork>),
    /// The host reads the items of a Map, or writes its results.
    Asked(Box<Asked>),
}

/// A task of a Map itself.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) start: TaskStart,
    /// The Map's output, once its results are written.
    pub(super) output: Option<Value>,
    /// The run whose items are being read, or whose results are being written.
    pub(super) map_run: Option<MapRunRef>,
}

/// A run of a distributed Map.
#[derive(Debug, Clone)]
pub(super) struct MapRunRef {
    pub(super) number: u32,
    pub(super) arn: String,
}

/// An attempt of a task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) task: TaskId,
    /// When its arguments were computed, to compute the same ones again.
    pub(super) at_ms: i64,
    pub(super) timeout: Option<TimerId>,
    pub(super) heartbeat: Option<TimerId>,
    pub(super) deadline_ms: Option<i64>,
    pub(super) heartbeat_s: Option<u64>,
    /// How many numbers had been drawn before, to compute the same arguments again.
    pub(super) draws: u64,
    pub(super) started: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) index: usize,
    pub(super) value: Value,
}

/// The children of a Parallel or Map state.
#[derive(Debug, Clone)]
pub(super) struct Fork {
    /// Running children by index.
    pub(super) running: BTreeMap<usize, Slot>,
    pub(super) results: Vec<Option<Value>>,
    /// At most how large the results are together.
    pub(super) size: Size,
    /// Items that have not started.
    pub(super) waiting: std::vec::IntoIter<Value>,
    /// The index of the next item to start.
    pub(super) next: usize,
    pub(super) limit: usize,
    /// The event that a success follows.
    pub(super) last_done: u64,
    /// Failed items of a distributed Map, and how many are tolerated.
    pub(super) failed: usize,
    pub(super) tolerated: usize,
    /// The limits of a distributed Map, from which those of the fork are computed.
    pub(super) limits: Limits,
    /// The run of a distributed Map.
    pub(super) map_run: Option<MapRunRef>,
    /// How items ended, if results are exported; while they run, with what they were given.
    pub(super) ended: BTreeMap<usize, Ended>,
    /// Items whose failure was tolerated, for a redrive.
    pub(super) unsuccessful: Vec<(usize, Resume)>,
}

impl Thread {
    /// A thread at the start of a scope.
    pub(super) fn new(scope: usize, state: usize, input: Value, size: Size) -> Thread {
        Thread {
            scope,
            state,
            parent: None,
            index: 0,
            input,
            size,
            phase: Phase::Ready,
            variables: Variables::default(),
            item: None,
            entered_ms: 0,
            entered_event: 0,
            before_event: 0,
            last_event: 0,
            retry_count: 0,
            retries: Vec::new(),
            child: None,
            resume: None,
            spoiled: false,
        }
    }

    /// Moves on to another state.
    pub(super) fn go(&mut self, state: usize, input: Value) {
        self.state = state;
        self.input = input;
        self.phase = Phase::Ready;
        self.resume = None;
        self.spoiled = false;
        self.retry_count = 0;
        self.retries.clear();
    }

    pub(super) fn attempt(&self) -> Option<&Attempt> {
        match &self.phase {
            Phase::Task(attempt) => Some(attempt),
            _ => None,
        }
    }
}
