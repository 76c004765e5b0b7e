//! Problem details (RFC 9457) with stable codes.

use app::Kind;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An error answer. `code` is stable, for programs; `detail` is for people.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    pointer: Option<String>,
    retry_after_s: Option<u32>,
}

/// As it travels.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Wire<'a> {
    /// A relative reference to the explanation of the code.
    #[serde(rename = "type")]
    kind: String,
    /// The same for all problems of one code.
    title: &'a str,
    /// The status of the answer.
    status: u16,
    /// Stable, in kebab-case.
    code: &'a str,
    /// What is wrong with this request, and the cure where there is one.
    detail: &'a str,
    /// The offending field of the body, as a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
}

/// The codes with their titles. The rules of baskets bring codes of their own.
pub(crate) const CATALOGUE: &[(&str, &str)] = &[
    ("account-exists", "There is another account of that code"),
    ("already-reversed", "The entry is undone already"),
    ("bad-request", "The request cannot be understood"),
    ("batch-too-large", "The batch is empty or too large"),
    ("body-too-large", "The body is too large"),
    ("built-in-account", "Payments post to the account"),
    ("busy", "Others keep changing the same thing"),
    ("capture-refused", "The payment provider does not take the amount"),
    ("chart-full", "The chart has too many accounts"),
    ("closed-account", "The account is closed"),
    ("cross-site", "Another site's page sent the request"),
    ("day-not-over", "The day is not over"),
    ("forbidden", "The caller may not do this"),
    ("idempotency-key-reused", "The key was used for another request"),
    ("illegal-transition", "The order does not stand where that is possible"),
    ("internal", "The server failed"),
    ("invalid-account", "The account breaks a rule"),
    ("invalid-address", "The address is not complete"),
    ("invalid-amount", "The amount makes no sense"),
    ("invalid-body", "The body does not have the right shape"),
    ("invalid-card", "The card's data cannot be used"),
    ("invalid-cursor", "The cursor is not one of ours"),
    ("invalid-customer", "The customer's data cannot be used"),
    ("invalid-delta", "The change of stock makes no sense"),
    ("invalid-entry", "The entry breaks a rule"),
    ("invalid-idempotency-key", "The idempotency key cannot be used"),
    ("invalid-json", "The body is not JSON"),
    ("invalid-limit", "The limit is out of range"),
    ("invalid-link", "The link is not one of ours"),
    ("invalid-note", "The note is missing or too long"),
    ("invalid-parameter", "A parameter cannot be used"),
    ("invalid-product", "The product breaks a rule"),
    ("invalid-reason", "The reason is missing or too long"),
    ("invalid-refund-lines", "The lines of the refund cannot be used"),
    ("invalid-signature", "The signature does not match"),
    ("lines-rejected", "Lines of the file cannot be imported"),
    ("link-expired", "The link has expired"),
    ("malformed-signature", "The signature cannot be read"),
    ("method-not-allowed", "The resource does not have this method"),
    ("not-cancellable", "It is too late to cancel"),
    ("not-capturable", "Nothing is held that could be taken"),
    ("not-enough-stock", "There is not so much"),
    ("not-failed", "The refund did not fail"),
    ("not-found", "There is no such resource"),
    ("not-payable", "The order cannot be paid now"),
    ("not-refundable", "Nothing was taken that could be given back"),
    ("not-voidable", "Nothing is held that could be called off"),
    ("not-waiting", "The payment does not wait for that"),
    ("nothing-to-resolve", "The order needs no attention"),
    ("order-in-progress", "The order is being carried out"),
    ("other-currency", "The account takes another currency"),
    ("overloaded", "The server has too much to do"),
    ("payment-expired", "The time to pay is over"),
    ("price-changed", "The total is not what the customer saw"),
    ("projection-behind", "The consolidation is stopped or behind"),
    ("provider-unavailable", "The payment provider cannot be reached"),
    ("receipt-lost", "The document of the receipt is lost"),
    ("refund-above-cap", "The refund is more than is left"),
    ("request-timeout", "The request took too long to arrive"),
    ("revision-mismatch", "The revision is not one of this resource"),
    ("revision-required", "The request must say which revision it changes"),
    ("stale-revision", "The resource changed since it was read"),
    ("stale-signature", "The signature is too old"),
    ("store-unavailable", "The store cannot work now"),
    ("timeout", "The server took too long"),
    ("too-many-attempts", "The payment was tried too often"),
    ("too-many-entries", "Too many entries would have to be read"),
    ("too-many-refunds", "The payment had too many refunds"),
    ("unavailable", "The server cannot work now"),
    ("unbalanced-entry", "The postings do not sum to zero"),
    ("unknown-account", "There is no such account"),
    ("unreadable-file", "The file cannot be read"),
    ("unsupported-media-type", "The body has the wrong type"),
];

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, code, detail: detail.into(), pointer: None, retry_after_s: None }
    }

    /// With the place in the body, as a JSON pointer.
    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Problem {
        self.pointer = Some(pointer.into()).filter(|p| !p.is_empty());
        self
    }

    /// With the time after which a retry makes sense.
    pub(crate) fn retry_after(mut self, seconds: u32) -> Problem {
        self.retry_after_s = Some(seconds);
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn not_found(what: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not-found", format!("there is no {what}"))
    }

    pub(crate) fn overloaded(detail: &str) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).retry_after(1)
    }

    /// A failure of ours: the cause is logged here, once, and stays inside.
    pub(crate) fn internal(cause: &(dyn std::error::Error + 'static)) -> Problem {
        tracing::error!(error = %chain(cause), "request failed");
        let detail = "the request failed inside the server; its log says why";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The store cannot work now: the cause is logged here, once.
    pub(crate) fn unavailable(cause: &(dyn std::error::Error + 'static)) -> Problem {
        tracing::error!(error = %chain(cause), "store unavailable");
        let detail = "the store cannot work now; nothing of this request took effect";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(5)
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn title(code: &str, status: StatusCode) -> &'static str {
    CATALOGUE
        .iter()
        .find(|(known, _)| *known == code)
        .map_or_else(|| status.canonical_reason().unwrap_or("Error"), |(_, title)| title)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let wire = Wire {
            kind: format!("/problems#{}", self.code),
            title: title(self.code, self.status),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            pointer: self.pointer.as_deref(),
        };
        let body = serde_json::to_vec(&wire).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A method that the resource does not have; the router adds the `Allow` header.
pub(crate) fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "this resource does not have that method; the `Allow` header lists those it has",
    )
}

/// What a use case refuses.
impl<E: app::Problem + 'static> From<E> for Problem {
    fn from(error: E) -> Problem {
        let status = match error.kind() {
            Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Stale => StatusCode::PRECONDITION_FAILED,
            Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
            Kind::Gone => StatusCode::GONE,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => return Problem::internal(&error),
        };
        let mut problem = Problem::new(status, error.code(), error.to_string());
        if status == StatusCode::SERVICE_UNAVAILABLE {
            tracing::warn!(error = %chain(&error), "unavailable");
            problem = problem.retry_after(1);
        }
        problem.pointer = error.pointer();
        problem
    }
}
