//! TestState: one state on its own, with or without a mock of its result.

use asl::{ExecutionInfo, Mock, Refused, Tested, jackson};
use serde_json::Value;
use store::clock;

use super::Call;
use super::fault::Fault;

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Fault {
        Fault::new(refused.code, refused.message)
    }
}

pub(super) async fn test(call: &Call<'_>) -> Result<Value, Fault> {
    jackson::parse(call.params.text("input").unwrap_or("{}")).map_err(|problem| {
        Fault::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{problem}'"))
    })?;
    let (info, now_ms) = (info(call), clock::now_ms());
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
fn info(call: &Call<'_>) -> ExecutionInfo {
    let id = store::id::next();
    let name = store::id::encode(id);
    ExecutionInfo {
        id: call.arn(&format!("express:{name}:{name}")),
        role_arn: call.params.text("roleArn").unwrap_or_default().to_owned(),
        state_machine_id: call.arn(&format!("stateMachine:{name}")),
        state_machine_name: name.clone(),
        name,
        seed: id.unsigned_abs(),
        ..ExecutionInfo::default()
    }
}
