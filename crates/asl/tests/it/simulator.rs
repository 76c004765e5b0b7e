//! Runs a definition in virtual time with mocked task results.

use std::sync::Arc;

use asl::{Applied, Command, Definition, Event, ExecutionInfo, HistoryEvent, Machine, Moment, Outcome, TaskStart};
use serde_json::Value;

/// 2026-11-20T11:00:00Z.
pub(crate) const START_MS: i64 = 1_795_172_400_000;
/// More events than any terminating test needs.
const MOST_EVENTS: usize = 60_000;

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

pub(crate) fn token(task: u32) -> String {
    format!("token-{task}")
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
    let mut machine = Machine::new(Arc::new(definition), info);
    let mut history = Vec::new();
    let mut tasks = Vec::new();
    let mut now_ms = START_MS;
    let mut due: Vec<(i64, usize, Event)> = vec![(now_ms, 0, Event::Started { input })];
    let mut sequence = 0;
    for _ in 0..MOST_EVENTS {
        due.sort_by_key(|(at_ms, n, _)| (*at_ms, *n));
        if due.is_empty() || machine.outcome().is_some() {
            break;
        }
        let (at_ms, _, event) = due.remove(0);
        now_ms = now_ms.max(at_ms);
        let mut commands = Vec::new();
        let applied = machine.apply(event, &Moment { now_ms, task_token: &token }, &mut commands, &mut history);
        assert!(applied == Applied::Changed || commands.is_empty(), "a stale event gave commands");
        for command in commands {
            sequence += 1;
            match command {
                Command::SetTimer { timer, at_ms } => due.push((at_ms, sequence, Event::TimerFired { timer })),
                Command::StartTask(start) => {
                    let task = start.task;
                    match answer(&start) {
                        Answer::Succeeds(output) => due.push((now_ms, sequence, Event::TaskSucceeded { task, output })),
                        Answer::SucceedsAfter(seconds, output) => {
                            let at_ms = now_ms + i64::try_from(seconds).unwrap() * 1000;
                            due.push((at_ms, sequence, Event::TaskSucceeded { task, output }));
                        }
                        Answer::Fails(error, cause) => {
                            let (error, cause) = (Some(error.to_owned()), Some(cause.to_owned()));
                            due.push((now_ms, sequence, Event::TaskFailed { task, error, cause }));
                        }
                        Answer::Reports(events) => {
                            due.extend(events.into_iter().map(|event| (now_ms, sequence, event)))
                        }
                        Answer::Never => {}
                    }
                    tasks.push(start);
                }
                Command::CancelTimer { .. } | Command::CancelTask { .. } | Command::Finish(_) => {}
            }
        }
    }
    Ran { outcome: machine.outcome().cloned(), history, elapsed_ms: now_ms - START_MS, tasks }
}
