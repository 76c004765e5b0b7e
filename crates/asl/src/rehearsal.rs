//! Runs a flow from start to end in virtual time, with the results of its tasks made up: for tests of flows and of the
//! machine. Pure, so a rehearsal of a month takes microseconds and always goes the same way.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::definition::Definition;
use crate::event::{Applied, Command, Event, ExecutionInfo, Moment, Outcome, TaskId, TaskStart};
use crate::history::{HistoryEvent, HistorySink, Turn};
use crate::machine::Machine;

/// More events than any flow with a history of 25,000 needs.
const MOST_EVENTS: usize = 100_000;

/// What is rehearsed.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// The flow.
    pub definition: Arc<Definition>,
    /// Facts about the execution.
    pub info: ExecutionInfo,
    /// Its input.
    pub input: Value,
    /// When it starts, in milliseconds since 1970.
    pub start_ms: i64,
    /// What else happens: so many milliseconds after the start.
    pub later: Vec<(i64, Event)>,
}

/// Says what will be reported about a task that starts at this time: after how many milliseconds, and what.
pub type Reports<'r> = dyn FnMut(&TaskStart, i64) -> Vec<(i64, Event)> + 'r;

/// How a rehearsal went.
#[derive(Debug, Clone, Default)]
pub struct Rehearsed {
    /// How it ended; `None` if it waits for tasks that nobody answers, or went on for too long.
    pub outcome: Option<Outcome>,
    /// Its history.
    pub history: Vec<HistoryEvent>,
    /// Which way the states went, in order.
    pub turns: Vec<(Arc<str>, Turn)>,
    /// The tasks, in order.
    pub tasks: Vec<TaskStart>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: i64,
    /// The shortest time between two things that happened independently of each other, in milliseconds.
    pub nearest_ms: Option<i64>,
    /// Where it is, if it has not ended.
    pub waits_at: Vec<String>,
}

impl HistorySink for Rehearsed {
    fn wants(&self) -> bool {
        true
    }

    fn push(&mut self, event: HistoryEvent) {
        self.history.push(event);
    }

    fn turned(&mut self, state: &Arc<str>, turn: Turn) {
        self.turns.push((Arc::clone(state), turn));
    }
}

/// The token of a task in a rehearsal.
pub fn token(task: TaskId) -> String {
    format!("token-{task}")
}

impl Rehearsal {
    /// Runs until it has ended, or until nothing is left that could happen.
    ///
    /// `reports` is asked at the start of every task.
    pub fn run(self, reports: &mut Reports<'_>) -> Rehearsed {
        let mut machine = Machine::new(self.definition, self.info);
        let mut done = Rehearsed::default();
        let mut due: BTreeMap<(i64, usize), Event> = BTreeMap::new();
        due.insert((self.start_ms, 0), Event::Started { input: self.input });
        for (n, (after_ms, event)) in (1..).zip(self.later) {
            due.insert((self.start_ms.saturating_add(after_ms), n), event);
        }
        let mut sequence = due.len();
        for _ in 0..MOST_EVENTS {
            let Some(((now_ms, _), event)) = due.pop_first() else { break };
            let next_ms = due.keys().next().map(|(at_ms, _)| *at_ms);
            let mut commands = Vec::new();
            let moment = Moment { now_ms, task_token: &token };
            if machine.apply(event, &moment, &mut commands, &mut done) == Applied::Stale {
                continue;
            }
            done.elapsed_ms = now_ms - self.start_ms;
            for command in commands {
                match command {
                    Command::SetTimer { timer, at_ms } => {
                        due.insert((at_ms.max(now_ms), sequence), Event::TimerFired { timer });
                    }
                    Command::StartTask(start) => {
                        for (after_ms, event) in reports(&start, now_ms) {
                            sequence += 1;
                            due.insert((now_ms.saturating_add(after_ms.max(0)), sequence), event);
                        }
                        done.tasks.push(start);
                    }
                    Command::CancelTimer { timer } => {
                        due.retain(|_, event| !matches!(event, Event::TimerFired { timer: other } if *other == timer));
                    }
                    Command::CancelTask { .. } | Command::Finish(_) => {}
                }
                sequence += 1;
            }
            if machine.outcome().is_some() {
                break;
            }
            if let Some(gap_ms) = next_ms.map(|next_ms| next_ms - now_ms) {
                done.nearest_ms = Some(done.nearest_ms.map_or(gap_ms, |nearest| nearest.min(gap_ms)));
            }
        }
        done.outcome = machine.outcome().cloned();
        if done.outcome.is_none() {
            done.waits_at = machine.current_states();
        }
        done
    }
}
