//! Receipts: numbers, documents and links.
use crate::views::ReceiptLink;
use crate::{App, FindError, Kind, Problem};
use bytes::Bytes;

/// A receipt's document.
#[derive(Debug, Clone)]
pub struct ReceiptFile {
    /// Gapless.
    pub number: i64,
    /// SHA-256 in hex; the ETag.
    pub sha256: String,
    /// A PDF.
    pub bytes: Bytes,
}

/// Why a receipt could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The signature is not that of the link.
    #[error("the link is not one of ours; ask the order for a new one")]
    Forged,
    /// Too old.
    #[error("the link has expired; ask the order for a new one")]
    Expired,
    /// There is none, or the store failed.
    #[error(transparent)]
    Find(#[from] FindError),
}

impl Problem for DownloadError {
    fn kind(&self) -> Kind {
        match self {
            DownloadError::Forged => Kind::Unauthenticated,
            DownloadError::Expired => Kind::Gone,
            DownloadError::Find(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            DownloadError::Forged => "invalid-link",
            DownloadError::Expired => "link-expired",
            DownloadError::Find(error) => error.code(),
        }
    }
}

impl App {
    /// A link to the receipt of an order, good for a while.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn receipt(&self, order_id: &str) -> Result<ReceiptLink, FindError> {
        todo!()
    }

    /// The document behind a link: `receipt_id` without `.pdf`, `expires` and `signature` from its query.
    ///
    /// # Errors
    /// [`DownloadError`].
    pub async fn receipt_file(&self, receipt_id: &str, expires: i64, signature: &str) -> Result<ReceiptFile, DownloadError> {
        todo!()
    }
}
