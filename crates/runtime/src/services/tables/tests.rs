//! Expressions on items, as tables of cases.

use serde_json::{Value, json};

use super::*;

fn item(text: &str) -> Item {
    parse_item(&serde_json::from_str(text).unwrap()).unwrap()
}

const ITEM: &str = r#"{"id":{"S":"a"},"n":{"N":"5"},"list":{"L":[{"S":"x"},{"N":"2"},{"S":"z"}]},"map":{"M":{"a":{"N":"1"}}},
    "tags":{"SS":["p","q"]},"flag":{"BOOL":true}}"#;
const VALUES: &str = r#"{":five":{"N":"5.0"},":x":{"S":"x"},":six":{"N":"6"},":S":{"S":"S"},":p":{"S":"p"},
    ":set":{"SS":["q","r"]},":l":{"L":[{"S":"new"}]}}"#;

#[track_caller]
fn check_condition(text: &str, want: &str) {
    let (names, values) = (json!({"#n": "n"}), serde_json::from_str::<Value>(VALUES).unwrap());
    let mut placeholders = Placeholders::new(Some(&names), Some(&values));
    let told = match expression::condition(text, &mut placeholders) {
        Ok(condition) => holds(&item(ITEM), &condition).to_string(),
        Err(problem) => problem,
    };
    assert_eq!(told, want, "{text}");
}

#[test]
fn conditions() {
    check_condition("n = :five", "true");
    check_condition("#n <> :five", "false");
    check_condition("n < :six AND NOT n > :six", "true");
    check_condition("n = :x", "false");
    check_condition("absent <> :x", "true");
    check_condition("absent = :x OR attribute_exists(map.a)", "true");
    check_condition("attribute_not_exists(list[3])", "true");
    check_condition("list[0] = :x", "true");
    check_condition("n BETWEEN :five AND :six", "true");
    check_condition("n IN (:six, :five)", "true");
    check_condition("begins_with(id, :x)", "false");
    check_condition("contains(tags, :p) and contains(list, :x)", "true");
    check_condition("attribute_type(id, :S)", "true");
    check_condition("size(list) < :five", "true");
    check_condition("(n = :x OR n = :five) AND (flag = flag)", "true");
    check_condition("n =", "Syntax error; token: \"<EOF>\"");
    check_condition("n = :five extra", "Syntax error; token: \"extra\"");
    check_condition(
        "n = :none",
        "An expression attribute value used in expression is not defined; attribute value: :none",
    );
    check_condition(
        "#x = :five",
        "An expression attribute name used in the document path is not defined; attribute name: #x",
    );
    check_condition("n ? :five", "Syntax error; token: \"?\"");
    let deep = format!("{}n = :five{}", "(".repeat(100), ")".repeat(100));
    check_condition(&deep, "The expression is nested too deeply");
    let long = format!("n = :five{}", " OR n = :five".repeat(1000));
    check_condition(&long, "Expression size has exceeded the maximum allowed size of 4096 bytes");
}

#[track_caller]
fn check_update(text: &str, want: &str) {
    let (names, values) = (json!({"#n": "n"}), serde_json::from_str::<Value>(VALUES).unwrap());
    let mut placeholders = Placeholders::new(Some(&names), Some(&values));
    let told = expression::update(text, &mut placeholders).and_then(|changes| {
        let old = item(ITEM);
        let new = apply(&old, &changes)?;
        let differs = |name: &String| old.get(name) != new.get(name);
        let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let shown = |name: &String| new.get(name).map_or(Value::Null, Attribute::to_value);
        let told: Map<String, Value> =
            names.into_iter().filter(|name| differs(name)).map(|name| (name.clone(), shown(name))).collect();
        Ok(Value::Object(told).to_string())
    });
    assert_eq!(told.unwrap_or_else(|problem| problem), want, "{text}");
}

#[test]
fn updates() {
    check_update("SET n = n + :six", r#"{"n":{"N":"11"}}"#);
    check_update("SET #n = :six - n, x = n", r#"{"n":{"N":"1"},"x":{"N":"5"}}"#);
    check_update("SET map.b = :x REMOVE map.a", r#"{"map":{"M":{"b":{"S":"x"}}}}"#);
    check_update("SET list[9] = :x", r#"{"list":{"L":[{"S":"x"},{"N":"2"},{"S":"z"},{"S":"x"}]}}"#);
    check_update("REMOVE list[0], list[1], absent", r#"{"list":{"L":[{"S":"z"}]}}"#);
    check_update("SET list = list_append(list, :l)", r#"{"list":{"L":[{"S":"x"},{"N":"2"},{"S":"z"},{"S":"new"}]}}"#);
    check_update("SET y = if_not_exists(y, :x), n = if_not_exists(n, :six)", r#"{"y":{"S":"x"}}"#);
    check_update("SET y = if_not_exists(y, :five) + :six", r#"{"y":{"N":"11"}}"#);
    check_update(
        "ADD n :six, tags :set, fresh :five",
        r#"{"fresh":{"N":"5"},"n":{"N":"11"},"tags":{"SS":["p","q","r"]}}"#,
    );
    check_update("DELETE tags :set", r#"{"tags":{"SS":["p"]}}"#);
    check_update("ADD id :six", "An operand in the update expression has an incorrect data type");
    check_update(
        "ADD fresh :x",
        "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: S",
    );
    check_update("SET a.b = :x", "The document path provided in the update expression is invalid for update");
    check_update("SET y = absent", "The provided expression refers to an attribute that does not exist in the item");
    check_update(
        "SET map = :x, map.a = :x",
        "Two document paths overlap with each other; must remove or rewrite one of these paths",
    );
    check_update("SET n = :x SET id = :x", "The \"SET\" section can only be used once in an update expression");
    check_update("", "The expression can not be empty");
}

#[test]
fn projections() {
    let mut placeholders = Placeholders::new(None, None);
    let paths = expression::projection("n, map.a, list[1], absent", &mut placeholders).unwrap();
    let got = Value::Object(item_value(&project(&item(ITEM), &paths))).to_string();
    assert_eq!(got, r#"{"list":{"L":[{"N":"2"}]},"map":{"M":{"a":{"N":"1"}}},"n":{"N":"5"}}"#);
}

#[test]
fn keys_of_different_items_differ() {
    let part = |text: &str| KeyAttribute::try_from(text.to_owned()).unwrap();
    let schema = TableSchema { partition: part("p:S"), sort: Some(part("s:S")) };
    let key = |p: &str, s: &str| {
        let item = Item::from([("p".into(), Attribute::S(p.into())), ("s".into(), Attribute::S(s.into()))]);
        item_key("t", &schema, &item).unwrap()
    };
    assert_ne!(key("a", "b/S:c"), key("a/S:b", "c"));
    assert_ne!(key(&"x".repeat(2000), "a"), key(&"x".repeat(2000), "b"));
    assert!(key(&"x".repeat(2000), "a").len() < 512);
}
