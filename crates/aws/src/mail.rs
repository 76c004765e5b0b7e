//! Mails by SES.

use app::{Mailer, OutgoingMail};
use async_trait::async_trait;
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

#[async_trait]
impl Mailer for SesMailer {
    async fn send(&self, mail: OutgoingMail) -> Result<(), BoxError> {
        let content = |data: &str| json!({ "Data": data, "Charset": "UTF-8" });
        let mut body = json!({
            "FromEmailAddress": mail.from,
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
