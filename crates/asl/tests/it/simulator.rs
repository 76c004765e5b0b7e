//! Runs a definition in virtual time with mocked task results.

use std::sync::Arc;

use asl::rehearsal::Rehearsal;
pub(crate) use asl::rehearsal::token;
use asl::{Definition, Event, ExecutionInfo, HistoryEvent, Outcome, TaskStart};
use serde_json::Value;

/// 2026-11-20T11:00:00Z.
pub(crate) const START_MS: i64 = 1_795_172_400_000;

/// How a mocked task ends.
pub(crate) enum Answer {
    Succeeds(Value),
    SucceedsAfter(u64, Value),
    Fails(&'static str, &'static str),
    /// Whatever is reported about it, at once and in this order.
    Reports(Vec<Event>),
    Never,
}

/// A finished (or stuck) run.
pub(crate) struct Ran {
    pub(crate) outcome: Option<Outcome>,
    pub(crate) history: Vec<HistoryEvent>,
    pub(crate) elapsed_ms: i64,
    pub(crate) tasks: Vec<TaskStart>,
}

pub(crate) fn info() -> ExecutionInfo {
    ExecutionInfo {
        id: "arn:aws:states:us-east-1:123456789012:execution:machine:run".into(),
        name: "run".into(),
        role_arn: "arn:aws:iam::123456789012:role/role".into(),
        state_machine_id: "arn:aws:states:us-east-1:123456789012:stateMachine:machine".into(),
        state_machine_name: "machine".into(),
        seed: 7,
        ..ExecutionInfo::default()
    }
}

/// Runs until the outcome, or until only tasks that never answer are left.
pub(crate) fn run(
    definition: Definition,
    info: ExecutionInfo,
    input: Value,
    mut answer: impl FnMut(&TaskStart) -> Answer,
) -> Ran {
    let rehearsal = Rehearsal { definition: Arc::new(definition), info, input, start_ms: START_MS, later: Vec::new() };
    let done = rehearsal.run(&mut |start, _| {
        let task = start.task;
        match answer(start) {
            Answer::Succeeds(output) => vec![(0, Event::TaskSucceeded { task, output })],
            Answer::SucceedsAfter(seconds, output) => {
                vec![(i64::try_from(seconds).unwrap() * 1000, Event::TaskSucceeded { task, output })]
            }
            Answer::Fails(error, cause) => {
                vec![(0, Event::TaskFailed { task, error: Some(error.to_owned()), cause: Some(cause.to_owned()) })]
            }
            Answer::Reports(events) => events.into_iter().map(|event| (0, event)).collect(),
            Answer::Never => Vec::new(),
        }
    });
    Ran { outcome: done.outcome, history: done.history, elapsed_ms: done.elapsed_ms, tasks: done.tasks }
}
