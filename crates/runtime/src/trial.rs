//! The task of one state on its own, for TestState: called once, outside of any execution.

use std::sync::Arc;
use std::time::Duration;

use asl::resource::{Kind, Pattern, Resource};
use asl::{ExecutionInfo, TaskStart, Work};
use serde_json::Value as Json;
use store::id;

use crate::core::Core;
use crate::task::Failure;

/// How long the task may take; TestState of AWS takes as long.
pub const TRIAL_LIMIT: Duration = Duration::from_secs(300);

/// What the ARNs of the surroundings of a trial name.
const NAME: &str = "TestState";

impl Core {
    /// Calls a resource. What it changes is durable when this returns.
    pub(crate) async fn try_task(self: &Arc<Core>, resource: &str, arguments: Json) -> Result<Json, Failure> {
        let resource = Resource::parse(resource).map_err(|problem| Failure::new("States.Runtime", problem))?;
        if resource.pattern != Pattern::RequestResponse || matches!(resource.kind, Kind::Activity { .. }) {
            let cause = format!("nobody would answer `{resource}` in a test; give its result as a mock");
            return Err(Failure::new("States.Runtime", cause));
        }
        let id = id::next();
        let start = TaskStart {
            task: 0,
            state: String::new(),
            resource: Arc::new(resource),
            arguments,
            attempt: 0,
            path: String::new(),
            wait_for_token: false,
            deadline_ms: None,
            heartbeat_s: None,
            credentials: None,
            work: Work::Call,
        };
        let name = id::encode(id);
        let info = ExecutionInfo {
            id: self.execution_arn(NAME, &name),
            name,
            state_machine_id: self.machine_arn(NAME),
            state_machine_name: NAME.into(),
            ..ExecutionInfo::default()
        };
        let called = tokio::time::timeout(TRIAL_LIMIT, self.call_and_commit(id, &info, &start)).await;
        let output = called.unwrap_or_else(|_| Err(Failure::new("States.Timeout", "")))?;
        match self.store.flush().await {
            Ok(()) => Ok(output),
            Err(error) => Err(Failure::new("StoreUnavailable", error.to_string())),
        }
    }
}
