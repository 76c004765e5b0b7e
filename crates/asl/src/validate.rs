//! Questions about the graph of states.

use std::collections::BTreeSet;

use crate::definition::State;

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
