//! Activities: the task is a message that a worker fetches.

use std::sync::Arc;

use async_trait::async_trait;
use store::Batch;
use store::message::Message;

use super::{Answer, Fault, Request, Service};
use crate::activities::{QUEUE, Queued};
use crate::core::Core;

pub(super) struct Activities;

#[async_trait]
impl Service for Activities {
    async fn call(&self, core: &Arc<Core>, request: &Request) -> Result<Answer, Fault> {
        let token = core.tokens.mint(request.execution, request.start.task);
        let queued = Queued { token, input: request.arguments.clone() };
        let name = request.name.as_deref().unwrap_or_default();
        let mut changes = Batch::new();
        changes.send(Message::new(format!("{QUEUE}{name}"), &queued));
        Ok(Answer { changes, ..Answer::default() })
    }
}
