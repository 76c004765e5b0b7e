//! The template against what the functions ask for.

use std::path::Path;

const TEMPLATE: &str = include_str!("../../../../deploy/template.yaml");

/// What each operation of DynamoDB needs.
const OPERATIONS: &[(&str, &[&str])] = &[
    ("GetItem", &["GetItem"]),
    ("BatchGetItem", &["BatchGetItem"]),
    ("Query", &["Query"]),
    ("Scan", &["Scan"]),
    ("PutItem", &["PutItem"]),
    ("UpdateItem", &["UpdateItem"]),
    ("DeleteItem", &["DeleteItem"]),
    ("TransactWriteItems", &["PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"]),
    ("TransactGetItems", &["GetItem"]),
    ("BatchWriteItem", &["BatchWriteItem"]),
];

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, text),
            false => text.push_str(&std::fs::read_to_string(path).unwrap()),
        }
    }
}

#[test]
fn every_operation_on_the_table_is_somebodys_right() {
    let mut text = String::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
    let used = OPERATIONS.iter().filter(|(operation, _)| text.contains(&format!("\"{operation}\"")));
    let mut seen = 0;
    for right in used.flat_map(|(_, rights)| rights.iter()) {
        let action = format!("dynamodb:{right}");
        let granted =
            |line: &str| line.contains("Effect: Allow") && line.split(['[', ']', ',', ' ']).any(|word| word == action);
        assert!(TEMPLATE.lines().any(granted), "no role may {action}");
        seen += 1;
    }
    assert!(seen >= 8, "the operations were not found in the sources");
}

/// A function that took another provider for granted would book a customer's money where it is not.
#[test]
fn every_function_is_told_the_same_payment_provider() {
    let named: Vec<&str> =
        TEMPLATE.lines().filter(|line| line.trim_start().starts_with("COMANDA_PAYMENT_PROVIDER:")).collect();
    assert_eq!(named, ["        COMANDA_PAYMENT_PROVIDER: !Ref PaymentProvider"], "once, among the globals");
    let (globals, _) = TEMPLATE.split_once("\nResources:").unwrap();
    assert!(globals.contains("COMANDA_PAYMENT_PROVIDER"));
    let given = TEMPLATE.matches("COMANDA_PROVIDER_SECRETS: !Ref ProviderSecrets").count();
    assert_eq!(given, TEMPLATE.matches("- {Sid: Provider, ").count(), "who is given keys may read them");
    assert!(given >= 5);
}

/// EventBridge names neither account nor rule to KMS when it writes to an encrypted queue.
#[test]
fn events_reach_encrypted_queues() {
    let (_, statement) = TEMPLATE.split_once("- Sid: EventsAreSent").unwrap();
    let statement = statement.split("\n\n").next().unwrap();
    assert!(statement.contains("events.amazonaws.com") && !statement.contains("Condition"), "{statement}");
}
