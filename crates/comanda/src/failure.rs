//! Why a command failed, as an exit code and a message.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::key::KeyError;

/// What the exit code says; `comanda --help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Refused = 4,
    Unavailable = 5,
}

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure { kind, error: anyhow::Error::msg(message.into()) }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure { kind: Kind::Failed, error }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        anyhow::Error::from(error).into()
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure { kind: Kind::Usage, error: error.into() }
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Failure {
        Failure { kind: Kind::Unavailable, error: error.into() }
    }
}

impl From<store::OpenError> for Failure {
    fn from(error: store::OpenError) -> Failure {
        Failure { kind: Kind::Unavailable, error: error.into() }
    }
}

impl From<store::CommitError> for Failure {
    fn from(error: store::CommitError) -> Failure {
        Failure { kind: Kind::Unavailable, error: error.into() }
    }
}

impl From<store::ReadError> for Failure {
    fn from(error: store::ReadError) -> Failure {
        Failure { kind: Kind::Unavailable, error: error.into() }
    }
}
