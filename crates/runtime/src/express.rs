//! Express executions: in memory, without a journal, for at most [`EXPRESS_LIMIT`].
//!
//! What their functions change is committed call by call; after a crash an execution that was started asynchronously
//! begins again, because its message is deleted only when it has ended.

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use asl::{Command, Event, ExecutionInfo, Machine, Moment, NoHistory, Outcome, TaskId, TaskStart, TimerId};
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::future::{AbortHandle, Abortable};
use futures::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use store::message::Message;
use store::{Batch, BoxError, CommitError, clock, id};

use crate::core::{Core, MAX_CONFLICTS};
use crate::execution::{failed, run_call, status};
use crate::flow::Flow;
use crate::machines::uuid;
use crate::services::Answer;
use crate::starts::{Started, Target};
use crate::task::{Failure, QueueHandler, Received};

/// How long an Express execution may take.
pub const EXPRESS_LIMIT: Duration = Duration::from_secs(300);
/// The queue of asynchronous starts; the body is a [`Start`].
pub(crate) const QUEUE: &str = "start-express";
/// Asynchronous Express executions at work at once.
const CONCURRENCY: usize = 256;

/// How an Express execution went.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpressRun {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// SUCCEEDED, FAILED or TIMED_OUT.
    pub status: &'static str,
    /// Milliseconds since the epoch.
    pub started_at: i64,
    /// Milliseconds since the epoch.
    pub stopped_at: i64,
    /// What it gave.
    pub output: Option<Json>,
    /// The error's name, if it failed.
    pub error: Option<String>,
    /// Why it failed.
    pub cause: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Start {
    flow_id: i64,
    name: String,
    run: String,
    input: Json,
}

type Finished = (TaskStart, Result<Json, Failure>);
type Running = FuturesUnordered<Abortable<Pin<Box<dyn Future<Output = Finished> + Send>>>>;

/// An execution at work.
struct Run {
    id: i64,
    machine: Machine,
    running: Running,
    aborts: HashMap<TaskId, AbortHandle>,
    timers: BTreeSet<(i64, TimerId)>,
}

impl Core {
    fn express_arn(&self, machine: &str, name: &str, run: &str) -> String {
        format!("arn:aws:states:{}:{}:express:{machine}:{name}:{run}", self.config.region, self.config.account)
    }

    fn express_info(&self, id: i64, flow: &Flow, name: &str, run: &str) -> ExecutionInfo {
        ExecutionInfo { id: self.express_arn(&flow.name, name, run), ..self.info(id, flow, name) }
    }

    /// Runs an Express execution to its end. What it changed is durable when this returns.
    pub(crate) async fn run_express(
        self: &Arc<Core>,
        target: &Target,
        name: Option<&str>,
        input: Json,
    ) -> Result<ExpressRun, BoxError> {
        let flow = self.flows.version(target.flow_id).await?.ok_or("the version of its flow is missing")?;
        let name = name.map_or_else(uuid, str::to_owned);
        let (run, started_at) = (uuid(), clock::now_ms());
        let arn = self.express_arn(&flow.name, &name, &run);
        let outcome = self.express(&flow, &name, &run, input).await;
        self.store.flush().await?;
        let (output, error, cause) = match &outcome {
            Outcome::Succeeded { output } => (Some(output.clone()), None, None),
            Outcome::Failed { error, cause }
            | Outcome::TimedOut { error, cause }
            | Outcome::Aborted { error, cause } => (None, error.clone(), cause.clone()),
        };
        let (status, stopped_at) = (status(Some(&outcome)), clock::now_ms());
        Ok(ExpressRun { arn, name, status, started_at, stopped_at, output, error, cause })
    }

    /// Starts an Express execution. Durable when it returns.
    pub(crate) async fn start_express(
        &self,
        target: &Target,
        name: Option<&str>,
        input: Json,
    ) -> Result<Started, BoxError> {
        let started_at = clock::now_ms();
        let (message, arn) = self.express_message(target, name, input);
        let mut batch = Batch::new();
        batch.send(message);
        self.store.commit(batch).await?.durable().await?;
        Ok(Started { arn, started_at })
    }

    /// The message that starts an Express execution, and its ARN.
    pub(crate) fn express_message(&self, target: &Target, name: Option<&str>, input: Json) -> (Message, String) {
        let name = name.map_or_else(uuid, str::to_owned);
        let start = Start { flow_id: target.flow_id, name, run: uuid(), input };
        let arn = self.express_arn(&target.machine.name, &start.name, &start.run);
        (Message::new(QUEUE, &start), arn)
    }

    async fn express(self: &Arc<Core>, flow: &Flow, name: &str, run: &str, input: Json) -> Outcome {
        let id = id::next();
        let mut run = Run {
            id,
            machine: Machine::new(flow.definition.clone(), self.express_info(id, flow, name, run)),
            running: FuturesUnordered::new(),
            aborts: HashMap::new(),
            timers: BTreeSet::new(),
        };
        let end = tokio::time::sleep(EXPRESS_LIMIT);
        let mut end = std::pin::pin!(end);
        self.step(&mut run, Event::Started { input });
        loop {
            if let Some(outcome) = run.machine.outcome() {
                return outcome.clone();
            }
            let pause = run.timers.first().map_or(EXPRESS_LIMIT, |(at, _)| {
                Duration::from_millis(u64::try_from(at - clock::now_ms()).unwrap_or(0))
            });
            tokio::select! {
                () = &mut end => {
                    return Outcome::TimedOut { error: Some("States.Timeout".into()), cause: None };
                }
                Some(finished) = run.running.next() => {
                    if let Ok((start, result)) = finished {
                        run.aborts.remove(&start.task);
                        let event = match result {
                            Ok(output) => Event::TaskSucceeded { task: start.task, output },
                            Err(failure) => failed(&start, failure),
                        };
                        self.step(&mut run, event);
                    }
                }
                () = tokio::time::sleep(pause) => {
                    let due = run.timers.first().copied().filter(|(at, _)| *at <= clock::now_ms());
                    if let Some((at, timer)) = due {
                        run.timers.remove(&(at, timer));
                        self.step(&mut run, Event::TimerFired { timer });
                    }
                }
            }
        }
    }

    fn step(self: &Arc<Core>, run: &mut Run, event: Event) {
        let mut commands = Vec::new();
        let id = run.id;
        let token = |task: TaskId| self.tokens.mint(id, task);
        let moment = Moment { now_ms: clock::now_ms(), task_token: &token };
        run.machine.apply(event, &moment, &mut commands, &mut NoHistory);
        for command in commands {
            match command {
                Command::StartTask(start) => {
                    let (abort, registration) = AbortHandle::new_pair();
                    run.aborts.insert(start.task, abort);
                    let core = self.clone();
                    let info = run.machine.info().clone();
                    let future: Pin<Box<dyn Future<Output = Finished> + Send>> = Box::pin(async move {
                        let result = core.call_and_commit(id, &info, &start).await;
                        (start, result)
                    });
                    run.running.push(Abortable::new(future, registration));
                }
                Command::CancelTask { task } => {
                    if let Some(abort) = run.aborts.remove(&task) {
                        abort.abort();
                    }
                }
                Command::SetTimer { timer, at_ms } => drop(run.timers.insert((at_ms, timer))),
                Command::CancelTimer { timer } => run.timers.retain(|(_, other)| *other != timer),
                Command::Finish(_) => {}
            }
        }
    }

    /// Calls a function and commits what it changes; calls it anew when that conflicts with another writer.
    pub(crate) async fn call_and_commit(
        self: &Arc<Core>,
        id: i64,
        info: &ExecutionInfo,
        start: &TaskStart,
    ) -> Result<Json, Failure> {
        let key = id::encode(id);
        for _ in 0..MAX_CONFLICTS {
            let call = self.call_of(id, &key, info, start)?;
            let Answer { output, changes, .. } = run_call(self, call).await?;
            if changes.is_empty() {
                return Ok(output);
            }
            match self.store.commit(changes).await {
                Ok(_) => return Ok(output),
                Err(CommitError::Conflict { .. } | CommitError::BelowFloor { .. }) => {}
                Err(CommitError::Invalid(problem)) => return Err(Failure::new("States.Runtime", problem)),
                Err(CommitError::Unavailable(e)) => return Err(Failure::new("StoreUnavailable", e.to_string())),
            }
        }
        Err(Failure::new("StoreConflict", "its changes conflicted with other writers every time"))
    }
}

/// Runs what was started asynchronously.
#[derive(Clone, Default)]
pub(crate) struct Starter {
    core: Arc<OnceLock<Weak<Core>>>,
}

impl Starter {
    pub(crate) fn attach(&self, core: &Arc<Core>) {
        // Attached once, where the runtime is built.
        let _ = self.core.set(Arc::downgrade(core));
    }
}

#[async_trait]
impl QueueHandler for Starter {
    fn reaches_out(&self) -> bool {
        false
    }

    fn concurrency(&self) -> usize {
        CONCURRENCY
    }

    fn limit(&self) -> Duration {
        EXPRESS_LIMIT + Duration::from_secs(60)
    }

    async fn handle(&self, message: Received) -> Result<Batch, Failure> {
        let Some(core) = self.core.get().and_then(Weak::upgrade) else {
            return Err(Failure::new("Stopped", "the engine is gone"));
        };
        let start: Start =
            serde_json::from_value(message.body).map_err(|e| Failure::new("InvalidMessage", e.to_string()))?;
        let flow = core.flows.version(start.flow_id).await;
        let flow = flow.map_err(|e| Failure::new("StoreUnavailable", e.to_string()))?;
        let flow = flow.ok_or_else(|| Failure::new("UnknownFlow", "the version of its flow is missing"))?;
        let outcome = core.express(&flow, &start.name, &start.run, start.input).await;
        tracing::debug!(name = start.name, status = status(Some(&outcome)), "an express execution has ended");
        Ok(Batch::new())
    }
}
