//! TestState against the recordings.

use asl::{ExecutionInfo, Tested, test_state};
use serde_json::{Value, json};

use crate::conformance;
use crate::simulator;

/// What cannot agree, and why.
const KNOWN: [(&str, &str); 3] = [
    ("TestFieldValidationMode", "mocked results are not checked against the models of AWS's services"),
    ("test_base_lambda_task_state", "nothing is mocked: the host calls the function"),
    ("test_base_lambda_service_task_state", "the same"),
];

#[test]
fn recorded_tests_of_states() {
    let Some(folder) = conformance::folder() else {
        println!("not run: there is no conformance data; COMANDA_CONFORMANCE names its folder");
        return;
    };
    let text = std::fs::read_to_string(folder.join("teststate.jsonl")).expect("teststate.jsonl");
    let (mut agreed, mut known, mut different) = (0, 0, Vec::new());
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("a case");
        let name = case["name"].as_str().unwrap_or_default();
        let expected = &case["expected"];
        let info = ExecutionInfo {
            id: "arn:aws:states:us-east-1:123456789012:express:machine:run".into(),
            ..simulator::info()
        };
        let got = match test_state(&case["request"], None, &info, simulator::START_MS) {
            Ok(Tested::Done(answer)) => conformance::shown(&answer),
            Ok(Tested::Call { arguments, .. }) => json!({ "call": arguments }),
            Err(refused) => {
                json!({ "Error": { "Code": refused.code, "Message": refused.message }, "message": refused.message })
            }
        };
        let mut want = expected.clone();
        if let Some(want) = want.as_object_mut() {
            want.remove("ResponseMetadata");
        }
        let got: Value = serde_json::from_str(&conformance::normal(&got.to_string(), &case)).expect("an answer");
        if conformance::same(&want, &got, &conformance::wild_words(&case)) {
            agreed += 1;
        } else if KNOWN.iter().any(|(part, _)| name.contains(part)) {
            known += 1;
        } else {
            different.push(format!("{name}\n    want {want}\n    got  {got}"));
        }
    }
    println!("TestState: {agreed} of {} agree, {known} are known to differ", text.lines().count());
    assert!(different.is_empty(), "{} cases differ:\n{}", different.len(), different.join("\n"));
}

/// `want`: the status, then the output or the error and its cause.
fn check(state: Value, input: Value, want: &str) {
    let request = json!({ "definition": state.to_string(), "input": input.to_string() });
    let told = match test_state(&request, None, &simulator::info(), simulator::START_MS) {
        Ok(Tested::Done(answer)) => {
            let text = |field: &str| answer[field].as_str().unwrap_or_default().chars().take(150).collect::<String>();
            format!("{} {}{}: {}", text("status"), text("output"), text("error"), text("cause"))
        }
        other => format!("{other:?}"),
    };
    assert_eq!(told, want, "{state}");
}

#[test]
fn states_fail_as_in_an_execution() {
    let wait = |field: &str| json!({ "Type": "Wait", field: "$.a", "End": true });
    check(wait("SecondsPath"), json!({ "a": 3 }), "SUCCEEDED {\"a\":3}: ");
    for (field, value) in [("SecondsPath", json!(-1)), ("SecondsPath", json!("x")), ("TimestampPath", json!("soon"))] {
        let request = json!({ "definition": wait(field).to_string(), "input": json!({ "a": value }).to_string() });
        match test_state(&request, None, &simulator::info(), simulator::START_MS) {
            Ok(Tested::Done(answer)) => assert_eq!(answer["error"], "States.Runtime", "{answer}"),
            other => panic!("{other:?}"),
        }
    }
    let large =
        json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $range(1, 200000, 1) %}", "End": true });
    let cause =
        "The state/task 'StateName' returned a result with a size exceeding the maximum number of bytes service limit.";
    check(large, json!({}), &format!("FAILED States.DataLimitExceeded: {cause}"));
}

#[test]
fn texts_that_are_no_json_are_told_as_aws_tells_them() {
    let request = json!({ "definition": "{'Type'", "input": "{}" });
    let refused = test_state(&request, None, &simulator::info(), simulator::START_MS).unwrap_err();
    assert_eq!(
        refused.message,
        "Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: Unexpected character (''' (code 39)): was expecting \
         double-quote to start field name'"
    );
}

#[test]
fn variables_are_set_and_shown() {
    let request = json!({
        "definition": r#"{"Type": "Pass", "QueryLanguage": "JSONata", "Assign": {"x": "{% $x + 1 %}", "y": "{% $x %}"},
            "Output": "{% $x %}", "End": true}"#,
        "variables": r#"{"x": 1, "z": "kept"}"#, "inspectionLevel": "TRACE",
    });
    let Ok(Tested::Done(answer)) = test_state(&request, None, &simulator::info(), simulator::START_MS) else {
        panic!()
    };
    assert_eq!(answer["output"], "1");
    assert_eq!(answer["inspectionData"]["variables"], r#"{"x":2,"z":"kept","y":1}"#);
    let caught = json!({
        "definition": r#"{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"},
            "Next": "N", "Catch": [{"ErrorEquals": ["E"], "Next": "C", "Assign": {"why.$": "$.Cause"}}]}"#,
        "mock": {"errorOutput": {"error": "E", "cause": "because"}}, "inspectionLevel": "DEBUG",
    });
    let Ok(Tested::Done(answer)) = test_state(&caught, None, &simulator::info(), simulator::START_MS) else { panic!() };
    assert_eq!((&answer["status"], &answer["nextState"]), (&json!("CAUGHT_ERROR"), &json!("C")));
    assert_eq!(answer["inspectionData"]["variables"], r#"{"why":"because"}"#);
}
