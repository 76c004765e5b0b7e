//! The simulators' way to our endpoints, which stand behind HTTPS here.

use std::time::Duration;

use app::CallbackSender;
use async_trait::async_trait;
use store::BoxError;

/// How long an endpoint may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts over HTTPS, or HTTP to an emulator.
pub(super) struct Sender(reqwest::Client);

impl Sender {
    pub(super) fn new() -> Result<Sender, reqwest::Error> {
        crate::client::install_tls();
        reqwest::Client::builder().timeout(TIMEOUT).build().map(Sender)
    }
}

#[async_trait]
impl CallbackSender for Sender {
    async fn post(&self, url: &str, header: (&'static str, String), body: String) -> Result<u16, BoxError> {
        let request = self.0.post(url).header("content-type", "application/json").header(header.0, header.1);
        let answer = request.body(body).send().await.map_err(reqwest::Error::without_url)?;
        Ok(answer.status().as_u16())
    }
}
