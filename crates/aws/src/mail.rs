//! Mails by SES.

use app::{Mailer, OutgoingMail};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use store::BoxError;

use crate::client::{Aws, Request};

/// Sends mails by the second version of SES's API.
#[derive(Debug, Clone)]
pub struct SesMailer {
    aws: Aws,
    url: String,
    configuration: Option<String>,
}

impl SesMailer {
    /// At the endpoint of the environment; under a configuration set, if there is one.
    #[must_use]
    pub fn new(aws: Aws, configuration: Option<String>) -> SesMailer {
        let named = std::env::var("AWS_ENDPOINT_URL_SESV2").or_else(|_| std::env::var("AWS_ENDPOINT_URL"));
        let url = match named.ok().filter(|url| !url.is_empty()) {
            Some(url) => url.trim_end_matches('/').to_owned(),
            // Its host has another name than its signatures.
            None => aws.endpoint("email"),
        };
        SesMailer { aws, url: format!("{url}/v2/email/outbound-emails"), configuration }
    }
}

/// An address with its display name as a header takes it: SES refuses what is not ASCII there.
///
/// An encoded word has at most 75 characters (RFC 2047, section 2), so a long name becomes several, each of whole characters.
fn mailbox(address: &str) -> String {
    let Some((name, rest)) = address.rsplit_once('<') else { return address.to_owned() };
    if name.is_ascii() {
        return address.to_owned();
    }
    // 75 less `=?UTF-8?B?` and `?=` are 63 of base64: 45 bytes.
    let mut words = vec![String::new()];
    for letter in name.trim().trim_matches('"').chars() {
        match words.last_mut() {
            Some(word) if word.len() + letter.len_utf8() <= 45 => word.push(letter),
            _ => words.push(letter.to_string()),
        }
    }
    let words: Vec<String> = words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word))).collect();
    format!("{} <{rest}", words.join(" "))
}

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: OutgoingMail) -> Result<(), BoxError> {
        let content = |data: &str| json!({ "Data": data, "Charset": "UTF-8" });
        let mut body = json!({
            "FromEmailAddress": mailbox(&mail.from),
            "Destination": { "ToAddresses": [mail.to] },
            "Content": { "Simple": {
                "Subject": content(&mail.subject),
                "Body": { "Text": content(&mail.text), "Html": content(&mail.html) },
                // SES gives each mail a Message-ID of its own; this one tells a second sending from a second mail.
                "Headers": [{ "Name": "X-Entity-Ref-ID", "Value": mail.message_id }],
            } },
        });
        if let (Some(set), Some(body)) = (&self.configuration, body.as_object_mut()) {
            body.insert("ConfigurationSetName".into(), set.as_str().into());
        }
        let headers = vec![("content-type", "application/json".to_owned())];
        let request =
            Request { service: "ses", method: "POST", url: self.url.clone(), headers, body: body.to_string() };
        self.aws.send(&request).await.map(drop).map_err(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_senders_are_ascii() {
        for plain in ["a@example.com", "Comanda <a@example.com>", "\"Bar, Grill\" <a@example.com>"] {
            assert_eq!(mailbox(plain), plain);
        }
        assert_eq!(mailbox("Açaí <a@example.com>"), "=?UTF-8?B?QcOnYcOt?= <a@example.com>");
        assert_eq!(mailbox("\"Açaí\" <a@example.com>"), "=?UTF-8?B?QcOnYcOt?= <a@example.com>");
        let long = mailbox(&format!("{} <a@example.com>", "é".repeat(40)));
        assert!(long.is_ascii() && long.split(' ').all(|word| word.len() <= 75), "{long}");
    }
}
