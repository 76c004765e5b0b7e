//! The customer's side of the payment simulator: the page of the "bank", and the phone that pays a Pix.

use app::provider::ProviderError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::resource;
use crate::Gateway;
use crate::http::{Params, Problem, Segment, Wire};

resource![show_bank, answer_bank];

/// What the customer does.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Answer {
    /// Authenticates a card payment.
    Approve,
    /// Refuses to.
    Refuse,
    /// Pays a Pix.
    Pay,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Answered {
    /// What the customer does.
    #[param(inline)]
    answer: Answer,
}

fn page(text: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>The simulated bank</title><link rel=stylesheet href=/docs/docs.css><h1>The simulated bank</h1>{text}</html>"
    ))
}

/// Show the page on which the simulated bank asks the customer
#[utoipa::path(get, path = "/v1/simulator/intents/{id}", tag = "payments",
    params(("id" = String, Path, description = "from the `actionUrl` of a payment")),
    responses((status = 200, description = "a page with two buttons", content_type = "text/html", body = String)))]
async fn show_bank() -> Html<String> {
    page(
        "<p>A shop asks for a payment with your card. Is it you?</p><form method=post>\
         <button formaction=\"?answer=approve\">Yes, pay</button> <button formaction=\"?answer=refuse\">No</button></form>",
    )
}

/// Answer for the customer: authenticate a card payment or refuse to, or pay a Pix
#[utoipa::path(post, path = "/v1/simulator/intents/{id}", tag = "payments",
    params(("id" = String, Path, description = "from the `actionUrl` of a payment"), Answered),
    responses(
        (status = 200, description = "done; the outcome comes through the order", content_type = "text/html", body = String),
        (status = 404, description = "there is no simulator here", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "the payment does not wait for that", body = Wire, content_type = "application/problem+json"),
    ))]
async fn answer_bank(
    State(gateway): State<Gateway>,
    Segment(id): Segment<String>,
    Params(answered): Params<Answered>,
) -> Result<Html<String>, Problem> {
    let done = match answered.answer {
        Answer::Approve => gateway.app.simulate_authentication(&id, true).await,
        Answer::Refuse => gateway.app.simulate_authentication(&id, false).await,
        Answer::Pay => gateway.app.simulate_pix(&id).await,
    };
    match done {
        Ok(Some(())) => Ok(page("<p>Thank you. Close this page and go back to your order.</p>")),
        Ok(None) => Err(Problem::not_found("simulator here")),
        Err(ProviderError::Unavailable) => Err(Problem::overloaded("the simulator cannot answer now")),
        Err(error) => Err(Problem::new(StatusCode::CONFLICT, "not-waiting", error.to_string())),
    }
}
