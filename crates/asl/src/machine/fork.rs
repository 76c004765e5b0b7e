//! Parallel and Map states: threads inside a thread.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::redrive::Resume;
use super::run::{Run, Step, invalid_path, select, shown};
use super::thread::{Fork, Item, MapRunRef, Phase, Slot, Thread};
use crate::data::{self, Size};
use crate::definition::{Items, Kind, MapState, Parallel, QueryLanguage, Seconds, State, Tolerance};
use crate::environment::Environment;
use crate::error::{DATA_LIMIT_EXCEEDED, EXCEED_TOLERATED_FAILURE_THRESHOLD, Failure, QUERY_EVALUATION_ERROR};
use crate::event::Outcome;
use crate::history::Details;
use crate::items::Ended;
use crate::limits;
use crate::map_runs::{Limits, MapRunChange, RunId, RunStatus};
use crate::template::Template;

/// Most items of a distributed Map that run at once.
const DISTRIBUTED_CONCURRENCY: usize = 1000;

impl<'a> Run<'a> {
    pub(super) fn fork_branches(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        parallel: &'a Parallel,
    ) -> Result<Step, Failure> {
        let input = self.with_environment(thread, state, None, |env| {
            let input = select(&state.input_path, env)?;
            match &parallel.parameters {
                Some(template) => template.evaluate(&env.with_input(&input)),
                None => Ok(input.into_owned()),
            }
        })?;
        let size = self.size_of(&input, state)?;
        self.note(thread, "ParallelStateStarted", || Details::None);
        let mut fork = Fork {
            running: BTreeMap::new(),
            results: vec![None; parallel.branches.len()],
            size: Size { bytes: 2, depth: 0 },
            waiting: Vec::new().into_iter(),
            next: parallel.branches.len(),
            limit: parallel.branches.len(),
            last_done: thread.last_event,
            failed: 0,
            tolerated: 0,
            limits: Limits::default(),
            map_run: None,
            ended: BTreeMap::new(),
            unsuccessful: Vec::new(),
        };
        self.reserve(size.bytes.saturating_mul(parallel.branches.len()))?;
        let last = parallel.branches.len().saturating_sub(1);
        let mut input = Some(input);
        for (index, scope) in parallel.branches.iter().enumerate() {
            let branch_input = if index == last { input.take() } else { input.clone() };
            let child = self.child(slot, thread, *scope, index, branch_input.unwrap_or_default(), size);
            fork.running.insert(index, self.machine.spawn(child));
        }
        self.ready.extend(fork.running.values().rev());
        thread.phase = Phase::Forked(Box::new(fork));
        Ok(Step::Blocked)
    }

    fn child(&self, slot: Slot, thread: &Thread, scope: usize, index: usize, input: Value, size: Size) -> Thread {
        let start = self.definition.scope(scope).map_or(0, |scope| scope.start);
        let mut child = Thread::new(scope, start, input, size);
        child.parent = Some(slot);
        child.index = index;
        child.variables = thread.variables.inner();
        child.item = thread.item.clone();
        child.last_event = thread.last_event;
        child.child = thread.child;
        child
    }

    pub(super) fn fork_items(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        map: &'a MapState,
    ) -> Result<Step, Failure> {
        if let Some(reader) = &map.reader {
            return self.read_items(slot, thread, state, reader);
        }
        let jsonata = state.language == QueryLanguage::Jsonata;
        let items = self.with_environment(thread, state, None, |env| {
            let input = select(&state.input_path, env)?;
            let env = env.with_input(&input);
            let items = items(map, jsonata, &env)?;
            // A bad number is found before the Map starts.
            concurrency(map, &env).map(|_| items)
        })?;
        let length = items.len();
        self.note(thread, "MapStateStarted", || Details::MapStarted { length });
        self.begin_items(slot, thread, state, map, items, None)
    }

    /// Notes that a distributed Map's run starts.
    pub(super) fn start_map_run(&mut self, thread: &mut Thread, state: &State, map: &MapState) -> MapRunRef {
        let number = self.machine.map_runs;
        self.machine.map_runs += 1;
        let info = &self.machine.info;
        let arn = map_run_arn(&info.state_machine_id, map, RunId { seed: info.seed, run: number, child: None });
        self.note(thread, "MapRunStarted", || Details::MapRunStarted { arn: arn.clone() });
        let (name, express) = (Arc::clone(&state.name), map.express);
        self.tell(number, || MapRunChange::Started { arn: arn.clone(), state: name, express });
        MapRunRef { number, arn }
    }

    /// Forks a thread for each item, or for each batch of them.
    pub(super) fn begin_items(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        map: &'a MapState,
        items: Vec<Value>,
        run: Option<MapRunRef>,
    ) -> Result<Step, Failure> {
        let items = match &map.batcher {
            None => items,
            Some(batcher) => self.batches(thread, state, map, batcher, items)?,
        };
        let length = items.len();
        let limits = self.with_environment(thread, state, None, |env| {
            let input = select(&state.input_path, env)?;
            let env = env.with_input(&input);
            let tolerated = if map.distributed { tolerated(map, &env)? } else { Limits::default() };
            Ok::<_, Failure>(Limits { max_concurrency: concurrency(map, &env)?, ..tolerated })
        })?;
        let run = match run {
            None if map.distributed => Some(self.start_map_run(thread, state, map)),
            run => run,
        };
        if let Some(MapRunRef { number, .. }) = run {
            self.tell(number, || MapRunChange::Sized(sizes(map, &items)));
            self.tell(number, || MapRunChange::Limited(limits));
        }
        let fork = Fork {
            running: BTreeMap::new(),
            results: vec![None; length],
            size: Size { bytes: 2, depth: 0 },
            waiting: items.into_iter(),
            next: 0,
            limit: at_once(map, limits),
            last_done: thread.last_event,
            failed: 0,
            tolerated: tolerable(limits, length),
            limits,
            map_run: run,
            ended: BTreeMap::new(),
            unsuccessful: Vec::new(),
        };
        thread.phase = Phase::Forked(Box::new(fork));
        let previous = thread.last_event;
        self.start_items(slot, thread, state, map, previous)
    }

    /// Starts as many items as may run; with none left and none running the Map is done.
    pub(super) fn start_items(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        map: &'a MapState,
        previous: u64,
    ) -> Result<Step, Failure> {
        let mut started = Vec::new();
        while let Phase::Forked(fork) = &mut thread.phase {
            if fork.running.len() >= fork.limit {
                break;
            }
            let Some(value) = fork.waiting.next() else { break };
            let index = fork.next;
            fork.next += 1;
            let child = match self.item(slot, thread, state, map, index, value, previous) {
                Ok(child) => child,
                Err(failure) => {
                    self.abort_children(thread, None);
                    return Err(failure);
                }
            };
            let child = self.machine.spawn(child);
            if let Phase::Forked(fork) = &mut thread.phase {
                fork.running.insert(index, child);
            }
            started.push(child);
        }
        self.ready.extend(started.into_iter().rev());
        match &mut thread.phase {
            Phase::Forked(fork) if fork.running.is_empty() => {
                let length = fork.results.len();
                let results: Vec<Value> = std::mem::take(&mut fork.results).into_iter().flatten().collect();
                let (last_done, size) = (fork.last_done, fork.size);
                let run = fork.map_run.as_ref().map(|run| run.number);
                self.release(size.bytes - 2);
                if let Some(writer) = &map.writer {
                    thread.last_event = last_done;
                    let Some(output) = self.write_results(slot, thread, state, writer, results)? else {
                        return Ok(Step::Blocked);
                    };
                    thread.phase = Phase::Ready;
                    self.map_done(thread, run, last_done);
                    return Ok(self.succeeded(slot, thread, state, output, None));
                }
                thread.phase = Phase::Ready;
                self.map_done(thread, run, last_done);
                Ok(self.succeeded(slot, thread, state, Value::Array(results), Some(listed(size, length))))
            }
            _ => Ok(Step::Blocked),
        }
    }

    pub(super) fn map_done(&mut self, thread: &mut Thread, run: Option<u32>, last_done: u64) {
        thread.last_event = last_done;
        if let Some(run) = run {
            self.note(thread, "MapRunSucceeded", || Details::None);
            self.tell(run, || MapRunChange::Ended(RunStatus::Succeeded));
        }
        // The exit follows what this event follows, not this event.
        self.event_in(thread.child, thread.last_event, "MapStateSucceeded", || Details::None);
    }

    #[expect(clippy::too_many_arguments, reason = "each is a different fact about one item")]
    fn item(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        map: &'a MapState,
        index: usize,
        value: Value,
        previous: u64,
    ) -> Result<Thread, Failure> {
        let mut child = self.child(slot, thread, map.processor, index, Value::Null, Size::default());
        let run = match &thread.phase {
            Phase::Forked(fork) => fork.map_run.as_ref().map(|run| run.number),
            _ => None,
        };
        child.last_event = match run {
            None => self.event_in(thread.child, previous, "MapIterationStarted", || Details::MapIteration {
                name: Arc::clone(&state.name),
                index,
            }),
            // A history of its own, whose first state follows nothing.
            Some(_) => 0,
        };
        let read = self.definition.reads.map_item;
        match map.item_selector.as_ref().filter(|_| map.batcher.is_none()) {
            None => {
                if read {
                    child.item = Some(Arc::new(Item { index, value: value.clone() }));
                }
                child.input = value;
            }
            Some(template) => {
                if read {
                    child.item = Some(Arc::new(Item { index, value: value.clone() }));
                }
                child.input = self.selected(thread, state, template, index, value)?;
            }
        }
        if let Some(run) = run {
            self.child_begins(&mut child, run, index);
        }
        child.size = self.size_of(&child.input, state)?;
        self.reserve(child.size.bytes)?;
        if map.writer.is_some()
            && let Phase::Forked(fork) = &mut thread.phase
        {
            let now_ms = self.moment.now_ms;
            let input = child.input.clone();
            fork.ended.insert(index, Ended { input, started_ms: now_ms, stopped_ms: now_ms, result: Ok(Value::Null) });
        }
        Ok(child)
    }

    /// What `ItemSelector` makes of an item: it sees the item in the context object, and the Map's own input.
    pub(super) fn selected(
        &mut self,
        thread: &mut Thread,
        state: &'a State,
        template: &'a Template,
        index: usize,
        value: Value,
    ) -> Result<Value, Failure> {
        let around = thread.item.replace(Arc::new(Item { index, value }));
        let selected = self.with_environment(thread, state, None, |env| {
            let input = select(&state.input_path, env)?;
            template.evaluate(&env.with_input(&input))
        });
        thread.item = around;
        selected
    }

    fn size_of(&self, input: &Value, state: &State) -> Result<Size, Failure> {
        data::measure(input, limits::PAYLOAD_BYTES).map_err(|_| super::settle::too_large(&state.name))
    }

    /// Accounts for the data of a new thread.
    fn reserve(&mut self, bytes: usize) -> Result<(), Failure> {
        let live = self.machine.live_bytes.saturating_add(bytes);
        if live > limits::LIVE_BYTES {
            let cause = format!("The branches and items hold more than {} bytes at once.", limits::LIVE_BYTES);
            return Err(Failure::of(DATA_LIMIT_EXCEEDED, cause));
        }
        self.machine.live_bytes = live;
        Ok(())
    }

    fn release(&mut self, bytes: usize) {
        self.machine.live_bytes = self.machine.live_bytes.saturating_sub(bytes);
    }

    /// A thread has come to its end: the execution's end, or a result or failure for the thread that forked it.
    pub(super) fn ended(&mut self, slot: Slot, thread: Thread, result: Result<Value, Failure>) {
        let Some(parent_slot) = thread.parent else {
            return self.finish(&thread, result);
        };
        self.machine.free.push(slot);
        let Some(mut parent) = self.machine.take(parent_slot) else { return };
        let Some(state) = self.definition.state(parent.scope, parent.state) else { return };
        let step = match result {
            Ok(output) => self.child_done(parent_slot, &mut parent, state, &thread, output),
            Err(failure) => self.child_failed(parent_slot, &mut parent, state, &thread, failure),
        };
        match step {
            Step::Blocked => self.machine.put(parent_slot, parent),
            step => self.run_thread(parent_slot, parent, step),
        }
    }

    fn child_done(&mut self, slot: Slot, thread: &mut Thread, state: &'a State, child: &Thread, output: Value) -> Step {
        let index = child.index;
        let mut last_done = child.last_event;
        let own = child.child != thread.child;
        if own {
            self.child_ends(child, &Outcome::Succeeded { output: output.clone() });
        } else if matches!(&state.kind, Kind::Map(_)) {
            last_done = self.event_in(child.child, child.last_event, "MapIterationSucceeded", || {
                Details::MapIteration { name: Arc::clone(&state.name), index }
            });
        }
        let Phase::Forked(fork) = &mut thread.phase else { return Step::Blocked };
        fork.running.remove(&index);
        if let Some(ended) = fork.ended.get_mut(&index) {
            ended.stopped_ms = self.moment.now_ms;
            ended.result = Ok(output.clone());
        }
        if let Some(place) = fork.results.get_mut(index) {
            *place = Some(output);
        }
        // The account of the child passes to its parent.
        fork.size.bytes = fork.size.bytes.saturating_add(child.size.bytes);
        fork.size.depth = fork.size.depth.max(child.size.depth);
        if !own {
            fork.last_done = last_done;
        }
        self.child_gone(slot, thread, state, child.last_event)
    }

    /// A child has ended well, or its failure is tolerated.
    fn child_gone(&mut self, slot: Slot, thread: &mut Thread, state: &'a State, previous: u64) -> Step {
        if let Kind::Map(map) = &state.kind {
            let step = self.start_items(slot, thread, state, map, previous);
            return step.unwrap_or_else(|failure| self.failed(slot, thread, state, failure));
        }
        let Phase::Forked(fork) = &mut thread.phase else { return Step::Blocked };
        if !fork.running.is_empty() {
            return Step::Blocked;
        }
        let results: Vec<Value> = std::mem::take(&mut fork.results).into_iter().flatten().collect();
        let size = fork.size;
        thread.last_event = fork.last_done;
        thread.phase = Phase::Ready;
        self.release(size.bytes - 2);
        // The exit follows what this event follows, not this event.
        self.event_in(thread.child, thread.last_event, "ParallelStateSucceeded", || Details::None);
        let size = listed(size, results.len());
        self.succeeded(slot, thread, state, Value::Array(results), Some(size))
    }

    fn child_failed(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        child: &Thread,
        failure: Failure,
    ) -> Step {
        let distributed = matches!(&state.kind, Kind::Map(map) if map.distributed);
        let mut failure = failure;
        self.release(child.size.bytes);
        let own = child.child != thread.child;
        if own {
            let error = failure.error.as_deref().map(str::to_owned);
            self.child_ends(child, &Outcome::Failed { error, cause: failure.cause.clone() });
        }
        if let Phase::Forked(fork) = &mut thread.phase {
            fork.running.remove(&child.index);
            fork.failed += 1;
            if let Some(ended) = fork.ended.get_mut(&child.index) {
                ended.stopped_ms = self.moment.now_ms;
                ended.result = Err((failure.error.as_deref().map(str::to_owned), failure.cause.clone()));
            }
            if distributed {
                if fork.failed <= fork.tolerated {
                    let resume = child.resume.as_deref().cloned().unwrap_or_else(|| Resume::at(child));
                    fork.unsuccessful.push((child.index, resume));
                    return self.child_gone(slot, thread, state, child.last_event);
                }
                failure = Failure::of(
                    EXCEED_TOLERATED_FAILURE_THRESHOLD,
                    "The specified tolerated failure threshold was exceeded".into(),
                );
            }
        }
        if !own {
            thread.last_event = child.last_event;
        }
        self.remember_fork(thread, child);
        let run = self.abort_children(thread, Some((state, child)));
        if distributed {
            return self.map_run_failed(slot, thread, state, failure, run);
        }
        self.failed(slot, thread, state, failure)
    }

    /// Takes away all children that still run, after `failed` has ended the fork; gives the run of a distributed Map.
    fn abort_children(&mut self, thread: &mut Thread, failed: Option<(&'a State, &Thread)>) -> Option<u32> {
        let Phase::Forked(fork) = &mut thread.phase else { return None };
        let run = fork.map_run.as_ref().map(|run| run.number);
        let running = std::mem::take(&mut fork.running);
        fork.waiting = Vec::new().into_iter();
        let collected = std::mem::replace(&mut fork.size.bytes, 2);
        self.release(collected - 2);
        let previous = thread.last_event;
        let map_name = match failed {
            Some((state, _)) if matches!(state.kind, Kind::Map(_)) => Some(Arc::clone(&state.name)),
            _ => None,
        };
        if let Some((_, child)) = failed
            && run.is_none()
        {
            if let Some(name) = &map_name {
                let (name, index) = (Arc::clone(name), child.index);
                self.event_in(thread.child, previous, "MapIterationFailed", || Details::MapIteration { name, index });
            }
            let state = self.definition.state(child.scope, child.state);
            if state.is_some_and(|state| matches!(state.kind, Kind::Task(_))) {
                self.event_in(thread.child, previous, "TaskStateAborted", || Details::None);
            }
        }
        for (index, slot) in running {
            let Some(child) = self.machine.take(slot) else { continue };
            if let Some(name) = &map_name
                && run.is_none()
            {
                let name = Arc::clone(name);
                self.event_in(child.child, previous, "MapIterationAborted", || Details::MapIteration { name, index });
            }
            self.abort(slot, child, (run.is_none()).then_some(previous));
        }
        run
    }

    /// Takes away one thread and all below it. Without a previous event it is, or is in, a child execution, which is
    /// aborted as a whole.
    fn abort(&mut self, slot: Slot, mut thread: Thread, previous: Option<u64>) {
        self.machine.free.push(slot);
        self.release(thread.size.bytes);
        let entered = thread.entered_event > 0;
        match &mut thread.phase {
            Phase::Forked(fork) => {
                let running = std::mem::take(&mut fork.running);
                let collected = std::mem::replace(&mut fork.size.bytes, 2);
                let run = fork.map_run.as_ref().map(|run| run.number);
                self.release(collected - 2);
                for slot in running.into_values() {
                    if let Some(child) = self.machine.take(slot) {
                        self.abort(slot, child, previous.filter(|_| run.is_none()));
                    }
                }
                if let Some(run) = run {
                    self.tell(run, || MapRunChange::Ended(RunStatus::Aborted));
                }
            }
            Phase::Waiting(timer) | Phase::BackingOff(timer) => {
                let timer = *timer;
                self.cancel_timer(timer);
            }
            Phase::Task(_) => {
                if let Some(task) = self.forget_task(&mut thread) {
                    self.commands.push(crate::event::Command::CancelTask { task });
                }
            }
            Phase::Asked(asked) => {
                let task = asked.start.task;
                if let Ok(at) = self.machine.tasks.binary_search_by_key(&task, |(id, _)| *id) {
                    self.machine.tasks.remove(at);
                }
                let run = asked.map_run.as_ref().map(|run| run.number);
                self.commands.push(crate::event::Command::CancelTask { task });
                if let Some(run) = run {
                    self.tell(run, || MapRunChange::Ended(RunStatus::Aborted));
                }
            }
            // It may not have run yet; its slot may soon be another thread's, which must not run in its place.
            Phase::Ready => {
                if let Some(at) = self.ready.iter().rposition(|other| *other == slot) {
                    self.ready.remove(at);
                }
            }
        }
        let Some(previous) = previous else {
            let is_root = thread.parent.and_then(|parent| self.machine.thread(parent));
            if is_root.is_none_or(|parent| parent.child != thread.child) {
                self.child_ends(&thread, &Outcome::Aborted { error: None, cause: None });
            }
            return;
        };
        if !entered {
            return;
        }
        let kind = match self.definition.state(thread.scope, thread.state).map(|state| &state.kind) {
            Some(Kind::Task(_)) => "TaskStateAborted",
            Some(Kind::Wait(_)) => "WaitStateAborted",
            Some(Kind::Parallel(_)) => "ParallelStateAborted",
            Some(Kind::Map(_)) => "MapStateAborted",
            _ => return,
        };
        self.event_in(thread.child, previous, kind, || Details::None);
    }
}

/// How many items each child of a distributed Map gets.
fn sizes(map: &MapState, items: &[Value]) -> Vec<usize> {
    let of_batch = |item: &Value| item.get("Items").and_then(Value::as_array).map_or(1, Vec::len);
    items.iter().map(|item| if map.batcher.is_some() { of_batch(item) } else { 1 }).collect()
}

/// How many children run at once.
pub(super) fn at_once(map: &MapState, limits: Limits) -> usize {
    let most = if map.distributed { DISTRIBUTED_CONCURRENCY } else { limits::INLINE_CONCURRENCY };
    match usize::try_from(limits.max_concurrency) {
        Ok(0) | Err(_) => most,
        Ok(wanted) => wanted.min(most),
    }
}

/// How many of `length` items may fail.
pub(super) fn tolerable(limits: Limits, length: usize) -> usize {
    #[expect(clippy::cast_precision_loss, reason = "a Map has far fewer items than an f64 counts exactly")]
    let share = limits.tolerated_percentage.map(|n| n / 100.0 * length as f64);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and a cast saturates")]
    match (limits.tolerated_count, share) {
        (None, None) => 0,
        (Some(n), None) | (None, Some(n)) => n as usize,
        (Some(a), Some(b)) => a.min(b) as usize,
    }
}

/// The size of a list of `length` results, whose sizes together are `size`.
fn listed(size: Size, length: usize) -> Size {
    Size { bytes: size.bytes.saturating_add(length), depth: size.depth + 1 }
}

fn items(map: &MapState, jsonata: bool, env: &Environment<'_>) -> Result<Vec<Value>, Failure> {
    let found = match &map.items {
        Some(Items::Formula(formula)) => {
            return match formula.evaluate(env)? {
                Value::Array(items) => Ok(items),
                other => Err(formula.unexpected("array", &other)),
            };
        }
        Some(Items::Template(template)) => template.evaluate(env)?,
        None if jsonata => env.input.clone(),
        None => Value::Null,
    };
    if jsonata {
        return match found {
            Value::Array(items) => Ok(items),
            other => {
                let cause = format!("Map state input must be an array but was: {other}");
                Err(Failure::in_state(QUERY_EVALUATION_ERROR, cause))
            }
        };
    }
    let (found, text) = match &map.items_path {
        None => (Cow::Borrowed(env.input), "$"),
        Some(query) => (query.find(env).map_err(|error| invalid_path(query, &error))?, query.path_text()),
    };
    match found.into_owned() {
        Value::Array(items) => Ok(items),
        _ => Err(Failure::runtime(format!("Reference path \"{text}\" must point to array."))),
    }
}

fn concurrency(map: &MapState, env: &Environment<'_>) -> Result<u64, Failure> {
    match &map.max_concurrency {
        None => Ok(0),
        Some(Seconds::Fixed(n)) => Ok(*n),
        Some(Seconds::Formula(formula)) => formula.evaluate_as(env, "number", super::run::whole),
        Some(Seconds::Path(query)) => {
            let value = query.find(env).map_err(|error| invalid_path(query, &error))?;
            value.as_u64().ok_or_else(|| not_valid("MaxConcurrencyPath", "integer", &value, &query.text))
        }
    }
}

fn not_valid(field: &str, kind: &str, value: &Value, text: &str) -> Failure {
    Failure::runtime(format!(
        "The {field} field refers to value \"{}\" which is not a valid {kind}: {text}",
        shown(value)
    ))
}

/// How much of a distributed Map may fail.
fn tolerated(map: &MapState, env: &Environment<'_>) -> Result<Limits, Failure> {
    let count = match &map.tolerated_count {
        None => None,
        Some(Tolerance::Fixed(n)) => Some(*n),
        Some(Tolerance::Formula(formula)) => {
            Some(formula.evaluate_as(env, "number", |value| super::run::whole(value).and_then(|_| value.as_f64()))?)
        }
        Some(Tolerance::Path(query)) => {
            let value = query.find(env).map_err(|error| invalid_path(query, &error))?;
            let count = value.as_u64().and_then(|n| u32::try_from(n).ok());
            let count = count.ok_or_else(|| not_valid("ToleratedFailureCountPath", "integer", &value, &query.text))?;
            Some(f64::from(count))
        }
    };
    let percentage = match &map.tolerated_percentage {
        None => None,
        Some(Tolerance::Fixed(n)) => Some(*n),
        Some(Tolerance::Formula(formula)) => {
            let n = formula.evaluate_as(env, "number", Value::as_f64)?;
            if !(0.0..=100.0).contains(&n) {
                return Err(formula.invalid("ToleratedFailurePercentage must be between 0 and 100.".into()));
            }
            Some(n)
        }
        Some(Tolerance::Path(query)) => {
            let value = query.find(env).map_err(|error| invalid_path(query, &error))?;
            let n = value.as_f64();
            let n = n.ok_or_else(|| not_valid("ToleratedFailurePercentagePath", "float", &value, &query.text))?;
            if !(0.0..=100.0).contains(&n) {
                return Err(Failure::runtime("ToleratedFailurePercentage must be between 0 and 100.".into()));
            }
            Some(n)
        }
    };
    Ok(Limits { max_concurrency: 0, tolerated_percentage: percentage, tolerated_count: count })
}

/// `arn:...:mapRun:MACHINE/LABEL:UUID`.
fn map_run_arn(machine_arn: &str, map: &MapState, id: RunId) -> String {
    let (head, name) = machine_arn.rsplit_once(':').unwrap_or(("", machine_arn));
    let head = head.strip_suffix("stateMachine").unwrap_or(head);
    let generated;
    let label = match &map.label {
        Some(label) => label,
        None => {
            generated = format!("{:016x}", crate::environment::random(id.seed, u64::from(id.run)));
            &generated
        }
    };
    format!("{head}mapRun:{name}/{label}:{}", id.encode())
}
