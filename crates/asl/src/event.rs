//! What goes into a machine and what comes out of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::resource::Resource;

/// The n-th task attempt scheduled in an execution; a retry is a new attempt.
pub type TaskId = u32;
/// The n-th timer set in an execution.
pub type TimerId = u32;

/// Facts about an execution, for the context object and the history.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ExecutionInfo {
    /// The execution's ARN.
    pub id: String,
    /// The execution's name.
    pub name: String,
    /// The role's ARN.
    pub role_arn: String,
    /// The state machine's ARN.
    pub state_machine_id: String,
    /// The state machine's name.
    pub state_machine_name: String,
    /// What all pseudo-randomness derives from, so that a replay draws the same.
    pub seed: u64,
    /// How often the execution was redriven.
    #[serde(default)]
    pub redrive_count: u32,
    /// When it was last redriven, in milliseconds since 1970.
    #[serde(default)]
    pub redriven_ms: Option<i64>,
}

/// What the host knows at this instant.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// Milliseconds since 1970.
    pub now_ms: i64,
    /// The token by which somebody outside can report the result of a task.
    pub task_token: &'a dyn Fn(TaskId) -> String,
}

/// What happened outside: all that a journal needs to store, with the time at which it was applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The execution starts; the first event of every execution.
    Started {
        /// The execution's input.
        input: Value,
    },
    /// A worker took the task. Optional: a result implies it.
    TaskStarted {
        /// The task.
        task: TaskId,
        /// The name that a worker of an activity gave.
        worker: Option<String>,
    },
    /// The request of a `.waitForTaskToken` or `.sync` task was accepted. Optional.
    TaskSubmitted {
        /// The task.
        task: TaskId,
        /// The answer to the request.
        output: Value,
    },
    /// A task has its result.
    TaskSucceeded {
        /// The task.
        task: TaskId,
        /// The result.
        output: Value,
    },
    /// A task failed.
    TaskFailed {
        /// The task.
        task: TaskId,
        /// The error name; a worker may leave it out.
        error: Option<String>,
        /// The explanation; a worker may leave it out.
        cause: Option<String>,
    },
    /// The host itself gave a task up for its time, for example a function's own limit.
    TaskTimedOut {
        /// The task.
        task: TaskId,
    },
    /// A worker is alive.
    TaskHeartbeat {
        /// The task.
        task: TaskId,
    },
    /// A timer's time has come.
    TimerFired {
        /// The timer.
        timer: TimerId,
    },
    /// The limits of a run of a distributed Map change.
    MapRunUpdated {
        /// The n-th run of the execution.
        run: u32,
        /// What to set.
        update: MapRunUpdate,
    },
    /// Somebody stopped the execution.
    Stopped {
        /// The error to record.
        error: Option<String>,
        /// The cause to record.
        cause: Option<String>,
    },
}

/// Limits of a run of a distributed Map to set; the others stay.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MapRunUpdate {
    /// Children that run at once; 0 is as many as the engine takes.
    pub max_concurrency: Option<u64>,
    /// Failed items that are tolerated, in percent of all.
    pub tolerated_percentage: Option<f64>,
    /// Failed items that are tolerated.
    pub tolerated_count: Option<f64>,
}

/// What the host must now do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Run a task.
    StartTask(TaskStart),
    /// A task's result is no longer wanted.
    CancelTask {
        /// The task.
        task: TaskId,
    },
    /// Apply [`Event::TimerFired`] at this time.
    SetTimer {
        /// The timer.
        timer: TimerId,
        /// Milliseconds since 1970.
        at_ms: i64,
    },
    /// A timer is no longer wanted.
    CancelTimer {
        /// The timer.
        timer: TimerId,
    },
    /// The execution has ended.
    Finish(Outcome),
}

/// One attempt of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskStart {
    /// The attempt.
    pub task: TaskId,
    /// The state's name.
    pub state: String,
    /// What to call.
    pub resource: Arc<Resource>,
    /// What to call it with.
    pub arguments: Value,
    /// 0 for the first attempt, then the number of the retry.
    pub attempt: u32,
    /// The state's name with the branch and item indexes around it, such as `ReserveStock` or `Each[3]/Charge`. It is the
    /// same for all attempts of a step and on every replay; a state that a loop visits again has the same path again.
    pub path: String,
    /// Whether the result comes with the task token instead of the call's answer.
    pub wait_for_token: bool,
    /// When the attempt times out, in milliseconds since 1970. The machine has set a timer for it.
    pub deadline_ms: Option<i64>,
    /// How often, in seconds, a worker must report that it is alive. The machine has set a timer for it.
    pub heartbeat_s: Option<u64>,
    /// The role named in `Credentials`.
    pub credentials: Option<Value>,
    /// What the host does with the resource.
    pub work: Work,
}

/// What a task is for.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Work {
    /// Call the resource; its answer is the result.
    #[default]
    Call,
    /// Read the object (or listing) that the arguments name and answer with [`Event::TaskSucceeded`], whose output is the
    /// array of the items: [`crate::items::Config::read`] finds them in the bytes. Report a failure with its cause only.
    ReadItems(Box<crate::items::Config>),
    /// Write these files into the bucket that the arguments name, and answer with any output. Report a failure with its
    /// cause only.
    WriteResults(Vec<crate::items::ResultFile>),
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// It reached its end.
    Succeeded {
        /// Its output.
        output: Value,
    },
    /// A state failed and nothing caught it.
    Failed {
        /// The error name; a Fail state may have none.
        error: Option<String>,
        /// The explanation; a Fail state may have none.
        cause: Option<String>,
    },
    /// It ran longer than the definition's `TimeoutSeconds`.
    TimedOut {
        /// `States.Timeout`.
        error: Option<String>,
        /// The explanation.
        cause: Option<String>,
    },
    /// Somebody stopped it.
    Aborted {
        /// The error that was given.
        error: Option<String>,
        /// The cause that was given.
        cause: Option<String>,
    },
}

/// Whether an event had any effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The machine changed.
    Changed,
    /// The event was about a task or timer that is unknown or done, or about an execution that has ended; nothing changed.
    Stale,
}
