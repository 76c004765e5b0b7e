//! Executions and dead letters on the command line: of this server, and as an installation on AWS is asked.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
#[cfg(feature = "aws")]
use serde_json::json;

use crate::start::{Server, check};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a command says that has to succeed.
#[track_caller]
fn says(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn answer(output: &Output) -> Value {
    serde_json::from_str(&says(output)).unwrap()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_followed_stopped_and_taken_up_again() {
    let server = Server::start(&[]);
    let placed = answer(&server.command(&["--json", "order", "place", "guarana=1"]));
    let order = format!("/v1/orders/{}", placed["orderId"].as_str().unwrap());
    let start = Instant::now();
    let id = loop {
        let order: Value = server.get(&order).await.json().await.unwrap();
        if order["status"] == "RECEIVED" {
            break order["executionId"].as_str().unwrap().to_owned();
        }
        assert!(start.elapsed() < PATIENCE, "{order}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let status =
        || answer(&server.command(&["--json", "execution", "show", &id]))["status"].as_str().unwrap().to_owned();
    assert_eq!(status(), "RUNNING");
    until("the list shows it", || {
        let listed = says(&server.command(&["execution", "list", "--flow", "order", "--status", "RUNNING"]));
        listed.contains(placed["orderId"].as_str().unwrap()) && listed.lines().count() == 1
    })
    .await;
    let by_order = says(&server.command(&["execution", "show", placed["orderId"].as_str().unwrap()]));
    assert!(by_order.contains("RUNNING"), "{by_order}");
    let history = says(&server.command(&["execution", "history", &id]));
    assert!(history.contains("ExecutionStarted") && history.contains("ValidateOrder"), "{history}");
    let stopped = says(&server.command(&["execution", "stop", &id, "--cause", "a test"]));
    assert!(stopped.contains("inbox"), "{stopped}");
    let shown = says(&server.command(&["execution", "show", &id]));
    assert!(shown.contains("ABORTED") && shown.contains("a test"), "{shown}");
    says(&server.command(&["execution", "redrive", &id]));
    until("it runs again", || status() == "RUNNING").await;
    for (arguments, words) in [
        (["execution", "show", "0000000000000"], "no flow has an execution"),
        (["execution", "redrive", &id], "ExecutionNotRedrivable"),
    ] {
        let output = server.command(&arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(words), "{arguments:?}: {output:?}");
    }
    let output = server.command(&["execution", "list", "--flow", "no-such"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("there are"), "{output:?}");
    assert!(says(&server.command(&["dead-letters"])).contains("There are none."));
    assert_eq!(answer(&server.command(&["--json", "dead-letters", "mail", "--redrive"]))["moved"], 0);
}

#[test]
fn an_installation_is_named_by_its_table() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["execution", "list", "--store", "sqlite:x"];
    let words = if cfg!(feature = "aws") { "write dynamodb:TABLE" } else { "unexpected argument" };
    check(folder.path(), &arguments, 2, words);
}

/// The same commands with the credentials of AWS: against this server, which verifies signatures as AWS does.
#[cfg(feature = "aws")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_on_aws_is_asked_with_signed_requests() {
    const FLOW: &str = r#"{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "End": true,
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "TimeoutSeconds": 600,
        "Parameters": {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/none", "MessageBody.$": "$$.Task.Token"}}}}"#;
    let server =
        Server::start(&["--set", "engine.access_keys=AKIATESTTESTTESTTEST:secretsecretsecretsecretsecretsecret0000"]);
    let client = aws::client::Aws::new(
        "us-east-1".into(),
        std::sync::Arc::new(object_store::StaticCredentialProvider::new(object_store::aws::AwsCredential {
            key_id: "AKIATESTTESTTESTTEST".into(),
            secret_key: "secretsecretsecretsecretsecretsecret0000".into(),
            token: None,
        })),
    )
    .unwrap();
    let ask = async |operation: &str, body: Value| {
        client.call(aws::client::STATES, &server.url, operation, &body).await.unwrap()
    };
    let machine =
        json!({ "name": "shop-test-wait", "definition": FLOW, "roleArn": "arn:aws:iam::123456789012:role/x" });
    let machine = ask("CreateStateMachine", machine).await;
    let start = json!({ "stateMachineArn": machine["stateMachineArn"], "name": "one" });
    ask("StartExecution", start).await;
    let aws = |arguments: &[&str]| {
        let mut command = crate::start::comanda(server.folder.path(), arguments);
        command.args(["--store", "dynamodb:shop-test-Table-1ABC"]).env("AWS_ENDPOINT_URL", &server.url);
        command.env("AWS_REGION", "us-east-1").env("AWS_ACCESS_KEY_ID", "AKIATESTTESTTESTTEST");
        command.env("AWS_SECRET_ACCESS_KEY", "secretsecretsecretsecretsecretsecret0000").output().unwrap()
    };
    until("the list shows it", || says(&aws(&["execution", "list"])).contains("one")).await;
    assert!(says(&aws(&["execution", "history", "one"])).contains("ExecutionStarted"));
    says(&aws(&["execution", "stop", "one"]));
    assert!(says(&aws(&["execution", "show", "one"])).contains("ABORTED"));
    says(&aws(&["execution", "redrive", "one"]));
    assert!(says(&aws(&["execution", "list", "--status", "RUNNING"])).contains("one"));
    let unsigned = server.command(&["execution", "list"]);
    assert!(!unsigned.status.success(), "{unsigned:?}");
}
