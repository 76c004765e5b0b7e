//! The flows: every version in the store, the latest of each by name. An execution is pinned to the version it started
//! with.

use std::collections::HashMap;
use std::sync::Arc;

use asl::{Definition, Diagnostic, Severity};
use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use store::{Batch, BoxError, CommitError, Key, Query, ReadError, Row, Store, Value, clock, id};

use crate::tables::FLOWS;

/// One version of a flow.
#[derive(Debug)]
pub struct Flow {
    /// The id that executions are pinned to.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The parsed definition.
    pub definition: Arc<Definition>,
    /// The role that its executions show; `None` for the engine's own.
    pub role_arn: Option<String>,
}

/// Versions of flows kept in memory; others are read and parsed again.
const MAX_IN_MEMORY: usize = 4_096;

/// Parses a definition. The runtime serves every resource that the language knows.
///
/// # Errors
/// Everything that prevents it from running.
pub(crate) fn check(text: &str) -> Result<Definition, Vec<Diagnostic>> {
    Definition::parse(text)
        .map_err(|diagnostics| diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect::<Vec<_>>())
}

/// The SHA-256 of a text in hexadecimal digits.
pub(crate) fn sha256(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Why a flow was not registered.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// The definition has errors.
    #[error("flow `{name}` is not valid: {}", list(.diagnostics))]
    Invalid {
        /// The flow.
        name: String,
        /// What is wrong, and where.
        diagnostics: Vec<Diagnostic>,
    },
    /// The store failed.
    #[error("the flow could not be stored")]
    Store(#[source] BoxError),
}

fn list(diagnostics: &[Diagnostic]) -> String {
    let lines: Vec<String> = diagnostics.iter().map(|d| format!("at `{}`: {}", d.pointer, d.message)).collect();
    lines.join("; ")
}

impl From<CommitError> for FlowError {
    fn from(error: CommitError) -> FlowError {
        FlowError::Store(error.into())
    }
}

impl From<ReadError> for FlowError {
    fn from(error: ReadError) -> FlowError {
        FlowError::Store(error.into())
    }
}

/// The row of one version of a flow.
pub(crate) fn row(
    id: i64,
    name: &str,
    text: &str,
    role_arn: Option<&str>,
    revision: Option<&str>,
    settings: Option<String>,
) -> Row {
    let values: Vec<Value> = vec![
        name.into(),
        sha256(text).into(),
        clock::now_ms().into(),
        text.into(),
        role_arn.into(),
        revision.into(),
        settings.into(),
    ];
    Row::new(&FLOWS, id, values)
}

/// The registry.
pub(crate) struct Flows {
    store: Arc<dyn Store>,
    by_id: RwLock<HashMap<i64, Arc<Flow>>>,
    latest: RwLock<HashMap<String, Arc<Flow>>>,
}

impl Flows {
    pub(crate) fn new(store: Arc<dyn Store>) -> Flows {
        Flows { store, by_id: RwLock::default(), latest: RwLock::default() }
    }

    /// Makes this text the latest version of the flow, storing it if it differs from the one before.
    pub(crate) async fn register(&self, name: &str, text: &str) -> Result<Arc<Flow>, FlowError> {
        let invalid = |diagnostics: Vec<Diagnostic>| FlowError::Invalid { name: name.into(), diagnostics };
        let definition = check(text).map_err(invalid)?;
        let hash = sha256(text);
        let versions = self.store.query(Query::index(&FLOWS, "by_name", name).descending().limit(1)).await?;
        let known =
            versions.rows.first().filter(|row| row.text("sha256") == Some(&hash)).and_then(|row| row.key().int());
        let id = match known {
            Some(id) => id,
            None => {
                let id = id::next();
                let mut batch = Batch::new();
                batch.insert(row(id, name, text, None, None, None));
                self.store.commit(batch).await?.durable().await?;
                id
            }
        };
        let flow = Arc::new(Flow { id, name: name.into(), definition: Arc::new(definition), role_arn: None });
        self.remember(flow.clone());
        self.latest.write().insert(name.into(), flow.clone());
        Ok(flow)
    }

    /// Keeps a version in memory.
    pub(crate) fn remember(&self, flow: Arc<Flow>) {
        let mut by_id = self.by_id.write();
        if by_id.len() >= MAX_IN_MEMORY {
            by_id.clear();
        }
        by_id.insert(flow.id, flow);
    }

    /// The latest version of a flow.
    pub(crate) fn latest(&self, name: &str) -> Option<Arc<Flow>> {
        self.latest.read().get(name).cloned()
    }

    /// A version by its id, from memory or the store.
    pub(crate) async fn version(&self, id: i64) -> Result<Option<Arc<Flow>>, FlowError> {
        let known = self.by_id.read().get(&id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some(row) = self.store.get(&FLOWS, &Key::Int(id)).await? else { return Ok(None) };
        let name = row.text("name").unwrap_or_default().to_owned();
        let text = row.text("definition").unwrap_or_default();
        let definition =
            Definition::parse(text).map_err(|diagnostics| FlowError::Invalid { name: name.clone(), diagnostics })?;
        let role_arn = row.text("role_arn").map(str::to_owned);
        let flow = Arc::new(Flow { id, name, definition: Arc::new(definition), role_arn });
        self.remember(flow.clone());
        Ok(Some(flow))
    }
}
