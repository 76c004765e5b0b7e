//! Published versions of state machines, and aliases that route to them.

use serde_json::Value as Json;
use store::{Batch, CommitError, Key, Query, Row, Value, clock, id};

use crate::core::Core;
use crate::core::MAX_CONFLICTS;
use crate::machines::{MAX_VERSIONS, MachineError, StateMachine, Version, busy, version_of};
use crate::tables::{ALIASES, VERSIONS};

/// The most aliases of one state machine.
pub const MAX_ALIASES: usize = 100;

/// A name for one version or for two in a proportion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Its name.
    pub name: String,
    /// Versions and their weights, which sum up to 100.
    pub routes: Vec<(i64, i64)>,
    /// What it is for.
    pub description: Option<String>,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// Milliseconds since the epoch.
    pub updated_at: i64,
}

fn alias_key(machine: &StateMachine, alias: &str) -> Key {
    Key::from(format!("{}:{alias}", id::encode(machine.id)).as_str())
}

fn alias_of(row: &Row) -> Alias {
    let name = row.key().text().and_then(|key| key.split_once(':')).map_or("", |(_, name)| name);
    Alias {
        name: name.to_owned(),
        routes: row.text("routes").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
        description: row.text("description").map(str::to_owned),
        created_at: row.int("created_at").unwrap_or_default(),
        updated_at: row.int("updated_at").unwrap_or_default(),
    }
}

fn routes_text(routes: &[(i64, i64)]) -> String {
    let pairs = routes.iter().map(|(version, weight)| Json::from(vec![*version, *weight]));
    Json::from(pairs.collect::<Vec<_>>()).to_string()
}

impl Core {
    /// Publishes the current revision, unless it is published already.
    pub(crate) async fn publish(
        &self,
        name: &str,
        revision_id: Option<&str>,
        description: Option<&str>,
    ) -> Result<Version, MachineError> {
        for _ in 0..MAX_CONFLICTS {
            let (row, mut machine) = self.open_machine(name).await?;
            if let Some(wanted) = revision_id {
                let revision = self.revision(machine.flow_id).await?;
                let current = revision.and_then(|revision| revision.revision_id);
                if current.as_deref().unwrap_or("INITIAL") != wanted {
                    let problem = "The current revision of the state machine is not the one given";
                    return Err(MachineError::Conflict(problem.into()));
                }
            }
            if let Some(published) = machine.published
                && let Some(version) = self.version(&machine, published).await?
            {
                return Ok(version);
            }
            let all = self.store.query(Query::partition(&VERSIONS, machine.id).limit(MAX_VERSIONS)).await?;
            if all.rows.len() >= MAX_VERSIONS {
                return Err(MachineError::TooMany(format!("a state machine has at most {MAX_VERSIONS} versions")));
            }
            let version = Version {
                version: machine.last_version + 1,
                flow_id: machine.flow_id,
                created_at: clock::now_ms(),
                description: description.map(str::to_owned),
            };
            machine.last_version = version.version;
            machine.published = Some(version.version);
            let values: Vec<Value> =
                vec![version.flow_id.into(), version.created_at.into(), version.description.clone().into()];
            let mut batch = Batch::new();
            batch.insert(Row::new(&VERSIONS, (machine.id, version.version), values));
            Self::change_machine(&mut batch, &row, &machine);
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await?;
                    return Ok(version);
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(MachineError::Store(busy()))
    }

    pub(crate) async fn version(&self, machine: &StateMachine, version: i64) -> Result<Option<Version>, MachineError> {
        let row = self.store.get(&VERSIONS, &Key::Pair(machine.id, version)).await?;
        Ok(row.as_ref().and_then(version_of))
    }

    /// Versions, the newest first.
    pub(crate) async fn versions(
        &self,
        machine: &StateMachine,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Version>, Option<String>), MachineError> {
        let query = Query::partition(&VERSIONS, machine.id).descending().limit(limit).after(cursor);
        let page = self.store.query(query).await?;
        Ok((page.rows.iter().filter_map(version_of).collect(), page.next))
    }

    /// Deletes a version that no alias routes to. An unknown one is gone already.
    pub(crate) async fn delete_version(&self, name: &str, version: i64) -> Result<(), MachineError> {
        for _ in 0..MAX_CONFLICTS {
            let (row, mut machine) = self.open_machine(name).await?;
            // A query sees what is durable; an alias of this instant changed the machine's row, which was read before.
            self.store.flush().await?;
            let (aliases, _) = self.aliases(&machine, None, MAX_ALIASES).await?;
            let referring: Vec<&str> = aliases
                .iter()
                .filter(|alias| alias.routes.iter().any(|(routed, _)| *routed == version))
                .map(|alias| alias.name.as_str())
                .collect();
            if !referring.is_empty() {
                return Err(MachineError::Conflict(format!(
                    "Version to be deleted must not be referenced by an alias. Current list of aliases referencing \
                     this version: [{}]",
                    referring.join(", ")
                )));
            }
            if machine.published == Some(version) {
                machine.published = None;
            }
            let mut batch = Batch::new();
            batch.delete(&VERSIONS, (machine.id, version));
            Self::change_machine(&mut batch, &row, &machine);
            match self.store.commit(batch).await {
                Ok(receipt) => return Ok(receipt.durable().await?),
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(MachineError::Store(busy()))
    }

    /// Makes an alias; to make the same one again is no error.
    pub(crate) async fn create_alias(
        &self,
        machine: &str,
        name: &str,
        routes: &[(i64, i64)],
        description: Option<&str>,
    ) -> Result<Alias, MachineError> {
        for _ in 0..MAX_CONFLICTS {
            let (row, machine) = self.open_machine(machine).await?;
            self.check_routes(&machine, routes).await?;
            if let Some(row) = self.store.get(&ALIASES, &alias_key(&machine, name)).await? {
                let alias = alias_of(&row);
                let same = alias.routes == routes && alias.description.as_deref() == description;
                return if same { Ok(alias) } else { Err(MachineError::AlreadyExists) };
            }
            if self.aliases(&machine, None, MAX_ALIASES).await?.0.len() >= MAX_ALIASES {
                return Err(MachineError::TooMany(format!("a state machine has at most {MAX_ALIASES} aliases")));
            }
            let now_ms = clock::now_ms();
            let values: Vec<Value> = vec![
                machine.id.into(),
                id::next().into(),
                routes_text(routes).into(),
                description.into(),
                now_ms.into(),
                now_ms.into(),
                0.into(),
            ];
            let alias = Row::new(&ALIASES, alias_key(&machine, name), values);
            let mut batch = Batch::new();
            batch.insert(alias.clone());
            // The versions that it routes to are there as long as the machine does not change.
            Self::change_machine(&mut batch, &row, &machine);
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await?;
                    return Ok(alias_of(&alias));
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(MachineError::Store(busy()))
    }

    async fn check_routes(&self, machine: &StateMachine, routes: &[(i64, i64)]) -> Result<(), MachineError> {
        for (version, _) in routes {
            self.version(machine, *version).await?.ok_or(MachineError::DoesNotExist)?;
        }
        Ok(())
    }

    pub(crate) async fn update_alias(
        &self,
        machine: &str,
        name: &str,
        routes: Option<&[(i64, i64)]>,
        description: Option<&str>,
    ) -> Result<Alias, MachineError> {
        for _ in 0..MAX_CONFLICTS {
            let (machine_row, machine) = self.open_machine(machine).await?;
            let row = self.store.get(&ALIASES, &alias_key(&machine, name)).await?;
            let row = row.ok_or(MachineError::DoesNotExist)?;
            let mut set = vec![
                ("updated_at", Value::from(clock::now_ms())),
                ("changes", Value::from(row.int("changes").unwrap_or_default() + 1)),
            ];
            if let Some(routes) = routes {
                self.check_routes(&machine, routes).await?;
                set.push(("routes", routes_text(routes).into()));
            }
            if let Some(description) = description {
                set.push(("description", description.into()));
            }
            let new = row.with(&set);
            let mut batch = Batch::new();
            batch.replace(&row, &new, "changes");
            Self::change_machine(&mut batch, &machine_row, &machine);
            match self.store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await?;
                    return Ok(alias_of(&new));
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Err(MachineError::Store(busy()))
    }

    pub(crate) async fn alias(&self, machine: &StateMachine, name: &str) -> Result<Option<Alias>, MachineError> {
        let row = self.store.get(&ALIASES, &alias_key(machine, name)).await?;
        Ok(row.as_ref().map(alias_of))
    }

    /// Aliases in the order in which they were made.
    pub(crate) async fn aliases(
        &self,
        machine: &StateMachine,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Alias>, Option<String>), MachineError> {
        let page =
            self.store.query(Query::index(&ALIASES, "by_machine", machine.id).limit(limit).after(cursor)).await?;
        Ok((page.rows.iter().map(alias_of).collect(), page.next))
    }

    /// Deletes an alias. An unknown one is gone already.
    pub(crate) async fn delete_alias(&self, machine: &str, name: &str) -> Result<(), MachineError> {
        let Some(machine) = self.machine(machine).await? else { return Ok(()) };
        let mut batch = Batch::new();
        batch.delete(&ALIASES, alias_key(&machine, name));
        Ok(self.store.commit(batch).await?.durable().await?)
    }
}
