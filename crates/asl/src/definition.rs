//! A parsed, validated flow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::choice::Condition;
use crate::data::Step;
use crate::diagnostic::Diagnostic;
use crate::formula::Formula;
use crate::history::Turn;
use crate::items::{Config, Transformation};
use crate::query::Query;
use crate::resource::Resource;
use crate::template::{Expression, Template};

/// The language in which a definition computes values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryLanguage {
    /// Paths and intrinsic functions.
    #[default]
    JsonPath,
    /// Expressions `{% ... %}`.
    Jsonata,
}

/// A parsed, validated flow. Share it as `Arc<Definition>`.
#[derive(Debug, Clone)]
pub struct Definition {
    pub(crate) comment: Option<String>,
    pub(crate) query_language: QueryLanguage,
    pub(crate) timeout_s: Option<u64>,
    /// The flow itself, then every branch and item processor.
    pub(crate) scopes: Vec<Scope>,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) reads: Reads,
}

/// Which parts of the context object the flow reads, so that the rest need not be kept.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reads {
    pub(crate) execution_input: bool,
    pub(crate) map_item: bool,
}

/// States that transition among each other.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) start: usize,
    pub(crate) states: Vec<State>,
}

#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) name: Arc<str>,
    pub(crate) pointer: String,
    pub(crate) comment: Option<String>,
    pub(crate) input_path: Selector,
    pub(crate) output_path: Selector,
    pub(crate) assign: Option<Template>,
    /// `Output` of a JSONata state.
    pub(crate) output: Option<Template>,
    pub(crate) language: QueryLanguage,
    pub(crate) next: Next,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    State(usize),
    End,
}

/// `InputPath` and `OutputPath`.
#[derive(Debug, Clone)]
pub(crate) enum Selector {
    Whole,
    /// `null`: an empty object instead of the data.
    Empty,
    Query(Query),
}

/// `ResultPath`.
#[derive(Debug, Clone)]
pub(crate) enum ResultPath {
    Whole,
    /// `null`: the input goes on, the result is dropped.
    Discard,
    At(Vec<Step>, Box<str>),
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Pass(Box<Pass>),
    Task(Box<Task>),
    Choice(Box<Choice>),
    Wait(Box<Wait>),
    Succeed,
    Fail(Box<Fail>),
    Parallel(Box<Parallel>),
    Map(Box<MapState>),
}

#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub(crate) result: Option<Value>,
    pub(crate) parameters: Option<Template>,
    pub(crate) result_path: ResultPath,
}

/// What Task, Parallel and Map do with their result.
#[derive(Debug, Clone)]
pub(crate) struct Outcomes {
    pub(crate) result_selector: Option<Template>,
    pub(crate) result_path: ResultPath,
    pub(crate) retry: Vec<Retrier>,
    pub(crate) catch: Vec<Catcher>,
}

#[derive(Debug, Clone)]
pub(crate) struct Retrier {
    pub(crate) errors: Vec<String>,
    pub(crate) interval_s: u64,
    pub(crate) max_attempts: u32,
    pub(crate) backoff_rate: f64,
    pub(crate) max_delay_s: Option<u64>,
    pub(crate) full_jitter: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Catcher {
    pub(crate) errors: Vec<String>,
    pub(crate) next: usize,
    pub(crate) result_path: ResultPath,
    pub(crate) assign: Option<Template>,
    pub(crate) output: Option<Template>,
}

/// A number of seconds, written down or found by a path.
#[derive(Debug, Clone)]
pub(crate) enum Seconds {
    Fixed(u64),
    Path(Query),
    Formula(Formula),
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) resource: Arc<Resource>,
    pub(crate) parameters: Option<Template>,
    pub(crate) credentials: Option<Template>,
    pub(crate) timeout: Option<Seconds>,
    pub(crate) heartbeat: Option<Seconds>,
    pub(crate) outcomes: Outcomes,
}

#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) rules: Vec<Rule>,
    pub(crate) default: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) condition: Condition,
    pub(crate) next: usize,
    pub(crate) assign: Option<Template>,
    pub(crate) output: Option<Template>,
}

#[derive(Debug, Clone)]
pub(crate) enum Wait {
    Seconds(u64),
    SecondsPath(Query),
    /// Nanoseconds since 1970.
    Timestamp(i128),
    TimestampPath(Query),
    SecondsFormula(Formula),
    TimestampFormula(Formula),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Fail {
    pub(crate) error: Option<Text>,
    pub(crate) cause: Option<Text>,
}

/// A text, written down or computed.
#[derive(Debug, Clone)]
pub(crate) enum Text {
    Fixed(String),
    Computed(Expression),
    Formula(Formula),
}

#[derive(Debug, Clone)]
pub(crate) struct Parallel {
    /// The scopes of the branches.
    pub(crate) branches: Vec<usize>,
    pub(crate) parameters: Option<Template>,
    pub(crate) outcomes: Outcomes,
}

#[derive(Debug, Clone)]
pub(crate) struct MapState {
    pub(crate) processor: usize,
    pub(crate) distributed: bool,
    /// Whether its children are Express executions.
    pub(crate) express: bool,
    pub(crate) label: Option<String>,
    pub(crate) items_path: Option<Query>,
    /// `Items` of a JSONata state.
    pub(crate) items: Option<Items>,
    pub(crate) item_selector: Option<Template>,
    pub(crate) max_concurrency: Option<Seconds>,
    pub(crate) tolerated_count: Option<Tolerance>,
    pub(crate) tolerated_percentage: Option<Tolerance>,
    pub(crate) reader: Option<Reader>,
    pub(crate) batcher: Option<Batcher>,
    pub(crate) writer: Option<Writer>,
    pub(crate) outcomes: Outcomes,
}

/// `ItemReader`.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pub(crate) resource: Arc<Resource>,
    pub(crate) arguments: Option<Template>,
    pub(crate) config: Config,
    pub(crate) most_items: Option<Seconds>,
}

/// `ItemBatcher`.
#[derive(Debug, Clone)]
pub(crate) struct Batcher {
    pub(crate) most_items: Option<Seconds>,
    pub(crate) most_bytes: Option<Seconds>,
    pub(crate) input: Option<Template>,
}

/// `ResultWriter`; without a resource it only transforms the results.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) resource: Option<Arc<Resource>>,
    pub(crate) arguments: Option<Template>,
    pub(crate) transformation: Transformation,
    pub(crate) lines: bool,
}

/// How many failed items a distributed Map tolerates.
#[derive(Debug, Clone)]
pub(crate) enum Tolerance {
    Fixed(f64),
    Path(Query),
    Formula(Formula),
}

/// `Items`: one expression, or an array that may hold some.
#[derive(Debug, Clone)]
pub(crate) enum Items {
    Formula(Formula),
    Template(Template),
}

impl Kind {
    /// The state type as it is written.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Kind::Pass(_) => "Pass",
            Kind::Task(_) => "Task",
            Kind::Choice(_) => "Choice",
            Kind::Wait(_) => "Wait",
            Kind::Succeed => "Succeed",
            Kind::Fail(_) => "Fail",
            Kind::Parallel(_) => "Parallel",
            Kind::Map(_) => "Map",
        }
    }

    pub(crate) fn outcomes(&self) -> Option<&Outcomes> {
        match self {
            Kind::Task(task) => Some(&task.outcomes),
            Kind::Parallel(parallel) => Some(&parallel.outcomes),
            Kind::Map(map) => Some(&map.outcomes),
            _ => None,
        }
    }
}

impl State {
    /// Indexes of the states that can follow, the usual one first.
    pub(crate) fn followers(&self) -> Vec<usize> {
        let mut out = Vec::new();
        match (&self.kind, self.next) {
            (Kind::Choice(choice), _) => {
                out.extend(choice.rules.iter().map(|rule| rule.next));
                out.extend(choice.default);
            }
            (Kind::Succeed | Kind::Fail(_), _) | (_, Next::End) => {}
            (_, Next::State(next)) => out.push(next),
        }
        if let Some(outcomes) = self.kind.outcomes() {
            out.extend(outcomes.catch.iter().map(|catcher| catcher.next));
        }
        out
    }

    /// Whether a scope ends here.
    pub(crate) fn is_terminal(&self) -> bool {
        match self.kind {
            Kind::Succeed | Kind::Fail(_) => true,
            Kind::Choice(_) => false,
            _ => self.next == Next::End,
        }
    }
}

/// A state as tools show it.
#[derive(Debug, Clone, Copy)]
pub struct StateView<'a> {
    definition: &'a Definition,
    scope: usize,
    state: &'a State,
}

impl Definition {
    /// Parses and validates a definition, after [`crate::substitute`] has filled in its placeholders.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the text; warnings are among them.
    pub fn parse(text: &str) -> Result<Definition, Vec<Diagnostic>> {
        crate::parse::definition(text)
    }

    /// The flow's comment.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The language in which it computes values.
    pub fn query_language(&self) -> QueryLanguage {
        self.query_language
    }

    /// After how many seconds an execution times out.
    pub fn timeout_s(&self) -> Option<u64> {
        self.timeout_s
    }

    /// The name of the first state.
    pub fn start_at(&self) -> &str {
        self.state(0, self.scope(0).map_or(0, |scope| scope.start)).map_or("", |state| &state.name)
    }

    /// What runs, but perhaps not as meant.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The states of the flow itself; [`StateView::scopes`] leads to those inside.
    pub fn states(&self) -> impl Iterator<Item = StateView<'_>> {
        self.views(0)
    }

    /// Every state, also those of branches and item processors.
    pub fn all_states(&self) -> impl Iterator<Item = StateView<'_>> {
        (0..self.scopes.len()).flat_map(|scope| self.views(scope))
    }

    /// What keeps the flow from being an Express state machine: activities, callbacks, `.sync`, distributed Maps.
    pub fn express_problems(&self) -> Vec<Diagnostic> {
        crate::validate::express(&self.scopes)
    }

    /// The variables that each state reads, as `DescribeStateMachine` shows them; states that read none are left out.
    pub fn variable_references(&self) -> BTreeMap<String, BTreeSet<String>> {
        crate::reads::variable_references(&self.scopes)
    }

    /// The resources that the flow's tasks name, each once.
    pub fn resources(&self) -> BTreeSet<&str> {
        self.all_states().filter_map(|state| state.resource()).map(|resource| resource.raw.as_str()).collect()
    }

    fn views(&self, scope: usize) -> impl Iterator<Item = StateView<'_>> {
        let states = self.scope(scope).map(|s| s.states.iter()).into_iter().flatten();
        states.map(move |state| StateView { definition: self, scope, state })
    }

    pub(crate) fn scope(&self, scope: usize) -> Option<&Scope> {
        self.scopes.get(scope)
    }

    pub(crate) fn state(&self, scope: usize, state: usize) -> Option<&State> {
        self.scopes.get(scope)?.states.get(state)
    }
}

impl<'a> StateView<'a> {
    /// The state's name.
    pub fn name(&self) -> &'a str {
        &self.state.name
    }

    /// Its type, such as `Task`.
    pub fn kind(&self) -> &'static str {
        self.state.kind.name()
    }

    /// Its comment.
    pub fn comment(&self) -> Option<&'a str> {
        self.state.comment.as_deref()
    }

    /// Where it stands in the definition, as a JSON pointer.
    pub fn pointer(&self) -> &'a str {
        &self.state.pointer
    }

    /// What a Task calls.
    pub fn resource(&self) -> Option<&'a Resource> {
        match &self.state.kind {
            Kind::Task(task) => Some(&task.resource),
            _ => None,
        }
    }

    /// Whether a flow, branch or item can end here.
    pub fn is_terminal(&self) -> bool {
        self.state.is_terminal()
    }

    /// The states that can follow: the usual ones first, then those of `Catch`.
    pub fn followers(&self) -> Vec<&'a str> {
        let name = |next: usize| self.definition.state(self.scope, next).map(|state| &*state.name);
        self.state.followers().into_iter().filter_map(name).collect()
    }

    /// The ways that the state can go, each with what leads there: the names of the errors, or the number of the rule.
    pub fn turns(&self) -> Vec<(Turn, String)> {
        let mut turns = vec![(Turn::Entered, String::new())];
        if let Kind::Choice(choice) = &self.state.kind {
            turns.extend((0..choice.rules.len()).map(|n| (Turn::Rule(n), format!("rule {}", n + 1))));
            turns.extend(choice.default.map(|_| (Turn::Default, "default".to_owned())));
        }
        if let Some(outcomes) = self.state.kind.outcomes() {
            let tried = outcomes.retry.iter().enumerate().filter(|(_, retrier)| retrier.max_attempts > 0);
            turns.extend(
                tried.map(|(n, retrier)| (Turn::Retrier(n), format!("retry of {}", retrier.errors.join(", ")))),
            );
            let caught = outcomes.catch.iter().enumerate();
            turns.extend(
                caught.map(|(n, catcher)| (Turn::Catcher(n), format!("catch of {}", catcher.errors.join(", ")))),
            );
        }
        turns
    }

    /// The states inside: of each branch of a Parallel, of the item processor of a Map.
    pub fn scopes(&self) -> Vec<Vec<StateView<'a>>> {
        let scopes: &[usize] = match &self.state.kind {
            Kind::Parallel(parallel) => &parallel.branches,
            Kind::Map(map) => std::slice::from_ref(&map.processor),
            _ => &[],
        };
        scopes.iter().map(|scope| self.definition.views(*scope).collect()).collect()
    }
}
