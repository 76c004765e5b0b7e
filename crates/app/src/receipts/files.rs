//! Where the documents lie: `<2 characters>/<2 characters>/rct_....pdf`.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::mpsc;

use crate::records::receipt;

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
                    tracing::warn!(%path, %error, "a receipt could not be stored; it is made again when asked for");
                }
            }
        });
        Files { objects, writer }
    }

    /// Stores a document soon.
    pub(crate) fn put(&self, order_id: i64, bytes: Bytes) {
        if self.writer.try_send((path(order_id), bytes)).is_err() {
            tracing::debug!(order_id, "too many receipts wait to be stored; this one is made when asked for");
        }
    }

    /// The stored document, if there is one.
    pub(crate) async fn get(&self, order_id: i64) -> Option<Bytes> {
        let found = self.objects.get(&path(order_id)).await.ok()?;
        found.bytes().await.ok()
    }
}

/// Spread by the last characters of the id, which differ the most.
fn path(order_id: i64) -> Path {
    let id = receipt::public_id(order_id);
    let end: String = id.chars().rev().take(4).collect();
    let (first, second) = end.split_at_checked(2).unwrap_or(("00", "00"));
    Path::from(format!("{first}/{second}/{id}.pdf"))
}
