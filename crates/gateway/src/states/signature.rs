//! Signature Version 4 of AWS, verified: who may call the Step Functions API once access keys are configured.
//!
//! The rules are those of "Create a signed AWS API request" in AWS's IAM guide, for the `Authorization` header and for
//! presigned queries. Invariant: what is compared with the caller's signature is compared in constant time.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use super::fault::Fault;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service in the scope of the credential.
const SERVICE: &str = "states";
/// How far the clocks of caller and server may be apart, in seconds.
const SKEW_S: i64 = 300;
/// The longest that a presigned query may work, in seconds.
const EXPIRES_S: i64 = 604_800;
const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
     Access Key and signing method. Consult the service documentation for details.";

/// The access keys that calls may be signed with: secrets by their ids.
#[derive(Clone, Default)]
pub struct AccessKeys(BTreeMap<String, String>);

impl AccessKeys {
    /// From pairs of an id and a secret.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> AccessKeys {
        AccessKeys(pairs.into_iter().collect())
    }

    /// Whether there are none, so that nobody signs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessKeys({} keys)", self.0.len())
    }
}

/// What is signed, apart from the body.
pub(super) struct Head<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
}

/// The signature that a request carries.
#[derive(Debug)]
pub(super) struct Claim {
    key: String,
    scope: Scope,
    signed: Vec<String>,
    signature: Vec<u8>,
    /// The instant of the signature, as it was written.
    at: String,
    /// For how many seconds a presigned query works.
    expires_s: Option<i64>,
}

#[derive(Debug)]
struct Scope {
    date: String,
    region: String,
    service: String,
}

fn refuse(code: &'static str, message: impl Into<String>) -> Fault {
    Fault { status: StatusCode::FORBIDDEN, ..Fault::new(code, message) }
}

fn incomplete(message: impl Into<String>) -> Fault {
    Fault::new("IncompleteSignatureException", message)
}

fn mismatch() -> Fault {
    refuse("InvalidSignatureException", MISMATCH)
}

fn unknown_key() -> Fault {
    refuse("UnrecognizedClientException", "The security token included in the request is invalid.")
}

impl Claim {
    /// Reads the signature of a request.
    pub(super) fn of(head: &Head<'_>) -> Result<Claim, Fault> {
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let query = pairs(head.uri.query().unwrap_or_default());
        let asked = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if text("x-amz-security-token").is_some() || asked("X-Amz-Security-Token").is_some() {
            return Err(unknown_key());
        }
        let Some(authorization) = text(header::AUTHORIZATION.as_str()) else {
            return match asked("X-Amz-Signature") {
                Some(_) => Claim::presigned(&asked),
                None => Err(refuse("MissingAuthenticationTokenException", "Missing Authentication Token")),
            };
        };
        let Some(fields) = authorization.strip_prefix(ALGORITHM) else {
            return Err(incomplete(format!("Authorization header must begin with '{ALGORITHM}'.")));
        };
        let fields: BTreeMap<&str, &str> = fields.split(',').filter_map(|field| field.trim().split_once('=')).collect();
        let field = |name: &str| {
            let missing = || incomplete(format!("Authorization header requires '{name}' parameter."));
            fields.get(name).copied().ok_or_else(missing)
        };
        let at = text("x-amz-date").ok_or_else(|| {
            incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        })?;
        Claim::new(field("Credential")?, field("SignedHeaders")?, field("Signature")?, at, None)
    }

    fn presigned<'a>(asked: &dyn Fn(&str) -> Option<&'a str>) -> Result<Claim, Fault> {
        let field = |name: &str| asked(name).ok_or_else(|| incomplete(format!("The query requires '{name}'.")));
        if field("X-Amz-Algorithm")? != ALGORITHM {
            return Err(incomplete(format!("'X-Amz-Algorithm' must be '{ALGORITHM}'.")));
        }
        let expires = field("X-Amz-Expires")?.parse().ok().filter(|s| (1..=EXPIRES_S).contains(s));
        let expires = expires.ok_or_else(|| incomplete(format!("'X-Amz-Expires' must be 1 to {EXPIRES_S}.")))?;
        let (credential, signed) = (field("X-Amz-Credential")?, field("X-Amz-SignedHeaders")?);
        Claim::new(credential, signed, field("X-Amz-Signature")?, field("X-Amz-Date")?, Some(expires))
    }

    fn new(credential: &str, signed: &str, signature: &str, at: &str, expires_s: Option<i64>) -> Result<Claim, Fault> {
        let parts: Vec<&str> = credential.rsplitn(5, '/').collect();
        let [end, service, region, date, key] = parts.as_slice() else {
            return Err(incomplete("Credential must have exactly 5 slash-delimited elements."));
        };
        if *end != "aws4_request" {
            return Err(refuse(
                "InvalidSignatureException",
                "Credential should be scoped with a valid terminator: 'aws4_request'.",
            ));
        }
        let scope = Scope { date: (*date).to_owned(), region: (*region).to_owned(), service: (*service).to_owned() };
        let signature = unhex(signature).ok_or_else(mismatch)?;
        let signed = signed.split(';').map(str::to_owned).collect();
        Ok(Claim { key: (*key).to_owned(), scope, signed, signature, at: at.to_owned(), expires_s })
    }

    /// Verifies the signature with the secret of its key, at this instant in seconds since the epoch.
    pub(super) fn verify(&self, head: &Head<'_>, body: &[u8], keys: &AccessKeys, now_s: i64) -> Result<(), Fault> {
        let secret = keys.0.get(&self.key).ok_or_else(unknown_key)?;
        if self.scope.service != SERVICE {
            let message = format!("Credential should be scoped to correct service: '{SERVICE}'.");
            return Err(refuse("InvalidSignatureException", message));
        }
        self.check_headers(head.headers)?;
        self.check_time(now_s)?;
        self.check(head, body, secret)
    }

    /// The host and all that steers the service has to be signed, or it could be changed on the way.
    fn check_headers(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let steering = |name: &str| name == "host" || name.starts_with("x-amz-");
        let unsigned = headers
            .keys()
            .map(|name| name.as_str())
            .find(|name| steering(name) && !self.signed.iter().any(|signed| signed == name));
        match unsigned {
            Some(name) => Err(refuse(
                "InvalidSignatureException",
                format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."),
            )),
            None => Ok(()),
        }
    }

    fn check_time(&self, now_s: i64) -> Result<(), Fault> {
        let malformed = || incomplete("Date must be in ISO-8601 'basic format'.");
        let at = DateTime::strptime("%Y%m%dT%H%M%SZ", &self.at).map_err(|_| malformed())?;
        let at_s = at.to_zoned(TimeZone::UTC).map_err(|_| malformed())?.timestamp().as_second();
        if !self.at.starts_with(&self.scope.date) {
            let message = format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date '{}'.",
                self.at
            );
            return Err(refuse("InvalidSignatureException", message));
        }
        let until_s = at_s.saturating_add(self.expires_s.unwrap_or(SKEW_S));
        if now_s > until_s {
            let message =
                format!("Signature expired: {} is now earlier than the server's time by more than allowed.", self.at);
            return Err(refuse("InvalidSignatureException", message));
        }
        if at_s > now_s.saturating_add(SKEW_S) {
            let message = format!("Signature not yet current: {} is still later than the server's time.", self.at);
            return Err(refuse("InvalidSignatureException", message));
        }
        Ok(())
    }

    fn check(&self, head: &Head<'_>, body: &[u8], secret: &str) -> Result<(), Fault> {
        let Scope { date, region, service } = &self.scope;
        let request = hex(&Sha256::digest(self.canonical_request(head, body)));
        let text = format!("{ALGORITHM}\n{}\n{date}/{region}/{service}/aws4_request\n{request}", self.at);
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [date.as_str(), region, service, "aws4_request"] {
            key = mac(&key, part)?.finalize().into_bytes().to_vec();
        }
        mac(&key, &text)?.verify_slice(&self.signature).map_err(|_| mismatch())
    }

    fn canonical_request(&self, head: &Head<'_>, body: &[u8]) -> String {
        let mut query: Vec<(String, String)> = pairs(head.uri.query().unwrap_or_default())
            .into_iter()
            .filter(|(key, _)| key != "X-Amz-Signature")
            .map(|(key, value)| (encoded(&key), encoded(&value)))
            .collect();
        query.sort();
        let query: Vec<String> = query.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut headers = String::new();
        for name in &self.signed {
            let values: Vec<String> =
                head.headers.get_all(name.as_str()).iter().map(|value| trimmed(value.as_bytes())).collect();
            headers.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        let (method, path, signed) = (head.method, head.uri.path(), self.signed.join(";"));
        format!("{method}\n{path}\n{}\n{headers}\n{signed}\n{}", query.join("&"), hex(&Sha256::digest(body)))
    }
}

fn mac(key: &[u8], text: &str) -> Result<Hmac<Sha256>, Fault> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| mismatch())?;
    mac.update(text.as_bytes());
    Ok(mac)
}

/// A header's value with runs of blanks as one.
fn trimmed(value: &[u8]) -> String {
    String::from_utf8_lossy(value).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The decoded pairs of a query.
fn pairs(query: &str) -> Vec<(String, String)> {
    let part = |text: &str| percent_decoded(text);
    let pair =
        |text: &str| text.split_once('=').map_or((part(text), String::new()), |(key, value)| (part(key), part(value)));
    query.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut rest = bytes.clone();
        let mut code = || Some(digit(rest.next()?)? << 4 | digit(rest.next()?)?);
        let code = if byte == b'%' { code() } else { None };
        out.push(code.unwrap_or(byte));
        if code.is_some() {
            bytes = rest;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    /// 2015-08-30T12:36:00Z, the instant of AWS's published signatures.
    const NOW_S: i64 = 1_440_938_160;

    struct Signed {
        method: Method,
        uri: Uri,
        headers: HeaderMap,
        body: &'static str,
    }

    impl Signed {
        fn new(method: Method, uri: &str, more: &[(&'static str, &'static str)], body: &'static str) -> Signed {
            let mut headers = HeaderMap::new();
            for (name, value) in
                [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")].iter().chain(more)
            {
                headers.insert(*name, value.parse().unwrap());
            }
            Signed { method, uri: uri.parse().unwrap(), headers, body }
        }

        fn signed(mut self, service: &str, names: &str, signature: &str) -> Signed {
            let scope = format!("20150830/us-east-1/{service}/aws4_request");
            let value =
                format!("{ALGORITHM} Credential=AKIDEXAMPLE/{scope}, SignedHeaders={names}, Signature={signature}");
            self.headers.insert("authorization", value.parse().unwrap());
            self
        }

        fn head(&self) -> Head<'_> {
            Head { method: &self.method, uri: &self.uri, headers: &self.headers }
        }

        fn verify(&self, now_s: i64) -> Result<(), String> {
            let keys = AccessKeys::new([("AKIDEXAMPLE".to_owned(), SECRET.to_owned())]);
            let verified =
                Claim::of(&self.head()).and_then(|c| c.verify(&self.head(), self.body.as_bytes(), &keys, now_s));
            verified.map_err(|fault| fault.to_value()["__type"].as_str().unwrap_or_default().to_owned())
        }
    }

    /// Signatures of AWS's published test suite for Signature Version 4.
    #[test]
    fn published_signatures_are_verified() {
        let check = |request: Signed, names: &str, signature: &str| {
            let request = request.signed("service", names, signature);
            let claim = Claim::of(&request.head()).unwrap();
            claim.check(&request.head(), request.body.as_bytes(), SECRET).unwrap();
            assert!(claim.check(&request.head(), b"another body", SECRET).is_err());
            assert!(claim.check(&request.head(), request.body.as_bytes(), "another secret").is_err());
        };
        let get = |uri: &str, more| Signed::new(Method::GET, uri, more, "");
        check(get("/", &[]), "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        check(
            get("/?Param2=value2&Param1=value1", &[]),
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        );
        check(
            get("/", &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")]),
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        );
        check(
            Signed::new(Method::POST, "/", &[], ""),
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        );
        check(
            Signed::new(Method::POST, "/", &[("content-type", "application/x-www-form-urlencoded")], "Param1=value1"),
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        );
    }

    #[test]
    fn what_is_not_signed_rightly_is_refused() {
        let post = || Signed::new(Method::POST, "/", &[], "{}");
        let check = |request: Signed, now_s: i64, want: &str| assert_eq!(request.verify(now_s).unwrap_err(), want);
        check(post(), NOW_S, "MissingAuthenticationTokenException");
        let mut bare = post();
        bare.headers.insert("authorization", "Bearer x".parse().unwrap());
        check(bare, NOW_S, "IncompleteSignatureException");
        let names = "host;x-amz-date";
        check(post().signed("states", names, "00"), NOW_S, "InvalidSignatureException");
        check(post().signed("states", names, "not hex"), NOW_S, "InvalidSignatureException");
        check(post().signed("sqs", names, "00"), NOW_S, "InvalidSignatureException");
        check(post().signed("states", "host", "00"), NOW_S, "InvalidSignatureException");
        let mut other = post().signed("states", names, "00");
        let text = other.headers["authorization"].to_str().unwrap().replace("AKIDEXAMPLE", "AKIDOTHER");
        other.headers.insert("authorization", text.parse().unwrap());
        check(other, NOW_S, "UnrecognizedClientException");
    }

    #[test]
    fn signatures_are_good_for_five_minutes() {
        let request = Signed::new(Method::POST, "/", &[], "").signed("states", "host;x-amz-date", "00");
        let claim = Claim::of(&request.head()).unwrap();
        for (offset, fresh) in [(0, true), (SKEW_S, true), (-SKEW_S, true), (SKEW_S + 1, false), (-SKEW_S - 1, false)] {
            assert_eq!(claim.check_time(NOW_S + offset).is_ok(), fresh, "{offset}");
        }
    }
}
