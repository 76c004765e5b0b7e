//! Texts about people, encrypted where they lie: AES-256-GCM under a data key.
//!
//! An encrypted text is an attribute of bytes: a version, the id of the data key, a nonce, the ciphertext with its tag. Its
//! place (table, row, column) is authenticated with it, so that no text can be moved to another row or column.
//!
//! Invariant: a nonce is random, so a key encrypts far less than 2^32 texts (NIST SP 800-38D, section 8.3);
//! [`crate::keys::MAX_USES`] sees to it for a process, and an hour's end for all of them.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use store::{Key, Table};

/// The first byte of an encrypted text.
const VERSION: u8 = 1;
/// The bytes before the ciphertext.
const HEAD_BYTES: usize = 1 + size_of::<i64>() + NONCE_LEN;

/// A key in use. It has no `Debug` that shows it.
pub struct DataKey {
    /// Under which it is kept, wrapped.
    pub id: i64,
    key: LessSafeKey,
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}

impl DataKey {
    /// Of 32 bytes; `None` for any other number.
    #[must_use]
    pub fn new(id: i64, bytes: &[u8]) -> Option<DataKey> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).ok()?;
        Some(DataKey { id, key: LessSafeKey::new(key) })
    }

    /// The text encrypted for its place, in base64.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn seal(&self, place: &str, text: &str) -> Result<String, String> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce)
            .map_err(|_| "cannot be encrypted: the system gives no random numbers".to_owned())?;
        let mut body = text.as_bytes().to_vec();
        let aad = Aad::from(place.as_bytes());
        let sealed = self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body);
        sealed.map_err(|_| "is too long to be encrypted".to_owned())?;
        let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
        bytes.push(VERSION);
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(nonce);
        bytes.append(&mut body);
        Ok(STANDARD.encode(bytes))
    }

    fn open(&self, place: &str, nonce: [u8; NONCE_LEN], body: &[u8]) -> Option<String> {
        let mut body = body.to_vec();
        let aad = Aad::from(place.as_bytes());
        let text = self.key.open_in_place(Nonce::assume_unique_for_key(nonce), aad, &mut body).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

/// Where a text lies: what its encryption is bound to.
#[must_use]
pub fn place(table: &Table, key: &Key, column: &str) -> String {
    // A text key may hold anything, so it comes last.
    format!("{}/{column}/{key}", table.name)
}

/// The id of the key of an encrypted text in base64; `None` if it is none.
#[must_use]
pub fn key_id(sealed: &str) -> Option<i64> {
    // 12 characters are 9 bytes: the version and the id.
    let head = STANDARD.decode(sealed.get(..12)?).ok()?;
    let (version, id) = head.split_first()?;
    (*version == VERSION).then(|| id.try_into().ok().map(i64::from_be_bytes)).flatten()
}

/// The keys with which a row is read.
#[derive(Debug, Default, Clone)]
pub struct Keys(HashMap<i64, Arc<DataKey>>);

impl FromIterator<Arc<DataKey>> for Keys {
    fn from_iter<I: IntoIterator<Item = Arc<DataKey>>>(keys: I) -> Keys {
        Keys(keys.into_iter().map(|key| (key.id, key)).collect())
    }
}

impl Keys {
    /// The text in an encrypted one; `None` if its key is not among these.
    ///
    /// # Errors
    /// It is damaged, or of another place.
    pub fn open(&self, place: &str, sealed: &str) -> Result<Option<String>, String> {
        let damaged = || format!("the encrypted text at `{place}` is damaged, or belongs elsewhere");
        let bytes = STANDARD.decode(sealed).map_err(|_| damaged())?;
        let id = key_id(sealed).ok_or_else(damaged)?;
        let Some(key) = self.0.get(&id) else { return Ok(None) };
        let (head, body) = bytes.split_at_checked(HEAD_BYTES).ok_or_else(damaged)?;
        let nonce = head.last_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
        key.open(place, *nonce, body).map(Some).ok_or_else(damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(ids: &[i64]) -> Keys {
        ids.iter().map(|id| Arc::new(DataKey::new(*id, &[7; 32]).unwrap())).collect()
    }

    #[test]
    fn a_text_is_read_with_its_key_at_its_place_only() {
        let key = DataKey::new(-5, &[7; 32]).unwrap();
        for text in ["", "Ana", "José 🍕"] {
            let sealed = key.seal("orders/customer/1", text).unwrap();
            assert_eq!(key_id(&sealed), Some(-5));
            assert_eq!(keys(&[-5]).open("orders/customer/1", &sealed), Ok(Some(text.to_owned())));
            assert_eq!(keys(&[1]).open("orders/customer/1", &sealed), Ok(None));
            assert!(keys(&[-5]).open("orders/customer/2", &sealed).is_err());
            assert_ne!(key.seal("orders/customer/1", text).unwrap(), sealed);
        }
    }

    #[test]
    fn a_damaged_text_is_told() {
        let key = DataKey::new(1, &[7; 32]).unwrap();
        let sealed = key.seal("p", "Ana").unwrap();
        let mut bytes = STANDARD.decode(&sealed).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        for damaged in ["", "AQ==", "no base64!", &sealed[..12], &STANDARD.encode(bytes)] {
            assert!(keys(&[1]).open("p", damaged).is_err(), "{damaged}");
        }
        assert!(DataKey::new(1, &[7; 31]).is_none());
    }
}
