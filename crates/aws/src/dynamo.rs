//! The store on one DynamoDB table. docs/aws-store.md has the mapping.

mod query;
mod snapshot;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use store::{Batch, CommitError, Key, Op, Page, Query, ReadError, Receipt, Row, Schema, Store, Table};

use crate::client::{Aws, CallError, Class, DYNAMODB, MAX_TRIES, Refusal, token};
use crate::item;
use crate::keys::Keyring;
use crate::layout::{self, Expiry, LayoutError};
use crate::operation::{self, Write, Writer};
use crate::seal::{self, Keys};

/// The most personal columns of a table: how many texts an operation is taken to encrypt.
const MAX_TEXTS: u64 = 4;

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DynamoStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    aws: Aws,
    endpoint: String,
    table: String,
    expiries: Vec<Expiry>,
    tables: Vec<&'static Table>,
    keyring: Option<Keyring>,
}

impl DynamoStore {
    /// The store in that DynamoDB table, at the endpoint of the environment. Asks nothing of DynamoDB yet.
    ///
    /// # Errors
    /// [`LayoutError`] if a declared table cannot lie there.
    pub fn new(aws: Aws, table: &str, schema: &Schema, expiries: Vec<Expiry>) -> Result<DynamoStore, LayoutError> {
        let endpoint = aws.endpoint(DYNAMODB.name);
        DynamoStore::at(aws, endpoint, table, schema, expiries)
    }

    /// The same at a given endpoint.
    ///
    /// # Errors
    /// See [`DynamoStore::new`].
    pub fn at(
        aws: Aws,
        endpoint: String,
        table: &str,
        schema: &Schema,
        expiries: Vec<Expiry>,
    ) -> Result<DynamoStore, LayoutError> {
        layout::check(schema)?;
        Ok(DynamoStore(Arc::new(Inner {
            aws,
            endpoint,
            table: table.to_owned(),
            expiries,
            tables: schema.tables.clone(),
            keyring: None,
        })))
    }

    /// The same with keys for personal data: without them what is personal reads [`store::LOCKED`] and cannot be written.
    #[must_use]
    pub fn with_keys(self, keyring: Keyring) -> DynamoStore {
        let Inner { aws, endpoint, table, expiries, tables, .. } = &*self.0;
        DynamoStore(Arc::new(Inner {
            aws: aws.clone(),
            endpoint: endpoint.clone(),
            table: table.clone(),
            expiries: expiries.clone(),
            tables: tables.clone(),
            keyring: Some(keyring),
        }))
    }

    /// The keys under which these items are encrypted; none in a process that may not decrypt.
    async fn keys(&self, table: &Table, items: &[&Json]) -> Result<Keys, ReadError> {
        let Some(keyring) = &self.0.keyring else { return Ok(Keys::default()) };
        let personal = table.columns.iter().filter(|column| column.personal);
        let sealed =
            personal.flat_map(|column| items.iter().filter_map(|item| item.get(column.name)?.get("B")?.as_str()));
        let ids: Vec<i64> = sealed.filter_map(seal::key_id).collect();
        if ids.is_empty() {
            return Ok(Keys::default());
        }
        keyring.opening(self, ids.into_iter()).await.map_err(|error| ReadError::Unavailable(error.into()))
    }

    /// The rows of items of one table.
    async fn rows(&self, table: &'static Table, items: &[&Json]) -> Result<Vec<Row>, ReadError> {
        let keys = self.keys(table, items).await?;
        let rows: Result<Vec<Row>, String> = items.iter().map(|item| item::to_row(table, item, &keys)).collect();
        rows.map_err(|problem| ReadError::Unavailable(problem.into()))
    }

    /// Makes the DynamoDB table, for emulators and tests; in AWS the template of the deployment makes it.
    ///
    /// # Errors
    /// What DynamoDB refused. A table that is there is fine.
    pub async fn create_table(&self) -> Result<(), CallError> {
        match self.call("CreateTable", &definition(&self.0.table)).await {
            Err(CallError::Refused(refusal)) if refusal.code == "ResourceInUseException" => Ok(()),
            other => other.map(drop),
        }
    }

    async fn call(&self, operation: &str, body: &Json) -> Result<Json, CallError> {
        self.0.aws.call(DYNAMODB, &self.0.endpoint, operation, body).await
    }

    /// A call that changes nothing.
    async fn read(&self, operation: &str, body: &Json) -> Result<Json, ReadError> {
        self.call(operation, body).await.map_err(|error| match error {
            CallError::Refused(refusal) if refusal.code == "ValidationException" => ReadError::Invalid(refusal.message),
            other => ReadError::Unavailable(other.into()),
        })
    }

    /// The rows that additions to indexed columns are worked out from.
    async fn current(&self, ops: &[Op]) -> Result<Vec<Option<Row>>, CommitError> {
        let mut rows = Vec::with_capacity(ops.len());
        for op in ops {
            rows.push(match operation::needs_row(op) {
                true => {
                    let (table, key) = op.item();
                    self.get(table, key).await.map_err(|error| CommitError::Unavailable(error.into()))?
                }
                false => None,
            });
        }
        Ok(rows)
    }

    /// Tries the batch once under a token; `None` if what an addition was worked out from has changed meanwhile.
    async fn attempt(&self, ops: &[Op]) -> Result<Option<()>, CommitError> {
        let current = self.current(ops).await?;
        let texts = ops.iter().filter(|op| operation::needs_key(op)).count() as u64;
        let key = match &self.0.keyring {
            Some(keyring) if texts > 0 => {
                let key = keyring.sealing(self, texts * MAX_TEXTS).await;
                Some(key.map_err(|error| CommitError::Unavailable(error.into()))?)
            }
            _ => None,
        };
        let writer = Writer { table_name: &self.0.table, expiries: &self.0.expiries, key: key.as_deref() };
        let writes: Result<Vec<Write>, CommitError> =
            ops.iter().zip(&current).map(|(op, row)| writer.write(op, row.as_ref())).collect();
        let writes = writes?;
        let called = match writes.as_slice() {
            [] => return Ok(Some(())),
            [write] if let Some(operation) = write.alone() => {
                self.call(operation, &Json::Object(write.body.clone())).await
            }
            // One token for all tries: DynamoDB answers a repetition as it answered the first.
            all => self.call("TransactWriteItems", &operation::transaction(all, &token())).await,
        };
        match called {
            Ok(_) => Ok(Some(())),
            Err(CallError::Refused(refusal)) => judge(ops, &writes, &refusal),
            Err(error) => Err(CommitError::Unavailable(error.into())),
        }
    }
}

/// What a refusal of a commit means.
fn judge(ops: &[Op], writes: &[Write], refusal: &Refusal) -> Result<Option<()>, CommitError> {
    let broken = |at: usize, item: Option<&Json>| match (ops.get(at), writes.get(at)) {
        (_, Some(write)) if write.read => Ok(None),
        (Some(op), _) => Err(operation::broken(op, item)),
        (None, _) => Err(CommitError::Unavailable(refusal.clone().into())),
    };
    match refusal.code.as_str() {
        "TransactionCanceledException" => {
            let reasons = refusal.reasons();
            let find = |name: &str| reasons.iter().position(|(code, _)| *code == name);
            // One that was read anew may succeed yet; one that was not is an answer.
            let failed = |(at, (code, _)): &(usize, &(&str, Option<&Json>))| {
                *code == "ConditionalCheckFailed" && writes.get(*at).is_none_or(|write| !write.read)
            };
            let first = reasons.iter().enumerate().find(failed).map(|(at, _)| at);
            if let Some(at) = first.or_else(|| find("ConditionalCheckFailed")) {
                return broken(at, reasons.get(at).and_then(|(_, item)| *item));
            }
            if refusal.class() == Class::Busy {
                return conflict(ops, find("TransactionConflict").unwrap_or(0), refusal);
            }
            let message = refusal.body.get("CancellationReasons").map_or_else(String::new, Json::to_string);
            match find("ValidationError") {
                Some(_) => Err(CommitError::Invalid(format!("{}; {message}", refusal.message))),
                None => Err(CommitError::Unavailable(refusal.clone().into())),
            }
        }
        "ValidationException" => Err(CommitError::Invalid(refusal.message.clone())),
        _ if refusal.class() == Class::Busy => conflict(ops, 0, refusal),
        _ => Err(CommitError::Unavailable(refusal.clone().into())),
    }
}

/// Others are at work on an item for too long: that the caller loads and decides again is the best that can come of it.
fn conflict(ops: &[Op], at: usize, refusal: &Refusal) -> Result<Option<()>, CommitError> {
    let Some(op) = ops.get(at) else { return Err(CommitError::Unavailable(refusal.clone().into())) };
    let (table, key) = op.item();
    Err(CommitError::Conflict { table: table.name, key: key.clone() })
}

#[async_trait]
impl Store for DynamoStore {
    async fn get(&self, table: &'static Table, key: &Key) -> Result<Option<Row>, ReadError> {
        store::check_key(table, key)?;
        let body = json!({ "TableName": self.0.table, "Key": item::key_of(table, key), "ConsistentRead": true });
        let answer = self.read("GetItem", &body).await?;
        let items: Vec<&Json> = answer.get("Item").into_iter().collect();
        Ok(self.rows(table, &items).await?.pop())
    }

    async fn query(&self, query: Query) -> Result<Page, ReadError> {
        self.page(&query).await
    }

    async fn commit(&self, batch: Batch) -> Result<Receipt, CommitError> {
        batch.validate()?;
        for _ in 0..MAX_TRIES {
            if self.attempt(batch.ops()).await?.is_some() {
                return Ok(Receipt::durable_now());
            }
        }
        let (table, key) = batch.ops().iter().find(|op| operation::needs_row(op)).map_or_else(
            || ("", Key::Int(0)),
            |op| {
                let (table, key) = op.item();
                (table.name, key.clone())
            },
        );
        Err(CommitError::Conflict { table, key })
    }

    async fn flush(&self) -> Result<(), CommitError> {
        Ok(())
    }

    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError> {
        self.copy().await
    }
}

/// The parameters of `CreateTable` for a table of this layout.
#[must_use]
pub fn definition(table: &str) -> Json {
    let mut attributes = vec![layout::PK.to_owned(), layout::SK.to_owned()];
    let key = |partition: &str, sort: &str| {
        json!([
            { "AttributeName": partition, "KeyType": "HASH" },
            { "AttributeName": sort, "KeyType": "RANGE" }
        ])
    };
    let mut indexes = Vec::new();
    for gsi in 1..=layout::GSIS {
        let (partition, sort) = (layout::partition_attribute(gsi), layout::sort_attribute(gsi));
        indexes.push(json!({
            "IndexName": layout::gsi_name(gsi),
            "KeySchema": key(&partition, &sort),
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        }));
        attributes.extend([partition, sort]);
    }
    let attributes: Vec<Json> =
        attributes.iter().map(|name| json!({ "AttributeName": name, "AttributeType": "S" })).collect();
    json!({
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes,
        "KeySchema": key(layout::PK, layout::SK),
        "GlobalSecondaryIndexes": indexes,
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
    })
}
