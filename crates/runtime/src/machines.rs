//! State machines as the Step Functions API knows them: made, changed, deleted while the server runs.
//!
//! A machine's definition, role and settings are a *revision*, a row of [`FLOWS`] that never changes; executions and
//! published versions are pinned to one. The flows that the server brings along are machines too, which only its
//! configuration changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::{Definition, Diagnostic};
use serde_json::Value as Json;
use store::{Batch, BoxError, CommitError, Key, Query, ReadError, Row, Value, clock, id};

use crate::core::{Core, MAX_CONFLICTS};
use crate::flow::{self, Flow};
use crate::tables::{ALIASES, EXECUTION_NAMES, FLOWS, STATE_MACHINES, VERSIONS};

/// The most tags of one resource.
pub const MAX_TAGS: usize = 50;
/// The most versions of one state machine.
pub(crate) const MAX_VERSIONS: usize = 1_000;
/// Rows that a deletion reads, and deletes, at a time.
const DELETION_PAGE: usize = 50;

/// Whether executions are journalled, or run in memory for at most five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineKind {
    /// Durable, exactly once.
    Standard,
    /// In memory, at least once.
    Express,
}

impl MachineKind {
    /// As the API writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MachineKind::Standard => "STANDARD",
            MachineKind::Express => "EXPRESS",
        }
    }
}

/// What a state machine is at some moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// The id that executions are pinned to.
    pub flow_id: i64,
    /// The text of the definition.
    pub definition: Arc<str>,
    /// The role's ARN.
    pub role_arn: String,
    /// Its name since the first update; a machine as it was created has none.
    pub revision_id: Option<String>,
    /// Logging, tracing and encryption, as they were given.
    pub settings: Json,
    /// Milliseconds since the epoch.
    pub created_at: i64,
}

/// A state machine.
#[derive(Debug, Clone, PartialEq)]
pub struct StateMachine {
    /// Its id, which a machine of the same name made later does not have.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Standard or Express.
    pub kind: MachineKind,
    /// Whether it is about to go.
    pub deleting: bool,
    /// Whether the server brought it along.
    pub built_in: bool,
    /// The id of its current revision.
    pub flow_id: i64,
    /// The version made of the current revision.
    pub published: Option<i64>,
    /// The number of the last version that was published.
    pub last_version: i64,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// Milliseconds since the epoch.
    pub updated_at: i64,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A published version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Counts from 1.
    pub version: i64,
    /// Its revision.
    pub flow_id: i64,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// What it is for.
    pub description: Option<String>,
}

/// What a new state machine shall be.
#[derive(Debug, Clone)]
pub struct NewMachine {
    /// Its name.
    pub name: String,
    /// The text of its definition.
    pub definition: String,
    /// The role's ARN.
    pub role_arn: String,
    /// Standard or Express.
    pub kind: MachineKind,
    /// Logging, tracing and encryption.
    pub settings: Json,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What to change about a state machine.
#[derive(Debug, Clone, Default)]
pub struct MachineUpdate {
    /// Another definition.
    pub definition: Option<String>,
    /// Another role.
    pub role_arn: Option<String>,
    /// Settings to replace, by their names.
    pub settings: serde_json::Map<String, Json>,
}

/// Why an operation on a state machine, version or alias was refused.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// There is none of that name.
    #[error("there is no such state machine, version or alias")]
    DoesNotExist,
    /// There is another one of that name.
    #[error("there is another state machine of that name")]
    AlreadyExists,
    /// It is being deleted.
    #[error("the state machine is being deleted")]
    Deleting,
    /// The server's configuration rules it.
    #[error("the state machine belongs to the server: change its flow file instead")]
    BuiltIn,
    /// The definition cannot run.
    #[error("the definition is not valid")]
    Invalid(Vec<Diagnostic>),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// There would be too many.
    #[error("{0}")]
    TooMany(String),
    /// The store failed.
    #[error("the store is unavailable")]
    Store(#[source] BoxError),
}

impl From<CommitError> for MachineError {
    fn from(error: CommitError) -> MachineError {
        MachineError::Store(error.into())
    }
}

impl From<ReadError> for MachineError {
    fn from(error: ReadError) -> MachineError {
        MachineError::Store(error.into())
    }
}

impl From<flow::FlowError> for MachineError {
    fn from(error: flow::FlowError) -> MachineError {
        MachineError::Store(error.into())
    }
}

/// The failure after [`MAX_CONFLICTS`] lost races.
pub(crate) fn busy() -> BoxError {
    "others keep changing the same thing; try again".into()
}

pub(crate) fn read_tags(row: &Row) -> BTreeMap<String, String> {
    row.text("tags").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

pub(crate) fn write_tags(tags: &BTreeMap<String, String>) -> String {
    serde_json::to_string(tags).unwrap_or_else(|_| "{}".into())
}

fn machine_of(row: &Row) -> StateMachine {
    let int = |column: &str| row.int(column).unwrap_or_default();
    StateMachine {
        id: int("id"),
        name: row.key().text().unwrap_or_default().to_owned(),
        kind: if row.text("kind") == Some("EXPRESS") { MachineKind::Express } else { MachineKind::Standard },
        deleting: row.text("status") == Some("DELETING"),
        built_in: int("built_in") == 1,
        flow_id: int("flow_id"),
        published: row.int("published"),
        last_version: int("last_version"),
        created_at: int("created_at"),
        updated_at: int("updated_at"),
        tags: read_tags(row),
    }
}

fn row_of(machine: &StateMachine, changes: i64) -> Row {
    let values: Vec<Value> = vec![
        machine.id.into(),
        machine.kind.name().into(),
        if machine.deleting { "DELETING" } else { "ACTIVE" }.into(),
        machine.flow_id.into(),
        i64::from(machine.built_in).into(),
        machine.published.into(),
        machine.last_version.into(),
        machine.created_at.into(),
        machine.updated_at.into(),
        write_tags(&machine.tags).into(),
        changes.into(),
    ];
    Row::new(&STATE_MACHINES, machine.name.as_str(), values)
}

pub(crate) fn version_of(row: &Row) -> Option<Version> {
    let Key::Pair(_, version) = row.key() else { return None };
    Some(Version {
        version: *version,
        flow_id: row.int("flow_id")?,
        created_at: row.int("created_at")?,
        description: row.text("description").map(str::to_owned),
    })
}

fn revision_of(row: &Row, role_arn: &str) -> Revision {
    Revision {
        flow_id: row.key().int().unwrap_or_default(),
        definition: row.text("definition").unwrap_or_default().into(),
        role_arn: row.text("role_arn").unwrap_or(role_arn).to_owned(),
        revision_id: row.text("revision").map(str::to_owned),
        settings: row.text("settings").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
        created_at: row.int("created_at").unwrap_or_default(),
    }
}

/// A random name in the shape of a UUID (RFC 9562, version 4).
pub(crate) fn uuid() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let id = id::next();
    let half = |salt: u8| RandomState::new().hash_one((id, salt));
    let (high, low) = (half(0) & !0xF000 | 0x4000, half(1) & !(3 << 62) | 1 << 63);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xFFFF,
        high & 0xFFFF,
        low >> 48,
        low & 0xFFFF_FFFF_FFFF
    )
}

/// Parses a definition for a kind of state machine.
///
/// # Errors
/// Everything that prevents it from running.
pub fn check_definition(text: &str, kind: MachineKind) -> Result<Definition, Vec<Diagnostic>> {
    let parsed = Definition::parse(text);
    if let (Ok(definition), MachineKind::Express) = (&parsed, kind) {
        let refused = definition.express_problems();
        if !refused.is_empty() {
            return Err(refused);
        }
    }
    flow::check(text)
}

impl Core {
    /// The role that executions of the server's own flows show.
    pub(crate) fn own_role_arn(&self) -> String {
        format!("arn:aws:iam::{}:role/comanda", self.config.account)
    }

    /// The ARN of a state machine of this name.
    pub(crate) fn machine_arn(&self, name: &str) -> String {
        format!("arn:aws:states:{}:{}:stateMachine:{name}", self.config.region, self.config.account)
    }

    async fn machine_row(&self, name: &str) -> Result<Option<Row>, ReadError> {
        self.store.get(&STATE_MACHINES, &Key::from(name)).await
    }

    pub(crate) async fn machine(&self, name: &str) -> Result<Option<StateMachine>, ReadError> {
        Ok(self.machine_row(name).await?.as_ref().map(machine_of))
    }

    /// A machine that may be changed, with its row.
    pub(crate) async fn open_machine(&self, name: &str) -> Result<(Row, StateMachine), MachineError> {
        let row = self.machine_row(name).await?.ok_or(MachineError::DoesNotExist)?;
        let machine = machine_of(&row);
        match machine.deleting {
            true => Err(MachineError::Deleting),
            false => Ok((row, machine)),
        }
    }

    pub(crate) async fn revision(&self, flow_id: i64) -> Result<Option<Revision>, ReadError> {
        let row = self.store.get(&FLOWS, &Key::Int(flow_id)).await?;
        Ok(row.map(|row| revision_of(&row, &self.own_role_arn())))
    }

    async fn revision_of_machine(&self, machine: &StateMachine) -> Result<Revision, MachineError> {
        let revision = self.revision(machine.flow_id).await?;
        revision.ok_or_else(|| MachineError::Store("its revision is missing".into()))
    }

    /// Adds the change of a machine's row to a batch, if nobody else changed it meanwhile.
    pub(crate) fn change_machine(batch: &mut Batch, row: &Row, machine: &StateMachine) {
        let changes = row.int("changes").unwrap_or_default();
        batch.replace(row, &row_of(machine, changes + 1), "changes");
    }

    /// Lets a flow of the server appear as a state machine.
    pub(crate) async fn adopt(&self, flow: &Flow) -> Result<(), MachineError> {
        for _ in 0..MAX_CONFLICTS {
            let now_ms = clock::now_ms();
            let row = self.machine_row(&flow.name).await?;
            let mut batch = Batch::new();
            match &row {
                Some(row) => {
                    let mut machine = machine_of(row);
                    if machine.flow_id == flow.id && machine.built_in {
                        return Ok(());
                    }
                    machine.flow_id = flow.id;
                    machine.published = None;
                    machine.built_in = true;
                    machine.updated_at = now_ms;
                    Self::change_machine(&mut batch, row, &machine);
                }
                None => {
                    let machine = StateMachine {
                        id: id::next(),
                        name: flow.name.clone(),
                        kind: MachineKind::Standard,
                        deleting: false,
                        built_in: true,
                        flow_id: flow.id,
                        published: None,
                        last_version: 0,
                        created_at: now_ms,
                        updated_at: now_ms,
                        tags: BTreeMap::new(),
                    };
                    batch.insert(row_of(&machine, 0));
                }
            }
            match self.store.commit(batch).await {
                Ok(receipt) => return Ok(receipt.durable().await?),
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(MachineError::Store(busy()))
    }

    pub(crate) async fn create_machine(&self, new: &NewMachine) -> Result<StateMachine, MachineError> {
        let definition = Arc::new(check_definition(&new.definition, new.kind).map_err(MachineError::Invalid)?);
        for _ in 0..MAX_CONFLICTS {
            if let Some(row) = self.machine_row(&new.name).await? {
                return self.same_machine(machine_of(&row), new).await;
            }
            let now_ms = clock::now_ms();
            let flow = Flow {
                id: id::next(),
                name: new.name.clone(),
                definition: definition.clone(),
                role_arn: Some(new.role_arn.clone()),
            };
            let machine = StateMachine {
                id: id::next(),
                name: new.name.clone(),
                kind: new.kind,
                deleting: false,
                built_in: false,
                flow_id: flow.id,
                published: None,
                last_version: 0,
                created_at: now_ms,
                updated_at: now_ms,
                tags: new.tags.clone(),
            };
            let settings = Some(new.settings.to_string());
            let mut batch = Batch::new();
            batch.insert(flow::row(flow.id, &new.name, &new.definition, Some(&new.role_arn), None, settings));
            batch.insert(row_of(&machine, 0));
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    self.flows.remember(Arc::new(flow));
                    receipt.durable().await?;
                    return Ok(machine);
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(MachineError::Store(busy()))
    }

    /// To create again what is there is no error, as long as it is the same; role and tags do not count.
    async fn same_machine(&self, machine: StateMachine, new: &NewMachine) -> Result<StateMachine, MachineError> {
        if machine.deleting {
            return Err(MachineError::Deleting);
        }
        let revision = self.revision_of_machine(&machine).await?;
        let same = *revision.definition == *new.definition
            && machine.kind == new.kind
            && revision.settings == new.settings
            && !machine.built_in;
        if same { Ok(machine) } else { Err(MachineError::AlreadyExists) }
    }

    /// Makes a new revision, unless it would be what the current one is.
    pub(crate) async fn update_machine(
        &self,
        name: &str,
        update: &MachineUpdate,
    ) -> Result<(StateMachine, Revision), MachineError> {
        for _ in 0..MAX_CONFLICTS {
            let (row, mut machine) = self.open_machine(name).await?;
            if machine.built_in {
                return Err(MachineError::BuiltIn);
            }
            let current = self.revision_of_machine(&machine).await?;
            let mut next = current.clone();
            if let Some(definition) = &update.definition {
                next.definition = definition.as_str().into();
            }
            if let Some(role_arn) = &update.role_arn {
                next.role_arn.clone_from(role_arn);
            }
            if let Json::Object(settings) = &mut next.settings {
                settings.extend(update.settings.clone());
            }
            let definition = check_definition(&next.definition, machine.kind).map_err(MachineError::Invalid)?;
            if next == current {
                return Ok((machine, current));
            }
            next.flow_id = id::next();
            next.revision_id = Some(uuid());
            next.created_at = clock::now_ms();
            machine.flow_id = next.flow_id;
            machine.published = None;
            machine.updated_at = next.created_at;
            let mut batch = Batch::new();
            batch.insert(flow::row(
                next.flow_id,
                name,
                &next.definition,
                Some(&next.role_arn),
                next.revision_id.as_deref(),
                Some(next.settings.to_string()),
            ));
            Self::change_machine(&mut batch, &row, &machine);
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    self.flows.remember(Arc::new(Flow {
                        id: next.flow_id,
                        name: name.to_owned(),
                        definition: Arc::new(definition),
                        role_arn: Some(next.role_arn.clone()),
                    }));
                    receipt.durable().await?;
                    return Ok((machine, next));
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(MachineError::Store(busy()))
    }

    /// Changes the tags of a machine.
    pub(crate) async fn tag_machine(
        &self,
        name: &str,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<(), MachineError> {
        for _ in 0..MAX_CONFLICTS {
            let (row, mut machine) = self.open_machine(name).await?;
            retag(&mut machine.tags, set, remove)?;
            let mut batch = Batch::new();
            Self::change_machine(&mut batch, &row, &machine);
            match self.store.commit(batch).await {
                Ok(receipt) => return Ok(receipt.durable().await?),
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(MachineError::Store(busy()))
    }

    /// Marks a machine as going, stops its executions, and takes it away with its versions and aliases. An unknown one
    /// is gone already.
    pub(crate) async fn delete_machine(self: &Arc<Core>, name: &str) -> Result<(), MachineError> {
        for _ in 0..MAX_CONFLICTS {
            let Some(row) = self.machine_row(name).await? else { return Ok(()) };
            let mut machine = machine_of(&row);
            if machine.built_in {
                return Err(MachineError::BuiltIn);
            }
            if machine.deleting {
                return self.finish_deletion(&machine).await;
            }
            machine.deleting = true;
            let mut batch = Batch::new();
            Self::change_machine(&mut batch, &row, &machine);
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await?;
                    return self.finish_deletion(&machine).await;
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(MachineError::Store(busy()))
    }

    /// Goes on with deletions that a crash has interrupted.
    pub(crate) async fn resume_deletions(self: &Arc<Core>) -> Result<(), MachineError> {
        let mut after = None;
        loop {
            let page = self.store.query(Query::table(&STATE_MACHINES).limit(DELETION_PAGE).after(after)).await?;
            for row in &page.rows {
                let machine = machine_of(row);
                if machine.deleting {
                    self.finish_deletion(&machine).await?;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn finish_deletion(self: &Arc<Core>, machine: &StateMachine) -> Result<(), MachineError> {
        self.stop_all_of(machine).await?;
        let names = Query::index(&EXECUTION_NAMES, "by_machine", machine.id);
        self.delete_rows(names).await?;
        self.delete_rows(Query::partition(&VERSIONS, machine.id)).await?;
        self.delete_rows(Query::index(&ALIASES, "by_machine", machine.id)).await?;
        let mut batch = Batch::new();
        batch.delete(&STATE_MACHINES, machine.name.as_str());
        Ok(self.store.commit(batch).await?.durable().await?)
    }

    async fn delete_rows(&self, query: Query) -> Result<(), MachineError> {
        loop {
            let page = self.store.query(query.clone().limit(DELETION_PAGE)).await?;
            if page.rows.is_empty() {
                return Ok(());
            }
            let mut batch = Batch::new();
            for row in &page.rows {
                batch.delete(row.table(), row.key().clone());
            }
            // A query sees what is durable, so that the next page shall not show these again.
            self.store.commit(batch).await?.durable().await?;
        }
    }
}

/// Sets tags and removes others.
///
/// # Errors
/// [`MachineError::TooMany`] beyond [`MAX_TAGS`].
pub(crate) fn retag(
    tags: &mut BTreeMap<String, String>,
    set: &BTreeMap<String, String>,
    remove: &[String],
) -> Result<(), MachineError> {
    tags.extend(set.clone());
    tags.retain(|key, _| !remove.contains(key));
    match tags.len() > MAX_TAGS {
        true => Err(MachineError::TooMany(format!("a resource has at most {MAX_TAGS} tags"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn uuids_have_their_shape_and_differ() {
        let (one, two) = (uuid(), uuid());
        assert_ne!(one, two);
        let parts: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{one}");
        assert!(one.split('-').nth(2).unwrap().starts_with('4'), "{one}");
    }
}
