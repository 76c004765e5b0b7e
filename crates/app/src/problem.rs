//! What every error of a use case has in common.

/// What a caller can do about an error; the gateway makes a status of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong: correct it (422).
    Invalid,
    /// There is no such thing (404).
    NotFound,
    /// The state does not allow it now (409).
    Conflict,
    /// It changed since it was read: read it again (412).
    Stale,
    /// The signature, token or link is not good (401).
    Unauthenticated,
    /// The link has expired (410).
    Gone,
    /// Try later (503).
    Unavailable,
    /// A mistake in the program (500).
    Internal,
}

/// An error with a stable code and a cure in its message. The message never carries personal data.
pub trait Problem: std::error::Error {
    /// What a caller can do about it.
    fn kind(&self) -> Kind;
    /// Stable, kebab-case.
    fn code(&self) -> &'static str;
    /// The field of the request it is about, as a JSON pointer.
    fn pointer(&self) -> Option<String> {
        None
    }
}
