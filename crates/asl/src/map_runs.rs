//! The runs of distributed Maps and their child executions, derived from the journal on reading like the history.
//!
//! The names of runs and children say where they are: the seed of the execution, which run of it, and which child.

use std::sync::Arc;

use serde_json::Value;

use crate::event::Outcome;
use crate::history::{HistoryEvent, HistorySink};

/// A run of a distributed Map in an execution, or one of its child executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId {
    /// The seed of the execution; see [`crate::ExecutionInfo::seed`].
    pub seed: u64,
    /// The n-th run of the execution.
    pub run: u32,
    /// The n-th child of the run; `None` for the run itself.
    pub child: Option<u32>,
}

/// The most runs of one execution that have names of their own.
const RUN_BITS: u32 = 26;

impl RunId {
    /// A UUID (RFC 9562, version 8).
    pub fn encode(self) -> String {
        let run = u128::from(self.run & ((1 << RUN_BITS) - 1));
        let bits = u128::from(self.seed) << 58 | run << 32 | u128::from(self.child.unwrap_or(u32::MAX));
        let (high, middle, low) = (bits >> 74, (bits >> 62) & 0xFFF, bits & ((1 << 62) - 1));
        let uuid = high << 80 | 8 << 76 | middle << 64 | 0b10 << 62 | low;
        let text = format!("{uuid:032x}");
        let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
    }

    /// What [`RunId::encode`] made; `None` for any other text.
    pub fn decode(text: &str) -> Option<RunId> {
        let digits: String = text.split('-').collect();
        let uuid = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
        let bits = (uuid >> 80) << 74 | ((uuid >> 64) & 0xFFF) << 62 | uuid & ((1 << 62) - 1);
        let (seed, run, child) = (bits >> 58, bits >> 32 & ((1 << RUN_BITS) - 1), bits & u128::from(u32::MAX));
        let child = u32::try_from(child).ok().filter(|child| *child != u32::MAX);
        let id = RunId { seed: u64::try_from(seed).ok()?, run: u32::try_from(run).ok()?, child };
        (id.encode() == text).then_some(id)
    }

    /// The run or child that an ARN ends with.
    pub fn of_arn(arn: &str) -> Option<RunId> {
        RunId::decode(arn.rsplit(':').next()?)
    }
}

/// How much of a run may happen at once, and how much may fail.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Children that run at once; 0 is as many as the engine takes.
    pub max_concurrency: u64,
    /// Failed items that are tolerated, in percent of all.
    pub tolerated_percentage: Option<f64>,
    /// Failed items that are tolerated.
    pub tolerated_count: Option<f64>,
}

/// Something that happens in a run, for a [`HistorySink`].
#[derive(Debug, Clone, PartialEq)]
pub struct MapRunEvent {
    /// The n-th run of the execution.
    pub run: u32,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// What happens.
    pub change: MapRunChange,
}

/// See [`MapRunEvent`].
#[derive(Debug, Clone, PartialEq)]
pub enum MapRunChange {
    /// The run begins.
    Started {
        /// Its ARN.
        arn: String,
        /// The Map state.
        state: Arc<str>,
        /// Whether the children are Express executions.
        express: bool,
    },
    /// Its items are known: how many each child gets.
    Sized(Vec<usize>),
    /// Its limits are these from now on.
    Limited(Limits),
    /// A child begins, with this input.
    ChildStarted(u32, Value),
    /// An event of a child's own history.
    ChildEvent(u32, HistoryEvent),
    /// A child has ended.
    ChildEnded(u32, Outcome),
    /// The results are written.
    Written,
    /// The execution was redriven, and the run goes on.
    Redriven,
    /// The run has ended.
    Ended(RunStatus),
}

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunStatus {
    /// It goes on.
    #[default]
    Running,
    /// All its items are done, or as many as must be.
    Succeeded,
    /// Too many items failed, or they could not be read or written.
    Failed,
    /// The execution ended before it.
    Aborted,
}

impl RunStatus {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            RunStatus::Running => "RUNNING",
            RunStatus::Succeeded => "SUCCEEDED",
            RunStatus::Failed => "FAILED",
            RunStatus::Aborted => "ABORTED",
        }
    }
}

/// Counts of items, or of child executions, by how they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Not started.
    pub pending: usize,
    /// Under way.
    pub running: usize,
    /// Done.
    pub succeeded: usize,
    /// Failed.
    pub failed: usize,
    /// Out of time.
    pub timed_out: usize,
    /// Stopped.
    pub aborted: usize,
    /// All of these.
    pub total: usize,
    /// Ended ones whose results are written.
    pub results_written: usize,
}

/// A child execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    /// The n-th of its run.
    pub index: u32,
    /// Milliseconds since 1970.
    pub started_ms: i64,
    /// Milliseconds since 1970.
    pub stopped_ms: Option<i64>,
    /// Its input.
    pub input: Value,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The items in it.
    pub items: usize,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MapRun {
    /// Its ARN.
    pub arn: String,
    /// The Map state.
    pub state: Arc<str>,
    /// Whether the children are Express executions.
    pub express: bool,
    /// How it stands.
    pub status: RunStatus,
    /// Milliseconds since 1970.
    pub started_ms: i64,
    /// Milliseconds since 1970.
    pub stopped_ms: Option<i64>,
    /// What is in force.
    pub limits: Limits,
    /// How often it was redriven.
    pub redrives: u32,
    /// When it was redriven last, in milliseconds since 1970.
    pub redriven_ms: Option<i64>,
    /// Its children that have started, by index.
    pub children: Vec<Child>,
    sizes: Vec<usize>,
    written: bool,
}

impl MapRun {
    /// The ARN of one of its children.
    pub fn child_arn(&self, index: u32) -> String {
        child_arn(&self.arn, index)
    }

    /// Counts of items.
    pub fn item_counts(&self) -> Counts {
        self.counts(|size| size)
    }

    /// Counts of child executions.
    pub fn execution_counts(&self) -> Counts {
        self.counts(|_| 1)
    }

    fn counts(&self, weigh: impl Fn(usize) -> usize) -> Counts {
        let mut counts = Counts { total: self.sizes.iter().map(|size| weigh(*size)).sum(), ..Counts::default() };
        for child in &self.children {
            let place = match child.outcome {
                None => &mut counts.running,
                Some(Outcome::Succeeded { .. }) => &mut counts.succeeded,
                Some(Outcome::Failed { .. }) => &mut counts.failed,
                Some(Outcome::TimedOut { .. }) => &mut counts.timed_out,
                Some(Outcome::Aborted { .. }) => &mut counts.aborted,
            };
            *place += weigh(child.items);
        }
        let started: usize = self.children.iter().map(|child| weigh(child.items)).sum();
        let waiting = counts.total.saturating_sub(started);
        match self.status {
            RunStatus::Running => counts.pending = waiting,
            // What had not begun when the run ended never will.
            _ => counts.aborted += waiting,
        }
        if self.written {
            counts.results_written = counts.total;
        }
        counts
    }

    fn child(&mut self, index: u32) -> Option<&mut Child> {
        let at = self.children.binary_search_by_key(&index, |child| child.index).ok()?;
        self.children.get_mut(at)
    }

    fn note(&mut self, at_ms: i64, change: MapRunChange) {
        match change {
            MapRunChange::Started { arn, state, express } => {
                (self.arn, self.state, self.express, self.started_ms) = (arn, state, express, at_ms);
            }
            MapRunChange::Sized(sizes) => self.sizes = sizes,
            MapRunChange::Limited(limits) => self.limits = limits,
            MapRunChange::ChildStarted(index, input) => {
                let items = usize::try_from(index).ok().and_then(|at| self.sizes.get(at)).copied().unwrap_or(1);
                match self.child(index) {
                    Some(child) => (child.outcome, child.stopped_ms) = (None, None),
                    None => {
                        let at = self.children.partition_point(|child| child.index < index);
                        let child = Child { index, started_ms: at_ms, stopped_ms: None, input, outcome: None, items };
                        self.children.insert(at, child);
                    }
                }
            }
            MapRunChange::ChildEvent(..) => {}
            MapRunChange::ChildEnded(index, outcome) => {
                if let Some(child) = self.child(index) {
                    (child.outcome, child.stopped_ms) = (Some(outcome), Some(at_ms));
                }
            }
            MapRunChange::Written => self.written = true,
            MapRunChange::Redriven => {
                self.redrives += 1;
                (self.status, self.stopped_ms, self.redriven_ms) = (RunStatus::Running, None, Some(at_ms));
            }
            MapRunChange::Ended(status) => (self.status, self.stopped_ms) = (status, Some(at_ms)),
        }
    }
}

/// `arn:...:execution:MACHINE/LABEL:UUID` of a child of the run with this ARN.
pub(crate) fn child_arn(run_arn: &str, index: u32) -> String {
    let (head, uuid) = run_arn.rsplit_once(':').unwrap_or(("", run_arn));
    let head = head.replacen(":mapRun:", ":execution:", 1);
    match RunId::decode(uuid) {
        Some(id) => format!("{head}:{}", RunId { child: Some(index), ..id }.encode()),
        None => format!("{head}:{uuid}-{index}"),
    }
}

/// Gathers the runs of an execution while it is replayed, and the history of one child if that is wanted.
#[derive(Debug, Default)]
pub struct MapRuns {
    /// The runs in the order in which they began.
    pub runs: Vec<MapRun>,
    /// The history of the child that was asked for.
    pub history: Vec<HistoryEvent>,
    wanted: Option<(u32, u32)>,
}

impl MapRuns {
    /// Gathers all runs; and the history of a child, if one is given.
    pub fn new(child: Option<RunId>) -> MapRuns {
        MapRuns { wanted: child.and_then(|id| Some((id.run, id.child?))), ..MapRuns::default() }
    }
}

impl HistorySink for MapRuns {
    fn wants(&self) -> bool {
        true
    }

    fn push(&mut self, _: HistoryEvent) {}

    fn map_run(&mut self, event: MapRunEvent) {
        if let MapRunChange::ChildEvent(index, event_of_child) = event.change {
            if self.wanted == Some((event.run, index)) {
                self.history.push(event_of_child);
            }
            return;
        }
        let Ok(at) = usize::try_from(event.run) else { return };
        if at == self.runs.len() {
            self.runs.push(MapRun::default());
        }
        if let Some(run) = self.runs.get_mut(at) {
            run.note(event.at_ms, event.change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_where_they_are() {
        for seed in [0, 1, 7, u64::MAX, 4_611_686_018_427_387_904] {
            for run in [0, 3, (1 << RUN_BITS) - 1] {
                for child in [None, Some(0), Some(41), Some(u32::MAX - 1)] {
                    let id = RunId { seed, run, child };
                    assert_eq!(RunId::decode(&id.encode()), Some(id), "{id:?} {}", id.encode());
                }
            }
        }
        assert_eq!(RunId::decode("3e1e2e4b-0000-4000-8000-000000000000"), None);
        assert_eq!(RunId::decode("nothing"), None);
        let run = RunId { seed: 5, run: 2, child: None };
        let arn = format!("arn:aws:states:r:1:mapRun:m/Label:{}", run.encode());
        assert_eq!(RunId::of_arn(&child_arn(&arn, 9)), Some(RunId { child: Some(9), ..run }));
    }
}
