//! TestState: one state on its own, with or without a mock of its result.

use asl::{ExecutionInfo, Mock, Refused, Tested};
use serde_json::Value;
use store::clock;

use super::fault::Fault;
use super::params::Params;
use super::{Call, input};

/// The most characters of a definition, of an input and of what else is given as JSON.
const DEFINITION: usize = 1_048_576;
const DATA: usize = 262_144;
/// The most characters of a state's name.
const NAME: usize = 80;
/// The most retries that may have been before.
const RETRIES: i64 = 99_999_999;

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Fault {
        Fault::new(refused.code, refused.message)
    }
}

/// Checks the parameters against the model of the API.
fn check(params: &Params) -> Result<(), Fault> {
    params.required("definition")?;
    params.bounded("definition", DEFINITION)?;
    for name in ["variables", "context"] {
        params.bounded(name, DATA)?;
    }
    params.at_least("stateName", 1)?;
    params.bounded("stateName", NAME)?;
    params.bounded("roleArn", 256)?;
    params.word("inspectionLevel", &["INFO", "DEBUG", "TRACE"])?;
    params.flag("revealSecrets")?;
    if let Some(mock) = params.nested("mock")? {
        mock.bounded("result", DATA)?;
        mock.word("fieldValidationMode", &["PRESENT", "STRICT", "NONE"])?;
        if let Some(error) = mock.nested("errorOutput")? {
            error.bounded("error", 256)?;
            error.bounded("cause", 32_768)?;
        }
    }
    if let Some(configuration) = params.nested("stateConfiguration")? {
        configuration.between("retrierRetryCount", 0, RETRIES)?;
        configuration.between("mapIterationFailureCount", 0, RETRIES)?;
        configuration.bounded("errorCausedByState", NAME)?;
        configuration.bounded("mapItemReaderData", DATA)?;
    }
    let given = params.bounded("input", DATA)?.unwrap_or("{}");
    input::parse(given).map(drop).map_err(|problem| {
        Fault::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{problem}'"))
    })
}

pub(super) async fn test(call: &Call<'_>) -> Result<Value, Fault> {
    check(&call.params)?;
    let (info, now_ms) = (info(call)?, clock::now_ms());
    let request = call.params.to_value();
    let (resource, arguments) = match asl::test_state(&request, None, &info, now_ms)? {
        Tested::Done(answer) => return Ok(answer),
        Tested::Call { resource, arguments } => (resource, arguments),
    };
    let called = match call.engine().try_task(&resource, arguments).await {
        Ok(output) => Mock::Result(output),
        Err(failure) => Mock::Error(Some(failure.error), Some(failure.cause)),
    };
    match asl::test_state(&request, Some(called), &info, now_ms)? {
        Tested::Done(answer) => Ok(answer),
        Tested::Call { resource, .. } => {
            Err(Fault::new("ValidationException", format!("`{resource}` is called twice")))
        }
    }
}

/// What the context object shows, unless the call gives one.
fn info(call: &Call<'_>) -> Result<ExecutionInfo, Fault> {
    let id = store::id::next();
    let name = store::id::encode(id);
    Ok(ExecutionInfo {
        id: call.arn(&format!("express:{name}:{name}")),
        role_arn: call.params.text("roleArn")?.unwrap_or_default().to_owned(),
        state_machine_id: call.arn(&format!("stateMachine:{name}")),
        state_machine_name: name.clone(),
        name,
        seed: id.unsigned_abs(),
        ..ExecutionInfo::default()
    })
}
