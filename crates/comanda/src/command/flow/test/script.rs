//! Who answers what, call by call.

use std::collections::BTreeMap;

use super::cases::{ANY, Answer, Answers, Mocks};

/// The answers of a case and of its file, and how often each was asked for.
pub(crate) struct Script {
    /// The case's own, then those of its file.
    mocks: [Mocks; 2],
    calls: BTreeMap<(usize, String), u32>,
}

impl Script {
    pub(crate) fn new(mocks: [Mocks; 2]) -> Script {
        Script { mocks, calls: BTreeMap::new() }
    }

    /// Whether anybody answers the tasks of a state.
    pub(crate) fn knows(&self, state: &str) -> bool {
        let is_of = |name: &String| name == ANY || name.rsplit('/').next() == Some(state);
        self.mocks.iter().flat_map(|mocks| mocks.keys()).any(is_of)
    }

    /// The answer to the next call of the task at this path, such as `Each[3]/Charge`.
    ///
    /// # Errors
    /// There is none; what to do about it.
    pub(crate) fn next(&mut self, path: &str) -> Result<Answer, String> {
        let state = path.rsplit('/').next().unwrap_or(path);
        let found = [path, state, ANY].into_iter().find_map(|name| {
            let mocks = self.mocks.iter().enumerate();
            mocks.filter_map(|(n, mocks)| Some((n, name, mocks.get(name)?))).next()
        });
        let Some((file, name, answers)) = found else {
            return Err(format!("nobody answers `{path}`: add `mocks.{state}`"));
        };
        let call = self.calls.entry((file, name.to_owned())).or_default();
        *call = call.saturating_add(1);
        let answer = nth(answers, *call);
        answer
            .cloned()
            .ok_or_else(|| format!("`{path}` is called for the {call}. time, and `mocks.{name}` has no such answer"))
    }
}

/// The answer to the n-th call, counted from 1.
fn nth(answers: &Answers, call: u32) -> Option<&Answer> {
    match answers {
        Answers::Every(answer) => Some(answer),
        Answers::Each(answers) => {
            let mut before = 0u32;
            answers.iter().find(|answer| {
                before = before.saturating_add(answer.times);
                call <= before
            })
        }
    }
}
