//! Executions that were recorded on AWS, run in virtual time.
//!
//! The data is not part of the project: `COMANDA_CONFORMANCE` names its folder, by default `../shared/conformance` beside
//! the workspace. Where it is missing the test says so and passes.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::LazyLock;

use asl::{Definition, Event, Outcome, TaskStart, Work};
use serde_json::{Map, Value, json};

use crate::simulator::{self, Answer};

const LEVELS: [&str; 5] = ["status", "result", "cause", "order", "history"];
/// Cases that cannot agree from this level on, and why.
const KNOWN: [(&str, &str, &str); 8] = [
    (
        "[MAP_STATE_REFERENCE_IN_ITEM_SELECTOR]",
        "history",
        "AWS ran the items before it had written MapRunSucceeded, and linked MapStateExited to MapRunStarted",
    ),
    ("test_map_state_nested_config_distributed", "history", "the same"),
    ("test_map_item_batching_base_json_max_per_batch_jsonata", "history", "the same"),
    ("INVALID_ITEMS_PATH", "history", "the same"),
    ("test_service_lambda_map_timeout", "order", "the other items timed out before AWS had aborted them"),
    ("test_list_secrets", "status", "the Secrets Manager is not among the supported services"),
    ("test_heartbeat_no_timeout", "history", "recorded without the TimeoutSeconds that its definition has"),
    ("TestCallback::test_sqs_wait_for_task_token#", "history", "its placeholder of the token is cut in half"),
];

/// The folder of the conformance data, if it is there.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("COMANDA_CONFORMANCE") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"),
    };
    folder.is_dir().then_some(folder)
}

#[test]
fn recorded_executions() {
    compare(is_engine_only, |_| Vec::new());
}

/// Distributed Maps whose items lie in an object; what the object held is in the scripts of the recordings.
#[test]
fn recorded_item_readers() {
    let reads = |case: &Value| has(case, "ItemReader") && !stored_object(case).is_null();
    compare(reads, |case| vec![vec![Report::Stored(stored_object(case))]]);
}

/// The only object that a case stores.
fn stored_object(case: &Value) -> Value {
    static SCRIPTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let text = folder().and_then(|folder| std::fs::read_to_string(folder.join("scripts.jsonl")).ok());
        text.iter().flat_map(|text| text.lines()).filter_map(|line| serde_json::from_str(line).ok()).collect()
    });
    let script = SCRIPTS.iter().find(|script| script["test"] == case["test"]).cloned().unwrap_or_default();
    let steps = array_of(&script["steps"]);
    let put = steps.into_iter().find(|step| step["call"] == "s3.PutObject").unwrap_or_default();
    put["params"]["Body"].clone()
}

/// Cases whose tasks need other services: what these answered is taken from the recording.
#[test]
fn recorded_tasks() {
    compare(|case| !is_engine_only(case) && has_visible_tasks(case), recorded_answers);
}

fn compare(applies: impl Fn(&Value) -> bool, answers: impl Fn(&Value) -> Vec<Vec<Report>>) {
    let Some(folder) = folder() else {
        println!("not run: there is no conformance data; COMANDA_CONFORMANCE names its folder");
        return;
    };
    let text = std::fs::read_to_string(folder.join("exec.jsonl")).expect("exec.jsonl");
    let cases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect();
    let mut table: BTreeMap<String, [(usize, usize); 5]> = BTreeMap::new();
    let mut different = Vec::new();
    for case in cases.iter().filter(|case| is_in_scope(case) && applies(case)) {
        let agreed = agreement(case, answers(case));
        let area = text_of(&case["area"]).split('/').next().unwrap_or_default().to_owned();
        let language = if has(case, "jsonata") { "all JSONata" } else { "all JSONPath" };
        for group in [area, language.into(), "all".into()] {
            let counts = table.entry(group).or_default();
            for (n, agrees) in agreed.levels.iter().enumerate() {
                if let Some(agrees) = agrees {
                    counts[n].1 += 1;
                    counts[n].0 += usize::from(*agrees);
                }
            }
        }
        let name = text_of(&case["name"]);
        for (level, agrees) in LEVELS.iter().zip(agreed.levels) {
            if KNOWN.iter().any(|(part, from, _)| name.contains(part) && from == level) {
                break;
            }
            if agrees == Some(false) {
                different.push(format!("{name}: {level}: {}", agreed.first_difference));
                break;
            }
        }
    }
    println!("{:24}{}", "", LEVELS.map(|level| format!("{level:>12}")).concat());
    for (group, counts) in &table {
        println!("{group:24}{}", counts.map(|(a, of)| format!("{:>12}", format!("{a}/{of}"))).concat());
    }
    assert!(different.is_empty(), "{} cases differ:\n{}", different.len(), different.join("\n"));
}

fn has(case: &Value, feature: &str) -> bool {
    case["features"].as_array().is_some_and(|features| features.iter().any(|f| f == feature))
}

/// Standard, recorded to its end.
fn is_in_scope(case: &Value) -> bool {
    case["type"] == "STANDARD" && case["expected"]["status"].is_string()
}

fn is_engine_only(case: &Value) -> bool {
    case["needs"] == json!([]) && case["other_api_calls"] == json!([])
}

/// The recording shows every task: none is inside a distributed Map.
fn has_visible_tasks(case: &Value) -> bool {
    case["expected"]["events"].is_array() && !has(case, "map:distributed")
}

/// One thing that the recording shows about a task.
#[derive(Clone)]
enum Report {
    Started(Option<String>),
    Submitted(Value),
    Succeeded(Value),
    Failed(Option<String>, Option<String>),
    /// The text of the object that a Map reads.
    Stored(Value),
}

impl Report {
    fn event(self, start: &TaskStart) -> Event {
        let task = start.task;
        match self {
            Report::Stored(text) => match &start.work {
                Work::ReadItems(config) => match config.read(text_of(&text).as_bytes()) {
                    Ok(items) => Event::TaskSucceeded { task, output: Value::Array(items) },
                    Err(error) => Event::TaskFailed { task, error: None, cause: Some(error.to_string()) },
                },
                _ => Event::TaskTimedOut { task },
            },
            Report::Started(worker) => Event::TaskStarted { task, worker },
            Report::Submitted(output) => Event::TaskSubmitted { task, output },
            Report::Succeeded(output) => Event::TaskSucceeded { task, output },
            Report::Failed(error, cause) => Event::TaskFailed { task, error, cause },
        }
    }
}

/// For each scheduled attempt in turn, what the recording shows about it.
fn recorded_answers(case: &Value) -> Vec<Vec<Report>> {
    let events = array_of(&case["expected"]["events"]);
    let mut chains: Vec<(Value, Vec<Report>)> = Vec::new();
    let mut loose: Vec<Report> = Vec::new();
    for event in &events {
        let kind = text_of(&event["type"]);
        let details = event.as_object().and_then(|map| map.iter().find(|(key, _)| key.ends_with("EventDetails")));
        let details = details.map_or(Value::Null, |(_, details)| details.clone());
        let text = |field: &str| match &details[field] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            parsed => Some(parsed.to_string()),
        };
        let output = match &details["output"] {
            Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str())),
            parsed => parsed.clone(),
        };
        let report = match kind {
            "TaskScheduled" | "LambdaFunctionScheduled" | "ActivityScheduled" => {
                chains.push((event["id"].clone(), Vec::new()));
                continue;
            }
            "TaskStarted" | "LambdaFunctionStarted" | "ActivityStarted" => Report::Started(text("workerName")),
            "TaskSubmitted" => Report::Submitted(output),
            "TaskSucceeded" | "LambdaFunctionSucceeded" | "ActivitySucceeded" => Report::Succeeded(output),
            "TaskFailed" | "LambdaFunctionFailed" | "ActivityFailed" => match text("error") {
                // The machine itself finds that an answer is too large.
                Some(error) if error == "States.DataLimitExceeded" => {
                    Report::Succeeded(Value::from("x".repeat(asl::limits::PAYLOAD_BYTES)))
                }
                error => Report::Failed(error, text("cause")),
            },
            _ => continue,
        };
        // Inside an unordered Parallel ids are lost and events sorted by type: there, only one task can be told.
        if event["id"] == json!([0]) {
            loose.push(report);
        } else if let Some((last, reports)) = chains.iter_mut().find(|(last, _)| *last == event["previousEventId"]) {
            *last = event["id"].clone();
            reports.push(report);
        }
    }
    loose.sort_by_key(|report| matches!(report, Report::Succeeded(_) | Report::Failed(..)));
    if let Some((_, reports)) = chains.iter_mut().find(|(id, _)| *id == json!([0])) {
        reports.append(&mut loose);
    }
    chains.into_iter().map(|(_, reports)| reports).collect()
}

struct Agreement {
    levels: [Option<bool>; 5],
    first_difference: String,
}

fn agreement(case: &Value, answers: Vec<Vec<Report>>) -> Agreement {
    let expected = &case["expected"];
    let wild = wild_words(case);
    let has = |level: &str| match level {
        "events" | "event_types" => expected[level].is_array(),
        _ => true,
    };
    let fails = expected["status"] != "SUCCEEDED";
    let mut levels = [
        Some(false),
        Some(false),
        fails.then_some(false),
        has("event_types").then_some(false),
        has("events").then_some(false),
    ];
    let definition = match &case["definition"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let definition = match Definition::parse(&definition) {
        Ok(definition) => definition,
        Err(diagnostics) => {
            let texts: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
            return Agreement { levels, first_difference: texts.join("; ") };
        }
    };
    let mut info = simulator::info();
    let shows_role = &expected["events"][0]["executionStartedEventDetails"]["roleArn"];
    let role = transformers(case).find(|t| t["replacement"] == "snf_role_arn");
    if let Some(role) = role.filter(|_| shows_role == "snf_role_arn" || shows_role.is_null()) {
        info.role_arn = text_of(&role["regex"]).to_owned();
    }
    let input = serde_json::from_str(text_of(&case["input"])).expect("an input");
    let ran = simulator::run(definition, info, input, |start| {
        let reports = answers.get(start.task as usize).cloned().unwrap_or_default();
        Answer::Reports(reports.into_iter().map(|report| report.event(start)).collect())
    });
    let mut first_difference = String::new();
    let mut note = |agrees: bool, want: &Value, got: &Value| {
        if !agrees && first_difference.is_empty() {
            first_difference = format!("want {want}, got {got}");
        }
        agrees
    };

    let got = match &ran.outcome {
        Some(Outcome::Succeeded { output }) => json!({ "status": "SUCCEEDED", "output": output.to_string() }),
        Some(Outcome::Failed { error, cause }) => json!({ "status": "FAILED", "error": error, "cause": cause }),
        other => json!({ "status": format!("{other:?}") }),
    };
    let status = note(expected["status"] == got["status"], &expected["status"], &got);
    levels[0] = Some(status);
    if fails {
        let result = status && note(expected["error"] == got["error"], &expected["error"], &got);
        levels[1] = Some(result);
        let want = if expected["cause"].is_null() { json!("") } else { expected["cause"].clone() };
        let cause = Value::String(normal(got["cause"].as_str().unwrap_or_default(), case));
        levels[2] = Some(result && note(same(&want, &cause, &wild), &want, &cause));
    } else {
        let mut want = parsed(&expected["output"]);
        if text_of(&case["area"]).starts_with("choice")
            && let Value::Array(only) = &want
            && let [only] = only.as_slice()
        {
            want = only.clone();
        }
        let output = parsed(&Value::String(normal(text_of(&got["output"]), case)));
        levels[1] = Some(status && note(same(&want, &output, &wild), &want, &output));
    }

    let mine: Vec<Value> = ran.history.iter().map(|event| shown(&event.to_value())).collect();
    let mine: Value = serde_json::from_str(&normal(&Value::Array(mine).to_string(), case)).expect("events");
    let unordered = case["unordered_parallel"] == true;
    let mine = if unordered { without_order(&mine) } else { mine };
    if levels[3].is_some() {
        let types_of = |events: &Value| -> Value {
            events.as_array().into_iter().flatten().map(|event| event["type"].clone()).collect()
        };
        let types = types_of(&mine);
        let want = match unordered && expected["events"].is_array() {
            true => types_of(&without_order(&expected["events"])),
            false => expected["event_types"].clone(),
        };
        levels[3] = Some(note(types == want, &want, &types));
    }
    if levels[4].is_some() {
        let want = if unordered { without_order(&expected["events"]) } else { expected["events"].clone() };
        let (want, got) = (array_of(&want), array_of(&mine));
        let pair = want.iter().zip(&got).find(|(want, got)| !same(want, got, &wild));
        let agrees = pair.is_none() && want.len() == got.len();
        let (want, got) = pair.map_or((Value::Null, Value::Null), |(want, got)| ((*want).clone(), (*got).clone()));
        levels[4] = Some(note(agrees, &want, &got));
    }
    Agreement { levels, first_difference }
}

fn array_of(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// The events between a Parallel's start and end as a sorted multiset without ids, and without the end's own event.
fn without_order(events: &Value) -> Value {
    let mut out = Vec::new();
    let mut inside: Option<Vec<Value>> = None;
    for event in array_of(events) {
        match (text_of(&event["type"]), &mut inside) {
            ("ParallelStateSucceeded" | "ParallelStateFailed", _) => {}
            ("ParallelStateExited", Some(_)) => {
                let mut events = inside.take().unwrap_or_default();
                events.sort_by_key(|event| (text_of(&event["type"]).to_owned(), event.to_string()));
                out.append(&mut events);
                out.push(event);
            }
            ("ParallelStateStarted", None) => {
                out.push(event);
                inside = Some(Vec::new());
            }
            (_, Some(events)) => {
                let mut event = event;
                event["id"] = json!([0]);
                event["previousEventId"] = json!(0);
                events.push(sorted(&event));
            }
            (_, None) => out.push(event),
        }
    }
    Value::Array(out)
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<&String, Value> = map.iter().map(|(key, item)| (key, sorted(item))).collect();
            Value::Object(ordered.into_iter().map(|(key, item)| (key.clone(), item)).collect())
        }
        other => other.clone(),
    }
}

fn transformers(case: &Value) -> impl Iterator<Item = &Value> {
    case["transformers"].as_array().into_iter().flatten()
}

pub(crate) fn wild_words(case: &Value) -> HashSet<String> {
    let listed = case["wild"].as_array().into_iter().flatten();
    let replaced = transformers(case).filter(|t| t["kind"] == "jsonpath").map(|t| &t["replacement"]);
    listed.chain(replaced).map(|word| text_of(word).to_owned()).collect()
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Text with the names of this case replaced as the recording replaced them.
pub(crate) fn normal(text: &str, case: &Value) -> String {
    let mut text = text.to_owned();
    for t in transformers(case).filter(|t| t["kind"] == "regex" && !text_of(&t["regex"]).contains("@@{")) {
        if let Ok(regex) = regex_lite::Regex::new(text_of(&t["regex"])) {
            text = regex.replace_all(&text, regex_lite::NoExpand(text_of(&t["replacement"]))).into_owned();
        }
    }
    text.replace("arn:aws:", "arn:<partition>:")
        .replace("us-east-1", "<region>")
        .replace("123456789012", "111111111111")
}

fn parsed(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with(['{', '[']) => {
            serde_json::from_str(text).unwrap_or_else(|_| value.clone())
        }
        other => other.clone(),
    }
}

/// An event as the recordings show it: texts that are objects parsed, times as a word.
pub(crate) fn shown(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, item)| {
                    let item = if key == "timestamp" { json!("timestamp") } else { shown(item) };
                    (key.clone(), item)
                })
                .collect::<Map<String, Value>>(),
        ),
        Value::Array(items) => items.iter().map(shown).collect(),
        Value::String(text) if text.starts_with('{') => parsed(value),
        other => other.clone(),
    }
}

fn placeholder() -> regex_lite::Regex {
    regex_lite::Regex::new("<[^<>]{1,60}>").expect("a regex")
}

pub(crate) fn same(want: &Value, got: &Value, wild: &HashSet<String>) -> bool {
    match (want, got) {
        (Value::String(word), _) if wild.contains(word) || word == "timestamp" || word == "date" => true,
        (Value::String(want_text), Value::String(got_text)) => {
            want_text == got_text
                || (want_text.starts_with(['[', '{']) && got_text.starts_with(['[', '{']) && {
                    let value = parsed(want);
                    !value.is_string() && same(&value, &parsed(got), wild)
                })
                || matches_placeholders(want_text, got_text)
        }
        (Value::String(text), _) => {
            let only = placeholder().find(text).is_some_and(|m| m.as_str() == text);
            let value = parsed(want);
            only || (!value.is_string() && same(&value, got, wild))
        }
        (Value::Object(want), Value::Object(got)) => {
            want.len() == got.len()
                && want.iter().all(|(key, want)| got.get(key).is_some_and(|got| same(want, got, wild)))
        }
        (Value::Array(want), Value::Array(got)) => {
            want.len() == got.len() && want.iter().zip(got).all(|(want, got)| same(want, got, wild))
        }
        // Some recordings show a text of JSON parsed.
        (Value::Array(_) | Value::Object(_), Value::String(_)) => {
            let value = parsed(got);
            !value.is_string() && same(want, &value, wild)
        }
        (Value::Number(want), Value::Number(got)) => want.as_f64() == got.as_f64(),
        _ => want == got,
    }
}

/// Whether `got` has the parts of `want` between its placeholders, in their order.
fn matches_placeholders(want: &str, got: &str) -> bool {
    let regex = placeholder();
    if !regex.is_match(want) {
        return false;
    }
    let parts: Vec<String> = regex.split(want).map(regex_lite::escape).collect();
    let pattern = format!("(?s)^{}$", parts.join(".*?"));
    regex_lite::Regex::new(&pattern).is_ok_and(|regex| regex.is_match(got))
}
