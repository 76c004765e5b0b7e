//! What a distributed Map asks of its host: to read its items, and to write its results.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::run::{Run, Step, select, whole};
use super::thread::{Asked, MapRunRef, Phase, Slot, Thread};
use crate::data;
use crate::definition::{Batcher, Kind, MapState, Reader, Seconds, State, Writer};
use crate::environment::Environment;
use crate::error::{Failure, ITEM_READER_FAILED, RESULT_WRITER_FAILED};
use crate::event::{Applied, Command, TaskId, TaskStart, Work};
use crate::history::Details;
use crate::items::{Config, Exported, Transformation, flattened};
use crate::limits;
use crate::map_runs::{MapRunChange, RunStatus};

/// What came of a task of a Map itself.
pub(super) enum Answer {
    Done(Value),
    Failed(Option<String>),
}

impl<'a> Run<'a> {
    /// Asks the host for the items.
    pub(super) fn read_items(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        reader: &'a Reader,
    ) -> Result<Step, Failure> {
        let arguments = self.with_environment(thread, state, None, |env| arguments(state, reader, env))?;
        self.note(thread, "MapStateStarted", || Details::MapStarted { length: 0 });
        let Kind::Map(map) = &state.kind else { return Ok(Step::Blocked) };
        let run = self.start_map_run(thread, state, map);
        // A bad count is found once there are items, as on AWS; a good one spares the host the others.
        let most = self.most_items(thread, state, map).ok().flatten();
        let work = Work::ReadItems(Box::new(Config { most_items: most, ..reader.config.clone() }));
        let start = self.ask(slot, thread, state, Arc::clone(&reader.resource), arguments, work);
        thread.phase = Phase::Asked(Box::new(Asked { start, output: None, map_run: Some(run) }));
        Ok(Step::Blocked)
    }

    /// Commands a task of the Map itself, which has no attempts and no timeout.
    fn ask(
        &mut self,
        slot: Slot,
        thread: &Thread,
        state: &State,
        resource: Arc<crate::resource::Resource>,
        arguments: Value,
        work: Work,
    ) -> TaskStart {
        let task = self.machine.next_task;
        self.machine.next_task += 1;
        self.machine.tasks.push((task, slot));
        let start = TaskStart {
            task,
            state: String::from(&*state.name),
            resource,
            arguments,
            attempt: thread.retry_count,
            path: self.machine.path_at(thread),
            wait_for_token: false,
            deadline_ms: None,
            heartbeat_s: None,
            credentials: None,
            work,
        };
        self.commands.push(Command::StartTask(start.clone()));
        start
    }

    /// The items as the Map's children take them: selected, and put together in batches.
    pub(super) fn batches(
        &mut self,
        thread: &mut Thread,
        state: &'a State,
        map: &'a MapState,
        batcher: &'a Batcher,
        items: Vec<Value>,
    ) -> Result<Vec<Value>, Failure> {
        let mut selected = Vec::with_capacity(items.len());
        for (index, value) in items.into_iter().enumerate() {
            selected.push(match &map.item_selector {
                None => value,
                Some(template) => self.selected(thread, state, template, index, value)?,
            });
        }
        let (most_items, most_bytes, input) = self.with_environment(thread, state, None, |env| {
            let input = select(&state.input_path, env)?;
            let env = env.with_input(&input);
            let most_items = count(batcher.most_items.as_ref(), "MaxItemsPerBatchPath", &env)?;
            let most_bytes = count(batcher.most_bytes.as_ref(), "MaxInputBytesPerBatchPath", &env)?;
            let input = batcher.input.as_ref().map(|template| template.evaluate(&env)).transpose()?;
            Ok::<_, Failure>((most_items, most_bytes, input))
        })?;
        let most_items = most_items.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(usize::MAX);
        let most_bytes = most_bytes.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
        let most_bytes = most_bytes.unwrap_or(limits::PAYLOAD_BYTES).min(limits::PAYLOAD_BYTES);
        let size = |value: &Value| data::measure(value, usize::MAX).map_or(usize::MAX, |size| size.bytes);
        // `{"BatchInput":...,"Items":[...]}` around the items.
        let around = input.as_ref().map_or(12, |input| size(input).saturating_add(26));
        let mut out = Vec::new();
        let mut batch = Vec::new();
        let mut bytes = around;
        for item in selected {
            let more = size(&item).saturating_add(1);
            if !batch.is_empty() && (batch.len() >= most_items || bytes.saturating_add(more) > most_bytes) {
                out.push(batch_of(input.as_ref(), std::mem::take(&mut batch)));
                bytes = around;
            }
            bytes = bytes.saturating_add(more);
            batch.push(item);
        }
        if !batch.is_empty() {
            out.push(batch_of(input.as_ref(), batch));
        }
        Ok(out)
    }

    /// The items have all ended: the results become the state's, or go to the host first.
    pub(super) fn write_results(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        writer: &'a Writer,
        results: Vec<Value>,
    ) -> Result<Option<Value>, Failure> {
        let Phase::Forked(fork) = &mut thread.phase else { return Ok(Some(Value::Array(results))) };
        let ended: Vec<_> = std::mem::take(&mut fork.ended).into_values().collect();
        let map_run = fork.map_run.clone();
        let arn = map_run.as_ref().map(|run| run.arn.clone()).unwrap_or_default();
        let Some(resource) = &writer.resource else {
            return Ok(Some(Value::Array(match writer.transformation {
                Transformation::Flatten => flattened(results),
                _ => results,
            })));
        };
        let arguments = self.with_environment(thread, state, None, |env| match &writer.arguments {
            Some(template) => {
                let input = select(&state.input_path, env)?;
                template.evaluate(&env.with_input(&input))
            }
            None => Ok(json!({})),
        })?;
        let text = |field: &str| arguments.get(field).and_then(Value::as_str).unwrap_or_default().trim_matches('/');
        let run = arn.rsplit(':').next().unwrap_or_default();
        let folder = match text("Prefix") {
            "" => run.to_owned(),
            prefix => format!("{prefix}/{run}"),
        };
        let bucket = text("Bucket").to_owned();
        let exported = Exported {
            map_run_arn: &arn,
            bucket: &bucket,
            folder: &folder,
            transformation: writer.transformation,
            lines: writer.lines,
        };
        let files = exported.files(&ended);
        let key = files.first().map(|file| file.key.clone()).unwrap_or_default();
        let output = json!({ "MapRunArn": arn, "ResultWriterDetails": { "Bucket": bucket, "Key": key } });
        let start = self.ask(slot, thread, state, Arc::clone(resource), arguments, Work::WriteResults(files));
        thread.phase = Phase::Asked(Box::new(Asked { start, output: Some(output), map_run }));
        Ok(None)
    }

    /// Whether a pending task is one of a Map itself.
    pub(super) fn is_asked(&self, task: TaskId) -> bool {
        let Ok(at) = self.machine.tasks.binary_search_by_key(&task, |(id, _)| *id) else { return false };
        let thread = self.machine.tasks.get(at).and_then(|(_, slot)| self.machine.thread(*slot));
        thread.is_some_and(|thread| matches!(thread.phase, Phase::Asked(_)))
    }

    /// A task of a Map itself has been answered.
    pub(super) fn map_answered(&mut self, task: TaskId, answer: Answer) -> Applied {
        self.take_answer(task, answer).unwrap_or(Applied::Stale)
    }

    fn take_answer(&mut self, task: TaskId, answer: Answer) -> Option<Applied> {
        let at = self.machine.tasks.binary_search_by_key(&task, |(id, _)| *id).ok()?;
        let (_, slot) = *self.machine.tasks.get(at)?;
        let mut thread = self.machine.take(slot)?;
        self.machine.tasks.remove(at);
        let Phase::Asked(asked) = std::mem::replace(&mut thread.phase, Phase::Ready) else { return None };
        let run = asked.map_run.as_ref().map(|run| run.number);
        let state = self.definition.state(thread.scope, thread.state)?;
        let Kind::Map(map) = &state.kind else { return None };
        let step = match (answer, asked.output) {
            (Answer::Done(Value::Array(items)), None) => {
                self.begin_read_items(slot, &mut thread, state, map, items, asked.map_run)
            }
            (Answer::Done(_), None) => {
                let cause = "Attempting to map over non-iterable node.".to_owned();
                Err(Failure::of(ITEM_READER_FAILED, cause))
            }
            (Answer::Failed(cause), None) => Err(Failure::of(ITEM_READER_FAILED, cause.unwrap_or_default())),
            (Answer::Done(_), Some(output)) => {
                let last_done = thread.last_event;
                if let Some(run) = run {
                    self.tell(run, || MapRunChange::Written);
                }
                self.map_done(&mut thread, run, last_done);
                Ok(self.succeeded(slot, &mut thread, state, output, None))
            }
            (Answer::Failed(cause), Some(_)) => Err(Failure::of(RESULT_WRITER_FAILED, cause.unwrap_or_default())),
        };
        let step = step.unwrap_or_else(|failure| self.map_run_failed(slot, &mut thread, state, failure, run));
        self.run_thread(slot, thread, step);
        self.run_ready();
        Some(Applied::Changed)
    }

    /// `MaxItems`, unless it is 0.
    fn most_items(&mut self, thread: &Thread, state: &'a State, map: &'a MapState) -> Result<Option<usize>, Failure> {
        let most = self.with_environment(thread, state, None, |env| {
            let input = select(&state.input_path, env)?;
            let reader = map.reader.as_ref().and_then(|reader| reader.most_items.as_ref());
            count(reader, "MaxItemsPath", &env.with_input(&input))
        })?;
        Ok(most.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0))
    }

    fn begin_read_items(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        map: &'a MapState,
        mut items: Vec<Value>,
        run: Option<MapRunRef>,
    ) -> Result<Step, Failure> {
        if let Some(most) = self.most_items(thread, state, map)? {
            items.truncate(most);
        }
        self.begin_items(slot, thread, state, map, items, run)
    }

    /// The run of a distributed Map has failed as a whole.
    pub(super) fn map_run_failed(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        failure: Failure,
        run: Option<u32>,
    ) -> Step {
        self.note(thread, "MapRunFailed", || Details::MapRunFailed {
            error: failure.error.as_deref().map(str::to_owned),
            cause: failure.cause.clone(),
        });
        if let Some(run) = run {
            self.tell(run, || MapRunChange::Ended(RunStatus::Failed));
        }
        self.failed(slot, thread, state, failure)
    }
}

fn batch_of(input: Option<&Value>, items: Vec<Value>) -> Value {
    let mut out = Map::new();
    if let Some(input) = input {
        out.insert("BatchInput".into(), input.clone());
    }
    out.insert("Items".into(), Value::Array(items));
    Value::Object(out)
}

fn arguments(state: &State, reader: &Reader, env: &Environment<'_>) -> Result<Value, Failure> {
    let input = select(&state.input_path, env)?;
    match &reader.arguments {
        Some(template) => template.evaluate(&env.with_input(&input)),
        None => Ok(json!({})),
    }
}

/// A count that is written down or computed; a text of digits counts as well where a path finds it.
fn count(count: Option<&Seconds>, field: &str, env: &Environment<'_>) -> Result<Option<u64>, Failure> {
    match count {
        None => Ok(None),
        Some(Seconds::Fixed(n)) => Ok(Some(*n)),
        Some(Seconds::Formula(formula)) => formula.evaluate_as(env, "number", whole).map(Some),
        Some(Seconds::Path(query)) => {
            let value = query.find(env).map_err(|error| super::run::invalid_path(query, &error))?;
            let n = whole(&value).or_else(|| value.as_str().and_then(|text| text.parse().ok()));
            n.map(Some).ok_or_else(|| {
                Failure::runtime(format!(
                    "The {field} field refers to value \"{}\" which is not a valid integer: {}",
                    super::run::shown(&value),
                    query.text
                ))
            })
        }
    }
}
