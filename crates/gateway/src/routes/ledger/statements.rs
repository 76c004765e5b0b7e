//! Reports: the daily statement of an account, the balances of all.

use app::ledger::views::{BalancesView, StatementView};
use axum::extract::State;
use domain::Currency;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Gateway;
use crate::http::{Action, Caller, Params, Problem, Reply, Segment, Wire};
use crate::routes::resource;

resource![show_statement, show_balances];

/// Which days.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Period {
    /// The first merchant day, as 2026-03-01; absent for the last day alone.
    from: Option<String>,
    /// The last merchant day; absent for today.
    to: Option<String>,
}

/// Which currency.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct In {
    /// Absent for the account's or the merchant's.
    currency: Option<Currency>,
    /// The first merchant day, as 2026-03-01; absent for the last day alone.
    from: Option<String>,
    /// The last merchant day; absent for today.
    to: Option<String>,
}

/// Show the daily statement of an account
///
/// Opening, debits, credits, closing and number of postings for each of up to 400 merchant days, and how sealed days were
/// restated.
#[utoipa::path(get, path = "/v1/statements/{account}", tag = "ledger",
    params(("account" = String, Path, description = "its code", example = "assets:bank"), In),
    responses(
        (status = 200, description = "the statement", body = StatementView),
        (status = 404, description = "there is no such account", body = Wire, content_type = "application/problem+json"),
        (status = 422, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_statement(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(account): Segment<String>,
    Params(of): Params<In>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    let period = (of.from.as_deref(), of.to.as_deref());
    Ok(Reply::ok(&gateway.app.ledger().statement(&account, of.currency, period).await?))
}

/// Show the balances of all accounts for a period
#[utoipa::path(get, path = "/v1/ledger/balances", tag = "ledger", params(Period), responses(
    (status = 200, description = "opening, movement and closing of every account", body = BalancesView),
    (status = 422, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn show_balances(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(period): Params<Period>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    Ok(Reply::ok(&gateway.app.ledger().balances((period.from.as_deref(), period.to.as_deref())).await?))
}
