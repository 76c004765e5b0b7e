//! The application's functions and consumers as the engine calls them.

use std::sync::Arc;

use app::{Call, Consumer, Delivery, Function, FunctionError};
use async_trait::async_trait;
use runtime::{Builder, Failure, QueueHandler, Received, TaskAnswer, TaskCall, TaskHandler};
use store::Batch;

struct Task(Arc<dyn Function>);
struct Queue(Arc<dyn Consumer>);

/// Adds all functions under their names.
pub(crate) fn functions(builder: Builder, functions: Vec<Arc<dyn Function>>) -> Builder {
    functions.into_iter().fold(builder, |builder, f| builder.function(f.name(), Arc::new(Task(f))))
}

/// Adds all consumers to their queues.
pub(crate) fn consumers(builder: Builder, consumers: Vec<Arc<dyn Consumer>>) -> Builder {
    consumers.into_iter().fold(builder, |builder, c| builder.consumer(c.queue(), Arc::new(Queue(c))))
}

fn failure(error: FunctionError) -> Failure {
    Failure::new(error.error, error.cause)
}

#[async_trait]
impl TaskHandler for Task {
    fn reaches_out(&self) -> bool {
        self.0.reaches_out()
    }

    async fn call(&self, call: TaskCall) -> Result<TaskAnswer, Failure> {
        let call = Call { input: call.input, key: call.key, attempt: call.attempt + 1, now_ms: call.now_ms };
        let answer = self.0.call(call).await.map_err(failure)?;
        Ok(TaskAnswer { output: answer.output, changes: answer.changes })
    }
}

#[async_trait]
impl QueueHandler for Queue {
    fn reaches_out(&self) -> bool {
        self.0.reaches_out()
    }

    fn concurrency(&self) -> usize {
        self.0.concurrency()
    }

    async fn handle(&self, message: Received) -> Result<Batch, Failure> {
        let delivery =
            Delivery { id: message.id, body: message.body, receives: message.receives, now_ms: message.now_ms };
        self.0.consume(delivery).await.map_err(failure)
    }
}
