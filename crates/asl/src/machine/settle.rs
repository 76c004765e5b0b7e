//! How a state ends: its output, its next state, its retries and its catchers.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Purpose;
use super::run::{Run, Step, select};
use super::thread::{Phase, Slot, Thread};
use crate::data::{self, Excess, Size};
use crate::definition::{Catcher, Kind, Next, QueryLanguage, ResultPath, Retrier, Selector, State};
use crate::error::{
    DATA_LIMIT_EXCEEDED, Failure, ITEM_READER_FAILED, QUERY_EVALUATION_ERROR, RESULT_PATH_MATCH_FAILURE,
    RESULT_WRITER_FAILED,
};
use crate::history::{Details, Turn};
use crate::limits;
use crate::template::Template;
use crate::variables::Variables;

impl<'a> Run<'a> {
    /// A task or fork has its result.
    pub(super) fn succeeded(
        &mut self,
        slot: Slot,
        thread: &mut Thread,
        state: &'a State,
        result: Value,
        size: Option<Size>,
    ) -> Step {
        let outcomes = state.kind.outcomes();
        let selector = outcomes.and_then(|outcomes| outcomes.result_selector.as_ref());
        let result_path = outcomes.map_or(&ResultPath::Whole, |outcomes| &outcomes.result_path);
        let concluded = self.conclude(thread, state, result, size, selector, result_path);
        concluded.unwrap_or_else(|failure| self.failed(slot, thread, state, failure))
    }

    /// `ResultSelector`, `Assign`, `ResultPath`, `OutputPath`, and on to the next state.
    pub(super) fn conclude(
        &mut self,
        thread: &mut Thread,
        state: &'a State,
        result: Value,
        size: Option<Size>,
        selector: Option<&'a Template>,
        result_path: &ResultPath,
    ) -> Result<Step, Failure> {
        let (result, size) = match selector {
            None => (result, size),
            Some(template) => {
                let selected =
                    self.with_environment(thread, state, None, |env| template.evaluate(&env.with_input(&result)))?;
                (selected, None)
            }
        };
        if state.language == QueryLanguage::Jsonata {
            return self.conclude_formulas(thread, state, result, size);
        }
        let assigned = match &state.assign {
            None => None,
            Some(template) => {
                Some(self.with_environment(thread, state, None, |env| template.evaluate(&env.with_input(&result)))?)
            }
        };
        let (output, size) = match merge(thread, result, size, result_path) {
            Ok(merged) => merged,
            Err(failure) => {
                thread.spoiled = true;
                return Err(failure);
            }
        };
        self.exit(thread, state, output, size, assigned, state.next)
    }

    /// `Assign` and `Output` of a JSONata state, and on to the next one.
    fn conclude_formulas(
        &mut self,
        thread: &mut Thread,
        state: &'a State,
        result: Value,
        size: Option<Size>,
    ) -> Result<Step, Failure> {
        if state.assign.is_none() && state.output.is_none() {
            return self.exit(thread, state, result, size, None, state.next);
        }
        let (assigned, output) = self.with_environment(thread, state, None, |env| {
            let env = env.with_result(&result);
            let assigned = state.assign.as_ref().map(|template| template.evaluate(&env)).transpose()?;
            let output = state.output.as_ref().map(|template| template.evaluate(&env)).transpose()?;
            Ok::<_, Failure>((assigned, output))
        })?;
        let (output, size) = match output {
            Some(output) => (output, None),
            None => (result, size),
        };
        self.exit(thread, state, output, size, assigned, state.next)
    }

    /// Applies `OutputPath`, checks the size, assigns variables, notes the exit and moves on.
    pub(super) fn exit(
        &mut self,
        thread: &mut Thread,
        state: &'a State,
        data: Value,
        size: Option<Size>,
        assigned: Option<Value>,
        next: Next,
    ) -> Result<Step, Failure> {
        let (output, size) = match &state.output_path {
            Selector::Whole => (data, size),
            selector => {
                let selected = self.with_environment(thread, state, None, |env| {
                    select(selector, &env.with_input(&data)).map(Cow::into_owned)
                });
                match selected {
                    Ok(output) => (output, None),
                    Err(failure) => {
                        thread.input = data;
                        thread.spoiled = true;
                        return Err(failure);
                    }
                }
            }
        };
        match within_limits(&output, size, &state.name) {
            Ok(size) => self.resize(thread, size),
            Err(failure) => {
                thread.input = output;
                thread.spoiled = true;
                return Err(failure);
            }
        }
        if let Err(failure) = check_assigned(&thread.variables, assigned.as_ref(), &state.name) {
            thread.spoiled = true;
            return Err(failure);
        }
        Ok(self.leave(thread, state, output, assigned, next))
    }

    fn leave(
        &mut self,
        thread: &mut Thread,
        state: &'a State,
        output: Value,
        assigned: Option<Value>,
        next: Next,
    ) -> Step {
        let kind = match state.kind {
            Kind::Pass(_) => "PassStateExited",
            Kind::Task(_) => "TaskStateExited",
            Kind::Choice(_) => "ChoiceStateExited",
            Kind::Wait(_) => "WaitStateExited",
            Kind::Succeed => "SucceedStateExited",
            Kind::Fail(_) => "FailStateExited",
            Kind::Parallel(_) => "ParallelStateExited",
            Kind::Map(_) => "MapStateExited",
        };
        self.note(thread, kind, || Details::StateExited {
            name: Arc::clone(&state.name),
            output: data::text(&output),
            assigned: texts(assigned.as_ref()),
        });
        if let Some(Value::Object(values)) = assigned {
            thread.variables.assign(values);
        }
        match next {
            Next::State(next) => {
                thread.go(next, output);
                Step::Again
            }
            Next::End => Step::Ended(Ok(output)),
        }
    }

    /// The data of a thread have another size now.
    fn resize(&mut self, thread: &mut Thread, size: Size) {
        let live = &mut self.machine.live_bytes;
        *live = live.saturating_sub(thread.size.bytes).saturating_add(size.bytes);
        thread.size = size;
    }

    /// A state has failed: retry, catch, or fail the thread.
    pub(super) fn failed(&mut self, slot: Slot, thread: &mut Thread, state: &'a State, failure: Failure) -> Step {
        let mut failure = failure;
        if failure.in_state {
            let cause = failure.cause.unwrap_or_default();
            let cause = format!(
                "An error occurred while executing the state '{}' (entered at the event id #{}). {cause}",
                state.name, thread.entered_event
            );
            let location = failure.location;
            failure =
                Failure { reported: false, location, ..Failure::new(failure.error.map(Cow::into_owned), Some(cause)) };
            if failure.error.as_deref() == Some(QUERY_EVALUATION_ERROR) {
                self.note_evaluation(thread, state, &failure);
            }
        }
        let Some(outcomes) = state.kind.outcomes() else { return Step::Ended(Err(failure)) };
        // A Map that cannot compute its items fails as one whose items fail.
        let forked = matches!(thread.phase, Phase::Forked(_))
            || matches!(failure.error.as_deref(), Some(ITEM_READER_FAILED | RESULT_WRITER_FAILED)) && !failure.reported
            || (matches!(state.kind, Kind::Map(_)) && failure.error.as_deref() == Some(QUERY_EVALUATION_ERROR));
        if let Some((n, retrier)) = matching_retrier(&outcomes.retry, thread, &failure) {
            thread.resume = None;
            self.turned(state, Turn::Retrier(n));
            self.retry(slot, thread, n, retrier);
            return Step::Blocked;
        }
        if forked {
            let kind = if matches!(state.kind, Kind::Map(_)) { "MapStateFailed" } else { "ParallelStateFailed" };
            self.note(thread, kind, || Details::None);
        }
        thread.phase = Phase::Ready;
        let catches = |catcher: &Catcher| catcher.errors.iter().any(|name| failure.matches(name));
        let Some((n, catcher)) = outcomes.catch.iter().enumerate().find(|(_, catcher)| catches(catcher)) else {
            return Step::Ended(Err(failure));
        };
        self.turned(state, Turn::Catcher(n));
        self.catch(thread, state, catcher, &failure).unwrap_or_else(|failure| Step::Ended(Err(failure)))
    }

    fn note_evaluation(&mut self, thread: &mut Thread, state: &State, failure: &Failure) {
        // What fails on entering follows what the entering followed.
        if thread.last_event == thread.entered_event && !matches!(state.kind, Kind::Wait(_)) {
            thread.last_event = thread.before_event;
        }
        self.note(thread, "EvaluationFailed", || Details::EvaluationFailed {
            state: Arc::clone(&state.name),
            error: failure.error.as_deref().map(str::to_owned),
            cause: failure.cause.clone(),
            location: failure.location.clone(),
        });
    }

    fn retry(&mut self, slot: Slot, thread: &mut Thread, n: usize, retrier: &Retrier) {
        if thread.retries.len() <= n {
            thread.retries.resize(n + 1, 0);
        }
        let before = thread.retries.get(n).copied().unwrap_or(0);
        if let Some(count) = thread.retries.get_mut(n) {
            *count += 1;
        }
        thread.retry_count += 1;
        let mut delay_ms = delay_ms(retrier, before);
        if retrier.full_jitter {
            let drawn = crate::environment::random(self.machine.info.seed, self.machine.draws);
            self.machine.draws += 1;
            delay_ms = drawn % delay_ms.saturating_add(1);
        }
        let at_ms = self.moment.now_ms.saturating_add(i64::try_from(delay_ms).unwrap_or(i64::MAX));
        let timer = self.set_timer(at_ms, slot, Purpose::Backoff);
        thread.phase = Phase::BackingOff(timer);
    }

    fn catch(
        &mut self,
        thread: &mut Thread,
        state: &'a State,
        catcher: &'a Catcher,
        failure: &Failure,
    ) -> Result<Step, Failure> {
        let text = |text: Option<&str>| text.map_or(Value::Null, Value::from);
        let mut output = Map::new();
        output.insert("Error".into(), text(failure.error.as_deref()));
        output.insert("Cause".into(), text(failure.cause.as_deref()));
        let output = Value::Object(output);
        if state.language == QueryLanguage::Jsonata {
            let (assigned, chosen) = self.with_environment(thread, state, None, |env| {
                let env = env.with_error(&output);
                let assigned = catcher.assign.as_ref().map(|template| template.evaluate(&env)).transpose()?;
                let chosen = catcher.output.as_ref().map(|template| template.evaluate(&env)).transpose()?;
                Ok::<_, Failure>((assigned, chosen))
            })?;
            let output = chosen.unwrap_or(output);
            let size = within_limits(&output, None, &state.name)?;
            check_assigned(&thread.variables, assigned.as_ref(), &state.name)?;
            self.resize(thread, size);
            return Ok(self.leave(thread, state, output, assigned, Next::State(catcher.next)));
        }
        let assigned = match &catcher.assign {
            None => None,
            Some(template) => {
                Some(self.with_environment(thread, state, None, |env| template.evaluate(&env.with_input(&output)))?)
            }
        };
        let (output, size) = merge(thread, output, None, &catcher.result_path)?;
        let size = within_limits(&output, size, &state.name)?;
        check_assigned(&thread.variables, assigned.as_ref(), &state.name)?;
        self.resize(thread, size);
        Ok(self.leave(thread, state, output, assigned, Next::State(catcher.next)))
    }
}

/// The first retrier that names the failure and has attempts left; one that is used up ends the search.
fn matching_retrier<'r>(retriers: &'r [Retrier], thread: &Thread, failure: &Failure) -> Option<(usize, &'r Retrier)> {
    let (n, retrier) =
        retriers.iter().enumerate().find(|(_, retrier)| retrier.errors.iter().any(|name| failure.matches(name)))?;
    let used = thread.retries.get(n).copied().unwrap_or(0);
    (used < retrier.max_attempts).then_some((n, retrier))
}

/// The delay before the retry that follows `before` others.
pub(crate) fn delay_ms(retrier: &Retrier, before: u32) -> u64 {
    let most_ms = retrier.max_delay_s.unwrap_or(limits::SECONDS).saturating_mul(1000);
    let exponent = i32::try_from(before).unwrap_or(i32::MAX);
    #[expect(clippy::cast_precision_loss, reason = "at most 1e11 milliseconds, which an f64 holds exactly")]
    let delay = retrier.interval_s as f64 * 1000.0 * retrier.backoff_rate.powi(exponent);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the limit is small, and the delay is checked against it"
    )]
    if delay < most_ms as f64 { delay.round() as u64 } else { most_ms }
}

/// `ResultPath`: what becomes of the input and the result, and its size if that is known. The input is used up unless the
/// result replaces it.
fn merge(
    thread: &mut Thread,
    result: Value,
    size: Option<Size>,
    result_path: &ResultPath,
) -> Result<(Value, Option<Size>), Failure> {
    match result_path {
        ResultPath::Whole => Ok((result, size)),
        ResultPath::Discard => Ok((std::mem::take(&mut thread.input), Some(thread.size))),
        ResultPath::At(steps, text) => match data::put(&mut thread.input, steps, result) {
            Ok(()) => {
                let size = size.map(|inner| thread.size.with(inner, steps));
                Ok((std::mem::take(&mut thread.input), size))
            }
            Err(_) => Err(Failure::in_state(
                RESULT_PATH_MATCH_FAILURE,
                format!("Unable to apply ReferencePath {text} to input {}", thread.input),
            )),
        },
    }
}

/// The size of an output, unless it exceeds the limits. `known` is an upper bound, so only one that exceeds them is measured.
pub(crate) fn within_limits(output: &Value, known: Option<Size>, name: &str) -> Result<Size, Failure> {
    if let Some(size) = known.filter(|size| size.fits()) {
        return Ok(size);
    }
    data::measure(output, limits::PAYLOAD_BYTES).map_err(|excess| match excess {
        Excess::Bytes => too_large(name),
        Excess::Depth => Failure::of(
            DATA_LIMIT_EXCEEDED,
            format!("The state/task '{name}' returned a result that nests deeper than {}.", limits::DATA_DEPTH),
        ),
    })
}

/// The limits of variables: what one `Assign` sets, and all that are visible.
pub(crate) fn check_assigned(variables: &Variables, assigned: Option<&Value>, name: &str) -> Result<(), Failure> {
    let Some(values) = assigned else { return Ok(()) };
    let fits = data::measure(values, limits::PAYLOAD_BYTES).is_ok();
    let all = values.as_object().map_or(0, |values| variables.bytes_with(values));
    if fits && all <= limits::VARIABLES_BYTES {
        return Ok(());
    }
    let cause = format!(
        "The state/task '{name}' assigned variables with a size exceeding the maximum number of bytes service limit."
    );
    Err(Failure::of(DATA_LIMIT_EXCEEDED, cause))
}

/// The failure for data larger than [`limits::PAYLOAD_BYTES`].
pub(super) fn too_large(name: &str) -> Failure {
    Failure::of(
        DATA_LIMIT_EXCEEDED,
        format!(
            "The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service limit."
        ),
    )
}

/// The assigned variables as texts of JSON.
fn texts(assigned: Option<&Value>) -> Vec<(String, String)> {
    match assigned {
        Some(Value::Object(values)) => values.iter().map(|(name, value)| (name.clone(), data::text(value))).collect(),
        _ => Vec::new(),
    }
}
