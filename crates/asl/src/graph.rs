//! Draws a flow as SVG: layers from top to bottom, branches and item processors as boxes inside.
//!
//! Deterministic: the same definition gives the same bytes.

mod labels;
mod layout;
mod svg;

use serde_json::{Map, Value};

use crate::definition::Definition;
use crate::diagnostic::Diagnostic;
use layout::{Edge, Placed, Size};

/// What a node stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Start,
    End,
    /// A state of this type.
    State(String),
}

/// A node with what is inside.
#[derive(Debug)]
struct Node {
    kind: Kind,
    name: String,
    /// What it does, in a few words.
    caption: String,
    comment: Option<String>,
    size: Size,
    /// The branches or the item processor, each with its place in the node.
    inside: Vec<(f64, f64, Scope)>,
}

/// A scope laid out.
#[derive(Debug)]
struct Scope {
    nodes: Vec<Node>,
    edges: Vec<Line>,
    placed: Placed,
}

/// Why one state follows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Next,
    Choice,
    Catch,
}

/// An edge with what is written at it.
#[derive(Debug)]
struct Line {
    from: usize,
    to: usize,
    way: Way,
    /// The lines shown.
    label: Vec<String>,
    /// The whole text.
    title: String,
}

/// The flow as an SVG document. Placeholders must be filled in; the names of functions are shown.
///
/// # Errors
/// The definition is not valid.
pub fn svg(text: &str, title: &str) -> Result<String, Vec<Diagnostic>> {
    let definition = Definition::parse(text)?;
    // It was parsed just now.
    let flow: Value = serde_json::from_str(text).unwrap_or_default();
    let scope = scope(&flow);
    Ok(svg::document(&scope, title, definition.comment().unwrap_or_default()))
}

/// Lays a scope out, with what is inside first. Depth is bounded where definitions are parsed.
fn scope(flow: &Value) -> Scope {
    let empty = Map::new();
    let states = flow["States"].as_object().unwrap_or(&empty);
    let mut nodes = vec![terminal(Kind::Start)];
    nodes.extend(states.iter().map(|(name, state)| node(name, state)));
    let index = |name: &Value| states.keys().position(|key| Some(key.as_str()) == name.as_str()).map(|at| at + 1);
    let mut edges: Vec<Line> = Vec::new();
    edges.extend(index(&flow["StartAt"]).map(|to| Line::plain(0, to)));
    let end = nodes.len();
    for (from, state) in (1..).zip(states.values()) {
        let mut add = |way: Way, next: &Value, text: String| {
            if let Some(to) = index(next) {
                add_line(&mut edges, from, to, way, text);
            }
        };
        for rule in state["Choices"].as_array().into_iter().flatten() {
            add(Way::Choice, &rule["Next"], labels::condition(rule));
        }
        add(Way::Choice, &state["Default"], "default".into());
        add(Way::Next, &state["Next"], String::new());
        for catcher in state["Catch"].as_array().into_iter().flatten() {
            add(Way::Catch, &catcher["Next"], labels::errors(catcher));
        }
        if state["End"] == true || state["Type"] == "Succeed" {
            edges.push(Line::plain(from, end));
        }
    }
    if edges.iter().any(|edge| edge.to == end) {
        nodes.push(terminal(Kind::End));
    }
    let sizes: Vec<Size> = nodes.iter().map(|node| node.size).collect();
    let plain: Vec<Edge> = edges
        .iter()
        .map(|line| Edge {
            from: line.from,
            to: line.to,
            group: line.way as usize,
            label: svg::label_size(&line.label),
        })
        .collect();
    Scope { placed: layout::layout(&sizes, &plain), nodes, edges }
}

/// Adds an edge, or its text to one that leads there already in the same way.
fn add_line(edges: &mut Vec<Line>, from: usize, to: usize, way: Way, text: String) {
    let same = edges.iter_mut().find(|line| line.from == from && line.to == to && line.way == way);
    let line = match same {
        Some(line) => {
            line.title.push_str(if way == Way::Catch { ", " } else { " or " });
            line.title.push_str(&text);
            line
        }
        None => {
            edges.push(Line { from, to, way, label: Vec::new(), title: text });
            let Some(line) = edges.last_mut() else { return };
            line
        }
    };
    line.label = labels::wrap(&line.title);
}

impl Line {
    fn plain(from: usize, to: usize) -> Line {
        Line { from, to, way: Way::Next, label: Vec::new(), title: String::new() }
    }
}

fn terminal(kind: Kind) -> Node {
    let name = if kind == Kind::Start { "Start" } else { "End" };
    let size = svg::TERMINAL;
    Node { kind, name: name.into(), caption: String::new(), comment: None, size, inside: Vec::new() }
}

fn node(name: &str, state: &Value) -> Node {
    let branches = state["Branches"].as_array().map(Vec::as_slice).unwrap_or_default();
    let processor = ["ItemProcessor", "Iterator"].into_iter().find_map(|field| state.get(field));
    let scopes: Vec<Scope> = branches.iter().chain(processor).map(scope).collect();
    let kind = state["Type"].as_str().unwrap_or_default();
    let caption = labels::caption(kind, state);
    let (size, inside) = svg::node_size(name, &caption, scopes);
    let comment = state["Comment"].as_str().map(str::to_owned);
    Node { kind: Kind::State(kind.into()), name: name.into(), caption, comment, size, inside }
}

#[cfg(test)]
mod tests {
    use super::svg;

    #[test]
    fn a_drawing_is_whole_and_always_the_same() {
        let flow = r#"{"StartAt": "A<", "States": {
            "A<": {"Type": "Choice", "Default": "Z", "Choices": [
                {"And": [{"Variable": "$.a", "NumericLessThan": 5}, {"Not": {"Variable": "$.b", "IsNull": true}}], "Next": "P"},
                {"Variable": "$.again", "BooleanEquals": true, "Next": "W"}]},
            "W": {"Type": "Wait", "Seconds": 3, "Next": "A<"},
            "P": {"Type": "Parallel", "Next": "Z", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "F"}], "Branches": [
                {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": true}}},
                {"StartAt": "C", "States": {"C": {"Type": "Succeed"}}}]},
            "Z": {"Type": "Pass", "End": true}, "F": {"Type": "Fail", "Error": "E"}}}"#;
        let drawing = svg(flow, "a & b").unwrap();
        for part in
            ["<title id=\"title\">a &amp; b</title>", "A&lt;", "States.ALL", "default", "not $.b is null", ">B<", ">C<"]
        {
            assert!(drawing.contains(part), "{part}\n{drawing}");
        }
        assert_eq!(drawing, svg(flow, "a & b").unwrap());
        assert_eq!(drawing.matches("class=\"state ").count(), 7);
        assert!(svg("{}", "").is_err());
    }
}
