//! The format of `*.cases.json`; docs/flow-tests.md explains it, docs/flow-cases.schema.json describes it to editors.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::files;
use crate::failure::{Failure, Kind};

/// How files of cases end.
pub(crate) const CASES: &str = ".cases.json";
/// The mock of every state that has none of its own.
pub(crate) const ANY: &str = "*";

/// A file of cases.
#[derive(Debug)]
pub(crate) struct CaseFile {
    /// The flow's file, beside this one.
    pub(crate) flow: Option<String>,
    pub(crate) mocks: Mocks,
    /// In the order of the file.
    pub(crate) cases: Vec<(String, Case)>,
}

/// What the tasks answer: under the name of their state, or its path such as `Each[3]/Charge`.
pub(crate) type Mocks = BTreeMap<String, Answers>;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "$schema")]
    _schema: Option<String>,
    #[serde(rename = "comment")]
    _comment: Option<String>,
    flow: Option<String>,
    #[serde(default)]
    mocks: Map<String, Value>,
    cases: Map<String, Value>,
}

/// One case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Case {
    #[serde(rename = "comment")]
    _comment: Option<String>,
    #[serde(default = "empty")]
    pub(crate) input: Value,
    /// Begin at this state of the flow instead of its first.
    pub(crate) start_at: Option<String>,
    /// Variables that are set at the start.
    #[serde(default)]
    pub(crate) variables: Map<String, Value>,
    #[serde(default)]
    pub(crate) context: Context,
    /// What jitter and other pseudo-randomness derive from.
    #[serde(default)]
    pub(crate) seed: u64,
    /// Somebody stops the execution after so many seconds.
    pub(crate) stop_after: Option<f64>,
    #[serde(default)]
    pub(crate) mocks: Mocks,
    pub(crate) expect: Expect,
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// What the context object says about the execution.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Context {
    /// The execution's name.
    pub(crate) name: Option<String>,
    /// The state machine's name.
    pub(crate) state_machine: Option<String>,
    /// When it starts, in RFC 3339.
    pub(crate) start_time: Option<jiff::Timestamp>,
}

/// One answer for every call, or one for each.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Answers {
    Each(Vec<Answer>),
    Every(Box<Answer>),
}

/// What becomes of one call of a task.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Answer {
    #[serde(rename = "comment")]
    _comment: Option<String>,
    /// The task's result: of a call, or reported by its token.
    #[serde(default, deserialize_with = "present")]
    pub(crate) result: Option<Value>,
    /// The result of a function called by `lambda:invoke`, which AWS wraps.
    #[serde(default, deserialize_with = "present")]
    pub(crate) payload: Option<Value>,
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
    /// The host gives it up, as a function that takes longer than its own limit.
    #[serde(default)]
    pub(crate) timed_out: bool,
    /// Nobody answers.
    #[serde(default)]
    pub(crate) never: bool,
    /// After how many seconds.
    #[serde(default)]
    pub(crate) after: f64,
    /// When heartbeats come, in seconds after the start of the call.
    #[serde(default)]
    pub(crate) heartbeats: Vec<f64>,
    /// For how many calls this answer stands.
    #[serde(default = "once")]
    pub(crate) times: u32,
}

fn once() -> u32 {
    1
}

/// `null` is a value, too.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Answer {
    /// How many of the fields that exclude each other are given.
    fn kinds(&self) -> usize {
        let failed = self.error.is_some() || self.cause.is_some();
        [self.result.is_some(), self.payload.is_some(), failed, self.timed_out, self.never]
            .into_iter()
            .filter(|is_given| *is_given)
            .count()
    }
}

/// What a case wants to see.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Expect {
    /// SUCCEEDED (if nothing is said), FAILED, TIMED_OUT, ABORTED, or RUNNING: it waits for what never comes.
    #[serde(default)]
    pub(crate) status: Status,
    /// The output holds this: objects may have more fields.
    #[serde(default, deserialize_with = "present")]
    pub(crate) output: Option<Value>,
    /// The output is this.
    #[serde(default, deserialize_with = "present")]
    pub(crate) output_exactly: Option<Value>,
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) cause_contains: Option<String>,
    /// The states, all of them, in order.
    pub(crate) path: Option<Vec<String>>,
    /// These states, in this order, among others.
    #[serde(default)]
    pub(crate) visits: Vec<String>,
    /// None of these states.
    #[serde(default)]
    pub(crate) avoids: Vec<String>,
    /// What the tasks of a state are called with, call by call; objects may have more fields.
    #[serde(default)]
    pub(crate) inputs: BTreeMap<String, Vec<Value>>,
    /// How often the task of a state is called.
    #[serde(default)]
    pub(crate) calls: BTreeMap<String, usize>,
    /// How long it takes in virtual time.
    pub(crate) seconds: Option<Seconds>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    #[default]
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
    Running,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(crate) enum Seconds {
    Exactly(f64),
    Between { min: f64, max: f64 },
}

/// Reads a file of cases.
///
/// # Errors
/// It cannot be read, or something in it is not as it must be; the message says where.
pub(crate) fn read(path: &Path) -> Result<CaseFile, Failure> {
    let wrong = |place: &str, problem: String| {
        let place = if place.is_empty() { String::new() } else { format!(" at `{place}`") };
        Failure::new(Kind::Usage, format!("`{}`{place}: {problem}", path.display()))
    };
    let text = files::read(path)?;
    let written: Written = serde_json::from_str(&text).map_err(|e| wrong("", e.to_string()))?;
    let mut mocks = Mocks::new();
    for (state, answers) in written.mocks {
        let place = format!("mocks.{state}");
        mocks.insert(state, parse(answers).map_err(|(at, problem)| wrong(&join(&place, &at), problem))?);
    }
    check_mocks(&mocks).map_err(|(at, problem)| wrong(&format!("mocks.{at}"), problem))?;
    let mut cases = Vec::with_capacity(written.cases.len());
    for (name, case) in written.cases {
        let place = format!("cases.{name}");
        let case: Case = parse(case).map_err(|(at, problem)| wrong(&join(&place, &at), problem))?;
        check_mocks(&case.mocks).map_err(|(at, problem)| wrong(&format!("{place}.mocks.{at}"), problem))?;
        cases.push((name, case));
    }
    if cases.is_empty() {
        return Err(wrong("cases", "there is no case".into()));
    }
    Ok(CaseFile { flow: written.flow, mocks, cases })
}

fn join(place: &str, at: &str) -> String {
    if at == "." { place.to_owned() } else { format!("{place}.{at}") }
}

fn parse<T: DeserializeOwned>(value: Value) -> Result<T, (String, String)> {
    serde_path_to_error::deserialize(value).map_err(|e| (e.path().to_string(), e.inner().to_string()))
}

fn check_mocks(mocks: &Mocks) -> Result<(), (String, String)> {
    for (state, answers) in mocks {
        let answers = match answers {
            Answers::Every(answer) => std::slice::from_ref(&**answer),
            Answers::Each(answers) => answers.as_slice(),
        };
        for (n, answer) in answers.iter().enumerate() {
            if answer.kinds() != 1 {
                let problem = "give one of `result`, `payload`, `error` (with `cause`), `timedOut`, `never`";
                return Err((format!("{state}[{n}]"), problem.into()));
            }
            let times = [answer.after].into_iter().chain(answer.heartbeats.iter().copied());
            if times.into_iter().any(|seconds| !(0.0..=MOST_SECONDS).contains(&seconds)) {
                return Err((format!("{state}[{n}]"), format!("seconds are from 0 to {MOST_SECONDS}")));
            }
        }
    }
    Ok(())
}

/// The longest that a Standard execution takes: a year.
pub(crate) const MOST_SECONDS: f64 = 31_536_000.0;
