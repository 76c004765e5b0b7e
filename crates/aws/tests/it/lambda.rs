//! The Lambda functions' binary as Lambda runs it: behind a runtime API of this test, over MiniStack.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws::client::{SECRETS, SQS, STATES, Service};
use aws::definition;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::emulator::{Emulator, Kind, aws};
use crate::faults::{Fault, chaos, proxy};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
const TABLE: &str = "comanda-test";
/// The trace that every invocation belongs to.
pub(crate) const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// An installation on the emulator.
pub(crate) struct Cloud {
    pub(crate) emulator: Emulator,
    pub(crate) variables: BTreeMap<&'static str, String>,
}

impl Cloud {
    pub(crate) async fn new() -> Option<Cloud> {
        let emulator = Kind::Ministack.start()?;
        let cloud = Cloud { emulator, variables: BTreeMap::new() };
        cloud.call(aws::client::DYNAMODB, "CreateTable", &definition(TABLE)).await;
        cloud
            .call(SECRETS, "CreateSecret", &json!({ "Name": "key", "SecretString": json!({ "key": KEY }).to_string() }))
            .await;
        let queue = cloud.call(SQS, "CreateQueue", &json!({ "QueueName": "mail" })).await;
        let flow = json!({ "StartAt": "Wait", "States": { "Wait": { "Type": "Wait", "Seconds": 60, "End": true } } });
        let machine =
            json!({ "name": "order", "definition": flow.to_string(), "roleArn": "arn:aws:iam::000000000000:role/x" });
        let machine = cloud.call(STATES, "CreateStateMachine", &machine).await;
        let bucket = reqwest::Client::new().put(format!("{}/receipts-test", cloud.emulator.url)).send().await;
        assert!(bucket.unwrap().status().is_success());
        let url = cloud.emulator.url.clone();
        let variables = BTreeMap::from([
            ("AWS_ENDPOINT_URL", url),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "test".into()),
            ("AWS_SECRET_ACCESS_KEY", "test".into()),
            ("COMANDA_TABLE", TABLE.into()),
            ("COMANDA_BUCKET", "receipts-test".into()),
            ("COMANDA_SECRETS", "key".into()),
            ("COMANDA_PAYMENT_PROVIDER", "simulator".into()),
            ("COMANDA_QUEUES", json!({ "mail": queue["QueueUrl"], "ended-flows": queue["QueueUrl"] }).to_string()),
            ("COMANDA_STATE_MACHINES", json!({ "order": machine["stateMachineArn"] }).to_string()),
        ]);
        Some(Cloud { variables, ..cloud })
    }

    pub(crate) async fn call(&self, service: Service, operation: &str, body: &Json) -> Json {
        aws().call(service, &self.emulator.url, operation, body).await.unwrap()
    }

    /// The ids of the messages in a queue.
    async fn messages(&self, queue: &str) -> Vec<String> {
        let scanned = self.call(aws::client::DYNAMODB, "Scan", &json!({ "TableName": TABLE })).await;
        let items = scanned["Items"].as_array().unwrap().iter().filter(|item| item["queue"]["S"] == queue);
        let rows = items.map(|item| aws::item::to_row(&store::message::MESSAGES, item, &Default::default()).unwrap());
        rows.map(|row| row.key().int().unwrap().to_string()).collect()
    }

    pub(crate) async fn function(&self, handler: &str) -> Function {
        let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut command = Command::new(binary());
        command.envs(&self.variables).env("_HANDLER", handler).env("COMANDA_LOG", "warn");
        command.env("AWS_LAMBDA_RUNTIME_API", api.local_addr().unwrap().to_string()).stdin(Stdio::null());
        Function { begin: Instant::now(), process: command.spawn().unwrap(), api }
    }
}

/// The functions' binary: that of this build, or the one that `BOOTSTRAP` names.
fn binary() -> String {
    std::env::var("BOOTSTRAP").unwrap_or_else(|_| env!("CARGO_BIN_EXE_bootstrap").to_owned())
}

/// A running function.
pub(crate) struct Function {
    pub(crate) begin: Instant,
    process: Child,
    api: TcpListener,
}

impl Drop for Function {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Function {
    /// Hands it an event; the path of its answer (`response` or `error`) and the answer.
    pub(crate) async fn invoke(&self, event: &Json) -> (String, Json) {
        let event = event.to_string();
        let work = async {
            loop {
                let (mut stream, _) = self.api.accept().await.unwrap();
                while let Some((path, body)) = request(&mut stream).await {
                    let answer = match path.ends_with("/next") {
                        true => format!(
                            "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 1\r\nlambda-runtime-trace-id: {TRACE}\r\ncontent-length: {}\r\n\r\n{event}",
                            event.len()
                        ),
                        false => "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
                    };
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if !path.ends_with("/next") {
                        return (path.rsplit('/').next().unwrap().to_owned(), body);
                    }
                }
            }
        };
        tokio::time::timeout(ANSWER, work).await.unwrap()
    }

    /// The most memory that it has had.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// The answer to an event that it handles.
    pub(crate) async fn answer(&self, event: &Json) -> Json {
        let (kind, answer) = self.invoke(event).await;
        assert_eq!(kind, "response", "{answer}");
        answer
    }
}

/// The path and the body of a request.
pub(crate) async fn request(stream: &mut TcpStream) -> Option<(String, Json)> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 16_384];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let lower = head.to_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0_usize) {
                let path = head.split(' ').nth(1)?.to_owned();
                return Some((path, serde_json::from_slice(&bytes[end + 4..]).unwrap_or(Json::Null)));
            }
        }
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
}

pub(crate) fn http(method: &str, path: &str, body: Option<Json>, staff: bool) -> Json {
    let groups = if staff { "[admin]" } else { "" };
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "",
        "headers": { "content-type": "application/json" },
        "requestContext": {
            "stage": "$default", "http": { "method": method },
            "authorizer": { "jwt": { "claims": { "cognito:groups": groups } } }
        },
        "body": body.map(|body| body.to_string()), "isBase64Encoded": false
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_placed_its_flow_started_and_its_step_done() {
    let Some(cloud) = Cloud::new().await else { return };
    let seed = cloud.function("seed").await;
    assert_eq!(seed.answer(&json!({})).await, json!({ "products": 0 }));
    let seeded = seed.answer(&json!({ "sample": true })).await;
    assert!(seeded["products"].as_i64().unwrap() > 0);

    let api = cloud.function("api").await;
    let health = api.answer(&http("GET", "/healthz", None, false)).await;
    println!("cold start: first answer of the interface after {:?}", api.begin.elapsed());
    assert_eq!(health["statusCode"], 200, "{health}");
    let order = json!({ "lines": [{ "sku": "guarana", "quantity": 2 }], "payment": { "type": "pix" } });
    let placed = api.answer(&http("POST", "/place-order", Some(order), false)).await;
    assert_eq!(placed["statusCode"], 201, "{placed}");
    let placed: Json = serde_json::from_str(placed["body"].as_str().unwrap()).unwrap();
    let id = placed["orderId"].as_str().unwrap();
    // Without a token of the staff or the customer's link nobody sees an order.
    let path = format!("/v1/orders/{id}");
    assert_eq!(api.answer(&http("GET", &path, None, false)).await["statusCode"], 403);
    assert_eq!(api.answer(&http("GET", &path, None, true)).await["statusCode"], 200);

    // The stream of the table, as Lambda hands it out, twice.
    let scanned = cloud.call(aws::client::DYNAMODB, "Scan", &json!({ "TableName": TABLE })).await;
    let items = scanned["Items"].as_array().unwrap();
    let start = items.iter().find(|item| item["pk"]["S"].as_str().unwrap().starts_with("messages#")).unwrap();
    let record = json!({ "eventName": "INSERT", "dynamodb": { "NewImage": start, "SequenceNumber": "1" } });
    let relay = cloud.function("relay").await;
    for _ in 0..2 {
        assert_eq!(relay.answer(&json!({ "Records": [record] })).await, json!({ "batchItemFailures": [] }));
    }
    let machines: Json = serde_json::from_str(&cloud.variables["COMANDA_STATE_MACHINES"]).unwrap();
    let list = json!({ "stateMachineArn": machines["order"] });
    let executions = cloud.call(STATES, "ListExecutions", &list).await;
    assert_eq!(executions["executions"].as_array().unwrap().len(), 1, "{executions}");

    let reserve = cloud.function("fn.ReserveStock").await;
    let input = json!({ "orderId": id, "step": "execution/ReserveStock/now" });
    let first = reserve.answer(&input).await;
    println!("cold start: first answer of a function after {:?}", reserve.begin.elapsed());
    assert_eq!(reserve.answer(&input).await, first);
    let (kind, error) = reserve.invoke(&json!({ "orderId": "ord_0000000000000", "step": "x" })).await;
    assert_eq!((kind.as_str(), error["errorType"].as_str().unwrap()), ("error", "OrderNotFound"));

    let ticker = cloud.function("ticker").await;
    let beat = ticker.answer(&json!({ "beat": "minute" })).await;
    assert_eq!((&beat["dead"], &beat["inbox"]), (&json!(0), &json!(0)), "{beat}");
    // The day before is closed once, by whatever process, however often it is asked for.
    let closed = ticker.answer(&json!({ "beat": "day-close" })).await;
    let again = cloud.function("ticker").await.answer(&json!({ "beat": "day-close" })).await;
    assert_eq!(closed, again);
    let days = api.answer(&http("GET", "/v1/ledger/days", None, true)).await;
    let days: Json = serde_json::from_str(days["body"].as_str().unwrap()).unwrap();
    assert_eq!((&days["days"][0]["date"], &days["days"][0]["hash"]), (&closed["date"], &closed["hash"]), "{days}");
    let (kind, error) = ticker.invoke(&json!({})).await;
    assert_eq!((kind.as_str(), error["errorType"].as_str().unwrap()), ("error", "UnknownBeat"));

    // Somebody stops the execution: EventBridge says so, twice, and the order goes before a person.
    let execution = executions["executions"][0]["name"].as_str().unwrap();
    let ended = |execution: &str| {
        json!({
            "id": "7bf73129", "source": "aws.states", "detail-type": "Step Functions Execution Status Change",
            "detail": {
                "stateMachineArn": machines["order"], "name": execution, "status": "ABORTED",
                "input": json!({ "orderId": id }).to_string()
            }
        })
    };
    let queue = cloud.function("queue.ended-flows").await;
    let deliver = async |body: Json| {
        let record = json!({ "messageId": "m", "receiptHandle": "r", "body": body.to_string(), "attributes": {} });
        let answer = queue.answer(&json!({ "Records": [record] })).await;
        assert_eq!(answer, json!({ "batchItemFailures": [] }), "{body}");
    };
    for told in [ended("0000000000000"), ended(execution), ended(execution)] {
        deliver(told).await;
    }
    let told = cloud.messages("ended-flows").await;
    assert_eq!(told.len(), 3);
    for message in told {
        deliver(json!({ "id": message })).await;
    }
    let order = api.answer(&http("GET", &path, None, true)).await;
    let order: Json = serde_json::from_str(order["body"].as_str().unwrap()).unwrap();
    assert_eq!(order["needsAttention"], "the flow `order` ended before its work was done (ABORTED)", "{order}");
    assert_eq!(cloud.messages("ended-flows").await, [""; 0]);
}

/// Lambda ends a process whose time is over, wherever it is: before its commit has taken effect, or after.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_runs_out_of_time_has_taken_effect_once() {
    let Some(mut cloud) = Cloud::new().await else { return };
    cloud.function("seed").await.answer(&json!({ "sample": true })).await;
    let api = cloud.function("api").await;
    let order = json!({ "lines": [{ "sku": "guarana", "quantity": 2 }], "payment": { "type": "pix" } });
    let placed = api.answer(&http("POST", "/place-order", Some(order), false)).await;
    let placed: Json = serde_json::from_str(placed["body"].as_str().unwrap()).unwrap();
    let input = json!({ "orderId": placed["orderId"], "step": "execution/ReserveStock/now" });
    let available = async || {
        let product = api.answer(&http("GET", "/v1/catalogue/products/guarana", None, false)).await;
        let product: Json = serde_json::from_str(product["body"].as_str().unwrap()).unwrap();
        product["stock"]["available"].as_i64().unwrap()
    };
    let before = available().await;
    let reserved = async || before - available().await;
    let chaos = chaos(&[], 0, 0);
    cloud.variables.insert("AWS_ENDPOINT_URL_DYNAMODB", proxy(&cloud.emulator.url, chaos.clone()).await);
    for (fault, effect) in [(Fault::StallBefore, 0), (Fault::StallAfter, 2)] {
        let function = cloud.function("fn.ReserveStock").await;
        *chaos.plan.lock() = vec![fault];
        let stalled = async {
            while !chaos.plan.lock().is_empty() || reserved().await != effect {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            answer = function.invoke(&input) => panic!("it was to stall: {answer:?}"),
            () = stalled => {}
        }
    }
    let function = cloud.function("fn.ReserveStock").await;
    for _ in 0..2 {
        function.answer(&input).await;
        assert_eq!(reserved().await, 2);
    }
}

/// A function that cannot read its secrets when it starts says so by a name that flows try again, and mends by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_passes() {
    let Some(mut cloud) = Cloud::new().await else { return };
    cloud.function("seed").await.answer(&json!({})).await;
    // All tries of the start, and of the first invocation.
    let tries = usize::try_from(aws::client::MAX_TRIES).unwrap();
    let chaos = chaos(&vec![Fault::Throttle; 2 * tries], 0, 0);
    cloud.variables.insert("AWS_ENDPOINT_URL_SECRETSMANAGER", proxy(&cloud.emulator.url, chaos).await);
    let reserve = cloud.function("fn.ReserveStock").await;
    let input = json!({ "orderId": "ord_0000000000000", "step": "x" });
    for name in ["StoreUnavailable", "OrderNotFound"] {
        let (kind, error) = reserve.invoke(&input).await;
        assert_eq!((kind.as_str(), error["errorType"].as_str().unwrap()), ("error", name), "{error}");
    }
    cloud.variables.insert("COMANDA_SECRETS", String::new());
    let (kind, error) = cloud.function("fn.ReserveStock").await.invoke(&input).await;
    assert_eq!((kind.as_str(), error["errorType"].as_str().unwrap()), ("error", "SetupFailed"), "{error}");
}

/// The ticker sends what was lost; it leaves alone what waits in a queue, however long, and nothing that goes wrong with one
/// message or queue keeps the others from being sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_is_sent_again_and_what_waits_is_not() {
    let Some(mut cloud) = Cloud::new().await else { return };
    let mut queues: Json = serde_json::from_str(&cloud.variables["COMANDA_QUEUES"]).unwrap();
    let url = queues["mail"].clone();
    // First in the order of names, and not there.
    queues["gone"] = format!("{}/000000000000/gone", cloud.emulator.url).into();
    queues.as_object_mut().unwrap().remove("ended-flows");
    cloud.variables.insert("COMANDA_QUEUES", queues.to_string());
    let hour_ago = store::clock::now_ms() - 3_600_000;
    let lost = |queue: &'static str, n: i64| {
        let mut message = store::message::Message::new(queue, &"lost");
        message.id = store::id::floor(hour_ago) + n;
        message
    };
    let dead_letter = lost("mail.dead", 9);
    for message in [lost("gone", 1), lost("mail", 2), lost("mail", 3), dead_letter] {
        let item = aws::item::of_row(&message.row(), &[]).unwrap();
        cloud.call(aws::client::DYNAMODB, "PutItem", &json!({ "TableName": TABLE, "Item": item })).await;
    }
    let waiting = async || {
        let call = json!({ "QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"] });
        let answer = cloud.call(SQS, "GetQueueAttributes", &call).await;
        answer["Attributes"]["ApproximateNumberOfMessages"].as_str().unwrap().to_owned()
    };
    // What is refused does not hold up those behind it in the stream; its row stands.
    let refused = aws::item::of_row(&store::message::Message::new("gone", &"new").row(), &[]).unwrap();
    let damaged = json!({ "pk": refused["pk"], "sk": refused["sk"] });
    let record =
        |image: Json| json!({ "eventName": "INSERT", "dynamodb": { "NewImage": image, "SequenceNumber": "1" } });
    let event = json!({ "Records": [record(refused.into()), record(damaged)] });
    assert_eq!(cloud.function("relay").await.answer(&event).await, json!({ "batchItemFailures": [] }));

    let ticker = cloud.function("ticker").await;
    let beat = async || {
        let (kind, error) = ticker.invoke(&json!({ "beat": "minute" })).await;
        assert_eq!((kind.as_str(), error["errorType"].as_str().unwrap()), ("error", "MessageNotSent"), "{error}");
        assert!(error["errorMessage"].as_str().unwrap().starts_with("gone: "), "{error}");
    };
    // The consumers are behind.
    cloud.call(SQS, "SendMessage", &json!({ "QueueUrl": url, "MessageBody": "{}" })).await;
    for _ in 0..12 {
        beat().await;
    }
    assert_eq!(waiting().await, "1", "a queue with a backlog gets no copies");
    assert_eq!(cloud.messages("mail").await.len(), 2, "and nothing is parked");
    cloud.call(SQS, "PurgeQueue", &json!({ "QueueUrl": url })).await;
    beat().await;
    assert_eq!(waiting().await, "2", "what was lost is sent");
    cloud.call(SQS, "PurgeQueue", &json!({ "QueueUrl": url })).await;
    beat().await;
    assert_eq!(waiting().await, "0", "and then SQS has its time for it");
    assert_eq!((cloud.messages("mail").await.len(), cloud.messages("mail.dead").await.len()), (2, 1));
}

/// A poison message comes three times, then stands in the dead-letter queue of the store.
#[tokio::test(flavor = "multi_thread")]
async fn a_poison_message_is_parked() {
    let Some(cloud) = Cloud::new().await else { return };
    let mut cloud = cloud;
    cloud.variables.insert("COMANDA_MAIL_FROM", "shop@example.com".into());
    let message = store::message::Message::new("mail", &"no mail");
    let id = message.id;
    let item = aws::item::of_row(&message.row(), &[]).unwrap();
    cloud.call(aws::client::DYNAMODB, "PutItem", &json!({ "TableName": TABLE, "Item": item })).await;
    let queue = cloud.function("queue.mail").await;
    let event = |count: u32| {
        json!({ "Records": [{
            "messageId": "m", "receiptHandle": "r", "body": json!({ "id": id.to_string() }).to_string(),
            "attributes": { "ApproximateReceiveCount": count.to_string() }
        }] })
    };
    let failed = json!({ "batchItemFailures": [{ "itemIdentifier": "m" }] });
    assert_eq!(queue.answer(&event(1)).await, failed);
    assert_eq!(queue.answer(&event(2)).await, failed);
    assert_eq!(queue.answer(&event(3)).await, json!({ "batchItemFailures": [] }));
    let scanned = cloud.call(aws::client::DYNAMODB, "Scan", &json!({ "TableName": TABLE })).await;
    let dead = scanned["Items"].as_array().unwrap().iter().filter(|item| item["queue"]["S"] == "mail.dead").count();
    assert_eq!(dead, 1);
}
