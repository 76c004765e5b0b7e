//! Questions about the graph of states.

use std::collections::BTreeSet;

use crate::definition::{Kind, Scope, State};
use crate::diagnostic::{Diagnostic, child};
use crate::resource::{self, Pattern};

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
