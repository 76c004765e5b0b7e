//! Finds out which parts of the context object a flow reads.

use crate::definition::{Kind, Reads, Scope, Seconds, Selector, State, Text, Tolerance, Wait};
use crate::query::{Query, Root};
use crate::template::Template;

/// What the states of `scopes` read.
pub(crate) fn of(scopes: &[Scope]) -> Reads {
    let mut reads = Reads::default();
    for state in scopes.iter().flat_map(|scope| &scope.states) {
        queries(state, &mut |query| note(query, &mut reads));
    }
    reads
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
            Wait::Seconds(_) | Wait::Timestamp(_) => {}
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

fn template<'a>(template: &'a Option<Template>, each: &mut dyn FnMut(&'a Query)) {
    if let Some(template) = template {
        template.queries(each);
    }
}
