//! Task tokens: which task of which execution, and proof that we made it. Nothing is stored for them.

use asl::TaskId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const MAC_BYTES: usize = 12;

/// Makes and checks tokens under one secret key.
#[derive(Clone)]
pub struct Tokens {
    mac: Hmac<Sha256>,
}

impl Tokens {
    /// Tokens under this key, which must stay the same over restarts.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Tokens {
        // HMAC fills a key up to its block with zeros (RFC 2104, section 2).
        let mut block = [0; 64];
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Tokens { mac: Hmac::<Sha256>::new(&block.into()) }
    }

    fn seal(&self, body: &[u8]) -> Vec<u8> {
        let mut mac = self.mac.clone();
        mac.update(body);
        mac.finalize().into_bytes().into_iter().take(MAC_BYTES).collect()
    }

    /// The token of a task: 32 characters, safe in a URL.
    #[must_use]
    pub fn mint(&self, execution: i64, task: TaskId) -> String {
        let mut token = Vec::with_capacity(12 + MAC_BYTES);
        token.extend_from_slice(&execution.to_be_bytes());
        token.extend_from_slice(&task.to_be_bytes());
        let seal = self.seal(&token);
        token.extend_from_slice(&seal);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// The execution and task of a token that [`Tokens::mint`] made; `None` for any other text.
    #[must_use]
    pub fn open(&self, token: &str) -> Option<(i64, TaskId)> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (body, seal) = bytes.split_at_checked(12)?;
        let mut mac = self.mac.clone();
        mac.update(body);
        if seal.len() != MAC_BYTES || mac.verify_truncated_left(seal).is_err() {
            return None;
        }
        let (execution, task) = body.split_at_checked(8)?;
        Some((i64::from_be_bytes(execution.try_into().ok()?), TaskId::from_be_bytes(task.try_into().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_tokens_open() {
        let tokens = Tokens::new(&[7; 32]);
        let token = tokens.mint(1 << 60, 3);
        assert_eq!(tokens.open(&token), Some((1 << 60, 3)));
        assert_eq!(Tokens::new(&[8; 32]).open(&token), None);
        for at in 0..token.len() {
            let mut forged = token.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(tokens.open(std::str::from_utf8(&forged).unwrap()), None, "character {at}");
        }
        assert_eq!(tokens.open(""), None);
        assert_eq!(tokens.open("not a token"), None);
    }
}
