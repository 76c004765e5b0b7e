//! Installations on AWS, from a laptop.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::{Auditor, Ports, Secrets, Source};
use aws::DynamoStore;
use aws::client::{Aws, CallError, STATES};
use aws::queues;
use object_store::memory::InMemory;
use runtime::{Builder, DEAD, MAX_MESSAGES};
use serde_json::Value;
use store::message::MESSAGES;
use store::{Query, Schema, Store, Table};

use crate::command::dead_letters::{Count, Letter};
use crate::config::Config;
use crate::failure::{Failure, Kind};

/// How many messages are looked through for the names of queues.
const MAX_LOOKED: usize = 20_000;

/// What stands between the stack's name and the rest in the name that CloudFormation gives the table.
const TABLE_OF_STACK: &str = "-Table-";

/// An installation, with the credentials and the region of the environment.
pub(crate) struct Installation {
    aws: Aws,
    store: Arc<dyn Store>,
    /// What the names of its queues and state machines begin with.
    stack: String,
}

impl Installation {
    /// The one that `dynamodb:TABLE` names. Asks nothing of AWS yet.
    ///
    /// # Errors
    /// Another kind of store; no region; no credentials.
    pub(crate) fn new(named: &str) -> Result<Installation, Failure> {
        let usage = |problem: String| Failure::new(Kind::Usage, problem);
        let table = named.strip_prefix("dynamodb:").filter(|table| !table.is_empty());
        let table = table.ok_or_else(|| usage(format!("`{named}` is no store; write dynamodb:TABLE")))?;
        let aws = Aws::from_environment().map_err(|error| usage(error.to_string()))?;
        let own: [&'static Table; 2] = [&aws::step::STEPS, &aws::keys::DATA_KEYS];
        let tables = app::tables().into_iter().chain(runtime::tables()).chain(own).collect();
        let schema = Schema::new(app::SCHEMA_VERSION, tables).map_err(anyhow::Error::from)?;
        let store = DynamoStore::new(aws.clone(), table, &schema, Vec::new()).map_err(anyhow::Error::from)?;
        let stack = table.split_once(TABLE_OF_STACK).map_or(table, |(stack, _)| stack).to_owned();
        Ok(Installation { aws, store: Arc::new(store), stack })
    }

    /// Its state machines are named by it and the flow.
    pub(crate) fn prefix(&self) -> String {
        format!("{}-", self.stack)
    }

    /// An auditor of it.
    pub(crate) fn auditor(&self, config: &Config) -> Auditor {
        let settings = super::settings::of(config, "");
        // Signs nothing: the audit only reads.
        let secrets = Secrets::new(&[0; 32]);
        let files = Arc::new(InMemory::new());
        Auditor::new(Source::Live(self.store.clone()), move |snapshot| {
            Ports::embedded(snapshot, files.clone(), &secrets, &settings).provider
        })
    }

    /// Calls an operation of Step Functions.
    ///
    /// # Errors
    /// What it refused, or that it does not answer.
    pub(crate) async fn states(&self, operation: &str, body: &Value) -> Result<Value, Failure> {
        self.aws.call(STATES, &self.aws.endpoint(STATES.name), operation, body).await.map_err(refused)
    }

    /// The name of the execution of an order, which is its `executionId` here; every other name is as it is.
    ///
    /// # Errors
    /// The table cannot be read.
    pub(crate) async fn execution_name(&self, id: &str) -> Result<String, Failure> {
        let orders = app::tables().into_iter().find(|table| table.name == "orders");
        let key = id.strip_prefix("ord_").and_then(store::id::decode);
        let (Some(orders), Some(key)) = (orders, key) else { return Ok(id.to_owned()) };
        let row = self.store.get(orders, &key.into()).await.map_err(|error| unavailable("DynamoDB", &error))?;
        let execution = row.and_then(|row| row.int("execution_id"));
        Ok(execution.map_or_else(|| id.to_owned(), store::id::encode))
    }

    /// How many dead letters each queue has, in the table and in SQS.
    ///
    /// # Errors
    /// The table or SQS cannot be read.
    pub(crate) async fn dead_letters(&self) -> Result<Vec<Count>, Failure> {
        let (mut counts, mut after, mut looked) = (BTreeMap::<String, (usize, u64)>::new(), None, 0);
        while looked < MAX_LOOKED {
            let query = Query::table(&MESSAGES).limit(store::MAX_PAGE).after(after);
            let page = self.store.query(query).await.map_err(|error| unavailable("DynamoDB", &error))?;
            looked += page.rows.len();
            for queue in page.rows.iter().filter_map(|row| row.text("queue")?.strip_suffix(DEAD)) {
                counts.entry(queue.to_owned()).or_default().0 += 1;
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        for queue in queues::dead_queues(&self.aws, &self.stack).await.map_err(refused)? {
            if queue.dead > 0 {
                counts.entry(queue.queue).or_default().1 = queue.dead;
            }
        }
        let count = |(queue, (dead, unanswered))| Count { queue, dead, unanswered: Some(unanswered) };
        Ok(counts.into_iter().map(count).collect())
    }

    /// The first dead letters of a queue, those that its consumer gave up.
    ///
    /// # Errors
    /// The table cannot be read.
    pub(crate) async fn letters(&self, queue: &str) -> Result<Vec<Letter>, Failure> {
        let dead = self.engine().messages(&format!("{queue}{DEAD}"), None, MAX_MESSAGES).await;
        let dead = dead.map_err(|error| unavailable("DynamoDB", &*error))?;
        let letter = |message: runtime::MessageView| Letter {
            id: store::id::encode(message.id),
            receives: message.receives,
            error: message.error.unwrap_or_default(),
        };
        Ok(dead.items.into_iter().map(letter).collect())
    }

    /// Puts the dead letters of a queue back; the relay then sends those of the table on their way. Answers how many.
    ///
    /// # Errors
    /// The table or SQS cannot be written; what was put back stays so.
    pub(crate) async fn redrive(&self, queue: &str) -> Result<usize, Failure> {
        let mut moved = self.engine().redrive(queue).await.map_err(|error| unavailable("DynamoDB", &*error))?;
        let queues = queues::dead_queues(&self.aws, &self.stack).await.map_err(refused)?;
        for dead in queues.iter().filter(|dead| dead.queue == queue) {
            moved += queues::redrive(&self.aws, dead).await.map_err(refused)?;
        }
        Ok(moved)
    }

    /// An engine that is never started, for its view of queues.
    fn engine(&self) -> runtime::Runtime {
        Builder::new(self.store.clone(), [0; 32], runtime::Config::default()).build()
    }
}

fn refused(error: CallError) -> Failure {
    let kind = match &error {
        CallError::Refused(refusal) if refusal.code.ends_with("DoesNotExist") => Kind::NotFound,
        CallError::Refused(refusal) if refusal.status < 500 => Kind::Refused,
        _ => Kind::Unavailable,
    };
    Failure { kind, error: error.into() }
}

/// With the causes: that there is no such table, or no right to read it, is in the last of them.
fn unavailable(service: &str, error: &dyn std::error::Error) -> Failure {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let text: Vec<String> = causes.map(ToString::to_string).collect();
    Failure::new(Kind::Unavailable, format!("{service}: {}", text.join(": ")))
}
