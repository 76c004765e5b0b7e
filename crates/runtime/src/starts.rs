//! Executions by name: started, found, listed and stopped through the Step Functions API.
//!
//! A start commits the execution itself: its name, its row and the first record of its journal are one batch. The row
//! names an owner, so that a restart takes the execution up.

use std::ops::Bound;
use std::sync::Arc;

use asl::Event;
use store::{Batch, BoxError, CommitError, Key, Query, Row, Value, clock, id};

use crate::core::{Core, MAX_CONFLICTS};
use crate::execution::{Heard, Incoming, NODE, status};
use crate::journal::{self, Record};
use crate::machines::{MachineError, StateMachine, busy, uuid};
use crate::services::OnEnd;
use crate::tables::{EXECUTION_NAMES, EXECUTIONS, JOURNAL};

/// Rows that one page of a listing reads at most; a page may hold fewer items than were asked for.
const MAX_SCANNED: usize = 1_000;
/// How long after the id in its name an execution that the application started is looked for.
const NAME_WINDOW_MS: i64 = 60_000;

/// What to start.
#[derive(Debug, Clone)]
pub struct Target {
    /// The state machine.
    pub machine: StateMachine,
    /// The revision to run.
    pub flow_id: i64,
    /// The version that was asked for, or that the alias chose.
    pub version: Option<i64>,
    /// The alias that was asked for.
    pub alias: Option<String>,
}

/// An execution that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Its ARN.
    pub arn: String,
    /// Milliseconds since the epoch.
    pub started_at: i64,
}

/// An execution that starts with the commit of its batch.
pub(crate) struct Start {
    pub(crate) id: i64,
    pub(crate) arn: String,
    pub(crate) started_at: i64,
    pub(crate) batch: Batch,
}

/// Who has a name: an execution, and whether it runs with the same input.
pub(crate) struct Taken {
    pub(crate) arn: String,
    pub(crate) started_at: i64,
    pub(crate) same: bool,
}

/// Why an execution was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The name is taken.
    #[error("there is another execution of that name")]
    AlreadyExists {
        /// The ARN of the execution that has it.
        arn: String,
    },
    /// The store failed.
    #[error("the store is unavailable")]
    Store(#[source] BoxError),
}

/// How the API knows an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its id.
    pub id: i64,
    /// The version of the machine that was asked for.
    pub version: Option<i64>,
    /// The alias of the machine that was asked for.
    pub alias: Option<String>,
}

/// An execution in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Where it is.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED.
    pub status: String,
    /// Milliseconds since the epoch.
    pub started_at: i64,
    /// Milliseconds since the epoch.
    pub stopped_at: Option<i64>,
    /// How often it was redriven.
    pub redrives: i64,
    /// When it was redriven last, in milliseconds since the epoch.
    pub redriven_at: Option<i64>,
}

/// Which executions to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those of this status.
    pub status: Option<String>,
    /// Only those that asked for this version.
    pub version: Option<i64>,
    /// Only those that asked for this alias.
    pub alias: Option<String>,
}

impl Filter {
    fn takes(&self, summary: &Summary) -> bool {
        self.status.as_ref().is_none_or(|status| *status == summary.status)
            && self.version.is_none_or(|version| summary.place.version == Some(version))
            && (self.alias.is_none() || self.alias == summary.place.alias)
    }
}

fn store_error(error: impl Into<BoxError>) -> StartError {
    StartError::Store(error.into())
}

fn name_key(machine: &StateMachine, name: &str) -> Key {
    Key::from(format!("{}:{name}", id::encode(machine.id)).as_str())
}

fn place_of(row: &Row) -> Place {
    Place {
        id: row.int("execution_id").unwrap_or_default(),
        version: row.int("version"),
        alias: row.text("alias").map(str::to_owned),
    }
}

impl Core {
    /// The ARN of an execution.
    pub(crate) fn execution_arn(&self, machine: &str, name: &str) -> String {
        format!("arn:aws:states:{}:{}:execution:{machine}:{name}", self.config.region, self.config.account)
    }

    /// Starts a Standard execution. Durable when it returns.
    pub(crate) async fn start_execution(
        self: &Arc<Core>,
        target: &Target,
        name: Option<&str>,
        input: serde_json::Value,
    ) -> Result<Started, StartError> {
        let name = name.map_or_else(uuid, str::to_owned);
        let begun = self.begin_start(target, &name, &input, None).await.map_err(StartError::Store)?;
        let Start { id, arn, started_at, batch } = match begun {
            Ok(start) => start,
            Err(taken) => return self.same_start(taken).await,
        };
        match self.store.commit(batch).await {
            Ok(receipt) => {
                self.deliver(id, Incoming::Begun, None);
                receipt.durable().await.map_err(store_error)?;
                Ok(Started { arn, started_at })
            }
            Err(CommitError::Conflict { .. }) => {
                match self.begin_start(target, &name, &input, None).await.map_err(StartError::Store)? {
                    Ok(_) => Err(StartError::Store(busy())),
                    Err(taken) => self.same_start(taken).await,
                }
            }
            Err(e) => Err(store_error(e)),
        }
    }

    /// What to commit for a Standard execution, unless the name is taken; then by whom.
    pub(crate) async fn begin_start(
        &self,
        target: &Target,
        name: &str,
        input: &serde_json::Value,
        on_end: Option<OnEnd>,
    ) -> Result<Result<Start, Taken>, BoxError> {
        let arn = self.execution_arn(&target.machine.name, name);
        let sha256 = crate::flow::sha256(&input.to_string());
        let key = name_key(&target.machine, name);
        if let Some(row) = self.store.get(&EXECUTION_NAMES, &key).await? {
            let execution = self.store.get(&EXECUTIONS, &Key::Int(place_of(&row).id)).await?;
            let running = execution.filter(|row| row.text("status") == Some(status(None)));
            let same = row.text("sha256") == Some(&sha256) && running.is_some();
            let started_at = running.and_then(|row| row.int("started_at")).unwrap_or_default();
            return Ok(Err(Taken { arn, started_at, same }));
        }
        if target.machine.built_in && self.find_unnamed(&target.machine, name).await?.is_some() {
            return Ok(Err(Taken { arn, started_at: 0, same: false }));
        }
        let (id, started_at) = (id::next(), clock::now_ms());
        let mut records = String::new();
        let event = Event::Started { input: input.clone() };
        journal::write(&Record::Event { at_ms: started_at, event }, &mut records);
        let on_end = on_end.and_then(|on_end| serde_json::to_string(&on_end).ok());
        let named: Vec<Value> = vec![
            target.machine.id.into(),
            id.into(),
            sha256.as_str().into(),
            target.version.into(),
            target.alias.clone().into(),
        ];
        let execution: Vec<Value> = vec![
            target.flow_id.into(),
            name.into(),
            status(None).into(),
            started_at.into(),
            Value::Null,
            1.into(),
            NODE.into(),
            Value::Null,
            Value::Null,
            on_end.into(),
        ];
        let mut batch = Batch::new();
        batch.insert(Row::new(&EXECUTION_NAMES, key, named));
        batch.insert(Row::new(&EXECUTIONS, id, execution));
        batch.insert(Row::new(&JOURNAL, (id, 0), vec![Value::from(records)]));
        Ok(Ok(Start { id, arn, started_at, batch }))
    }

    /// To start again what runs with the same input is no error.
    async fn same_start(&self, taken: Taken) -> Result<Started, StartError> {
        let Taken { arn, started_at, same } = taken;
        if !same {
            return Err(StartError::AlreadyExists { arn });
        }
        self.store.flush().await.map_err(store_error)?;
        Ok(Started { arn, started_at })
    }

    /// The execution of that name.
    pub(crate) async fn find_execution(&self, machine: &StateMachine, name: &str) -> Result<Option<Place>, BoxError> {
        if let Some(row) = self.store.get(&EXECUTION_NAMES, &name_key(machine, name)).await? {
            return Ok(Some(place_of(&row)));
        }
        if !machine.built_in {
            return Ok(None);
        }
        self.find_unnamed(machine, name).await
    }

    /// An execution that the application started: it has no row of its name, but its name ends with an id that was made
    /// shortly before its own.
    async fn find_unnamed(&self, machine: &StateMachine, name: &str) -> Result<Option<Place>, BoxError> {
        let Some(from) = name.rsplit('_').next().and_then(id::decode) else { return Ok(None) };
        let until = id::floor(id::time_ms(from).saturating_add(NAME_WINDOW_MS));
        let range = (Bound::Included(Value::Int(from)), Bound::Included(Value::Int(until)));
        let page = self.store.query(Query::table(&EXECUTIONS).range(range.0, range.1).limit(MAX_SCANNED)).await?;
        for row in page.rows.iter().filter(|row| row.text("name") == Some(name)) {
            if self.is_of(row, machine).await? {
                return Ok(row.key().int().map(|id| Place { id, version: None, alias: None }));
            }
        }
        Ok(None)
    }

    async fn is_of(&self, row: &Row, machine: &StateMachine) -> Result<bool, BoxError> {
        let flow_id = row.int("flow_id").unwrap_or_default();
        Ok(flow_id == machine.flow_id
            || self.flows.version(flow_id).await?.is_some_and(|flow| flow.name == machine.name))
    }

    /// Executions of a machine, the newest first. A page may hold fewer than `limit` and yet not be the last.
    pub(crate) async fn list_executions(
        &self,
        machine: &StateMachine,
        filter: &Filter,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Summary>, Option<String>), BoxError> {
        let query = match machine.built_in {
            true => Query::table(&EXECUTIONS),
            false => Query::index(&EXECUTION_NAMES, "by_machine", machine.id),
        };
        let (mut found, mut after, mut scanned) = (Vec::new(), cursor, 0);
        while found.len() < limit && scanned < MAX_SCANNED {
            let wanted = limit - found.len();
            let page = self.store.query(query.clone().descending().limit(wanted).after(after)).await?;
            scanned += page.rows.len();
            for row in &page.rows {
                if let Some(summary) = self.summary(machine, row).await?.filter(|summary| filter.takes(summary)) {
                    found.push(summary);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok((found, after))
    }

    async fn summary(&self, machine: &StateMachine, listed: &Row) -> Result<Option<Summary>, BoxError> {
        let place = match *listed.table() == EXECUTION_NAMES {
            true => place_of(listed),
            false if !self.is_of(listed, machine).await? => return Ok(None),
            false => Place { id: listed.key().int().unwrap_or_default(), version: None, alias: None },
        };
        let Some(row) = self.store.get(&EXECUTIONS, &Key::Int(place.id)).await? else { return Ok(None) };
        Ok(Some(Summary {
            place,
            name: row.text("name").unwrap_or_default().to_owned(),
            status: row.text("status").unwrap_or_default().to_owned(),
            started_at: row.int("started_at").unwrap_or_default(),
            stopped_at: row.int("stopped_at"),
            redrives: row.int("redrives").unwrap_or_default(),
            redriven_at: row.int("redriven_at"),
        }))
    }

    /// Tells an execution of an event, and waits until that is durable. `false` if it changed nothing, because the
    /// execution has ended or the task is not pending.
    pub(crate) async fn tell(self: &Arc<Core>, id: i64, event: Event, message: Option<i64>) -> Result<bool, BoxError> {
        let (reply, heard) = tokio::sync::oneshot::channel();
        self.deliver(id, Incoming::Asked { event, reply }, message);
        match heard.await {
            Ok(Heard::Changed(receipt)) => receipt.durable().await.map(|()| true).map_err(Into::into),
            Ok(Heard::Stale) => Ok(false),
            Err(_) => Err("the execution cannot go on now".into()),
        }
    }

    /// Stops an execution; answers when it stopped, also if it had ended before. Durable when it returns.
    pub(crate) async fn stop_execution(
        self: &Arc<Core>,
        id: i64,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Option<i64>, BoxError> {
        self.tell(id, Event::Stopped { error, cause }, None).await?;
        let row = self.store.get(&EXECUTIONS, &Key::Int(id)).await?;
        self.store.flush().await?;
        Ok(row.and_then(|row| row.int("stopped_at")))
    }

    /// Lets a failed execution go on from where it failed; answers when, or `None` if it cannot. Durable when it returns.
    pub(crate) async fn redrive_execution(
        self: &Arc<Core>,
        id: i64,
        token: Option<String>,
    ) -> Result<Option<i64>, BoxError> {
        let (reply, heard) = tokio::sync::oneshot::channel();
        self.deliver(id, Incoming::Redrive { token, reply }, None);
        match heard.await {
            Ok(Heard::Changed(receipt)) => {
                receipt.durable().await?;
                Ok(self.describe(id).await?.and_then(|execution| execution.redriven_at))
            }
            Ok(Heard::Stale) => Ok(None),
            Err(_) => Err("the execution cannot go on now".into()),
        }
    }

    /// When the execution was redriven last, if that was asked for with this token.
    pub(crate) async fn redriven_with(&self, id: i64, token: &str) -> Result<Option<i64>, BoxError> {
        let Some(row) = self.store.get(&EXECUTIONS, &Key::Int(id)).await? else { return Ok(None) };
        let mut last = None;
        for segment in 0..row.int("segments").unwrap_or_default() {
            for record in journal::read(&self.segment_text(id, segment).await?)? {
                if let Record::Redriven { at_ms, token } = record {
                    last = Some((at_ms, token));
                }
            }
        }
        self.store.flush().await?;
        Ok(last.filter(|(_, used)| used.as_deref() == Some(token)).map(|(at_ms, _)| at_ms))
    }

    /// Stops all executions of a machine.
    pub(crate) async fn stop_all_of(self: &Arc<Core>, machine: &StateMachine) -> Result<(), MachineError> {
        let running = Filter { status: Some(status(None).into()), ..Filter::default() };
        let mut after = None;
        loop {
            self.store.flush().await?;
            let page =
                self.list_executions(machine, &running, after, MAX_SCANNED).await.map_err(MachineError::Store)?;
            for summary in page.0 {
                let cause = Some("the state machine was deleted".to_owned());
                self.stop_execution(summary.place.id, None, cause).await.map_err(MachineError::Store)?;
            }
            after = page.1;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// The revision that a start of a machine, a version or an alias runs.
    pub(crate) async fn target(
        &self,
        machine: StateMachine,
        version: Option<i64>,
        alias: Option<&str>,
    ) -> Result<Target, MachineError> {
        if machine.deleting {
            return Err(MachineError::Deleting);
        }
        let Some(alias) = alias else {
            let flow_id = match version {
                None => machine.flow_id,
                Some(number) => self.version(&machine, number).await?.ok_or(MachineError::DoesNotExist)?.flow_id,
            };
            return Ok(Target { machine, flow_id, version, alias: None });
        };
        // An alias may be changed between the two reads, and the version deleted; then the alias is read again.
        for _ in 0..MAX_CONFLICTS {
            let routes = self.alias(&machine, alias).await?.ok_or(MachineError::DoesNotExist)?.routes;
            let number = route(&routes, id::next().unsigned_abs());
            if let Some(version) = self.version(&machine, number).await? {
                let (flow_id, version) = (version.flow_id, Some(version.version));
                return Ok(Target { machine, flow_id, version, alias: Some(alias.to_owned()) });
            }
        }
        Err(MachineError::Store(busy()))
    }
}

/// The version that an alias routes to, by chance in the proportion of the weights.
fn route(routes: &[(i64, i64)], seed: u64) -> i64 {
    use std::hash::{BuildHasher as _, RandomState};
    let dice = i64::try_from(RandomState::new().hash_one(seed) % 100).unwrap_or_default();
    let mut sum = 0;
    for (version, weight) in routes {
        sum += weight;
        if dice < sum {
            return *version;
        }
    }
    routes.last().map_or(0, |(version, _)| *version)
}
