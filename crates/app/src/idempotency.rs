//! Idempotency keys, as Stripe has them: the same key and body answer the same again, another body is refused.
//!
//! A key is the client's own choice and may be as weak as `1`. What protects one client from another is the fingerprint: a
//! replay shows an order only to whoever sends its whole body again, the card included.

use serde::Serialize;
use store::{Row, Store, Value};

use crate::error::StoreError;
use crate::records::json;
use crate::records::key::{IDEMPOTENCY_KEYS, day};
use crate::{Secrets, signature};

/// The longest key, in characters.
const MAX_KEY: usize = 255;

/// A key with the fingerprint of its request.
pub(crate) struct IdempotencyKey {
    key: String,
    fingerprint: String,
}

/// What a key was used for before.
pub(crate) enum Before {
    /// Nothing.
    Fresh,
    /// The same request; what it made.
    Same(i64),
    /// Another request.
    Other,
}

impl IdempotencyKey {
    /// The key of a request in its scope; `None` if it is empty, too long or not visible ASCII.
    pub(crate) fn new(secrets: &Secrets, scope: &str, key: &str, body: &impl Serialize) -> Option<IdempotencyKey> {
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return None;
        }
        // Keyed, so that the fingerprint of a body with a card in it tells nothing.
        let mac = signature::hmac(&secrets.fingerprints, &[json(body).as_bytes()]);
        let fingerprint = signature::hex(&mac).chars().take(32).collect();
        Some(IdempotencyKey { key: format!("{scope}/{key}"), fingerprint })
    }

    /// What it was used for before, once that is durable.
    pub(crate) async fn before(&self, store: &dyn Store) -> Result<Before, StoreError> {
        let Some(row) = store.get(&IDEMPOTENCY_KEYS, &self.key.as_str().into()).await? else {
            return Ok(Before::Fresh);
        };
        if row.text("fingerprint") != Some(&self.fingerprint) {
            return Ok(Before::Other);
        }
        store.flush().await?;
        Ok(Before::Same(row.int("made").unwrap_or(0)))
    }

    /// The row that says what it made.
    pub(crate) fn row(&self, made: i64, now: i64) -> Row {
        let values =
            vec![Value::from(self.fingerprint.as_str()), Value::Int(made), Value::Int(1), Value::Int(day(now))];
        Row::new(&IDEMPOTENCY_KEYS, self.key.as_str(), values)
    }
}
