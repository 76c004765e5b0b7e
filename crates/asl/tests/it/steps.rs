//! What a machine commands, event by event.
//!
//! A script is `EVENT -> COMMANDS | EVENT -> COMMANDS ...`. Events: `start JSON`, `ok N JSON`, `fail N ERROR CAUSE`,
//! `late N` (timed out by the host), `beat N`, `took N`, `fire N`, `stop`, and `Ns` lets seconds pass. Commands are shown as
//! `task N PATH ARGUMENTS`, `timer N +Ns`, `drop task N`, `drop timer N`, `succeeded JSON`, `failed ERROR CAUSE`, ...;
//! `redrive` goes on after a failure. `-` stands for none and `stale` for an event without effect.

use std::sync::Arc;

use asl::{Applied, Command, Definition, Event, HistorySink, Machine, Moment, NoHistory, Outcome};
use serde_json::Value;

use crate::simulator::{self, Answer, START_MS};

fn check(name: &str, flow: &str, script: &str) {
    let definition = Definition::parse(flow).unwrap_or_else(|d| panic!("{name}: {d:?}"));
    let mut machine = Machine::new(Arc::new(definition), simulator::info());
    let mut now_ms = START_MS;
    let mut got = Vec::new();
    for step in script.split('|') {
        let event_text = step.split("->").next().unwrap_or_default().trim();
        let mut words = event_text.splitn(4, ' ');
        let verb = words.next().unwrap_or_default();
        let n = words.clone().next().and_then(|n| n.parse().ok()).unwrap_or_default();
        let json = |text: Option<&str>| serde_json::from_str(text.unwrap_or("null")).expect("JSON in the script");
        let event = match verb {
            "start" => Event::Started { input: json(event_text.split_once(' ').map(|(_, input)| input)) },
            "ok" => Event::TaskSucceeded { task: n, output: json(event_text.splitn(3, ' ').nth(2)) },
            "fail" => {
                words.next();
                Event::TaskFailed {
                    task: n,
                    error: words.next().map(String::from),
                    cause: words.next().map(String::from),
                }
            }
            "late" => Event::TaskTimedOut { task: n },
            "beat" => Event::TaskHeartbeat { task: n },
            "took" => Event::TaskStarted { task: n, worker: None },
            "fire" => Event::TimerFired { timer: n },
            "stop" => Event::Stopped { error: None, cause: None },
            // Told apart below: it is no event.
            "redrive" => Event::Stopped { error: None, cause: None },
            seconds => {
                let seconds: i64 = seconds.strip_suffix('s').and_then(|s| s.parse().ok()).expect("an event");
                now_ms += seconds * 1000;
                got.push(event_text.to_owned());
                continue;
            }
        };
        let mut commands = Vec::new();
        if verb == "redrive" {
            let moment = Moment { now_ms, task_token: &simulator::token };
            let applied = machine.redrive(&moment, &mut commands, &mut NoHistory);
            let shown: Vec<String> = commands.iter().map(|command| show(command, now_ms)).collect();
            let shown = if applied == Applied::Stale { "stale".to_owned() } else { shown.join(", ") };
            got.push(format!("redrive -> {shown}"));
            continue;
        }
        let moment = Moment { now_ms, task_token: &simulator::token };
        let applied = machine.apply(event, &moment, &mut commands, &mut NoHistory);
        let shown: Vec<String> = commands.iter().map(|command| show(command, now_ms)).collect();
        let shown = match (applied, shown.is_empty()) {
            (Applied::Stale, _) => "stale".to_owned(),
            (_, true) => "-".to_owned(),
            _ => shown.join(", "),
        };
        got.push(format!("{event_text} -> {shown}"));
    }
    let want: Vec<&str> = script.split('|').map(str::trim).collect();
    assert_eq!(got, want, "{name}");
}

fn show(command: &Command, now_ms: i64) -> String {
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".into());
    match command {
        Command::StartTask(start) => format!("task {} {} {}", start.task, start.path, start.arguments),
        Command::CancelTask { task } => format!("drop task {task}"),
        Command::SetTimer { timer, at_ms } if (at_ms - now_ms) % 1000 == 0 => {
            format!("timer {timer} +{}s", (at_ms - now_ms) / 1000)
        }
        Command::SetTimer { timer, at_ms } => format!("timer {timer} +{}ms", at_ms - now_ms),
        Command::CancelTimer { timer } => format!("drop timer {timer}"),
        Command::Finish(Outcome::Succeeded { output }) => format!("succeeded {output}"),
        Command::Finish(Outcome::Failed { error, cause }) => format!("failed {} {}", or(error), or(cause)),
        Command::Finish(Outcome::TimedOut { error, .. }) => format!("timed out {}", or(error)),
        Command::Finish(Outcome::Aborted { .. }) => "aborted".into(),
    }
}

/// A flow of one task with these fields beside the usual ones, and the state `Mend` if they lead to it.
fn task(fields: &str) -> String {
    let mend = if fields.contains("Mend") { r#", "Mend": {"Type": "Pass", "End": true}"# } else { "" };
    let resource = r#""Resource": "arn:aws:lambda:us-east-1:123456789012:function:do""#;
    format!(r#"{{"StartAt": "Do", "States": {{"Do": {{"Type": "Task", "End": true, {fields} {resource}}}{mend}}}}}"#)
}

#[test]
fn waits_and_tasks() {
    check(
        "wait_then_pass",
        r#"{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 5, "Next": "P"}, "P": {"Type": "Pass", "End": true}}}"#,
        "start {} -> timer 0 +5s | 5s | fire 0 -> succeeded {} | fire 0 -> stale",
    );
    check("task", &task(""), r#"start {"a":1} -> task 0 Do {"a":1} | ok 0 [2] -> succeeded [2]"#);
    check(
        "result path",
        &task(r#""ResultPath": "$.r.x", "ResultSelector": {"n.$": "$[0]"}, "OutputPath": "$.r", "#),
        r#"start {"a":1} -> task 0 Do {"a":1} | ok 0 [2] -> succeeded {"x":{"n":2}}"#,
    );
    check(
        "stale events",
        &task(""),
        r#"start {} -> task 0 Do {} | ok 1 2 -> stale | fire 0 -> stale | took 0 -> - | took 0 -> stale | ok 0 1 -> succeeded 1 | ok 0 1 -> stale | stop -> stale"#,
    );
    check(
        "stop",
        &task(r#""TimeoutSeconds": 9, "#),
        "start 1 -> timer 0 +9s, task 0 Do 1 | stop -> drop task 0, drop timer 0, aborted",
    );
}

#[test]
fn retries_and_catchers() {
    let retry = r#""Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2, "MaxDelaySeconds": 5}], "#;
    check(
        "backoff with a limit",
        &task(retry),
        "start 1 -> task 0 Do 1 | fail 0 E c -> timer 0 +2s | 2s | fire 0 -> task 1 Do 1 | fail 1 E c -> timer 1 +4s | \
         4s | fire 1 -> task 2 Do 1 | fail 2 E c -> timer 2 +5s | 5s | fire 2 -> task 3 Do 1 | fail 3 E c -> failed E c",
    );
    check("another error is not retried", &task(retry), "start 1 -> task 0 Do 1 | fail 0 F c -> failed F c");
    let catch = r#""Catch": [{"ErrorEquals": ["E"], "Next": "Mend"}, {"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "Mend"}], "#;
    check(
        "catch replaces",
        &task(catch),
        r#"start {} -> task 0 Do {} | fail 0 E c -> succeeded {"Error":"E","Cause":"c"}"#,
    );
    check(
        "catch keeps the input",
        &task(catch),
        r#"start {"a":1} -> task 0 Do {"a":1} | fail 0 F -> succeeded {"a":1,"e":{"Error":"F","Cause":null}}"#,
    );
    check(
        "a timeout is no failed task",
        &task(r#""TimeoutSeconds": 3, "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "Mend"}], "#),
        "start 1 -> timer 0 +3s, task 0 Do 1 | 3s | fire 0 -> drop task 0, failed States.Timeout ?",
    );
    check(
        "heartbeats",
        &task(r#""HeartbeatSeconds": 3, "Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Mend"}], "#),
        r#"start 1 -> timer 0 +3s, task 0 Do 1 | 2s | beat 0 -> drop timer 0, timer 1 +3s | 3s | fire 0 -> stale | fire 1 -> drop task 0, succeeded {"Error":"States.Timeout","Cause":null}"#,
    );
    check(
        "the whole execution times out",
        &task("").replacen('{', r#"{"TimeoutSeconds": 9, "#, 1),
        "start 1 -> timer 0 +9s, task 0 Do 1 | 9s | fire 0 -> drop task 0, timed out States.Timeout",
    );
}

const BOTH: &str = r#"{"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
    {"StartAt": "A", "States": {"A": {"Type": "Task", "End": true, "Resource": "arn:aws:lambda:us-east-1:123456789012:function:a"}}},
    {"StartAt": "B", "States": {"B": {"Type": "Wait", "Seconds": 7, "End": true}}}]}}}"#;
const EACH: &str = r#"{"StartAt": "Each", "States": {"Each": {"Type": "Map", "End": true, "MaxConcurrency": 2,
    "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"},
    "ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Task", "End": true,
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:t"}}}}}}"#;

#[test]
fn a_branch_that_never_ran_gives_its_place_away() {
    let task = r#"{"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:do", "End": true}"#;
    let branch = |name: &str| format!(r#"{{"StartAt": "{name}", "States": {{"{name}": {task}}}}}"#);
    let flow = format!(
        r#"{{"StartAt": "P", "States": {{
            "P": {{"Type": "Parallel", "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "Q"}}], "End": true, "Branches": [
                {{"StartAt": "F", "States": {{"F": {{"Type": "Fail", "Error": "E"}}}}}}, {}]}},
            "Q": {{"Type": "Parallel", "End": true, "Branches": [{}, {}]}}}}}}"#,
        branch("A"),
        branch("B"),
        branch("C"),
    );
    let input = r#"{"Error":"E","Cause":null}"#;
    let started = format!("task 0 Q[0]/B {input}, task 1 Q[1]/C {input}");
    check("caught at once", &flow, &format!("start {{}} -> {started} | ok 0 1 -> - | ok 1 2 -> succeeded [1,2]"));
}

#[test]
fn forks() {
    check(
        "parallel",
        BOTH,
        "start 1 -> task 0 Both[0]/A 1, timer 0 +7s | ok 0 2 -> - | 7s | fire 0 -> succeeded [2,1]",
    );
    check(
        "a branch fails",
        BOTH,
        "start 1 -> task 0 Both[0]/A 1, timer 0 +7s | fail 0 E c -> drop timer 0, failed E c",
    );
    check(
        "map in turns",
        EACH,
        r#"start ["x","y","z"] -> task 0 Each[0]/T {"i":0,"v":"x"}, task 1 Each[1]/T {"i":1,"v":"y"} | ok 1 "b" -> task 2 Each[2]/T {"i":2,"v":"z"} | ok 0 "a" -> - | ok 2 "c" -> succeeded ["a","b","c"]"#,
    );
    check("map of nothing", EACH, "start [] -> succeeded []");
    check(
        "an item fails",
        EACH,
        r#"start [1,2] -> task 0 Each[0]/T {"i":0,"v":1}, task 1 Each[1]/T {"i":1,"v":2} | fail 0 E c -> drop task 1, failed E c"#,
    );
}

#[test]
fn variables_stay_in_their_scope() {
    check(
        "variables",
        r#"{"StartAt": "Set", "States": {
            "Set": {"Type": "Pass", "Assign": {"total.$": "$.n", "who": {"name": "Ana"}}, "Next": "Each"},
            "Each": {"Type": "Map", "ItemsPath": "$.items", "Next": "Show",
                "ItemProcessor": {"StartAt": "In", "States": {"In": {"Type": "Pass", "Assign": {"mine": 1}, "End": true,
                    "Parameters": {"t.$": "States.MathAdd($total, $$.Map.Item.Value)"}}}}},
            "Show": {"Type": "Pass", "End": true, "Parameters": {"t.$": "$total", "name.$": "$who.name", "each.$": "$"}}}}"#,
        r#"start {"n":5,"items":[1,2]} -> succeeded {"t":5,"name":"Ana","each":[{"t":6},{"t":7}]}"#,
    );
}

#[test]
fn runaway_flows_end() {
    let ran = simulator::run(
        Definition::parse(
            r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"a.$": "$"}, "Next": "C"},
                "C": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": true, "Next": "E"}], "Default": "A"},
                "E": {"Type": "Succeed"}}}"#,
        )
        .expect("a flow"),
        simulator::info(),
        serde_json::json!({}),
        |_| Answer::Never,
    );
    let Some(Outcome::Failed { error, .. }) = ran.outcome else { panic!("{:?}", ran.outcome) };
    assert_eq!(error.as_deref(), Some("States.DataLimitExceeded"), "the data nests ever deeper");

    let mut machine = Machine::new(
        Arc::new(Definition::parse(r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Choice",
            "Choices": [{"Variable": "$.x", "IsPresent": true, "Next": "E"}], "Default": "A"}, "E": {"Type": "Succeed"}}}"#).expect("a flow")),
        simulator::info(),
    );
    let mut commands = Vec::new();
    let moment = Moment { now_ms: 0, task_token: &simulator::token };
    machine.apply(Event::Started { input: serde_json::json!({}) }, &moment, &mut commands, &mut NoHistory);
    assert!(matches!(machine.outcome(), Some(Outcome::Failed { .. })), "the history is full");
    assert!(machine.history_events() <= asl::limits::HISTORY_EVENTS);
}

/// Pending work can be commanded again, exactly as it was.
#[test]
fn pending_tasks_are_what_was_commanded() {
    let flow = r#"{"StartAt": "Each", "States": {"Each": {"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "T", "States": {
        "T": {"Type": "Task", "End": true, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "TimeoutSeconds": 9,
            "Parameters": {"id.$": "States.UUID()", "token.$": "$$.Task.Token", "n.$": "$", "at.$": "$$.State.EnteredTime",
                "all.$": "$$.Execution.Input"}}}}}}}"#;
    let definition = Arc::new(Definition::parse(flow).expect("a flow"));
    let mut machine = Machine::new(definition, simulator::info());
    let mut commands = Vec::new();
    let moment = Moment { now_ms: START_MS, task_token: &simulator::token };
    machine.apply(Event::Started { input: serde_json::json!([1, 2, 3]) }, &moment, &mut commands, &mut NoHistory);
    let starts: Vec<_> = commands
        .iter()
        .filter_map(|command| match command {
            Command::StartTask(start) => Some(start.clone()),
            _ => None,
        })
        .collect();
    let later = Moment { now_ms: START_MS + 5000, task_token: &simulator::token };
    assert_eq!(starts.len(), 3);
    assert!(starts[0].wait_for_token && starts[0].arguments["all"] == serde_json::json!([1, 2, 3]));
    assert_ne!(starts[0].arguments["id"], starts[1].arguments["id"]);
    assert_eq!(machine.pending_tasks(&later), starts);
    assert_eq!(machine.pending_timers().count(), 3);
}

/// A sink that wants nothing gets nothing, and the machine is the same.
#[test]
fn history_is_optional() {
    struct Refuses;
    impl HistorySink for Refuses {
        fn wants(&self) -> bool {
            false
        }
        fn push(&mut self, event: asl::HistoryEvent) {
            panic!("not wanted: {event:?}");
        }
    }
    let definition = Arc::new(Definition::parse(BOTH).expect("a flow"));
    let mut quiet = Machine::new(Arc::clone(&definition), simulator::info());
    let mut loud = Machine::new(definition, simulator::info());
    let moment = Moment { now_ms: 0, task_token: &simulator::token };
    let (mut a, mut b, mut history) = (Vec::new(), Vec::new(), Vec::new());
    for event in [
        Event::Started { input: Value::Null },
        Event::TaskSucceeded { task: 0, output: Value::Null },
        Event::TimerFired { timer: 0 },
    ] {
        quiet.apply(event.clone(), &moment, &mut a, &mut Refuses);
        loud.apply(event, &moment, &mut b, &mut history);
    }
    assert_eq!(a, b);
    assert_eq!(quiet.history_events(), loud.history_events());
    assert_eq!(history.len() as u64, loud.history_events());
}

#[test]
fn jitter_is_reproducible_and_bounded() {
    let flow = task(
        r#""Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 10, "MaxAttempts": 5, "BackoffRate": 1, "JitterStrategy": "FULL"}], "#,
    );
    let run = || {
        let definition = Definition::parse(&flow).expect("a flow");
        simulator::run(definition, simulator::info(), Value::Null, |_| Answer::Fails("E", "c"))
    };
    let (first, second) = (run(), run());
    assert_eq!(first.elapsed_ms, second.elapsed_ms);
    assert_eq!(first.tasks.len(), 6);
    assert!(first.elapsed_ms > 0 && first.elapsed_ms < 50_000, "{}", first.elapsed_ms);
    assert_eq!(first.tasks.iter().map(|task| task.attempt).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn functions_work_in_virtual_time() {
    let ran = simulator::run(
        Definition::parse(EACH).expect("a flow"),
        simulator::info(),
        serde_json::json!([10, 20]),
        |start| match start.arguments["i"].as_u64() {
            Some(0) => Answer::SucceedsAfter(30, start.arguments["v"].clone()),
            _ => Answer::Succeeds(start.arguments["v"].clone()),
        },
    );
    assert_eq!(ran.outcome, Some(Outcome::Succeeded { output: serde_json::json!([10, 20]) }));
    assert_eq!(ran.elapsed_ms, 30_000);
}

/// Variables: what a state reads is what was set before it; branches read those around and keep their own.
#[test]
fn variables() {
    let flow = |states: &str| format!(r#"{{"QueryLanguage": "JSONata", "StartAt": "A", "States": {{{states}}}}}"#);
    check(
        "assign and output see the same",
        &flow(
            r#""A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "B"},
            "B": {"Type": "Pass", "Assign": {"x": "{% $x + 1 %}", "y": "{% $x %}"}, "Output": "{% $x %}", "Next": "C"},
            "C": {"Type": "Pass", "Output": "{% [$states.input, $x, $y] %}", "End": true}"#,
        ),
        "start {} -> succeeded [1,2,1]",
    );
    check(
        "branches",
        &flow(
            r#""A": {"Type": "Pass", "Assign": {"x": 1, "y": 2}, "Next": "B"},
            "B": {"Type": "Parallel", "Next": "D", "Branches": [
                {"StartAt": "E", "States": {"E": {"Type": "Pass", "Assign": {"z": 9}, "Next": "F"},
                    "F": {"Type": "Pass", "Output": "{% [$x, $z] %}", "End": true}}}]},
            "D": {"Type": "Pass", "Output": "{% [$states.input[0], $y, $exists($z)] %}", "End": true}"#,
        ),
        "start {} -> succeeded [1,9,2,false]",
    );
    check(
        "a catcher's own",
        &flow(
            r#""A": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:do", "End": true,
                "Assign": {"r": "{% $states.result %}"},
                "Catch": [{"ErrorEquals": ["States.ALL"], "Assign": {"e": "{% $states.errorOutput.Error %}"}, "Output": 7, "Next": "B"}]},
            "B": {"Type": "Pass", "Output": "{% [$states.input, $e, $exists($r)] %}", "End": true}"#,
        ),
        r#"start 1 -> task 0 A 1 | fail 0 E c -> succeeded [7,"E",false]"#,
    );
    let twice = r#""A": {"Type": "Pass", "Assign": {"x": "{% $pad('', 262000, 'x') %}"}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"y": "{% $x & $x %}"}, "End": true}"#;
    check(
        "one Assign has a limit",
        &flow(twice),
        "start {} -> failed States.DataLimitExceeded The state/task 'B' assigned variables with a size exceeding the maximum \
         number of bytes service limit.",
    );
    let names: Vec<String> = (0..41).map(|n| format!("v{n}")).collect();
    let mut states = String::new();
    for (n, name) in names.iter().enumerate() {
        let id = if n == 0 { "A".to_owned() } else { format!("S{n}") };
        let value = if n == 0 { "{% $pad('', 262000, 'x') %}" } else { "{% $v0 %}" };
        states.push_str(&format!(
            r#""{id}": {{"Type": "Pass", "Assign": {{"{name}": "{value}"}}, "Next": "S{}"}}, "#,
            n + 1
        ));
    }
    check(
        "all together have one",
        &flow(&format!(r#"{states}"S41": {{"Type": "Succeed"}}"#)),
        "start {} -> failed States.DataLimitExceeded The state/task 'S40' assigned variables with a size exceeding the maximum \
         number of bytes service limit.",
    );
}

#[test]
fn formulas() {
    let one = |fields: &str| {
        format!(r#"{{"QueryLanguage": "JSONata", "StartAt": "A", "States": {{"A": {{{fields}, "End": true}}}}}}"#)
    };
    let call = r#""Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:do""#;
    check(
        "arguments, timeouts and output",
        &one(&format!(
            r#"{call}, "Arguments": {{"n": "{{% $states.input.n * 2 %}}", "k": ["{{% 'a' & 'b' %}}", "$.n"]}},
            "TimeoutSeconds": "{{% $states.input.n %}}", "Output": "{{% $states.result.x + $states.input.n %}}""#
        )),
        r#"start {"n":5} -> timer 0 +5s, task 0 A {"n":10,"k":["ab","$.n"]} | ok 0 {"x":1} -> drop timer 0, succeeded 6"#,
    );
    check(
        "retries compute anew",
        &one(&format!(
            r#"{call}, "Arguments": "{{% $states.context.State.RetryCount %}}", "Retry": [{{"ErrorEquals": ["E"]}}]"#
        )),
        "start {} -> task 0 A 0 | fail 0 E c -> timer 0 +1s | 1s | fire 0 -> task 1 A 1 | ok 1 2 -> succeeded 2",
    );
    check(
        "waits",
        &one(r#""Type": "Wait", "Seconds": "{% $states.input.s %}", "Output": "{% $millis() %}""#),
        r#"start {"s":3} -> timer 0 +3s | 3s | fire 0 -> succeeded 1795172403000"#,
    );
    let failed = "failed States.QueryEvaluationError An error occurred while executing the state 'A' (entered at the event id #2).";
    check(
        "a wrong type",
        &one(r#""Type": "Wait", "Seconds": "{% 'x' %}""#),
        &format!(
            "start {{}} -> {failed} The JSONata expression ''x'' specified for the field 'Seconds' returned an unexpected \
             result type. Expected 'number', but was 'string' for value: \"x\""
        ),
    );
    check(
        "a choice",
        r#"{"QueryLanguage": "JSONata", "StartAt": "A", "States": {"B": {"Type": "Succeed"}, "A": {"Type": "Choice",
            "Default": "B", "Choices": [{"Condition": false, "Next": "B"}, {"Condition": "{% 1 %}", "Next": "B"}]}}}"#,
        &format!(
            "start {{}} -> {failed} The JSONata expression '1' specified for the field 'Choices[1]/Condition' returned an \
             unexpected result type. Expected 'boolean', but was 'number' for value: 1"
        ),
    );
    check(
        "a Fail state",
        r#"{"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "{% $uppercase($states.input.e) %}", "Cause": "c"}}}"#,
        r#"start {"e":"bad"} -> failed BAD c"#,
    );
    check(
        "chance is the execution's",
        &one(r#""Type": "Pass", "Output": "{% [$random(), $uuid()] %}""#),
        r#"start {} -> succeeded [0.3898297483912715,"044c3cd7-f43c-461c-a698-4080bab12a02"]"#,
    );
}

/// A redrive runs again what failed or was aborted, and nothing else.
#[test]
fn redrives() {
    check(
        "a task",
        &task(""),
        "start 1 -> task 0 Do 1 | redrive -> stale | fail 0 E c -> failed E c | redrive -> task 1 Do 1 | ok 1 2 -> succeeded 2 | \
         redrive -> stale",
    );
    check(
        "retries begin anew",
        &task(r#""Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 1}], "#),
        "start 1 -> task 0 Do 1 | fail 0 E c -> timer 0 +1s | 1s | fire 0 -> task 1 Do 1 | fail 1 E c -> failed E c | \
         redrive -> task 2 Do 1 | fail 2 E c -> timer 1 +1s",
    );
    let call = |name: &str| {
        format!(
            r#"{{"StartAt": "{name}", "States": {{"{name}": {{"Type": "Task", "End": true,
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:do"}}}}}}"#
        )
    };
    let parallel = format!(
        r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Parallel", "End": true, "Branches": [{}, {}, {}]}}}}}}"#,
        call("A"),
        call("B"),
        call("C")
    );
    check(
        "a branch and its aborted sibling",
        &parallel,
        "start 1 -> task 0 P[0]/A 1, task 1 P[1]/B 1, task 2 P[2]/C 1 | ok 0 7 -> - | fail 1 E c -> drop task 2, failed E c | \
         redrive -> task 3 P[1]/B 1, task 4 P[2]/C 1 | ok 4 9 -> - | ok 3 8 -> succeeded [7,8,9]",
    );
    check(
        "after a stop",
        &parallel,
        "start 1 -> task 0 P[0]/A 1, task 1 P[1]/B 1, task 2 P[2]/C 1 | ok 1 8 -> - | \
         stop -> drop task 0, drop task 2, aborted | \
         redrive -> task 3 P[0]/A 1, task 4 P[2]/C 1 | ok 3 7 -> - | ok 4 9 -> succeeded [7,8,9]",
    );
    let map = |fields: &str, mode: &str| {
        format!(
            r#"{{"StartAt": "M", "States": {{"M": {{"Type": "Map", "End": true, {fields} "ItemProcessor": {{"ProcessorConfig":
            {{"Mode": "{mode}"}}, "StartAt": "A", "States": {{"A": {{"Type": "Task", "End": true,
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:do"}}}}}}}}}}}}"#
        )
    };
    check(
        "items, those that had not begun as well",
        &map(r#""MaxConcurrency": 1, "#, "INLINE"),
        "start [1,2,3] -> task 0 M[0]/A 1 | ok 0 7 -> task 1 M[1]/A 2 | fail 1 E c -> failed E c | \
         redrive -> task 2 M[1]/A 2 | ok 2 8 -> task 3 M[2]/A 3 | ok 3 9 -> succeeded [7,8,9]",
    );
    check(
        "failures that were tolerated",
        &map(r#""ToleratedFailureCount": 1, "#, "DISTRIBUTED"),
        "start [1,2] -> task 0 M[0]/A 1, task 1 M[1]/A 2 | fail 0 E c -> - | \
         fail 1 E c -> failed States.ExceedToleratedFailureThreshold The specified tolerated failure threshold was exceeded | \
         redrive -> task 2 M[0]/A 1, task 3 M[1]/A 2 | ok 2 7 -> - | ok 3 8 -> succeeded [7,8]",
    );
    check(
        "not where the input is gone",
        r#"{"StartAt": "A", "States": {"A": {"Type": "Pass", "OutputPath": "$.none", "End": true}}}"#,
        "start {} -> failed States.Runtime An error occurred while executing the state 'A' (entered at the event id #2). \
         Invalid path '$.none' : No results for path: $['none'] | redrive -> stale",
    );
}
