//! Which ways of a flow no case has gone.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use asl::{Definition, Turn};
use serde::Serialize;

/// What the cases of a flow have seen of it.
#[derive(Serialize)]
pub(crate) struct Coverage {
    pub(crate) flow: String,
    states: usize,
    states_visited: usize,
    turns: usize,
    turns_taken: usize,
    /// What no case has done, a line each.
    missing: Vec<String>,
}

impl Coverage {
    /// Judges what was taken of everything that could be.
    pub(crate) fn of(flow: String, definition: &Definition, taken: &HashSet<(Arc<str>, Turn)>) -> Coverage {
        let taken: BTreeSet<(&str, Turn)> = taken.iter().map(|(state, turn)| (&**state, *turn)).collect();
        let mut coverage =
            Coverage { flow, states: 0, states_visited: 0, turns: 0, turns_taken: 0, missing: Vec::new() };
        for state in definition.all_states() {
            let visited = taken.contains(&(state.name(), Turn::Entered));
            coverage.states += 1;
            coverage.states_visited += usize::from(visited);
            if !visited {
                coverage.missing.push(format!("{} is never visited", state.name()));
            }
            for (turn, words) in state.turns().into_iter().filter(|(turn, _)| *turn != Turn::Entered) {
                let is_taken = taken.contains(&(state.name(), turn));
                coverage.turns += 1;
                coverage.turns_taken += usize::from(is_taken);
                if visited && !is_taken {
                    coverage.missing.push(format!("{}: the {words} is never taken", state.name()));
                }
            }
        }
        coverage
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        let Coverage { flow, states, states_visited, turns, turns_taken, missing } = self;
        let missing: String = missing.iter().map(|line| format!("  {line}\n")).collect();
        format!(
            "coverage of {flow}: {states_visited} of {states} states, {turns_taken} of {turns} retries, catches and \
             choices\n{missing}"
        )
    }
}
