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
