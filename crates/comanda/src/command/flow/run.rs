//! `comanda flow run`: a flow on the real engine over a store in memory, in real time.

mod function;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use asl::Definition;
use parking_lot::Mutex;
use runtime::{Builder, Config, Runtime};
use serde_json::{Value, json};
use store::Batch;
use store::memory::MemoryStore;

use super::files;
use super::test::cases::{self, Mocks};
use super::test::script::Script;
use crate::cli;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use function::{Address, Mocked, Stage};

/// What the flow is called.
const NAME: &str = "flow";
/// How often the execution is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long the engine may take to stop; a task that nobody answers is left alone.
const STOP_LIMIT: Duration = Duration::from_millis(200);

/// Runs a flow and prints what it gives.
///
/// # Errors
/// The flow or the arguments are not valid, or the execution does not succeed.
pub(super) async fn run(arguments: &cli::FlowRun, output: Output) -> Result<(), Failure> {
    let (file, definition) = files::valid(&arguments.file)?;
    let input = input(&arguments.input)?;
    let script = match &arguments.mock {
        Some(mock) => Some(script(mock)?),
        None => None,
    };
    let key = [0; 32];
    let mut builder = Builder::new(Arc::new(MemoryStore::new()), key, Config::default());
    let addresses: BTreeMap<&str, &str> = arguments.function.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let waiting = definition.all_states().filter(|state| state.resource().is_some_and(asl::Resource::waits_for_token));
    let stage =
        script.map(|script| Stage::new(Mutex::new(script), key, waiting.map(|s| s.name().to_owned()).collect()));
    let mut known = functions(&definition, &file.filled);
    known.extend(addresses.keys().map(|name| (*name).to_owned()));
    let mut missing = Vec::new();
    for name in known {
        builder = match (addresses.get(name.as_str()), &stage) {
            (Some(address), _) => builder.function(name, Arc::new(Address::new(address)?)),
            (None, Some(stage)) => builder.function(name, Arc::new(Mocked(stage.clone()))),
            (None, None) => {
                missing.push(name);
                builder
            }
        };
    }
    if !missing.is_empty() {
        let missing = missing.join("`, `");
        let cure = "answer them with `--mock FILE.cases.json` or `--function NAME=URL`";
        return Err(Failure::new(Kind::Usage, format!("nobody answers the functions `{missing}`; {cure}")));
    }
    check_mocks(stage.as_deref(), &definition, &addresses)?;
    let runtime = Arc::new(builder.build());
    if let Some(stage) = &stage {
        stage.attach(&runtime);
    }
    let finished = execute(&runtime, &file.filled, input, arguments, output).await;
    // What is under way is of no interest any more, nor is a store in memory.
    let _ = runtime.stop(STOP_LIMIT).await;
    finished
}

async fn execute(
    runtime: &Runtime,
    flow: &str,
    input: Value,
    arguments: &cli::FlowRun,
    output: Output,
) -> Result<(), Failure> {
    let failed = |e: store::BoxError| Failure::from(anyhow::Error::from_boxed(e));
    runtime.register_flow(NAME, flow).await.map_err(|e| Failure::new(Kind::Refused, e.to_string()))?;
    runtime.start().await.map_err(failed)?;
    let mut batch = Batch::new();
    let id = batch.start_flow(NAME, "run", input);
    runtime.store().commit(batch).await?.durable().await?;
    let end = tokio::time::Instant::now() + arguments.limit.std();
    let mut shown = 0;
    loop {
        // In this order: what has happened before the end is shown before it.
        let description = runtime.describe(id).await.map_err(failed)?;
        if arguments.events {
            shown = show(runtime, id, shown, output).await?;
        }
        match description {
            Some(description) if description.status != "RUNNING" => return conclude(&description, output),
            Some(description) if tokio::time::Instant::now() > end => {
                let message = format!("it has not ended; it is at {}", description.waiting_for.join(", "));
                return Err(Failure::new(Kind::Failed, message));
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

fn conclude(end: &runtime::Description, output: Output) -> Result<(), Failure> {
    let value = json!({"status": end.status, "output": end.output, "error": end.error, "cause": end.cause});
    match (end.status.as_str(), &end.output) {
        ("SUCCEEDED", Some(out)) => output.say(&value, out.to_string()),
        _ => {
            if output.is_json() {
                output.say(&value, "")?;
            }
            let (error, cause) =
                (end.error.as_deref().unwrap_or("no error"), end.cause.as_deref().unwrap_or("no cause"));
            Err(Failure::new(Kind::Failed, format!("{}: {error}: {cause}", end.status)))
        }
    }
}

/// Prints the events after the first `shown`, and answers how many there are.
async fn show(runtime: &Runtime, id: i64, shown: usize, output: Output) -> Result<usize, Failure> {
    let history = runtime.history(id).await.map_err(anyhow::Error::from_boxed)?.unwrap_or_default();
    for event in history.iter().skip(shown) {
        let value = event.to_value();
        let fields = value.as_object().into_iter().flatten();
        let details: Vec<String> =
            fields.filter(|(name, _)| name.ends_with("EventDetails")).map(|(_, details)| details.to_string()).collect();
        output.say(&value, format!("{:>5} {} {}", event.id, event.kind, details.join(" ")))?;
    }
    Ok(history.len())
}

fn input(text: &str) -> Result<Value, Failure> {
    let text = match text.strip_prefix('@') {
        Some(file) => files::read(Path::new(file))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|e| Failure::new(Kind::Usage, format!("the input is not JSON: {e}")))
}

/// `FILE` or `FILE#CASE`.
fn script(mock: &str) -> Result<Script, Failure> {
    let (path, case) = match mock.split_once('#') {
        Some((path, case)) => (path, Some(case)),
        None => (mock, None),
    };
    let file = cases::read(Path::new(path))?;
    let own = match case {
        None => Mocks::new(),
        Some(name) => {
            let found = file.cases.into_iter().find(|(other, _)| other == name);
            let missing = || Failure::new(Kind::NotFound, format!("`{path}` has no case `{name}`"));
            found.ok_or_else(missing)?.1.mocks
        }
    };
    Ok(Script::new([own, file.mocks]))
}

/// The functions that a flow calls by names that stand in it.
fn functions(definition: &Definition, text: &str) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        text.split(":function:").skip(1).filter_map(|rest| rest.split(['"', ':']).next()).map(str::to_owned).collect();
    names.extend(definition.all_states().filter_map(|state| match &state.resource()?.kind {
        asl::resource::Kind::Function { name } => Some(name.clone()),
        _ => None,
    }));
    names
}

/// Every task of a function that has no address needs an answer.
fn check_mocks(
    stage: Option<&Stage>,
    definition: &Definition,
    addresses: &BTreeMap<&str, &str>,
) -> Result<(), Failure> {
    let Some(stage) = stage.filter(|_| addresses.is_empty()) else { return Ok(()) };
    let is_function = |state: &asl::StateView<'_>| state.resource().is_some_and(asl::Resource::is_function);
    let states = definition.all_states().filter(is_function);
    let unknown: Vec<&str> = states.map(|state| state.name()).filter(|state| !stage.knows(state)).collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => {
            Err(Failure::new(Kind::Usage, format!("nobody answers `{}`; add them to `mocks`", unknown.join("`, `"))))
        }
    }
}
