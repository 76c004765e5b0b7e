//! Where the documents lie: `<2 characters>/rct_....pdf`, and `crn_....pdf` for credit notes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use store::BoxError;
use tokio::sync::mpsc;

/// How many documents may wait to be written.
const WAITING: usize = 1_024;

/// Makes links to objects that work by themselves for a while.
#[async_trait]
pub trait Links: Send + Sync {
    /// A link to read this object.
    ///
    /// # Errors
    /// No link can be signed now.
    async fn link(&self, path: &Path, time: Duration) -> Result<String, BoxError>;
}

/// The documents in an object store. A document that is not there (the queue was full, the process ended) is made again,
/// byte for byte, when somebody asks for it.
pub(crate) struct Files {
    objects: Arc<dyn ObjectStore>,
    links: Option<Arc<dyn Links>>,
    /// Writing is not waited for, unless the process may be frozen as soon as it has answered.
    writer: Option<mpsc::Sender<(Path, Bytes)>>,
}

impl Files {
    /// Needs a Tokio runtime for the task that writes.
    pub(crate) fn new(objects: Arc<dyn ObjectStore>, links: Option<Arc<dyn Links>>, wait: bool) -> Files {
        if wait {
            return Files { objects, links, writer: None };
        }
        let (writer, mut receiver) = mpsc::channel::<(Path, Bytes)>(WAITING);
        let target = objects.clone();
        tokio::spawn(async move {
            while let Some((path, bytes)) = receiver.recv().await {
                write(&*target, path, bytes).await;
            }
        });
        Files { objects, links, writer: Some(writer) }
    }

    /// Stores a document, or has it stored soon.
    pub(crate) async fn put(&self, id: &str, bytes: Bytes) {
        match &self.writer {
            None => write(&*self.objects, path(id), bytes).await,
            Some(writer) => {
                if writer.try_send((path(id), bytes)).is_err() {
                    tracing::debug!(id, "too many documents wait to be stored; this one is made when asked for");
                }
            }
        }
    }

    /// Whether links to the documents work by themselves.
    pub(crate) fn has_links(&self) -> bool {
        self.links.is_some()
    }

    /// Whether the document is there.
    pub(crate) async fn exists(&self, id: &str) -> bool {
        self.objects.head(&path(id)).await.is_ok()
    }

    /// A link to the document that works for that long by itself; `None` if there are none here.
    pub(crate) async fn link(&self, id: &str, time: Duration) -> Option<Result<String, BoxError>> {
        let links = self.links.as_ref()?;
        Some(links.link(&path(id), time).await)
    }

    /// The stored document, if there is one.
    pub(crate) async fn get(&self, id: &str) -> Option<Bytes> {
        let found = self.objects.get(&path(id)).await.ok()?;
        found.bytes().await.ok()
    }
}

async fn write(objects: &dyn ObjectStore, path: Path, bytes: Bytes) {
    if let Err(error) = objects.put(&path, bytes.into()).await {
        tracing::warn!(%path, %error, "a document could not be stored; it is made again when asked for");
    }
}

/// Spread over about a thousand folders by the last characters of the id, which differ the most. Fewer would grow long, more
/// would be made, and synced, for one document each.
fn path(id: &str) -> Path {
    let folder = id.len().checked_sub(2).and_then(|at| id.get(at..)).unwrap_or("00");
    Path::from(format!("{folder}/{id}.pdf"))
}
