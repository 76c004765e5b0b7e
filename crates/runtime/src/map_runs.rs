//! The runs of distributed Maps: described, listed and changed.
//!
//! Nothing is stored for them: a run and its child executions are told by replaying the execution that they belong to,
//! and their ARNs say which one that is.

use std::sync::Arc;

use asl::map_runs::{Child, MapRun, MapRuns, RunId};
use asl::{Event, HistoryEvent, MapRunUpdate, Outcome};
use serde_json::Value as Json;
use store::BoxError;

use crate::core::Core;
use crate::execution::status;

/// The most child executions of one page.
pub const MAX_CHILDREN: usize = 1_000;

/// A run, and the execution that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct MapRunView {
    /// The id of the execution.
    pub execution: i64,
    /// The ARN of the execution.
    pub execution_arn: String,
    /// The ARN of the state machine.
    pub state_machine_arn: String,
    /// The run.
    pub run: MapRun,
}

/// An execution of an item, or of a batch of items, of a distributed Map.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildExecution {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The ARN of the run that it belongs to.
    pub map_run_arn: String,
    /// `arn:...:stateMachine:MACHINE/LABEL`.
    pub state_machine_arn: String,
    /// RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED.
    pub status: &'static str,
    /// Milliseconds since the epoch.
    pub started_at: i64,
    /// Milliseconds since the epoch.
    pub stopped_at: Option<i64>,
    /// What it was given.
    pub input: Json,
    /// What it gave.
    pub output: Option<Json>,
    /// The error's name, if it failed.
    pub error: Option<String>,
    /// Why it failed.
    pub cause: Option<String>,
    /// The items in it.
    pub items: usize,
    /// Whether it is an Express execution.
    pub express: bool,
}

impl ChildExecution {
    fn of(run: &MapRun, child: &Child) -> ChildExecution {
        let arn = run.child_arn(child.index);
        let head = arn.rsplit_once(':').map_or("", |(head, _)| head);
        let (output, error, cause) = match &child.outcome {
            None => (None, None, None),
            Some(Outcome::Succeeded { output }) => (Some(output.clone()), None, None),
            Some(
                Outcome::Failed { error, cause }
                | Outcome::TimedOut { error, cause }
                | Outcome::Aborted { error, cause },
            ) => (None, error.clone(), cause.clone()),
        };
        ChildExecution {
            name: arn.rsplit(':').next().unwrap_or_default().to_owned(),
            state_machine_arn: head.replacen(":execution:", ":stateMachine:", 1),
            map_run_arn: run.arn.clone(),
            status: status(child.outcome.as_ref()),
            started_at: child.started_ms,
            stopped_at: child.stopped_ms,
            input: child.input.clone(),
            output,
            error,
            cause,
            items: child.items,
            express: run.express,
            arn,
        }
    }
}

/// The id of the execution that a run or child belongs to.
fn execution_of(id: RunId) -> Option<i64> {
    i64::try_from(id.seed).ok()
}

fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

impl Core {
    async fn tell_runs(
        &self,
        execution: i64,
        child: Option<RunId>,
    ) -> Result<Option<(Vec<MapRunView>, Vec<HistoryEvent>)>, BoxError> {
        let mut told = MapRuns::new(child);
        let Some((_, _, machine, _)) = self.retell(execution, &mut told).await? else { return Ok(None) };
        let info = machine.info();
        let view = |run| MapRunView {
            execution,
            execution_arn: info.id.clone(),
            state_machine_arn: info.state_machine_id.clone(),
            run,
        };
        Ok(Some((told.runs.into_iter().map(view).collect(), told.history)))
    }

    /// The runs of an execution in the order in which they began.
    pub(crate) async fn map_runs(&self, execution: i64) -> Result<Option<Vec<MapRunView>>, BoxError> {
        Ok(self.tell_runs(execution, None).await?.map(|(runs, _)| runs))
    }

    pub(crate) async fn map_run(&self, arn: &str) -> Result<Option<MapRunView>, BoxError> {
        let Some(id) = RunId::of_arn(arn).filter(|id| id.child.is_none()) else { return Ok(None) };
        let Some(execution) = execution_of(id) else { return Ok(None) };
        let runs = self.map_runs(execution).await?.unwrap_or_default();
        Ok(runs.into_iter().nth(at(id.run)).filter(|view| view.run.arn == arn))
    }

    /// Changes limits of a run. Durable when it returns; `None` if there is none, `false` if it has ended.
    pub(crate) async fn update_map_run(
        self: &Arc<Core>,
        arn: &str,
        update: MapRunUpdate,
    ) -> Result<Option<bool>, BoxError> {
        let (Some(view), Some(id)) = (self.map_run(arn).await?, RunId::of_arn(arn)) else { return Ok(None) };
        let event = Event::MapRunUpdated { run: id.run, update };
        self.tell(view.execution, event, None).await.map(Some)
    }

    pub(crate) async fn map_run_executions(
        &self,
        arn: &str,
        status: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<Option<(Vec<ChildExecution>, Option<usize>)>, BoxError> {
        let Some(MapRunView { run, .. }) = self.map_run(arn).await? else { return Ok(None) };
        let limit = limit.clamp(1, MAX_CHILDREN);
        let taken = |child: &&Child| status.is_none_or(|wanted| wanted == self::status(child.outcome.as_ref()));
        // The newest first, as all executions are listed.
        let mut found = run.children.iter().rev().filter(taken).skip(skip);
        let page: Vec<_> = found.by_ref().take(limit).map(|child| ChildExecution::of(&run, child)).collect();
        let next = found.next().map(|_| skip + page.len());
        Ok(Some((page, next)))
    }

    pub(crate) async fn child_execution(
        &self,
        arn: &str,
    ) -> Result<Option<(ChildExecution, Vec<HistoryEvent>)>, BoxError> {
        let Some(id) = RunId::of_arn(arn) else { return Ok(None) };
        let (Some(index), Some(execution)) = (id.child, execution_of(id)) else { return Ok(None) };
        let Some((runs, history)) = self.tell_runs(execution, Some(id)).await? else { return Ok(None) };
        let Some(MapRunView { run, .. }) = runs.into_iter().nth(at(id.run)) else { return Ok(None) };
        let child = run.children.iter().find(|child| child.index == index);
        let child = child.map(|child| ChildExecution::of(&run, child)).filter(|child| child.arn == arn);
        Ok(child.map(|child| (child, history)))
    }
}
