//! Runs flows durably: journal, timers, tasks, callbacks, queues. Knows no order.
//!
//! Everything that has to happen is a message (a row of [`store::message::MESSAGES`]) in the commit that demands it: a flow
//! to start, the answer to a task token, a timer, a mail to send. The runtime hears of it through its [`Builder::store`]
//! while the commit is applied and not yet durable, handles it, and deletes it in the commit of the effects. A message
//! that comes and goes between two syncs is never written.
//!
//! Invariant: an effect and the deletion of the message that caused it are one commit; so is a function's change and the
//! journal's record of its result. A crash repeats only what was not committed.

mod activities;
mod api;
mod callbacks;
mod core;
mod dispatch;
mod execution;
mod express;
mod flow;
mod inspect;
mod journal;
mod machines;
mod map_runs;
mod queue;
mod relay;
mod services;
mod starts;
mod tables;
mod task;
mod token;
mod trial;
mod versions;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use object_store::ObjectStore;
use parking_lot::Mutex;
use store::message::{START_FLOW, TASK_RESULT, TaskResult};
use store::{Batch, BoxError, Query, Store};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

pub use crate::core::Config;
pub use activities::{Activity, ActivityTask};
pub use callbacks::{Report, ReportError};
pub use dispatch::{DEAD, MAX_RECEIVES};
pub use express::{EXPRESS_LIMIT, ExpressRun};
pub use flow::{Flow, FlowError};
pub use inspect::{Description, Listing, MAX_MESSAGES, MessageView, Stats};
pub use machines::{
    MAX_TAGS, MachineError, MachineKind, MachineUpdate, NewMachine, Revision, StateMachine, Version, check_definition,
};
pub use map_runs::{ChildExecution, MAX_CHILDREN, MapRunView};
pub use queue::QueueFigures;
pub use services::{
    Authorization, Bus, Connection, FunctionEndpoint, Functions, KeyAttribute, Resources, Rule, Secret, Subscription,
    TableSchema, Topic,
};
pub use starts::{Filter, Place, StartError, Started, Summary, Target};
pub use tables::{EXECUTIONS, FLOWS, JOURNAL, tables};
pub use task::{Failure, QueueHandler, Received, TaskAnswer, TaskCall, TaskHandler};
pub use token::Tokens;
pub use trial::TRIAL_LIMIT;
pub use versions::{Alias, MAX_ALIASES};

use crate::core::{Core, Resting};
use dispatch::TIMERS;
use execution::Incoming;
use queue::Queues;
use relay::Relay;
use services::{START_EXECUTION, STOP_EXECUTION, Services};

/// Messages of the runtime's own queues that are handled at the same time.
const INNER_CONCURRENCY: usize = 1_024;
/// Executions taken up again per page after a restart.
const RECOVERY_PAGE: usize = 500;

/// Puts a runtime together.
pub struct Builder {
    relay: Arc<Relay>,
    through: Option<Arc<dyn Store>>,
    key: [u8; 32],
    config: Config,
    functions: HashMap<String, Arc<dyn TaskHandler>>,
    consumers: HashMap<String, Arc<dyn QueueHandler>>,
    resources: Resources,
    objects: Option<Arc<dyn ObjectStore>>,
}

impl Builder {
    /// A runtime on this store, whose tables must include [`tables`]. The key makes task tokens; it must stay the same.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, key: [u8; 32], config: Config) -> Builder {
        let relay = Arc::new(Relay::new(store));
        Builder {
            relay,
            through: None,
            key,
            config,
            functions: HashMap::new(),
            consumers: HashMap::new(),
            resources: Resources::default(),
            objects: None,
        }
    }

    /// The store to use from now on: the runtime hears of the messages in what it commits.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.relay.clone()
    }

    /// The runtime's own commits go through this store, a wrapper of [`Builder::store`] that wants to see them.
    #[must_use]
    pub fn through(mut self, store: Arc<dyn Store>) -> Builder {
        self.through = Some(store);
        self
    }

    /// Adds a function that flows call by this name.
    #[must_use]
    pub fn function(mut self, name: impl Into<String>, handler: Arc<dyn TaskHandler>) -> Builder {
        self.functions.insert(name.into(), handler);
        self
    }

    /// Adds the consumer of a queue.
    #[must_use]
    pub fn consumer(mut self, queue: impl Into<String>, handler: Arc<dyn QueueHandler>) -> Builder {
        self.consumers.insert(queue.into(), handler);
        self
    }

    /// What flows may use beside functions and queues; [`Resources::resolve`]d.
    #[must_use]
    pub fn resources(mut self, resources: Resources) -> Builder {
        self.resources = resources;
        self
    }

    /// Where the objects of flows are: a folder (or prefix) for each bucket.
    #[must_use]
    pub fn objects(mut self, objects: Arc<dyn ObjectStore>) -> Builder {
        self.objects = Some(objects);
        self
    }

    /// The runtime. It does nothing until [`Runtime::start`].
    #[must_use]
    pub fn build(self) -> Runtime {
        let mut queues = Queues::default();
        queues.stop();
        queues.declare(START_FLOW, self.config.concurrency);
        queues.declare(TASK_RESULT, INNER_CONCURRENCY);
        queues.declare(TIMERS, INNER_CONCURRENCY);
        queues.declare(START_EXECUTION, INNER_CONCURRENCY);
        queues.declare(STOP_EXECUTION, INNER_CONCURRENCY);
        let express = express::Starter::default();
        let mut consumers = self.consumers;
        consumers.insert(express::QUEUE.into(), Arc::new(express.clone()));
        for (queue, consumer) in &consumers {
            queues.declare(queue, consumer.concurrency());
        }
        let store = self.through.unwrap_or_else(|| self.relay.clone());
        let core = Arc::new(Core {
            flows: flow::Flows::new(store.clone()),
            places: Semaphore::new(self.config.concurrency.max(1)),
            store,
            tokens: Tokens::new(&self.key),
            config: self.config,
            services: Services::new(self.resources, self.objects),
            functions: self.functions,
            consumers,
            queues: Mutex::new(queues),
            active: Mutex::default(),
            resting: Mutex::new(Resting::default()),
            wake: Notify::new(),
            sleeps_until: AtomicI64::new(0),
            fetchers: Notify::new(),
            started: AtomicU64::new(0),
            finished: AtomicU64::new(0),
        });
        self.relay.attach(&core);
        express.attach(&core);
        Runtime { core, clock: Mutex::new(None) }
    }
}

/// The runtime. Dropping it takes no new work; what is under way ends with the process, as in a crash.
pub struct Runtime {
    core: Arc<Core>,
    clock: Mutex<Option<JoinHandle<()>>>,
}

impl Runtime {
    /// Makes this text the latest version of a flow. Executions under way keep theirs.
    ///
    /// # Errors
    /// [`FlowError`]: the definition is not valid or could not be stored.
    pub async fn register_flow(&self, name: &str, text: &str) -> Result<Arc<Flow>, FlowError> {
        let flow = self.core.flows.register(name, text).await?;
        self.core.adopt(&flow).await.map_err(|e| FlowError::Store(e.into()))?;
        Ok(flow)
    }

    /// Takes up what was under way when the process ended, and begins to work.
    ///
    /// # Errors
    /// The store cannot be read, or a table was declared with another key before.
    pub async fn start(&self) -> Result<(), BoxError> {
        self.core.declare_tables().await?;
        self.core.queues.lock().go();
        let query = Query::index(&EXECUTIONS, "by_owner", 1).limit(RECOVERY_PAGE);
        let mut after = None;
        loop {
            let page = self.core.store.query(query.clone().after(after)).await?;
            for id in page.rows.iter().filter_map(|row| row.key().int()) {
                self.core.deliver(id, Incoming::Resume, None);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let clock = tokio::spawn(self.core.clone().run_clock());
        if let Some(before) = self.clock.lock().replace(clock) {
            before.abort();
        }
        self.core.resume_deletions().await?;
        Ok(())
    }

    /// Takes no new work, and waits until what is under way is committed, at most this long; then makes it durable.
    ///
    /// # Errors
    /// The store can no longer make it durable.
    pub async fn stop(&self, limit: Duration) -> Result<(), BoxError> {
        self.core.queues.lock().stop();
        let rested = async {
            while self.core.queues.lock().running() > 0 || !self.core.active.lock().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(limit, rested).await.is_err() {
            tracing::warn!("work is still under way; it goes on at the next start");
        }
        if let Some(clock) = self.clock.lock().take() {
            clock.abort();
        }
        tokio::time::timeout(limit, self.core.store.flush()).await.map_err(|_| "the store cannot write now")??;
        Ok(())
    }

    /// The store through which the runtime hears of messages.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.core.store.clone()
    }

    /// How the runtime is doing.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// Flow starts that wait for their turn.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.core.queues.lock().depth(START_FLOW)
    }

    /// One execution; `None` if there is none of that id.
    ///
    /// # Errors
    /// The store cannot be read, or the journal is damaged.
    pub async fn describe(&self, id: i64) -> Result<Option<Description>, BoxError> {
        self.core.describe(id).await
    }

    /// The history of an execution in the shape of AWS, derived from the journal.
    ///
    /// # Errors
    /// The store cannot be read, or the journal is damaged.
    pub async fn history(&self, id: i64) -> Result<Option<Vec<asl::HistoryEvent>>, BoxError> {
        self.core.history(id).await
    }

    /// Answers a task by its token: an output, or an error and its cause. Durable when it returns.
    ///
    /// # Errors
    /// The token is not one of this store, or the store is unavailable.
    pub async fn answer_task(&self, token: &str, answer: Result<serde_json::Value, Failure>) -> Result<(), BoxError> {
        if self.core.tokens.open(token).is_none() {
            return Err("the task token is not one of this store".into());
        }
        let (output, failure) = match answer {
            Ok(output) => (Some(output), None),
            Err(failure) => (None, Some(failure)),
        };
        let (error, cause) = failure.map(|f| (f.error, f.cause)).unzip();
        let mut batch = Batch::new();
        batch
            .send(store::message::Message::new(TASK_RESULT, &TaskResult { token: token.into(), output, error, cause }));
        self.core.store.commit(batch).await?.durable().await?;
        Ok(())
    }

    /// Durable messages of a queue, the next first; of its dead-letter queue under its name followed by [`DEAD`].
    ///
    /// # Errors
    /// The store cannot be read, or the cursor is not one of this queue.
    pub async fn messages(
        &self,
        queue: &str,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Listing<MessageView>, BoxError> {
        self.core.messages(queue, cursor, limit).await
    }

    /// Moves up to [`MAX_MESSAGES`] dead messages back to their queue, with their receives set to none.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn redrive(&self, queue: &str) -> Result<usize, BoxError> {
        self.core.redrive(queue).await
    }

    /// Takes messages of a queue that has no consumer here. Each is hidden for that long; who has handled one deletes it
    /// with [`Runtime::delete_message`].
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn receive(&self, queue: &str, most: usize, visibility: Duration) -> Result<Vec<MessageView>, BoxError> {
        let visibility_ms = i64::try_from(visibility.as_millis()).unwrap_or(i64::MAX);
        self.core.receive(queue, most, visibility_ms).await
    }

    /// Deletes a received message. Durable when it returns.
    ///
    /// # Errors
    /// The store is unavailable.
    pub async fn delete_message(&self, id: i64) -> Result<(), BoxError> {
        let mut batch = Batch::new();
        batch.delete(&store::message::MESSAGES, id);
        self.core.store.commit(batch).await?.durable().await?;
        Ok(())
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.core.queues.lock().stop();
        if let Some(clock) = self.clock.lock().take() {
            clock.abort();
        }
    }
}
