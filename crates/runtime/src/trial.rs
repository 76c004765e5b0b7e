//! One state on its own, with its task answered by the caller: what TestState does.

use std::sync::Arc;

use asl::{Command, Definition, Event, ExecutionInfo, HistoryEvent, Machine, Moment, Outcome, TaskId, TaskStart};
use serde_json::Value as Json;
use store::{clock, id};

use crate::core::Core;
use crate::task::Failure;

/// The most steps of a trial.
const MAX_STEPS: usize = 1_000;

/// How the task of a trial is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The resource is called.
    Call,
    /// This is its result.
    Result(Json),
    /// It fails like this: both parts may be missing.
    Error(Option<String>, Option<String>),
}

/// What to try.
#[derive(Debug, Clone)]
pub struct Trial {
    /// A flow that begins with the state.
    pub definition: Arc<Definition>,
    /// What the context object shows.
    pub info: ExecutionInfo,
    /// The input.
    pub input: Json,
    /// How tasks are answered.
    pub answer: Answer,
    /// How many retries there were before.
    pub retries: u32,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The history.
    pub events: Vec<HistoryEvent>,
    /// How it ended; `None` if a retry is due.
    pub outcome: Option<Outcome>,
    /// What the last task was called with.
    pub arguments: Option<Json>,
}

impl Core {
    pub(crate) async fn try_state(&self, trial: Trial) -> Tried {
        let id = id::next();
        let info = ExecutionInfo { seed: id.unsigned_abs(), ..trial.info };
        let mut machine = Machine::new(trial.definition, info);
        let mut tried = Tried { events: Vec::new(), outcome: None, arguments: None };
        let mut retries = trial.retries;
        let mut starts: Vec<TaskStart> = Vec::new();
        let mut next = Some(Event::Started { input: trial.input });
        for _ in 0..MAX_STEPS {
            let Some(event) = next.take() else { break };
            let failed = matches!(event, Event::TaskFailed { .. });
            let idle = self.apply_trial(id, &mut machine, event, &mut tried.events, &mut starts);
            if machine.outcome().is_some() {
                break;
            }
            let start = starts.pop();
            let waits = start.is_none() && idle;
            if failed && waits {
                if retries == 0 {
                    break;
                }
                retries -= 1;
            }
            next = match start {
                Some(start) => {
                    tried.arguments = Some(start.arguments.clone());
                    Some(self.answered(id, &start, &trial.answer).await)
                }
                None => {
                    machine.pending_timers().min_by_key(|(_, at)| *at).map(|(timer, _)| Event::TimerFired { timer })
                }
            };
        }
        tried.outcome = machine.outcome().cloned();
        tried
    }

    /// Applies an event; answers whether no task is pending then.
    fn apply_trial(
        &self,
        id: i64,
        machine: &mut Machine,
        event: Event,
        events: &mut Vec<HistoryEvent>,
        starts: &mut Vec<TaskStart>,
    ) -> bool {
        let mut commands = Vec::new();
        let token = |task: TaskId| self.tokens.mint(id, task);
        let moment = Moment { now_ms: clock::now_ms(), task_token: &token };
        machine.apply(event, &moment, &mut commands, events);
        starts.extend(commands.into_iter().filter_map(|command| match command {
            Command::StartTask(start) => Some(start),
            _ => None,
        }));
        machine.pending_task_ids().next().is_none()
    }

    async fn answered(&self, id: i64, start: &TaskStart, answer: &Answer) -> Event {
        let task = start.task;
        match answer {
            Answer::Result(output) => Event::TaskSucceeded { task, output: output.clone() },
            Answer::Error(error, cause) => Event::TaskFailed { task, error: error.clone(), cause: cause.clone() },
            Answer::Call => match self.call_and_commit(id, &id::encode(id), start).await {
                Ok(output) => Event::TaskSucceeded { task, output },
                Err(Failure { error, cause }) => Event::TaskFailed { task, error: Some(error), cause: Some(cause) },
            },
        }
    }
}
