//! Where the documents lie: `<2 characters>/<2 characters>/rct_....pdf`, and `crn_....pdf` for credit notes.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::mpsc;

/// How many documents may wait to be written.
const WAITING: usize = 1_024;

/// The documents in an object store. Writing is never waited for: a document that is not there (the queue was full, the
/// process ended) is made again, byte for byte, when somebody asks for it.
pub(crate) struct Files {
    objects: Arc<dyn ObjectStore>,
    writer: mpsc::Sender<(Path, Bytes)>,
}

impl Files {
    /// Needs a Tokio runtime for the task that writes.
    pub(crate) fn new(objects: Arc<dyn ObjectStore>) -> Files {
        let (writer, mut receiver) = mpsc::channel::<(Path, Bytes)>(WAITING);
        let target = objects.clone();
        tokio::spawn(async move {
            while let Some((path, bytes)) = receiver.recv().await {
                if let Err(error) = target.put(&path, bytes.into()).await {
                    tracing::warn!(%path, %error, "a document could not be stored; it is made again when asked for");
                }
            }
        });
        Files { objects, writer }
    }

    /// Stores a document soon.
    pub(crate) fn put(&self, id: &str, bytes: Bytes) {
        if self.writer.try_send((path(id), bytes)).is_err() {
            tracing::debug!(id, "too many documents wait to be stored; this one is made when asked for");
        }
    }

    /// The stored document, if there is one.
    pub(crate) async fn get(&self, id: &str) -> Option<Bytes> {
        let found = self.objects.get(&path(id)).await.ok()?;
        found.bytes().await.ok()
    }
}

/// Spread by the last characters of the id, which differ the most.
fn path(id: &str) -> Path {
    let end: String = id.chars().rev().take(4).collect();
    let (first, second) = end.split_at_checked(2).unwrap_or(("00", "00"));
    Path::from(format!("{first}/{second}/{id}.pdf"))
}
