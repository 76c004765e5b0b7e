//! The Step Functions API: what it answers, in a table; its limits; how it ends with the server.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::start::Server;

const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine";
const EXECUTION: &str = "arn:aws:states:us-east-1:000000000000:execution";
const ACTIVITY: &str = "arn:aws:states:us-east-1:000000000000:activity";
const PASS: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Result":1,"End":true}}}"#;
const WAIT: &str = r#"{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":600,"End":true}}}"#;

async fn send(server: &Server, target: &str, body: String) -> Response {
    let request = server.request(Method::POST, "/").header("x-amz-target", format!("AWSStepFunctions.{target}"));
    request.header("content-type", "application/x-amz-json-1.0").body(body).send().await.unwrap()
}

async fn call(server: &Server, target: &str, params: Value) -> (u16, Value) {
    let answer = send(server, target, params.to_string()).await;
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/x-amz-json-1.0");
    assert!(answer.headers().contains_key("x-amzn-requestid"));
    (status, answer.json().await.unwrap())
}

async fn create(server: &Server, name: &str, definition: &str) {
    let params = json!({"name": name, "definition": definition, "roleArn": "arn:aws:iam::0:role/r"});
    let (status, answer) = call(server, "CreateStateMachine", params).await;
    assert_eq!((status, &answer["stateMachineArn"]), (200, &json!(format!("{MACHINE}:{name}"))), "{answer}");
}

/// Calls in order, on one server; each with what its answer begins with: the name of the error and its message, or a
/// part of a good answer.
#[tokio::test]
async fn calls_are_answered_as_on_aws() {
    let server = Server::start().await;
    create(&server, "pass", PASS).await;
    create(&server, "wait", WAIT).await;
    let pass = format!("{MACHINE}:pass");
    let wait = format!("{MACHINE}:wait");
    let run = format!("{EXECUTION}:wait:run");
    let role = "arn:aws:iam::0:role/r";
    let long = "x".repeat(81);
    let big = format!("\"{}\"", "x".repeat(262_144));
    let cases: Vec<(&str, Value, &str, Value)> = vec![
        ("Nothing", json!({}), "UnknownOperationException", json!("")),
        (
            "CreateStateMachine",
            json!({"name": "pass", "definition": PASS, "roleArn": role}),
            "",
            json!({"stateMachineArn": pass}),
        ),
        (
            "CreateStateMachine",
            json!({"name": "pass", "definition": WAIT, "roleArn": role}),
            "StateMachineAlreadyExists",
            json!(format!("State Machine Already Exists: '{pass}'")),
        ),
        (
            "CreateStateMachine",
            json!({"name": long, "definition": PASS, "roleArn": role}),
            "ValidationException",
            json!(format!(
                "1 validation error detected: Value '{long}' at 'name' failed to satisfy constraint: Member must"
            )),
        ),
        (
            "CreateStateMachine",
            json!({"name": "x", "definition": "{}", "roleArn": role}),
            "InvalidDefinition",
            json!(
                "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /"
            ),
        ),
        (
            "CreateStateMachine",
            json!({"name": "x", "roleArn": role}),
            "ValidationException",
            json!(
                "1 validation error detected: Value at 'definition' failed to satisfy constraint: Member must not be null"
            ),
        ),
        (
            "CreateStateMachine",
            json!({"name": 1}),
            "SerializationException",
            json!("NUMBER_VALUE cannot be converted to a String"),
        ),
        (
            "DescribeStateMachine",
            json!({"stateMachineArn": pass}),
            "",
            json!({"name": "pass", "status": "ACTIVE", "type": "STANDARD"}),
        ),
        (
            "DescribeStateMachine",
            json!({"stateMachineArn": format!("{MACHINE}:none")}),
            "StateMachineDoesNotExist",
            json!(format!("State Machine Does Not Exist: '{MACHINE}:none'")),
        ),
        (
            "DescribeStateMachine",
            json!({"stateMachineArn": "none"}),
            "InvalidArn",
            json!("Invalid Arn: 'Invalid ARN prefix: none'"),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": wait, "name": "run", "input": "{\"a\":1}"}),
            "",
            json!({"executionArn": run}),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": wait, "name": "run", "input": "{ \"a\": 1 }"}),
            "",
            json!({"executionArn": run}),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": wait, "name": "run", "input": "{}"}),
            "ExecutionAlreadyExists",
            json!(format!("Execution Already Exists: '{run}'")),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": wait, "input": "nope"}),
            "InvalidExecutionInput",
            json!("Invalid State Machine Execution Input: 'Unrecognized token 'nope'"),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": wait, "input": big}),
            "ValidationException",
            json!("1 validation error detected: Value at 'input'"),
        ),
        (
            "DescribeExecution",
            json!({"executionArn": run}),
            "",
            json!({"status": "RUNNING", "input": "{\"a\":1}", "name": "run"}),
        ),
        ("StopExecution", json!({"executionArn": run, "error": "E", "cause": "C"}), "", json!({})),
        (
            "DescribeExecution",
            json!({"executionArn": run}),
            "",
            json!({"status": "ABORTED", "error": "E", "cause": "C"}),
        ),
        (
            "GetExecutionHistory",
            json!({"executionArn": format!("{run}x")}),
            "ExecutionDoesNotExist",
            json!(format!("Execution Does Not Exist: '{run}x'")),
        ),
        (
            "GetExecutionHistory",
            json!({"executionArn": run, "nextToken": "?"}),
            "InvalidToken",
            json!("Invalid Token: 'Invalid token'"),
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": wait, "statusFilter": "GONE"}),
            "ValidationException",
            json!("1 validation error detected: Value 'GONE' at 'statusFilter'"),
        ),
        (
            "SendTaskSuccess",
            json!({"taskToken": "t", "output": "1"}),
            "InvalidToken",
            json!("Invalid Token: 'Invalid token'"),
        ),
        ("SendTaskSuccess", json!({"taskToken": "t", "output": "{"}), "InvalidOutput", json!("Invalid Output: '")),
        ("CreateActivity", json!({"name": "a b"}), "InvalidName", json!("Invalid Name: 'a b'")),
        ("CreateActivity", json!({"name": "dig"}), "", json!({"activityArn": format!("{ACTIVITY}:dig")})),
        (
            "TagResource",
            json!({"resourceArn": format!("{ACTIVITY}:dig"), "tags": [{"key": "k", "value": "v"}]}),
            "",
            json!({}),
        ),
        (
            "ListTagsForResource",
            json!({"resourceArn": format!("{ACTIVITY}:dig")}),
            "",
            json!({"tags": [{"key": "k", "value": "v"}]}),
        ),
        ("DeleteActivity", json!({"activityArn": format!("{ACTIVITY}:dig")}), "", json!({})),
        (
            "GetActivityTask",
            json!({"activityArn": format!("{ACTIVITY}:dig")}),
            "ActivityDoesNotExist",
            json!(format!("Activity Does Not Exist: '{ACTIVITY}:dig'")),
        ),
        (
            "StartSyncExecution",
            json!({"stateMachineArn": pass}),
            "StateMachineTypeNotSupported",
            json!("This operation is not supported by this type of state machine"),
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": pass}),
            "MissingRequiredParameter",
            json!("Either the definition,"),
        ),
        (
            "PublishStateMachineVersion",
            json!({"stateMachineArn": pass, "revisionId": "x"}),
            "ConflictException",
            json!("The current"),
        ),
        (
            "TestState",
            json!({"definition": "{\"Type\":\"Pass\",\"Parameters\":{\"b.$\":\"$.a\"},\"Next\":\"N\"}", "input": "{\"a\":1}",
                "inspectionLevel": "DEBUG"}),
            "",
            json!({"status": "SUCCEEDED", "output": "{\"b\":1}", "nextState": "N", "inspectionData": {"input": "{\"a\":1}",
                "afterInputPath": "{\"a\":1}", "afterParameters": "{\"b\":1}", "afterResultSelector": "{\"b\":1}",
                "afterResultPath": "{\"b\":1}"}}),
        ),
        (
            "TestState",
            json!({"definition": "{\"Type\":\"Fail\",\"Error\":\"E\",\"Cause\":\"C\"}"}),
            "",
            json!({"status": "FAILED", "error": "E", "cause": "C"}),
        ),
        (
            "TestState",
            json!({"definition": "{\"Type\":\"Succeed\"}", "mock": {"result": "{}"}}),
            "ValidationException",
            json!("State type 'Succeed' is not supported when a mock is specified"),
        ),
        ("ListMapRuns", json!({"executionArn": run}), "", json!({"mapRuns": []})),
        (
            "DescribeMapRun",
            json!({"mapRunArn": pass}),
            "InvalidArn",
            json!("Invalid Arn: 'Resource type not valid in this context: stateMachine'"),
        ),
        (
            "DescribeMapRun",
            json!({"mapRunArn": pass.replace("stateMachine:pass", "mapRun:pass/Each:1")}),
            "ResourceNotFound",
            json!("Resource not found: '"),
        ),
        (
            "UpdateMapRun",
            json!({"mapRunArn": run, "maxConcurrency": -1, "toleratedFailurePercentage": 100.5}),
            "ValidationException",
            json!("2 validation errors detected: Value '-1' at 'maxConcurrency'"),
        ),
        (
            "ListExecutions",
            json!({}),
            "ValidationException",
            json!("Exactly one of stateMachineArn and mapRunArn must be specified"),
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": wait, "redriveFilter": "REDRIVEN"}),
            "ValidationException",
            json!("redriveFilter is only"),
        ),
        (
            "RedriveExecution",
            json!({"executionArn": run, "clientToken": "a b"}),
            "ValidationException",
            json!(
                "1 validation error detected: Value 'a b' at 'clientToken' failed to satisfy constraint: Member must \
                satisfy regular expression pattern: [!-~]+"
            ),
        ),
        (
            "StopExecution",
            json!({"executionArn": wait}),
            "InvalidArn",
            json!("Invalid Arn: 'Resource type not valid in this context: stateMachine'"),
        ),
        (
            "DeleteStateMachine",
            json!({"stateMachineArn": "m"}),
            "InvalidArn",
            json!("Invalid Arn: 'Invalid ARN prefix: m'"),
        ),
        (
            "TagResource",
            json!({"resourceArn": pass, "tags": [{"key": "", "value": "v"}]}),
            "ValidationException",
            json!(
                "1 validation error detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must \
                have length greater than or equal to 1"
            ),
        ),
        (
            "ValidateStateMachineDefinition",
            json!({"definition": "{"}),
            "",
            json!({"result": "FAIL", "truncated": false}),
        ),
        (
            "UpdateStateMachineAlias",
            json!({"stateMachineAliasArn": pass}),
            "InvalidArn",
            json!("Invalid Arn: 'Invalid state machine alias ARN"),
        ),
    ];
    for (target, params, error, wanted) in cases {
        let shown = params.to_string().chars().take(120).collect::<String>();
        let (status, answer) = call(&server, target, params).await;
        let place = format!("{target} {shown}: {}", answer.to_string().chars().take(300).collect::<String>());
        if error.is_empty() {
            assert_eq!(status, 200, "{place}");
            for (field, value) in wanted.as_object().unwrap() {
                assert_eq!(&answer[field], value, "{place}");
            }
        } else {
            assert_eq!((status, &answer["__type"]), (400, &json!(error)), "{place}");
            assert!(answer["message"].as_str().unwrap().starts_with(wanted.as_str().unwrap()), "{place}");
        }
    }
}

#[tokio::test]
async fn pages_go_on_where_the_one_before_ended() {
    let server = Server::start().await;
    create(&server, "pass", PASS).await;
    for n in 0..7 {
        let params = json!({"stateMachineArn": format!("{MACHINE}:pass"), "name": format!("run-{n}")});
        assert_eq!(call(&server, "StartExecution", params).await.0, 200);
    }
    let (mut names, mut token, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let params = json!({"stateMachineArn": format!("{MACHINE}:pass"), "maxResults": 3, "nextToken": token});
        let (_, page) = call(&server, "ListExecutions", params).await;
        names.extend(page["executions"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap().to_owned()));
        pages += 1;
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(names, ["run-6", "run-5", "run-4", "run-3", "run-2", "run-1", "run-0"]);
    assert_eq!(pages, 3);
    let arn = format!("{EXECUTION}:pass:run-0");
    let (_, first) = call(&server, "GetExecutionHistory", json!({"executionArn": arn, "maxResults": 2})).await;
    let next = json!({"executionArn": arn, "nextToken": first["nextToken"]});
    let (_, rest) = call(&server, "GetExecutionHistory", next).await;
    assert_eq!((first["events"].as_array().unwrap().len(), rest["events"].as_array().unwrap().len()), (2, 2));
    assert_eq!(rest["events"][1]["type"], "ExecutionSucceeded");
    let (_, back) = call(&server, "GetExecutionHistory", json!({"executionArn": arn, "reverseOrder": true})).await;
    assert_eq!(back["events"][0], rest["events"][1]);
}

#[tokio::test]
async fn bodies_that_are_no_parameters_are_refused() {
    let server = Server::start().await;
    for (body, status, error) in [
        ("{", 400, "SerializationException"),
        ("[]", 400, "SerializationException"),
        (&*format!("{{\"x\": \"{}\"}}", "x".repeat(4 << 20)), 413, "RequestEntityTooLargeException"),
    ] {
        let answer = send(&server, "ListStateMachines", body.to_owned()).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.json::<Value>().await.unwrap()["__type"], error);
    }
    // An empty body is an empty object, as older clients send it; a page is still a page.
    assert_eq!(send(&server, "ListStateMachines", String::new()).await.status(), 200);
    assert_eq!(server.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_worker_that_polls_does_not_hold_up_the_end() {
    let server = Server::start().await;
    assert_eq!(call(&server, "CreateActivity", json!({"name": "idle"})).await.0, 200);
    let request = server.request(Method::POST, "/").header("x-amz-target", "AWSStepFunctions.GetActivityTask");
    let polling = tokio::spawn(request.body(json!({"activityArn": format!("{ACTIVITY}:idle")}).to_string()).send());
    // Answered later than the poll was begun: by then the server has it.
    assert_eq!(server.get("/healthz").await.status(), 200);
    let stopping = tokio::time::timeout(Duration::from_secs(8), server.stop());
    stopping.await.unwrap();
    // Either it was taken and is answered with nothing, or it came too late for a connection.
    if let Ok(answer) = polling.await.unwrap() {
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({}));
    }
}
