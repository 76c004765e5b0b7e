//! `comanda flow` as its user runs it.

use std::path::{Path, PathBuf};

use crate::start::{check, run};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A folder with one flow and one file of cases.
fn folder(flow: &str, cases: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("deep")).unwrap();
    std::fs::write(folder.path().join("deep/one.asl.json"), flow).unwrap();
    std::fs::write(folder.path().join("deep/one.cases.json"), cases).unwrap();
    folder
}

const FLOW: &str = r#"{
  "StartAt": "Ask",
  "States": {
    "Ask": {"Type": "Task", "Resource": "${Ask}", "TimeoutSeconds": 60, "HeartbeatSeconds": 20,
      "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 5, "MaxAttempts": 2, "BackoffRate": 2}],
      "Catch": [{"ErrorEquals": ["States.Timeout", "States.HeartbeatTimeout"], "ResultPath": "$.e", "Next": "Wait"}],
      "Assign": {"kept.$": "$.a"}, "Next": "Choose"},
    "Wait": {"Type": "Wait", "Seconds": 86400, "Next": "End"},
    "Choose": {"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericGreaterThan": 5, "Next": "Many"}], "Default": "End"},
    "Many": {"Type": "Map", "ItemsPath": "$.items", "End": true, "ItemProcessor": {"StartAt": "Each", "States": {
      "Each": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": true,
        "Parameters": {"FunctionName": "${Each}", "Payload": {"token.$": "$$.Task.Token", "n.$": "$"}}}}}},
    "End": {"Type": "Pass", "Parameters": {"kept.$": "$kept"}, "End": true}
  }
}"#;

#[test]
fn the_flows_of_the_repository_pass_their_cases() {
    check(&root(), &["flow", "check", "flows"], 0, "is valid");
    check(&root(), &["flow", "test", "flows"], 0, " passed, 0 failed");
}

#[test]
fn every_kind_of_answer_is_played() {
    let cases = r#"{"mocks": {"*": {"result": {"a": 1}}}, "cases": {
        "fine": {"expect": {"outputExactly": {"kept": 1}, "path": ["Ask", "Choose", "End"], "seconds": 0}},
        "retried": {"mocks": {"Ask": [{"error": "Busy", "times": 2}, {"result": {"a": 2}, "after": 0.5}]},
            "expect": {"output": {"kept": 2}, "calls": {"Ask": 3}, "seconds": 15.5}},
        "given up": {"mocks": {"Ask": {"error": "Busy", "cause": "too much"}},
            "expect": {"status": "FAILED", "error": "Busy", "cause": "too much", "causeContains": "much", "seconds": 15}},
        "silent": {"mocks": {"Ask": {"never": true}}, "variables": {"kept": 7},
            "expect": {"output": {"kept": 7}, "visits": ["Wait"], "avoids": ["Choose"], "seconds": 86420}},
        "alive": {"mocks": {"Ask": {"result": {"a": 3}, "after": 55, "heartbeats": [15, 30, 45]}},
            "expect": {"output": {"kept": 3}, "seconds": 55}},
        "late by the host": {"mocks": {"Ask": {"timedOut": true, "after": 3}}, "variables": {"kept": null},
            "expect": {"visits": ["Wait", "End"], "seconds": {"min": 86400, "max": 86410}}},
        "in the middle": {"startAt": "Choose", "input": {"a": 6, "items": [1, 2]},
            "mocks": {"Many[1]/Each": {"result": "second", "after": 9}, "Each": {"result": "first"}},
            "expect": {"output": ["first", "second"], "inputs": {"Each": [{"Payload": {"n": 1}}, {"Payload": {"n": 2}}]}, "seconds": 9}},
        "nobody answers": {"startAt": "Choose", "input": {"a": 6, "items": [1]}, "mocks": {"Each": {"never": true}},
            "expect": {"status": "RUNNING"}},
        "stopped": {"startAt": "Choose", "input": {"a": 6, "items": [1]}, "mocks": {"Each": {"never": true}},
            "stopAfter": 4, "expect": {"status": "ABORTED", "seconds": 4}}}}"#;
    let folder = folder(FLOW, cases);
    check(folder.path(), &["flow", "test", "."], 0, "9 passed, 0 failed");
    check(
        folder.path(),
        &["flow", "test", "deep/one.asl.json", "--filter", "alive", "--verbose"],
        0,
        "path: Ask > Choose > End",
    );
    check(folder.path(), &["flow", "test", ".", "--filter", "fine", "--coverage"], 0, "Many is never visited");
    check(
        folder.path(),
        &["flow", "test", ".", "--filter", "fine", "--coverage"],
        0,
        "Ask: the retry of Busy is never taken",
    );
    check(folder.path(), &["flow", "test", ".", "--filter", "absent"], 3, "no case has such a name");
    assert_eq!(run(folder.path(), &["flow", "test", ".", "--junit", "out.xml"]).status.code(), Some(0));
    let junit = std::fs::read_to_string(folder.path().join("out.xml")).unwrap();
    assert!(junit.contains("tests=\"9\" failures=\"0\""), "{junit}");
}

#[test]
fn a_case_that_fails_says_why() {
    for (case, says) in [
        (r#"{"expect": {"status": "FAILED"}}"#, "status: expected FAILED, got SUCCEEDED"),
        (r#"{"expect": {"output": {"kept": {"x": 1}}}}"#, r#"output at /kept: expected {"x":1}, got 1"#),
        (r#"{"expect": {"outputExactly": {}}}"#, "output at /kept: expected none, got 1"),
        (r#"{"expect": {"path": ["Ask", "End"]}}"#, "expected `End` as state 2, got `Choose`"),
        (r#"{"expect": {"visits": ["Choose", "Ask"]}}"#, "`Ask` is not visited in this order"),
        (r#"{"expect": {"avoids": ["End"]}}"#, "avoids: `End` is visited"),
        (r#"{"expect": {"calls": {"Ask": 2}}}"#, "expected 2 of `Ask`, got 1"),
        (r#"{"expect": {"inputs": {"Ask": [{"b": 1}]}}}"#, "inputs of `Ask`, call 1 at /b: expected 1, got none"),
        (r#"{"expect": {"seconds": 1}}"#, "seconds: expected 1, took 0"),
        (
            r#"{"expect": {"status": "FAILED", "error": "Other"}, "mocks": {"Ask": {"error": "Odd"}}}"#,
            "error: expected `Other`, got `Odd`",
        ),
        (r#"{"expect": {}, "mocks": {"Ask": [{"error": "Busy"}]}}"#, "is called for the 2. time"),
        (
            r#"{"expect": {}, "startAt": "Choose", "input": {"a": 6, "items": [1]}}"#,
            "nobody answers `Many[0]/Each`: add `mocks.Each`",
        ),
    ] {
        let cases = format!(r#"{{"mocks": {{"Ask": {{"result": {{"a": 1}}}}}}, "cases": {{"one": {case}}}}}"#);
        check(folder(FLOW, &cases).path(), &["flow", "test", "."], 4, says);
    }
    for (cases, says) in [
        ("{", "one.cases.json`: EOF"),
        (r#"{"cases": {}}"#, "there is no case"),
        (r#"{"cases": {"x": {"expct": {}}}}"#, "unknown field `expct`"),
        (r#"{"cases": {"x": {"expect": {"seconds": "1"}}}}"#, "at `cases.x.expect.seconds`"),
        (r#"{"mocks": {"Ask": {}}, "cases": {"x": {"expect": {}}}}"#, "give one of `result`"),
        (r#"{"cases": {"x": {"expect": {}, "mocks": {"Aks": {"never": true}}}}}"#, "the flow has no state `Aks`"),
        (r#"{"cases": {"x": {"expect": {}, "startAt": "Each"}}}"#, "has no state `Each` outside"),
    ] {
        check(folder(FLOW, cases).path(), &["flow", "test", "."], 2, says);
    }
}

#[test]
fn a_flow_that_is_not_valid_is_shown_with_its_lines() {
    let flow = FLOW.replace("\"Next\": \"Choose\"", "\"Next\": \"Chose\"");
    let folder = folder(&flow, "{}");
    check(folder.path(), &["flow", "check", "."], 4, "one.asl.json:7: error");
    check(folder.path(), &["flow", "check", "deep/one.asl.json", "--json"], 4, "\"line\":");
    check(folder.path(), &["flow", "check", "absent.asl.json"], 3, "cannot read `absent.asl.json`");
    check(&root().join("crates/store"), &["flow", "check", "."], 3, "there is no `*.asl.json`");
}

#[test]
fn the_drawings_of_the_documentation_are_those_of_the_flows() {
    for entry in std::fs::read_dir(root().join("flows")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(stem) = name.strip_suffix(".asl.json") else { continue };
        let drawn = run(&root(), &["flow", "graph", &format!("flows/{name}")]).stdout;
        let kept = std::fs::read(root().join(format!("docs/flows/{stem}.svg"))).unwrap_or_default();
        let same = String::from_utf8_lossy(&drawn).trim_end() == String::from_utf8_lossy(&kept).trim_end();
        assert!(same, "docs/flows/{stem}.svg is not the drawing of flows/{name}: `make flows` draws it anew");
    }
    let folder = folder(FLOW, "{}");
    check(folder.path(), &["flow", "graph", "deep/one.asl.json", "--out", "one.svg"], 0, "drawn in `one.svg`");
    check(folder.path(), &["flow", "graph", "deep/one.cases.json"], 4, "is not valid");
}

#[test]
fn a_flow_runs_at_once() {
    let flow = FLOW.replace("86400", "1");
    let cases = r#"{"mocks": {"Ask": {"result": {"a": 6, "items": [{"x": 1}, 2]}}, "Each": [{"result": "one"}, {"result": "two", "after": 0.2}]},
        "cases": {"odd": {"mocks": {"Ask": {"error": "Odd", "cause": "made up"}}, "expect": {}},
                  "late": {"mocks": {"Ask": {"timedOut": true}}, "variables": {}, "expect": {}}}}"#;
    let folder = folder(&flow, cases);
    let folder = folder.path();
    let started = ["flow", "run", "deep/one.asl.json", "--mock"];
    let with = |more: &[&'static str]| [&started[..], more].concat();
    check(folder, &with(&["deep/one.cases.json", "--events"]), 0, "MapIterationSucceeded");
    let output = run(folder, &with(&["deep/one.cases.json"]));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(["[\"one\",\"two\"]\n", "[\"two\",\"one\"]\n"].contains(&text.as_str()), "{text}");
    check(folder, &with(&["deep/one.cases.json#odd", "--json"]), 1, r#""error":"Odd""#);
    check(folder, &with(&["deep/one.cases.json#absent"]), 3, "has no case `absent`");
    check(folder, &started[..3], 2, "nobody answers the functions `ask");
    check(folder, &[&started[..3], &["--input", "{"]].concat(), 2, "the input is not JSON");
    check(folder, &[&started[..3], &["--function", "ask=nowhere"]].concat(), 2, "is no address of a function");
}

/// An HTTP server of one function: it doubles, and refuses what is no number.
fn function() -> String {
    use std::io::{BufRead, BufReader, Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/double", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while stream.read_line(&mut line).unwrap() > 2 {
                let value = line.to_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse().unwrap());
                length = value.unwrap_or(length);
                line.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = match serde_json::from_slice::<serde_json::Value>(&body).unwrap()["n"].as_i64() {
                Some(n) => ("200 OK", (n * 2).to_string()),
                None => ("500 Broken", r#"{"errorType": "NoNumber", "errorMessage": "n is none"}"#.to_owned()),
            };
            let (status, body) = answer;
            write!(
                stream.get_mut(),
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    address
}

#[test]
fn a_flow_calls_functions_over_http() {
    let flow = r#"{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "${Double}", "End": true}}}"#;
    let folder = folder(flow, "{}");
    let address = format!("double={}", function());
    let run = |input| ["flow", "run", "deep/one.asl.json", "--function", &address, "--input", input].map(String::from);
    for (input, code, says) in [("{\"n\": 21}", 0, "42\n"), ("{}", 1, "FAILED: NoNumber: n is none")] {
        let arguments = run(input);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        check(folder.path(), &arguments, code, says);
    }
}
