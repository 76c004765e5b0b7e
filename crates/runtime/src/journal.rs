//! The journal's records: what happened to an execution and cannot be derived. One a line, as a JSON array:
//! the instant in milliseconds, a letter for the kind, then its values.
//!
//! | letter | values | [`asl::Event`] |
//! |---|---|---|
//! | `s` | input | `Started` |
//! | `a` | task, worker | `TaskStarted` |
//! | `w` | task, output | `TaskSubmitted` |
//! | `o` | task, output | `TaskSucceeded` |
//! | `e` | task, error, cause | `TaskFailed` |
//! | `d` | task | `TaskTimedOut` |
//! | `h` | task | `TaskHeartbeat` |
//! | `t` | timer | `TimerFired` |
//! | `u` | run, concurrency, tolerated percentage and count, each or null | `MapRunUpdated` |
//! | `x` | error, cause | `Stopped` |
//! | `r` | | none: the execution was redriven |
//! | `c` | task, execution | none: the child whose end the task waits for |
//! | `m` | timer, message | none: the message that will fire the timer |

use std::fmt::Write as _;

use asl::{Event, MapRunUpdate, TaskId, TimerId};
use serde_json::{Value, json};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Record {
    /// Something happened at this instant.
    Event { at_ms: i64, event: Event },
    /// A failed execution was told to go on at this instant; the token makes that once what is asked for twice.
    Redriven { at_ms: i64, token: Option<String> },
    /// The task waits for the end of this execution.
    Child { task: TaskId, execution: i64 },
    /// A timer was set; the message of this id will fire it.
    Timer { timer: TimerId, message: i64 },
}

/// Writes a record as one line.
pub(crate) fn write(record: &Record, out: &mut String) {
    // Writing to a `String` cannot fail, and a `Value` always has a text.
    let _ = match record {
        Record::Timer { timer, message } => writeln!(out, "[0,\"m\",{timer},{message}]"),
        Record::Child { task, execution } => writeln!(out, "[0,\"c\",{task},{execution}]"),
        Record::Redriven { at_ms, token: None } => writeln!(out, "[{at_ms},\"r\"]"),
        Record::Redriven { at_ms, token } => writeln!(out, "[{at_ms},\"r\",{}]", text(token.as_deref())),
        Record::Event { at_ms, event } => {
            let _ = write!(out, "[{at_ms},");
            match event {
                Event::Started { input } => writeln!(out, "\"s\",{input}]"),
                Event::TaskStarted { task, worker } => writeln!(out, "\"a\",{task},{}]", text(worker.as_deref())),
                Event::TaskSubmitted { task, output } => writeln!(out, "\"w\",{task},{output}]"),
                Event::TaskSucceeded { task, output } => writeln!(out, "\"o\",{task},{output}]"),
                Event::TaskFailed { task, error, cause } => {
                    writeln!(out, "\"e\",{task},{},{}]", text(error.as_deref()), text(cause.as_deref()))
                }
                Event::TaskTimedOut { task } => writeln!(out, "\"d\",{task}]"),
                Event::TaskHeartbeat { task } => writeln!(out, "\"h\",{task}]"),
                Event::TimerFired { timer } => writeln!(out, "\"t\",{timer}]"),
                Event::MapRunUpdated { run, update } => {
                    let MapRunUpdate { max_concurrency, tolerated_percentage, tolerated_count } = update;
                    let values = json!([max_concurrency, tolerated_percentage, tolerated_count]);
                    writeln!(out, "\"u\",{run},{values}]")
                }
                Event::Stopped { error, cause } => {
                    writeln!(out, "\"x\",{},{}]", text(error.as_deref()), text(cause.as_deref()))
                }
            }
        }
    };
}

fn text(text: Option<&str>) -> Value {
    text.map_or(Value::Null, |t| Value::String(t.to_owned()))
}

/// Reads the records of a segment.
///
/// # Errors
/// The line that is no record: the file is damaged, or of a newer version.
pub(crate) fn read(segment: &str) -> Result<Vec<Record>, String> {
    segment.lines().map(|line| read_line(line).ok_or_else(|| line.chars().take(80).collect())).collect()
}

fn read_line(line: &str) -> Option<Record> {
    let mut values = serde_json::from_str::<Vec<Value>>(line).ok()?.into_iter();
    let at_ms = values.next()?.as_i64()?;
    let kind = values.next()?;
    let mut next = || values.next();
    let number = |value: Option<Value>| u32::try_from(value?.as_u64()?).ok();
    let string = |value: Option<Value>| match value {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let event = match kind.as_str()? {
        "s" => Event::Started { input: next()? },
        "a" => Event::TaskStarted { task: number(next())?, worker: string(next()) },
        "w" => Event::TaskSubmitted { task: number(next())?, output: next()? },
        "o" => Event::TaskSucceeded { task: number(next())?, output: next()? },
        "e" => Event::TaskFailed { task: number(next())?, error: string(next()), cause: string(next()) },
        "d" => Event::TaskTimedOut { task: number(next())? },
        "h" => Event::TaskHeartbeat { task: number(next())? },
        "t" => Event::TimerFired { timer: number(next())? },
        "u" => {
            let run = number(next())?;
            let values = next()?;
            let value = |at: usize| values.get(at).filter(|value| !value.is_null());
            let update = MapRunUpdate {
                max_concurrency: value(0).and_then(Value::as_u64),
                tolerated_percentage: value(1).and_then(Value::as_f64),
                tolerated_count: value(2).and_then(Value::as_f64),
            };
            Event::MapRunUpdated { run, update }
        }
        "x" => Event::Stopped { error: string(next()), cause: string(next()) },
        "r" => return Some(Record::Redriven { at_ms, token: string(next()) }),
        "c" => return Some(Record::Child { task: number(next())?, execution: next()?.as_i64()? }),
        "m" => return Some(Record::Timer { timer: number(next())?, message: next()?.as_i64()? }),
        _ => return None,
    };
    Some(Record::Event { at_ms, event })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_travel_as_lines() {
        let events = [
            Event::Started { input: json!({"a": [1, "zwei\n", null]}) },
            Event::TaskStarted { task: 1, worker: None },
            Event::TaskStarted { task: 1, worker: Some("w".into()) },
            Event::TaskTimedOut { task: 9 },
            Event::TaskSubmitted { task: 1, output: json!(null) },
            Event::TaskSucceeded { task: 1, output: json!({"b": 1.5}) },
            Event::TaskFailed { task: 2, error: Some("E".into()), cause: Some("line\nbreak \"quoted\"".into()) },
            Event::TaskHeartbeat { task: 3 },
            Event::TimerFired { timer: 4 },
            Event::MapRunUpdated {
                run: 2,
                update: MapRunUpdate { tolerated_percentage: Some(12.5), ..MapRunUpdate::default() },
            },
            Event::Stopped { error: None, cause: Some("by hand".into()) },
        ];
        let mut records: Vec<Record> =
            events.into_iter().enumerate().map(|(at, event)| Record::Event { at_ms: at as i64, event }).collect();
        records.push(Record::Redriven { at_ms: 7, token: None });
        records.push(Record::Redriven { at_ms: 8, token: Some("a \"token\"".into()) });
        records.push(Record::Child { task: 3, execution: i64::MAX });
        records.push(Record::Timer { timer: 4, message: i64::MAX });
        let mut text = String::new();
        for record in &records {
            write(record, &mut text);
        }
        assert_eq!(text.lines().count(), records.len());
        assert_eq!(read(&text).unwrap(), records);
        assert!(read("[1,\"?\"]").is_err());
        assert!(read("half a li").is_err());
    }
}
