//! Failures of a running flow: an error name and a cause.

use std::borrow::Cow;

use crate::limits;

/// Matches every error but the two that end an execution.
pub const ALL: &str = "States.ALL";
/// The state ran longer than its `TimeoutSeconds`.
pub const TIMEOUT: &str = "States.Timeout";
/// The task sent no heartbeat for longer than its `HeartbeatSeconds`.
pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
/// The task failed; in Retry and Catch it matches every error but a timeout.
pub const TASK_FAILED: &str = "States.TaskFailed";
/// Something that the flow's author must mend, such as a path that finds nothing.
pub const RUNTIME: &str = "States.Runtime";
/// A payload larger than [`limits::PAYLOAD_BYTES`].
pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
/// No rule of a Choice matched and it has no `Default`.
pub const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
/// An intrinsic function was given arguments that it cannot take.
pub const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";
/// `ResultPath` cannot be applied to the state's input.
pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
/// More items of a Map failed than it tolerates.
pub const EXCEED_TOLERATED_FAILURE_THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";

/// A JSONata expression failed, or gave something that its field cannot take.
pub const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";

/// The items of a Map could not be read.
pub const ITEM_READER_FAILED: &str = "States.ItemReaderFailed";
/// The results of a Map could not be written.
pub const RESULT_WRITER_FAILED: &str = "States.ResultWriterFailed";

/// The error names of the language; all others that begin with `States.` are reserved, those of `States.Http.` apart.
pub const RESERVED: [&str; 16] = [
    ALL,
    TIMEOUT,
    HEARTBEAT_TIMEOUT,
    TASK_FAILED,
    RUNTIME,
    DATA_LIMIT_EXCEEDED,
    NO_CHOICE_MATCHED,
    INTRINSIC_FAILURE,
    RESULT_PATH_MATCH_FAILURE,
    EXCEED_TOLERATED_FAILURE_THRESHOLD,
    "States.Permissions",
    "States.ParameterPathFailure",
    "States.BranchFailed",
    QUERY_EVALUATION_ERROR,
    ITEM_READER_FAILED,
    RESULT_WRITER_FAILED,
];

/// Why a state failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The error name that Retry and Catch look at; a Fail state or a worker may leave it out.
    pub error: Option<Cow<'static, str>>,
    /// The explanation.
    pub cause: Option<String>,
    /// A heartbeat was missed: `States.HeartbeatTimeout` matches beside the error's own name.
    pub heartbeat: bool,
    /// The cause is about the state itself and is to name it.
    pub in_state: bool,
    /// A worker, a function or a Fail state reported it; the language itself found nothing wrong.
    pub reported: bool,
    /// The field whose JSONata failed, such as `Output/total`.
    pub location: Option<String>,
}

impl Failure {
    /// A failure that a worker, a Fail state or a branch reported; over-long texts are cut to their limits.
    pub fn new(error: Option<String>, cause: Option<String>) -> Failure {
        Failure {
            error: error.map(|e| Cow::Owned(cut(e, limits::ERROR_CHARS))),
            cause: cause.map(|c| cut(c, limits::CAUSE_CHARS)),
            heartbeat: false,
            in_state: false,
            reported: true,
            location: None,
        }
    }

    /// A failure of the language, whose cause is complete as it is.
    pub(crate) fn of(error: &'static str, cause: String) -> Failure {
        Failure {
            error: Some(Cow::Borrowed(error)),
            cause: Some(cut(cause, limits::CAUSE_CHARS)),
            heartbeat: false,
            in_state: false,
            reported: false,
            location: None,
        }
    }

    /// A failure of the language whose cause is to begin with the state's name.
    pub(crate) fn in_state(error: &'static str, cause: String) -> Failure {
        Failure { in_state: true, ..Failure::of(error, cause) }
    }

    /// A failure of the kind that the flow's author must mend.
    pub(crate) fn runtime(cause: String) -> Failure {
        Failure::in_state(RUNTIME, cause)
    }

    /// A timeout, which AWS reports without a cause.
    pub(crate) fn timeout(heartbeat: bool) -> Failure {
        Failure {
            error: Some(Cow::Borrowed(TIMEOUT)),
            cause: None,
            heartbeat,
            in_state: false,
            reported: true,
            location: None,
        }
    }

    /// Whether an entry of `ErrorEquals` names this failure.
    ///
    /// `States.ALL` leaves out what ends an execution: `States.Runtime`, and an output of a state that is too large (but not
    /// a task's result that is). `States.TaskFailed` also leaves out timeouts. "Error names" in the States Language
    /// specification, AWS's error handling guide, and recorded executions.
    pub fn matches(&self, name: &str) -> bool {
        let error = self.error.as_deref();
        let ends = error == Some(RUNTIME) || (error == Some(DATA_LIMIT_EXCEEDED) && !self.reported);
        match name {
            ALL => !ends,
            TASK_FAILED => !ends && error != Some(TIMEOUT),
            HEARTBEAT_TIMEOUT => self.heartbeat || error == Some(name),
            _ => error == Some(name),
        }
    }
}

fn cut(mut text: String, chars: usize) -> String {
    if text.len() > chars
        && let Some((at, _)) = text.char_indices().nth(chars)
    {
        text.truncate(at);
    }
    text
}
