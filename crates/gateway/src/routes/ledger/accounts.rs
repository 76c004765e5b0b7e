//! The chart of accounts.

use app::Instant;
use app::ledger::views::{AccountView, BalanceBy, BalanceView, ChartView, OpenAccount};
use axum::extract::State;
use axum::http::StatusCode;
use domain::Currency;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Gateway;
use crate::http::{Action, Caller, Json, Params, Problem, Reply, Segment, Wire};
use crate::routes::resource;

resource![list_accounts, open_account, show_account, close_account, reopen_account, account_balance];

/// List the chart of accounts
#[utoipa::path(get, path = "/v1/ledger/accounts", tag = "ledger", responses(
    (status = 200, description = "every account", body = ChartView),
))]
async fn list_accounts(State(gateway): State<Gateway>, caller: Caller) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    Ok(Reply::ok(&gateway.app.ledger().accounts()))
}

/// Open an account
///
/// The same request again answers the account as it is.
#[utoipa::path(post, path = "/v1/ledger/accounts", tag = "ledger", request_body = OpenAccount, responses(
    (status = 201, description = "open", body = AccountView),
    (status = 409, description = "there is another of that code", body = Wire, content_type = "application/problem+json"),
    (status = 422, description = "a field is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn open_account(
    State(gateway): State<Gateway>,
    caller: Caller,
    Json(command): Json<OpenAccount>,
) -> Result<Reply, Problem> {
    caller.may(Action::KeepBooks)?;
    Ok(Reply::json(StatusCode::CREATED, &gateway.app.ledger().open_account(command).await?))
}

/// Show an account
#[utoipa::path(get, path = "/v1/ledger/accounts/{code}", tag = "ledger",
    params(("code" = String, Path, description = "its code", example = "assets:bank")),
    responses(
        (status = 200, description = "the account", body = AccountView),
        (status = 404, description = "there is no such account", body = Wire, content_type = "application/problem+json"),
    ))]
async fn show_account(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(code): Segment<String>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    Ok(Reply::ok(&gateway.app.ledger().account(&code)?))
}

/// Close an account
///
/// It takes no entries from then on; those it has stay. Accounts that payments post to cannot be closed.
#[utoipa::path(post, path = "/v1/ledger/accounts/{code}/close", tag = "ledger",
    params(("code" = String, Path, description = "its code", example = "expenses:rent")),
    responses(
        (status = 200, description = "closed", body = AccountView),
        (status = 404, description = "there is no such account", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "payments post to it", body = Wire, content_type = "application/problem+json"),
    ))]
async fn close_account(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(code): Segment<String>,
) -> Result<Reply, Problem> {
    caller.may(Action::KeepBooks)?;
    Ok(Reply::ok(&gateway.app.ledger().close_account(&code, true).await?))
}

/// Open a closed account again
#[utoipa::path(post, path = "/v1/ledger/accounts/{code}/reopen", tag = "ledger",
    params(("code" = String, Path, description = "its code", example = "expenses:rent")),
    responses(
        (status = 200, description = "open", body = AccountView),
        (status = 404, description = "there is no such account", body = Wire, content_type = "application/problem+json"),
    ))]
async fn reopen_account(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(code): Segment<String>,
) -> Result<Reply, Problem> {
    caller.may(Action::KeepBooks)?;
    Ok(Reply::ok(&gateway.app.ledger().close_account(&code, false).await?))
}

/// Which balance.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct At {
    /// The instant, itself included; absent for now.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Instant>,
    /// By the time at which entries count, or by that at which they were accepted.
    by: Option<BalanceBy>,
    /// Absent for the account's or the merchant's.
    currency: Option<Currency>,
}

/// Show the balance of an account at an instant
#[utoipa::path(get, path = "/v1/ledger/accounts/{code}/balance", tag = "ledger",
    params(("code" = String, Path, description = "its code", example = "assets:bank"), At),
    responses(
        (status = 200, description = "debits less credits, in minor units", body = BalanceView),
        (status = 404, description = "there is no such account", body = Wire, content_type = "application/problem+json"),
        (status = 409, description = "too many entries around that instant", body = Wire, content_type = "application/problem+json"),
    ))]
async fn account_balance(
    State(gateway): State<Gateway>,
    caller: Caller,
    Segment(code): Segment<String>,
    Params(at): Params<At>,
) -> Result<Reply, Problem> {
    caller.may(Action::ViewLedger)?;
    let by = at.by.unwrap_or_default();
    Ok(Reply::ok(&gateway.app.ledger().balance(&code, at.currency, at.at, by).await?))
}
