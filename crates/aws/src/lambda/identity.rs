//! Who is signed in, on routes that need no sign-in: API Gateway checks tokens only where it demands one, and a member of the
//! staff may do more there than a customer.
//!
//! Checks what API Gateway checks: signature (RS256 by a key of the user pool), issuer, audience and time.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::sync::Mutex;

/// How long a request for the keys may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Keys are asked for again at most so often, when a token names one that is not known.
const PAUSE: Duration = Duration::from_secs(60);
/// The longest token, in bytes.
const MAX_TOKEN: usize = 8 << 10;

/// The user pool whose tokens count.
pub(super) struct Identity {
    issuer: String,
    audience: String,
    /// Where its keys are.
    url: String,
    http: reqwest::Client,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    asked: Option<Instant>,
    set: Vec<PublicKey>,
}

#[derive(Deserialize, Clone)]
struct PublicKey {
    kid: String,
    n: String,
    e: String,
}

impl Identity {
    /// By `COMANDA_SIGN_IN_ISSUER` and `COMANDA_SIGN_IN_AUDIENCE`; without them only API Gateway's word counts.
    pub(super) fn from_variables() -> Option<Identity> {
        let issuer = super::environment::variable("COMANDA_SIGN_IN_ISSUER")?;
        let audience = super::environment::variable("COMANDA_SIGN_IN_AUDIENCE")?;
        // An emulator has the keys of its pools at its own address.
        let base = super::environment::variable("AWS_ENDPOINT_URL")
            .and_then(|endpoint| Some(format!("{endpoint}/{}", issuer.rsplit('/').next()?)))
            .unwrap_or_else(|| issuer.clone());
        crate::client::install_tls();
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().ok()?;
        Some(Identity { url: format!("{base}/.well-known/jwks.json"), issuer, audience, http, keys: Mutex::default() })
    }

    /// The claims of a token that counts.
    pub(super) async fn claims(&self, token: &str, now_ms: i64) -> Option<Json> {
        let token = Token::parse(token)?;
        let key = self.key(&token.kid).await?;
        token.is_signed_by(&key).then_some(token.claims).filter(|claims| self.counts(claims, now_ms))
    }

    fn counts(&self, claims: &Json, now_ms: i64) -> bool {
        let is = |name: &str, value: &str| claims.get(name).and_then(Json::as_str) == Some(value);
        // Cognito's access tokens name the client, its identity tokens the audience.
        let is_for_us = is("aud", &self.audience) || is("client_id", &self.audience);
        let expires = claims.get("exp").and_then(Json::as_i64).unwrap_or(0);
        is("iss", &self.issuer) && is_for_us && expires > now_ms / 1000
    }

    async fn key(&self, kid: &str) -> Option<PublicKey> {
        let mut keys = self.keys.lock().await;
        let find = |keys: &Keys| keys.set.iter().find(|key| key.kid == kid).cloned();
        if let Some(key) = find(&keys) {
            return Some(key);
        }
        if keys.asked.is_some_and(|asked| asked.elapsed() < PAUSE) {
            return None;
        }
        keys.asked = Some(Instant::now());
        match self.ask().await {
            Ok(set) => keys.set = set,
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "the keys of the user pool cannot be read");
                keys.asked = None;
            }
        }
        find(&keys)
    }

    async fn ask(&self) -> Result<Vec<PublicKey>, reqwest::Error> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<PublicKey>,
        }
        let answer = self.http.get(&self.url).send().await?.error_for_status()?;
        Ok(answer.json::<Set>().await?.keys)
    }
}

/// A token whose signature is yet to be checked (RFC 7515, section 7.1).
struct Token<'a> {
    kid: String,
    claims: Json,
    signed: &'a str,
    signature: Vec<u8>,
}

impl Token<'_> {
    fn parse(text: &str) -> Option<Token<'_>> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
            kid: String,
        }
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let (signed, signature) = Some(text).filter(|text| text.len() <= MAX_TOKEN)?.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header =
            serde_json::from_slice(&bytes(header)?).ok().filter(|header: &Header| header.alg == "RS256")?;
        let claims = serde_json::from_slice(&bytes(claims)?).ok()?;
        Some(Token { kid: header.kid, claims, signed, signature: bytes(signature)? })
    }

    fn is_signed_by(&self, key: &PublicKey) -> bool {
        let (Ok(n), Ok(e)) = (URL_SAFE_NO_PAD.decode(&key.n), URL_SAFE_NO_PAD.decode(&key.e)) else { return false };
        let key = RsaPublicKeyComponents { n, e };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, self.signed.as_bytes(), &self.signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A key made for this test alone, and a token signed with it (by Python's cryptography).
    const N: &str = "umI-tGdSGEbgyPyn0QE1nwiCxcs05696rZdpvosfg0sfATKDXGBAb94fLE0uA6yTY8le5XbHcanqbb9Lityq7ndY3BONJuRnN0Tg\
        aJYRJKOLTu2dHE1tawb5UKN3aluGQWmZHkXalDnSnESZaNfR1ymolZ7FJVu2AyRHSwBZM8pDRJ3i90FPBBesoIwd_gM_hvdLFgIS\
        qHY6dNwkWpL7sZZRH3EFavJw40qh04FVcF2PDTq6ati36mb_XY3MklwJ2--iGTBWOEHGx2JObQMMeS9MHG1Z4ncOGHA-G6IJ3bYF\
        PA3lc2PwU2rtntSczw2RkKZXHqbaTx1DikNtzd-evQ";
    const HEADER: &str = "eyJraWQiOiJvbmUiLCJhbGciOiJSUzI1NiJ9";
    const CLAIMS: &str = "eyJpc3MiOiJodHRwczovL3Bvb2wiLCJhdWQiOiJwYWdlcyIsImV4cCI6MjAwMDAwMDAwMCwiY29nbml0bzpncm91cHMiOlsiYWRt\
        aW4iXX0";
    const SIGNATURE: &str = "kQOp6qlY091Ufp62FLEu1rlc41kxARHzdsSsVJMElTISzV965rBIvwvi74gWfdRlQN92fWKuEMyVqGlxVEbBmZ1_cXuMPHno1StC\
        hRRS9LI43Tlt3FiIr5Zv00TIS1xJGBKiUOr4uojrN1n3PbmTcq8Bs3D_VuZLsMytt8z5dvMTIqExg9ihg2GkC4KSOEap7Gi6sifo\
        4tedK6IZgQw1h3Pb0WEXZ1EV33T4yyLD44zgOtrky45fsEPCZM9R6EIvxuheanrqs8JvXAZqv5vGKNDjQRrhz0_CYg1__g6GDxLS\
        wOCurZFUBUwax44Gc0Z6-ULQ_vpimb-l_Rr75q09Pw";

    fn identity(audience: &str) -> Identity {
        let key = PublicKey { kid: "one".into(), n: N.into(), e: "AQAB".into() };
        Identity {
            issuer: "https://pool".into(),
            audience: audience.into(),
            url: "http://127.0.0.1:1".into(),
            http: reqwest::Client::new(),
            keys: Mutex::new(Keys { asked: Some(Instant::now()), set: vec![key] }),
        }
    }

    #[tokio::test]
    async fn a_token_counts_if_everything_about_it_does() {
        crate::client::install_tls();
        const BEFORE: i64 = 1_999_999_999_000;
        let token = format!("{HEADER}.{CLAIMS}.{SIGNATURE}");
        let claims = identity("pages").claims(&token, BEFORE).await.unwrap();
        assert_eq!(claims["cognito:groups"][0], "admin");
        assert_eq!(identity("pages").claims(&token, BEFORE + 1_000).await, None, "its time is over");
        assert_eq!(identity("others").claims(&token, BEFORE).await, None, "it is for others");
        let forged = URL_SAFE_NO_PAD.encode(r#"{"iss":"https://pool","aud":"pages","exp":2000000001}"#);
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"one"}"#);
        let unknown = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"two"}"#);
        for wrong in [
            format!("{HEADER}.{forged}.{SIGNATURE}"),
            format!("{none}.{CLAIMS}."),
            format!("{unknown}.{CLAIMS}.{SIGNATURE}"),
            format!("{HEADER}.{CLAIMS}"),
            String::new(),
        ] {
            assert_eq!(identity("pages").claims(&wrong, BEFORE).await, None, "{wrong}");
        }
    }
}
