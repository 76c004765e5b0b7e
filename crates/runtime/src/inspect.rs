//! Looking at executions and queues.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use asl::{HistoryEvent, Machine, Moment, NoHistory, Outcome, TaskId};
use serde::Serialize;
use store::message::{MESSAGES, START_FLOW};
use store::{Batch, BoxError, CommitError, Key, Query, Row, Value, clock};

use crate::core::Core;
use crate::dispatch::DEAD;
use crate::execution::status;
use crate::flow::Flow;
use crate::journal::{self, Record};
use crate::queue::{Item, QueueFigures};
use crate::tables::EXECUTIONS;

/// The most messages that one call receives or redrives.
pub const MAX_MESSAGES: usize = 100;

/// How the runtime is doing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Flow starts that wait for their turn, in memory.
    pub backlog: usize,
    /// Executions at work.
    pub active: usize,
    /// Waiting executions whose state is in memory.
    pub resting: usize,
    /// Executions started since the process began.
    pub started: u64,
    /// Executions ended since the process began.
    pub finished: u64,
    /// The queues that were used since the process began.
    pub queues: Vec<QueueFigures>,
}

/// An execution as the Step Functions API describes it, and what it waits for.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// Its id; the id of the message that started it.
    pub id: i64,
    /// Its ARN.
    pub arn: String,
    /// The flow.
    pub flow: String,
    /// The version of the flow that it is pinned to.
    pub flow_id: i64,
    /// Its name.
    pub name: String,
    /// RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED.
    pub status: String,
    /// Milliseconds since the epoch.
    pub started_at: i64,
    /// Milliseconds since the epoch.
    pub stopped_at: Option<i64>,
    /// What it was given.
    pub input: serde_json::Value,
    /// What it gave.
    pub output: Option<serde_json::Value>,
    /// The error's name, if it failed.
    pub error: Option<String>,
    /// Why it failed.
    pub cause: Option<String>,
    /// The states that it is at.
    pub waiting_for: Vec<String>,
    /// How often it was redriven.
    pub redrives: u32,
    /// When it was redriven last, in milliseconds since the epoch.
    pub redriven_at: Option<i64>,
    /// Whether it failed and can go on from there.
    pub redrivable: bool,
}

/// A message, for people who look at a queue.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageView {
    /// Its id.
    pub id: i64,
    /// Its queue.
    pub queue: String,
    /// Its group, if it has one.
    pub group: Option<String>,
    /// JSON.
    pub body: serde_json::Value,
    /// How often it was received.
    pub receives: i64,
    /// Not before this instant, in milliseconds since the epoch.
    pub visible_at: i64,
    /// When it was sent, in milliseconds since the epoch.
    pub sent_at: i64,
    /// Why the last receive failed.
    pub error: Option<String>,
}

impl MessageView {
    fn of(row: &Row) -> Option<MessageView> {
        let id = row.key().int()?;
        let body = row.text("body").unwrap_or("null");
        Some(MessageView {
            id,
            queue: row.text("queue")?.to_owned(),
            group: row.text("group_id").map(str::to_owned),
            body: serde_json::from_str(body).unwrap_or_else(|_| body.into()),
            receives: row.int("receives").unwrap_or_default(),
            visible_at: row.int("visible_at").unwrap_or_default(),
            sent_at: store::id::time_ms(id),
            error: row.text("error").map(str::to_owned),
        })
    }
}

/// Rows and where to go on.
#[derive(Debug, Clone, Serialize)]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl Core {
    pub(crate) fn stats(&self) -> Stats {
        let (backlog, queues) = {
            let queues = self.queues.lock();
            (queues.depth(START_FLOW), queues.figures())
        };
        Stats {
            backlog,
            active: self.active.lock().len(),
            resting: self.resting.lock().len(),
            started: self.started.load(Ordering::Relaxed),
            finished: self.finished.load(Ordering::Relaxed),
            queues,
        }
    }

    /// Replays an execution, pushing its history to the sink.
    pub(crate) async fn retell(
        &self,
        id: i64,
        sink: &mut (dyn asl::HistorySink + Send),
    ) -> Result<Option<(Row, Arc<Flow>, Machine, serde_json::Value)>, BoxError> {
        let Some(row) = self.store.get(&EXECUTIONS, &Key::Int(id)).await? else { return Ok(None) };
        let flow = self.flows.version(row.int("flow_id").unwrap_or_default()).await?;
        let flow = flow.ok_or("the version of its flow is missing")?;
        let name = row.text("name").unwrap_or_default();
        let mut machine = Machine::new(flow.definition.clone(), self.info(id, &flow, name));
        let mut input = serde_json::Value::Null;
        let mut commands = Vec::new();
        for segment in 0..row.int("segments").unwrap_or_default() {
            for record in journal::read(&self.segment_text(id, segment).await?)? {
                let token = |task: TaskId| self.tokens.mint(id, task);
                let (at_ms, event) = match record {
                    Record::Event { at_ms, event } => (at_ms, event),
                    Record::Redriven { at_ms, .. } => {
                        machine.redrive(&Moment { now_ms: at_ms, task_token: &token }, &mut commands, sink);
                        commands.clear();
                        continue;
                    }
                    Record::Timer { .. } | Record::Child { .. } => continue,
                };
                if let asl::Event::Started { input: given } = &event {
                    input = given.clone();
                }
                machine.apply(event, &Moment { now_ms: at_ms, task_token: &token }, &mut commands, sink);
                commands.clear();
            }
        }
        Ok(Some((row, flow, machine, input)))
    }

    pub(crate) async fn describe(&self, id: i64) -> Result<Option<Description>, BoxError> {
        let Some((row, flow, machine, input)) = self.retell(id, &mut NoHistory).await? else { return Ok(None) };
        let name = row.text("name").unwrap_or_default().to_owned();
        let (output, error, cause) = match machine.outcome() {
            None => (None, None, None),
            Some(Outcome::Succeeded { output }) => (Some(output.clone()), None, None),
            Some(
                Outcome::Failed { error, cause }
                | Outcome::TimedOut { error, cause }
                | Outcome::Aborted { error, cause },
            ) => (None, error.clone(), cause.clone()),
        };
        Ok(Some(Description {
            id,
            arn: self.info(id, &flow, &name).id,
            flow: flow.name.clone(),
            flow_id: flow.id,
            name,
            status: status(machine.outcome()).to_owned(),
            started_at: row.int("started_at").unwrap_or_default(),
            stopped_at: row.int("stopped_at"),
            input,
            output,
            error,
            cause,
            waiting_for: machine.current_states(),
            redrives: machine.info().redrive_count,
            redriven_at: machine.info().redriven_ms,
            redrivable: machine.can_redrive(),
        }))
    }

    pub(crate) async fn history(&self, id: i64) -> Result<Option<Vec<HistoryEvent>>, BoxError> {
        let mut events: Vec<HistoryEvent> = Vec::new();
        Ok(self.retell(id, &mut events).await?.map(|_| events))
    }

    pub(crate) async fn messages(
        &self,
        queue: &str,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Listing<MessageView>, BoxError> {
        let query = Query::index(&MESSAGES, "by_queue", queue).limit(limit.clamp(1, MAX_MESSAGES)).after(cursor);
        let page = self.store.query(query).await?;
        Ok(Listing { items: page.rows.iter().filter_map(MessageView::of).collect(), next: page.next })
    }

    /// Moves dead messages back to their queue; answers how many.
    pub(crate) async fn redrive(&self, queue: &str) -> Result<usize, BoxError> {
        let dead = format!("{queue}{DEAD}");
        let page = self.store.query(Query::index(&MESSAGES, "by_queue", dead.as_str()).limit(MAX_MESSAGES)).await?;
        let mut moved = 0;
        for row in page.rows {
            // A query may be behind: another redrive may have been faster.
            let now = self.store.get(&MESSAGES, row.key()).await?;
            let Some(now) = now.filter(|now| now.text("queue") == Some(&dead)) else { continue };
            let set =
                [("queue", queue.into()), ("receives", 0.into()), ("visible_at", 0.into()), ("error", Value::Null)];
            let mut batch = Batch::new();
            batch.update(&MESSAGES, row.key().clone(), set.to_vec(), Some(("queue", now.value("queue").clone())));
            match self.store.commit(batch).await {
                Ok(_) => moved += 1,
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        self.store.flush().await?;
        Ok(moved)
    }

    /// Takes messages of a queue without a consumer; each is hidden for `visibility_ms`, and dead after three receives.
    pub(crate) async fn receive(
        self: &Arc<Core>,
        queue: &str,
        most: usize,
        visibility_ms: i64,
    ) -> Result<Vec<MessageView>, BoxError> {
        let items = self.queues.lock().receive(queue, most.clamp(1, MAX_MESSAGES));
        let (core, queue) = (self.clone(), queue.to_owned());
        // In a task of its own: what is taken must be hidden or put back, also if the caller goes away.
        tokio::spawn(async move { core.hide(&queue, items, visibility_ms).await }).await?
    }

    async fn hide(&self, queue: &str, items: Vec<Item>, visibility_ms: i64) -> Result<Vec<MessageView>, BoxError> {
        let mut received = Vec::new();
        let mut failed = None;
        for item in items {
            let receives = i64::from(item.receives()) + 1;
            let dead = receives > i64::from(crate::MAX_RECEIVES);
            let to = if dead { format!("{queue}{DEAD}") } else { queue.to_owned() };
            let set = [
                ("queue", to.into()),
                ("receives", receives.into()),
                ("visible_at", clock::now_ms().saturating_add(visibility_ms.max(1)).into()),
            ];
            let mut batch = Batch::new();
            let when = Some(("receives", item.row.value("receives").clone()));
            batch.update(&MESSAGES, item.id, set.to_vec(), when);
            let result = if failed.is_none() { self.store.commit(batch).await.map(drop) } else { Ok(()) };
            match result {
                _ if failed.is_some() => self.queues.lock().put_back(item.id),
                Ok(()) if !dead => received.extend(MessageView::of(&item.row.with(&set))),
                Ok(()) => {}
                // Somebody else deleted or received it meanwhile.
                Err(CommitError::Conflict { .. }) => self.queues.lock().forget(item.id),
                Err(e) => {
                    self.queues.lock().put_back(item.id);
                    failed = Some(e);
                }
            }
        }
        self.store.flush().await?;
        match failed {
            Some(e) if received.is_empty() => Err(e.into()),
            _ => Ok(received),
        }
    }
}
