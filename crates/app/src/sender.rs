//! Posting to our own endpoints from outside: how simulators behave like the services they stand for.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use store::BoxError;

/// How long an endpoint may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts signed JSON.
#[async_trait]
pub trait CallbackSender: Send + Sync {
    /// Posts a body with one signature header; answers the status code.
    ///
    /// # Errors
    /// The endpoint cannot be reached or does not answer in time.
    async fn post(&self, url: &str, header: (&'static str, String), body: String) -> Result<u16, BoxError>;
}

/// Posts over HTTP/1.1 with connections kept open. Plain text: it reaches this machine only.
#[derive(Debug, Clone)]
pub struct HttpSender(Client<HttpConnector, Full<Bytes>>);

impl Default for HttpSender {
    fn default() -> HttpSender {
        let mut client = Client::builder(TokioExecutor::new());
        HttpSender(client.pool_max_idle_per_host(16).build_http())
    }
}

#[async_trait]
impl CallbackSender for HttpSender {
    async fn post(&self, url: &str, header: (&'static str, String), body: String) -> Result<u16, BoxError> {
        let request = Request::post(url)
            .header("content-type", "application/json")
            .header(header.0, header.1)
            .body(Full::new(Bytes::from(body)))?;
        let answer = tokio::time::timeout(TIMEOUT, self.0.request(request)).await??;
        let status = answer.status().as_u16();
        // The body is read to its end so that the connection can be used again.
        drop(http_body_util::BodyExt::collect(answer.into_body()).await);
        Ok(status)
    }
}
