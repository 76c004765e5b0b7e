//! A full disk, a folder that cannot be written, a crowd that wants the last unit, a customer who asks twice at once.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::start::Server;

const PATIENCE: Duration = Duration::from_secs(60);

fn order(sku: &str) -> Value {
    json!({
        "customer": {"name": "Ana", "email": "ana@example.com"},
        "lines": [{"sku": sku, "quantity": 1}],
        "payment": {"type": "card", "number": "4242424242424242", "expMonth": 12, "expYear": 2034, "cvc": "123"},
    })
}

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A server in a mount namespace of its own, with its data folder on a small disk in memory.
struct Boxed {
    child: Child,
    url: String,
    /// The data folder as seen from here.
    data: PathBuf,
    _folder: tempfile::TempDir,
}

/// The shell line that runs a command with `$1` as a small disk; needs no privilege where user namespaces are allowed.
fn in_a_box(mount_options: &str, command: &str) -> Command {
    let mut unshare = Command::new("unshare");
    let script = format!("mount -t tmpfs -o {mount_options} none \"$1\" && exec {command}");
    unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
    unshare
}

fn can_box() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let able = in_a_box("size=1m", "true").arg(folder.path()).output().is_ok_and(|o| o.status.success());
    if !able {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "no small disk can be mounted here");
        eprintln!("SKIPPED: this needs `unshare` with user namespaces, to mount a small disk");
    }
    able
}

impl Boxed {
    fn start(size: &str) -> Boxed {
        let folder = tempfile::tempdir().unwrap();
        let binary = env!("CARGO_BIN_EXE_comanda");
        let serve = format!("{binary} --json serve --listen 127.0.0.1:0 --sample --data \"$1\" --log off");
        let mut command = in_a_box(&format!("size={size}"), &serve);
        let mut child = command.arg(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no start: `{line}`"));
        let url = started["listening"].as_str().unwrap().to_owned();
        // `exec` all the way: the child is the server itself.
        let root = PathBuf::from(format!("/proc/{}/root", child.id()));
        let data = root.join(folder.path().strip_prefix("/").unwrap());
        Boxed { child, url, data, _folder: folder }
    }
}

impl Drop for Boxed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_new_orders_and_loses_none() {
    if !can_box() {
        return;
    }
    let server = Boxed::start("12m");
    let http = reqwest::Client::new();
    let place = async || {
        let answer =
            http.post(format!("{}/place-order", server.url)).json(&order("xis-calabresa")).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap())
    };
    let (status, first) = place().await;
    assert_eq!(status, 201);
    let mut acknowledged = vec![first["orderId"].as_str().unwrap().to_owned()];

    let ballast = server.data.join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    drop(file);
    let refused = until("a refusal", async || {
        // While the group at hand cannot be written, an order may wait for it; it is given up after a while.
        let answer = tokio::time::timeout(Duration::from_secs(2), place()).await;
        match answer {
            Ok((201, placed)) => {
                acknowledged.push(placed["orderId"].as_str().unwrap().to_owned());
                None
            }
            Ok((_, problem)) => Some(problem),
            Err(_) => None,
        }
    })
    .await;
    assert_eq!((&refused["status"], &refused["code"]), (&json!(503), &json!("store-unavailable")), "{refused}");
    let shown = http.get(format!("{}/v1/orders/{}", server.url, acknowledged[0])).send().await.unwrap();
    assert_eq!(shown.status(), 200, "reading goes on");

    std::fs::remove_file(&ballast).unwrap();
    let placed = until("orders to be taken again", async || {
        let (status, placed) = place().await;
        (status == 201).then_some(placed)
    })
    .await;
    acknowledged.push(placed["orderId"].as_str().unwrap().to_owned());
    for id in &acknowledged {
        until("the order to be paid", async || {
            let order: Value =
                http.get(format!("{}/v1/orders/{id}", server.url)).send().await.unwrap().json().await.unwrap();
            (order["status"] == "RECEIVED").then_some(())
        })
        .await;
    }
    // An order whose answer nobody waited for may be on its way still.
    until("the books to agree", async || {
        let audit: Value = http.get(format!("{}/v1/audit", server.url)).send().await.unwrap().json().await.unwrap();
        (audit["differences"] == json!([])).then_some(())
    })
    .await;
}

#[test]
fn a_folder_that_cannot_be_written_is_a_clear_error() {
    if !can_box() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_comanda");
    let serve = format!("{binary} serve --listen 127.0.0.1:0 --data \"$1\"");
    let output = in_a_box("ro,size=1m", &serve).arg(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains(&folder.path().display().to_string()) && text.contains("ead-only"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_buyers_of_one_unit() {
    let server = Server::start(&["--log", "error", "--set", "simulator.webhook=1ms"]);
    let http = reqwest::Client::new();
    let stock = |delta: i64| {
        let url = format!("{}/v1/catalogue/products/xis-calabresa/stock", server.url);
        let change = json!({"delta": delta, "reason": "inventory"});
        let request = http.post(url).json(&change);
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let before = stock(1).await["available"].as_i64().unwrap();
    assert_eq!(stock(1 - before).await["available"], 1);
    let mut buyers = JoinSet::new();
    for _ in 0..50 {
        let (http, url) = (http.clone(), server.url.clone());
        buyers.spawn(async move {
            let mut placed = Vec::new();
            for _ in 0..20 {
                let answer =
                    http.post(format!("{url}/place-order")).json(&order("xis-calabresa")).send().await.unwrap();
                // Whoever comes when it is gone already is told so at once.
                match answer.status().as_u16() {
                    201 => placed.push(answer.json::<Value>().await.unwrap()["orderId"].as_str().unwrap().to_owned()),
                    409 | 422 => {}
                    other => panic!("{other}: {}", answer.text().await.unwrap()),
                }
            }
            placed
        });
    }
    let placed: Vec<String> = buyers.join_all().await.into_iter().flatten().collect();
    assert!(!placed.is_empty());
    let mut sold = 0;
    for id in &placed {
        let status = until("the order's fate", async || {
            let order: Value =
                http.get(format!("{}/v1/orders/{id}", server.url)).send().await.unwrap().json().await.unwrap();
            order["status"].as_str().filter(|s| matches!(*s, "RECEIVED" | "REJECTED")).map(str::to_owned)
        })
        .await;
        sold += usize::from(status == "RECEIVED");
    }
    assert_eq!(sold, 1, "of {} orders", placed.len());
    let catalogue: Value = server.get("/v1/catalogue/products/xis-calabresa").await.json().await.unwrap();
    assert_eq!((&catalogue["stock"]["available"], &catalogue["stock"]["reserved"]), (&json!(0), &json!(0)));
    let (folder, code) = server.signal("-TERM");
    assert_eq!(code, Some(0));
    crate::start::check(folder.path(), &["audit"], 0, "Everything agrees.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_and_order_wait_for_no_provider() {
    let server = Server::start(&["--log", "off", "--set", "simulator.webhook=1ms"]);
    let http = reqwest::Client::new();
    let available = async || {
        let product: Value = server.get("/v1/catalogue/products/xis-calabresa").await.json().await.unwrap();
        product["stock"]["available"].as_i64().unwrap()
    };
    let before = available().await;
    // The provider takes this card's money and gives nothing back.
    let mut stubborn = order("xis-calabresa");
    stubborn["payment"]["number"] = "4000000000100067".into();
    let placed = http.post(format!("{}/place-order", server.url)).json(&stubborn).send().await.unwrap();
    let placed: Value = placed.json().await.unwrap();
    let url = format!("{}/v1/orders/{}", server.url, placed["orderId"].as_str().unwrap());
    let show = async || http.get(&url).send().await.unwrap().json::<Value>().await.unwrap();
    let received = until("the order to be paid", async || {
        let order = show().await;
        (order["status"] == "RECEIVED").then_some(order)
    })
    .await;
    let cancel = |revision: &Value, token: &str| {
        let cancel = http.post(format!("{url}/cancel?{token}")).json(&json!({"reason": "changed my mind"}));
        cancel.header("if-match", format!("\"{revision}\"")).send()
    };
    let token = format!("t={}", placed["trackingToken"].as_str().unwrap());
    assert_eq!(cancel(&received["revision"], &token).await.unwrap().status(), 200);
    let cancelled = until("the order to be cancelled", async || {
        let order = show().await;
        (order["status"] == "CANCELLED" && order["needsAttention"].is_string()).then_some(order)
    })
    .await;
    assert_eq!(cancelled["payment"]["status"], "CONFIRMED");
    assert_eq!(available().await, before);
    assert_eq!(cancel(&cancelled["revision"], "").await.unwrap().status(), 409);
    // Lists show what is durable, a little later than the order itself.
    until("the order to be in the inbox", async || {
        let inbox: Value = server.get("/v1/inbox").await.json().await.unwrap();
        (inbox["items"].as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    let audit: Value = server.get("/v1/audit").await.json().await.unwrap();
    let codes: Vec<&str> =
        audit["differences"].as_array().unwrap().iter().map(|d| d["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["money-kept"], "{audit}");
    // A person gives the money back by hand, and says so.
    let resolved = until("the order to rest", async || {
        let revision = show().await["revision"].clone();
        let resolve = http.post(format!("{url}/resolve")).json(&json!({"note": "paid back in cash"}));
        let answer = resolve.header("if-match", format!("\"{revision}\"")).send().await.unwrap();
        (answer.status() == 200).then_some(answer)
    })
    .await;
    let resolved: Value = resolved.json().await.unwrap();
    assert!(resolved["needsAttention"].is_null() && !resolved["actions"].to_string().contains("resolve"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_answered_however_busy_the_engine_is() {
    let server = Server::start(&["--log", "off", "--set", "engine.concurrency=1", "--set", "engine.backlog=1"]);
    let http = reqwest::Client::new();
    let place = |key: String| {
        let request = http.post(format!("{}/place-order", server.url)).header("idempotency-key", key);
        let request = request.json(&order("xis-calabresa"));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(place("1".into()).await, 201);
    let mut refused = 0;
    for round in 0..100 {
        let mut others: JoinSet<u16> = (0..16).map(|n| place(format!("{round}-{n}"))).collect();
        let replayed: JoinSet<u16> = (0..4).map(|_| place("1".into())).collect();
        assert_eq!(replayed.join_all().await, [201; 4]);
        while let Some(status) = others.join_next().await {
            refused += usize::from(status.unwrap() == 503);
        }
        if refused > 32 {
            return;
        }
    }
    panic!("the engine was never too busy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identical_requests_at_once_are_one_order() {
    let server = Server::start(&["--log", "error"]);
    let http = reqwest::Client::new();
    for round in 0..10 {
        let mut twins = JoinSet::new();
        for _ in 0..8 {
            let request = http.post(format!("{}/place-order", server.url));
            let request = request.header("idempotency-key", format!("twin-{round}")).json(&order("xis-calabresa"));
            twins.spawn(async move {
                let answer = request.send().await.unwrap();
                (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
            });
        }
        let answers = twins.join_all().await;
        let mut ids: Vec<&str> =
            answers.iter().filter(|(status, _)| *status == 201).map(|(_, o)| o["orderId"].as_str().unwrap()).collect();
        assert!(answers.iter().all(|(status, _)| [201, 409].contains(status)), "{answers:?}");
        assert!(!ids.is_empty());
        ids.dedup();
        assert_eq!(ids.len(), 1, "{answers:?}");
    }
    let list: Value = server.get("/v1/orders?limit=100").await.json().await.unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 10);
    let other = http.post(format!("{}/place-order", server.url)).header("idempotency-key", "twin-0");
    let other = other.json(&order("torrada-americana")).send().await.unwrap();
    assert_eq!(other.status(), 422, "another body under the same key");
}
