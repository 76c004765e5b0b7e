//! `comanda config`.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::json;

use crate::config::Effective;
use crate::failure::Failure;
use crate::output::Output;

/// Prints every key, its value and where it came from.
pub(crate) fn run(effective: &Effective, output: Output) -> Result<(), Failure> {
    let mut text = String::new();
    let mut all = BTreeMap::new();
    for (key, value, origin) in effective.entries() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<48} # {origin}", format!("{key} = {value}"));
        all.insert(key.to_owned(), json!({"value": value, "source": origin.to_string()}));
    }
    output.say(&all, text)
}
