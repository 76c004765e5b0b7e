//! Files: bank statements come in, entries go out.

use std::time::Duration;

use app::ledger::import::{DateOrder, DecimalMark, ImportFormat, ImportOptions, ImportView, MAX_IMPORT_BYTES};
use app::ledger::{Export, ExportFormat};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use domain::Currency;
use futures::stream;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Gateway;
use crate::http::{Action, Caller, Params, Problem, Reply, Wire, read_up_to};
use crate::routes::resource;

resource![import_statement, export_entries];

/// How long a file may take to arrive.
const FILE_TIME: Duration = Duration::from_secs(60);

/// How to read the file.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Reading {
    /// By default `csv`.
    #[param(inline)]
    format: Option<ImportFormat>,
    /// The account whose statement it is; by default `assets:bank`.
    account: Option<String>,
    /// By default that of the file, of the account, or the merchant's.
    currency: Option<Currency>,
    /// `true` changes nothing and says what would happen.
    dry_run: Option<bool>,
    /// Where deposits come from; by default `income:unknown`.
    deposits: Option<String>,
    /// Where withdrawals go; by default `expenses:unknown`.
    withdrawals: Option<String>,
    /// CSV: what separates columns; by default found out.
    delimiter: Option<char>,
    /// CSV: what separates cents; by default `point`.
    #[param(inline)]
    decimal: Option<DecimalMark>,
    /// CSV: `dmy` or `mdy`, where the year does not come first; by default `dmy`.
    #[param(inline)]
    dates: Option<DateOrder>,
    /// CSV: the column of the date, if it is not one of the usual names.
    date_column: Option<String>,
    /// CSV: the column of the amount; above zero is a deposit.
    amount_column: Option<String>,
    /// CSV: the column of the text.
    description_column: Option<String>,
    /// CSV: the column of the bank's id of the line.
    id_column: Option<String>,
}

/// Import a bank statement
///
/// The body is the file, CSV or OFX, at most 8 MiB and 10,000 lines. Everything is imported in one commit, or nothing if a
/// line is rejected; `dryRun=true` lists the rejected lines by number. A line that was imported before is left out.
#[utoipa::path(post, path = "/v1/ledger/import", tag = "ledger", params(Reading),
    request_body(content = String, content_type = "text/plain", description = "the file"),
    responses(
        (status = 200, description = "nothing new, or a dry run", body = ImportView),
        (status = 201, description = "imported", body = ImportView),
        (status = 413, description = "the file is too large", body = Wire, content_type = "application/problem+json"),
        (status = 422, description = "the file or lines of it cannot be imported", body = Wire, content_type = "application/problem+json"),
    ))]
async fn import_statement(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(reading): Params<Reading>,
    request: Request,
) -> Result<Reply, Problem> {
    caller.may(Action::KeepBooks)?;
    let bytes = read_up_to(request, MAX_IMPORT_BYTES, FILE_TIME).await?;
    let options = ImportOptions {
        format: reading.format.unwrap_or_default(),
        account: reading.account,
        currency: reading.currency,
        dry_run: reading.dry_run.unwrap_or_default(),
        deposits: reading.deposits,
        withdrawals: reading.withdrawals,
        delimiter: reading.delimiter,
        decimal: reading.decimal.unwrap_or_default(),
        dates: reading.dates.unwrap_or_default(),
        date_column: reading.date_column,
        amount_column: reading.amount_column,
        description_column: reading.description_column,
        id_column: reading.id_column,
    };
    let view = gateway.app.ledger().import(&bytes, &options).await?;
    let status = if view.first.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply::json(status, &view))
}

/// Which entries, and how.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Writing {
    /// By default `csv`.
    #[param(inline)]
    format: Option<ExportFormat>,
    /// The first merchant day, as 2026-03-01.
    from: Option<String>,
    /// The last.
    to: Option<String>,
}

/// Export entries as CSV, JSON lines or a journal for hledger
///
/// Streams, however many there are. A stream that breaks off is not whole: look at the end of the connection.
#[utoipa::path(get, path = "/v1/ledger/export", tag = "ledger", params(Writing), responses(
    (status = 200, description = "the entries in the order in which they were recorded", content(
        (String = "text/csv"), (String = "application/x-ndjson"), (String = "text/plain"),
    )),
    (status = 422, description = "a parameter is wrong", body = Wire, content_type = "application/problem+json"),
))]
async fn export_entries(
    State(gateway): State<Gateway>,
    caller: Caller,
    Params(writing): Params<Writing>,
) -> Result<Response, Problem> {
    caller.may(Action::ViewLedger)?;
    let format = writing.format.unwrap_or_default();
    let export = gateway.app.ledger().export(format, writing.from.as_deref(), writing.to.as_deref())?;
    let pieces = stream::unfold(Some(export), |export: Option<Export>| async move {
        let mut export = export?;
        match export.next().await {
            Ok(Some(text)) => Some((Ok(Bytes::from(text)), Some(export))),
            Ok(None) => None,
            // The answer has begun: breaking it off is the one way left to say so.
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "an export broke off");
                Some((Err(error), None))
            }
        }
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let kind = match format {
        ExportFormat::Csv => "text/csv; charset=utf-8",
        ExportFormat::Json => "application/x-ndjson",
        ExportFormat::Hledger => "text/plain; charset=utf-8",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}
