//! Cursors: opaque to clients, so that what is inside may change.

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Problem;

/// A place in a list.
pub(crate) struct Cursor;

impl Cursor {
    /// As a client sees it.
    pub(crate) fn seal(inner: Option<String>) -> Option<String> {
        inner.map(|inner| URL_SAFE_NO_PAD.encode(inner))
    }

    /// What a client sent back.
    pub(crate) fn open(sealed: Option<&str>) -> Result<Option<String>, Problem> {
        let invalid = || {
            let detail = "send the `next` of the page before, unchanged";
            Problem::new(StatusCode::BAD_REQUEST, "invalid-cursor", detail)
        };
        let Some(sealed) = sealed.filter(|s| !s.is_empty()) else {
            return Ok(None);
        };
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| invalid())?;
        String::from_utf8(bytes).map(Some).map_err(|_| invalid())
    }
}
