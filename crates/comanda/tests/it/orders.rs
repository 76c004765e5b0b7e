//! Orders from the shell, against a server.

use serde_json::Value;

use crate::start::Server;

fn json(output: &std::process::Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap()
}

#[test]
fn an_order_is_placed_shown_listed_and_cancelled() {
    let server = Server::start(&["--set", "simulator.webhook=1h"]);
    let placed = json(&server.command(&["--json", "order", "place", "xis-calabresa=2", "--name", "Ana"]));
    let id = placed["orderId"].as_str().unwrap();
    let shown = json(&server.command(&["--json", "order", "show", id]));
    assert_eq!(shown["lines"][0]["quantity"], 2);
    let list = json(&server.command(&["--json", "order", "list"]));
    assert_eq!(list["items"][0]["orderId"], *id);
    let text = server.command(&["order", "show", id]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("2 x "));
    json(&server.command(&["--json", "order", "cancel", id]));
    let last = json(&server.command(&["--json", "order", "follow", id]));
    assert_eq!(last["status"], "CANCELLED");
}

#[test]
fn refusals_have_codes() {
    let server = Server::start(&[]);
    let refused = server.command(&["order", "place", "no-such-thing"]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("(at `/lines/0"), "{refused:?}");
    assert_eq!(server.command(&["order", "show", "ord_0000000000000"]).status.code(), Some(3));
    assert_eq!(server.command(&["order", "place", "xis-calabresa=many"]).status.code(), Some(2));
    assert_eq!(server.command(&["audit", "--server", &server.url]).status.code(), Some(0));
    assert_eq!(server.command(&["audit"]).status.code(), Some(0));
}

#[tokio::test]
async fn an_order_survives_a_restart_and_a_backup_is_whole() {
    let server = Server::start(&["--set", "simulator.webhook=1h"]);
    let placed = json(&server.command(&["--json", "order", "place", "xis-calabresa"]));
    let id = placed["orderId"].as_str().unwrap().to_owned();
    let backup = server.folder.path().join("copy.db");
    json(&server.command(&["--json", "backup", backup.to_str().unwrap()]));
    assert_eq!(server.command(&["backup", backup.to_str().unwrap()]).status.code(), Some(5));
    let (folder, _) = server.signal("-KILL");
    let server = Server::on(folder, &[]);
    assert_eq!(server.get(&format!("/v1/orders/{id}")).await.status(), 200);
    let (folder, _) = server.signal("-TERM");
    let copy = folder.path().join("restored");
    std::fs::create_dir(&copy).unwrap();
    std::fs::rename(folder.path().join("copy.db"), copy.join("comanda.db")).unwrap();
    std::fs::copy(folder.path().join("data/key"), copy.join("key")).unwrap();
    let server = Server::on(folder, &["--data", "restored"]);
    assert_eq!(server.get(&format!("/v1/orders/{id}")).await.status(), 200);
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let server = Server::start(&[]);
    let second = server.command(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another process"), "{second:?}");
}

#[test]
fn flows_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.asl.json");
    std::fs::write(&file, r#"{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}"#).unwrap();
    let name = file.to_str().unwrap();
    crate::start::check(folder.path(), &["flow", "check", name], 0, "is valid: 1 states");
    std::fs::write(&file, r#"{"StartAt":"B","States":{"A":{"Type":"Pass","End":true}}}"#).unwrap();
    crate::start::check(folder.path(), &["flow", "check", name], 4, "error");
    crate::start::check(folder.path(), &["flow", "check", "absent"], 3, "cannot read `absent`");
}

/// A person stops the execution of a paid order through the Step Functions API: the order stands in the inbox, and cancelling
/// it gives back money and stock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_execution_is_stopped_can_be_cancelled() {
    let server = Server::start(&[]);
    let stock = async || -> Vec<String> {
        let catalogue: Value = server.get("/v1/catalogue").await.json().await.unwrap();
        let products = catalogue["products"].as_array().unwrap();
        products.iter().map(|product| format!("{} {}", product["sku"], product["stock"]["available"])).collect()
    };
    let before = stock().await;
    let placed = json(&server.command(&["--json", "order", "place", "xis-calabresa=2"]));
    let id = placed["orderId"].as_str().unwrap().to_owned();
    let order = async || json(&server.command(&["--json", "order", "show", &id]));
    let until = async |what: &str, holds: &dyn Fn(&Value) -> bool| {
        for _ in 0..500 {
            let shown = order().await;
            if holds(&shown) {
                return shown;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("never: {what}: {}", order().await);
    };
    until("it is paid", &|order| order["status"] == "RECEIVED" && order["payment"]["status"] == "CONFIRMED").await;
    assert_ne!(stock().await, before);
    let arn = format!("arn:aws:states:us-east-1:000000000000:execution:order:{id}");
    let stop = reqwest::Client::new().post(&server.url).header("x-amz-target", "AWSStepFunctions.StopExecution");
    let stop = stop.header("content-type", "application/x-amz-json-1.0");
    let stopped =
        stop.body(serde_json::json!({"executionArn": arn, "cause": "by hand"}).to_string()).send().await.unwrap();
    assert_eq!(stopped.status(), 200, "{}", stopped.text().await.unwrap());
    let halted = until("it stands in the inbox", &|order| order["needsAttention"].is_string()).await;
    assert!(halted["needsAttention"].as_str().unwrap().contains("(ABORTED): by hand"), "{halted}");
    json(&server.command(&["--json", "order", "cancel", &id]));
    until("its end", &|order| order["status"] == "CANCELLED").await;
    until("the money is back", &|order| order["payment"]["status"] == "REFUNDED").await;
    assert_eq!(stock().await, before);
    let audit = server.command(&["audit", "--server", &server.url]);
    assert_eq!(audit.status.code(), Some(0), "{}", String::from_utf8_lossy(&audit.stdout));
}
