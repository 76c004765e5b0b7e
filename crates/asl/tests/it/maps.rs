//! Distributed Maps: what they read, batch and write; and the formats of their items.

use asl::items::{Config, Format, Listed, ResultFile};
use asl::map_runs::{MapRuns, RunId, RunStatus};
use asl::{Applied, Command, Definition, Event, Machine, MapRunUpdate, Moment, Outcome, Work};
use serde_json::{Value, json};

use crate::simulator::{self, Answer};

fn items(config: &Config, text: &str, want: &str) {
    let got = match config.read(text.as_bytes()) {
        Ok(items) => Value::Array(items).to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(got, want, "{config:?} {text}");
}

#[test]
fn formats() {
    let of = |format| Config { format, ..Config::default() };
    items(&of(Format::Json), "[1,{\"a\":2}]", r#"[1,{"a":2}]"#);
    items(&of(Format::Json), "{\"a\":2}", "Attempting to map over non-iterable node.");
    let inside = Config { pointer: Some("/a/b".into()), ..of(Format::Json) };
    items(&inside, r#"{"a":{"b":[1]}}"#, "[1]");
    items(&inside, "{}", "The ItemsPointer '/a/b' finds nothing in the file.");
    items(&of(Format::JsonLines), "1\n\n{\"a\":2}\r\n", r#"[1,{"a":2}]"#);
    items(
        &of(Format::Csv),
        "a,b\n1,\"x,y\"\n2\n3,4,5\n",
        r#"[{"a":"1","b":"x,y"},{"a":"2","b":""},{"a":"3","b":"4"}]"#,
    );
    items(&of(Format::Csv), "a,a\n1,2\n", "CSV headers cannot contain duplicates.");
    items(&of(Format::Csv), "", "[]");
    let given = Config { headers: Some(vec!["x".into()]), delimiter: b'|', ..of(Format::Csv) };
    items(&given, "1|2\n", r#"[{"x":"1"}]"#);
    let listed = Listed {
        key: "k".into(),
        etag: "e".into(),
        last_modified_s: 1,
        size_bytes: 2,
        storage_class: "STANDARD".into(),
    };
    assert_eq!(listed.item()["Key"], "k");
    let inventory =
        r#"{"sourceBucket": "b", "fileFormat": "CSV", "fileSchema": "Bucket, Key", "files": [{"key": "d/1.csv.gz"}]}"#;
    let manifest = of(Format::Manifest).manifest(inventory.as_bytes()).expect("a manifest");
    assert_eq!(
        (manifest.bucket.as_deref(), manifest.keys.as_slice()),
        (Some("b"), ["d/1.csv.gz".to_owned()].as_slice())
    );
    items(&manifest.config, "b,k\n", r#"[{"Bucket":"b","Key":"k"}]"#);
}

/// Runs a distributed Map whose items are `stored`; gives its outcome, the arguments it read with, and what it wrote.
fn run(fields: &str, processor: &str, stored: &Value) -> (String, Vec<Value>, Vec<ResultFile>) {
    let flow = format!(
        r#"{{"QueryLanguage": "JSONata", "StartAt": "M", "States": {{"M": {{"Type": "Map", "End": true, {fields}
            "ItemProcessor": {{"ProcessorConfig": {{"Mode": "DISTRIBUTED"}}, "StartAt": "P", "States": {{"P": {processor}}}}}}}}}}}"#
    );
    let definition = Definition::parse(&flow).unwrap_or_else(|d| panic!("{flow}: {d:?}"));
    let (mut arguments, mut files) = (Vec::new(), Vec::new());
    let input = json!({ "bucket": "b", "items": [1, 2, 3, 4, 5] });
    let ran = simulator::run(definition, simulator::info(), input, |start| {
        arguments.push(start.arguments.clone());
        match &start.work {
            Work::ReadItems(config) => match config.read(stored.to_string().as_bytes()) {
                Ok(items) => Answer::Succeeds(Value::Array(items)),
                Err(_) => Answer::Fails("any", "no such object"),
            },
            Work::WriteResults(written) => {
                files.clone_from(written);
                Answer::Succeeds(Value::Null)
            }
            Work::Call => Answer::Reports(vec![Event::TaskTimedOut { task: start.task }]),
        }
    });
    let outcome = match ran.outcome {
        Some(Outcome::Succeeded { output }) => output.to_string(),
        Some(Outcome::Failed { error, cause }) => {
            format!("{}: {}", error.unwrap_or_default(), cause.unwrap_or_default())
        }
        other => format!("{other:?}"),
    };
    (outcome, arguments, files)
}

const READER: &str = r#""ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON"},
    "Arguments": {"Bucket": "{% $states.input.bucket %}", "Key": "k"}}, "#;
const PASS: &str = r#"{"Type": "Pass", "End": true}"#;
/// Fails for items above 3.
const PICKY: &str = r#"{"Type": "Choice", "Choices": [{"Condition": "{% $states.input > 3 %}", "Next": "F"}], "Default": "S"},
    "F": {"Type": "Fail", "Error": "E", "Cause": "c"}, "S": {"Type": "Succeed", "Output": "{% $states.input * 10 %}"}"#;

#[test]
fn readers_and_batches() {
    let (outcome, arguments, _) = run(READER, PASS, &json!([1, "a"]));
    assert_eq!((outcome.as_str(), arguments), (r#"[1,"a"]"#, vec![json!({ "Bucket": "b", "Key": "k" })]));
    let (outcome, ..) = run(READER, PASS, &json!("no list"));
    assert_eq!(outcome, "States.ItemReaderFailed: no such object");
    let catch = r#""Catch": [{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "M"}], "#;
    let twice = run(&format!("{READER}{catch}"), PASS, &json!("no list"));
    assert!(twice.0.starts_with("States.QueryEvaluationError"), "the caught error has no bucket: {}", twice.0);
    let batches = r#""Items": "{% $states.input.items %}", "ItemSelector": {"n": "{% $states.context.Map.Item.Value %}"},
        "ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"b": "{% $states.input.bucket %}"}}, "#;
    let (outcome, ..) = run(batches, PASS, &Value::Null);
    let batch = |items: &str| format!(r#"{{"BatchInput":{{"b":"b"}},"Items":[{items}]}}"#);
    let want = [r#"{"n":1},{"n":2}"#, r#"{"n":3},{"n":4}"#, r#"{"n":5}"#].map(batch).join(",");
    assert_eq!(outcome, format!("[{want}]"));
    let bytes = r#""Items": "{% $states.input.items %}", "ItemBatcher": {"MaxInputBytesPerBatch": 17}, "#;
    assert_eq!(run(bytes, PASS, &Value::Null).0, r#"[{"Items":[1,2]},{"Items":[3,4]},{"Items":[5]}]"#);
}

#[test]
fn tolerated_failures() {
    let items = r#""Items": "{% $states.input.items %}", "#;
    let exceeded = "States.ExceedToleratedFailureThreshold: The specified tolerated failure threshold was exceeded";
    let check = |tolerated: &str, want: &str| {
        assert_eq!(run(&format!("{items}{tolerated}"), PICKY, &Value::Null).0, want, "{tolerated}");
    };
    check("", exceeded);
    check(r#""ToleratedFailureCount": 1, "#, exceeded);
    check(r#""ToleratedFailureCount": 2, "#, "[10,20,30]");
    check(r#""ToleratedFailurePercentage": "{% 20 * 2 %}", "#, "[10,20,30]");
    check(r#""ToleratedFailurePercentage": 39, "#, exceeded);
}

#[test]
fn results_are_written() {
    let fields = |config: &str| {
        format!(
            r#""Items": "{{% $states.input.items %}}", "ToleratedFailureCount": 2, "ResultWriter": {{"Resource": "arn:aws:states:::s3:putObject",
            {config} "Arguments": {{"Bucket": "{{% $states.input.bucket %}}", "Prefix": "out"}}}}, "#
        )
    };
    let (outcome, arguments, files) = run(&fields(""), PICKY, &Value::Null);
    let output: Value = serde_json::from_str(&outcome).expect("an output");
    assert_eq!(arguments, [json!({ "Bucket": "b", "Prefix": "out" })]);
    let [manifest, failed, succeeded] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(output["ResultWriterDetails"], json!({ "Bucket": "b", "Key": manifest.key }));
    let listed: Value = serde_json::from_str(&manifest.content).expect("a manifest");
    assert_eq!(listed["MapRunArn"], output["MapRunArn"]);
    let entry = |file: &ResultFile| json!([{ "Key": file.key, "Size": file.content.len() }]);
    assert_eq!(listed["ResultFiles"], json!({ "FAILED": entry(failed), "PENDING": [], "SUCCEEDED": entry(succeeded) }));
    let failed: Value = serde_json::from_str(&failed.content).expect("results");
    assert_eq!(
        (&failed[0]["Input"], &failed[0]["Error"], &failed[1]["Status"]),
        (&json!("4"), &json!("E"), &json!("FAILED"))
    );
    let compact =
        run(&fields(r#""WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"}, "#), PICKY, &Value::Null);
    assert_eq!(compact.2[2].content, "10\n20\n30\n");
    let flat = r#""Items": [[1], [2, 3], 4], "ResultWriter": {"WriterConfig": {"Transformation": "FLATTEN"}}, "#;
    assert_eq!(run(flat, PASS, &Value::Null).0, "[1,2,3,4]");
}

/// `DescribeStateMachine`'s references to variables, as the scripts of the recordings show them.
#[test]
fn recorded_variable_references() {
    let Some(folder) = crate::conformance::folder() else { return };
    let text = std::fs::read_to_string(folder.join("scripts.jsonl")).expect("scripts.jsonl");
    let mut found = 0;
    for line in text.lines().filter(|line| line.contains("variableReferences")) {
        let script: Value = serde_json::from_str(line).expect("a script");
        let steps = script["steps"].as_array().cloned().unwrap_or_default();
        let create = steps.iter().find(|step| step["call"] == "states.CreateStateMachine");
        let Some(text) = create.and_then(|step| step["params"]["definition"].as_str()) else { continue };
        let definition = Definition::parse(text).unwrap_or_else(|d| panic!("{text}: {d:?}"));
        let snapshot = line.split("\"variableReferences\": ").nth(1).expect("references");
        let mut values = serde_json::Deserializer::from_str(snapshot).into_iter::<Value>();
        let want = values.next().and_then(Result::ok).expect("references");
        assert_eq!(json!(definition.variable_references()), want, "{text}");
        found += 1;
    }
    println!("{found} recorded references agree");
}

/// Two items at once of five, of which the fourth and fifth fail, on a machine that is replayed event by event.
#[test]
fn runs_and_their_children_are_told() {
    let flow = r#"{"QueryLanguage": "JSONata", "StartAt": "M", "States": {"M": {"Type": "Map", "Label": "L", "Next": "D",
        "Items": "{% $states.input %}", "MaxConcurrency": 2, "ToleratedFailureCount": 0,
        "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, "StartAt": "I", "States": {
            "I": {"Type": "Map", "Items": [1], "Next": "T", "Output": "{% $states.input %}", "ItemProcessor": {
                "StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}},
            "T": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true}}}},
        "D": {"Type": "Pass", "End": true}}}"#;
    let definition = std::sync::Arc::new(Definition::parse(flow).expect("a flow"));
    let mut machine = Machine::new(definition, simulator::info());
    let (mut commands, mut now_ms) = (Vec::new(), 0);
    let mut runs = MapRuns::new(Some(RunId { seed: 7, run: 0, child: Some(3) }));
    let mut tasks = Vec::new();
    let mut tell = |machine: &mut Machine, runs: &mut MapRuns, event: Event| {
        now_ms += 1;
        let applied = machine.apply(event, &Moment { now_ms, task_token: &simulator::token }, &mut commands, runs);
        assert_eq!(applied, Applied::Changed);
        for command in commands.drain(..) {
            if let Command::StartTask(start) = command {
                tasks.push(start.task);
            }
        }
        tasks.clone()
    };
    let check = |runs: &MapRuns, want: [usize; 6]| {
        let counts = runs.runs[0].item_counts();
        let got = [counts.total, counts.pending, counts.running, counts.succeeded, counts.failed, counts.aborted];
        assert_eq!(got, want, "total, pending, running, succeeded, failed, aborted");
    };
    let tasks = tell(&mut machine, &mut runs, Event::Started { input: json!([1, 2, 3, 4, 5]) });
    check(&runs, [5, 3, 2, 0, 0, 0]);
    tell(&mut machine, &mut runs, Event::TaskSucceeded { task: tasks[0], output: json!("one") });
    check(&runs, [5, 2, 2, 1, 0, 0]);
    let update = MapRunUpdate { max_concurrency: Some(3), tolerated_count: Some(1.0), ..MapRunUpdate::default() };
    let tasks = tell(&mut machine, &mut runs, Event::MapRunUpdated { run: 0, update });
    check(&runs, [5, 1, 3, 1, 0, 0]);
    assert_eq!((runs.runs[0].limits.max_concurrency, runs.runs[0].limits.tolerated_count), (3, Some(1.0)));
    let fails = |task: u32| Event::TaskFailed { task, error: Some("E".into()), cause: None };
    let tasks = tell(&mut machine, &mut runs, fails(tasks[3]));
    check(&runs, [5, 0, 3, 1, 1, 0]);
    tell(&mut machine, &mut runs, fails(tasks[4]));
    check(&runs, [5, 0, 0, 1, 2, 2]);
    let run = &runs.runs[0];
    assert_eq!((run.status, &*run.state, run.stopped_ms), (RunStatus::Failed, "M", Some(5)));
    assert_eq!(RunId::of_arn(&run.child_arn(3)), Some(RunId { seed: 7, run: 0, child: Some(3) }));
    let ends: Vec<String> = run.children.iter().map(|child| format!("{:?}", child.outcome)).collect();
    assert!(ends[0].contains("one") && ends[1].contains("Aborted") && ends[3].contains("Failed"), "{ends:?}");
    let history: Vec<(u64, u64, &str)> = runs.history.iter().map(|e| (e.id, e.previous_id, e.kind)).collect();
    let want = [
        (1, 0, "ExecutionStarted"),
        (2, 0, "MapStateEntered"),
        (3, 2, "MapStateStarted"),
        (4, 3, "MapIterationStarted"),
        (5, 4, "PassStateEntered"),
        (6, 5, "PassStateExited"),
        (7, 6, "MapIterationSucceeded"),
        (8, 7, "MapStateSucceeded"),
        (9, 7, "MapStateExited"),
        (10, 9, "TaskStateEntered"),
        (11, 10, "LambdaFunctionScheduled"),
        (12, 11, "LambdaFunctionStarted"),
        (13, 12, "LambdaFunctionFailed"),
        (14, 13, "ExecutionFailed"),
    ];
    assert_eq!(history, want);
    let moment = Moment { now_ms: 9, task_token: &simulator::token };
    assert_eq!(machine.redrive(&moment, &mut Vec::new(), &mut runs), Applied::Changed);
    check(&runs, [5, 0, 4, 1, 0, 0]);
    assert_eq!((runs.runs[0].redrives, runs.runs[0].status), (1, RunStatus::Running));
    assert_eq!(runs.history.get(14).map(|e| (e.id, e.previous_id, e.kind)), Some((15, 14, "ExecutionRedriven")));
    let stop = Event::Stopped { error: None, cause: None };
    machine.apply(stop, &moment, &mut Vec::new(), &mut runs);
    check(&runs, [5, 0, 0, 1, 0, 4]);
    assert_eq!(runs.runs[0].status, RunStatus::Aborted);
}
