//! What goes out: JSON, serialised once.

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A JSON answer.
pub(crate) struct Reply(Response);

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Reply {
    /// 200 with a value.
    pub(crate) fn ok(value: &impl Serialize) -> Reply {
        Reply::json(StatusCode::OK, value)
    }

    /// A value with a status.
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
        match serde_json::to_vec(value) {
            Ok(bytes) => Reply::bytes(status, bytes),
            Err(error) => Reply(super::Problem::internal(&error).into_response()),
        }
    }

    /// JSON that is serialised already.
    pub(crate) fn bytes(status: StatusCode, json: impl Into<Bytes>) -> Reply {
        let mut response = Response::new(Body::from(json.into()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        Reply(response)
    }

    /// With the revision of the resource as its `ETag`.
    pub(crate) fn revision(self, revision: i64) -> Reply {
        self.header(header::ETAG, &format!("\"{revision}\""))
    }

    /// Marked as the answer to a request that was answered before.
    pub(crate) fn replayed(self, replayed: bool) -> Reply {
        match replayed {
            true => self.header(REPLAYED, "true"),
            false => self,
        }
    }

    /// With a header; a value that cannot be one is left out.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Reply {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().insert(name, value);
        }
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        self.0
    }
}
