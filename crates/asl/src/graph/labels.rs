//! What is written at the nodes and edges of a drawing.

use serde_json::Value;

/// The longest line of a label, in characters.
const LINE: usize = 26;
/// The most lines of a label; the rest is in its title.
const LINES: usize = 3;
/// The longest caption, in characters.
const CAPTION: usize = 48;

/// `$.order.courier = true`: a rule of a Choice.
pub(super) fn condition(rule: &Value) -> String {
    if let Some(formula) = rule["Condition"].as_str() {
        return formula.trim_start_matches("{%").trim_end_matches("%}").trim().to_owned();
    }
    if let Some(truth) = rule["Condition"].as_bool() {
        return truth.to_string();
    }
    let parts = |field: &str, word: &str| {
        let parts: Vec<String> = rule[field].as_array()?.iter().map(condition).collect();
        Some(parts.join(word))
    };
    if let Some(text) = parts("And", " and ").or_else(|| parts("Or", " or ")) {
        return text;
    }
    if rule["Not"].is_object() {
        return format!("not {}", condition(&rule["Not"]));
    }
    let variable = rule["Variable"].as_str().unwrap_or_default();
    let test = rule.as_object().into_iter().flatten().find(|(field, _)| !PLAIN.contains(&field.as_str()));
    test.map_or_else(String::new, |(operator, operand)| comparison(variable, operator, operand))
}

/// Fields of a rule that are no comparison.
const PLAIN: [&str; 5] = ["Variable", "Next", "Assign", "Comment", "Output"];

fn comparison(variable: &str, operator: &str, operand: &Value) -> String {
    let operand_text = operand.as_str().map_or_else(|| operand.to_string(), str::to_owned);
    if let Some(what) = operator.strip_prefix("Is") {
        let is = if operand == false { "is not" } else { "is" };
        return format!("{variable} {is} {}", what.to_lowercase());
    }
    let operator = operator.trim_end_matches("Path");
    let sign = [
        ("LessThanEquals", "\u{2264}"),
        ("GreaterThanEquals", "\u{2265}"),
        ("LessThan", "<"),
        ("GreaterThan", ">"),
        ("Matches", "~"),
        ("Equals", "="),
    ]
    .into_iter()
    .find_map(|(end, sign)| operator.ends_with(end).then_some(sign));
    format!("{variable} {} {operand_text}", sign.unwrap_or(operator))
}

/// The errors of a catcher.
pub(super) fn errors(catcher: &Value) -> String {
    let names: Vec<&str> = catcher["ErrorEquals"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    names.join(", ")
}

/// What a state does, in a few words.
pub(super) fn caption(kind: &str, state: &Value) -> String {
    let detail = match kind {
        "Task" => task(state),
        "Wait" => wait(state),
        "Map" => map(state),
        "Fail" => state["Error"].as_str().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    let text = if detail.is_empty() { kind.to_owned() } else { format!("{kind} \u{b7} {detail}") };
    shorten(&text, CAPTION)
}

fn task(state: &Value) -> String {
    let resource = state["Resource"].as_str().unwrap_or_default();
    let waits = resource.ends_with(".waitForTaskToken");
    let arguments =
        ["Parameters", "Arguments"].into_iter().find_map(|field| state.get(field)?.get("FunctionName")?.as_str());
    let named = arguments.filter(|_| resource.contains(":::lambda:invoke")).unwrap_or(resource);
    let name = match named.rsplit_once(":function:").or_else(|| named.rsplit_once(":activity:")) {
        Some((_, name)) => name,
        None => named.rsplit_once(":::").map_or(named, |(_, rest)| rest).trim_end_matches(".waitForTaskToken"),
    };
    let waiting = if waits { ", waits for token" } else { "" };
    format!("{name}{waiting}")
}

fn wait(state: &Value) -> String {
    let fields = ["Seconds", "SecondsPath", "Timestamp", "TimestampPath"];
    let Some(found) = fields.into_iter().find_map(|field| state.get(field)) else { return String::new() };
    match found.as_str() {
        None => format!("{found} s"),
        Some(text) => text.trim_start_matches("{%").trim_end_matches("%}").trim().to_owned(),
    }
}

fn map(state: &Value) -> String {
    let items = ["ItemsPath", "Items"].into_iter().find_map(|field| state[field].as_str());
    let distributed = state.pointer("/ItemProcessor/ProcessorConfig/Mode").is_some_and(|mode| mode == "DISTRIBUTED");
    let mode = if distributed { "distributed" } else { "" };
    let items = items.map(|text| text.trim_start_matches("{%").trim_end_matches("%}").trim()).unwrap_or_default();
    [mode, items].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Cuts a text at so many characters.
fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let cut: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{cut}\u{2026}")
}

/// Breaks a text into a few short lines.
pub(super) fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let word = shorten(word, LINE);
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= LINE => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    if lines.len() > LINES {
        lines.truncate(LINES);
        if let Some(last) = lines.last_mut() {
            *last = format!("{} \u{2026}", shorten(last, LINE - 2));
        }
    }
    lines
}
