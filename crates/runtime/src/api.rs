//! What the runtime offers to the Step Functions API.

use std::collections::BTreeMap;
use std::time::Duration;

use asl::{HistoryEvent, MapRunUpdate};
use serde_json::Value as Json;
use store::{BoxError, Query};

use crate::activities::{Activity, ActivityTask};
use crate::callbacks::{Report, ReportError};
use crate::express::ExpressRun;
use crate::machines::{MachineError, MachineUpdate, NewMachine, Revision, StateMachine, Version};
use crate::map_runs::{ChildExecution, MapRunView};
use crate::starts::{Filter, Place, StartError, Started, Summary, Target};
use crate::tables::STATE_MACHINES;
use crate::task::Failure;
use crate::versions::Alias;
use crate::{Config, Runtime};

/// A page and the cursor of the next one.
type Page<T> = (Vec<T>, Option<String>);

impl Runtime {
    /// Its bounds, and the account and region in ARNs.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.core.config
    }

    /// Executions at work.
    #[must_use]
    pub fn at_work(&self) -> usize {
        self.core.active.lock().len()
    }

    /// A state machine by its name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn state_machine(&self, name: &str) -> Result<Option<StateMachine>, MachineError> {
        Ok(self.core.machine(name).await?)
    }

    /// State machines in the order of their names.
    ///
    /// # Errors
    /// The store cannot be read, or the cursor is not one of this list.
    pub async fn state_machines(
        &self,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page<StateMachine>, MachineError> {
        let page = self.core.store.query(Query::table(&STATE_MACHINES).limit(limit).after(cursor)).await?;
        let mut machines = Vec::new();
        for row in &page.rows {
            // A query may be behind.
            machines.extend(self.core.machine(row.key().text().unwrap_or_default()).await?);
        }
        Ok((machines, page.next))
    }

    /// A revision by the id that executions are pinned to.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn revision(&self, flow_id: i64) -> Result<Option<Revision>, MachineError> {
        Ok(self.core.revision(flow_id).await?)
    }

    /// Makes a state machine; to make the same one again is no error. Durable when it returns.
    ///
    /// # Errors
    /// The definition cannot run, there is another machine of that name, or the store failed.
    pub async fn create_state_machine(&self, new: &NewMachine) -> Result<StateMachine, MachineError> {
        self.core.create_machine(new).await
    }

    /// Changes a state machine; executions under way keep their revision. Durable when it returns.
    ///
    /// # Errors
    /// There is none, it may not be changed, the definition cannot run, or the store failed.
    pub async fn update_state_machine(
        &self,
        name: &str,
        update: &MachineUpdate,
    ) -> Result<(StateMachine, Revision), MachineError> {
        self.core.update_machine(name, update).await
    }

    /// Stops the executions of a state machine and takes it away. An unknown one is gone already.
    ///
    /// # Errors
    /// The server brought it along, or the store failed.
    pub async fn delete_state_machine(&self, name: &str) -> Result<(), MachineError> {
        self.core.delete_machine(name).await
    }

    /// Sets and removes tags of a state machine.
    ///
    /// # Errors
    /// There is none, there would be too many tags, or the store failed.
    pub async fn tag_state_machine(
        &self,
        name: &str,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<(), MachineError> {
        self.core.tag_machine(name, set, remove).await
    }

    /// Publishes the current revision of a state machine as a version, unless it is one already.
    ///
    /// # Errors
    /// There is none, the current revision is not the one given, or the store failed.
    pub async fn publish_version(
        &self,
        name: &str,
        revision_id: Option<&str>,
        description: Option<&str>,
    ) -> Result<Version, MachineError> {
        self.core.publish(name, revision_id, description).await
    }

    /// A version.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn version(&self, machine: &StateMachine, version: i64) -> Result<Option<Version>, MachineError> {
        self.core.version(machine, version).await
    }

    /// Versions of a state machine, the newest first.
    ///
    /// # Errors
    /// The store cannot be read, or the cursor is not one of this list.
    pub async fn versions(
        &self,
        machine: &StateMachine,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page<Version>, MachineError> {
        self.core.versions(machine, cursor, limit).await
    }

    /// Deletes a version. An unknown one is gone already.
    ///
    /// # Errors
    /// An alias routes to it, or the store failed.
    pub async fn delete_version(&self, name: &str, version: i64) -> Result<(), MachineError> {
        self.core.delete_version(name, version).await
    }

    /// Makes an alias of versions with weights; to make the same one again is no error.
    ///
    /// # Errors
    /// There is no such machine or version, the alias exists with other routes, or the store failed.
    pub async fn create_alias(
        &self,
        machine: &str,
        name: &str,
        routes: &[(i64, i64)],
        description: Option<&str>,
    ) -> Result<Alias, MachineError> {
        self.core.create_alias(machine, name, routes, description).await
    }

    /// Changes the routes or the description of an alias.
    ///
    /// # Errors
    /// There is no such machine, version or alias, or the store failed.
    pub async fn update_alias(
        &self,
        machine: &str,
        name: &str,
        routes: Option<&[(i64, i64)]>,
        description: Option<&str>,
    ) -> Result<Alias, MachineError> {
        self.core.update_alias(machine, name, routes, description).await
    }

    /// An alias.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn alias(&self, machine: &StateMachine, name: &str) -> Result<Option<Alias>, MachineError> {
        self.core.alias(machine, name).await
    }

    /// Aliases of a state machine in the order in which they were made.
    ///
    /// # Errors
    /// The store cannot be read, or the cursor is not one of this list.
    pub async fn aliases(
        &self,
        machine: &StateMachine,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page<Alias>, MachineError> {
        self.core.aliases(machine, cursor, limit).await
    }

    /// Deletes an alias. An unknown one is gone already.
    ///
    /// # Errors
    /// The store failed.
    pub async fn delete_alias(&self, machine: &str, name: &str) -> Result<(), MachineError> {
        self.core.delete_alias(machine, name).await
    }

    /// What a start of a machine, of a version or of an alias runs.
    ///
    /// # Errors
    /// There is no such version or alias, the machine is being deleted, or the store failed.
    pub async fn target(
        &self,
        machine: StateMachine,
        version: Option<i64>,
        alias: Option<&str>,
    ) -> Result<Target, MachineError> {
        self.core.target(machine, version, alias).await
    }

    /// Starts a Standard execution; without a name it gets one. Durable when it returns.
    ///
    /// # Errors
    /// The name is taken, unless by an execution that runs with the same input; or the store failed.
    pub async fn start_execution(
        &self,
        target: &Target,
        name: Option<&str>,
        input: Json,
    ) -> Result<Started, StartError> {
        self.core.start_execution(target, name, input).await
    }

    /// Starts an Express execution. Durable when it returns: after a crash it begins again.
    ///
    /// # Errors
    /// The store failed.
    pub async fn start_express(&self, target: &Target, name: Option<&str>, input: Json) -> Result<Started, BoxError> {
        self.core.start_express(target, name, input).await
    }

    /// Runs an Express execution to its end.
    ///
    /// # Errors
    /// The store failed.
    pub async fn run_express(&self, target: &Target, name: Option<&str>, input: Json) -> Result<ExpressRun, BoxError> {
        self.core.run_express(target, name, input).await
    }

    /// The Standard execution of that name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn find_execution(&self, machine: &StateMachine, name: &str) -> Result<Option<Place>, BoxError> {
        self.core.find_execution(machine, name).await
    }

    /// Standard executions of a state machine, the newest first. A page may hold fewer than `limit` and yet not be the
    /// last.
    ///
    /// # Errors
    /// The store cannot be read, or the cursor is not one of this list.
    pub async fn executions(
        &self,
        machine: &StateMachine,
        filter: &Filter,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page<Summary>, BoxError> {
        self.core.list_executions(machine, filter, cursor, limit).await
    }

    /// Stops an execution; answers when it stopped, also if it had ended before. Durable when it returns.
    ///
    /// # Errors
    /// The execution cannot be reached now.
    pub async fn stop_execution(
        &self,
        id: i64,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Option<i64>, BoxError> {
        self.core.stop_execution(id, error, cause).await
    }

    /// Lets a failed execution go on from where it failed; answers when, or `None` if it cannot. Durable when it returns.
    ///
    /// # Errors
    /// The execution cannot be reached now.
    pub async fn redrive_execution(&self, id: i64, token: Option<String>) -> Result<Option<i64>, BoxError> {
        self.core.redrive_execution(id, token).await
    }

    /// When the execution was redriven last, in milliseconds since the epoch, if that was asked for with this token.
    ///
    /// # Errors
    /// The store cannot be read, or the journal is damaged.
    pub async fn redriven_with(&self, id: i64, token: &str) -> Result<Option<i64>, BoxError> {
        self.core.redriven_with(id, token).await
    }

    /// The runs of distributed Maps of an execution, in the order in which they began; `None` if there is none of that id.
    ///
    /// # Errors
    /// The store cannot be read, or the journal is damaged.
    pub async fn map_runs(&self, execution: i64) -> Result<Option<Vec<MapRunView>>, BoxError> {
        self.core.map_runs(execution).await
    }

    /// A run of a distributed Map by its ARN.
    ///
    /// # Errors
    /// The store cannot be read, or the journal is damaged.
    pub async fn map_run(&self, arn: &str) -> Result<Option<MapRunView>, BoxError> {
        self.core.map_run(arn).await
    }

    /// Sets limits of a run under way. Durable when it returns; `None` if there is none, `false` if it has ended.
    ///
    /// # Errors
    /// The execution cannot be reached now.
    pub async fn update_map_run(&self, arn: &str, update: MapRunUpdate) -> Result<Option<bool>, BoxError> {
        self.core.update_map_run(arn, update).await
    }

    /// Child executions of a run, the newest first: at most `limit` (up to [`MAX_CHILDREN`]) after `skip` others of that
    /// status, and how many to skip for the next page. `None` if there is no such run.
    ///
    /// # Errors
    /// The store cannot be read, or the journal is damaged.
    ///
    /// [`MAX_CHILDREN`]: crate::MAX_CHILDREN
    pub async fn map_run_executions(
        &self,
        arn: &str,
        status: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<Option<(Vec<ChildExecution>, Option<usize>)>, BoxError> {
        self.core.map_run_executions(arn, status, skip, limit).await
    }

    /// A child execution of a run by its ARN, and its history.
    ///
    /// # Errors
    /// The store cannot be read, or the journal is damaged.
    pub async fn child_execution(&self, arn: &str) -> Result<Option<(ChildExecution, Vec<HistoryEvent>)>, BoxError> {
        self.core.child_execution(arn).await
    }

    /// Takes what a worker reports about its task. Durable when it returns.
    ///
    /// # Errors
    /// The token is not one of this store, nobody waits for the task, or the store failed.
    pub async fn report(&self, token: &str, report: Report) -> Result<(), ReportError> {
        self.core.report(token, report).await
    }

    /// Calls a resource outside of any execution, within [`crate::TRIAL_LIMIT`]. What it changes takes effect and is
    /// durable when this returns.
    ///
    /// # Errors
    /// The failure that a flow would see.
    pub async fn try_task(&self, resource: &str, arguments: Json) -> Result<Json, Failure> {
        self.core.try_task(resource, arguments).await
    }

    /// Makes an activity; to make it again is no error.
    ///
    /// # Errors
    /// The store failed.
    pub async fn create_activity(&self, name: &str, tags: &BTreeMap<String, String>) -> Result<Activity, MachineError> {
        self.core.create_activity(name, tags).await
    }

    /// An activity by its name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn activity(&self, name: &str) -> Result<Option<Activity>, MachineError> {
        self.core.activity(name).await
    }

    /// Activities in the order of their names.
    ///
    /// # Errors
    /// The store cannot be read, or the cursor is not one of this list.
    pub async fn activities(&self, cursor: Option<String>, limit: usize) -> Result<Page<Activity>, MachineError> {
        self.core.activities(cursor, limit).await
    }

    /// Deletes an activity. An unknown one is gone already.
    ///
    /// # Errors
    /// The store failed.
    pub async fn delete_activity(&self, name: &str) -> Result<(), MachineError> {
        self.core.delete_activity(name).await
    }

    /// Sets and removes tags of an activity.
    ///
    /// # Errors
    /// There is none, there would be too many tags, or the store failed.
    pub async fn tag_activity(
        &self,
        name: &str,
        set: &BTreeMap<String, String>,
        remove: &[String],
    ) -> Result<(), MachineError> {
        self.core.tag_activity(name, set, remove).await
    }

    /// Waits at most this long for a task of an activity. That the worker has it is durable when this returns.
    ///
    /// # Errors
    /// The execution that wants the task cannot be reached now.
    pub async fn fetch_task(
        &self,
        activity: &str,
        worker: Option<&str>,
        patience: Duration,
    ) -> Result<Option<ActivityTask>, BoxError> {
        self.core.fetch_task(activity, worker, patience).await
    }
}
