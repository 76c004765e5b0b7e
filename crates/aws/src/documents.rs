//! Documents in S3, and presigned links to them.

use std::sync::Arc;
use std::time::Duration;

use app::Links;
use async_trait::async_trait;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::signer::Signer;
use store::BoxError;

use crate::client::Aws;

/// Where the receipts lie in the bucket.
const FOLDER: &str = "receipts";

/// A bucket of documents.
#[derive(Clone)]
pub struct Documents(Arc<AmazonS3>);

impl Documents {
    /// The bucket of that name, at the endpoint of the environment.
    ///
    /// # Errors
    /// The name or the endpoint cannot be used.
    pub fn new(aws: &Aws, bucket: &str) -> object_store::Result<Documents> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(aws.region())
            .with_credentials(aws.credentials().clone());
        let endpoint = aws.endpoint("s3");
        if !endpoint.contains(".amazonaws.com") {
            // An emulator.
            builder = builder.with_allow_http(endpoint.starts_with("http:")).with_endpoint(endpoint);
        }
        Ok(Documents(Arc::new(builder.build()?)))
    }

    /// The documents as an object store.
    #[must_use]
    pub fn objects(&self) -> Arc<dyn object_store::ObjectStore> {
        Arc::new(PrefixStore::new(self.0.clone(), FOLDER))
    }
}

#[async_trait]
impl Links for Documents {
    async fn link(&self, path: &Path, time: Duration) -> Result<String, BoxError> {
        let path = Path::from_iter(Path::from(FOLDER).parts().chain(path.parts()));
        Ok(self.0.signed_url(http::Method::GET, &path, time).await?.into())
    }
}
