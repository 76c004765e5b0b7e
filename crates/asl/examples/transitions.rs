//! Microseconds per state transition of an order-like flow: `cargo run --release -p asl --example transitions`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measurement talks to a person")]

use std::sync::Arc;
use std::time::Instant;

use asl::{Command, Definition, Event, ExecutionInfo, HistoryEvent, HistorySink, Machine, Moment, NoHistory};
use serde_json::{Value, json};

const FLOW: &str = r#"{"StartAt": "ValidateOrder", "States": {
    "ValidateOrder": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:validate-order",
        "Parameters": {"orderId.$": "$.orderId", "execution.$": "$$.Execution.Id"}, "ResultPath": "$.validation",
        "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 3}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Reject"}], "Next": "IsValid"},
    "IsValid": {"Type": "Choice", "Choices": [
        {"And": [{"Variable": "$.validation.valid", "BooleanEquals": true}, {"Variable": "$.total", "NumericGreaterThan": 0}],
         "Next": "ReserveStock"}], "Default": "Reject"},
    "Reject": {"Type": "Fail", "Error": "Rejected", "Cause": "the order is not valid"},
    "ReserveStock": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:reserve-stock",
        "Parameters": {"orderId.$": "$.orderId", "lines.$": "$.lines"}, "ResultPath": "$.reservation",
        "Catch": [{"ErrorEquals": ["OutOfStock"], "ResultPath": "$.error", "Next": "Reject"}], "Next": "RequestPayment"},
    "RequestPayment": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "TimeoutSeconds": 900,
        "Parameters": {"FunctionName": "request-payment", "Payload": {"orderId.$": "$.orderId", "amount.$": "$.total",
            "token.$": "$$.Task.Token"}}, "ResultPath": "$.payment", "Next": "CommitStock"},
    "CommitStock": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:commit-stock",
        "Parameters": {"reservation.$": "$.reservation.id"}, "ResultPath": null, "Next": "Note"},
    "Note": {"Type": "Pass", "Parameters": {"text.$": "States.Format('order {} of {}', $.orderId, $.customer.name)"},
        "ResultPath": "$.note", "Next": "Tell"},
    "Tell": {"Type": "Parallel", "ResultPath": null, "Next": "Done", "Branches": [
        {"StartAt": "SendNotification", "States": {"SendNotification": {"Type": "Task", "End": true,
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:send-notification", "Parameters": {"orderId.$": "$.orderId"}}}},
        {"StartAt": "GenerateReceipt", "States": {"GenerateReceipt": {"Type": "Task", "End": true,
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:generate-receipt", "Parameters": {"orderId.$": "$.orderId"}}}}]},
    "Done": {"Type": "Succeed"}}}"#;
/// The same flow, in the other language.
const JSONATA: &str = r#"{"QueryLanguage": "JSONata", "StartAt": "ValidateOrder", "States": {
    "ValidateOrder": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:validate-order",
        "Arguments": {"orderId": "{% $states.input.orderId %}", "execution": "{% $states.context.Execution.Id %}"},
        "Output": "{% $merge([$states.input, {'validation': $states.result}]) %}",
        "Retry": [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 3}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Reject"}], "Next": "IsValid"},
    "IsValid": {"Type": "Choice", "Choices": [{"Next": "ReserveStock",
        "Condition": "{% $states.input.validation.valid and $states.input.total > 0 %}"}], "Default": "Reject"},
    "Reject": {"Type": "Fail", "Error": "Rejected", "Cause": "the order is not valid"},
    "ReserveStock": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:reserve-stock",
        "Arguments": {"orderId": "{% $states.input.orderId %}", "lines": "{% $states.input.lines %}"},
        "Assign": {"reservation": "{% $states.result.id %}"}, "Output": "{% $states.input %}",
        "Catch": [{"ErrorEquals": ["OutOfStock"], "Next": "Reject"}], "Next": "RequestPayment"},
    "RequestPayment": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "TimeoutSeconds": 900,
        "Arguments": {"FunctionName": "request-payment", "Payload": {"orderId": "{% $states.input.orderId %}",
            "amount": "{% $sum($states.input.lines.(quantity * price)) %}", "token": "{% $states.context.Task.Token %}"}},
        "Output": "{% $states.input %}", "Next": "CommitStock"},
    "CommitStock": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:commit-stock",
        "Arguments": {"reservation": "{% $reservation %}"}, "Output": "{% $states.input %}", "Next": "Note"},
    "Note": {"Type": "Pass", "Assign": {"note": "{% 'order ' & $states.input.orderId & ' of ' & $states.input.customer.name %}"},
        "Next": "Tell"},
    "Tell": {"Type": "Parallel", "Output": "{% $states.input %}", "Next": "Done", "Branches": [
        {"StartAt": "SendNotification", "States": {"SendNotification": {"Type": "Task", "End": true,
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:send-notification", "Arguments": {"orderId": "{% $states.input.orderId %}"}}}},
        {"StartAt": "GenerateReceipt", "States": {"GenerateReceipt": {"Type": "Task", "End": true,
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:generate-receipt", "Arguments": {"orderId": "{% $states.input.orderId %}"}}}}]},
    "Done": {"Type": "Succeed"}}}"#;
/// Expressions that end only at the limit of their steps.
const ENDLESS: [&str; 2] = ["($f := function() { $f() }; $f())", "$reduce([1..100000], function($a, $b) { $a + $b })"];
/// States entered by one execution.
const TRANSITIONS: u32 = 10;
const ROUNDS: u32 = 100_000;

/// Wants every event, and forgets it.
struct Forget(u64);

impl HistorySink for Forget {
    fn wants(&self) -> bool {
        true
    }

    fn push(&mut self, event: HistoryEvent) {
        self.0 += event.id;
    }
}

fn main() {
    let definition = Arc::new(Definition::parse(FLOW).expect("the flow is valid"));
    let jsonata = Arc::new(Definition::parse(JSONATA).expect("the flow is valid"));
    let input = json!({
        "orderId": "01JD8X5Z3V6Q", "total": 4590, "currency": "BRL", "channel": "web",
        "customer": { "name": "Ana Souza", "email": "ana@example.com", "address": { "street": "Rua A", "number": 10, "city": "Recife" } },
        "lines": [
            { "sku": "burger", "quantity": 2, "price": 1500, "options": ["cheese"] },
            { "sku": "fries", "quantity": 1, "price": 900, "options": [] },
            { "sku": "cola", "quantity": 1, "price": 690, "options": ["ice", "lemon"] }
        ]
    });
    for _ in 0..3 {
        measure("without history", &definition, &input, &mut NoHistory);
    }
    measure("with history", &definition, &input, &mut Forget(0));
    measure("JSONata", &jsonata, &input, &mut NoHistory);
    for text in ENDLESS {
        let output = format!("{{% {text} %}}");
        let flow = json!({ "QueryLanguage": "JSONata", "StartAt": "A",
            "States": { "A": { "Type": "Pass", "Output": output, "End": true } } });
        let definition = Arc::new(Definition::parse(&flow.to_string()).expect("the flow is valid"));
        let started = Instant::now();
        let mut machine = Machine::new(definition, ExecutionInfo::default());
        let moment = Moment { now_ms: 0, task_token: &|task| task.to_string() };
        machine.apply(Event::Started { input: Value::Null }, &moment, &mut Vec::new(), &mut NoHistory);
        println!("{text}: {:?}", started.elapsed());
    }
}

fn measure(name: &str, definition: &Arc<Definition>, input: &Value, history: &mut dyn HistorySink) {
    let info = ExecutionInfo {
        id: "arn:aws:states:us-east-1:123456789012:execution:order:01JD8X5Z3V6Q".into(),
        ..ExecutionInfo::default()
    };
    let token = |task| format!("token-{task}");
    let moment = Moment { now_ms: 1_795_172_400_000, task_token: &token };
    let results =
        [json!({ "valid": true, "total": 4590 }), json!({ "id": "r-1", "expires": 900 }), json!({ "status": "paid" })];
    let mut commands = Vec::new();
    let mut spent = std::time::Duration::ZERO;
    for _ in 0..ROUNDS {
        let (info, input) = (info.clone(), input.clone());
        let mut queue: Vec<u32> = Vec::new();
        let started = Instant::now();
        let mut machine = Machine::new(Arc::clone(definition), info);
        machine.apply(Event::Started { input }, &moment, &mut commands, history);
        loop {
            queue.extend(commands.drain(..).filter_map(|command| match command {
                Command::StartTask(start) => Some(start.task),
                _ => None,
            }));
            let Some(task) = queue.pop() else { break };
            let output = results.get(task as usize).cloned().unwrap_or(Value::Null);
            machine.apply(Event::TaskSucceeded { task, output }, &moment, &mut commands, history);
        }
        assert!(machine.outcome().is_some(), "the order is done");
        spent += started.elapsed();
    }
    let per = spent.as_secs_f64() * 1e6 / f64::from(ROUNDS);
    println!("{name}: {per:.2} us an order, {:.3} us a transition", per / f64::from(TRANSITIONS));
}
