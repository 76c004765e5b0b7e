//! Runs threads through their states.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::redrive::Resume;
use super::thread::{ChildId, Phase, Slot, Thread};
use super::{Machine, Purpose, Timer};
use crate::data::{self, Size};
use crate::definition::{Choice, Definition, Fail, Kind, Pass, Selector, State, Text, Wait};
use crate::environment::{Environment, Facts};
use crate::error::{self, Failure};
use crate::event::{Applied, Command, Moment, Outcome, TaskId, TimerId};
use crate::history::{Details, HistoryEvent, HistorySink, Turn};
use crate::limits;
use crate::map_runs::{MapRunChange, MapRunEvent};
use crate::query::Query;

/// Most events that the children of distributed Maps may have in one execution.
const CHILD_EVENTS: u64 = 1_000_000;

/// One call of [`Machine::apply`].
pub(super) struct Run<'a> {
    pub(super) machine: &'a mut Machine,
    pub(super) definition: &'a Definition,
    pub(super) moment: &'a Moment<'a>,
    pub(super) commands: &'a mut Vec<Command>,
    pub(super) history: &'a mut dyn HistorySink,
    pub(super) wants: bool,
    /// Threads to run, the next one last.
    pub(super) ready: Vec<Slot>,
}

/// What a thread does next.
pub(super) enum Step {
    /// It runs on in its (new) state.
    Again,
    /// It waits for an event or for its children.
    Blocked,
    /// It has come to its end.
    Ended(Result<Value, Failure>),
}

impl<'a> Run<'a> {
    pub(super) fn start(&mut self, input: Value) {
        let now_ms = self.moment.now_ms;
        let machine = &mut *self.machine;
        machine.started = true;
        machine.started_ms = now_ms;
        if self.definition.reads.execution_input {
            machine.input = Some(Arc::new(input.clone()));
        }
        let role_arn = Arc::clone(&machine.info);
        self.event(0, "ExecutionStarted", || Details::ExecutionStarted {
            input: data::text(&input),
            role_arn: role_arn.role_arn.clone(),
        });
        if let Some(timeout_s) = self.definition.timeout_s {
            self.set_timer(after(now_ms, timeout_s), 0, Purpose::Execution);
        }
        let start = self.definition.scope(0).map_or(0, |scope| scope.start);
        // The host has checked the input; here only its size is wanted.
        let size = data::measure(&input, usize::MAX).unwrap_or(Size { bytes: 0, depth: limits::DATA_DEPTH + 1 });
        self.machine.live_bytes = size.bytes;
        let slot = self.machine.spawn(Thread::new(0, start, input, size));
        self.ready.push(slot);
        self.run_ready();
    }

    /// Runs until no thread is ready.
    pub(super) fn run_ready(&mut self) {
        while let Some(slot) = self.ready.pop() {
            if self.machine.outcome.is_some() {
                return;
            }
            if let Some(thread) = self.machine.take(slot) {
                self.run_thread(slot, thread, Step::Again);
            }
        }
    }

    /// Runs one thread on, after `step`, until it blocks or ends.
    pub(super) fn run_thread(&mut self, slot: Slot, mut thread: Thread, mut step: Step) {
        let definition = self.definition;
        loop {
            match step {
                Step::Again => {
                    if self.machine.last_event + 2 >= limits::HISTORY_EVENTS || self.machine.child_events > CHILD_EVENTS
                    {
                        return self.exhausted();
                    }
                    let of_child = thread.child.and_then(|child| self.machine.children.get(&child));
                    if of_child.is_some_and(|events| events + 2 >= limits::HISTORY_EVENTS) {
                        return self.ended(slot, thread, Err(history_full()));
                    }
                    step = match definition.state(thread.scope, thread.state) {
                        Some(state) => self.enter(slot, &mut thread, state),
                        None => Step::Ended(Err(Failure::runtime("the state does not exist".into()))),
                    };
                }
                Step::Blocked => return self.machine.put(slot, thread),
                Step::Ended(result) => return self.ended(slot, thread, result),
            }
        }
    }

    fn enter(&mut self, slot: Slot, thread: &mut Thread, state: &'a State) -> Step {
        thread.entered_ms = self.moment.now_ms;
        let kind = match state.kind {
            Kind::Pass(_) => "PassStateEntered",
            Kind::Task(_) => "TaskStateEntered",
            Kind::Choice(_) => "ChoiceStateEntered",
            Kind::Wait(_) => "WaitStateEntered",
            Kind::Succeed => "SucceedStateEntered",
            Kind::Fail(_) => "FailStateEntered",
            Kind::Parallel(_) => "ParallelStateEntered",
            Kind::Map(_) => "MapStateEntered",
        };
        thread.before_event = thread.last_event;
        self.note_with(thread, kind, |thread| Details::StateEntered {
            name: Arc::clone(&state.name),
            input: data::text(&thread.input),
        });
        thread.entered_event = thread.last_event;
        self.turned(state, Turn::Entered);
        self.begin(slot, thread, state)
    }

    /// Runs the state from its beginning: on entering it and on every retry.
    pub(super) fn begin(&mut self, slot: Slot, thread: &mut Thread, state: &'a State) -> Step {
        let begun = match &state.kind {
            Kind::Pass(pass) => self.pass(thread, state, pass),
            Kind::Choice(choice) => self.choice(thread, state, choice),
            Kind::Wait(wait) => self.wait(slot, thread, state, wait),
            Kind::Succeed => self.plain(thread, state),
            Kind::Fail(fail) => self.fail_state(thread, state, fail),
            Kind::Task(task) => self.schedule(slot, thread, state, task).map(|()| Step::Blocked),
            Kind::Parallel(parallel) => self.fork_branches(slot, thread, state, parallel),
            Kind::Map(map) => self.fork_items(slot, thread, state, map),
        };
        begun.unwrap_or_else(|failure| self.failed(slot, thread, state, failure))
    }

    fn pass(&mut self, thread: &mut Thread, state: &'a State, pass: &'a Pass) -> Result<Step, Failure> {
        let result = match (&pass.result, &pass.parameters) {
            (Some(result), _) => result.clone(),
            (None, None) if matches!(state.input_path, Selector::Whole) => {
                // Nothing is computed: the input itself is the result.
                match pass.result_path {
                    crate::definition::ResultPath::At(..) => thread.input.clone(),
                    _ => {
                        let input = std::mem::take(&mut thread.input);
                        return self.leave_with(thread, state, input, Some(thread.size), state.next);
                    }
                }
            }
            (None, parameters) => self.with_environment(thread, state, None, |env| {
                let input = select(&state.input_path, env)?;
                match parameters {
                    Some(parameters) => parameters.evaluate(&env.with_input(&input)),
                    None => Ok(input.into_owned()),
                }
            })?,
        };
        self.conclude(thread, state, result, None, None, &pass.result_path)
    }

    fn choice(&mut self, thread: &mut Thread, state: &'a State, choice: &'a Choice) -> Result<Step, Failure> {
        let (next, assigned, output) = self.with_environment(thread, state, None, |env| {
            let input = select(&state.input_path, env)?;
            let inner = env.with_input(&input);
            let mut matched = None;
            for (n, rule) in choice.rules.iter().enumerate() {
                if rule.condition.holds(&inner)? {
                    matched = Some((n, rule));
                    break;
                }
            }
            let (assign, output) = match matched {
                Some((_, rule)) => (rule.assign.as_ref(), rule.output.as_ref()),
                None => (state.assign.as_ref(), state.output.as_ref()),
            };
            let next = matched.map(|(n, rule)| (rule.next, Turn::Rule(n)));
            let next = next.or(choice.default.map(|next| (next, Turn::Default)));
            let assigned = assign.map(|template| template.evaluate(&inner)).transpose()?;
            let output = output.map(|template| template.evaluate(&inner)).transpose()?;
            let own = match input {
                Cow::Borrowed(same) if std::ptr::eq(same, env.input) => None,
                other => Some(other.into_owned()),
            };
            Ok::<_, Failure>((next, assigned, output.or(own)))
        })?;
        let Some((next, turn)) = next else {
            return Err(Failure::in_state(
                error::NO_CHOICE_MATCHED,
                "Failed to transition out of the state. The state does not point to a next state.".into(),
            ));
        };
        self.turned(state, turn);
        let size = output.is_none().then_some(thread.size);
        let output = output.unwrap_or_else(|| std::mem::take(&mut thread.input));
        self.exit(thread, state, output, size, assigned, crate::definition::Next::State(next))
    }

    fn wait(&mut self, slot: Slot, thread: &mut Thread, state: &'a State, wait: &'a Wait) -> Result<Step, Failure> {
        let now_ms = self.moment.now_ms;
        let at_ms =
            self.with_environment(thread, state, None, |env| wait_until(wait, &state.input_path, env, now_ms))?;
        if at_ms <= now_ms {
            return self.plain(thread, state);
        }
        let timer = self.set_timer(at_ms, slot, Purpose::Wait);
        thread.phase = Phase::Waiting(timer);
        Ok(Step::Blocked)
    }

    /// Wait and Succeed: the input goes through `InputPath` and `OutputPath`.
    pub(super) fn plain(&mut self, thread: &mut Thread, state: &'a State) -> Result<Step, Failure> {
        let (input, size) = match state.input_path {
            Selector::Whole => (std::mem::take(&mut thread.input), Some(thread.size)),
            _ => {
                let selected = self
                    .with_environment(thread, state, None, |env| select(&state.input_path, env).map(Cow::into_owned));
                (selected?, None)
            }
        };
        self.leave_with(thread, state, input, size, state.next)
    }

    /// Leaves with data that needs no result path, assigning the state's variables from it.
    fn leave_with(
        &mut self,
        thread: &mut Thread,
        state: &'a State,
        data: Value,
        size: Option<Size>,
        next: crate::definition::Next,
    ) -> Result<Step, Failure> {
        thread.input = data;
        let evaluated = |template: &Option<crate::template::Template>, run: &mut Self, thread: &Thread| {
            let Some(template) = template else { return Ok(None) };
            run.with_environment(thread, state, None, |env| template.evaluate(env)).map(Some)
        };
        let assigned = evaluated(&state.assign, self, thread)?;
        let output = evaluated(&state.output, self, thread)?;
        let (data, size) = match output {
            Some(output) => (output, None),
            None => (std::mem::take(&mut thread.input), size),
        };
        self.exit(thread, state, data, size, assigned, next)
    }

    fn fail_state(&mut self, thread: &mut Thread, state: &'a State, fail: &'a Fail) -> Result<Step, Failure> {
        let texts = self.with_environment(thread, state, None, |env| {
            Ok::<_, Failure>((
                text(fail.error.as_ref(), "ErrorPath", env)?,
                text(fail.cause.as_ref(), "CausePath", env)?,
            ))
        })?;
        Ok(Step::Ended(Err(Failure::new(texts.0, texts.1))))
    }

    /// Evaluates something in the surroundings of a thread; its input is the state's raw input.
    pub(super) fn with_environment<R>(
        &mut self,
        thread: &Thread,
        state: &State,
        task: Option<TaskId>,
        evaluate: impl FnOnce(&Environment<'_>) -> R,
    ) -> R {
        let draws = Cell::new(self.machine.draws);
        let result = self.machine.evaluate(thread, state, task, self.moment, self.moment.now_ms, &draws, evaluate);
        self.machine.draws = draws.get();
        result
    }

    /// A history event of a thread, following its last one.
    pub(super) fn note(&mut self, thread: &mut Thread, kind: &'static str, details: impl FnOnce() -> Details) {
        self.note_with(thread, kind, |_| details());
    }

    fn note_with(&mut self, thread: &mut Thread, kind: &'static str, details: impl FnOnce(&Thread) -> Details) {
        thread.last_event = self.event_in(thread.child, thread.last_event, kind, || details(thread));
    }

    /// An event of a child's history, or of the execution's own; gives its id.
    pub(super) fn event_in(
        &mut self,
        child: Option<ChildId>,
        previous_id: u64,
        kind: &'static str,
        details: impl FnOnce() -> Details,
    ) -> u64 {
        let Some((run, index)) = child else { return self.event(previous_id, kind, details) };
        self.machine.child_events += 1;
        let last = self.machine.children.entry((run, index)).or_default();
        *last += 1;
        let id = *last;
        let at_ms = self.moment.now_ms;
        self.tell(run, || {
            let event = HistoryEvent { id, previous_id, at_ms, kind, details: details() };
            MapRunChange::ChildEvent(index, event)
        });
        id
    }

    /// Tells the sink what happens in a run of a distributed Map.
    pub(super) fn tell(&mut self, run: u32, change: impl FnOnce() -> MapRunChange) {
        if self.wants {
            let at_ms = self.moment.now_ms;
            self.history.map_run(MapRunEvent { run, at_ms, change: change() });
        }
    }

    /// Tells which way a state goes, if anyone looks.
    pub(super) fn turned(&mut self, state: &State, turn: Turn) {
        if self.wants {
            self.history.turned(&state.name, turn);
        }
    }

    /// A history event of the execution itself; gives its id.
    pub(super) fn event(&mut self, previous_id: u64, kind: &'static str, details: impl FnOnce() -> Details) -> u64 {
        self.machine.last_event += 1;
        let id = self.machine.last_event;
        if self.wants {
            let at_ms = self.moment.now_ms;
            self.history.push(HistoryEvent { id, previous_id, at_ms, kind, details: details() });
        }
        id
    }

    pub(super) fn set_timer(&mut self, at_ms: i64, slot: Slot, purpose: Purpose) -> TimerId {
        let id = self.machine.next_timer;
        self.machine.next_timer += 1;
        self.machine.timers.push(Timer { id, at_ms, slot, purpose });
        self.commands.push(Command::SetTimer { timer: id, at_ms });
        id
    }

    pub(super) fn cancel_timer(&mut self, timer: TimerId) {
        if self.machine.take_timer(timer).is_some() {
            self.commands.push(Command::CancelTimer { timer });
        }
    }

    pub(super) fn timer_fired(&mut self, timer: TimerId) -> Applied {
        let Some(timer) = self.machine.take_timer(timer) else { return Applied::Stale };
        match timer.purpose {
            Purpose::Execution => self.time_out(),
            Purpose::TaskTimeout(task) => return self.task_timed_out(task, false),
            Purpose::Heartbeat(task) => return self.task_timed_out(task, true),
            Purpose::Wait | Purpose::Backoff => {
                let Some(mut thread) = self.machine.take(timer.slot) else { return Applied::Stale };
                thread.phase = Phase::Ready;
                let step = match self.definition.state(thread.scope, thread.state) {
                    None => Step::Blocked,
                    Some(state) if timer.purpose == Purpose::Backoff => self.begin(timer.slot, &mut thread, state),
                    Some(state) => {
                        let left = self.plain(&mut thread, state);
                        left.unwrap_or_else(|failure| self.failed(timer.slot, &mut thread, state, failure))
                    }
                };
                self.run_thread(timer.slot, thread, step);
                self.run_ready();
            }
        }
        Applied::Changed
    }

    /// The root thread has come to its end.
    pub(super) fn finish(&mut self, thread: &Thread, result: Result<Value, Failure>) {
        let outcome = match result {
            Ok(output) => {
                debug_assert_eq!(self.machine.live_bytes, thread.size.bytes, "what ended threads held is given back");
                self.event(thread.last_event, "ExecutionSucceeded", || Details::ExecutionSucceeded {
                    output: data::text(&output),
                });
                Outcome::Succeeded { output }
            }
            Err(failure) => {
                let resume = thread.resume.as_deref().cloned().unwrap_or_else(|| Resume::at(thread));
                self.machine.resume = Some(Box::new(resume));
                self.failed_outcome(thread.last_event, failure)
            }
        };
        self.end(outcome);
    }

    fn failed_outcome(&mut self, previous: u64, failure: Failure) -> Outcome {
        let error = failure.error.map(Cow::into_owned);
        let cause = failure.cause;
        self.event(previous, "ExecutionFailed", || Details::ExecutionEnded {
            error: error.clone(),
            cause: cause.clone(),
        });
        Outcome::Failed { error, cause }
    }

    /// The history is full.
    fn exhausted(&mut self) {
        let previous = self.machine.last_event;
        let outcome = self.failed_outcome(previous, history_full());
        self.end(outcome);
    }

    fn time_out(&mut self) {
        self.remember_all();
        let previous = self.machine.last_event;
        let error = Some(error::TIMEOUT.to_owned());
        self.event(previous, "ExecutionTimedOut", || Details::ExecutionEnded { error: error.clone(), cause: None });
        self.end(Outcome::TimedOut { error, cause: None });
    }

    pub(super) fn stop(&mut self, error: Option<String>, cause: Option<String>) {
        self.remember_all();
        let Failure { error, cause, .. } = Failure::new(error, cause);
        let error = error.map(Cow::into_owned);
        let previous = self.machine.last_event;
        self.event(previous, "ExecutionAborted", || Details::ExecutionEnded {
            error: error.clone(),
            cause: cause.clone(),
        });
        self.end(Outcome::Aborted { error, cause });
    }

    fn end(&mut self, outcome: Outcome) {
        self.end_map_runs();
        let machine = &mut *self.machine;
        for (task, _) in machine.tasks.drain(..) {
            self.commands.push(Command::CancelTask { task });
        }
        for timer in machine.timers.drain(..) {
            self.commands.push(Command::CancelTimer { timer: timer.id });
        }
        machine.threads = Vec::new();
        machine.free = Vec::new();
        if matches!(outcome, Outcome::Succeeded { .. }) {
            machine.input = None;
        }
        self.ready.clear();
        self.commands.push(Command::Finish(outcome.clone()));
        machine.outcome = Some(outcome);
    }
}

impl Machine {
    fn take_timer(&mut self, timer: TimerId) -> Option<Timer> {
        let at = self.timers.binary_search_by_key(&timer, |timer| timer.id).ok()?;
        Some(self.timers.remove(at))
    }

    /// See [`Run::with_environment`]; `draws` counts the pseudo-random numbers, `now_ms` is what expressions are told.
    #[expect(clippy::too_many_arguments, reason = "each is a different fact about the surroundings")]
    pub(super) fn evaluate<R>(
        &self,
        thread: &Thread,
        state: &State,
        task: Option<TaskId>,
        moment: &Moment<'_>,
        now_ms: i64,
        draws: &Cell<u64>,
        evaluate: impl FnOnce(&Environment<'_>) -> R,
    ) -> R {
        let token = || task.map(moment.task_token).unwrap_or_default();
        let facts = Facts {
            info: &self.info,
            started_ms: self.started_ms,
            execution_input: self.input.as_deref(),
            state_name: &state.name,
            entered_ms: thread.entered_ms,
            now_ms,
            retry_count: state.kind.outcomes().is_some().then_some(thread.retry_count),
            task_token: task.is_some().then_some(&token),
            item: thread.item.as_ref().map(|item| (item.index, &item.value)),
            given: None,
        };
        evaluate(&Environment {
            input: &thread.input,
            result: None,
            error_output: None,
            variables: &thread.variables,
            facts: &facts,
            draws,
        })
    }
}

fn history_full() -> Failure {
    let cause = format!("The execution reached the maximum number of history events ({}).", limits::HISTORY_EVENTS);
    Failure::of(error::RUNTIME, cause)
}

/// So many seconds after `now_ms`.
pub(super) fn after(now_ms: i64, seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000).saturating_add(now_ms)
}

/// What `InputPath` or `OutputPath` selects from the input of `env`.
pub(crate) fn select<'e>(selector: &Selector, env: &Environment<'e>) -> Result<Cow<'e, Value>, Failure> {
    match selector {
        Selector::Whole => Ok(Cow::Borrowed(env.input)),
        Selector::Empty => Ok(Cow::Owned(Value::Object(Map::new()))),
        Selector::Query(query) => query.find(env).map_err(|error| invalid_path(query, &error)),
    }
}

/// The instant until which a Wait state waits, in milliseconds since 1970.
pub(crate) fn wait_until(
    wait: &Wait,
    input_path: &Selector,
    env: &Environment<'_>,
    now_ms: i64,
) -> Result<i64, Failure> {
    match wait {
        Wait::Seconds(seconds) => Ok(after(now_ms, *seconds)),
        Wait::Timestamp(ns) => Ok(crate::time::ceil_ms(*ns)),
        Wait::SecondsFormula(formula) => {
            let most = limits::SECONDS;
            let seconds = formula.evaluate_as(env, "number", |value| whole(value).filter(|s| *s <= most))?;
            Ok(after(now_ms, seconds))
        }
        Wait::TimestampFormula(formula) => {
            let text = formula.evaluate_as(env, "string", |value| value.as_str().map(str::to_owned))?;
            let instant = crate::time::parse(&text).map(crate::time::ceil_ms);
            instant.ok_or_else(|| {
                formula.invalid(format!(
                "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}"
            ))
            })
        }
        Wait::SecondsPath(query) => {
            let input = select(input_path, env)?;
            Ok(after(now_ms, seconds_at("SecondsPath", query, &env.with_input(&input))?))
        }
        Wait::TimestampPath(query) => {
            let input = select(input_path, env)?;
            timestamp_at(query, &env.with_input(&input))
        }
    }
}

pub(crate) fn invalid_path(query: &Query, error: &crate::path::Error) -> Failure {
    Failure::runtime(format!("Invalid path '{}' : {}", query.text, query.path.explain(error)))
}

/// A value inside a message: a string without its quotes, anything else as JSON.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A number that is whole and not negative.
pub(crate) fn whole(value: &Value) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked first")]
    let exact = |n: f64| (n.fract() == 0.0 && (0.0..1e15).contains(&n)).then_some(n as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(exact))
}

fn seconds_at(field: &str, query: &Query, env: &Environment<'_>) -> Result<u64, Failure> {
    let value = query.find(env).map_err(|_| {
        Failure::runtime(format!("The {field} parameter does not reference an input value: {}", query.text))
    })?;
    value.as_u64().filter(|seconds| *seconds <= limits::SECONDS).ok_or_else(|| {
        Failure::runtime(format!(
            "The {field} parameter cannot be parsed as a long value: {} == {}",
            query.text,
            shown(&value)
        ))
    })
}

fn timestamp_at(query: &Query, env: &Environment<'_>) -> Result<i64, Failure> {
    let value = query.find(env).map_err(|_| {
        Failure::runtime(format!("The TimestampPath parameter does not reference an input value: {}", query.text))
    })?;
    value.as_str().and_then(crate::time::parse).map(crate::time::ceil_ms).ok_or_else(|| {
        Failure::runtime(format!(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: {} == {}",
            query.text,
            shown(&value)
        ))
    })
}

/// `Error` or `Cause` of a Fail state.
pub(crate) fn text(text: Option<&Text>, field: &str, env: &Environment<'_>) -> Result<Option<String>, Failure> {
    match text {
        None => Ok(None),
        Some(Text::Fixed(text)) => Ok(Some(text.clone())),
        Some(Text::Formula(formula)) => {
            formula.evaluate_as(env, "string", |value| value.as_str().map(|text| Some(text.to_owned())))
        }
        Some(Text::Computed(expression)) => match &*expression.evaluate(field, env)? {
            Value::String(text) => Ok(Some(text.clone())),
            other => Err(Failure::runtime(format!("The value of {field} must be a string but is {other}"))),
        },
    }
}
