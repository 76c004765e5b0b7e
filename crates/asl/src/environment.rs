//! What an expression can see: the input, the context object, the variables, and reproducible chance.

use std::cell::Cell;

use serde_json::{Map, Value, json};

use crate::event::ExecutionInfo;
use crate::path::Path;
use crate::variables::Variables;

/// The facts behind the context object (`$$`), from which only what a path asks for is built.
pub(crate) struct Facts<'a> {
    pub(crate) info: &'a ExecutionInfo,
    pub(crate) started_ms: i64,
    pub(crate) execution_input: Option<&'a Value>,
    pub(crate) state_name: &'a str,
    pub(crate) entered_ms: i64,
    pub(crate) now_ms: i64,
    /// Set for states that can be retried.
    pub(crate) retry_count: Option<u32>,
    pub(crate) task_token: Option<&'a dyn Fn() -> String>,
    pub(crate) item: Option<(usize, &'a Value)>,
    /// A context object that was given as a whole.
    pub(crate) given: Option<&'a Value>,
}

/// Everything one expression can see.
pub(crate) struct Environment<'a> {
    pub(crate) input: &'a Value,
    /// The result of the state, for `$states.result`.
    pub(crate) result: Option<&'a Value>,
    /// The error that was caught, for `$states.errorOutput`.
    pub(crate) error_output: Option<&'a Value>,
    pub(crate) variables: &'a Variables,
    pub(crate) facts: &'a Facts<'a>,
    /// How many pseudo-random draws the execution has made.
    pub(crate) draws: &'a Cell<u64>,
}

impl<'a> Environment<'a> {
    /// The same surroundings with another input.
    pub(crate) fn with_input<'b>(&'b self, input: &'b Value) -> Environment<'b> {
        Environment { input, ..*self }
    }

    /// The same surroundings with the state's result.
    pub(crate) fn with_result<'b>(&'b self, result: &'b Value) -> Environment<'b> {
        Environment { result: Some(result), ..*self }
    }

    /// The same surroundings with a caught error.
    pub(crate) fn with_error<'b>(&'b self, error: &'b Value) -> Environment<'b> {
        Environment { error_output: Some(error), ..*self }
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&'a Value> {
        self.variables.get(name)
    }

    /// The context object, or as much of it as `path` can reach.
    pub(crate) fn context_object(&self, path: &Path) -> Value {
        let mut names = path.leading_names();
        self.context_parts(names.next(), names.next(), true, true)
    }

    /// The context object, without those parts that can be large unless they are wanted.
    pub(crate) fn context_for(&self, execution_input: bool, map_item: bool) -> Value {
        self.context_parts(None, None, execution_input, map_item)
    }

    fn context_parts(&self, first: Option<&str>, second: Option<&str>, input: bool, item: bool) -> Value {
        let facts = self.facts;
        if let Some(given) = facts.given {
            return given.clone();
        }
        let mut out = Map::new();
        if wanted(first, "Execution") {
            out.insert("Execution".into(), facts.execution(second, input));
        }
        if wanted(first, "StateMachine") {
            let info = facts.info;
            out.insert("StateMachine".into(), json!({ "Id": info.state_machine_id, "Name": info.state_machine_name }));
        }
        if wanted(first, "State") {
            out.insert("State".into(), facts.state());
        }
        if wanted(first, "Task")
            && let Some(token) = facts.task_token
        {
            out.insert("Task".into(), json!({ "Token": token() }));
        }
        if item
            && wanted(first, "Map")
            && let Some((index, value)) = facts.item
        {
            let mut item = Map::new();
            item.insert("Index".into(), index.into());
            if second.is_none_or(|name| name == "Item") {
                item.insert("Value".into(), value.clone());
            }
            out.insert("Map".into(), json!({ "Item": item }));
        }
        Value::Object(out)
    }

    /// The next pseudo-random number; the same execution draws the same ones on every replay.
    pub(crate) fn draw(&self) -> u64 {
        let n = self.draws.get();
        self.draws.set(n + 1);
        random(self.facts.info.seed, n)
    }
}

fn wanted(asked: Option<&str>, name: &str) -> bool {
    asked.is_none_or(|asked| asked == name)
}

impl Facts<'_> {
    fn execution(&self, field: Option<&str>, with_input: bool) -> Value {
        let info = self.info;
        let mut out = Map::new();
        if wanted(field, "Id") {
            out.insert("Id".into(), info.id.as_str().into());
        }
        if with_input
            && wanted(field, "Input")
            && let Some(input) = self.execution_input
        {
            out.insert("Input".into(), input.clone());
        }
        if wanted(field, "StartTime") {
            out.insert("StartTime".into(), crate::time::format(self.started_ms).into());
        }
        if wanted(field, "Name") {
            out.insert("Name".into(), info.name.as_str().into());
        }
        if wanted(field, "RoleArn") {
            out.insert("RoleArn".into(), info.role_arn.as_str().into());
        }
        if wanted(field, "RedriveCount") {
            out.insert("RedriveCount".into(), info.redrive_count.into());
        }
        if let Some(redriven_ms) = info.redriven_ms
            && wanted(field, "RedriveTime")
        {
            out.insert("RedriveTime".into(), crate::time::format(redriven_ms).into());
        }
        Value::Object(out)
    }

    fn state(&self) -> Value {
        let mut out = Map::new();
        out.insert("Name".into(), self.state_name.into());
        out.insert("EnteredTime".into(), crate::time::format(self.entered_ms).into());
        if let Some(count) = self.retry_count {
            out.insert("RetryCount".into(), count.into());
        }
        Value::Object(out)
    }
}

/// The n-th number of the sequence that `seed` stands for (SplitMix64).
pub(crate) fn random(seed: u64, n: u64) -> u64 {
    let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A version 4 UUID from two random numbers.
pub(crate) fn uuid(high: u64, low: u64) -> String {
    let high = (high & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000;
    let low = (low & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFFF,
        low >> 48,
        low & 0xFFFF_FFFF_FFFF
    )
}
