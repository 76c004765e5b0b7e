//! An execution in memory: as it begins, or as its journal tells it.

use std::collections::HashMap;
use std::sync::Arc;

use asl::{Event, ExecutionInfo, Machine, Moment, NoHistory, Outcome, TaskId, TimerId};
use serde_json::Value;
use store::message::Message;
use store::{BoxError, Key, Receipt, Row, clock};

use super::{Incoming, Mailbox, Stuck, status};
use crate::core::Core;
use crate::flow::Flow;
use crate::journal::{self, Record};
use crate::services::{Ended, OnEnd};
use crate::tables::{EXECUTIONS, JOURNAL};

/// An execution in memory.
pub(crate) struct Live {
    pub(crate) id: i64,
    pub(super) flow: Arc<Flow>,
    pub(crate) machine: Machine,
    pub(super) name: String,
    pub(super) started_at: i64,
    pub(super) stopped_at: Option<i64>,
    pub(super) segments: i64,
    /// The last segment, while it may still be extended.
    pub(super) tail: Option<(Receipt, String)>,
    /// The messages of the timers that are set.
    pub(super) timers: HashMap<TimerId, i64>,
    /// Tasks that wait for their token and whose request is done.
    pub(super) submitted: Vec<TaskId>,
    /// Executions whose end a task waits for.
    pub(super) children: HashMap<TaskId, i64>,
    /// Who hears of its end.
    pub(super) on_end: Option<OnEnd>,
    /// Its input, kept if somebody hears of its end.
    pub(super) input: Value,
    /// The row as it was last committed.
    pub(super) row: Option<Row>,
}

impl Live {
    /// What the idempotency keys of its steps begin with. The application gives its executions names of their own; of
    /// those started through the API, two may have the same name under two state machines.
    pub(super) fn key(&self) -> String {
        match self.flow.role_arn {
            None => self.name.clone(),
            Some(_) => store::id::encode(self.id),
        }
    }

    /// Whether it has ended, and its row does not say so: it was over with its start.
    pub(super) fn is_unsettled(&self) -> bool {
        let running = |row: &Row| row.text("status") == Some(status(None));
        self.machine.outcome().is_some() && self.row.as_ref().is_some_and(running)
    }

    /// What is sent in the commit in which it ends.
    pub(super) fn end_message(&self, outcome: &Outcome) -> Option<Message> {
        let ended = Ended {
            id: self.id,
            info: self.machine.info(),
            input: &self.input,
            outcome,
            started_at: self.started_at,
            stopped_at: self.stopped_at.unwrap_or(self.started_at),
            redrivable: self.machine.can_redrive(),
        };
        self.on_end.as_ref()?.message(&ended)
    }

    /// Whether it ended while others were to be stopped, and not all of them have been told.
    pub(super) fn owes_stops(&self) -> bool {
        let owned = |row: &Row| row.int("owner").is_some();
        self.machine.outcome().is_some() && !self.children.is_empty() && self.row.as_ref().is_some_and(owned)
    }

    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Started { input } if self.on_end.is_some() => self.input = input.clone(),
            Event::TaskSubmitted { task, .. } | Event::TaskStarted { task, .. } => self.submitted.push(*task),
            Event::TimerFired { timer } => drop(self.timers.remove(timer)),
            Event::TaskSucceeded { task, .. } | Event::TaskFailed { task, .. } | Event::TaskTimedOut { task } => {
                self.submitted.retain(|other| other != task);
                self.children.remove(task);
            }
            _ => {}
        }
    }
}

impl Core {
    /// A new execution, if that is what has arrived first.
    pub(super) fn begin(&self, id: i64, mailbox: &Mailbox) -> Option<Live> {
        let arrivals = mailbox.arrivals.lock();
        let Some((Incoming::Start { flow, name, on_end, .. }, _)) = arrivals.front() else { return None };
        let machine = Machine::new(flow.definition.clone(), self.info(id, flow, name));
        Some(Live {
            id,
            flow: flow.clone(),
            machine,
            name: name.clone(),
            started_at: clock::now_ms(),
            stopped_at: None,
            segments: 0,
            tail: None,
            timers: HashMap::new(),
            submitted: Vec::new(),
            children: HashMap::new(),
            on_end: on_end.clone(),
            input: Value::Null,
            row: None,
        })
    }

    pub(crate) fn info(&self, id: i64, flow: &Flow, name: &str) -> ExecutionInfo {
        ExecutionInfo {
            id: self.execution_arn(&flow.name, name),
            name: name.to_owned(),
            role_arn: flow.role_arn.clone().unwrap_or_else(|| self.own_role_arn()),
            state_machine_id: self.machine_arn(&flow.name),
            state_machine_name: flow.name.clone(),
            seed: id.unsigned_abs(),
            ..ExecutionInfo::default()
        }
    }

    /// The execution as the journal tells it; `None` if there is none of that id.
    pub(super) async fn load_live(&self, id: i64) -> Result<Option<Live>, Stuck> {
        let read = |e: store::ReadError| Stuck::Read(e.into());
        let Some(row) = self.store.get(&EXECUTIONS, &Key::Int(id)).await.map_err(read)? else { return Ok(None) };
        let flow_id = row.int("flow_id").unwrap_or_default();
        let flow = self.flows.version(flow_id).await.map_err(|e| Stuck::Read(e.into()))?;
        let flow = flow.ok_or_else(|| Stuck::Damaged(format!("flow version {flow_id} is missing")))?;
        let name = row.text("name").unwrap_or_default().to_owned();
        let machine = Machine::new(flow.definition.clone(), self.info(id, &flow, &name));
        let mut live = Live {
            id,
            flow,
            machine,
            name,
            started_at: row.int("started_at").unwrap_or_default(),
            stopped_at: row.int("stopped_at"),
            segments: row.int("segments").unwrap_or_default(),
            tail: None,
            timers: HashMap::new(),
            submitted: Vec::new(),
            children: HashMap::new(),
            on_end: row.text("on_end").and_then(|text| serde_json::from_str(text).ok()),
            input: Value::Null,
            row: Some(row),
        };
        self.replay(&mut live, "").await?;
        Ok(Some(live))
    }

    /// Sets the machine to what the journal and the records of the draft tell.
    pub(super) async fn replay(&self, live: &mut Live, draft: &str) -> Result<(), Stuck> {
        live.machine = Machine::new(live.flow.definition.clone(), self.info(live.id, &live.flow, &live.name));
        live.timers.clear();
        live.submitted.clear();
        live.children.clear();
        for segment in 0..live.segments {
            let text = self.segment(live.id, segment).await?;
            self.replay_text(live, &text)?;
        }
        self.replay_text(live, draft)
    }

    pub(crate) async fn segment_text(&self, id: i64, segment: i64) -> Result<String, BoxError> {
        let row = self.store.get(&JOURNAL, &Key::Pair(id, segment)).await?;
        let row = row.ok_or_else(|| format!("segment {segment} of the journal is missing"))?;
        Ok(row.text("records").unwrap_or_default().to_owned())
    }

    async fn segment(&self, id: i64, segment: i64) -> Result<String, Stuck> {
        self.segment_text(id, segment).await.map_err(Stuck::Read)
    }

    fn replay_text(&self, live: &mut Live, text: &str) -> Result<(), Stuck> {
        let mut commands = Vec::new();
        for record in journal::read(text).map_err(Stuck::Damaged)? {
            match record {
                Record::Timer { timer, message } => {
                    live.timers.insert(timer, message);
                }
                Record::Child { task, execution } => {
                    live.children.insert(task, execution);
                }
                Record::Redriven { at_ms, .. } => {
                    let token = |task: TaskId| self.tokens.mint(live.id, task);
                    let moment = Moment { now_ms: at_ms, task_token: &token };
                    live.machine.redrive(&moment, &mut commands, &mut NoHistory);
                    commands.clear();
                    live.stopped_at = None;
                }
                Record::Event { at_ms, event } => {
                    live.note(&event);
                    let token = |task: TaskId| self.tokens.mint(live.id, task);
                    let moment = Moment { now_ms: at_ms, task_token: &token };
                    live.machine.apply(event, &moment, &mut commands, &mut NoHistory);
                    commands.clear();
                    if live.machine.outcome().is_some() && live.stopped_at.is_none() {
                        live.stopped_at = Some(at_ms);
                    }
                }
            }
        }
        Ok(())
    }
}
