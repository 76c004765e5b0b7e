//! What tasks may call: arguments, answers and errors as AWS has them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use runtime::{MachineKind, NewMachine, Runtime};
use serde_json::{Value as Json, json};
use store::memory::MemoryStore;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::world::{Outside, begin, counter, declared, ended, start, start_with, until};

/// A flow of one task that calls this with its input.
fn call(resource: &str) -> String {
    json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": format!("arn:aws:states:::{resource}"),
        "End": true}}})
    .to_string()
}

/// Everything that changes from call to call.
fn settled(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("Request ID: ") {
        let (before, after) = rest.split_at(at + "Request ID: ".len());
        out.push_str(before);
        out.push_str("ID");
        rest = after.get(36..).unwrap_or_default();
    }
    out + rest
}

struct World {
    runtime: Runtime,
    outside: Arc<Outside>,
}

impl World {
    async fn new() -> World {
        let outside = Arc::new(Outside::default());
        let runtime = start(Arc::new(MemoryStore::new()), outside.clone(), &[]).await;
        World { runtime, outside }
    }

    /// Calls a resource; `SUCCEEDED output` or `error: cause`.
    async fn call(&self, resource: &str, arguments: Json) -> String {
        let name = resource.replace([':', '.'], "-");
        self.runtime.register_flow(&name, &call(resource)).await.unwrap();
        let id = begin(&self.runtime, &name, arguments).await;
        let end = ended(&self.runtime, id).await;
        let told = match end.output {
            Some(Json::Object(mut output)) => {
                for field in ["SdkHttpMetadata", "SdkResponseMetadata"] {
                    output.remove(field);
                }
                Json::Object(output).to_string()
            }
            Some(output) => output.to_string(),
            None => format!("{}: {}", end.error.unwrap_or_default(), end.cause.unwrap_or_default()),
        };
        settled(&told)
    }

    async fn check(&self, resource: &str, arguments: Json, want: &str) {
        assert_eq!(self.call(resource, arguments.clone()).await, want, "{resource} {arguments}");
    }

    async fn bodies(&self, queue: &str) -> Vec<Json> {
        self.runtime.store().flush().await.unwrap();
        let items = self.runtime.messages(queue, None, 100).await.unwrap().items;
        items.into_iter().map(|message| message.body).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_integration_of_the_language_is_served() {
    let world = World::new().await;
    for known in &asl::resource::INTEGRATIONS {
        let told = world.call(&format!("{}:{}", known.prefix, known.action), json!({})).await;
        assert!(
            !told.contains("cannot be called") && !told.starts_with("Panic"),
            "{}:{} {told}",
            known.prefix,
            known.action
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_of_tables() {
    let world = World::new().await;
    let table = "stock";
    let put = |n: u32| json!({"TableName": table, "Item": {"sku": {"S": "a"}, "n": {"N": n.to_string()}}});
    let key = json!({"sku": {"S": "a"}});
    world.check("dynamodb:getItem", json!({"TableName": table, "Key": key}), "{}").await;
    world.check("dynamodb:putItem", put(1), "{}").await;
    let found = r#"{"Item":{"n":{"N":"1"},"sku":{"S":"a"}}}"#;
    world.check("aws-sdk:dynamodb:getItem", json!({"TableName": table, "Key": key}), found).await;
    let once = json!({"ConditionExpression": "attribute_not_exists(sku)"});
    let merged = |mut a: Json, b: &Json| {
        a.as_object_mut().unwrap().extend(b.as_object().unwrap().clone());
        a
    };
    let refused = "DynamoDB.ConditionalCheckFailedException: The conditional request failed (Service: AmazonDynamoDBv2; Status \
                   Code: 400; Error Code: ConditionalCheckFailedException; Request ID: ID; Proxy: null)";
    world.check("dynamodb:putItem", merged(put(2), &once), refused).await;
    let refused = "DynamoDb.ConditionalCheckFailedException: The conditional request failed (Service: DynamoDb, Status Code: 400, \
                   Request ID: ID)";
    world.check("aws-sdk:dynamodb:putItem", merged(put(2), &once), refused).await;
    let update = json!({"TableName": table, "Key": key, "UpdateExpression": "ADD n :two SET #t = :t", "ReturnValues": "UPDATED_NEW",
        "ExpressionAttributeNames": {"#t": "time"}, "ExpressionAttributeValues": {":two": {"N": "2"}, ":t": {"S": "now"}}});
    world.check("dynamodb:updateItem", update, r#"{"Attributes":{"n":{"N":"3"},"time":{"S":"now"}}}"#).await;
    let delete = json!({"TableName": table, "Key": key, "ReturnValues": "ALL_OLD"});
    let old = r#"{"Attributes":{"n":{"N":"3"},"sku":{"S":"a"},"time":{"S":"now"}}}"#;
    world.check("dynamodb:deleteItem", delete.clone(), old).await;
    world.check("dynamodb:deleteItem", delete, "{}").await;
    let absent = "DynamoDB.ResourceNotFoundException: Requested resource not found (Service: AmazonDynamoDBv2; Status Code: 400; \
                  Error Code: ResourceNotFoundException; Request ID: ID; Proxy: null)";
    world.check("dynamodb:getItem", json!({"TableName": "none", "Key": key}), absent).await;
    let null = "DynamoDB.AmazonDynamoDBException: 1 validation error detected: Value null at 'item' failed to satisfy constraint: \
                Member must not be null (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ValidationException; Request \
                ID: ID; Proxy: null)";
    world.check("dynamodb:putItem", json!({"TableName": "none", "Item": null}), null).await;
    for (item, want) in [
        (json!({"n": {"N": "1"}}), "Missing the key sku in the item"),
        (json!({"sku": {"N": "1"}}), "Type mismatch for key sku expected: S actual: N"),
        (json!({"sku": {"S": ""}}), "cannot contain an empty string value"),
        (json!({"sku": {"S": "x"}, "n": {"N": 1}}), "must contain exactly one of the supported datatypes"),
        (json!({"sku": {"S": "x"}, "n": {"S": "x".repeat(500_000)}}), "Item size has exceeded"),
    ] {
        let told = world.call("dynamodb:putItem", json!({"TableName": table, "Item": item})).await;
        assert!(told.contains(want) || told.contains("262144") || told.contains("DataLimit"), "{told}");
    }
    for line in [3, 20, 1] {
        let item = json!({"order": {"S": "o"}, "line": {"N": line.to_string()}});
        world.check("dynamodb:putItem", json!({"TableName": "lines", "Item": item}), "{}").await;
    }
    let query = json!({"TableName": "lines", "KeyConditionExpression": "#o = :o AND line BETWEEN :one AND :nine",
        "ProjectionExpression": "line", "ExpressionAttributeNames": {"#o": "order"},
        "ExpressionAttributeValues": {":o": {"S": "o"}, ":one": {"N": "1"}, ":nine": {"N": "9"}}});
    let lines = r#"{"Count":2,"Items":[{"line":{"N":"1"}},{"line":{"N":"3"}}],"ScannedCount":2}"#;
    world.check("aws-sdk:dynamodb:query", query, lines).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_to_queues_topics_and_buses() {
    let world = World::new().await;
    let news = "arn:aws:sns:us-east-1:000000000000:news";
    let told =
        world.call("sns:publish", json!({"TopicArn": news, "Subject": "s", "Message": {"counter": "news"}})).await;
    assert!(told.starts_with(r#"{"MessageId":""#), "{told}");
    let archived = world.bodies("archive").await;
    assert_eq!((&archived[0]["Message"], &archived[0]["Subject"]), (&json!(r#"{"counter":"news"}"#), &json!("s")));
    let absent = "SNS.NotFoundException: Topic does not exist (Service: AmazonSNS; Status Code: 404; Error Code: NotFound; Request \
                  ID: ID; Proxy: null)";
    world.check("sns:publish", json!({"TopicArn": "arn:aws:sns:us-east-1:0:none", "Message": "m"}), absent).await;
    let empty = "SQS.AmazonSQSException: The request must contain the parameter MessageBody. (Service: AmazonSQS; Status Code: \
                 400; Error Code: MissingParameter; Request ID: ID; Proxy: null)";
    let url = "https://sqs.us-east-1.amazonaws.com/000000000000/inbox";
    world.check("sqs:sendMessage", json!({"QueueUrl": url, "MessageBody": null}), empty).await;
    for own in ["task-result", "start-flow", "timers", "activity:dig", "work.dead"] {
        let told =
            world.call("sqs:sendMessage", json!({"QueueUrl": format!("http://local/{own}"), "MessageBody": {}})).await;
        assert!(told.starts_with("SQS.QueueDoesNotExistException"), "{own}: {told}");
    }
    let told = world.call("sqs:sendMessage", json!({"QueueUrl": url, "MessageBody": "hello"})).await;
    assert!(told.contains(r#""MD5OfMessageBody":"5d41402abc4b2a76b9719d911017c592""#), "{told}");
    assert_eq!(world.bodies("inbox").await, [json!("hello")]);
    let entry = |source: &str, bus: &str, total: u32| json!({"Source": source, "DetailType": "paid", "EventBusName": bus, "Detail": {"total": total}});
    let told =
        world.call("events:putEvents", json!({"Entries": [entry("shop", "default", 1), entry("x", "shop", 11)]})).await;
    assert!(told.ends_with(r#""FailedEntryCount":0}"#), "{told}");
    let events = world.bodies("events").await;
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!((&events[0]["detail-type"], &events[1]["detail"]), (&json!("paid"), &json!({"total": 11})));
    let told = world.call("events:putEvents", json!({"Entries": [{"DetailType": "d", "Detail": {}}]})).await;
    let want = r#"EventBridge.FailedEntry: {"Entries":[{"ErrorCode":"InvalidArgument","ErrorMessage":"Parameter Source is not valid. Reason: Source is a required argument."}],"FailedEntryCount":1}"#;
    assert_eq!(told, want);
    assert_eq!(world.bodies("events").await.len(), 2, "what fails sends nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_items_and_results() {
    let world = World::new().await;
    let at = |key: &str| json!({"Bucket": "my-bucket", "Key": key});
    let told = world.call("aws-sdk:s3:getObject", at("none")).await;
    assert!(
        told.starts_with("S3.NoSuchKeyException: The specified key does not exist. (Service: S3, Status Code: 404,"),
        "{told}"
    );
    let put = json!({"Bucket": "my-bucket", "Key": "a/b.json", "Body": false});
    let want = r#"{"ChecksumCRC32":"K81oMA==","ChecksumType":"FULL_OBJECT","ETag":"\"68934a3e9455fa72420237eb05902327\"","ServerSideEncryption":"AES256"}"#;
    world.check("aws-sdk:s3:putObject", put, want).await;
    let told = world.call("aws-sdk:s3:getObject", at("a/b.json")).await;
    assert!(told.contains(r#""Body":"false""#) && told.contains(r#""ContentLength":5"#), "{told}");
    let told = world.call("aws-sdk:s3:listObjectsV2", json!({"Bucket": "my-bucket", "Prefix": "a/"})).await;
    assert!(told.contains(r#""Key":"a/b.json""#) && told.contains(r#""KeyCount":1"#), "{told}");
    world.check("aws-sdk:s3:listBuckets", json!({}), r#"{"Buckets":[{"Name":"my-bucket"}],"Owner":{}}"#).await;
    world.check("aws-sdk:s3:deleteObject", at("a/b.json"), "{}").await;
    let told = world.call("aws-sdk:s3:headObject", at("a/b.json")).await;
    assert!(told.starts_with("S3.NoSuchKeyException"), "{told}");

    world.outside.objects.put(&Path::from("my-bucket/in.csv"), "id,n\na,1\nb,2\nc,3\n".into()).await.unwrap();
    let flow = r#"{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ToleratedFailureCount":1,
        "ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW",
            "MaxItems":2},"Parameters":{"Bucket":"my-bucket","Key.$":"$.key"}},
        "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"P","States":{
            "P":{"Type":"Choice","Choices":[{"Variable":"$.id","StringEquals":"b","Next":"F"}],"Default":"S"},
            "F":{"Type":"Fail","Error":"Bad"},"S":{"Type":"Pass","End":true}}},
        "ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"my-bucket","Prefix":"out"}}}}}"#;
    world.runtime.register_flow("map", flow).await.unwrap();
    let id = begin(&world.runtime, "map", json!({"key": "in.csv"})).await;
    let output = ended(&world.runtime, id).await.output.unwrap();
    let key = output["ResultWriterDetails"]["Key"].as_str().unwrap().to_owned();
    let object = async |key: &str| {
        let got = world.outside.objects.get(&Path::from(format!("my-bucket/{key}"))).await.unwrap();
        serde_json::from_slice::<Json>(&got.bytes().await.unwrap()).unwrap()
    };
    let manifest = object(&key).await;
    let succeeded = object(manifest["ResultFiles"]["SUCCEEDED"][0]["Key"].as_str().unwrap()).await;
    assert_eq!(succeeded[0]["Output"], json!(r#"{"id":"a","n":"1"}"#));
    let failed = object(manifest["ResultFiles"]["FAILED"][0]["Key"].as_str().unwrap()).await;
    assert_eq!((failed.as_array().unwrap().len(), &failed[0]["Error"]), (1, &json!("Bad")));
    let runs = world.runtime.map_runs(id).await.unwrap().unwrap();
    let child = runs[0].run.child_arn(1);
    assert_eq!(failed[0]["ExecutionArn"], json!(child));
    assert_eq!(world.runtime.child_execution(&child).await.unwrap().unwrap().0.error.as_deref(), Some("Bad"));
    let id = begin(&world.runtime, "map", json!({"key": "none"})).await;
    let end = ended(&world.runtime, id).await;
    assert_eq!(end.error.as_deref(), Some("States.ItemReaderFailed"), "{:?}", end.cause);
}

/// A server that answers each connection by what the body of its request or its path says.
async fn elsewhere() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                let (head, body) = loop {
                    let n = socket.read(&mut buffer).await.unwrap();
                    request.extend_from_slice(&buffer[..n]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    if let Some((head, body)) = text.split_once("\r\n\r\n") {
                        let length =
                            head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                        if body.len() >= length.unwrap_or(0) {
                            break (head.to_owned(), body.to_owned());
                        }
                    }
                    if n == 0 {
                        return;
                    }
                };
                let (status, headers, answer) = answer(&head, &body).await;
                let text = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}connection: close\r\n\r\n{answer}",
                    answer.len()
                );
                socket.write_all(text.as_bytes()).await.unwrap();
            });
        }
    });
    port
}

async fn answer(head: &str, body: &str) -> (&'static str, &'static str, String) {
    let json = "content-type: application/json\r\n";
    let first = head.lines().next().unwrap_or_default();
    if first.contains("/token") {
        let good = body.contains("grant_type=client_credentials") && body.contains("client_secret=hush");
        return ("200 OK", json, json!({"access_token": if good { "t0" } else { "" }, "expires_in": 60}).to_string());
    }
    if first.contains("/missing") {
        return ("404 Not Found", "", "no such page".into());
    }
    if !first.contains("/2015-03-31/functions/away/invocations") {
        let mut lines: Vec<&str> = head.lines().collect();
        lines.retain(|line| {
            !line.starts_with("host") && !line.starts_with("content-length") && !line.starts_with("user-agent")
        });
        return ("200 OK", json, json!({"head": lines, "body": body}).to_string());
    }
    match body {
        r#"{"do":"fail"}"# => {
            let error = json!({"errorType": "Custom", "errorMessage": "as asked"}).to_string();
            ("200 OK", "x-amz-function-error: Unhandled\r\n", error)
        }
        r#"{"do":"sleep"}"# => {
            tokio::time::sleep(Duration::from_secs(5)).await;
            ("200 OK", "", "1".into())
        }
        r#"{"do":"throttle"}"# => ("429 Too Many Requests", "", r#"{"Message":"slow down"}"#.into()),
        other => ("200 OK", "", format!(r#"{{"got":{other}}}"#)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_and_endpoints_elsewhere() {
    let outside = Arc::new(Outside::default());
    let port = elsewhere().await;
    let runtime = start_with(Arc::new(MemoryStore::new()), outside.clone(), &[], declared(port)).await;
    let world = World { runtime, outside };
    let invoke = |payload: Json| json!({"FunctionName": "away:1", "Payload": payload});
    let good = r#"{"ExecutedVersion":"$LATEST","Payload":{"got":{"x":1}},"StatusCode":200}"#;
    world.check("lambda:invoke", invoke(json!({"x": 1})), good).await;
    let failed = r#"Custom: {"errorType":"Custom","errorMessage":"as asked"}"#;
    world.check("lambda:invoke", invoke(json!({"do": "fail"})), failed).await;
    world
        .check("lambda:invoke", invoke(json!({"do": "sleep"})), "Sandbox.Timedout: Task timed out after 1.00 seconds")
        .await;
    let slow = "Lambda.TooManyRequestsException: slow down (Service: AWSLambda; Status Code: 429; Error Code: \
                TooManyRequestsException; Request ID: ID; Proxy: null)";
    world.check("lambda:invoke", invoke(json!({"do": "throttle"})), slow).await;
    let told = world.call("lambda:invoke", json!({"FunctionName": "none"})).await;
    assert!(
        told.starts_with("Lambda.ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:"),
        "{told}"
    );

    let request = |connection: &str, path: &str| {
        json!({"ApiEndpoint": format!("http://127.0.0.1:{port}{path}"), "Method": "POST",
            "Authentication": {"ConnectionArn": format!("arn:aws:events:us-east-1:000000000000:connection/{connection}/id")},
            "QueryParameters": {"q": "a b", "r": [1, 2]}, "RequestBody": {"a": {"b": 1}, "l": ["x", "y"]}})
    };
    let told = world.call("http:invoke", request("key", "/echo")).await;
    assert!(told.contains("POST /echo?q=a%20b&r=1&r=2 HTTP/1.1") && told.contains("x-key: open sesame"), "{told}");
    assert!(told.contains(r#""StatusCode":200,"StatusText":"OK""#), "{told}");
    let mut form = request("basic", "/echo");
    form["Transform"] =
        json!({"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": {"ArrayFormat": "BRACKETS"}});
    let told = world.call("http:invoke", form).await;
    assert!(
        told.contains("a%5Bb%5D=1&l%5B%5D=x&l%5B%5D=y") && told.contains("authorization: Basic YW5hOnMzY3JldA=="),
        "{told}"
    );
    let told = world.call("http:invoke", request("oauth", "/echo")).await;
    assert!(told.contains("authorization: Bearer t0"), "{told}");
    world.check("http:invoke", request("open", "/missing"), "States.Http.StatusCode.404: no such page").await;
    let mut other = request("key", "/echo");
    other["ApiEndpoint"] = json!("https://elsewhere.example/");
    let told = world.call("http:invoke", other.clone()).await;
    assert!(told.contains("the connection may not be used for `elsewhere.example`"), "{told}");
    other["ApiEndpoint"] = json!("http://elsewhere.example/");
    assert!(world.call("http:invoke", other).await.contains("must begin with https://"));
    let told = world.call("http:invoke", request("none", "/echo")).await;
    assert!(told.starts_with("Events.ConnectionResource.NotFound"), "{told}");

    // Nobody answers at the port that was never opened.
    let runtime = start_with(Arc::new(MemoryStore::new()), world.outside.clone(), &[], declared(9)).await;
    let nobody = World { runtime, outside: world.outside.clone() };
    let told = nobody.call("lambda:invoke", invoke(json!({}))).await;
    assert!(told.starts_with("Lambda.SdkClientException: Unable to execute HTTP request"), "{told}");
    let mut closed = request("open", "/");
    closed["ApiEndpoint"] = json!("http://127.0.0.1:9/");
    assert!(nobody.call("http:invoke", closed).await.starts_with("States.Http.Socket: "));
}

const CHILD: &str = r#"{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[
    {"Variable":"$.do","StringEquals":"fail","Next":"F"},{"Variable":"$.do","StringEquals":"wait","Next":"W"}],"Default":"S"},
    "F":{"Type":"Fail","Error":"Broken","Cause":"as asked"},"W":{"Type":"Wait","Seconds":3600,"End":true},
    "S":{"Type":"Pass","Result":{"Arg1":"argument1"},"End":true}}}"#;

fn machine(name: &str, definition: String, kind: MachineKind) -> NewMachine {
    let role_arn = "arn:aws:iam::000000000000:role/r".into();
    NewMachine { name: name.into(), definition, role_arn, kind, settings: json!({}), tags: BTreeMap::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn executions_of_other_flows() {
    let world = World::new().await;
    world.runtime.create_state_machine(&machine("child", CHILD.into(), MachineKind::Standard)).await.unwrap();
    world.runtime.create_state_machine(&machine("quick", CHILD.into(), MachineKind::Express)).await.unwrap();
    let child = |what: &str, name: &str| {
        json!({"StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:child", "Name": name,
            "Input": {"do": what}})
    };
    let told = world.call("states:startExecution", child("wait", "one")).await;
    assert!(
        told.contains(r#""ExecutionArn":"arn:aws:states:us-east-1:000000000000:execution:child:one","StartDate":1"#),
        "{told}"
    );
    // The same again, while it runs.
    assert_eq!(world.call("states:startExecution", child("wait", "one")).await, told);
    let taken = "StepFunctions.ExecutionAlreadyExistsException: Execution Already Exists: \
                 'arn:aws:states:us-east-1:000000000000:execution:child:one' (Service: AWSStepFunctions; Status Code: 400; Error \
                 Code: ExecutionAlreadyExists; Request ID: ID; Proxy: null)";
    world.check("states:startExecution", child("other", "one"), taken).await;
    world.check("states:startExecution.sync", child("wait", "one"), taken).await;
    let dates = |told: &str| told.split(',').filter(|part| !part.contains("Date\"")).collect::<Vec<_>>().join(",");
    let told = world.call("states:startExecution.sync", child("pass", "two")).await;
    let want = r#"{"ExecutionArn":"arn:aws:states:us-east-1:000000000000:execution:child:two","Input":"{\"do\":\"pass\"}","InputDetails":{"Included":true},"Name":"two","Output":"{\"Arg1\":\"argument1\"}","OutputDetails":{"Included":true},"RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","RedriveStatusReason":"Execution is SUCCEEDED and cannot be redriven","StateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","Status":"SUCCEEDED""#;
    assert_eq!(dates(&told), want);
    let told = world.call("states:startExecution.sync:2", child("pass", "three")).await;
    assert!(told.contains(r#""Input":{"do":"pass"}"#) && told.contains(r#""Output":{"Arg1":"argument1"}"#), "{told}");
    let told = world.call("states:startExecution.sync", child("fail", "four")).await;
    assert!(told.starts_with(r#"States.TaskFailed: {"Cause":"as asked","Error":"Broken","ExecutionArn":"#), "{told}");
    let quick = json!({"StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:quick", "Input": r#"{"do":"pass"}"#});
    let told = world.call("aws-sdk:sfn:startSyncExecution", quick.clone()).await;
    assert!(told.contains(r#""Output":"{\"Arg1\":\"argument1\"}""#), "{told}");
    let told = world.call("states:startExecution.sync", quick.clone()).await;
    assert!(told.starts_with("StepFunctions.StateMachineTypeNotSupportedException"), "{told}");
    assert!(world.call("states:startExecution", quick).await.contains(":express:quick:"));
    let none = json!({"StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:none"});
    let told = world.call("states:startExecution", none).await;
    assert!(
        told.starts_with("StepFunctions.StateMachineDoesNotExistException: State Machine Does Not Exist: "),
        "{told}"
    );
    let told = world.call("aws-sdk:sfn:sendTaskFailure", json!({"TaskToken": "NoSuchTaskToken"})).await;
    let want = "Sfn.InvalidTokenException: Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: ID) (SDK \
                Attempt Count: 1)";
    assert_eq!(told, want);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_no_longer_waits_for_a_child_stops_it() {
    let world = World::new().await;
    let machine_of_child =
        world.runtime.create_state_machine(&machine("child", CHILD.into(), MachineKind::Standard)).await;
    let machine_of_child = machine_of_child.unwrap();
    let flow = |timeout: u32| {
        json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync",
            "TimeoutSeconds": timeout, "End": true, "Parameters": {"Input": {"do": "wait"}, "Name.$": "$.name",
            "StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:child"}}}})
        .to_string()
    };
    let status = async |name: &str| {
        let place = world.runtime.find_execution(&machine_of_child, name).await.unwrap()?;
        world.runtime.describe(place.id).await.unwrap().map(|child| child.status)
    };
    world.runtime.register_flow("patient", &flow(3600)).await.unwrap();
    world.runtime.register_flow("hasty", &flow(1)).await.unwrap();
    let id = begin(&world.runtime, "patient", json!({"name": "one"})).await;
    until("the child", async || (status("one").await.as_deref() == Some("RUNNING")).then_some(())).await;
    until("the rest", async || (world.runtime.at_work() == 0).then_some(())).await;
    world.runtime.stop_execution(id, Some("Stop".into()), None).await.unwrap();
    until("the child's end", async || (status("one").await.as_deref() == Some("ABORTED")).then_some(())).await;
    let id = begin(&world.runtime, "hasty", json!({"name": "two"})).await;
    assert_eq!(ended(&world.runtime, id).await.error.as_deref(), Some("States.Timeout"));
    until("the child's end", async || (status("two").await.as_deref() == Some("ABORTED")).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_hears_of_executions_that_do_not_succeed() {
    let world = World::new().await;
    world.runtime.register_flow("child", CHILD).await.unwrap();
    let start = async |what: &str| {
        let mut batch = store::Batch::new();
        let id = batch.start_flow_telling("child", &format!("run-{what}"), json!({"do": what}), "ends");
        world.runtime.store().commit(batch).await.unwrap();
        id
    };
    let (passed, failed, stopped) = (start("pass").await, start("fail").await, start("wait").await);
    assert_eq!(ended(&world.runtime, passed).await.status, "SUCCEEDED");
    assert_eq!(ended(&world.runtime, failed).await.status, "FAILED");
    until("the wait", async || world.runtime.describe(stopped).await.unwrap()).await;
    until("the rest", async || (world.runtime.at_work() == 0).then_some(())).await;
    world.runtime.stop_execution(stopped, None, Some("by hand".into())).await.unwrap();
    let told = world.bodies("ends").await;
    let told: Vec<_> =
        told.iter().map(|end| (end["name"].clone(), end["status"].clone(), end["cause"].clone())).collect();
    let want = [
        (json!("run-fail"), json!("FAILED"), json!("as asked")),
        (json!("run-wait"), json!("ABORTED"), json!("by hand")),
    ];
    assert_eq!(told, want);
    assert_eq!(counter(&*world.runtime.store(), "none").await, 0);
}
