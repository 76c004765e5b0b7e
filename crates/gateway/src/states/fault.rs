//! Errors of the Step Functions API: AWS's names and messages.

use asl::{Diagnostic, Severity};
use axum::http::StatusCode;
use runtime::{MachineError, ReportError, StartError};
use serde_json::{Value, json};
use store::{BoxError, ReadError};

use crate::http::Problem;

/// An error answer.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Fault {
        Fault { status: StatusCode::BAD_REQUEST, code, message: message.into() }
    }

    /// A parameter breaks a rule of the API's model.
    pub(super) fn constraint(value: &str, at: &str, rule: &str) -> Fault {
        let message =
            format!("1 validation error detected: Value {value} at '{at}' failed to satisfy constraint: {rule}");
        Fault::new("ValidationException", message)
    }

    pub(super) fn machine(arn: &str) -> Fault {
        Fault::new("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
    }

    pub(super) fn execution(arn: &str) -> Fault {
        Fault::new("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
    }

    pub(super) fn resource(arn: &str) -> Fault {
        Fault::new("ResourceNotFound", format!("Resource not found: '{arn}'"))
    }

    pub(super) fn not_for_express() -> Fault {
        Fault::new("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
    }

    pub(super) fn token() -> Fault {
        Fault::new("InvalidToken", "Invalid Token: 'Invalid token'")
    }

    pub(super) fn definition(diagnostics: &[Diagnostic]) -> Fault {
        let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error);
        let all: Vec<String> = errors.map(|d| d.finding().to_string()).collect();
        let message = format!("Invalid State Machine Definition: '{}'", all.join(", "));
        Fault::new("InvalidDefinition", message)
    }

    pub(super) fn unreadable(problem: &Problem) -> Fault {
        let status = problem.status();
        let code = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "RequestEntityTooLargeException",
            _ => "SerializationException",
        };
        Fault { status, code, message: problem.detail().to_owned() }
    }

    /// The store or the engine failed; the cause is logged here, once.
    pub(super) fn store(error: &BoxError) -> Fault {
        if let Some(ReadError::Invalid(_)) = error.downcast_ref::<ReadError>() {
            return Fault::token();
        }
        tracing::error!(%error, "an operation of the Step Functions API failed");
        Fault {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "InternalServerError",
            message: "the store cannot work now; try again".into(),
        }
    }

    /// What an operation on a state machine refuses.
    pub(super) fn of_machine(error: MachineError, arn: &str) -> Fault {
        match error {
            MachineError::DoesNotExist => Fault::machine(arn),
            MachineError::AlreadyExists => {
                Fault::new("StateMachineAlreadyExists", format!("State Machine Already Exists: '{arn}'"))
            }
            MachineError::Deleting => {
                Fault::new("StateMachineDeleting", format!("State Machine is being deleted: '{arn}'"))
            }
            MachineError::BuiltIn => Fault::new("ValidationException", MachineError::BuiltIn.to_string()),
            MachineError::Invalid(diagnostics) => Fault::definition(&diagnostics),
            MachineError::Conflict(problem) => Fault::new("ConflictException", problem),
            MachineError::TooMany(problem) => Fault::new("ServiceQuotaExceededException", problem),
            MachineError::Store(error) => Fault::store(&error),
        }
    }

    pub(super) fn to_value(&self) -> Value {
        json!({ "__type": self.code, "message": self.message })
    }
}

impl From<StartError> for Fault {
    fn from(error: StartError) -> Fault {
        match error {
            StartError::AlreadyExists { arn } => {
                Fault::new("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'"))
            }
            StartError::Store(error) => Fault::store(&error),
        }
    }
}

impl From<ReportError> for Fault {
    fn from(error: ReportError) -> Fault {
        match error {
            ReportError::InvalidToken => Fault::token(),
            ReportError::DoesNotExist => {
                Fault::new("TaskDoesNotExist", "Task Does Not Exist: 'Provided task does not exist'")
            }
            ReportError::TimedOut => {
                Fault::new("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
            }
            ReportError::Store(error) => Fault::store(&error),
        }
    }
}
