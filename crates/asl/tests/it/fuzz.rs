//! Arbitrary definitions, paths and data: no panic, no hang, no unbounded memory.

use std::sync::Arc;

use asl::path::Path;
use asl::{Command, Definition, Event, Machine, Moment, NoHistory};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::simulator::{self, START_MS};

fn data() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-c$.\\[\\]{}'\\\\ ]{0,6}".prop_map(Value::from),
        Just(json!("2016-03-14T01:59:00Z")),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[a-c]{1,2}", inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Texts near to paths and calls.
fn expression() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "\\.[a-c*]{1,2}",
        1 => Just("..a".to_owned()),
        1 => "\\[-?[0-3]\\]",
        1 => "\\[[0-3]?:[0-3]?\\]",
        1 => Just("[*]".to_owned()),
        1 => "\\[\\?\\(@\\.[a-c] ?(==|<|>=|!=|=~|&&) ?('a'|1|\\$\\.b|/a/)\\)\\]",
        1 => "\\['[a-c]'(,'[a-c]')?\\]",
        1 => "[\\[\\]()'@?$.,: a-c0-9]{0,6}",
    ];
    let path = prop::collection::vec(part, 0..5).prop_map(|parts| format!("${}", parts.concat()));
    prop_oneof![
        6 => path.clone(),
        1 => path.clone().prop_map(|path| format!("${path}")),
        1 => ("[A-Z][a-zA-Z]{0,12}", prop::collection::vec(path, 0..3)).prop_map(|(name, p)| format!("States.{name}({})", p.join(", "))),
        2 => (prop::sample::select(FUNCTIONS.to_vec()), prop::collection::vec(argument(), 0..4))
            .prop_map(|(name, arguments)| format!("States.{name}({})", arguments.join(","))),
    ]
}

const FUNCTIONS: [&str; 18] = [
    "Array",
    "ArrayContains",
    "ArrayGetItem",
    "ArrayLength",
    "ArrayPartition",
    "ArrayRange",
    "ArrayUnique",
    "Base64Decode",
    "Base64Encode",
    "Format",
    "Hash",
    "JsonMerge",
    "JsonToString",
    "MathAdd",
    "MathRandom",
    "StringSplit",
    "StringToJson",
    "UUID",
];

fn argument() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("$".to_owned()),
        "\\$\\.[a-c]",
        "\\$\\$\\.[A-Z][a-z]{2,8}",
        "'[a-z{}\\\\, ]{0,8}'",
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        Just("false".to_owned()),
        Just("'SHA-256'".to_owned()),
        Just("States.UUID()".to_owned()),
    ]
}

/// Expressions that may stand in a template.
fn template() -> impl Strategy<Value = String> {
    expression().prop_map(|text| {
        let flow = flow_of("S", vec![json!({ "Type": "Pass", "Parameters": { "a.$": text } })]);
        if Definition::parse(&flow.to_string()).is_ok() { text } else { "$.a".into() }
    })
}

/// Paths that may stand in any field; most of them find something.
fn path() -> impl Strategy<Value = String> {
    let any = template().prop_map(|text| if text.starts_with('$') { text } else { "$$.Execution.Input".into() });
    let likely = prop::sample::select(vec!["$", "$..a", "$[*]", "$$", "$$.State.Name"]);
    prop_oneof![9 => likely.prop_map(String::from), 1 => any]
}

/// JSONata that mostly gives something.
fn formula() -> impl Strategy<Value = String> {
    let text = prop::sample::select(vec![
        "$states.input",
        "$states.input.a",
        "$states.input[0]",
        "$states.context",
        "$states.context.Map.Item.Value",
        "$states.result.a",
        "$exists($a) ? $a : [1, 2]",
        "$map([1..3], function($x) { $x & $uuid() })",
        "$states.input ~> |$|{'c': $now()}|",
        "$string($states.input)",
        "($states.input){$string($): $}",
        "$error('x')",
    ]);
    text.prop_map(|text| format!("{{% {text} %}}"))
}

fn flow() -> impl Strategy<Value = Value> {
    prop::collection::vec(state(), 1..6).prop_map(|states| flow_of("S", states))
}

/// Names the states, also those inside, and leads each to the next one.
fn flow_of(prefix: &str, states: Vec<Value>) -> Value {
    let last = states.len();
    let mut named = serde_json::Map::new();
    for (n, mut state) in states.into_iter().chain([json!({ "Type": "Succeed" })]).enumerate() {
        let name = format!("{prefix}{n}");
        let next = json!(format!("{prefix}{}", n + 1));
        match state["Type"].as_str() {
            Some("Choice") => {
                state["Default"] = next;
                state["Choices"][0]["Next"] = json!(format!("{prefix}{}", n / 2));
            }
            Some("Succeed" | "Fail") if n < last => state = json!({ "Type": "Pass", "Next": next }),
            Some("Succeed" | "Fail") => {}
            _ => state["Next"] = next,
        }
        if let Some(branches) = state.get_mut("Branches").and_then(Value::as_array_mut) {
            for (b, branch) in branches.iter_mut().enumerate() {
                *branch = flow_of(&format!("{name}-{b}-"), branch.as_array().cloned().unwrap_or_default());
            }
        }
        if let Some(processor) = state.get_mut("ItemProcessor") {
            let mode = processor["Mode"].take();
            *processor = flow_of(&format!("{name}-"), processor["States"].as_array().cloned().unwrap_or_default());
            processor["ProcessorConfig"] = json!({ "Mode": mode });
        }
        named.insert(name, state);
    }
    json!({ "StartAt": format!("{prefix}0"), "States": named })
}

fn state() -> impl Strategy<Value = Value> {
    let reference = || prop_oneof![9 => Just("$".to_owned()), 1 => "\\$(\\.[a-c]){0,3}"];
    let plain = prop_oneof![
        2 => (data(), reference()).prop_map(|(result, path)| json!({ "Type": "Pass", "Result": result, "ResultPath": path })),
        1 => (path(), template(), path()).prop_map(|(a, b, c)| json!({
            "Type": "Pass", "Parameters": { "a.$": a, "b.$": b, "c": [1, { "x.$": "$" }] }, "OutputPath": c
        })),
        5 => (path(), path(), reference()).prop_map(|(a, b, c)| json!({
            "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "InputPath": a, "TimeoutSeconds": 9,
            "HeartbeatSeconds": 3, "ResultPath": c, "Assign": { "a.$": b },
            "Retry": [{ "ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "JitterStrategy": "FULL" }]
        })),
        1 => path().prop_map(|a| json!({ "Type": "Wait", "SecondsPath": a })),
        1 => path().prop_map(|a| json!({ "Type": "Wait", "TimestampPath": a })),
        3 => Just(json!({ "Type": "Wait", "Seconds": 1 })),
        1 => (path(), path()).prop_map(|(a, b)| json!({
            "Type": "Choice", "Choices": [{ "Or": [{ "Variable": a, "NumericLessThanPath": b },
                { "Not": { "Variable": "$", "IsTimestamp": true } }] }]
        })),
        1 => template().prop_map(|a| json!({ "Type": "Fail", "ErrorPath": a, "Cause": "c" })),
        4 => (formula(), formula()).prop_map(|(a, b)| json!({
            "Type": "Pass", "QueryLanguage": "JSONata", "Assign": { "a": a }, "Output": { "a": [b, 1], "b": "{% $states.input %}" }
        })),
        2 => (formula(), formula()).prop_map(|(a, b)| json!({
            "Type": "Task", "QueryLanguage": "JSONata", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
            "Arguments": a, "Output": b, "TimeoutSeconds": "{% $random() < 0.9 ? 9 : $a %}",
            "Retry": [{ "ErrorEquals": ["E"], "MaxAttempts": 1 }]
        })),
    ];
    plain.prop_recursive(2, 8, 3, |inner| {
        let states = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            prop::collection::vec(states(), 1..3).prop_map(|branches| json!({
                "Type": "Parallel", "Branches": branches, "Retry": [{ "ErrorEquals": ["E"], "MaxAttempts": 1 }]
            })),
            (states(), any::<bool>()).prop_map(|(states, distributed)| {
                let mode = if distributed { "DISTRIBUTED" } else { "INLINE" };
                json!({
                    "Type": "Map", "ItemsPath": "$..[0,1,2]", "MaxConcurrency": 2, "ResultPath": "$.a",
                    "ItemSelector": { "i.$": "$$.Map.Item" }, "ItemProcessor": { "Mode": mode, "States": states }
                })
            }),
            (states(), any::<bool>()).prop_map(|(states, distributed)| {
                let mode = if distributed { "DISTRIBUTED" } else { "INLINE" };
                json!({ "Type": "Map", "ItemsPath": "$[*]", "ItemProcessor": { "Mode": mode, "States": states } })
            }),
        ]
    })
}

/// Runs with whatever answers the bytes choose, and checks that a copy replays to the same.
fn run(definition: Definition, input: Value, choices: &[u8]) {
    let mut machine = Machine::new(Arc::new(definition), simulator::info());
    let mut copy = machine.clone();
    let mut now_ms = START_MS;
    let mut next = Some(Event::Started { input });
    let mut choices = choices.iter();
    while let Some(event) = next.take() {
        let moment = Moment { now_ms, task_token: &simulator::token };
        let (mut commands, mut again, mut history) = (Vec::new(), Vec::new(), Vec::new());
        machine.apply(event.clone(), &moment, &mut commands, &mut history);
        copy.apply(event, &moment, &mut again, &mut NoHistory);
        assert_eq!(commands, again, "a replay differs");
        let finished = commands.iter().any(|command| matches!(command, Command::Finish(_)));
        assert_eq!(finished, machine.outcome().is_some());
        history.iter().for_each(|event| drop(event.to_value()));
        let Some(choice) = choices.next() else { break };
        now_ms += i64::from(*choice) * 500;
        let tasks: Vec<u32> = machine.pending_task_ids().collect();
        let timers: Vec<u32> = machine.pending_timers().map(|(id, _)| id).collect();
        assert_eq!(machine.pending_tasks(&moment).len(), tasks.len());
        let pick = |list: &[u32]| list.get(usize::from(*choice) % list.len().max(1)).copied();
        next = match (choice % 4, pick(&tasks), pick(&timers)) {
            (0, Some(task), _) => Some(Event::TaskFailed { task, error: Some("E".into()), cause: None }),
            (1, Some(task), _) => Some(Event::TaskHeartbeat { task }),
            (_, Some(task), _) => Some(Event::TaskSucceeded { task, output: json!({ "a": [task, "b"] }) }),
            (_, None, Some(timer)) => Some(Event::TimerFired { timer }),
            (_, None, None) => None,
        };
        if machine.can_redrive() && *choice % 3 == 0 {
            let moment = Moment { now_ms, task_token: &simulator::token };
            let (mut commands, mut again) = (Vec::new(), Vec::new());
            machine.redrive(&moment, &mut commands, &mut Vec::new());
            copy.redrive(&moment, &mut again, &mut NoHistory);
            assert_eq!(commands, again, "a replay of a redrive differs");
            // Whatever it waits for now is answered next; stale for most, which is as good.
            next = machine.outcome().is_none().then_some(Event::TaskHeartbeat { task: 0 });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,60}") {
        drop(Definition::parse(&text));
        drop(Path::parse(&text));
    }

    #[test]
    fn any_json_is_parsed_or_refused(value in data()) {
        drop(Definition::parse(&value.to_string()));
        drop(Definition::parse(&json!({ "StartAt": "a", "States": value }).to_string()));
    }

    #[test]
    fn any_path_finds_something_or_nothing(text in expression(), value in data()) {
        if let Ok(path) = Path::parse(&text) {
            match path.find(&value) {
                Ok(found) => prop_assert!(path.is_definite() || found.is_array()),
                Err(error) => drop(path.explain(&error)),
            }
        }
    }

    #[test]
    fn any_state_is_tested(
        mut state in state(), input in data(), result in data(), context in data(), error in any::<bool>(), has_context in any::<bool>()
    ) {
        state["End"] = json!(true);
        let mock = if error { json!({ "errorOutput": { "error": "E" } }) } else { json!({ "result": result.to_string() }) };
        let mut request = json!({
            "definition": state.to_string(), "input": input.to_string(), "inspectionLevel": "TRACE", "roleArn": "r",
        });
        let plain = ["Pass", "Wait", "Choice", "Succeed", "Fail"].iter().any(|kind| state["Type"] == *kind);
        if !plain {
            request["mock"] = mock;
        }
        if has_context {
            request["context"] = json!(context.to_string());
        }
        drop(asl::test_state(&request, None, &simulator::info(), START_MS));
        drop(asl::test_state(&result, None, &simulator::info(), START_MS));
    }

    #[test]
    fn any_flow_runs(flow in flow(), input in data(), choices in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(definition) = Definition::parse(&flow.to_string()) {
            run(definition, input, &choices);
        }
    }
}
