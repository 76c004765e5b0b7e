//! The data keys under which personal data is encrypted: made and unwrapped by KMS, kept wrapped in the table.
//!
//! All processes of an installation share the key of an hour: who first needs one asks KMS for it and writes it, wrapped, into
//! [`DATA_KEYS`]; the others unwrap that. So an order costs a few requests to KMS and not one for each text, and a text names
//! its key in nine bytes. A process that has used a key [`MAX_USES`] times makes one of its own.
//!
//! KMS is told the table (the encryption context), stands in its log with it, and unwraps for nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use store::{Batch, Column, CommitError, KeyShape, ReadError, Row, Store, Table, Value};
use tokio::sync::Mutex;

use crate::client::{Aws, CallError, Service};
use crate::seal::{DataKey, Keys};

/// KMS.
pub const KMS: Service = Service { name: "kms", target: "TrentService", version: "1.1" };

/// The data keys, wrapped. Rows are never changed; without one, what was encrypted under it cannot be read.
pub static DATA_KEYS: Table = Table {
    name: "data_keys",
    key: KeyShape::Int("id"),
    columns: &[Column::text("wrapped"), Column::int("created_at")],
    indexes: &[],
};

/// For how long a key encrypts, and how long one is kept after it was unwrapped: a KMS key that is disabled takes effect then.
pub const MAX_AGE_MS: i64 = 3_600_000;
/// How many texts a process encrypts under one key.
pub const MAX_USES: u64 = 1 << 20;
/// The most unwrapped keys of a process.
const MAX_KEPT: usize = 1_000;

/// The data keys of a process.
#[derive(Debug)]
pub struct Keyring {
    aws: Aws,
    endpoint: String,
    /// The id or ARN of the KMS key.
    wrapping: String,
    context: Json,
    clock: fn() -> i64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The id of the key that encrypts, until when, and how often it has.
    current: Option<(i64, i64, u64)>,
    /// Keys, and until when they are kept.
    keys: HashMap<i64, (Arc<DataKey>, i64)>,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// KMS did not answer, or refused.
    #[error("KMS gives no data key")]
    Kms(#[source] Box<CallError>),
    /// What KMS answered, or a row, is no key.
    #[error("the data key {0} is damaged")]
    Damaged(i64),
    /// What was encrypted under it is lost.
    #[error("the data key {0} is missing from the table")]
    Missing(i64),
    /// The store.
    #[error("the data key cannot be read")]
    Read(#[from] ReadError),
    /// The store.
    #[error("the data key cannot be kept")]
    Commit(#[from] CommitError),
}

impl Keyring {
    /// Keys wrapped by that KMS key, for that DynamoDB table.
    #[must_use]
    pub fn new(aws: Aws, endpoint: String, wrapping: &str, table: &str, clock: fn() -> i64) -> Keyring {
        let context = json!({ "table": table, "purpose": "personal" });
        Keyring { aws, endpoint, wrapping: wrapping.to_owned(), context, clock, kept: Mutex::default() }
    }

    /// The key that encrypts now, for that many texts.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn sealing(&self, store: &dyn Store, texts: u64) -> Result<Arc<DataKey>, KeyError> {
        let now = (self.clock)();
        // Held over the requests: a process asks once.
        let mut kept = self.kept.lock().await;
        let hour = now.div_euclid(MAX_AGE_MS);
        let id = match &mut kept.current {
            Some((id, until, uses)) if now < *until && *uses < MAX_USES => {
                *uses += texts;
                *id
            }
            // The hour's key was used too often here.
            Some((_, until, _)) if now < *until => store::id::next(),
            _ => hour,
        };
        if let Some((key, _)) = kept.keys.get(&id) {
            return Ok(key.clone());
        }
        let key = match self.stored(store, id).await {
            Err(KeyError::Missing(_)) => self.generate(store, id, now).await?,
            other => other?,
        };
        let until = (hour + 1) * MAX_AGE_MS;
        kept.current = Some((id, until, texts));
        kept.keep(key.clone(), now);
        Ok(key)
    }

    /// The keys of these ids.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn opening(&self, store: &dyn Store, ids: impl Iterator<Item = i64>) -> Result<Keys, KeyError> {
        let now = (self.clock)();
        let mut kept = self.kept.lock().await;
        let mut keys = HashMap::new();
        for id in ids {
            if keys.contains_key(&id) {
                continue;
            }
            let known = kept.keys.get(&id).filter(|(_, until)| now < *until).map(|(key, _)| key.clone());
            let key = match known {
                Some(key) => key,
                None => {
                    let key = self.stored(store, id).await?;
                    kept.keep(key.clone(), now);
                    key
                }
            };
            keys.insert(id, key);
        }
        Ok(keys.into_values().collect())
    }

    async fn generate(&self, store: &dyn Store, id: i64, now: i64) -> Result<Arc<DataKey>, KeyError> {
        let call = json!({ "KeyId": self.wrapping, "KeySpec": "AES_256", "EncryptionContext": self.context });
        let answer = self.call("GenerateDataKey", &call).await?;
        let wrapped = answer.get("CiphertextBlob").and_then(Json::as_str).ok_or(KeyError::Damaged(id))?;
        let key = unwrapped(id, &answer)?;
        let mut batch = Batch::new();
        batch.insert(Row::new(&DATA_KEYS, id, vec![Value::from(wrapped), Value::Int(now)]));
        // Invariant: a key is kept before anything is encrypted under it.
        match store.commit(batch).await {
            Ok(receipt) => receipt.durable().await.map(|()| key).map_err(KeyError::Commit),
            // Another process was faster.
            Err(CommitError::Conflict { .. }) => self.stored(store, id).await,
            Err(error) => Err(error.into()),
        }
    }

    async fn stored(&self, store: &dyn Store, id: i64) -> Result<Arc<DataKey>, KeyError> {
        let row = store.get(&DATA_KEYS, &id.into()).await?.ok_or(KeyError::Missing(id))?;
        let wrapped = row.text("wrapped").unwrap_or_default();
        let call = json!({
            "KeyId": self.wrapping, "CiphertextBlob": wrapped, "EncryptionContext": self.context,
        });
        unwrapped(id, &self.call("Decrypt", &call).await?)
    }

    async fn call(&self, operation: &str, body: &Json) -> Result<Json, KeyError> {
        self.aws.call(KMS, &self.endpoint, operation, body).await.map_err(|error| KeyError::Kms(error.into()))
    }
}

impl Kept {
    fn keep(&mut self, key: Arc<DataKey>, now: i64) {
        if self.keys.len() >= MAX_KEPT {
            let current = self.current.map(|(id, ..)| id);
            self.keys.retain(|id, (_, until)| now < *until || Some(*id) == current);
        }
        if self.keys.len() >= MAX_KEPT {
            self.keys.clear();
        }
        self.keys.insert(key.id, (key, now + MAX_AGE_MS));
    }
}

fn unwrapped(id: i64, answer: &Json) -> Result<Arc<DataKey>, KeyError> {
    let bytes = answer.get("Plaintext").and_then(Json::as_str).and_then(|text| STANDARD.decode(text).ok());
    let key = bytes.and_then(|bytes| DataKey::new(id, &bytes));
    key.map(Arc::new).ok_or(KeyError::Damaged(id))
}
