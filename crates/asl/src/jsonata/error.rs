//! What can go wrong in an expression, with the codes and texts of the JSONata reference.

use std::fmt;

/// A code such as `T2001` and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

pub(super) type Result<T> = std::result::Result<T, Box<Error>>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

/// An error with its text.
pub(super) fn error<T>(code: &'static str, message: impl Into<String>) -> Result<T> {
    Err(Box::new(Error { code, message: message.into() }))
}
