//! Activities: their tasks are messages that workers fetch, and answer by the task token.
//!
//! A task that is sent twice, because the process ended before its journal knew, is handed out once: whoever fetches it
//! first makes the execution note its start, and then the other one is stale.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use asl::Event;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use store::{Batch, BoxError, CommitError, Key, Query, Row, Value, clock};
use tokio::time::Instant;

use crate::core::{Core, MAX_CONFLICTS};
use crate::machines::{MachineError, busy, read_tags, retag, write_tags};
use crate::tables::ACTIVITIES;

/// What the names of the queues of activities begin with.
pub(crate) const QUEUE: &str = "activity:";
/// How long a poll goes without looking again, although nothing was heard.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// An activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Its name.
    pub name: String,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A task for a worker.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivityTask {
    /// Answers the task.
    pub token: String,
    /// What the state passes to it.
    pub input: Json,
}

/// The body of the message of a task.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Queued {
    pub(crate) token: String,
    pub(crate) input: Json,
}

fn activity_of(row: &Row) -> Activity {
    Activity {
        name: row.key().text().unwrap_or_default().to_owned(),
        created_at: row.int("created_at").unwrap_or_default(),
        tags: read_tags(row),
    }
}

impl Core {
    /// Makes an activity; to make it again is no error.
    pub(crate) async fn create_activity(
        &self,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<Activity, MachineError> {
        for _ in 0..MAX_CONFLICTS {
            if let Some(activity) = self.activity(name).await? {
                return Ok(activity);
            }
            let values: Vec<Value> = vec![clock::now_ms().into(), write_tags(tags).into(), 0.into()];
            let row = Row::new(&ACTIVITIES, name, values);
            let mut batch = Batch::new();
            batch.insert(row.clone());
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await?;
                    return Ok(activity_of(&row));
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(MachineError::Store(busy()))
    }

    pub(crate) async fn activity(&self, name: &str) -> Result<Option<Activity>, MachineError> {
        Ok(self.store.get(&ACTIVITIES, &Key::from(name)).await?.as_ref().map(activity_of))
    }

    pub(crate) async fn activities(
        &self,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Activity>, Option<String>), MachineError> {
        let page = self.store.query(Query::table(&ACTIVITIES).limit(limit).after(cursor)).await?;
        Ok((page.rows.iter().map(activity_of).collect(), page.next))
    }

    /// Deletes an activity. An unknown one is gone already.
    pub(crate) async fn delete_activity(&self, name: &str) -> Result<(), MachineError> {
        let mut batch = Batch::new();
        batch.delete(&ACTIVITIES, name);
        Ok(self.store.commit(batch).await?.durable().await?)
    }

    /// Changes the tags of an activity.
    pub(crate) async fn tag_activity(
        &self,
        name: &str,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<(), MachineError> {
        for _ in 0..MAX_CONFLICTS {
            let row = self.store.get(&ACTIVITIES, &Key::from(name)).await?.ok_or(MachineError::DoesNotExist)?;
            let mut tags = read_tags(&row);
            retag(&mut tags, set, remove)?;
            let changes = row.int("changes").unwrap_or_default() + 1;
            let new = row.with(&[("tags", write_tags(&tags).into()), ("changes", changes.into())]);
            let mut batch = Batch::new();
            batch.replace(&row, &new, "changes");
            match self.store.commit(batch).await {
                Ok(receipt) => return Ok(receipt.durable().await?),
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(MachineError::Store(busy()))
    }

    /// Waits at most this long for a task of an activity. That the worker has it is durable when this returns.
    pub(crate) async fn fetch_task(
        self: &Arc<Core>,
        activity: &str,
        worker: Option<&str>,
        patience: Duration,
    ) -> Result<Option<ActivityTask>, BoxError> {
        let queue = format!("{QUEUE}{activity}");
        let until = Instant::now() + patience;
        loop {
            // Registered before looking, so that what arrives in between is heard.
            let heard = self.fetchers.notified();
            let items = {
                let mut queues = self.queues.lock();
                queues.open(&queue);
                queues.receive(&queue, 1)
            };
            if items.is_empty() {
                // What the store holds for the queue may not be loaded yet; once it is, the fetchers hear of it.
                self.wake.notify_one();
            }
            for item in items {
                let Ok(queued) = serde_json::from_str::<Queued>(item.body()) else { continue };
                let Some((execution, task)) = self.tokens.open(&queued.token) else { continue };
                let event = Event::TaskStarted { task, worker: worker.map(str::to_owned) };
                if self.tell(execution, event, Some(item.id)).await? {
                    return Ok(Some(ActivityTask { token: queued.token, input: queued.input }));
                }
            }
            let now = Instant::now();
            if now >= until {
                return Ok(None);
            }
            // An error means that nothing was heard: then look again.
            let _ = tokio::time::timeout_at(until.min(now + LOOK_AGAIN), heard).await;
        }
    }
}
