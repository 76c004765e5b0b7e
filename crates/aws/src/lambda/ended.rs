//! Executions that ended without success, as Step Functions tells EventBridge, become the messages that the embedded runtime
//! sends of them.
//!
//! EventBridge may tell twice, and a message may be made twice: its consumer looks whether the execution still carries the
//! order, so the second changes nothing.

use app::FunctionError;
use serde_json::{Value as Json, json};
use store::Batch;
use store::message::Message;

use super::Environment;

/// What EventBridge calls it.
const KIND: &str = "Step Functions Execution Status Change";

/// Whether the body of a message of SQS is such an event.
pub(super) fn is_event(body: &Json) -> bool {
    body.get("detail-type").and_then(Json::as_str) == Some(KIND)
}

/// Puts the message into the table, from where the relay sends it.
///
/// # Errors
/// `InvalidMessage` for an event of another flow or another shape; `StoreUnavailable`.
pub(super) async fn tell(environment: &Environment, queue: &'static str, event: &Json) -> Result<(), FunctionError> {
    let machine = event.pointer("/detail/stateMachineArn").and_then(Json::as_str).unwrap_or_default();
    let flow = environment.outbox.flow_of(machine);
    let end = flow.and_then(|flow| end(flow, event));
    let end = end.ok_or_else(|| FunctionError::new("InvalidMessage", "the event tells of no flow of ours"))?;
    let mut batch = Batch::new();
    batch.send(Message::new(queue, &end));
    let committed = environment.app.store().commit(batch).await;
    committed.map(drop).map_err(|error| FunctionError::new("StoreUnavailable", error.to_string()))
}

/// The end of an execution as the embedded runtime tells it. There an execution has the name that the flow was started with;
/// here it has the id, and whom it is about stands in its input.
fn end(flow: &str, event: &Json) -> Option<Json> {
    let detail = event.get("detail")?;
    let input: Json = serde_json::from_str(detail.get("input")?.as_str()?).ok()?;
    let id = detail.get("name")?.as_str()?;
    let about = ["refundId", "orderId"].into_iter().find_map(|field| input.get(field)?.as_str())?;
    Some(json!({
        "executionId": id,
        "executionArn": detail.get("executionArn"),
        "flow": flow,
        "name": format!("{about}-{id}"),
        "status": detail.get("status"),
        "error": detail.get("error"),
        "cause": detail.get("cause"),
        "stoppedAt": detail.get("stopDate"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_names_whom_it_is_about() {
        let event = |input: Json| {
            json!({
                "detail-type": KIND,
                "detail": { "name": "0abc", "status": "ABORTED", "input": input.to_string(), "error": null, "cause": "by hand" }
            })
        };
        let order = end("order", &event(json!({ "orderId": "ord_1" }))).unwrap();
        assert_eq!((&order["name"], &order["executionId"]), (&json!("ord_1-0abc"), &json!("0abc")));
        assert_eq!((&order["status"], &order["cause"]), (&json!("ABORTED"), &json!("by hand")));
        let refund = end("refund", &event(json!({ "orderId": "ord_1", "refundId": "rfd_1-2" }))).unwrap();
        assert_eq!(refund["name"], "rfd_1-2-0abc");
        assert_eq!(end("order", &event(json!({}))), None);
        assert!(is_event(&event(json!({}))) && !is_event(&json!({ "id": "7" })));
    }
}
