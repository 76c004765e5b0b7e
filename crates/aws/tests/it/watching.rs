//! What others see of the functions: changes of orders on a topic of SNS, and spans of OpenTelemetry.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::client::SQS;
use serde_json::{Value as Json, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::lambda::{Cloud, TRACE, http, request};

/// How long spans may take to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a request of SNS's query protocol, without a signature: the emulator asks for none.
async fn sns(url: &str, form: &str) -> String {
    let request = reqwest::Client::new().post(url).header("content-type", "application/x-www-form-urlencoded");
    // The service is told by the signature's scope.
    let scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sns/aws4_request, SignedHeaders=host, Signature=0";
    let answer = request.header("authorization", scope).body(form.to_owned()).send().await.unwrap();
    assert!(answer.status().is_success(), "{form}");
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_orders_are_published_without_who_ordered() {
    let Some(mut cloud) = Cloud::new().await else { return };
    let made = sns(&cloud.emulator.url, "Action=CreateTopic&Name=order-events&Version=2010-03-31").await;
    let topic = made.split_once("<TopicArn>").unwrap().1.split_once('<').unwrap().0.to_owned();
    let queue = cloud.call(SQS, "CreateQueue", &json!({ "QueueName": "told" })).await["QueueUrl"].clone();
    let arn =
        cloud.call(SQS, "GetQueueAttributes", &json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] })).await;
    let arn = arn["Attributes"]["QueueArn"].as_str().unwrap();
    let subscribe = format!(
        "Action=Subscribe&TopicArn={topic}&Protocol=sqs&Endpoint={arn}&ReturnSubscriptionArn=true&Version=2010-03-31"
    );
    sns(&cloud.emulator.url, &subscribe).await;
    cloud.variables.insert("COMANDA_EVENTS_TOPIC", topic);

    let orders = app::tables().into_iter().find(|table| table.name == "orders").unwrap();
    let image = |status: &str| {
        let value = |column: &store::Column| match column.name {
            "status" => store::Value::from(status),
            _ if column.nullable => store::Value::Null,
            _ if column.kind == store::ColumnType::Int => store::Value::Int(3),
            _ => store::Value::from("{}"),
        };
        let values: Vec<_> = orders.columns.iter().map(value).collect();
        aws::item::of_row(&store::Row::new(orders, 42, values), &[]).unwrap()
    };
    let change = |event: &str, old: Option<&str>, new: &str| {
        let old = old.map(image);
        json!({ "eventName": event, "dynamodb": { "NewImage": image(new), "OldImage": old, "SequenceNumber": "1" } })
    };
    let records = json!({ "Records": [
        change("INSERT", None, "CHECKOUT"),
        change("MODIFY", Some("CHECKOUT"), "CHECKOUT"),
        change("MODIFY", Some("CHECKOUT"), "RECEIVED"),
    ] });
    let relay = cloud.function("relay").await;
    assert_eq!(relay.answer(&records).await, json!({ "batchItemFailures": [] }));
    let receive = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10 });
    let received = cloud.call(SQS, "ReceiveMessage", &receive).await;
    let told = received["Messages"].as_array().unwrap().iter().map(|message| {
        let envelope: Json = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        assert_eq!(envelope["MessageAttributes"]["status"]["Type"], "String", "{envelope}");
        let message: Json = serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap();
        (message["status"].as_str().unwrap().to_owned(), message)
    });
    let told: BTreeMap<String, Json> = told.collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let id = app::order_id(42);
    assert_eq!(
        told["RECEIVED"],
        json!({ "orderId": id, "status": "RECEIVED", "previousStatus": "CHECKOUT", "revision": 3, "updatedAtMs": 3 })
    );
    // A topic that is gone: the stream hands the changes out again.
    cloud.variables.insert("COMANDA_EVENTS_TOPIC", "arn:aws:sns:us-east-1:000000000000:none".into());
    let failed = cloud.function("relay").await.answer(&records).await;
    assert_eq!(failed["batchItemFailures"].as_array().unwrap().len(), 2, "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_and_its_requests_are_spans_of_its_trace() {
    let Some(mut cloud) = Cloud::new().await else { return };
    cloud.function("seed").await.answer(&json!({ "sample": true })).await;
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/traces", collector.local_addr().unwrap());
    cloud.variables.insert("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url);
    let api = cloud.function("api").await;
    let order = json!({ "lines": [{ "sku": "guarana", "quantity": 1 }], "payment": { "type": "pix" } });
    let placed = api.answer(&http("POST", "/place-order", Some(order), false)).await;
    assert_eq!(placed["statusCode"], 201, "{placed}");
    let received = async {
        let (mut stream, _) = collector.accept().await.unwrap();
        let received = request(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        received
    };
    let (path, told) = tokio::time::timeout(PATIENCE, received).await.unwrap();
    assert_eq!(path, "/v1/traces");
    let resource = &told["resourceSpans"][0];
    let attribute = |of: &Json, key: &str| {
        let found = of["attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == key).cloned();
        found.map(|attribute| attribute["value"]["stringValue"].as_str().unwrap().to_owned())
    };
    assert_eq!(attribute(&resource["resource"], "faas.name").as_deref(), Some("api"));
    let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
    let root = spans.iter().find(|span| span["parentSpanId"] == "53995c3f42cd8ad8").unwrap();
    assert_eq!((&root["name"], &root["kind"]), (&json!("invocation api"), &json!(2)));
    let commit = spans.iter().find(|span| span["name"] == "dynamodb.TransactWriteItems").unwrap();
    assert_eq!((&commit["parentSpanId"], &commit["kind"]), (&root["spanId"], &json!(3)));
    let time = |span: &Json, name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
    assert!(time(commit, "startTimeUnixNano") >= time(root, "startTimeUnixNano"));
    assert!(time(commit, "endTimeUnixNano") <= time(root, "endTimeUnixNano"));
    assert!(spans.iter().all(|span| span["traceId"] == "5759e988bd862e3fe1be46a994272793"), "{TRACE}");
    assert!(!told.to_string().contains("guarana"), "spans tell what was ordered");
}
