//! `ResultSelector`, `ResultPath`, `Retry` and `Catch`.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Names, Parser};
use crate::definition::{Catcher, Outcomes, ResultPath, Retrier};
use crate::diagnostic::{child, hint};
use crate::error::{ALL, RESERVED};
use crate::limits;

impl Parser {
    pub(super) fn outcomes(&mut self, map: &Map<String, Value>, pointer: &str, names: &Names<'_>) -> Outcomes {
        let mut fields = Fields::new(self, map, pointer);
        let (result_selector, result_path) = match fields.is_jsonata() {
            true => (None, ResultPath::Whole),
            false => (fields.template("ResultSelector"), fields.result_path()),
        };
        let retry = fields.array("Retry").map(Vec::as_slice).unwrap_or_default();
        let catch = fields.array("Catch").map(Vec::as_slice).unwrap_or_default();
        let (retry_at, catch_at) = (child(pointer, "Retry"), child(pointer, "Catch"));
        let retry = self.each(retry, &retry_at, |parser, map, at| parser.retrier(map, at));
        let catch = self.each(catch, &catch_at, |parser, map, at| parser.catcher(map, at, names));
        self.all_last(retry.iter().map(|r| r.errors.as_slice()), &retry_at);
        self.all_last(catch.iter().map(|c| c.errors.as_slice()), &catch_at);
        Outcomes { result_selector, result_path, retry, catch }
    }

    fn each<T>(
        &mut self,
        items: &[Value],
        pointer: &str,
        mut one: impl FnMut(&mut Parser, &Map<String, Value>, &str) -> Option<T>,
    ) -> Vec<T> {
        let mut out = Vec::new();
        for (n, item) in items.iter().enumerate() {
            let at = format!("{pointer}/{n}");
            match item {
                Value::Object(map) => out.extend(one(self, map, &at)),
                _ => self.error(&at, "WRONG_TYPE", "an entry must be an object with `ErrorEquals`"),
            }
        }
        out
    }

    fn retrier(&mut self, map: &Map<String, Value>, pointer: &str) -> Option<Retrier> {
        let mut fields = Fields::new(self, map, pointer);
        fields.only(
            &[
                "ErrorEquals",
                "IntervalSeconds",
                "MaxAttempts",
                "BackoffRate",
                "MaxDelaySeconds",
                "JitterStrategy",
                "Comment",
            ],
            "a retrier",
        );
        let interval_s = fields.whole_number("IntervalSeconds", 1, limits::SECONDS).unwrap_or(1);
        let max_attempts = fields.whole_number("MaxAttempts", 0, limits::SECONDS).unwrap_or(3);
        let backoff_rate = fields.number("BackoffRate", 1.0, f64::MAX).unwrap_or(2.0);
        let max_delay_s = fields.whole_number("MaxDelaySeconds", 1, limits::RETRY_DELAY_SECONDS);
        if max_delay_s.is_some_and(|most| most <= interval_s) {
            let at = fields.at("MaxDelaySeconds");
            fields.parser.error(&at, "BAD_RETRY", "`MaxDelaySeconds` must be larger than `IntervalSeconds`");
        }
        let full_jitter = match fields.string("JitterStrategy") {
            None | Some("NONE") => false,
            Some("FULL") => true,
            Some(other) => {
                let at = fields.at("JitterStrategy");
                fields.parser.error(&at, "BAD_RETRY", format!("`{other}` is no jitter strategy; write FULL or NONE"));
                false
            }
        };
        let errors = self.errors(map, pointer)?;
        let max_attempts = u32::try_from(max_attempts).unwrap_or(u32::MAX);
        Some(Retrier { errors, interval_s, max_attempts, backoff_rate, max_delay_s, full_jitter })
    }

    fn catcher(&mut self, map: &Map<String, Value>, pointer: &str, names: &Names<'_>) -> Option<Catcher> {
        let mut fields = Fields::new(self, map, pointer);
        let own = if fields.is_jsonata() { "Output" } else { "ResultPath" };
        fields.only(&["ErrorEquals", "Next", own, "Assign", "Comment"], "a catcher");
        let (result_path, output) = match fields.is_jsonata() {
            true => (ResultPath::Whole, fields.template("Output")),
            false => (fields.result_path(), None),
        };
        let assign = fields.assign();
        if map.get("Next").is_none() {
            fields.missing("Next", "names the state that handles the error");
        }
        let next = fields.string("Next");
        let errors = self.errors(map, pointer);
        let next = self.target(names, next?, &child(pointer, "Next"))?;
        Some(Catcher { errors: errors?, next, result_path, assign, output })
    }

    fn errors(&mut self, map: &Map<String, Value>, pointer: &str) -> Option<Vec<String>> {
        let at = child(pointer, "ErrorEquals");
        let names: Option<Vec<String>> = match map.get("ErrorEquals") {
            Some(Value::Array(names)) if !names.is_empty() => {
                names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
            }
            _ => None,
        };
        let Some(names) = names else {
            self.error(&at, "BAD_ERROR_EQUALS", "`ErrorEquals` must be an array of at least one error name");
            return None;
        };
        for name in names.iter().filter(|name| name.starts_with("States.") || name.starts_with("State.")) {
            if !RESERVED.contains(&name.as_str()) && !name.starts_with("States.Http.") {
                let message = format!("no error is called `{name}`{}", hint(name, RESERVED));
                self.warning(&at, "UNKNOWN_ERROR_NAME", message);
            }
        }
        if names.len() > 1 && names.iter().any(|name| name == ALL) {
            self.error(&at, "BAD_ERROR_EQUALS", "`States.ALL` must stand alone; remove the other names");
        }
        Some(names)
    }

    /// `States.ALL` must be in the last entry, as no later one could match.
    fn all_last<'a>(&mut self, entries: impl ExactSizeIterator<Item = &'a [String]>, pointer: &str) {
        let last = entries.len().saturating_sub(1);
        for (n, errors) in entries.enumerate() {
            if n != last && errors.iter().any(|name| name == ALL) {
                let at = format!("{pointer}/{n}/ErrorEquals");
                self.error(&at, "BAD_ERROR_EQUALS", "`States.ALL` must be in the last entry; move this one to the end");
            }
        }
    }
}
