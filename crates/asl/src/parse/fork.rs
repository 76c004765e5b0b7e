//! Parallel and Map states.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Names, Parser};
use crate::definition::{Items, Kind, MapState, Parallel, Tolerance};
use crate::diagnostic::child;

/// What only a distributed Map may have.
const DISTRIBUTED_ONLY: [&str; 3] = ["ItemReader", "ItemBatcher", "ResultWriter"];
/// Longest `Label`, in characters.
const LABEL_CHARS: usize = 40;

impl Parser {
    pub(super) fn parallel(
        &mut self,
        map: &Map<String, Value>,
        pointer: &str,
        names: &Names<'_>,
        depth: usize,
    ) -> Option<Kind> {
        let outcomes = self.outcomes(map, pointer, names);
        let mut fields = Fields::new(self, map, pointer);
        let parameters = fields.template(if fields.is_jsonata() { "Arguments" } else { "Parameters" });
        if map.get("Branches").is_none() {
            fields.missing("Branches", "holds the branches");
        }
        let branches = fields.array("Branches")?;
        let at = child(pointer, "Branches");
        if branches.is_empty() {
            self.error(&at, "NO_BRANCHES", "`Branches` is empty; add a branch with `StartAt` and `States`");
        }
        let scopes: Vec<Option<usize>> =
            branches.iter().enumerate().map(|(n, branch)| self.branch(branch, &format!("{at}/{n}"), depth)).collect();
        let branches = scopes.into_iter().collect::<Option<Vec<usize>>>()?;
        Some(Kind::Parallel(Box::new(Parallel { branches, parameters, outcomes })))
    }

    fn branch(&mut self, value: &Value, pointer: &str, depth: usize) -> Option<usize> {
        let Value::Object(map) = value else {
            self.error(pointer, "WRONG_TYPE", "a branch must be an object with `StartAt` and `States`");
            return None;
        };
        Fields::new(self, map, pointer).only(&["StartAt", "States", "Comment"], "a branch");
        self.scope(map, pointer, depth + 1)
    }

    pub(super) fn map_state(
        &mut self,
        map: &Map<String, Value>,
        pointer: &str,
        names: &Names<'_>,
        depth: usize,
    ) -> Option<Kind> {
        let outcomes = self.outcomes(map, pointer, names);
        let mut fields = Fields::new(self, map, pointer);
        // `Parameters` is what `ItemSelector` was called before.
        let jsonata = fields.is_jsonata();
        let selector = if jsonata { Some("ItemSelector") } else { fields.one_of(&["ItemSelector", "Parameters"]) };
        let item_selector = selector.and_then(|field| fields.template(field));
        let items_path = match jsonata {
            true => None,
            false => fields.query("ItemsPath").filter(|query| !query.is_input()),
        };
        let items = if jsonata { items(&mut fields) } else { None };
        let max_concurrency = fields.seconds("MaxConcurrency", 0, u64::MAX);
        let tolerated_count = tolerance(&mut fields, "ToleratedFailureCount", f64::MAX);
        let tolerated_percentage = tolerance(&mut fields, "ToleratedFailurePercentage", 100.0);
        let label = fields.string("Label").map(str::to_owned);
        if let Some(label) = &label {
            self.check_label(label, &child(pointer, "Label"));
        }
        let mut fields = Fields::new(self, map, pointer);
        let reader = fields.object("ItemReader");
        let batcher = fields.object("ItemBatcher");
        let writer = fields.object("ResultWriter");
        let reader = reader.map(|reader| self.reader(reader, &child(pointer, "ItemReader")));
        let batcher = batcher.map(|batcher| self.batcher(batcher, &child(pointer, "ItemBatcher")));
        let writer = writer.map(|writer| self.writer(writer, &child(pointer, "ResultWriter")));
        let mut fields = Fields::new(self, map, pointer);
        let processor_fields: &[&str] = if jsonata { &["ItemProcessor"] } else { &["ItemProcessor", "Iterator"] };
        let Some(processor_field) = fields.one_of(processor_fields) else {
            fields.missing("ItemProcessor", "holds the states that run for each item");
            return None;
        };
        let processor = fields.object(processor_field)?;
        let at = child(pointer, processor_field);
        Fields::new(self, processor, &at)
            .only(&["StartAt", "States", "Comment", "ProcessorConfig"], "an item processor");
        let (distributed, express) = self.processor_config(processor, &at);
        if !distributed {
            for field in DISTRIBUTED_ONLY.into_iter().filter(|field| map.contains_key(*field)) {
                let message = format!("`{field}` needs `\"Mode\": \"DISTRIBUTED\"` in the `ProcessorConfig`");
                self.error(&child(pointer, field), "DISTRIBUTED_ONLY", message);
            }
            for field in ["Label", "ToleratedFailureCount", "ToleratedFailurePercentage"] {
                if map.contains_key(field) {
                    let message = format!("`{field}` has an effect only with `\"Mode\": \"DISTRIBUTED\"`");
                    self.warning(&child(pointer, field), "NO_EFFECT", message);
                }
            }
        }
        let processor = self.scope(processor, &at, depth + 1)?;
        Some(Kind::Map(Box::new(MapState {
            processor,
            distributed,
            express,
            label,
            items_path,
            items,
            item_selector,
            max_concurrency,
            tolerated_count,
            tolerated_percentage,
            reader: part(reader)?,
            batcher: part(batcher)?,
            writer: part(writer)?,
            outcomes,
        })))
    }

    /// Whether the Map is distributed, and whether its children are Express executions.
    fn processor_config(&mut self, processor: &Map<String, Value>, pointer: &str) -> (bool, bool) {
        let at = child(pointer, "ProcessorConfig");
        let Some(config) = processor.get("ProcessorConfig") else { return (false, false) };
        let Value::Object(config) = config else {
            self.error(&at, "WRONG_TYPE", "`ProcessorConfig` must be an object with `Mode`");
            return (false, false);
        };
        let mut fields = Fields::new(self, config, &at);
        fields.only(&["Mode", "ExecutionType"], "`ProcessorConfig`");
        let express = fields.string("ExecutionType") == Some("EXPRESS");
        let distributed = match fields.string("Mode") {
            None | Some("INLINE") => false,
            Some("DISTRIBUTED") => true,
            Some(other) => {
                let message = format!("`{other}` is no mode; write INLINE or DISTRIBUTED");
                self.error(&child(&at, "Mode"), "BAD_MODE", message);
                false
            }
        };
        (distributed, express)
    }

    fn check_label(&mut self, label: &str, at: &str) {
        if label.is_empty() || label.chars().nth(LABEL_CHARS).is_some() {
            let problem = match label.is_empty() {
                true => "Label cannot be empty".to_owned(),
                false => format!("Label cannot exceed {LABEL_CHARS} characters"),
            };
            self.error(at, "BAD_LABEL", problem);
        }
        let bad = |c: &char| c.is_whitespace() || c.is_control() || "<>{}[]?*\"#%\\^|~`$&,;:/".contains(*c);
        if let Some(c) = label.chars().find(bad) {
            self.error(at, "BAD_LABEL", format!("Label contains invalid character: {c:?}"));
        }
    }
}

/// A part that is not there, or read; `None` if it could not be read, which has been reported.
#[expect(clippy::option_option, reason = "there and readable are two questions")]
fn part<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    match part {
        None => Some(None),
        Some(read) => read.map(Some),
    }
}

/// `Items`: an expression, or an array that may hold expressions.
fn items(fields: &mut Fields<'_, '_>) -> Option<Items> {
    if fields.is_formula("Items") {
        return fields.formula("Items").map(Items::Formula);
    }
    match fields.get("Items")? {
        Value::Array(_) | Value::Object(_) => fields.template("Items").map(Items::Template),
        _ => {
            let at = fields.at("Items");
            fields.parser.error(&at, "WRONG_TYPE", "`Items` must be an array or an expression `{% ... %}`");
            None
        }
    }
}

fn tolerance(fields: &mut Fields<'_, '_>, field: &str, most: f64) -> Option<Tolerance> {
    if fields.is_formula(field) {
        return fields.formula(field).map(Tolerance::Formula);
    }
    let path = format!("{field}Path");
    if !fields.is_jsonata() {
        fields.one_of(&[field, &path]);
    }
    match fields.get(&path).filter(|_| !fields.is_jsonata()) {
        Some(_) => fields.query(&path).map(Tolerance::Path),
        None => fields.number(field, 0.0, most).map(Tolerance::Fixed),
    }
}
