//! Finds out which parts of the context object and which variables a flow reads.

use std::collections::{BTreeMap, BTreeSet};

use crate::choice::Condition;
use crate::definition::{Items, Kind, MapState, Reads, Scope, Seconds, Selector, State, Text, Tolerance, Wait};
use crate::diagnostic::{Diagnostic, hint};
use crate::formula::Formula;
use crate::query::{Query, Root};
use crate::template::Template;

/// The variables that each state reads, sorted, under the states' names; states that read none are left out.
pub(crate) fn variable_references(scopes: &[Scope]) -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for state in scopes.iter().flat_map(|scope| &scope.states) {
        let mut names = BTreeSet::new();
        queries(state, &mut |query| {
            if let Root::Variable(name) = &query.root {
                names.insert(name.to_string());
            }
        });
        formulas(state, &mut |formula| names.extend(formula.free_variables().map(str::to_owned)));
        if !names.is_empty() {
            out.insert(String::from(&*state.name), names);
        }
    }
    out
}

/// What the states of `scopes` read.
pub(crate) fn of(scopes: &[Scope]) -> Reads {
    let mut reads = Reads::default();
    for state in scopes.iter().flat_map(|scope| &scope.states) {
        queries(state, &mut |query| note(query, &mut reads));
        formulas(state, &mut |formula| {
            reads.execution_input |= formula.states().execution_input;
            reads.map_item |= formula.states().map_item;
        });
    }
    reads
}

/// Reports variables that states read and no `Assign` sets.
pub(crate) fn unset_variables(scopes: &[Scope]) -> Vec<Diagnostic> {
    let states = || scopes.iter().flat_map(|scope| &scope.states);
    let set: BTreeSet<&str> = states().flat_map(assigns).flat_map(Template::names).collect();
    let mut found = Vec::new();
    for state in states() {
        let mut unset = |text: &str, name: &str| {
            let hint = hint(name, set.iter().copied());
            let message = format!("`{text}` reads the variable `{name}`, which no `Assign` sets{hint}");
            found.push(Diagnostic::warning(state.pointer.as_str(), "UNSET_VARIABLE", message));
        };
        queries(state, &mut |query| {
            if let Root::Variable(name) = &query.root
                && !set.contains(&**name)
            {
                unset(&query.text, name);
            }
        });
        formulas(state, &mut |formula| {
            for name in formula.free_variables().filter(|name| !set.contains(name)) {
                unset(formula.text(), name);
            }
        });
    }
    found
}

/// What a state assigns, in every case.
pub(crate) fn assigns(state: &State) -> Vec<&Template> {
    let rules = match &state.kind {
        Kind::Choice(choice) => choice.rules.as_slice(),
        _ => &[],
    };
    let catchers = state.kind.outcomes().map(|outcomes| outcomes.catch.as_slice()).unwrap_or_default();
    let of_rules = rules.iter().filter_map(|rule| rule.assign.as_ref());
    let of_catchers = catchers.iter().filter_map(|catcher| catcher.assign.as_ref());
    state.assign.iter().chain(of_rules).chain(of_catchers).collect()
}

fn note(query: &Query, reads: &mut Reads) {
    if query.root != Root::Context {
        return;
    }
    let mut names = query.path.leading_names();
    match (names.next(), names.next()) {
        (None, _) => {
            reads.execution_input = true;
            reads.map_item = true;
        }
        (Some("Execution"), None | Some("Input")) => reads.execution_input = true,
        (Some("Map"), _) => reads.map_item = true,
        _ => {}
    }
}

fn queries<'a>(state: &'a State, each: &mut dyn FnMut(&'a Query)) {
    for selector in [&state.input_path, &state.output_path] {
        if let Selector::Query(query) = selector {
            each(query);
        }
    }
    template(&state.assign, each);
    match &state.kind {
        Kind::Pass(pass) => template(&pass.parameters, each),
        Kind::Task(task) => {
            template(&task.parameters, each);
            template(&task.credentials, each);
            for seconds in [&task.timeout, &task.heartbeat] {
                if let Some(Seconds::Path(query)) = seconds {
                    each(query);
                }
            }
        }
        Kind::Choice(choice) => {
            for rule in &choice.rules {
                rule.condition.queries(each);
                template(&rule.assign, each);
            }
        }
        Kind::Wait(wait) => match &**wait {
            Wait::SecondsPath(query) | Wait::TimestampPath(query) => each(query),
            Wait::Seconds(_) | Wait::Timestamp(_) | Wait::SecondsFormula(_) | Wait::TimestampFormula(_) => {}
        },
        Kind::Succeed => {}
        Kind::Fail(fail) => {
            for text in [&fail.error, &fail.cause] {
                if let Some(Text::Computed(expression)) = text {
                    expression.queries(each);
                }
            }
        }
        Kind::Parallel(parallel) => template(&parallel.parameters, each),
        Kind::Map(map) => {
            if let Some(query) = &map.items_path {
                each(query);
            }
            template(&map.item_selector, each);
            for (arguments, counts) in map_parts(map) {
                template(arguments, each);
                for count in counts {
                    if let Some(Seconds::Path(query)) = count {
                        each(query);
                    }
                }
            }
            if let Some(Seconds::Path(query)) = &map.max_concurrency {
                each(query);
            }
            for tolerance in [&map.tolerated_count, &map.tolerated_percentage] {
                if let Some(Tolerance::Path(query)) = tolerance {
                    each(query);
                }
            }
        }
    }
    if let Some(outcomes) = state.kind.outcomes() {
        template(&outcomes.result_selector, each);
        for catcher in &outcomes.catch {
            template(&catcher.assign, each);
        }
    }
}

/// The JSONata of a state.
fn formulas<'a>(state: &'a State, each: &mut dyn FnMut(&'a Formula)) {
    for template in assigns(state).into_iter().chain(&state.output) {
        template.formulas(each);
    }
    let of = |template: &'a Option<Template>, each: &mut dyn FnMut(&'a Formula)| {
        if let Some(template) = template {
            template.formulas(each);
        }
    };
    let seconds = |seconds: &'a Option<Seconds>, each: &mut dyn FnMut(&'a Formula)| {
        if let Some(Seconds::Formula(formula)) = seconds {
            each(formula);
        }
    };
    match &state.kind {
        Kind::Task(task) => {
            of(&task.parameters, each);
            of(&task.credentials, each);
            seconds(&task.timeout, each);
            seconds(&task.heartbeat, each);
        }
        Kind::Choice(choice) => {
            for rule in &choice.rules {
                if let Condition::Formula(formula) = &rule.condition {
                    each(formula);
                }
                of(&rule.output, each);
            }
        }
        Kind::Wait(wait) => {
            if let Wait::SecondsFormula(formula) | Wait::TimestampFormula(formula) = &**wait {
                each(formula);
            }
        }
        Kind::Fail(fail) => {
            for text in [&fail.error, &fail.cause] {
                if let Some(Text::Formula(formula)) = text {
                    each(formula);
                }
            }
        }
        Kind::Parallel(parallel) => of(&parallel.parameters, each),
        Kind::Map(map) => {
            match &map.items {
                Some(Items::Formula(formula)) => each(formula),
                Some(Items::Template(template)) => template.formulas(each),
                None => {}
            }
            of(&map.item_selector, each);
            for (arguments, counts) in map_parts(map) {
                of(arguments, each);
                for count in counts {
                    seconds(count, each);
                }
            }
            seconds(&map.max_concurrency, each);
            for tolerance in [&map.tolerated_count, &map.tolerated_percentage] {
                if let Some(Tolerance::Formula(formula)) = tolerance {
                    each(formula);
                }
            }
        }
        Kind::Pass(_) | Kind::Succeed => {}
    }
    for catcher in state.kind.outcomes().map(|outcomes| outcomes.catch.as_slice()).unwrap_or_default() {
        of(&catcher.output, each);
    }
}

/// What is computed for the item reader, the batcher and the result writer: a template and counts each.
fn map_parts(map: &MapState) -> impl Iterator<Item = (&Option<Template>, [&Option<Seconds>; 2])> {
    let reader = map.reader.iter().map(|part| (&part.arguments, [&part.most_items, &NO_COUNT]));
    let batcher = map.batcher.iter().map(|part| (&part.input, [&part.most_items, &part.most_bytes]));
    let writer = map.writer.iter().map(|part| (&part.arguments, [&NO_COUNT, &NO_COUNT]));
    reader.chain(batcher).chain(writer)
}

const NO_COUNT: Option<Seconds> = None;

fn template<'a>(template: &'a Option<Template>, each: &mut dyn FnMut(&'a Query)) {
    if let Some(template) = template {
        template.queries(each);
    }
}
