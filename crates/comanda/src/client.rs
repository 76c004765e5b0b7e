//! A client of the server's interface, for the commands.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Config;
use crate::failure::{Failure, Kind};

/// How long one call may take.
const CALL_TIME: std::time::Duration = std::time::Duration::from_secs(30);

/// A server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: String,
    http: reqwest::Client,
}

/// What every command needs to know of an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    pub(crate) order_id: String,
    pub(crate) number: Value,
    pub(crate) status: String,
    pub(crate) total: i64,
    pub(crate) currency: String,
}

#[derive(Debug, Deserialize)]
struct Problem {
    title: String,
    code: String,
    detail: Option<String>,
    pointer: Option<String>,
}

impl Client {
    /// The server of that address, or the one that the configuration describes.
    pub(crate) fn new(server: Option<&str>, config: &Config) -> Client {
        let base = server.map_or_else(|| format!("http://{}", config.listen), |s| s.trim_end_matches('/').to_owned());
        Client { base, http: reqwest::Client::new() }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, None, &[]).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Result<T, Failure> {
        self.call(Method::POST, path, Some(body), headers).await
    }

    pub(crate) async fn put<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        self.call(Method::PUT, path, Some(body), &[]).await
    }

    /// Sends a file's bytes.
    pub(crate) async fn upload<T: DeserializeOwned>(&self, path: &str, bytes: Vec<u8>) -> Result<T, Failure> {
        let request = self.http.post(format!("{}{path}", self.base)).timeout(CALL_TIME);
        let request = request.header("Content-Type", "application/octet-stream").body(bytes);
        let response = accepted(request.send().await.map_err(|e| self.unreachable(e))?).await?;
        response.json().await.map_err(|e| self.unreachable(e))
    }

    /// Writes an answer of any length as it comes.
    pub(crate) async fn download(&self, path: &str, to: &mut (dyn std::io::Write + Send)) -> Result<(), Failure> {
        let response = self.http.get(format!("{}{path}", self.base)).send().await;
        let mut response = accepted(response.map_err(|e| self.unreachable(e))?).await?;
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(e))? {
            to.write_all(&chunk)?;
        }
        Ok(to.flush()?)
    }

    /// Calls an operation of the Step Functions API.
    pub(crate) async fn states(&self, operation: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.http.post(format!("{}/", self.base)).timeout(CALL_TIME);
        let request = request.header("X-Amz-Target", format!("AWSStepFunctions.{operation}"));
        let request = request.header("Content-Type", "application/x-amz-json-1.0").body(body.to_string());
        let response = request.send().await.map_err(|e| self.unreachable(e))?;
        let status = response.status();
        let answer: Value = response.json().await.map_err(|e| self.unreachable(e))?;
        if status.is_success() {
            return Ok(answer);
        }
        let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
        let code = text("__type").rsplit('#').next().unwrap_or_default();
        let kind = match code {
            code if code.ends_with("DoesNotExist") => Kind::NotFound,
            _ if status.is_server_error() => Kind::Unavailable,
            _ => Kind::Refused,
        };
        Err(Failure::new(kind, format!("{} [{code}]", text("message"))))
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).timeout(CALL_TIME);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|e| self.unreachable(e))?;
        let response = accepted(response).await?;
        response.json().await.map_err(|e| self.unreachable(e))
    }

    /// Calls `each` with the data of every event of a stream, until it answers false or the stream ends.
    pub(crate) async fn events(
        &self,
        path: &str,
        mut each: impl FnMut(Value) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let response = self.http.get(format!("{}{path}", self.base)).send().await;
        let mut response = accepted(response.map_err(|e| self.unreachable(e))?).await?;
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.unreachable(e))? {
            text.extend_from_slice(&chunk);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                let Some(data) = line.strip_prefix(b"data:") else {
                    continue;
                };
                if !each(serde_json::from_slice(data).map_err(anyhow::Error::from)?)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let error = anyhow::Error::from(error.without_url());
        Failure {
            kind: Kind::Unavailable,
            error: error.context(format!("cannot talk to the server at {} (is `comanda serve` running?)", self.base)),
        }
    }
}

async fn accepted(response: reqwest::Response) -> Result<reqwest::Response, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let kind = match status {
        StatusCode::NOT_FOUND => Kind::NotFound,
        status if status.is_server_error() => Kind::Unavailable,
        _ => Kind::Refused,
    };
    let message = match response.json::<Problem>().await {
        Ok(problem) => {
            let place = problem.pointer.map(|p| format!(" (at `{p}`)")).unwrap_or_default();
            format!("{}{place} [{}]", problem.detail.unwrap_or(problem.title), problem.code)
        }
        Err(_) => format!("the server answered {status}"),
    };
    Err(Failure::new(kind, message))
}
