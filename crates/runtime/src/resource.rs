//! From a task's resource to what runs it.

use std::sync::Arc;

use asl::resource::{Kind, Pattern};
use asl::{TaskStart, Work};
use serde_json::{Value, json};
use store::message::Message;
use store::{Batch, clock};

use crate::activities::{QUEUE, Queued};
use crate::core::Core;
use crate::task::{Failure, TaskAnswer, TaskCall, TaskHandler};

/// A task ready to be run.
pub(crate) enum Call {
    /// A function of ours; `wrapped` if the result comes as `lambda:invoke` gives it.
    Function { handler: Arc<dyn TaskHandler>, call: TaskCall, wrapped: bool },
    /// A message to a queue.
    Send { queue: String, group: Option<String>, body: Value, delay_ms: i64 },
}

const NO_OBJECTS: &str = "reading items from objects and writing results to them is not available in this version";

/// What may be written, for messages.
pub(crate) const SUPPORTED: &str = "use the ARN of a function or an activity, arn:aws:states:::lambda:invoke or \
     arn:aws:states:::sqs:sendMessage, the latter two also with .waitForTaskToken";

/// Whether the runtime can run tasks of this kind.
pub(crate) fn supported(kind: &Kind, pattern: Pattern) -> bool {
    matches!(kind, Kind::Function { .. } | Kind::LambdaInvoke | Kind::SqsSendMessage | Kind::Activity { .. })
        && matches!(pattern, Pattern::RequestResponse | Pattern::WaitForTaskToken)
}

impl Call {
    /// Whether it acts outside the process.
    pub(crate) fn reaches_out(&self) -> bool {
        matches!(self, Call::Function { handler, .. } if handler.reaches_out())
    }

    pub(crate) async fn run(self) -> Result<TaskAnswer, Failure> {
        match self {
            Call::Function { handler, call, wrapped } => {
                let mut answer = handler.call(call).await?;
                if wrapped {
                    answer.output = json!({"ExecutedVersion": "$LATEST", "Payload": answer.output, "StatusCode": 200});
                }
                Ok(answer)
            }
            Call::Send { queue, group, body, delay_ms } => {
                let mut message = Message::new(queue, &body);
                message.group = group;
                if delay_ms > 0 {
                    message.visible_at = clock::now_ms() + delay_ms;
                }
                let output = json!({"MessageId": store::id::encode(message.id)});
                let mut changes = Batch::new();
                changes.send(message);
                Ok(TaskAnswer { output, changes })
            }
        }
    }
}

impl Core {
    /// What runs this task.
    ///
    /// # Errors
    /// The failure that the flow sees if nothing can.
    pub(crate) fn call_of(&self, id: i64, execution: &str, start: &TaskStart) -> Result<Call, Failure> {
        let missing = |field: &str| {
            Failure::new("States.Runtime", format!("`{}` needs `{field}` in its arguments", start.resource.raw))
        };
        // The item readers and result writers of distributed Maps need an object store, which comes later.
        match start.work {
            Work::Call => {}
            Work::ReadItems(_) => return Err(Failure::new("States.ItemReaderFailed", NO_OBJECTS)),
            Work::WriteResults(_) => return Err(Failure::new("States.ResultWriterFailed", NO_OBJECTS)),
        }
        match &start.resource.kind {
            Kind::Function { name } => self.function(name, execution, start, start.arguments.clone(), false),
            Kind::Activity { name } => {
                let queued = Queued { token: self.tokens.mint(id, start.task), input: start.arguments.clone() };
                let body = serde_json::to_value(queued).unwrap_or_default();
                Ok(Call::Send { queue: format!("{QUEUE}{name}"), group: None, body, delay_ms: 0 })
            }
            Kind::LambdaInvoke => {
                let name = start.arguments.get("FunctionName").and_then(Value::as_str);
                let name = name.ok_or_else(|| missing("FunctionName"))?;
                let name = name.split_once(":function:").map_or(name, |(_, rest)| rest);
                let name = name.split(':').next().unwrap_or(name);
                let payload = start.arguments.get("Payload").cloned().unwrap_or_else(|| json!({}));
                self.function(name, execution, start, payload, true)
            }
            Kind::SqsSendMessage => {
                let url = start.arguments.get("QueueUrl").and_then(Value::as_str);
                let queue = url.and_then(|url| url.rsplit('/').next()).ok_or_else(|| missing("QueueUrl"))?;
                let body = start.arguments.get("MessageBody").ok_or_else(|| missing("MessageBody"))?;
                let group = start.arguments.get("MessageGroupId").and_then(Value::as_str).map(str::to_owned);
                let delay = start.arguments.get("DelaySeconds").and_then(Value::as_i64).unwrap_or(0);
                let delay_ms = delay.clamp(0, 900) * 1_000;
                Ok(Call::Send { queue: queue.to_owned(), group, body: body.clone(), delay_ms })
            }
            _ => {
                let cause = format!("`{}` is not available in this version", start.resource.raw);
                Err(Failure::new("States.Runtime", cause))
            }
        }
    }

    fn function(
        &self,
        name: &str,
        execution: &str,
        start: &TaskStart,
        input: Value,
        wrapped: bool,
    ) -> Result<Call, Failure> {
        let Some(handler) = self.functions.get(name).cloned() else {
            let cause = format!("Function not found: {name}");
            return Err(Failure::new("Lambda.ResourceNotFoundException", cause));
        };
        let key = format!("{execution}/{}", start.path);
        let call = TaskCall { input, key, attempt: start.attempt, now_ms: clock::now_ms() };
        Ok(Call::Function { handler, call, wrapped })
    }
}
