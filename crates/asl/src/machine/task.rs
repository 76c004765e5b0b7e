//! Tasks: scheduling an attempt, and what is reported about it.

use std::cell::Cell;
use std::sync::Arc;

use serde_json::Value;

use super::map_run::Answer;
use super::run::{Run, Step, after, invalid_path, select};
use super::settle::too_large;
use super::thread::{Attempt, Phase, Slot, Thread};
use super::{Machine, Purpose};
use crate::data;
use crate::definition::{Kind, Seconds, State, Task};
use crate::environment::Environment;
use crate::error::Failure;
use crate::event::{Applied, Command, Moment, TaskId, TaskStart, Work};
use crate::history::{Details, TaskKinds};
use crate::limits;
use crate::resource::{self, Pattern};

/// What an attempt is started with.
struct Prepared {
    arguments: Value,
    credentials: Option<Value>,
    timeout_s: Option<u64>,
    heartbeat_s: Option<u64>,
}

fn prepare(state: &State, task: &Task, env: &Environment<'_>) -> Result<Prepared, Failure> {
    let input = select(&state.input_path, env)?;
    let env = env.with_input(&input);
    let timeout_s = task.timeout.as_ref().map(|seconds| seconds_of(seconds, "TimeoutSecondsPath", &env)).transpose()?;
    let heartbeat_s =
        task.heartbeat.as_ref().map(|seconds| seconds_of(seconds, "HeartbeatSecondsPath", &env)).transpose()?;
    let credentials = task.credentials.as_ref().map(|template| template.evaluate(&env)).transpose()?;
    let arguments = match &task.parameters {
        Some(template) => template.evaluate(&env)?,
        None => input.into_owned(),
    };
    Ok(Prepared { arguments, credentials, timeout_s, heartbeat_s })
}

fn seconds_of(seconds: &Seconds, field: &str, env: &Environment<'_>) -> Result<u64, Failure> {
    match seconds {
        Seconds::Fixed(seconds) => Ok(*seconds),
        Seconds::Formula(formula) => formula.evaluate_as(env, "number", |value| {
            super::run::whole(value).filter(|seconds| (1..=limits::SECONDS).contains(seconds))
        }),
        Seconds::Path(query) => {
            let value = query.find(env).map_err(|error| invalid_path(query, &error))?;
            value.as_u64().filter(|seconds| (1..=limits::SECONDS).contains(seconds)).ok_or_else(|| {
                Failure::runtime(format!(
                    "The {field} parameter cannot be parsed as a positive integer: {} == {}",
                    query.text,
                    super::run::shown(&value)
                ))
            })
        }
    }
}

impl<'a> Run<'a> {
    /// Starts an attempt of the thread's task.
    pub(super) fn schedule(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        task: &'a Task,
    ) -> Result<(), Failure> {
        let id = self.machine.next_task;
        let draws = self.machine.draws;
        let prepared = self.with_environment(thread, state, Some(id), |env| prepare(state, task, env))?;
        if task.parameters.is_some() && data::measure(&prepared.arguments, limits::PAYLOAD_BYTES).is_err() {
            return Err(too_large(&state.name));
        }
        self.machine.next_task += 1;
        let now_ms = self.moment.now_ms;
        let Prepared { arguments, credentials, timeout_s, heartbeat_s } = prepared;
        let info = Arc::clone(&self.machine.info);
        self.note(thread, TaskKinds::of(&task.resource).scheduled, || Details::TaskScheduled {
            resource: Arc::clone(&task.resource),
            arguments: data::text(&arguments),
            region: info.id.split(':').nth(3).unwrap_or_default().into(),
            timeout_s,
            heartbeat_s,
            credentials: credentials.clone(),
        });
        let deadline_ms = timeout_s.map(|seconds| after(now_ms, seconds));
        let timeout = deadline_ms.map(|at_ms| self.set_timer(at_ms, slot, Purpose::TaskTimeout(id)));
        let heartbeat = heartbeat_s.map(|seconds| self.set_timer(after(now_ms, seconds), slot, Purpose::Heartbeat(id)));
        self.machine.tasks.push((id, slot));
        thread.phase = Phase::Task(Attempt {
            task: id,
            at_ms: now_ms,
            timeout,
            heartbeat,
            deadline_ms,
            heartbeat_s,
            draws,
            started: false,
        });
        let path = self.machine.path_at(thread);
        self.commands.push(Command::StartTask(TaskStart {
            task: id,
            state: String::from(&*state.name),
            resource: Arc::clone(&task.resource),
            arguments,
            attempt: thread.retry_count,
            path,
            wait_for_token: task.resource.waits_for_token(),
            deadline_ms,
            heartbeat_s,
            credentials,
            work: Work::Call,
        }));
        Ok(())
    }

    /// Takes the thread of a pending task.
    fn with_task(&mut self, task: TaskId) -> Option<(Slot, Thread, &'a State, &'a Task)> {
        let at = self.machine.tasks.binary_search_by_key(&task, |(id, _)| *id).ok()?;
        let (_, slot) = *self.machine.tasks.get(at)?;
        let thread = self.machine.thread(slot)?;
        let state = self.definition.state(thread.scope, thread.state)?;
        let Kind::Task(definition) = &state.kind else { return None };
        Some((slot, self.machine.take(slot)?, state, definition))
    }

    fn note_started(&mut self, thread: &mut Thread, task: &Task, worker: Option<String>) {
        if let Phase::Task(attempt) = &mut thread.phase
            && !attempt.started
        {
            attempt.started = true;
            self.note(thread, TaskKinds::of(&task.resource).started, || Details::TaskStarted {
                resource: Arc::clone(&task.resource),
                worker,
            });
        }
    }

    pub(super) fn task_started(&mut self, task: TaskId, worker: Option<String>) -> Applied {
        let Some((slot, mut thread, _, definition)) = self.with_task(task) else { return Applied::Stale };
        let stale = thread.attempt().is_some_and(|attempt| attempt.started);
        self.note_started(&mut thread, definition, worker);
        self.machine.put(slot, thread);
        if stale { Applied::Stale } else { Applied::Changed }
    }

    pub(super) fn task_submitted(&mut self, task: TaskId, output: &Value) -> Applied {
        let Some((slot, mut thread, _, definition)) = self.with_task(task) else { return Applied::Stale };
        self.note_started(&mut thread, definition, None);
        if definition.resource.pattern != Pattern::RequestResponse {
            self.note(&mut thread, "TaskSubmitted", || Details::TaskSubmitted {
                resource: Arc::clone(&definition.resource),
                output: data::text(output),
            });
        }
        self.machine.put(slot, thread);
        Applied::Changed
    }

    pub(super) fn task_succeeded(&mut self, task: TaskId, output: Value) -> Applied {
        if self.is_asked(task) {
            return self.map_answered(task, Answer::Done(output));
        }
        let Some((slot, mut thread, state, definition)) = self.with_task(task) else { return Applied::Stale };
        self.note_started(&mut thread, definition, None);
        self.forget_task(&mut thread);
        let resource = &definition.resource;
        let step = match data::measure(&output, limits::PAYLOAD_BYTES) {
            Ok(size) => {
                self.note(&mut thread, TaskKinds::of(resource).succeeded, || Details::TaskSucceeded {
                    resource: Arc::clone(resource),
                    output: data::text(&output),
                });
                self.succeeded(slot, &mut thread, state, output, Some(size))
            }
            Err(_) => {
                let name = match resource.kind {
                    resource::Kind::Function { .. } | resource::Kind::Activity { .. } => &*resource.raw,
                    _ => resource.resource_type(),
                };
                let failure = Failure { reported: true, ..too_large(name) };
                self.report_failure(slot, &mut thread, state, definition, failure)
            }
        };
        self.go_on(slot, thread, step)
    }

    pub(super) fn task_failed(&mut self, task: TaskId, error: Option<String>, cause: Option<String>) -> Applied {
        if self.is_asked(task) {
            return self.map_answered(task, Answer::Failed(cause));
        }
        let Some((slot, mut thread, state, definition)) = self.with_task(task) else { return Applied::Stale };
        self.note_started(&mut thread, definition, None);
        self.forget_task(&mut thread);
        let step = self.report_failure(slot, &mut thread, state, definition, Failure::new(error, cause));
        self.go_on(slot, thread, step)
    }

    /// The attempt has run out of time, or its heartbeats have stopped.
    pub(super) fn task_timed_out(&mut self, task: TaskId, heartbeat: bool) -> Applied {
        if self.is_asked(task) {
            return self.map_answered(task, Answer::Failed(Some("it took too long".into())));
        }
        let Some((slot, mut thread, state, definition)) = self.with_task(task) else { return Applied::Stale };
        self.forget_task(&mut thread);
        self.commands.push(Command::CancelTask { task });
        let failure = Failure::timeout(heartbeat);
        self.note(&mut thread, TaskKinds::of(&definition.resource).timed_out, || Details::TaskFailed {
            resource: Arc::clone(&definition.resource),
            error: failure.error.as_deref().map(str::to_owned),
            cause: None,
        });
        let step = self.failed(slot, &mut thread, state, failure);
        self.go_on(slot, thread, step)
    }

    pub(super) fn task_heartbeat(&mut self, task: TaskId) -> Applied {
        let Some((slot, mut thread, _, _)) = self.with_task(task) else { return Applied::Stale };
        if let Phase::Task(attempt) = &mut thread.phase
            && let Some(heartbeat_s) = attempt.heartbeat_s
        {
            if let Some(timer) = attempt.heartbeat.take() {
                self.cancel_timer(timer);
            }
            let at_ms = after(self.moment.now_ms, heartbeat_s);
            attempt.heartbeat = Some(self.set_timer(at_ms, slot, Purpose::Heartbeat(task)));
        }
        self.machine.put(slot, thread);
        Applied::Changed
    }

    fn report_failure(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        task: &'a Task,
        failure: Failure,
    ) -> Step {
        self.note(thread, TaskKinds::of(&task.resource).failed, || Details::TaskFailed {
            resource: Arc::clone(&task.resource),
            error: failure.error.as_deref().map(str::to_owned),
            cause: failure.cause.clone(),
        });
        self.failed(slot, thread, state, failure)
    }

    fn go_on(&mut self, slot: Slot, thread: Thread, step: Step) -> Applied {
        self.run_thread(slot, thread, step);
        self.run_ready();
        Applied::Changed
    }

    /// Takes a thread's task from the pending ones, with its timers.
    pub(super) fn forget_task(&mut self, thread: &mut Thread) -> Option<TaskId> {
        let attempt = *thread.attempt()?;
        thread.phase = Phase::Ready;
        if let Ok(at) = self.machine.tasks.binary_search_by_key(&attempt.task, |(id, _)| *id) {
            self.machine.tasks.remove(at);
        }
        for timer in [attempt.timeout, attempt.heartbeat].into_iter().flatten() {
            self.cancel_timer(timer);
        }
        Some(attempt.task)
    }
}

impl Machine {
    /// The command that started the pending task of a thread.
    pub(super) fn task_start_again(&self, slot: Slot, moment: &Moment<'_>) -> Option<TaskStart> {
        let thread = self.thread(slot)?;
        if let Phase::Asked(asked) = &thread.phase {
            return Some(asked.start.clone());
        }
        let attempt = thread.attempt()?;
        let state = self.definition.state(thread.scope, thread.state)?;
        let Kind::Task(task) = &state.kind else { return None };
        let draws = Cell::new(attempt.draws);
        let prepared = self
            .evaluate(thread, state, Some(attempt.task), moment, attempt.at_ms, &draws, |env| prepare(state, task, env))
            .ok()?;
        Some(TaskStart {
            task: attempt.task,
            state: String::from(&*state.name),
            resource: Arc::clone(&task.resource),
            arguments: prepared.arguments,
            attempt: thread.retry_count,
            path: self.path_of(slot),
            wait_for_token: task.resource.waits_for_token(),
            deadline_ms: attempt.deadline_ms,
            heartbeat_s: attempt.heartbeat_s,
            credentials: prepared.credentials,
            work: Work::Call,
        })
    }
}
