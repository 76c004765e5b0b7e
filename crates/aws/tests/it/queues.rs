//! Dead-letter queues of SQS: found by the installation's name, and their messages put back.

use aws::client::SQS;
use aws::queues::{dead_queues, redrive};
use serde_json::{Value as Json, json};

use crate::emulator::{Kind, aws};

#[tokio::test(flavor = "multi_thread")]
async fn what_sqs_gave_up_goes_back_into_its_queue() {
    let Some(emulator) = Kind::Ministack.start() else { return };
    let aws = aws().at(&emulator.url);
    let call = async |operation: &str, body: Json| aws.call(SQS, &emulator.url, operation, &body).await.unwrap();
    let make = async |name: &str, attributes: Json| {
        let made = call("CreateQueue", json!({ "QueueName": name, "Attributes": attributes })).await;
        made["QueueUrl"].as_str().unwrap().to_owned()
    };
    let fifo = json!({ "FifoQueue": "true" });
    for (name, ending, mut attributes) in [("mail", "", json!({})), ("news", ".fifo", fifo)] {
        let dead = make(&format!("shop-{name}-dead{ending}"), attributes.clone()).await;
        let arn = call("GetQueueAttributes", json!({ "QueueUrl": dead, "AttributeNames": ["QueueArn"] })).await;
        let policy = json!({ "deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": 3 });
        attributes["RedrivePolicy"] = policy.to_string().into();
        let queue = make(&format!("shop-{name}{ending}"), attributes).await;
        make(
            &format!("other-{name}{ending}"),
            if ending.is_empty() { json!({}) } else { json!({ "FifoQueue": "true" }) },
        )
        .await;
        for id in 0..12 {
            let mut send = json!({ "QueueUrl": dead, "MessageBody": json!({ "id": id.to_string() }).to_string() });
            if !ending.is_empty() {
                send["MessageGroupId"] = format!("group {}", id % 2).into();
                send["MessageDeduplicationId"] = id.to_string().into();
            }
            call("SendMessage", send).await;
        }
        let found = dead_queues(&aws, "shop").await.unwrap();
        let found = found.into_iter().find(|found| found.queue == name).unwrap();
        assert_eq!(found.dead, 12);
        assert_eq!(redrive(&aws, &found).await.unwrap(), 12, "{name}");
        let mut bodies = Vec::new();
        while bodies.len() < 12 {
            let receive = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10 });
            let received = call("ReceiveMessage", receive).await;
            let messages = received["Messages"].as_array().cloned().unwrap_or_default();
            assert!(!messages.is_empty(), "{name}: only {bodies:?} came back");
            for message in messages {
                bodies.push(message["Body"].as_str().unwrap().to_owned());
                let done = json!({ "QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"] });
                call("DeleteMessage", done).await;
            }
        }
        let left = dead_queues(&aws, "shop").await.unwrap();
        assert_eq!(left.into_iter().find(|left| left.queue == name).unwrap().dead, 0);
    }
}
