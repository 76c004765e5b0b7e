//! Which variables the states of a definition read, as DescribeStateMachine shows them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Fields that hold other states, which have their own entries.
const INNER: [&str; 3] = ["Branches", "ItemProcessor", "Iterator"];

/// State names with the names of the variables that they read.
pub(super) fn of(definition: &str) -> Map<String, Value> {
    let mut found = BTreeMap::new();
    if let Ok(definition) = serde_json::from_str::<Value>(definition) {
        scope(&definition, is_jsonata(&definition, false), &mut found);
    }
    let entry = |(state, names): (String, BTreeSet<String>)| (state, names.into_iter().collect::<Vec<_>>().into());
    found.into_iter().map(entry).collect()
}

fn is_jsonata(value: &Value, inherited: bool) -> bool {
    value.get("QueryLanguage").and_then(Value::as_str).map_or(inherited, |language| language == "JSONata")
}

fn scope(scope_: &Value, jsonata: bool, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let Some(states) = scope_.get("States").and_then(Value::as_object) else { return };
    for (name, state) in states {
        let jsonata = is_jsonata(state, jsonata);
        let mut names = BTreeSet::new();
        for (field, value) in state.as_object().into_iter().flatten() {
            if INNER.contains(&field.as_str()) {
                let scopes = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                scopes.iter().for_each(|inner| scope(inner, jsonata, found));
            } else if field != "Result" || jsonata {
                read(field, value, jsonata, &mut names);
            }
        }
        if !names.is_empty() {
            found.insert(name.clone(), names);
        }
    }
}

fn read(field: &str, value: &Value, jsonata: bool, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(field, value)| read(field, value, jsonata, names)),
        Value::Array(items) => items.iter().for_each(|item| read(field, item, jsonata, names)),
        Value::String(text) if jsonata && text.starts_with("{%") => variables(text, true, names),
        Value::String(text)
            if !jsonata && (field.ends_with(".$") || field.ends_with("Path") || field == "Variable") =>
        {
            variables(text, false, names);
        }
        _ => {}
    }
}

/// Names after a `$`, outside of quotes; in JSONata neither functions, nor `$states`, nor what the text itself binds.
fn variables(text: &str, jsonata: bool, names: &mut BTreeSet<String>) {
    let mut bound = BTreeSet::new();
    let mut read = BTreeSet::new();
    let mut quote = None;
    let mut letters = text.char_indices().peekable();
    let mut before = ' ';
    while let Some((at, letter)) = letters.next() {
        let previous = std::mem::replace(&mut before, letter);
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(open), _) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '$') if previous != '$' => {
                let rest = text.get(at + 1..).unwrap_or_default();
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                let after = after.trim_start();
                if jsonata && (after.starts_with(":=") || name == "states") {
                    bound.insert(name.to_owned());
                } else if !(name.is_empty() || jsonata && after.starts_with('(')) {
                    read.insert(name.to_owned());
                }
            }
            _ => {}
        }
    }
    names.extend(read.difference(&bound).cloned());
}

#[cfg(test)]
mod tests {
    use super::of;
    use serde_json::json;

    #[test]
    fn variables_are_found_where_paths_and_expressions_are() {
        let definition = json!({"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Result": "$no", "Parameters": {"x.$": "States.Format('$no {}', $yes)", "y": "$no",
                "z.$": "$$.Execution.Id"}, "Next": "B"},
            "B": {"Type": "Map", "ItemProcessor": {"States": {"C": {"Type": "Pass", "InputPath": "$deep.a", "End": true}}},
                "End": true},
            "D": {"Type": "Pass", "QueryLanguage": "JSONata", "End": true,
                "Output": "{% ($own := 1; $sum([$own, $given, $states.input])) %}"}}});
        assert_eq!(
            serde_json::Value::Object(of(&definition.to_string())),
            json!({"A": ["yes"], "C": ["deep"], "D": ["given"]})
        );
    }
}
