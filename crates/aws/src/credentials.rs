//! Who we are to AWS: the environment, a role of the machine, or what the AWS CLI knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::{AmazonS3Builder, AwsCredential, AwsCredentialProvider};
use serde::Deserialize;
use tokio::sync::Mutex;

/// Variables that say where credentials come from without the AWS CLI.
const SOURCES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
];
/// How long what the AWS CLI answered is used; it hands out credentials that live longer.
const CLI_KEEP: Duration = Duration::from_secs(300);
/// How long the AWS CLI may take, a sign-in page of the user's not included.
const CLI_TIMEOUT: Duration = Duration::from_secs(30);

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The environment names a source that cannot be used.
    #[error("the AWS credentials of the environment cannot be used: {0}")]
    Environment(#[source] object_store::Error),
}

/// The credentials of this process, asked for anew when they end.
///
/// The environment, a web identity, a container's or a machine's role as `object_store` finds them; on a laptop, where none of
/// these is there, what `aws configure export-credentials` says, which knows profiles, single sign-on and assumed roles.
///
/// # Errors
/// [`CredentialError`].
pub fn provider(region: &str) -> Result<AwsCredentialProvider, CredentialError> {
    let named = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !SOURCES.iter().any(|name| named(name)) && which("aws") {
        return Ok(Arc::new(Cli::default()));
    }
    // Any bucket: only its credentials are used.
    let store = AmazonS3Builder::from_env().with_region(region).with_bucket_name("none").build();
    store.map(|store| store.credentials().clone()).map_err(CredentialError::Environment)
}

fn which(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The AWS CLI as a source.
#[derive(Debug, Default)]
struct Cli {
    last: Mutex<Option<(Instant, Arc<AwsCredential>)>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Exported {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

#[async_trait]
impl CredentialProvider for Cli {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let mut last = self.last.lock().await;
        if let Some((since, credential)) = &*last
            && since.elapsed() < CLI_KEEP
        {
            return Ok(credential.clone());
        }
        let failed = |problem: String| object_store::Error::Generic { store: "AWS CLI", source: problem.into() };
        let mut command = tokio::process::Command::new("aws");
        command.args(["configure", "export-credentials", "--format", "process"]).kill_on_drop(true);
        let output = tokio::time::timeout(CLI_TIMEOUT, command.output()).await;
        let output = output.map_err(|_| failed("it did not answer".into()))?;
        let output = output.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(failed(format!("there are no AWS credentials; run `aws sso login` or set a profile: {words}")));
        }
        let exported: Exported = serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))?;
        let credential = Arc::new(AwsCredential {
            key_id: exported.access_key_id,
            secret_key: exported.secret_access_key,
            token: exported.session_token,
        });
        *last = Some((Instant::now(), credential.clone()));
        Ok(credential)
    }
}
