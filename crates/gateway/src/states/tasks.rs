//! Workers report by the task token.

use asl::jackson;
use runtime::Report;
use serde_json::{Value, json};

use super::Call;
use super::fault::Fault;

/// The most bytes of an output.
const OUTPUT: usize = 262_144;

async fn report(call: &Call<'_>, report: Report) -> Result<Value, Fault> {
    call.params.required("taskToken")?;
    let token = call.params.text("taskToken").unwrap_or_default();
    call.engine().report(token, report).await?;
    Ok(json!({}))
}

pub(super) async fn succeed(call: &Call<'_>) -> Result<Value, Fault> {
    call.params.required("output")?;
    let text = call.params.text("output").unwrap_or_default();
    let invalid = |problem: &str| Fault::new("InvalidOutput", format!("Invalid Output: '{problem}'"));
    if text.len() > OUTPUT {
        return Err(invalid("The output has more than 262144 bytes in UTF-8."));
    }
    let output = jackson::parse(text).map_err(|problem| invalid(&problem))?;
    report(call, Report::Success(output)).await
}

pub(super) async fn fail(call: &Call<'_>) -> Result<Value, Fault> {
    let error = call.params.text("error").map(str::to_owned);
    let cause = call.params.text("cause").map(str::to_owned);
    report(call, Report::Failure { error, cause }).await
}

pub(super) async fn beat(call: &Call<'_>) -> Result<Value, Fault> {
    report(call, Report::Heartbeat).await
}
