//! Questions about the graph of states.

use std::collections::BTreeSet;

use crate::definition::{Kind, Scope, State};
use crate::diagnostic::{Diagnostic, child};
use crate::resource::{self, Pattern};
use crate::template::Template;

/// The states that transitions can reach from `start`, itself included.
pub(crate) fn reachable(states: &[State], start: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        let followers = states.get(at).map(State::followers).unwrap_or_default();
        open.extend(followers.into_iter().filter(|next| reached.insert(*next)));
    }
    reached
}

/// Reports variables that a branch or item processor sets although a scope around it sets one of that name
/// ("Variable scope" in AWS's guide).
pub(crate) fn shadowed_variables(scopes: &[Scope]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    // Depth is bounded where scopes are parsed.
    shadowed(scopes, 0, &BTreeSet::new(), &mut found);
    found
}

fn shadowed(scopes: &[Scope], scope: usize, outer: &BTreeSet<&str>, found: &mut Vec<Diagnostic>) {
    let Some(states) = scopes.get(scope).map(|scope| &scope.states) else { return };
    let mut visible = outer.clone();
    for state in states {
        for name in crate::reads::assigns(state).into_iter().flat_map(Template::names) {
            if outer.contains(name) {
                let message = format!(
                    "a scope around this one sets `{name}` too; names are unique in a scope and all inside, so rename one"
                );
                // A recording shows that AWS takes one such flow, so it is no error.
                found.push(Diagnostic::warning(state.pointer.as_str(), "SHADOWED_VARIABLE", message));
            }
            visible.insert(name);
        }
    }
    for state in states {
        let inner: &[usize] = match &state.kind {
            Kind::Parallel(parallel) => &parallel.branches,
            Kind::Map(map) => std::slice::from_ref(&map.processor),
            _ => &[],
        };
        for scope in inner {
            shadowed(scopes, *scope, &visible, found);
        }
    }
}

/// What an Express state machine cannot run, in AWS's words.
pub(crate) fn express(scopes: &[Scope]) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for state in scopes.iter().flat_map(|scope| &scope.states) {
        let mut refuse = |field: &str, message: &str| {
            out.push(Diagnostic::error(child(&state.pointer, field), "NOT_IN_EXPRESS", message));
        };
        match &state.kind {
            Kind::Task(task) => match (&task.resource.kind, task.resource.pattern) {
                (resource::Kind::Activity { .. }, _) => {
                    refuse("Resource", "Express state machine does not support Activity ARN");
                }
                (_, Pattern::WaitForTaskToken) => refuse(
                    "Resource",
                    // The blank at the end is AWS's.
                    "Express state machine does not support '.waitForTaskToken' service integration ",
                ),
                (_, Pattern::Sync | Pattern::Sync2) => {
                    refuse("Resource", "Express state machine does not support '.sync' service integration");
                }
                (_, Pattern::RequestResponse) => {}
            },
            Kind::Map(map) if map.distributed => {
                refuse("ItemProcessor", "Express state machine does not support Map states in DISTRIBUTED mode");
            }
            _ => {}
        }
    }
    out
}
